// Which token comes next.
//
// Whatever cannot matter is passed over: a block whose largest score is too low to weigh anything, to be among the
// likeliest, or to be reached by the draw.
#pragma once

#include <cstdint>

#include "penalties.h"
#include "weights.h"

namespace mistralet {

// Weights in classes by their exponent and the first five bits of their fraction; no weight is above 1.
constexpr int kFractionShift = 18;
constexpr int kFirstClass = 69 << 5;  // of kLeastWeight
constexpr int kWeightClasses = (128 << 5) - kFirstClass;

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
  float* weights;         // [blocks][kScoreBlock]
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

// Calls `body(id, weight)` for each weight that is at least `low` and below `high`.
template <class Isa, class Body>
void for_each_between(const SampleRoom& room, int64_t blocks, const Weighing<Isa>& weighing, float low, float high,
                      Body&& body) {
  const float lowest = lowest_exponent<Isa>(low);
  const auto lows = Isa::splat_float(low), highs = Isa::splat_float(high);
  for (int64_t block = 0; block < blocks; ++block) {
    if (weighing.exponent(room.maxima[block]) < lowest || room.sums[block] == 0.0f) continue;
    for (int64_t first = block * kScoreBlock; first < (block + 1) * kScoreBlock; first += 64) {
      uint64_t found = 0;
      for (int i = 0; i < 64; i += Isa::kLanes) {
        const auto weights = Isa::load_floats(room.weights + first + i);
        const int lanes = Isa::lanes_at_least(weights, lows) & ~Isa::lanes_at_least(weights, highs);
        found |= static_cast<uint64_t>(lanes) << i;
      }
      for (; found != 0; found &= found - 1) {
        const int64_t id = first + __builtin_ctzll(found);
        body(id, room.weights[id]);
      }
    }
  }
}

static inline int weight_class(float weight) {
  uint32_t bits;
  __builtin_memcpy(&bits, &weight, sizeof bits);
  return static_cast<int>(bits >> kFractionShift) - kFirstClass;
}

static inline float lightest_of_class(int number) {
  const uint32_t bits = static_cast<uint32_t>(number + kFirstClass) << kFractionShift;
  float weight;
  __builtin_memcpy(&weight, &bits, sizeof bits);
  return weight;
}

// The lightest of the fewest weights that make up `wanted` (Holtzman et al. 2019, "nucleus"). They are added up by
// classes, the heaviest ones first and no lighter ones than needed; only those of the last class are put in order.
template <class Isa>
float lightest_of_nucleus(const SampleRoom& room, int64_t blocks, const Weighing<Isa>& weighing, double wanted) {
  double kept = 0.0;
  float high = 2.0f;
  // In small steps: each one down meets several times as many weights as the one before.
  for (const float low : {0x1p-4f, 0x1p-6f, 0x1p-8f, 0x1p-10f, 0x1p-12f, 0x1p-16f, lightest_of_class(0)}) {
    const int first = weight_class(low), end = weight_class(high);
    for (int i = first; i < end; ++i) room.classes[i] = 0.0;
    int64_t count = 0;
    for_each_between<Isa>(room, blocks, weighing, low, high, [&](int64_t id, float weight) {
      room.candidates[count++] = {weight, static_cast<int32_t>(id)};
      room.classes[weight_class(weight)] += weight;
    });
    high = low;
    for (int i = end - 1; i >= first; --i) {
      if (kept + room.classes[i] < wanted) {
        kept += room.classes[i];
        continue;
      }
      int64_t in_class = 0;
      for (int64_t j = 0; j < count; ++j) {
        if (weight_class(room.candidates[j].value) == i) room.candidates[in_class++] = room.candidates[j];
      }
      sort_by_value(room.candidates, in_class);
      for (int64_t j = 0; j < in_class - 1; ++j) {
        kept += room.candidates[j].value;
        if (kept >= wanted) return room.candidates[j].value;
      }
      if (in_class > 0) return room.candidates[in_class - 1].value;
    }
  }
  return 0.0f;  // rounding has left less than was wanted: all
}

// The sums again, now of the weights that are at least `weighing.least`.
template <class Isa>
double sum_kept(const SampleRoom& room, int64_t blocks, const Weighing<Isa>& weighing) {
  const float lowest = lowest_exponent<Isa>(weighing.least);
  const auto limit = Isa::splat_float(weighing.least);
  double total = 0.0;
  for (int64_t block = 0; block < blocks; ++block) {
    if (weighing.exponent(room.maxima[block]) < lowest || room.sums[block] == 0.0f) {
      room.sums[block] = 0.0f;
      continue;
    }
    auto sum = Wide<Isa>::zero();
    for (int64_t i = 0; i < kScoreBlock; i += Wide<Isa>::kSize) {
      auto part = Wide<Isa>::load(room.weights + block * kScoreBlock + i);
      for (auto& lanes : part.parts) lanes = Isa::or_zero_below(lanes, limit);
      sum = sum.add(part);
    }
    room.sums[block] = sum.sum();
    total += room.sums[block];
  }
  return total;
}

// The token at which the sum of weights, in the order of ids, first exceeds `wanted`; rounding may leave the last one.
template <class Isa>
int32_t locate(const float* scores, int64_t vocab, double wanted, const Weighing<Isa>& weighing, const float* sums) {
  const int64_t blocks = score_blocks(vocab);
  double before = 0.0;
  int64_t block = 0, last = 0;
  for (; block < blocks && before + sums[block] <= wanted; ++block) {
    before += sums[block];
    if (sums[block] > 0.0f) last = block;
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

template <class Isa>
int32_t draw_from_all(const float* scores, int64_t vocab, float top_p, double share, Weighing<Isa> weighing,
                      const SampleRoom& room) {
  const bool is_cut = top_p < 1.0f;
  double total = weigh_all<Isa>(scores, vocab, room.maxima, weighing, room.sums, is_cut ? room.weights : nullptr);
  if (is_cut) {
    const int64_t blocks = score_blocks(vocab);
    const float least = lightest_of_nucleus<Isa>(room, blocks, weighing, static_cast<double>(top_p) * total);
    if (least > weighing.least) weighing.least = least;
    total = sum_kept<Isa>(room, blocks, weighing);
  }
  return locate<Isa>(scores, vocab, share * total, weighing, room.sums);
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
  const auto is_kept = [&](int64_t i) {
    return i == 0 || row.top_p >= 1.0f || kept < nucleus || candidates[i].value == candidates[i - 1].value;
  };
  while (size < count && is_kept(size)) kept += candidates[size++].value;
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
  return draw_from_all<Isa>(scores, vocab, row.top_p, share, weighing, room);
}

// Sets the scores of the tokens that are not in the row's mask to -infinity.
template <class Isa>
void forbid_unmasked(float* scores, int64_t vocab, const SampleRow& row) {
  if (row.mask == nullptr) return;
  const auto forbidden = Isa::splat_float(-kInfinity);
  for (int64_t first = 0; first < vocab; first += 32) {
    const uint32_t allowed = first / 32 < row.mask_words ? static_cast<uint32_t>(row.mask[first / 32]) : 0;
    if (allowed == ~uint32_t{0}) continue;
    if (vocab - first < 32) {
      for (int64_t i = 0; i < vocab - first; ++i) {
        if (!(allowed >> i & 1)) scores[first + i] = -kInfinity;
      }
      continue;
    }
    for (int i = 0; i < 32; i += Isa::kLanes) {
      float* lanes = scores + first + i;
      Isa::store_floats(lanes, Isa::choose_lanes(allowed >> i, Isa::load_floats(lanes), forbidden));
    }
  }
}

// One row: its likeliest tokens by the scores as they came, then the token drawn (or the one given) and its logprob.
// Scores are as before in the end, but for those that the row's mask forbids. `maxima` are those of their blocks, if they
// are known; else null.
template <class Isa>
Sampled sample(float* scores, int64_t vocab, const float* maxima, const SampleRow& row, const SampleRoom& room,
               Candidate* alternatives) {
  const int64_t blocks = score_blocks(vocab);
  const auto largest_now = [&] {
    block_maxima<Isa>(scores, vocab, room.maxima);
    return largest_of(room.maxima, blocks);
  };
  if (maxima != nullptr) __builtin_memcpy(room.maxima, maxima, blocks * sizeof(float));
  float largest = maxima != nullptr ? largest_of(maxima, blocks) : largest_now();
  if (largest != largest || largest == kInfinity) return {-1, Problem::kNotANumber, 0.0f};
  if (largest == -kInfinity) return {-1, Problem::kNothingAllowed, 0.0f};
  double log_total = 0.0;
  if (row.alternatives >= 0) {
    const Weighing<Isa> weighing(largest, 1.0f, kLeastWeight);
    log_total = largest + __builtin_log(weigh_all<Isa>(scores, vocab, room.maxima, weighing, room.sums, nullptr));
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
      forbid_unmasked<Isa>(scores, vocab, row);
      largest = largest_now();
      if (largest == -kInfinity && room.changed->allow_barred(scores)) {
        forbid_unmasked<Isa>(scores, vocab, row);
        largest = largest_now();
      }
    }
    if (largest > -kInfinity) token = choose<Isa>(scores, vocab, largest, row, room);
    room.changed->undo(scores);
    if (token < 0) return {-1, Problem::kNothingAllowed, 0.0f};
  }
  return {token, Problem::kNone, row.alternatives >= 0 ? static_cast<float>(scores[token] - log_total) : 0.0f};
}

}  // namespace mistralet
