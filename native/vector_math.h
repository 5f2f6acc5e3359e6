// Arithmetic on vectors that gives the same bits on every instruction set.
#pragma once

#include <cstdint>

namespace mistralet {

// 16 floats, whatever the lanes of a register: sums over rows are kept in that many parts.
template <class Isa>
struct Wide {
  static constexpr int kSize = 16;
  static constexpr int kParts = kSize / Isa::kLanes;
  using Float = typename Isa::Float;
  Float parts[kParts];

  static Wide splat(float value) {
    Wide result;
    for (auto& part : result.parts) part = Isa::splat_float(value);
    return result;
  }
  static Wide zero() { return splat(0.0f); }

  // The first `count` values; zeros beyond.
  static Wide load(const float* p, int count = kSize) {
    float padded[kSize] = {};
    if (count < kSize) {
      for (int i = 0; i < count; ++i) padded[i] = p[i];
      p = padded;
    }
    Wide result;
    for (int i = 0; i < kParts; ++i) result.parts[i] = Isa::load_floats(p + i * Isa::kLanes);
    return result;
  }
  void store(float* p, int count = kSize) const {
    float padded[kSize];
    float* target = count < kSize ? padded : p;
    for (int i = 0; i < kParts; ++i) Isa::store_floats(target + i * Isa::kLanes, parts[i]);
    if (count < kSize) {
      for (int i = 0; i < count; ++i) p[i] = padded[i];
    }
  }
  static Wide fma(const Wide& a, const Wide& b, const Wide& c) {
    Wide result;
    for (int i = 0; i < kParts; ++i) result.parts[i] = Isa::fma(a.parts[i], b.parts[i], c.parts[i]);
    return result;
  }
  Wide add(const Wide& other) const {
    Wide result;
    for (int i = 0; i < kParts; ++i) result.parts[i] = Isa::add_floats(parts[i], other.parts[i]);
    return result;
  }
  Wide mul(const Wide& other) const {
    Wide result;
    for (int i = 0; i < kParts; ++i) result.parts[i] = Isa::mul(parts[i], other.parts[i]);
    return result;
  }
  Wide mul(const Float& factor) const {
    Wide result;
    for (int i = 0; i < kParts; ++i) result.parts[i] = Isa::mul(parts[i], factor);
    return result;
  }
  // By halves: the same tree for every number of lanes.
  float sum() const {
    float values[kSize];
    store(values);
    #pragma GCC unroll 4
    for (int half = kSize / 2; half > 0; half /= 2) {
      #pragma GCC unroll 8
      for (int i = 0; i < half; ++i) values[i] += values[i + half];
    }
    return values[0];
  }
};

// Calls `body(at, count)` for each 16 values of `size`; the last may be fewer.
template <class Isa, class Body>
inline void for_each_wide(int64_t size, Body&& body) {
  constexpr int kSize = Wide<Isa>::kSize;
  int64_t at = 0;
  for (; at + kSize <= size; at += kSize) body(at, kSize);
  if (at < size) body(at, static_cast<int>(size - at));
}

template <int N>
struct Constant {
  static constexpr int value = N;
};

// Calls `function` with `count`, from 1 to `Most`, as a constant.
template <int Most, class Function>
inline void with_count(int count, Function&& function) {
  if constexpr (Most > 1) {
    if (count < Most) return with_count<Most - 1>(count, function);
  }
  function(Constant<Most>{});
}

// exp(x) = 2^n * e^r with |r| <= ln(2) / 2; e^r by its series to the sixth power (relative error below 3e-7).
template <class Isa>
inline typename Isa::Float exponential(typename Isa::Float x) {
  // Beyond these the result is no normal number.
  x = Isa::minimum(Isa::maximum(x, Isa::splat_float(-87.0f)), Isa::splat_float(88.0f));
  const auto n = Isa::round(Isa::mul(x, Isa::splat_float(1.44269504f)));
  const auto whole = Isa::to_floats(n);
  // ln(2) in two parts, so that the difference keeps its precision.
  auto r = Isa::fma(whole, Isa::splat_float(-0.693359375f), x);
  r = Isa::fma(whole, Isa::splat_float(2.12194440e-4f), r);
  auto series = Isa::splat_float(1.0f / 720);
  const float factors[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  for (const float factor : factors) {
    series = Isa::fma(series, r, Isa::splat_float(factor));
  }
  return Isa::mul(series, Isa::power_of_two(n));
}

}  // namespace mistralet
