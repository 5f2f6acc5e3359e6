#include "sample.h"

#include <algorithm>
#include <functional>

namespace mistralet {
namespace {

bool comes_before(const Candidate& a, const Candidate& b) {
  return a.value > b.value || (a.value == b.value && a.id < b.id);
}

// The output function of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

// See engine/sampling/random_numbers.py.
double uniform(uint64_t seed, uint64_t index) {
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15ull;
  const uint64_t bits = mix(mix(seed + kStep) + (index + 1) * kStep);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

float kth_largest(float* values, int64_t count, int64_t k) {
  std::nth_element(values, values + k - 1, values + count, std::greater<float>());
  return values[k - 1];
}

void keep_largest(Candidate* candidates, int64_t count, int64_t k) {
  if (k < count) std::nth_element(candidates, candidates + k, candidates + count, comes_before);
}

void sort_by_value(Candidate* candidates, int64_t count) { std::sort(candidates, candidates + count, comes_before); }

void sort_by_id(Candidate* candidates, int64_t count) {
  std::sort(candidates, candidates + count, [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

}  // namespace mistralet
