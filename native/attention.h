// Attention of one token to a cache of float16 keys and values.
//
// The context is cut into pieces of 256 tokens. Each piece gives a maximum, a sum and a weighted mean for every query
// head; they are put together in their order, so the result does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace mistralet {

constexpr int64_t kPiece = 256;      // tokens
constexpr int kMaxHeadDim = 256;

struct AttentionJob {
  const float* query;        // [heads][head_dim]
  const uint16_t* keys;      // float16 [kv_heads][context][head_dim], with `kv_stride` values from head to head
  const uint16_t* values;
  int64_t kv_stride;
  int64_t heads, kv_heads, head_dim, context;
  float scale;
  float* partial;            // [pieces][heads][head_dim + 2]: weighted sum, maximum, sum of weights
  float* out;                // [heads][head_dim]

  int64_t pieces() const { return (context + kPiece - 1) / kPiece; }
  int64_t group() const { return heads / kv_heads; }
};

// exp(x) = 2^n * e^r with |r| <= ln(2) / 2; e^r by its series to the sixth power (relative error below 3e-7).
template <class Isa>
typename Isa::Float exponential(typename Isa::Float x) {
  x = Isa::maximum(x, Isa::splat_float(-87.0f));  // below, the result is no normal number
  const auto n = Isa::round(Isa::mul(x, Isa::splat_float(1.44269504f)));
  const auto whole = Isa::to_floats(n);
  // ln(2) in two parts, so that the difference keeps its precision.
  auto r = Isa::fma(whole, Isa::splat_float(-0.693359375f), x);
  r = Isa::fma(whole, Isa::splat_float(2.12194440e-4f), r);
  auto series = Isa::splat_float(1.0f / 720);
  for (const float factor : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
    series = Isa::fma(series, r, Isa::splat_float(factor));
  }
  return Isa::mul(series, Isa::power_of_two(n));
}

// One piece of the context for `Heads` query heads from `first_head` on, which share a key head.
template <class Isa, int Heads>
void attend_piece(const AttentionJob& job, int64_t first_head, int64_t piece) {
  using Float = typename Isa::Float;
  constexpr int kVectors = kMaxHeadDim / Isa::kLanes;
  const int vectors = static_cast<int>(job.head_dim / Isa::kLanes);
  const int64_t begin = piece * kPiece, count = std::min(kPiece, job.context - begin);
  const int64_t kv_offset = first_head / job.group() * job.kv_stride + begin * job.head_dim;
  const auto* keys = reinterpret_cast<const uint8_t*>(job.keys + kv_offset);
  const auto* values = reinterpret_cast<const uint8_t*>(job.values + kv_offset);

  alignas(64) float weights[Heads][kPiece];
  for (int64_t j = 0; j < count; ++j) {
    Float sums[Heads];
    for (auto& sum : sums) sum = Isa::zero_floats();
    for (int v = 0; v < vectors; ++v) {
      const Float key = Isa::load_halves(keys + 2 * (j * job.head_dim + v * Isa::kLanes));
      for (int h = 0; h < Heads; ++h) {
        const float* query = job.query + (first_head + h) * job.head_dim + v * Isa::kLanes;
        sums[h] = Isa::fma(key, Isa::load_floats(query), sums[h]);
      }
    }
    for (int h = 0; h < Heads; ++h) weights[h][j] = Isa::sum(sums[h]) * job.scale;
  }

  float* partial[Heads];
  for (int h = 0; h < Heads; ++h) {
    partial[h] = job.partial + (piece * job.heads + first_head + h) * (job.head_dim + 2);
    const float largest = *std::max_element(weights[h], weights[h] + count);
    std::fill(weights[h] + count, weights[h] + (count + Isa::kLanes - 1) / Isa::kLanes * Isa::kLanes, -INFINITY);
    Float sum = Isa::zero_floats();
    for (int64_t j = 0; j < count; j += Isa::kLanes) {
      const Float weight = exponential<Isa>(Isa::sub(Isa::load_floats(weights[h] + j), Isa::splat_float(largest)));
      Isa::store_floats(weights[h] + j, weight);
      sum = Isa::fma(weight, Isa::splat_float(1.0f), sum);
    }
    partial[h][job.head_dim] = largest;
    partial[h][job.head_dim + 1] = Isa::sum(sum);
  }

  Float sums[Heads][kVectors];
  for (int h = 0; h < Heads; ++h) {
    for (int v = 0; v < vectors; ++v) sums[h][v] = Isa::zero_floats();
  }
  for (int64_t j = 0; j < count; ++j) {
    for (int v = 0; v < vectors; ++v) {
      const Float value = Isa::load_halves(values + 2 * (j * job.head_dim + v * Isa::kLanes));
      for (int h = 0; h < Heads; ++h) sums[h][v] = Isa::fma(value, Isa::splat_float(weights[h][j]), sums[h][v]);
    }
  }
  for (int h = 0; h < Heads; ++h) {
    for (int v = 0; v < vectors; ++v) Isa::store_floats(partial[h] + v * Isa::kLanes, sums[h][v]);
  }
}

// Units of work: one piece of the context for one key head.
template <class Isa>
void attend(const AttentionJob& job, int64_t first_unit, int64_t last_unit) {
  for (int64_t unit = first_unit; unit < last_unit; ++unit) {
    const int64_t piece = unit / job.kv_heads, first = unit % job.kv_heads * job.group();
    int64_t head = first;
    for (; head + 4 <= first + job.group(); head += 4) attend_piece<Isa, 4>(job, head, piece);
    for (; head + 3 <= first + job.group(); head += 3) attend_piece<Isa, 3>(job, head, piece);
    for (; head < first + job.group(); ++head) attend_piece<Isa, 1>(job, head, piece);
  }
}

// Puts the pieces together.
inline void combine(const AttentionJob& job) {
  const int64_t width = job.head_dim + 2;
  for (int64_t head = 0; head < job.heads; ++head) {
    const float* first = job.partial + head * width;
    float largest = -INFINITY, sum = 0;
    for (int64_t p = 0; p < job.pieces(); ++p) largest = std::max(largest, first[p * job.heads * width + job.head_dim]);
    float* out = job.out + head * job.head_dim;
    std::fill(out, out + job.head_dim, 0.0f);
    for (int64_t p = 0; p < job.pieces(); ++p) {
      const float* piece = first + p * job.heads * width;
      const float weight = std::exp(piece[job.head_dim] - largest);
      sum += weight * piece[job.head_dim + 1];
      for (int64_t d = 0; d < job.head_dim; ++d) out[d] += weight * piece[d];
    }
    for (int64_t d = 0; d < job.head_dim; ++d) out[d] /= sum;
  }
}

using Attend = void (*)(const AttentionJob&, int64_t, int64_t);

void attend_portable(const AttentionJob&, int64_t, int64_t);
void attend_avx2(const AttentionJob&, int64_t, int64_t);
void attend_avx512(const AttentionJob&, int64_t, int64_t);

}  // namespace mistralet
