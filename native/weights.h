// Scores become weights exp((score - largest) / temperature), in blocks of 128 that are summed up one by one: the order
// of all sums depends on the row alone, and every instruction set gives the same bits.
#pragma once

#include <cstdint>

#include "vector_math.h"

namespace mistralet {

constexpr float kInfinity = __builtin_inff();
constexpr float kNaN = __builtin_nanf("");
constexpr int64_t kScoreBlock = 128;
// A weight beside the largest one, which is 1: what is lighter (e^-40) is lost in the rounding of any sum with it.
constexpr float kLeastWeight = 4.2483543e-18f;

constexpr int64_t score_blocks(int64_t vocab) { return (vocab + kScoreBlock - 1) / kScoreBlock; }

// The block that begins at `at`; the last one is filled up with scores of no weight.
template <class Isa>
const float* whole_block(const float* scores, int64_t at, int64_t vocab, float* padded) {
  if (vocab - at >= kScoreBlock) return scores + at;
  for (int64_t i = 0; i < kScoreBlock; ++i) padded[i] = i < vocab - at ? scores[at + i] : -kInfinity;
  return padded;
}

// The largest score of all, from those of the blocks. NaN if any score is; infinity may be among them.
inline float largest_of(const float* maxima, int64_t blocks) {
  float largest = -kInfinity;
  for (int64_t block = 0; block < blocks; ++block) {
    if (maxima[block] != maxima[block]) return kNaN;
    largest = maxima[block] > largest ? maxima[block] : largest;
  }
  return largest;
}

// The largest score of each block; NaN if any in it is.
template <class Isa>
void block_maxima(const float* scores, int64_t vocab, float* maxima) {
  float padded[kScoreBlock];
  for (int64_t at = 0; at < vocab; at += kScoreBlock) {
    const float* block = whole_block<Isa>(scores, at, vocab, padded);
    auto even = Isa::load_floats(block), odd = Isa::load_floats(block + Isa::kLanes);
    int nans = Isa::nan_lanes(even, odd);
    for (int64_t i = 2 * Isa::kLanes; i < kScoreBlock; i += 2 * Isa::kLanes) {
      const auto a = Isa::load_floats(block + i), b = Isa::load_floats(block + i + Isa::kLanes);
      nans |= Isa::nan_lanes(a, b);
      even = Isa::maximum(even, a);
      odd = Isa::maximum(odd, b);
    }
    maxima[at / kScoreBlock] = nans ? kNaN : Isa::largest(Isa::maximum(even, odd));
  }
}

// How scores become weights: exp(x) = 2^(x log2 e), where x = (score - largest) / temperature.
template <class Isa>
struct Weighing {
  float largest;     // score
  float factor;      // log2(e) / temperature
  float least;       // weight that counts; lighter ones are 0

  Weighing(float largest_score, float temperature, float least_weight)
      : largest(largest_score), factor(1.44269504f / temperature), least(least_weight) {}

  float exponent(float score) const { return (score - largest) * factor; }
};

// What exponent a weight must have to be `weight` or more, with some room for rounding: a block whose largest score has
// less need not be looked at.
template <class Isa>
float lowest_exponent(float weight) {
  return __builtin_log2f(weight) - 0.01f;
}

// 2^(n + r) with |r| <= 1/2: 2^r by the polynomial of degree 5 that is 1 at 0 and elsewhere off by no more than 2e-7 of it
// (least squares, weighted until all peaks of the error are alike), in pairs of terms, which wait for each other less than
// terms one by one.
template <class Isa>
typename Isa::Float weigh(typename Isa::Float scores, const Weighing<Isa>& weighing) {
  const auto constant = [](float value) { return Isa::splat_float(value); };
  auto x = Isa::mul(Isa::sub(scores, constant(weighing.largest)), constant(weighing.factor));
  x = Isa::maximum(x, constant(-125.0f));  // below it the power is no normal number
  const auto n = Isa::round(x);
  const auto r = Isa::sub(x, Isa::to_floats(n)), square = Isa::mul(r, r);
  const auto terms01 = Isa::fma(r, constant(0.693147004f), constant(1.0f));
  const auto terms23 = Isa::fma(r, constant(0.0555073358f), constant(0.240222424f));
  const auto terms45 = Isa::fma(r, constant(0.00132647273f), constant(0.00967151299f));
  const auto power = Isa::fma(square, Isa::fma(square, terms45, terms23), terms01);
  return Isa::or_zero_below(Isa::scale_by_power(power, n), constant(weighing.least));
}

// The weights of a block, and their sum.
template <class Isa>
float weigh_block(const float* block, const Weighing<Isa>& weighing, float* weights) {
  auto sum = Wide<Isa>::zero();
  for (int64_t i = 0; i < kScoreBlock; i += Wide<Isa>::kSize) {
    auto part = Wide<Isa>::load(block + i);
    for (auto& lanes : part.parts) lanes = weigh<Isa>(lanes, weighing);
    part.store(weights + i);
    sum = sum.add(part);
  }
  return sum.sum();
}

// The sum of all weights; that of each block goes to `sums`, the weights themselves to `weights`, unless that is null.
// A block whose sum is 0 may be left out of `weights`.
template <class Isa>
double weigh_all(const float* scores, int64_t vocab, const float* maxima, const Weighing<Isa>& weighing, float* sums,
                 float* weights) {
  float padded[kScoreBlock], passing[kScoreBlock];
  const float lowest = lowest_exponent<Isa>(weighing.least);
  double total = 0.0;
  for (int64_t block = 0; block < score_blocks(vocab); ++block) {
    sums[block] = 0.0f;
    if (weighing.exponent(maxima[block]) < lowest) continue;
    float* target = weights != nullptr ? weights + block * kScoreBlock : passing;
    sums[block] = weigh_block<Isa>(whole_block<Isa>(scores, block * kScoreBlock, vocab, padded), weighing, target);
    total += sums[block];
  }
  return total;
}

}  // namespace mistralet
