// The memory of rounded activations.
#pragma once

#include <vector>

#include "activations.h"
#include "layout.h"

namespace mistralet {

class RoundedActivations {
 public:
  // Makes room for `rows` x `columns` and lays out the tiles.
  void reshape(int64_t rows, int64_t columns, int tile_rows) {
    groups_ = columns / kGroup;
    const size_t needed = rows * groups_;
    // Vectors never shrink, so that a steady state allocates nothing.
    if (scales_.size() < needed) {
      codes_.resize(needed * kGroup);
      scales_.resize(needed);
      scaled_sums_.resize(needed);
      sums_.resize(needed);
      half_sums_.resize(2 * needed);
    }
    tiles_.clear();
    tile_of_row_.resize(rows);
    // As few tiles as possible, of nearly the same size: small ones cost more a row.
    const int64_t count = (rows + tile_rows - 1) / tile_rows;
    for (int64_t row = 0, tile = 0; tile < count; ++tile) {
      const int64_t offset = row * groups_;
      const int size = static_cast<int>(rows / count + (tile < rows % count));
      for (int i = 0; i < size; ++i) tile_of_row_[row + i] = static_cast<int>(tiles_.size());
      tiles_.push_back({size, row, codes_.data() + offset * kGroup, scales_.data() + offset,
                        scaled_sums_.data() + offset, sums_.data() + offset, half_sums_.data() + 2 * offset});
      row += size;
    }
  }

  Activations view() const { return {groups_, static_cast<int64_t>(tiles_.size()), tiles_.data()}; }
  const Tile& tile_of(int64_t row) const { return tiles_[tile_of_row_[row]]; }

 private:
  int64_t groups_ = 0;
  std::vector<int8_t> codes_;
  std::vector<float> scales_, scaled_sums_;
  std::vector<int32_t> sums_, half_sums_;
  std::vector<Tile> tiles_;
  std::vector<int> tile_of_row_;
};

}  // namespace mistralet
