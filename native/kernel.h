// The product of packed weights and rounded activations, written once for every instruction set.
//
// `Isa` gives vectors of `kLanes` 32-bit lanes (16, or 8 that take a panel in two halves) and the few operations below.
// For one row of activations and one row of weights the arithmetic is, whatever the tile and the instruction set:
//   for each group in order:  sum = fma(float(dot) * scale_of_activations, scale_of_weights, sum)
//                             sum = fma(scale_of_activations * sum_of_activations, offset, sum)     if there are offsets
// so a row's result does not depend on the rows beside it.
#pragma once

#include "activations.h"
#include "layout.h"

namespace mistralet {

// Groups of one panel that are used for all tiles before the next: they stay in the first-level cache.
constexpr int64_t kGroupsPerPass = 32;
// With a single row of activations, for all lanes of the panel before the next: they are read from memory once.
constexpr int64_t kGroupsPerRead = 8;
// Bytes of weights that are asked for ahead of their use: over the end of a page, where the processor's own guesses stop.
constexpr int64_t kReadAhead = 2048;

template <int Bytes>
inline void read_ahead(const uint8_t* p) {
  for (int offset = 0; offset < Bytes; offset += 64) __builtin_prefetch(p + offset);
}

// The codes of one group as bytes, a register a quad.
template <class Isa, class F>
inline void unpack(const uint8_t* group, int lane, typename Isa::Int (&codes)[kQuads]) {
  const uint8_t* low = group + 4 * lane;
  if constexpr (F::kBits == 8) {
    for (int quad = 0; quad < kQuads; ++quad) codes[quad] = Isa::load(low + quad * kRegister);
    return;
  }
  for (int r = 0; r < 4; ++r) {
    const auto packed = Isa::load(low + r * kRegister);
    codes[r] = Isa::mask_bytes(packed, 0x0f);
    codes[4 + r] = Isa::mask_bytes(Isa::template shift_right<4>(packed), 0x0f);
  }
  const uint8_t* high = low + F::kLowBytes;
  if constexpr (F::kBits == 5) {
    const auto bits = Isa::load(high);
    codes[0] = Isa::bit_or(codes[0], Isa::mask_bytes(Isa::template shift_left<4>(bits), 0x10));
    codes[1] = Isa::bit_or(codes[1], Isa::mask_bytes(Isa::template shift_left<3>(bits), 0x10));
    codes[2] = Isa::bit_or(codes[2], Isa::mask_bytes(Isa::template shift_left<2>(bits), 0x10));
    codes[3] = Isa::bit_or(codes[3], Isa::mask_bytes(Isa::template shift_left<1>(bits), 0x10));
    codes[4] = Isa::bit_or(codes[4], Isa::mask_bytes(bits, 0x10));
    codes[5] = Isa::bit_or(codes[5], Isa::mask_bytes(Isa::template shift_right<1>(bits), 0x10));
    codes[6] = Isa::bit_or(codes[6], Isa::mask_bytes(Isa::template shift_right<2>(bits), 0x10));
    codes[7] = Isa::bit_or(codes[7], Isa::mask_bytes(Isa::template shift_right<3>(bits), 0x10));
  }
  if constexpr (F::kBits == 6) {
    for (int half = 0; half < 2; ++half) {
      const auto bits = Isa::load(high + half * kRegister);
      auto* part = codes + 4 * half;
      part[0] = Isa::bit_or(part[0], Isa::mask_bytes(Isa::template shift_left<4>(bits), 0x30));
      part[1] = Isa::bit_or(part[1], Isa::mask_bytes(Isa::template shift_left<2>(bits), 0x30));
      part[2] = Isa::bit_or(part[2], Isa::mask_bytes(bits, 0x30));
      part[3] = Isa::bit_or(part[3], Isa::mask_bytes(Isa::template shift_right<2>(bits), 0x30));
    }
  }
}

// The sum over `Quads` quads of (code - zero) * activation. `sum` points to the sum of those activations: a symmetric
// format's zero is taken off here, where arithmetic is exact.
template <class Isa, class F, int Quads>
inline typename Isa::Int dot_of(const typename Isa::Int* codes, const int8_t* x, const int32_t* sum) {
  if constexpr (F::kBits == 8) return Isa::template dot_bytes<Quads>(codes, x, sum);
  const auto dot = Isa::template dot<F::kBits, Quads>(codes, x);
  if constexpr (F::kZero == 0) return dot;
  return Isa::sub_ints(dot, Isa::template shift_ints_left<F::kZeroBits>(Isa::splat(*sum)));
}

// Adds the groups `first` to `last` of one panel, for all rows of a tile, to `out[row][lane]`.
template <class Isa, class F, int Rows>
inline void add_groups(const uint8_t* panel, int lane, int64_t first, int64_t last, const Tile& tile,
                       float (*out)[kPanelRows]) {
  using Int = typename Isa::Int;
  using Float = typename Isa::Float;
  Float sums[Rows];
  for (int m = 0; m < Rows; ++m) sums[m] = Isa::load_floats(out[m] + lane);

  const uint8_t* block = panel + first / F::kGroupsPerBlock * F::kBlockBytes;
  for (int64_t begin = first; begin < last; begin += F::kGroupsPerBlock, block += F::kBlockBytes) {
    const Float header = Isa::load_halves(block + 2 * lane);
    Float second = header;
    if constexpr (F::kTwoHeaders) second = Isa::load_halves(block + 2 * (kPanelRows + lane));

    for (int g = 0; g < F::kGroupsPerBlock; ++g) {
      const uint8_t* group = block + F::kHeaderBytes + g * F::kGroupBytes;
      if constexpr (Rows == 1) read_ahead<F::kGroupBytes>(group + kReadAhead);
      Int codes[kQuads];
      unpack<Isa, F>(group, lane, codes);

      const uint8_t* small = group + F::kLowBytes + F::kHighBytes + lane;
      Float scale = header, offset = second;
      Int signed_scales[2] = {Isa::zero(), Isa::zero()};
      if constexpr (F::kScales == Scales::kSuperAffine) {
        scale = Isa::mul(header, Isa::load_bytes_as_floats(small));
        offset = Isa::sub(Isa::zero_floats(), Isa::mul(second, Isa::load_bytes_as_floats(small + kPanelRows)));
      }
      if constexpr (F::kScales == Scales::kSuperSigned) {
        signed_scales[0] = Isa::load_signed_bytes(small);
        signed_scales[1] = Isa::load_signed_bytes(small + kPanelRows);
      }

      const int64_t place = (begin + g) * Rows;
      const auto dot_with = [&](int m) {
        const int8_t* x = tile.codes + (place + m) * kGroup;
        if constexpr (F::kScales == Scales::kSuperSigned) {
          const int32_t* halves = tile.half_sums + 2 * (place + m);
          return Isa::add(Isa::mul_ints(dot_of<Isa, F, 4>(codes, x, halves), signed_scales[0]),
                          Isa::mul_ints(dot_of<Isa, F, 4>(codes + 4, x + 16, halves + 1), signed_scales[1]));
        } else {
          return dot_of<Isa, F, kQuads>(codes, x, tile.sums + place + m);
        }
      };
      const auto add_dot = [&](int m, Int dot) {
        const Float scaled = Isa::mul(Isa::to_floats(dot), Isa::splat_float(tile.scales[place + m]));
        sums[m] = Isa::fma(scaled, scale, sums[m]);
        if constexpr (F::kTwoHeaders) {
          sums[m] = Isa::fma(Isa::splat_float(tile.scaled_sums[place + m]), offset, sums[m]);
        }
      };
      if constexpr (Isa::kDotsFirst && Rows > 1) {
        Int dots[Rows];
        for (int m = 0; m < Rows; ++m) dots[m] = dot_with(m);
        for (int m = 0; m < Rows; ++m) add_dot(m, dots[m]);
      } else {
        for (int m = 0; m < Rows; ++m) add_dot(m, dot_with(m));
      }
    }
  }
  for (int m = 0; m < Rows; ++m) Isa::store_floats(out[m] + lane, sums[m]);
}

// The product with groups `first` to `last`, into `out`, [activation rows][rows]; on top of what is there, if `add`.
template <class Isa, class F, int Rows>
void multiply_tile(const uint8_t* panel, int64_t first, int64_t last, const Tile& tile, bool add, float* out,
                   int64_t rows, int64_t row) {
  // Sums go through a small buffer, since the last panel may be narrower than 16 rows.
  float sums[Rows][kPanelRows] = {};
  const int64_t width = rows - row < kPanelRows ? rows - row : kPanelRows;
  float* target = out + tile.first_row * rows + row;
  if (add) {
    for (int m = 0; m < Rows; ++m) __builtin_memcpy(sums[m], target + m * rows, width * sizeof(float));
  }
  for (int lane = 0; lane < kPanelRows; lane += Isa::kLanes) {
    add_groups<Isa, F, Rows>(panel, lane, first, last, tile, sums);
  }
  for (int m = 0; m < Rows; ++m) __builtin_memcpy(target + m * rows, sums[m], width * sizeof(float));
}

// Multiplies panels `first_panel` to `last_panel`; `out` is [activation rows][rows].
template <class Isa, class F>
void multiply_panels(const uint8_t* packed, int64_t rows, const Activations& x, bool add, int64_t first_panel,
                     int64_t last_panel, float* out) {
  const int64_t groups = x.groups, pass = x.tiles[0].rows == 1 ? kGroupsPerRead : kGroupsPerPass;
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    const uint8_t* weights = packed + panel * panel_bytes<F>(groups * kGroup);
    for (int64_t first = 0; first < groups; first += pass) {
      const int64_t last = first + pass < groups ? first + pass : groups;
      for (int64_t t = 0; t < x.tile_count; ++t) {
        const Tile& tile = x.tiles[t];
        const auto multiply = tile.rows == Isa::kTileRows ? multiply_tile<Isa, F, Isa::kTileRows>
                              : tile.rows == 4            ? multiply_tile<Isa, F, 4>
                                                          : multiply_tile<Isa, F, 1>;
        multiply(weights, first, last, tile, add || first > 0, out, rows, panel * kPanelRows);
      }
    }
  }
}

template <class Isa>
void multiply(Type type, const uint8_t* packed, int64_t rows, const Activations& x, bool add, int64_t first_panel,
              int64_t last_panel, float* out) {
  with_format(type, [&](auto format) {
    multiply_panels<Isa, decltype(format)>(packed, rows, x, add, first_panel, last_panel, out);
  });
}

}  // namespace mistralet
