// Plain C++ for any processor: a "register" is an array of eight lanes that the compiler may vectorise.
#include <cmath>
#include <cstring>

#include "instruction_set.h"

namespace mistralet {
namespace {

struct Portable {
  static constexpr int kLanes = 8, kVectors = 2;
  static constexpr int kTileRows = 4;
  static constexpr int kTileTokens = 3;
  static constexpr bool kSignedBytes = false;
  struct Int { uint8_t bytes[4 * kLanes]; };
  struct Float { float lanes[kLanes]; };

  static int32_t lane(const Int& a, int i) { int32_t v; std::memcpy(&v, a.bytes + 4 * i, 4); return v; }
  template <class Function> static Int per_lane(Function&& function) {
    Int result;
    for (int i = 0; i < kLanes; ++i) {
      const int32_t v = function(i);
      std::memcpy(result.bytes + 4 * i, &v, 4);
    }
    return result;
  }
  template <class Function> static Int per_byte(Function&& function) {
    Int result;
    for (int i = 0; i < 4 * kLanes; ++i) result.bytes[i] = static_cast<uint8_t>(function(i));
    return result;
  }
  template <class Function> static Float per_float(Function&& function) {
    Float result;
    for (int i = 0; i < kLanes; ++i) result.lanes[i] = function(i);
    return result;
  }

  static Int load(const uint8_t* p) { Int a; std::memcpy(a.bytes, p, sizeof a.bytes); return a; }
  static void store(uint8_t* p, const Int& a) { std::memcpy(p, a.bytes, sizeof a.bytes); }
  static Int mask_bytes(const Int& a, char mask) { return per_byte([&](int i) { return a.bytes[i] & mask; }); }
  static Int bit_or(const Int& a, const Int& b) { return per_byte([&](int i) { return a.bytes[i] | b.bytes[i]; }); }
  // What a shift of 16-bit lanes moves into a neighbouring byte is always masked off by its caller.
  template <int N> static Int shift_left(const Int& a) { return per_byte([&](int i) { return a.bytes[i] << N; }); }
  template <int N> static Int shift_right(const Int& a) { return per_byte([&](int i) { return a.bytes[i] >> N; }); }
  template <int N> static Int shift_ints_left(const Int& a) { return per_lane([&](int i) { return lane(a, i) * (1 << N); }); }
  static Int zero() { return Int{}; }
  static Int splat(int value) { return per_lane([&](int) { return value; }); }
  static Int add(const Int& a, const Int& b) { return per_lane([&](int i) { return lane(a, i) + lane(b, i); }); }
  static Int sub_ints(const Int& a, const Int& b) { return per_lane([&](int i) { return lane(a, i) - lane(b, i); }); }
  static Int mul_ints(const Int& a, const Int& b) { return per_lane([&](int i) { return lane(a, i) * lane(b, i); }); }
  static int sum_ints(const Int& a) {
    int total = 0;
    for (int i = 0; i < kLanes; ++i) total += lane(a, i);
    return total;
  }
  static Int load_signed_bytes(const uint8_t* p) { return per_lane([&](int i) { return static_cast<int8_t>(p[i]); }); }
  static Int load_bytes(const uint8_t* p) { return per_lane([&](int i) { return p[i]; }); }
  static void store_bytes(int8_t* p, const Int (&codes)[4]) {
    for (int i = 0; i < 32; ++i) p[i] = static_cast<int8_t>(lane(codes[i / kLanes], i % kLanes));
  }

  template <int Bits, int First, int Last, int Rows, int Vectors, class Codes>
  static void dots(const Codes& codes, const int8_t* x, Int (&out)[Rows][Vectors]) {
    for (auto& row : out) for (auto& dot : row) dot = zero();
    for (int q = First; q < Last; ++q) {
      for (int v = 0; v < Vectors; ++v) {
        const Int weights = codes(q, v);
        for (int m = 0; m < Rows; ++m) {
          const int8_t* activations = x + m * kGroup + 4 * q;
          out[m][v] = per_lane([&](int i) {
            int32_t dot = lane(out[m][v], i);
            for (int b = 0; b < 4; ++b) dot += weights.bytes[4 * i + b] * activations[b];
            return dot;
          });
        }
      }
    }
  }

  // For whole_attention.h: the lower 16 bits of two registers' lanes in one; products of pairs added to sums.
  static int16_t half_lane(const Int& a, int i) { int16_t v; std::memcpy(&v, a.bytes + 2 * i, 2); return v; }
  static Int quad(const int8_t* p) { return per_byte([&](int i) { return p[i % 4]; }); }
  static Int pair(const Int& low, const Int& high) {
    return per_lane([&](int i) { return static_cast<uint16_t>(lane(low, i)) | static_cast<uint32_t>(lane(high, i)) << 16; });
  }
  static Int add_pairs(const Int& sum, const Int& a, const Int& b) {
    return per_lane([&](int i) {
      return lane(sum, i) + half_lane(a, 2 * i) * half_lane(b, 2 * i) + half_lane(a, 2 * i + 1) * half_lane(b, 2 * i + 1);
    });
  }

