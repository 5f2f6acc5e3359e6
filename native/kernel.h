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
// Up to that many rows do not make up for writing unpacked groups; theirs are used for all lanes of the panel before the
// next, so that they are read from memory once.
constexpr int kFewRows = 2;
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

// What the products of a group with the codes are multiplied with, and what is added to them.
template <class Isa, int Vectors>
struct Factors {
  typename Isa::Float scales[Vectors], offsets[Vectors];
  typename Isa::Int signed_scales[2][Vectors];
};

// Those of the lanes from `lane` on, of a group in its block.
template <class Isa, class F>
inline Factors<Isa, 1> factors_of(const uint8_t* block, const uint8_t* group, int lane) {
  const uint8_t* small = group + F::kLowBytes + F::kHighBytes + lane;
  Factors<Isa, 1> factors;
  auto& scale = factors.scales[0] = Isa::load_halves(block + 2 * lane);
  auto& offset = factors.offsets[0] = Isa::zero_floats();
  if constexpr (F::kTwoHeaders) offset = Isa::load_halves(block + 2 * (kPanelRows + lane));
  if constexpr (F::kScales == Scales::kSuperAffine) {
    scale = Isa::mul(scale, Isa::load_bytes_as_floats(small));
    offset = Isa::sub(Isa::zero_floats(), Isa::mul(offset, Isa::load_bytes_as_floats(small + kPanelRows)));
  }
  for (int half = 0; half < 2; ++half) {
    auto& signed_scale = factors.signed_scales[half][0] = Isa::zero();
    if constexpr (F::kScales == Scales::kSuperSigned) {
      signed_scale = Isa::load_signed_bytes(small + half * kPanelRows);
    }
  }
  return factors;
}

// Calls `function(index, block, group)` for groups `first` to `last` of a panel, which begin with a block.
template <class F, class Function>
inline void for_each_group(const uint8_t* panel, int64_t first, int64_t last, Function&& function) {
  const uint8_t* block = panel + first / F::kGroupsPerBlock * F::kBlockBytes;
  for (int64_t begin = first; begin < last; begin += F::kGroupsPerBlock, block += F::kBlockBytes) {
    for (int g = 0; g < F::kGroupsPerBlock; ++g) {
      function(begin + g, block, block + F::kHeaderBytes + g * F::kGroupBytes);
    }
  }
}

// Sums over quads `First` to `Last` of (code - zero) * activation for all rows of a tile. `sums`, one every `Stride` for
// each row, are those of the activations: a symmetric format's zero is taken off here, where arithmetic is exact.
template <class Isa, class F, int First, int Last, int Stride, int Rows, int Vectors, class Codes>
inline void dots_of(const Codes& codes, const int8_t* x, const int32_t* sums, typename Isa::Int (&dots)[Rows][Vectors]) {
  Isa::template dots<F::kBits, First, Last>(codes, x, dots);
  if constexpr (F::kZero != 0 && !(F::kBits == 8 && Isa::kSignedBytes)) {
    for (int m = 0; m < Rows; ++m) {
      const auto zero = Isa::template shift_ints_left<F::kZeroBits>(Isa::splat(sums[m * Stride]));
      for (auto& dot : dots[m]) dot = Isa::sub_ints(dot, zero);
    }
  }
}

