#include "activations.h"

#include <algorithm>
#include <cmath>

namespace mistralet {

void Activations::reshape(int64_t rows, int64_t columns) {
  groups_ = columns / kGroup;
  // Vectors never shrink, so that a steady state allocates nothing.
  const size_t needed = rows * groups_;
  if (scales_.size() < needed) {
    codes_.resize(needed * kGroup);
    scales_.resize(needed);
    sums_.resize(2 * needed);
  }
  tiles_.clear();
  for (int64_t row = 0; row < rows;) {
    const int64_t left = rows - row;
    const int size = left >= kMaxTokens ? kMaxTokens : left >= 4 ? 4 : 1;
    const int64_t offset = row * groups_;
    tiles_.push_back({size, row, codes_.data() + offset * kGroup, scales_.data() + offset, sums_.data() + 2 * offset});
    row += size;
  }
}

void Activations::quantize_rows(const float* x, int64_t first, int64_t last) {
  for (const Tile& tile : tiles_) {
    for (int i = 0; i < tile.rows; ++i) {
      const int64_t row = tile.first_row + i;
      if (row < first || row >= last) continue;
      for (int64_t group = 0; group < groups_; ++group) {
        const int64_t place = group * tile.rows + i;
        quantize_group(x + (row * groups_ + group) * kGroup, tile.codes + place * kGroup, tile.scales + place,
                       tile.sums + 2 * place);
      }
    }
  }
}

void Activations::quantize_group(const float* x, int8_t* codes, float* scale, int32_t* sums) const {
  float largest = 0;
  for (int k = 0; k < kGroup; ++k) largest = std::max(largest, std::fabs(x[k]));
  // Below that the quotient could overflow; such activations are zero for every purpose.
  const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
  sums[0] = sums[1] = 0;
  for (int k = 0; k < kGroup; ++k) {
    const int code = static_cast<int>(std::nearbyintf(x[k] * inverse));
    codes[k] = static_cast<int8_t>(code);
    sums[k / 16] += code;
  }
  *scale = largest / 127.0f;
}

}  // namespace mistralet
