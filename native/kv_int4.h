// The int4 cache: how a head of a token is rounded, and where its codes lie.
//
// Keys and values are first turned by a Hadamard matrix, which spreads a large feature over all of them (Ashkboos et al.
// 2024, "QuaRot"); queries are turned alike, so that products stay, and results are turned back. Then each 32 features
// share a float16 scale, of which the largest is a whole multiple. Errors of keys weigh most, since they move every
// weight of a row: keys have codes of 5 bits, values of 4.
//
//   keys    a block is two panels of 16 tokens in the packed format Q5_0 (layout.h): [panels][groups of features]
//   values  [groups][32 float16 scales, then 32 tokens of 16 bytes: features 0 to 15 low, 16 to 31 high]
#pragma once

#include <cmath>

#include "kv_types.h"
#include "layout.h"

namespace mistralet {

using KeyFormat = Q5_0;
constexpr int64_t kKeyPanels = kBlockTokens / kPanelRows;
constexpr int64_t kValueScaleBytes = 2 * kBlockTokens;
constexpr int64_t kValueTokenBytes = kGroup / 2;
constexpr int64_t kValueGroupBytes = kValueScaleBytes + kBlockTokens * kValueTokenBytes;

// Bytes of one head in a block.
constexpr int64_t int4_key_bytes(int64_t head_dim) { return kKeyPanels * panel_bytes<KeyFormat>(head_dim); }
constexpr int64_t int4_value_bytes(int64_t head_dim) { return head_dim / kGroup * kValueGroupBytes; }

// x times a Hadamard matrix over its root, its own inverse; as wide as the largest power of two that divides the size.
inline void hadamard(float* x, int64_t size) {
  const int64_t width = size & -size;
  for (int64_t half = 1; half < width; half *= 2) {
    for (int64_t first = 0; first < size; first += 2 * half) {
      for (int64_t i = first; i < first + half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
    }
  }
  const float factor = 1.0f / std::sqrt(static_cast<float>(width));
  for (int64_t i = 0; i < size; ++i) x[i] *= factor;
}

// Rounds 32 features to `zero + x / scale` between 0 and 2 * zero - 1; returns the scale.
inline uint16_t round_group(const float* x, int zero, uint8_t* codes) {
  float lowest = x[0], highest = x[0];
  for (int i = 1; i < kGroup; ++i) {
    lowest = x[i] < lowest ? x[i] : lowest;
    highest = x[i] > highest ? x[i] : highest;
  }
  constexpr float kLargestHalf = 65504.0f;
  const float exact = (highest > -lowest ? highest : lowest) / static_cast<float>(-zero);
  const uint16_t scale = to_half(exact > kLargestHalf ? kLargestHalf : exact < -kLargestHalf ? -kLargestHalf : exact);
  const float rounded = from_half(scale), factor = rounded != 0.0f ? 1.0f / rounded : 0.0f;
  const float largest_code = static_cast<float>(2 * zero - 1);
  for (int i = 0; i < kGroup; ++i) {
    const float code = __builtin_nearbyintf(x[i] * factor) + static_cast<float>(zero);
    codes[i] = static_cast<uint8_t>(code > 0.0f ? code < largest_code ? code : largest_code : 0.0f);
  }
  return scale;
}

// Stores a turned key at a place of a head's block.
inline void store_int4_key(const float* x, int64_t head_dim, int64_t place, uint8_t* block) {
  uint8_t* panel = block + place / kPanelRows * panel_bytes<KeyFormat>(head_dim);
  const int64_t row = place % kPanelRows;
  for (int64_t d = 0; d < head_dim; d += kGroup, panel += KeyFormat::kBlockBytes) {
    uint8_t codes[kGroup];
    const uint16_t scale = round_group(x + d, KeyFormat::kZero, codes);
    std::memcpy(panel + 2 * row, &scale, 2);
    uint8_t* low = panel + KeyFormat::kHeaderBytes + 4 * row;
    for (int i = 0; i < kGroup / 2; ++i) {
      low[i / 4 * kRegister + i % 4] = static_cast<uint8_t>((codes[i] & 15) | codes[i + kGroup / 2] << 4);
    }
    uint8_t* high = low + KeyFormat::kLowBytes;
    for (int b = 0; b < 4; ++b) {
      high[b] = 0;
      for (int quad = 0; quad < kQuads; ++quad) high[b] |= static_cast<uint8_t>(codes[4 * quad + b] >> 4 << quad);
    }
  }
}

// Stores a turned value at a place of a head's block.
inline void store_int4_value(const float* x, int64_t head_dim, int64_t place, uint8_t* block) {
  for (int64_t d = 0; d < head_dim; d += kGroup, block += kValueGroupBytes) {
    uint8_t codes[kGroup];
    const uint16_t scale = round_group(x + d, 8, codes);
    std::memcpy(block + 2 * place, &scale, 2);
    uint8_t* packed = block + kValueScaleBytes + place * kValueTokenBytes;
    for (int i = 0; i < kGroup / 2; ++i) packed[i] = static_cast<uint8_t>(codes[i] | codes[i + kGroup / 2] << 4);
  }
}

}  // namespace mistralet
