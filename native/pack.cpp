#include "pack.h"

#include <cstring>

namespace mistralet {
namespace {

constexpr int kSuper = 256;

// One block of one row, its fields taken apart.
struct Row {
  uint8_t codes[kSuper];
  uint16_t header[2];    // float16 bits: scale and offset, or the scales of the scales
  uint8_t scales[16];    // K-quants: unsigned per group, or signed per 16 weights (as bits)
  uint8_t minima[8];
};

void nibbles(const uint8_t* packed, int bytes, uint8_t* codes) {
  for (int i = 0; i < bytes; ++i) {
    codes[i] = packed[i] & 15;
    codes[bytes + i] = packed[i] >> 4;
  }
}

void add_fifth_bits(const uint8_t* packed, uint8_t* codes) {
  uint32_t word;
  std::memcpy(&word, packed, 4);
  for (int i = 0; i < 32; ++i) codes[i] |= ((word >> i) & 1) << 4;
}

// The 12 bytes of six-bit scales and minima of Q4_K and Q5_K.
void six_bit_scales(const uint8_t* packed, Row& row) {
  for (int j = 0; j < 4; ++j) {
    row.scales[j] = packed[j] & 63;
    row.minima[j] = packed[4 + j] & 63;
    row.scales[4 + j] = (packed[8 + j] & 15) | (packed[j] >> 6 << 4);
    row.minima[4 + j] = (packed[8 + j] >> 4) | (packed[4 + j] >> 6 << 4);
  }
}

void decode(Q4_0, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 2);
  nibbles(block + 2, 16, row.codes);
}

void decode(Q4_1, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 4);
  nibbles(block + 4, 16, row.codes);
}

void decode(Q5_0, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 2);
  nibbles(block + 6, 16, row.codes);
  add_fifth_bits(block + 2, row.codes);
}

void decode(Q5_1, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 4);
  nibbles(block + 8, 16, row.codes);
  add_fifth_bits(block + 4, row.codes);
}

void decode(Q8_0, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 2);
  for (int i = 0; i < 32; ++i) row.codes[i] = block[2 + i] ^ 0x80;  // two's complement to excess 128
}

void decode(Q4_K, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 4);
  six_bit_scales(block + 4, row);
  for (int pair = 0; pair < 4; ++pair) nibbles(block + 16 + 32 * pair, 32, row.codes + 64 * pair);
}

void decode(Q5_K, const uint8_t* block, Row& row) {
  std::memcpy(row.header, block, 4);
  six_bit_scales(block + 4, row);
  for (int pair = 0; pair < 4; ++pair) nibbles(block + 48 + 32 * pair, 32, row.codes + 64 * pair);
  for (int i = 0; i < kSuper; ++i) row.codes[i] |= ((block[16 + i % 32] >> (i / 32)) & 1) << 4;
}

void decode(Q6_K, const uint8_t* block, Row& row) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* pairs = block + 128 + 32 * half;
    uint8_t* codes = row.codes + 128 * half;
    nibbles(block + 64 * half, 64, codes);
    for (int i = 0; i < 128; ++i) codes[i] |= ((pairs[i % 32] >> (2 * (i / 32))) & 3) << 4;
  }
  std::memcpy(row.scales, block + 192, 16);
  std::memcpy(row.header, block + 208, 2);
}

constexpr int source_bytes(Q4_0) { return 18; }
constexpr int source_bytes(Q4_1) { return 20; }
constexpr int source_bytes(Q5_0) { return 22; }
constexpr int source_bytes(Q5_1) { return 24; }
constexpr int source_bytes(Q8_0) { return 34; }
constexpr int source_bytes(Q4_K) { return 144; }
constexpr int source_bytes(Q5_K) { return 176; }
constexpr int source_bytes(Q6_K) { return 210; }

template <class F>
void write_group(const Row* rows, int group, uint8_t* target) {
  std::memset(target, 0, F::kGroupBytes);
  for (int i = 0; i < kPanelRows; ++i) {
    const uint8_t* codes = rows[i].codes + group * kGroup;
    for (int k = 0; k < kGroup; ++k) {
      const int quad = k / 4, place = 4 * i + k % 4;
      if constexpr (F::kBits == 8) {
        target[quad * kRegister + place] = codes[k];
      } else {
        target[quad % 4 * kRegister + place] |= (codes[k] & 15) << (quad < 4 ? 0 : 4);
      }
      uint8_t* high = target + F::kLowBytes;
      if constexpr (F::kBits == 5) high[place] |= (codes[k] >> 4) << quad;
      if constexpr (F::kBits == 6) high[quad / 4 * kRegister + place] |= (codes[k] >> 4) << (2 * (quad % 4));
    }
    uint8_t* scales = target + F::kLowBytes + F::kHighBytes;
    if constexpr (F::kScales == Scales::kSuperAffine) {
      scales[i] = rows[i].scales[group];
      scales[kPanelRows + i] = rows[i].minima[group];
    }
    if constexpr (F::kScales == Scales::kSuperSigned) {
      scales[i] = rows[i].scales[2 * group];
      scales[kPanelRows + i] = rows[i].scales[2 * group + 1];
    }
  }
}

template <class F>
void pack_panel(F format, const uint8_t* source, int64_t rows, int64_t columns, int64_t panel, uint8_t* target) {
  const int64_t blocks = columns / (kGroup * F::kGroupsPerBlock);
  const int64_t row_bytes = blocks * source_bytes(format);
  Row decoded[kPanelRows];
  for (int64_t block = 0; block < blocks; ++block, target += F::kBlockBytes) {
    std::memset(decoded, 0, sizeof(decoded));  // rows past the last have scale zero
    for (int i = 0; i < kPanelRows; ++i) {
      const int64_t row = panel * kPanelRows + i;
      if (row < rows) decode(format, source + row * row_bytes + block * source_bytes(format), decoded[i]);
      std::memcpy(target + 2 * i, &decoded[i].header[0], 2);
      if constexpr (F::kTwoHeaders) std::memcpy(target + 2 * (kPanelRows + i), &decoded[i].header[1], 2);
    }
    for (int group = 0; group < F::kGroupsPerBlock; ++group) {
      write_group<F>(decoded, group, target + F::kHeaderBytes + group * F::kGroupBytes);
    }
  }
}

}  // namespace

int64_t packed_bytes(Type type, int64_t rows, int64_t columns) {
  int64_t bytes = -1;
  with_format(type, [&](auto format) {
    using F = decltype(format);
    if (rows > 0 && columns > 0 && columns % (kGroup * F::kGroupsPerBlock) == 0) {
      bytes = panels(rows) * panel_bytes<F>(columns);
    }
  });
  return bytes;
}

void pack_panels(Type type, const uint8_t* source, int64_t rows, int64_t columns, int64_t first, int64_t last,
                 uint8_t* target) {
  with_format(type, [&](auto format) {
    using F = decltype(format);
    for (int64_t panel = first; panel < last; ++panel) {
      pack_panel(format, source, rows, columns, panel, target + panel * panel_bytes<F>(columns));
    }
  });
}

}  // namespace mistralet
