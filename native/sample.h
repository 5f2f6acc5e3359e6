// Which token comes next: the scores of a row become weights exp((score - largest) / temperature), and one is drawn.
//
// Blocks of scores are summed up one by one, so that whatever cannot matter is passed over: a block whose largest score
// is too low to weigh anything, to be among the likeliest, or to be reached by the draw. The order of all sums depends
// on the row alone, and every instruction set gives the same bits.
#pragma once

#include <cstdint>

#include "penalties.h"
#include "vector_math.h"

namespace mistralet {

constexpr float kInfinity = __builtin_inff();
constexpr float kNaN = __builtin_nanf("");
constexpr int64_t kScoreBlock = 128;
// A weight beside the largest one, which is 1: what is lighter (e^-40) is lost in the rounding of any sum with it.
constexpr float kLeastWeight = 4.2483543e-18f;

// Weights in classes by their exponent and the first five bits of their fraction; class 0 is for those of no weight.
constexpr int kFractionShift = 18;
constexpr int kFirstClass = 69 << 5;  // of kLeastWeight
constexpr int kWeightClasses = (128 << 5) - kFirstClass + 1;

constexpr int64_t score_blocks(int64_t vocab) { return (vocab + kScoreBlock - 1) / kScoreBlock; }

struct Candidate {
  float value;
  int32_t id;
};

enum class Problem : int32_t { kNone = 0, kNotANumber = 1, kNothingAllowed = 2 };

struct Sampled {
  int32_t token;
  Problem problem;
  float logprob;  // of the scores as they came; only if the row asks for alternatives
};

// Room for the work on one row.
struct SampleRoom {
  float* maxima;          // [blocks]
  float* sorted_maxima;   // [blocks]
  float* sums;            // [blocks]
  Candidate* candidates;  // [vocab]
  double* classes;        // [kWeightClasses]
  ChangedScores* changed;
};

// What needs no vectors (sample.cpp).
double uniform(uint64_t seed, uint64_t index);
float kth_largest(float* values, int64_t count, int64_t k);              // values are reordered
void keep_largest(Candidate* candidates, int64_t count, int64_t k);      // the first k become the k largest
void sort_by_value(Candidate* candidates, int64_t count);                // the largest first; of equals, the first id
void sort_by_id(Candidate* candidates, int64_t count);

// The block that begins at `at`; the last one is filled up with scores of no weight.
template <class Isa>
const float* whole_block(const float* scores, int64_t at, int64_t vocab, float* padded) {
  if (vocab - at >= kScoreBlock) return scores + at;
  for (int64_t i = 0; i < kScoreBlock; ++i) padded[i] = i < vocab - at ? scores[at + i] : -kInfinity;
  return padded;
}

// The largest score of each block, and of all. NaN if any score is; infinity may be among them.
template <class Isa>
float block_maxima(const float* scores, int64_t vocab, float* maxima) {
  float padded[kScoreBlock], largest = -kInfinity;
  int nans = 0;
  for (int64_t at = 0; at < vocab; at += kScoreBlock) {
    const float* block = whole_block<Isa>(scores, at, vocab, padded);
    auto even = Isa::load_floats(block), odd = Isa::load_floats(block + Isa::kLanes);
    nans |= Isa::nan_lanes(even, odd);
    for (int64_t i = 2 * Isa::kLanes; i < kScoreBlock; i += 2 * Isa::kLanes) {
      const auto a = Isa::load_floats(block + i), b = Isa::load_floats(block + i + Isa::kLanes);
      nans |= Isa::nan_lanes(a, b);
      even = Isa::maximum(even, a);
      odd = Isa::maximum(odd, b);
    }
    const float top = Isa::largest(Isa::maximum(even, odd));
    maxima[at / kScoreBlock] = top;
    largest = top > largest ? top : largest;
  }
  return nans ? kNaN : largest;
}

// How scores become weights.
template <class Isa>
struct Weighing {
  float largest;              // score
  float inverse_temperature;
  float least;                // weight that counts
  float lowest;               // exponent that may reach it; lower ones need not be looked at

