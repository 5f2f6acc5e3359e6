// Scores and sums over blocks of an int4 cache: a block of keys is two panels of a packed matrix, and a row of queries,
// rounded to 8 bits in groups of 32, is multiplied with them in whole numbers. Values become floats one by one.
#pragma once

#include "kernel.h"
#include "kv_int4.h"
#include "prepare.h"

namespace mistralet {

// Queries of up to `Rows` rows of up to `HeadDim` features, rounded.
template <int64_t Rows, int64_t HeadDim>
struct RoundedQueries {
  static constexpr int64_t kGroups = Rows * HeadDim / kGroup;
  alignas(64) int8_t codes[Rows * HeadDim];
  float scales[kGroups], scaled_sums[kGroups];
  int32_t sums[kGroups], half_sums[2 * kGroups];

  Tile tile(int64_t first, int64_t rows, int64_t head_dim) {
    const int64_t at = first * head_dim / kGroup;
    return {static_cast<int>(rows), first,     codes + at * kGroup, scales + at,
            scaled_sums + at,       sums + at, half_sums + 2 * at};
  }
};

// Scores of a tile against one head's block of keys; rows of `scores` are `stride` apart.
template <class Isa, int Rows>
inline void score_int4_block(const Tile& queries, const uint8_t* keys, int64_t head_dim, float scale, float* scores,
                             int64_t stride) {
  const int64_t groups = head_dim / kGroup;
  const auto factor = Isa::splat_float(scale);
  Group unpacked[kMaxHeadDim / kGroup];
  for (int64_t panel = 0; panel < kKeyPanels; ++panel, keys += panel_bytes<KeyFormat>(head_dim)) {
    unpack_groups<Isa, KeyFormat>(keys, 0, groups, unpacked);
    float sums[Rows][kPanelRows];
    multiply_groups<Isa, KeyFormat, Rows>(unpacked, 0, groups, queries, false, sums[0], kPanelRows);
    for (int lane = 0; lane < kPanelRows; lane += Isa::kLanes) {
      for (int row = 0; row < Rows; ++row) {
        Isa::store_floats(scores + row * stride + panel * kPanelRows + lane,
                          Isa::mul(Isa::load_floats(sums[row] + lane), factor));
      }
    }
  }
}

// Adds the values of the first `count` tokens of one head's block, times the weights; rows of weights and of sums are
// their strides apart.
template <class Isa, int Rows>
inline void add_int4_values(const float* weights, int64_t weight_stride, const uint8_t* values, int64_t count,
                            int64_t head_dim, float* sums, int64_t sum_stride) {
  using Float = typename Isa::Float;
  constexpr int64_t kHalf = kGroup / 2;
  for (int64_t d = 0; d < head_dim; d += kGroup, values += kValueGroupBytes) {
    float scaled[Rows][kBlockTokens];
    for (int64_t j = 0; j < kBlockTokens; j += Isa::kLanes) {
      const Float scales = Isa::load_halves(values + 2 * j);
      for (int row = 0; row < Rows; ++row) {
        Isa::store_floats(scaled[row] + j, Isa::mul(Isa::load_floats(weights + row * weight_stride + j), scales));
      }
    }
    for (int64_t lane = 0; lane < kHalf; lane += Isa::kLanes) {
      float* target = sums + d + lane;
      Float low[Rows], high[Rows];
      for (int row = 0; row < Rows; ++row) {
        low[row] = Isa::load_floats(target + row * sum_stride);
        high[row] = Isa::load_floats(target + row * sum_stride + kHalf);
      }
      const auto zero = Isa::splat(8);
      for (int64_t j = 0; j < count; ++j) {
        const auto codes = Isa::load_bytes(values + kValueScaleBytes + j * kValueTokenBytes + lane);
        const Float low_value = Isa::to_floats(Isa::sub_ints(Isa::mask_bytes(codes, 0x0f), zero));
        const Float high_value = Isa::to_floats(Isa::sub_ints(Isa::template shift_right<4>(codes), zero));
        for (int row = 0; row < Rows; ++row) {
          const Float weight = Isa::splat_float(scaled[row][j]);
          low[row] = Isa::fma(weight, low_value, low[row]);
          high[row] = Isa::fma(weight, high_value, high[row]);
        }
      }
      for (int row = 0; row < Rows; ++row) {
        Isa::store_floats(target + row * sum_stride, low[row]);
        Isa::store_floats(target + row * sum_stride + kHalf, high[row]);
      }
    }
  }
}

}  // namespace mistralet