  static Float zero_floats() { return Float{}; }
  static Float splat_float(float value) { return per_float([&](int) { return value; }); }
  static Float to_floats(const Int& a) { return per_float([&](int i) { return static_cast<float>(lane(a, i)); }); }
  static Float add_floats(const Float& a, const Float& b) { return per_float([&](int i) { return a.lanes[i] + b.lanes[i]; }); }
  static Float sub(const Float& a, const Float& b) { return per_float([&](int i) { return a.lanes[i] - b.lanes[i]; }); }
  static Float mul(const Float& a, const Float& b) { return per_float([&](int i) { return a.lanes[i] * b.lanes[i]; }); }
  static Float div(const Float& a, const Float& b) { return per_float([&](int i) { return a.lanes[i] / b.lanes[i]; }); }
  static Float fma(const Float& a, const Float& b, const Float& c) {
    return per_float([&](int i) { return std::fma(a.lanes[i], b.lanes[i], c.lanes[i]); });
  }
  static Float minimum(const Float& a, const Float& b) {
    return per_float([&](int i) { return a.lanes[i] < b.lanes[i] ? a.lanes[i] : b.lanes[i]; });
  }
  static Float maximum(const Float& a, const Float& b) {
    return per_float([&](int i) { return a.lanes[i] > b.lanes[i] ? a.lanes[i] : b.lanes[i]; });
  }
  static Float absolute(const Float& a) { return per_float([&](int i) { return std::fabs(a.lanes[i]); }); }
  static float largest(const Float& a) {
    float result = a.lanes[0];
    for (float value : a.lanes) result = value > result ? value : result;
    return result;
  }
  static int nan_lanes(const Float& a, const Float& b) {
    int lanes = 0;
    for (int i = 0; i < kLanes; ++i) lanes |= (std::isnan(a.lanes[i]) || std::isnan(b.lanes[i])) << i;
    return lanes;
  }
  static int lanes_at_least(const Float& a, const Float& b) {
    int lanes = 0;
    for (int i = 0; i < kLanes; ++i) lanes |= (a.lanes[i] >= b.lanes[i]) << i;
    return lanes;
  }
  // Lane i is that of `a` if bit i is set, else that of `b`.
  static Float choose_lanes(uint32_t bits, const Float& a, const Float& b) {
    return per_float([&](int i) { return bits >> i & 1 ? a.lanes[i] : b.lanes[i]; });
  }
  static Float or_zero_below(const Float& a, const Float& limit) {
    return per_float([&](int i) { return a.lanes[i] >= limit.lanes[i] ? a.lanes[i] : 0.0f; });
  }
  static Int round(const Float& a) {
    return per_lane([&](int i) { return static_cast<int32_t>(std::nearbyint(a.lanes[i])); });
  }
  static Float power_of_two(const Int& n) { return per_float([&](int i) { return std::ldexp(1.0f, lane(n, i)); }); }
  static Float scale_by_power(const Float& a, const Int& n) {
    return per_float([&](int i) { return std::ldexp(a.lanes[i], lane(n, i)); });
  }
  static Float load_floats(const float* p) { return per_float([&](int i) { return p[i]; }); }
  static void store_floats(float* p, const Float& a) { std::memcpy(p, a.lanes, sizeof a.lanes); }
  static Float load_halves(const uint8_t* p) {
    return per_float([&](int i) { uint16_t half; std::memcpy(&half, p + 2 * i, 2); return from_half(half); });
  }
  static Float load_bfloats(const uint16_t* p) {
    return per_float([&](int i) {
      const uint32_t bits = static_cast<uint32_t>(p[i]) << 16;
      float value;
      std::memcpy(&value, &bits, 4);
      return value;
    });
  }
  static Float load_bytes_as_floats(const uint8_t* p) { return per_float([&](int i) { return static_cast<float>(p[i]); }); }

  // For dense.h: 8 columns of a row.
  static Float load_float_columns(const uint8_t* p, const uint8_t*) {
    Float a;
    std::memcpy(a.lanes, p, sizeof a.lanes);
    return a;
  }
  static Float load_half_columns(const uint8_t* p, const uint8_t*) { return load_halves(p); }
  static Float load_bfloat_columns(const uint8_t* p, const uint8_t*) {
    uint16_t upper[kLanes];
    std::memcpy(upper, p, sizeof upper);
    uint32_t bits[kLanes];
    for (int i = 0; i < kLanes; ++i) bits[i] = static_cast<uint32_t>(upper[i]) << 16;
    return load_float_columns(reinterpret_cast<const uint8_t*>(bits), nullptr);
  }
  static Float load_e4m3_columns(const uint8_t* p, const uint8_t*) {
    return per_float([&](int i) {
      return from_half(static_cast<uint16_t>(static_cast<int8_t>(p[i]) * (1 << kE4M3Shift) & kE4M3Mask));
    });
  }
  static Float repeat_columns(const float* p) { return load_floats(p); }
  static void store_columns(float* p, const Float& a) { store_floats(p, a); }
  static void sum_columns(const Float (&a)[4], float* out) {
    for (int r = 0; r < 4; ++r) {
      const float* x = a[r].lanes;
      out[r] = ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
    }
  }
};

}  // namespace

const InstructionSet kPortable = instruction_set<Portable>("portable");

}  // namespace mistralet