  Weighing(float largest_score, float temperature, float least_weight)
      : largest(largest_score), inverse_temperature(1.0f / temperature), least(least_weight),
        lowest(__builtin_logf(least_weight) - 0.01f) {}

  bool may_weigh(float score) const { return (score - largest) * inverse_temperature >= lowest; }
};

template <class Isa>
typename Isa::Float weigh(typename Isa::Float scores, const Weighing<Isa>& weighing) {
  const auto below = Isa::sub(scores, Isa::splat_float(weighing.largest));
  const auto weight = exponential<Isa>(Isa::mul(below, Isa::splat_float(weighing.inverse_temperature)));
  return Isa::or_zero_below(weight, Isa::splat_float(weighing.least));
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

// Calls `body(at, weights)` for every block that may weigh something, in order, until it returns true.
template <class Isa, class Body>
void for_each_weighty(const float* scores, int64_t vocab, const float* maxima, const Weighing<Isa>& weighing, Body&& body) {
  float padded[kScoreBlock], weights[kScoreBlock];
  for (int64_t at = 0; at < vocab; at += kScoreBlock) {
    if (!weighing.may_weigh(maxima[at / kScoreBlock])) continue;
    const float sum = weigh_block<Isa>(whole_block<Isa>(scores, at, vocab, padded), weighing, weights);
    if (body(at, weights, sum)) return;
  }
}

// The sum of all weights.
template <class Isa>
double total_weight(const float* scores, int64_t vocab, const float* maxima, const Weighing<Isa>& weighing) {
  double total = 0.0;
  for_each_weighty<Isa>(scores, vocab, maxima, weighing, [&](int64_t, const float*, float sum) {
    total += sum;
    return false;
  });
  return total;
}

// The k largest scores, in no order, as the first k candidates.
template <class Isa>
void find_largest(const float* scores, int64_t vocab, int64_t k, const SampleRoom& room) {
  // Each block's largest is one score: the k-th largest of them is no more than the k-th largest of all.
  const int64_t blocks = score_blocks(vocab);
  float threshold = -kInfinity;
  if (k <= blocks) {
    __builtin_memcpy(room.sorted_maxima, room.maxima, blocks * sizeof(float));
    threshold = kth_largest(room.sorted_maxima, blocks, k);
  }
  int64_t count = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    if (room.maxima[block] < threshold) continue;
    const int64_t end = (block + 1) * kScoreBlock < vocab ? (block + 1) * kScoreBlock : vocab;
    for (int64_t id = block * kScoreBlock; id < end; ++id) {
      room.candidates[count] = {scores[id], static_cast<int32_t>(id)};
      count += scores[id] >= threshold;
    }
  }
  keep_largest(room.candidates, count, k);
}

// Which weights are kept: those above `least`, and the first `ties` of those equal to it.
struct Kept {
  float least;
  int64_t ties;
  double total;
};

static inline int weight_class(float weight) {
  uint32_t bits;
  __builtin_memcpy(&bits, &weight, sizeof bits);
  const int number = static_cast<int>(bits >> kFractionShift) - kFirstClass + 1;
  return number > 0 ? number : 0;
}

// The fewest of the heaviest that make up `top_p` of the total (Holtzman et al. 2019). Weights are added up by classes;
// only those of the class where the share is reached are put in order.
template <class Isa>
Kept find_nucleus(const float* scores, int64_t vocab, float top_p, const Weighing<Isa>& weighing, const SampleRoom& room) {
  double total = 0.0;
  for (int i = 0; i < kWeightClasses; ++i) room.classes[i] = 0.0;
  for_each_weighty<Isa>(scores, vocab, room.maxima, weighing, [&](int64_t, const float* weights, float sum) {
    for (int64_t i = 0; i < kScoreBlock; ++i) room.classes[weight_class(weights[i])] += weights[i];
    total += sum;
    return false;
  });
  double kept = 0.0;
  const double wanted = static_cast<double>(top_p) * total;
  int last = kWeightClasses - 1;
  while (last > 1 && kept + room.classes[last] < wanted) kept += room.classes[last--];

  Weighing<Isa> of_class = weighing;
  const uint32_t bits = static_cast<uint32_t>(last - 1 + kFirstClass) << kFractionShift;
  float lower_edge;
  __builtin_memcpy(&lower_edge, &bits, sizeof bits);
  of_class.lowest = __builtin_logf(lower_edge) - 0.01f;
  int64_t count = 0;
  for_each_weighty<Isa>(scores, vocab, room.maxima, of_class, [&](int64_t at, const float* weights, float) {
    for (int64_t i = 0; i < kScoreBlock; ++i) {
      if (weight_class(weights[i]) == last) room.candidates[count++] = {weights[i], static_cast<int32_t>(at + i)};
    }
    return false;
  });
  sort_by_value(room.candidates, count);
  Kept result{weighing.least, INT64_MAX, total};
  for (int64_t i = 0; i < count && (i == 0 || kept < wanted); ++i) {
    const float weight = room.candidates[i].value;
    result.ties = weight == result.least ? result.ties + 1 : 1;
    result.least = weight;
    kept += weight;
  }
  if (count > 0) result.total = kept;
  return result;
}

// The token at which the sum of kept weights, in the order of ids, first exceeds `share` of their total.
template <class Isa>
int32_t draw(const float* scores, int64_t vocab, Kept kept, double share, Weighing<Isa> weighing, const SampleRoom& room) {
  const double wanted = share * kept.total;
  double sum = 0.0;
  int32_t token = -1;
  if (kept.least > weighing.least) weighing.lowest = __builtin_logf(kept.least) - 0.01f;
  for_each_weighty<Isa>(scores, vocab, room.maxima, weighing, [&](int64_t at, const float* weights, float) {
    for (int64_t i = 0; i < kScoreBlock; ++i) {
      const float weight = weights[i];
      if (weight < kept.least || (weight == kept.least && kept.ties-- <= 0)) continue;
      token = static_cast<int32_t>(at + i);
      sum += weight;
      if (sum > wanted) return true;
    }
    return false;
  });
  return token;
}

// The same without a nucleus: the sums of blocks tell which of them to look into.
template <class Isa>
int32_t draw_from_all(const float* scores, int64_t vocab, double share, const Weighing<Isa>& weighing,
                      const SampleRoom& room) {
  const int64_t blocks = score_blocks(vocab);
  for (int64_t block = 0; block < blocks; ++block) room.sums[block] = 0.0f;
  double total = 0.0;
  for_each_weighty<Isa>(scores, vocab, room.maxima, weighing, [&](int64_t at, const float*, float sum) {
    room.sums[at / kScoreBlock] = sum;
    total += sum;
    return false;
  });
  const double wanted = share * total;
  double before = 0.0;
  int64_t block = 0, last = 0;
  for (; block < blocks && before + room.sums[block] <= wanted; ++block) {
    before += room.sums[block];
    if (room.sums[block] > 0.0f) last = block;
  }
  if (block == blocks) block = last;
  float padded[kScoreBlock], weights[kScoreBlock];
  weigh_block<Isa>(whole_block<Isa>(scores, block * kScoreBlock, vocab, padded), weighing, weights);
  int32_t token = -1;
  for (int64_t i = 0; i < kScoreBlock; ++i) {
    if (weights[i] == 0.0f) continue;
    token = static_cast<int32_t>(block * kScoreBlock + i);
    before += weights[i];
    if (before > wanted) break;
  }
  return token;
}

// The same among the `top_k` likeliest, which are few enough to be put in order.
template <class Isa>
int32_t draw_from_largest(const float* scores, int64_t vocab, const SampleRow& row, double share,
                          const Weighing<Isa>& weighing, const SampleRoom& room) {
  find_largest<Isa>(scores, vocab, row.top_k, room);
  Candidate* candidates = room.candidates;
  sort_by_value(candidates, row.top_k);
  double total = 0.0;
  int64_t count = 0;
  for_each_wide<Isa>(row.top_k, [&](int64_t at, int width) {
    float values[Wide<Isa>::kSize];
    for (int i = 0; i < Wide<Isa>::kSize; ++i) values[i] = i < width ? candidates[at + i].value : -kInfinity;
    auto part = Wide<Isa>::load(values);
    for (auto& lanes : part.parts) lanes = weigh<Isa>(lanes, weighing);
    part.store(values);
    for (int i = 0; i < width; ++i) {
      candidates[at + i].value = values[i];
      total += values[i];
      count += values[i] > 0.0f;
    }
  });
  double kept = 0.0;
  const double nucleus = static_cast<double>(row.top_p) * total;
  int64_t size = 0;
  while (size < count && (size == 0 || kept < nucleus || row.top_p >= 1.0f)) kept += candidates[size++].value;
  sort_by_id(candidates, size);
  const double wanted = share * kept;
  double sum = 0.0;
  int64_t i = 0;
  for (; i < size - 1; ++i) {
    sum += candidates[i].value;
    if (sum > wanted) break;
  }
  return candidates[i].id;
}

// The first of the largest scores.
template <class Isa>
int32_t first_largest(const float* scores, const float* maxima, float largest) {
  int64_t block = 0;
  while (maxima[block] != largest) ++block;
  int64_t id = block * kScoreBlock;
  while (scores[id] != largest) ++id;
  return static_cast<int32_t>(id);
}

template <class Isa>
int32_t choose(const float* scores, int64_t vocab, float largest, const SampleRow& row, const SampleRoom& room) {
  if (row.temperature == 0.0f) return first_largest<Isa>(scores, room.maxima, largest);
  const double share = uniform(row.seed, row.index);
  const Weighing<Isa> weighing(largest, row.temperature, row.min_p > kLeastWeight ? row.min_p : kLeastWeight);
  if (row.top_k > 0 && row.top_k < vocab) return draw_from_largest<Isa>(scores, vocab, row, share, weighing, room);
  if (row.top_p >= 1.0f) return draw_from_all<Isa>(scores, vocab, share, weighing, room);
  const Kept kept = find_nucleus<Isa>(scores, vocab, row.top_p, weighing, room);
  return draw<Isa>(scores, vocab, kept, share, weighing, room);
}

// One row: its likeliest tokens by the scores as they came, then the token drawn (or the one given) and its logprob.
// Scores are as before in the end, but for those that the row's mask forbids.
template <class Isa>
Sampled sample(float* scores, int64_t vocab, const SampleRow& row, const SampleRoom& room, Candidate* alternatives) {
  float largest = block_maxima<Isa>(scores, vocab, room.maxima);
  if (largest != largest || largest == kInfinity) return {-1, Problem::kNotANumber, 0.0f};
  if (largest == -kInfinity) return {-1, Problem::kNothingAllowed, 0.0f};
  double log_total = 0.0;
  if (row.alternatives >= 0) {
    const Weighing<Isa> weighing(largest, 1.0f, kLeastWeight);
    log_total = largest + __builtin_log(total_weight<Isa>(scores, vocab, room.maxima, weighing));
    const int64_t count = row.alternatives < vocab ? row.alternatives : vocab;
    if (count > 0) find_largest<Isa>(scores, vocab, count, room);
    sort_by_value(room.candidates, count);
    for (int64_t i = 0; i < count; ++i) {
      const Candidate& candidate = room.candidates[i];
      alternatives[i] = {static_cast<float>(candidate.value - log_total), candidate.id};
    }
  }
  int32_t token = row.token;
  if (token < 0) {
    if (row.changes_scores()) {
      room.changed->apply(scores, vocab, row);
      largest = block_maxima<Isa>(scores, vocab, room.maxima);
      if (largest == -kInfinity && room.changed->allow_barred(scores, vocab, row)) {
        largest = block_maxima<Isa>(scores, vocab, room.maxima);
      }
    }
    if (largest > -kInfinity) token = choose<Isa>(scores, vocab, largest, row, room);
    room.changed->undo(scores);
    if (token < 0) return {-1, Problem::kNothingAllowed, 0.0f};
  }
  return {token, Problem::kNone, row.alternatives >= 0 ? static_cast<float>(scores[token] - log_total) : 0.0f};
}

}  // namespace mistralet
