// What happens to a row of activations before it meets a matrix: normalised or gated, then rounded to 8 bits.
#pragma once

#include "activations.h"
#include "layout.h"
#include "vector_math.h"

namespace mistralet {

// Where rows of activations come from: x itself; rms_norm(x), with `norm_weight`; or silu(x) * up, with `up`.
struct Source {
  const float* x;             // [rows][columns]
  int64_t columns;
  const float* norm_weight;   // [columns], or null
  float eps;
  const float* up;            // [rows][columns], or null

  bool is_plain() const { return norm_weight == nullptr && up == nullptr; }
};

// x / rms(x) * weight (Zhang & Sennrich 2019).
template <class Isa>
void normalise(const float* x, const float* weight, float eps, int64_t size, float* out) {
  Wide<Isa> squares = Wide<Isa>::zero();
  for_each_wide<Isa>(size, [&](int64_t at, int count) {
    const auto part = Wide<Isa>::load(x + at, count);
    squares = Wide<Isa>::fma(part, part, squares);
  });
  const float mean = squares.sum() / static_cast<float>(size);
  const auto inverse = Isa::splat_float(1.0f / __builtin_sqrtf(mean + eps));
  for_each_wide<Isa>(size, [&](int64_t at, int count) {
    const auto scaled = Wide<Isa>::load(x + at, count).mul(inverse);
    scaled.mul(Wide<Isa>::load(weight + at, count)).store(out + at, count);
  });
}

// silu(gate) * up (Shazeer 2020).
template <class Isa>
void gate_up(const float* gate, const float* up, int64_t size, float* out) {
  for_each_wide<Isa>(size, [&](int64_t at, int count) {
    const auto gates = Wide<Isa>::load(gate + at, count);
    const auto ups = Wide<Isa>::load(up + at, count);
    Wide<Isa> result;
    for (int p = 0; p < Wide<Isa>::kParts; ++p) {
      const auto one = Isa::splat_float(1.0f);
      const auto falling = exponential<Isa>(Isa::sub(Isa::zero_floats(), gates.parts[p]));
      result.parts[p] = Isa::mul(Isa::div(gates.parts[p], Isa::add_floats(one, falling)), ups.parts[p]);
    }
    result.store(out + at, count);
  });
}

// Row `row` of the source, ready to be multiplied, into `out`.
template <class Isa>
void prepare(const Source& source, int64_t row, float* out) {
  const float* x = source.x + row * source.columns;
  if (source.norm_weight != nullptr) {
    normalise<Isa>(x, source.norm_weight, source.eps, source.columns, out);
  } else if (source.up != nullptr) {
    gate_up<Isa>(x, source.up + row * source.columns, source.columns, out);
  } else {
    __builtin_memcpy(out, x, source.columns * sizeof(float));
  }
}

// Rounds a row to 8 bits as row `i` of a tile. The result depends on that row alone.
template <class Isa>
void round_row(const float* x, int64_t groups, const Tile& tile, int i) {
  constexpr int kVectors = kGroup / Isa::kLanes;
  using Float = typename Isa::Float;
  for (int64_t group = 0; group < groups; ++group, x += kGroup) {
    Float values[kVectors], largest = Isa::zero_floats();
    for (int v = 0; v < kVectors; ++v) {
      values[v] = Isa::load_floats(x + v * Isa::kLanes);
      largest = Isa::maximum(largest, Isa::absolute(values[v]));
    }
    const float limit = Isa::largest(largest);
    // Below that the quotient could overflow; such activations are zero for every purpose.
    const auto inverse = Isa::splat_float(limit > 1e-30f ? 127.0f / limit : 0.0f);
    typename Isa::Int codes[kVectors];
    for (int v = 0; v < kVectors; ++v) codes[v] = Isa::round(Isa::mul(values[v], inverse));
    int32_t sums[2];
    for (int half = 0; half < 2; ++half) {
      auto sum = codes[half * kVectors / 2];
      for (int v = 1; v < kVectors / 2; ++v) sum = Isa::add(sum, codes[half * kVectors / 2 + v]);
      sums[half] = Isa::sum_ints(sum);
    }
    const int64_t place = group * tile.rows + i;
    Isa::store_bytes(tile.codes + place * kGroup, codes);
    const float scale = limit / 127.0f;
    tile.scales[place] = scale;
    tile.sums[place] = sums[0] + sums[1];
    tile.half_sums[2 * place] = sums[0];
    tile.half_sums[2 * place + 1] = sums[1];
    tile.scaled_sums[place] = scale * static_cast<float>(sums[0] + sums[1]);
  }
}

}  // namespace mistralet
