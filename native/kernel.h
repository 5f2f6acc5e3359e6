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
#include "vector_math.h"

namespace mistralet {

// Groups of one panel that are unpacked together and used for all tiles: they stay in the first-level cache.
constexpr int64_t kGroupsPerPass = 24;
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

// One group of a panel as every tile uses it.
struct Group {
  alignas(kRegister) uint8_t codes[kQuads * kRegister];   // as in layout.h with 8 bits: quad by quad
  float scales[kPanelRows];
  union {
    float offsets[kPanelRows];
    uint8_t signed_scales[2][kPanelRows];
  };
};

// Unpacks groups `first` to `last` of a panel, which begin and end with a block.
template <class Isa, class F>
inline void unpack_groups(const uint8_t* panel, int64_t first, int64_t last, Group* out) {
  const uint8_t* block = panel + first / F::kGroupsPerBlock * F::kBlockBytes;
  for (int64_t begin = first; begin < last; begin += F::kGroupsPerBlock, block += F::kBlockBytes) {
    for (int g = 0; g < F::kGroupsPerBlock; ++g, ++out) {
      const uint8_t* group = block + F::kHeaderBytes + g * F::kGroupBytes;
      const uint8_t* small = group + F::kLowBytes + F::kHighBytes;
      read_ahead<F::kGroupBytes>(group + kReadAhead);
      for (int lane = 0; lane < kPanelRows; lane += Isa::kLanes) {
        typename Isa::Int codes[kQuads];
        unpack<Isa, F>(group, lane, codes);
        for (int quad = 0; quad < kQuads; ++quad) Isa::store(out->codes + quad * kRegister + 4 * lane, codes[quad]);

        auto scale = Isa::load_halves(block + 2 * lane);
        if constexpr (F::kScales == Scales::kSuperAffine) {
          scale = Isa::mul(scale, Isa::load_bytes_as_floats(small + lane));
        }
        Isa::store_floats(out->scales + lane, scale);
        if constexpr (F::kTwoHeaders) {
          auto offset = Isa::load_halves(block + 2 * (kPanelRows + lane));
          if constexpr (F::kScales == Scales::kSuperAffine) {
            offset = Isa::mul(offset, Isa::load_bytes_as_floats(small + kPanelRows + lane));
            offset = Isa::sub(Isa::zero_floats(), offset);
          }
          Isa::store_floats(out->offsets + lane, offset);
        }
      }
      if constexpr (F::kScales == Scales::kSuperSigned) __builtin_memcpy(out->signed_scales, small, 2 * kPanelRows);
    }
  }
}

// Sums over `Quads` quads of (code - zero) * activation for all rows of a tile. `sums`, one every `Stride` for each row,
// are those of the activations: a symmetric format's zero is taken off here, where arithmetic is exact.
template <class Isa, class F, int Rows, int Quads, int Stride>
inline void sum_products(const uint8_t* codes, const int8_t* x, const int32_t* sums,
                         typename Isa::Int (&out)[Rows][Isa::kVectors]) {
  Isa::template dots<F::kBits, Rows, Quads>(codes, x, out);
  if constexpr (F::kZero != 0 && !(F::kBits == 8 && Isa::kSignedBytes)) {
    for (int m = 0; m < Rows; ++m) {
      const auto zero = Isa::template shift_ints_left<F::kZeroBits>(Isa::splat(sums[m * Stride]));
      for (auto& dot : out[m]) dot = Isa::sub_ints(dot, zero);
    }
  }
}

template <class Isa, class F, int Rows>
inline void sum_group(const Group& group, const Tile& tile, int64_t place, typename Isa::Int (&out)[Rows][Isa::kVectors]) {
  const int8_t* x = tile.codes + place * kGroup;
  if constexpr (F::kScales == Scales::kSuperSigned) {
    typename Isa::Int upper[Rows][Isa::kVectors];
    const int32_t* sums = tile.half_sums + 2 * place;
    sum_products<Isa, F, Rows, kQuads / 2, 2>(group.codes, x, sums, out);
    sum_products<Isa, F, Rows, kQuads / 2, 2>(group.codes + kQuads / 2 * kRegister, x + kGroup / 2, sums + 1, upper);
    for (int v = 0; v < Isa::kVectors; ++v) {
      const auto scale = Isa::load_signed_bytes(group.signed_scales[0] + v * Isa::kLanes);
      const auto upper_scale = Isa::load_signed_bytes(group.signed_scales[1] + v * Isa::kLanes);
      for (int m = 0; m < Rows; ++m) {
        out[m][v] = Isa::add(Isa::mul_ints(out[m][v], scale), Isa::mul_ints(upper[m][v], upper_scale));
      }
    }
  } else {
    sum_products<Isa, F, Rows, kQuads, 1>(group.codes, x, tile.sums + place, out);
  }
}

// The product with `count` groups of a panel, of which `first` is the first, for all rows of a tile into
// `out[row * stride + lane]`; on top of what is there, if `add`.
template <class Isa, class F, int Rows>
inline void multiply_groups(const Group* groups, int64_t first, int64_t count, const Tile& tile, bool add, float* out,
                            int64_t stride) {
  constexpr int kVectors = Isa::kVectors, kLanes = Isa::kLanes;
  using Float = typename Isa::Float;
  Float sums[Rows][kVectors];
  for (int m = 0; m < Rows; ++m) {
    for (int v = 0; v < kVectors; ++v) {
      sums[m][v] = add ? Isa::load_floats(out + m * stride + v * kLanes) : Isa::zero_floats();
    }
  }
  for (int64_t g = 0; g < count; ++g) {
    const Group& group = groups[g];
    const int64_t place = (first + g) * Rows;
    typename Isa::Int dots[Rows][kVectors];
    sum_group<Isa, F, Rows>(group, tile, place, dots);

    Float scales[kVectors], offsets[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      scales[v] = Isa::load_floats(group.scales + v * kLanes);
      if constexpr (F::kTwoHeaders) offsets[v] = Isa::load_floats(group.offsets + v * kLanes);
    }
    for (int m = 0; m < Rows; ++m) {
      const Float scale_of_activations = Isa::splat_float(tile.scales[place + m]);
      for (int v = 0; v < kVectors; ++v) {
        sums[m][v] = Isa::fma(Isa::mul(Isa::to_floats(dots[m][v]), scale_of_activations), scales[v], sums[m][v]);
        if constexpr (F::kTwoHeaders) {
          sums[m][v] = Isa::fma(Isa::splat_float(tile.scaled_sums[place + m]), offsets[v], sums[m][v]);
        }
      }
    }
  }
  for (int m = 0; m < Rows; ++m) {
    for (int v = 0; v < kVectors; ++v) Isa::store_floats(out + m * stride + v * kLanes, sums[m][v]);
  }
}

// The same into `out`, [activation rows][rows], where the last panel may be narrower than 16 rows.
template <class Isa, class F, int Rows>
void multiply_tile(const Group* groups, int64_t first, int64_t count, const Tile& tile, bool add, float* out,
                   int64_t rows, int64_t row) {
  const int64_t width = rows - row;
  float* target = out + tile.first_row * rows + row;
  if (width >= kPanelRows) return multiply_groups<Isa, F, Rows>(groups, first, count, tile, add, target, rows);
  float wide[Rows * kPanelRows] = {};
  for (int m = 0; add && m < Rows; ++m) __builtin_memcpy(wide + m * kPanelRows, target + m * rows, width * sizeof(float));
  multiply_groups<Isa, F, Rows>(groups, first, count, tile, add, wide, kPanelRows);
  for (int m = 0; m < Rows; ++m) __builtin_memcpy(target + m * rows, wide + m * kPanelRows, width * sizeof(float));
}

// Multiplies panels `first_panel` to `last_panel`; `out` is [activation rows][rows].
template <class Isa, class F>
void multiply_panels(const uint8_t* packed, int64_t rows, const Activations& x, bool add, int64_t first_panel,
                     int64_t last_panel, float* out) {
  Group unpacked[kGroupsPerPass];
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    const uint8_t* weights = packed + panel * panel_bytes<F>(x.groups * kGroup);
    for (int64_t first = 0; first < x.groups; first += kGroupsPerPass) {
      const int64_t left = x.groups - first, count = left < kGroupsPerPass ? left : kGroupsPerPass;
      unpack_groups<Isa, F>(weights, first, first + count, unpacked);
      for (int64_t t = 0; t < x.tile_count; ++t) {
        const Tile& tile = x.tiles[t];
        with_count<Isa::kTileRows>(tile.rows, [&](auto tile_rows) {
          multiply_tile<Isa, F, tile_rows.value>(unpacked, first, count, tile, add || first > 0, out, rows,
                                                 panel * kPanelRows);
        });
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
