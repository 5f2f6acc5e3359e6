// How a packed matrix lies in memory.
//
// Rows come in panels of 16, and a panel is cut along the columns into groups of 32 weights, so that one vector register
// of 64 bytes holds four consecutive weights (a "quad") of each of the 16 rows: what a dot-product instruction takes.
// A weight is `code * scale + offset` (scale and offset per row and group) with an unsigned code of 4, 5, 6 or 8 bits;
// where the format is symmetric, `offset` is `-zero * scale` and is applied to integers, without rounding.
//
// A group:  low plane   4 registers of nibbles: register r, row i, byte b holds weight 4r+b (low half) and 16+4r+b (high)
//                       (8-bit codes: 8 registers of bytes instead: register q holds quad q)
//           high plane  5-bit codes: one register, bit q of byte (i, b) belongs to weight 4q+b
//                       6-bit codes: two registers, bits 2(q%4).. of byte (i, b) of register q/4 belong to weight 4q+b
//           scales      of K-quants: 16 unsigned scales and 16 unsigned minima, or 2 x 16 signed scales (16 weights each)
// A block:  header      16 float16 scales, and for formats with offsets 16 float16 offsets (or scales of the minima)
//           groups      1, or 8 for K-quants
#pragma once

#include <cstddef>
#include <cstdint>

namespace mistralet {

constexpr int kPanelRows = 16;
constexpr int kGroup = 32;        // weights, and activations that share a scale
constexpr int kRegister = 64;     // bytes
constexpr int kQuads = kGroup / 4;

enum class Scales {
  kSymmetric,     // one float16 per group
  kAffine,        // a float16 scale and a float16 offset per group
  kSuperAffine,   // per 8 groups two float16; per group an unsigned scale and an unsigned minimum
  kSuperSigned,   // per 8 groups one float16; per 16 weights a signed scale
};

template <int Bits, Scales S, int Zero>
struct Format {
  static constexpr int kBits = Bits;
  static constexpr Scales kScales = S;
  static constexpr int kZero = Zero;  // 0 or a power of two
  static constexpr int kZeroBits = Zero == 8 ? 3 : Zero == 16 ? 4 : Zero == 32 ? 5 : 7;
  static constexpr bool kIsSuper = S == Scales::kSuperAffine || S == Scales::kSuperSigned;
  static constexpr int kGroupsPerBlock = kIsSuper ? 8 : 1;
  static constexpr bool kTwoHeaders = S == Scales::kAffine || S == Scales::kSuperAffine;
  static constexpr int kHeaderBytes = (kTwoHeaders ? 4 : 2) * kPanelRows;
  static constexpr int kLowBytes = (Bits == 8 ? 8 : 4) * kRegister;
  static constexpr int kHighBytes = Bits == 5 ? kRegister : Bits == 6 ? 2 * kRegister : 0;
  static constexpr int kGroupBytes = kLowBytes + kHighBytes + (kIsSuper ? 2 * kPanelRows : 0);
  static constexpr int kBlockBytes = kHeaderBytes + kGroupsPerBlock * kGroupBytes;
};

using Q4_0 = Format<4, Scales::kSymmetric, 8>;
using Q4_1 = Format<4, Scales::kAffine, 0>;
using Q5_0 = Format<5, Scales::kSymmetric, 16>;
using Q5_1 = Format<5, Scales::kAffine, 0>;
using Q8_0 = Format<8, Scales::kSymmetric, 128>;
using Q4_K = Format<4, Scales::kSuperAffine, 0>;
using Q5_K = Format<5, Scales::kSuperAffine, 0>;
using Q6_K = Format<6, Scales::kSuperSigned, 32>;

// The numbers of ggml's types, which Python passes.
enum class Type : int { kQ4_0 = 2, kQ4_1 = 3, kQ5_0 = 6, kQ5_1 = 7, kQ8_0 = 8, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14 };

// Calls `function` with a value of the format of `type`; false if there is none.
template <class Function>
bool with_format(Type type, Function&& function) {
  switch (type) {
    case Type::kQ4_0: function(Q4_0{}); return true;
    case Type::kQ4_1: function(Q4_1{}); return true;
    case Type::kQ5_0: function(Q5_0{}); return true;
    case Type::kQ5_1: function(Q5_1{}); return true;
    case Type::kQ8_0: function(Q8_0{}); return true;
    case Type::kQ4_K: function(Q4_K{}); return true;
    case Type::kQ5_K: function(Q5_K{}); return true;
    case Type::kQ6_K: function(Q6_K{}); return true;
  }
  return false;
}

inline int64_t panels(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

template <class F>
constexpr int64_t panel_bytes(int64_t columns) {
  return columns / (kGroup * F::kGroupsPerBlock) * F::kBlockBytes;
}

}  // namespace mistralet