// Adds the products with one group for all rows of a tile. `codes(quad, vector)` are its codes as bytes; `place` is where
// the tile has the activations.
template <class Isa, class F, int Rows, int Vectors, class Codes>
inline void add_products(const Codes& codes, const Factors<Isa, Vectors>& factors, const Tile& tile, int64_t place,
                         typename Isa::Float (&sums)[Rows][Vectors]) {
  const int8_t* x = tile.codes + place * kGroup;
  typename Isa::Int dots[Rows][Vectors];
  if constexpr (F::kScales == Scales::kSuperSigned) {
    constexpr int kHalf = kQuads / 2;
    const int32_t* half_sums = tile.half_sums + 2 * place;
    typename Isa::Int upper[Rows][Vectors];
    dots_of<Isa, F, 0, kHalf, 2>(codes, x, half_sums, dots);
    dots_of<Isa, F, kHalf, kQuads, 2>(codes, x, half_sums + 1, upper);
    for (int m = 0; m < Rows; ++m) {
      for (int v = 0; v < Vectors; ++v) {
        dots[m][v] = Isa::add(Isa::mul_ints(dots[m][v], factors.signed_scales[0][v]),
                              Isa::mul_ints(upper[m][v], factors.signed_scales[1][v]));
      }
    }
  } else {
    dots_of<Isa, F, 0, kQuads, 1>(codes, x, tile.sums + place, dots);
  }
  for (int m = 0; m < Rows; ++m) {
    const auto scale_of_activations = Isa::splat_float(tile.scales[place + m]);
    for (int v = 0; v < Vectors; ++v) {
      const auto scaled = Isa::mul(Isa::to_floats(dots[m][v]), scale_of_activations);
      sums[m][v] = Isa::fma(scaled, factors.scales[v], sums[m][v]);
      if constexpr (F::kTwoHeaders) {
        sums[m][v] = Isa::fma(Isa::splat_float(tile.scaled_sums[place + m]), factors.offsets[v], sums[m][v]);
      }
    }
  }
}

// The product of a panel and a tile of few rows, on top of what is in `out[row * stride + lane]`: each code is used as it
// is unpacked. `codes` are captured by value, since by reference the compiler writes them to memory.
template <class Isa, class F, int Rows>
inline void multiply_few(const uint8_t* panel, int64_t groups, const Tile& tile, float* out, int64_t stride) {
  for (int64_t first = 0; first < groups; first += kGroupsPerRead) {
    const int64_t last = first + kGroupsPerRead < groups ? first + kGroupsPerRead : groups;
    for (int lane = 0; lane < kPanelRows; lane += Isa::kLanes) {
      typename Isa::Float sums[Rows][1];
      for (int m = 0; m < Rows; ++m) sums[m][0] = Isa::load_floats(out + m * stride + lane);
      for_each_group<F>(panel, first, last, [&](int64_t index, const uint8_t* block, const uint8_t* group) {
        read_ahead<F::kGroupBytes>(group + kReadAhead);
        typename Isa::Int codes[kQuads];
        unpack<Isa, F>(group, lane, codes);
        add_products<Isa, F, Rows, 1>([codes](int quad, int) { return codes[quad]; },
                                      factors_of<Isa, F>(block, group, lane), tile, index * Rows, sums);
      });
      for (int m = 0; m < Rows; ++m) Isa::store_floats(out + m * stride + lane, sums[m][0]);
    }
  }
}

// One group of a panel as all tiles use it.
struct Group {
  alignas(kRegister) uint8_t codes[kQuads * kRegister];   // quad by quad, as those of 8 bits in layout.h
  float scales[kPanelRows];
  union {
    float offsets[kPanelRows];
    uint8_t signed_scales[2 * kPanelRows];
  };
};

template <class Isa, class F>
inline void unpack_groups(const uint8_t* panel, int64_t first, int64_t last, Group* out) {
  for_each_group<F>(panel, first, last, [&](int64_t, const uint8_t* block, const uint8_t* group) {
    read_ahead<F::kGroupBytes>(group + kReadAhead);
    for (int lane = 0; lane < kPanelRows; lane += Isa::kLanes) {
      typename Isa::Int codes[kQuads];
      unpack<Isa, F>(group, lane, codes);
      for (int quad = 0; quad < kQuads; ++quad) Isa::store(out->codes + quad * kRegister + 4 * lane, codes[quad]);
      const auto factors = factors_of<Isa, F>(block, group, lane);
      Isa::store_floats(out->scales + lane, factors.scales[0]);
      if constexpr (F::kTwoHeaders) Isa::store_floats(out->offsets + lane, factors.offsets[0]);
    }
    if constexpr (F::kScales == Scales::kSuperSigned) {
      __builtin_memcpy(out->signed_scales, group + F::kLowBytes + F::kHighBytes, sizeof out->signed_scales);
    }
    ++out;
  });
}

