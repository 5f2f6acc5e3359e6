// Activations rounded to 8 bits in groups of 32, laid out for the kernel.
#pragma once

#include <cstdint>

namespace mistralet {

// Rows are cut into tiles of at most `Isa::kTileRows`; within a tile everything of one group lies together.
struct Tile {
  int rows;
  int64_t first_row;
  int8_t* codes;        // [groups][rows][32]
  float* scales;        // [groups][rows]
  float* scaled_sums;   // [groups][rows]: scale times sum
  int32_t* sums;        // [groups][rows]: of the codes
  int32_t* half_sums;   // [groups][rows][2]: of the codes of each 16
};

struct Activations {
  int64_t groups;
  int64_t tile_count;
  const Tile* tiles;
};

}  // namespace mistralet
