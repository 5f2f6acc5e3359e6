// Activations rounded to 8 bits in groups of 32, laid out for the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "layout.h"

namespace mistralet {

// Rows are cut into tiles of 12, 4 or 1; within a tile everything of one group lies together: `[group][row of the tile]`.
struct Tile {
  int rows;
  int64_t first_row;
  int8_t* codes;     // [groups][rows][32]
  float* scales;     // [groups][rows]
  int32_t* sums;     // [groups][rows][2]: of the codes of each 16
};

class Activations {
 public:
  // Makes room for `rows` x `columns` and lays out the tiles.
  void reshape(int64_t rows, int64_t columns);

  // Rounds rows `first` to `last` of `x` (row-major). A row's result depends on that row alone.
  void quantize_rows(const float* x, int64_t first, int64_t last);

  const std::vector<Tile>& tiles() const { return tiles_; }
  int64_t groups() const { return groups_; }

 private:
  void quantize_group(const float* x, int8_t* codes, float* scale, int32_t* sums) const;

  int64_t groups_ = 0;
  std::vector<int8_t> codes_;
  std::vector<float> scales_;
  std::vector<int32_t> sums_;
  std::vector<Tile> tiles_;
};

}  // namespace mistralet