// The product of `count` unpacked groups, of which `first` is the first, and all rows of a tile into
// `out[row * stride + lane]`; on top of what is there, if `add`. By itself, since the compiler runs out of registers where
// all sizes of tiles lie in one function.
template <class Isa, class F, int Rows>
__attribute__((noinline)) void multiply_groups(const Group* groups, int64_t first, int64_t count, const Tile& tile,
                                               bool add, float* out, int64_t stride) {
  constexpr int kVectors = Isa::kVectors, kLanes = Isa::kLanes;
  typename Isa::Float sums[Rows][kVectors];
  for (int m = 0; m < Rows; ++m) {
    for (int v = 0; v < kVectors; ++v) {
      sums[m][v] = add ? Isa::load_floats(out + m * stride + v * kLanes) : Isa::zero_floats();
    }
  }
  for (int64_t g = 0; g < count; ++g) {
    const Group& group = groups[g];
    Factors<Isa, kVectors> factors;
    for (int v = 0; v < kVectors; ++v) {
      factors.scales[v] = Isa::load_floats(group.scales + v * kLanes);
      if constexpr (F::kTwoHeaders) factors.offsets[v] = Isa::load_floats(group.offsets + v * kLanes);
      for (int half = 0; half < 2 && F::kScales == Scales::kSuperSigned; ++half) {
        factors.signed_scales[half][v] = Isa::load_signed_bytes(group.signed_scales + half * kPanelRows + v * kLanes);
      }
    }
    const auto codes = [&](int quad, int v) { return Isa::load(group.codes + quad * kRegister + 4 * v * kLanes); };
    add_products<Isa, F, Rows, kVectors>(codes, factors, tile, (first + g) * Rows, sums);
  }
  for (int m = 0; m < Rows; ++m) {
    for (int v = 0; v < kVectors; ++v) Isa::store_floats(out + m * stride + v * kLanes, sums[m][v]);
  }
}

// Calls `function(target, stride)` with a place for `count` rows of 16 sums: `out` itself, [count][rows] from column `row`
// on, or where the last panel is narrower a copy of that part.
template <int Most, class Function>
inline void with_columns(float* out, int count, int64_t rows, int64_t row, Function&& function) {
  const int64_t width = rows - row;
  if (width >= kPanelRows) return function(out + row, rows);
  float wide[Most * kPanelRows] = {};
  for (int m = 0; m < count; ++m) __builtin_memcpy(wide + m * kPanelRows, out + m * rows + row, width * sizeof(float));
  function(wide, int64_t{kPanelRows});
  for (int m = 0; m < count; ++m) __builtin_memcpy(out + m * rows + row, wide + m * kPanelRows, width * sizeof(float));
}

// Multiplies panels `first_panel` to `last_panel`; `out` is [activation rows][rows].
template <class Isa, class F>
void multiply_panels(const uint8_t* packed, int64_t rows, const Activations& x, bool add, int64_t first_panel,
                     int64_t last_panel, float* out) {
  Group unpacked[kGroupsPerPass];
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    const uint8_t* weights = packed + panel * panel_bytes<F>(x.groups * kGroup);
    const int64_t row = panel * kPanelRows;
    if (x.tile_count == 1 && x.tiles[0].rows <= kFewRows) {
      with_count<kFewRows>(x.tiles[0].rows, [&](auto tile_rows) {
        constexpr int kRows = tile_rows.value;
        with_columns<kRows>(out, kRows, rows, row, [&](float* target, int64_t stride) {
          for (int m = 0; !add && m < kRows; ++m) __builtin_memset(target + m * stride, 0, kPanelRows * sizeof(float));
          multiply_few<Isa, F, kRows>(weights, x.groups, x.tiles[0], target, stride);
        });
      });
      continue;
    }
    for (int64_t first = 0; first < x.groups; first += kGroupsPerPass) {
      const int64_t left = x.groups - first, count = left < kGroupsPerPass ? left : kGroupsPerPass;
      unpack_groups<Isa, F>(weights, first, first + count, unpacked);
      for (int64_t t = 0; t < x.tile_count; ++t) {
        const Tile& tile = x.tiles[t];
        with_count<Isa::kTileRows>(tile.rows, [&](auto tile_rows) {
          constexpr int kRows = tile_rows.value;
          with_columns<kRows>(out + tile.first_row * rows, kRows, rows, row, [&](float* target, int64_t stride) {
            multiply_groups<Isa, F, kRows>(unpacked, first, count, tile, add || first > 0, target, stride);
          });
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
