// The element types of a cache of keys and values, and how it lies in memory.
//
// A layer's cache is cut into blocks of 32 tokens:
//   keys    [blocks][kv_heads][head_dim][32]   turned, so that neighbouring lanes are neighbouring tokens
//   values  [blocks][kv_heads][32][head_dim]
//   scales  [blocks][kv_heads][32]             float32, of 8-bit keys or values: one per head and token
// but int4 keys and values lie as kv_int4.h says.
// A token's slot is its block times 32 plus its place there.
#pragma once

#include <cstdint>
#include <cstring>

namespace mistralet {

constexpr int64_t kBlockTokens = 32;
constexpr int kMaxHeadDim = 256;

// In the order of Python's KVType.
enum class KVType : int { kFloat32, kFloat16, kBFloat16, kInt8, kInt4 };

struct LayerCache {
  KVType type;
  uint8_t* keys;
  uint8_t* values;
  float* key_scales;    // null unless the type is int8
  float* value_scales;
  int64_t kv_heads, head_dim;
};

// Rounded to the nearest, ties to even; the same everywhere, with and without instructions for it.
inline uint16_t to_half(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint32_t sign = (bits >> 16) & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);     // not a number
  if (bits >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);    // rounds to infinity
  if (bits < 0x38800000) {                                                // a subnormal half, or zero
    float magnitude;
    std::memcpy(&magnitude, &bits, 4);
    magnitude += 0.5f;                                                    // the sum is rounded to 2^-24
    std::memcpy(&bits, &magnitude, 4);
    return static_cast<uint16_t>(sign | (bits - 0x3f000000));
  }
  bits += 0xfff + ((bits >> 13) & 1);
  return static_cast<uint16_t>(sign | ((bits - 0x38000000) >> 13));
}

inline float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const int exponent = (half >> 10) & 31;
  const uint32_t fraction = half & 1023;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  const uint32_t bits = sign | (exponent == 31 ? 0x7f800000u : static_cast<uint32_t>(exponent + 112) << 23) | fraction << 13;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

inline uint16_t to_bfloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Each type: how one value is written, and how a register of them is read as floats.
struct Float32 {
  using Stored = float;
  static constexpr bool kHasScales = false;
  static Stored store(float value) { return value; }
  template <class Isa> static typename Isa::Float load(const Stored* p) { return Isa::load_floats(p); }
};

struct Float16 {
  using Stored = uint16_t;
  static constexpr bool kHasScales = false;
  static Stored store(float value) { return to_half(value); }
  template <class Isa> static typename Isa::Float load(const Stored* p) {
    return Isa::load_halves(reinterpret_cast<const uint8_t*>(p));
  }
};

struct BFloat16 {
  using Stored = uint16_t;
  static constexpr bool kHasScales = false;
  static Stored store(float value) { return to_bfloat(value); }
  template <class Isa> static typename Isa::Float load(const Stored* p) { return Isa::load_bfloats(p); }
};

struct Int8 {
  using Stored = int8_t;
  static constexpr bool kHasScales = true;
  static Stored store(float value) { return static_cast<int8_t>(__builtin_nearbyintf(value)); }
  template <class Isa> static typename Isa::Float load(const Stored* p) {
    return Isa::to_floats(Isa::load_signed_bytes(reinterpret_cast<const uint8_t*>(p)));
  }
};

struct Int4 {};  // attention_int4.h

template <class Function>
void with_kv_type(KVType type, Function&& function) {
  switch (type) {
    case KVType::kFloat32: return function(Float32{});
    case KVType::kFloat16: return function(Float16{});
    case KVType::kBFloat16: return function(BFloat16{});
    case KVType::kInt8: return function(Int8{});
    case KVType::kInt4: return function(Int4{});
  }
}

}  // namespace mistralet
