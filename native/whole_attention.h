// Attention in whole numbers, over a half-precision cache of sequences in which everything sees everything: the vision
// encoder's, where the scores of 12,100 patches with each other are most of the work.
//
// A query, and a key, is rounded to 12 bits of its largest feature. The context is taken in blocks of 64 tokens; in a
// block values are rounded to 12 bits of the largest, and a row's weights to 14 bits of theirs. Processors multiply
// numbers of 16 bits and add up pairs of products twice as fast as floats. Sums within a block fit into 32 bits, so they
// are exact in any order: a row's result depends on that row alone, and is the same on every instruction set.
#pragma once

#include "attention.h"

namespace mistralet {

constexpr int kWholeBlock = 64;      // tokens
constexpr int kWholeTile = 4;        // rows whose sums fit into registers together
constexpr int kWholeRows = 256;      // rows that use a block of the context while it is in the cache
constexpr int kFeatureCode = 2047;   // the largest: 256 products of two are below 2^31
constexpr int kWeightCode = 16383;   // and so are 64 products of these with those

// Keys and values of one block. A register of pairs holds two 16-bit codes a lane.
struct WholeBlock {
  int64_t tokens;
  float value_scale;                                        // of a weight's code times a value's
  alignas(64) float key_scales[kWholeBlock];
  alignas(64) int16_t keys[kWholeBlock * kMaxHeadDim];      // [pair of features][token][2]
  // A pair of tokens is as many apart as a register has lanes: so weights, one a lane, are joined to pairs.
  alignas(64) int16_t values[kWholeBlock * kMaxHeadDim];    // [pair of tokens][feature][2]
};

// Rows of one key head of a sequence, and what is known of them so far.
struct WholeChunk {
  alignas(64) int16_t query[kWholeRows * kMaxHeadDim];      // [row][feature]
  float query_scales[kWholeRows];                           // with that of scores, for powers of two
  float largest[kWholeRows], sums[kWholeRows];
  alignas(64) float values[kWholeRows * kMaxHeadDim];       // [row][feature]
};

// 16-bit codes of one register of half-precision numbers each, side by side.
template <class Isa>
inline typename Isa::Int round_pair(const uint16_t* low, const uint16_t* high, typename Isa::Float factor) {
  const auto code = [&](const uint16_t* p) { return Isa::round(Isa::mul(Float16::load<Isa>(p), factor)); };
  return Isa::pair(code(low), code(high));
}

template <class Isa>
inline typename Isa::Int load_pairs(const int16_t* p) {
  return Isa::load(reinterpret_cast<const uint8_t*>(p));
}

template <class Isa>
inline typename Isa::Int repeat_pair(const int16_t* p) {
  return Isa::quad(reinterpret_cast<const int8_t*>(p));
}

template <class Isa>
inline void store_pairs(int16_t* target, typename Isa::Int pairs) {
  Isa::store(reinterpret_cast<uint8_t*>(target), pairs);
}

// Keys of 32 tokens, from a block of the cache into their place in a block of 64.
template <class Isa>
inline void read_keys(const uint16_t* source, int64_t head_dim, float* scales, int16_t* target) {
  for (int j = 0; j < kBlockTokens; j += Isa::kLanes) {
    auto largest = Isa::splat_float(1e-30f);  // a key below that is zero for every purpose
    for (int64_t d = 0; d < head_dim; ++d) {
      largest = Isa::maximum(largest, Isa::absolute(Float16::load<Isa>(source + d * kBlockTokens + j)));
    }
    Isa::store_floats(scales + j, Isa::mul(largest, Isa::splat_float(1.0f / kFeatureCode)));
    const auto factor = Isa::div(Isa::splat_float(kFeatureCode), largest);
    for (int64_t d = 0; d < head_dim; d += 2) {
      const uint16_t* keys = source + d * kBlockTokens + j;
      store_pairs<Isa>(target + d * kWholeBlock + 2 * j, round_pair<Isa>(keys, keys + kBlockTokens, factor));
    }
  }
}

// The largest magnitude among half-precision numbers.
template <class Isa>
inline float largest_half(const uint16_t* source, int64_t size) {
  auto largest = Isa::zero_floats();
  for (int64_t i = 0; i < size; i += Isa::kLanes) {
    largest = Isa::maximum(largest, Isa::absolute(Float16::load<Isa>(source + i)));
  }
  return Isa::largest(largest);
}

template <class Isa>
__attribute__((noinline)) static void read_block(const AttentionJob& job, const AttentionSequence& sequence,
                                                 int64_t kv_head, int64_t begin, WholeBlock& block) {
  const int64_t head_dim = job.cache.head_dim, left = sequence.context - begin;
  block.tokens = left < kWholeBlock ? left : kWholeBlock;
  const auto place = [&](int64_t first) {
    return (sequence.blocks[(begin + first) / kBlockTokens] * job.cache.kv_heads + kv_head) * kBlockTokens * head_dim;
  };
  const uint16_t* values[kWholeBlock / kBlockTokens];
  float largest = 1e-30f;
  for (int64_t first = 0; first < kWholeBlock; first += kBlockTokens) {
    // Of a last block that is half empty, the first half is read again: its scores are never used.
    const int64_t at = place(first < block.tokens ? first : 0);
    read_keys<Isa>(reinterpret_cast<const uint16_t*>(job.cache.keys) + at, head_dim, block.key_scales + first,
                   block.keys + 2 * first);
    const auto* source = reinterpret_cast<const uint16_t*>(job.cache.values) + at;
    values[first / kBlockTokens] = source;
    const int64_t tokens = block.tokens - first < kBlockTokens ? block.tokens - first : kBlockTokens;
    const float here = largest_half<Isa>(source, (tokens > 0 ? tokens : 0) * head_dim);
    largest = here > largest ? here : largest;
  }
  block.value_scale = largest / kFeatureCode / kWeightCode;
  const auto factor = Isa::splat_float(kFeatureCode / largest);
  const auto row = [&](int64_t j) { return values[j / kBlockTokens] + j % kBlockTokens * head_dim; };
  int16_t* target = block.values;
  for (int64_t j = 0; j < kWholeBlock; j += 2 * Isa::kLanes) {
    for (int64_t i = j; i < j + Isa::kLanes; ++i) {
      const bool both = i + Isa::kLanes < block.tokens;
      for (int64_t d = 0; d < head_dim; d += Isa::kLanes, target += 2 * Isa::kLanes) {
        // A token past the last weighs nothing, but what lies there may be no number: it is taken for its partner.
        const uint16_t* low = row(i < block.tokens ? i : 0) + d;
        store_pairs<Isa>(target, round_pair<Isa>(low, both ? row(i + Isa::kLanes) + d : low, factor));
      }
    }
  }
}

inline void round_queries(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                          int64_t rows, WholeChunk& chunk) {
  const int64_t head_dim = job.cache.head_dim;
  std::memset(chunk.query, 0, kWholeRows * head_dim * sizeof(int16_t));
  std::memset(chunk.values, 0, kWholeRows * head_dim * sizeof(float));
  for (int64_t i = 0; i < kWholeRows; ++i) {
    chunk.query_scales[i] = chunk.sums[i] = 0.0f;
    chunk.largest[i] = -__builtin_inff();
  }
  for (int64_t i = 0; i < rows; ++i) {
    const float* x = job.query + job.offset(sequence, kv_head, first + i);
    float largest = 1e-30f;
    for (int64_t d = 0; d < head_dim; ++d) largest = __builtin_fabsf(x[d]) > largest ? __builtin_fabsf(x[d]) : largest;
    const float factor = kFeatureCode / largest;
    for (int64_t d = 0; d < head_dim; ++d) {
      chunk.query[i * head_dim + d] = static_cast<int16_t>(__builtin_nearbyintf(x[d] * factor));
    }
    chunk.query_scales[i] = largest / kFeatureCode * job.scale * 1.44269504f;
  }
}

// The products of a tile of rows with all keys of a block, without the rows' own scales: [row][token].
template <class Isa>
__attribute__((noinline)) static void score_whole(const WholeBlock& block, const int16_t* query, int64_t head_dim,
                                                  float (*scores)[kWholeBlock]) {
  using Int = typename Isa::Int;
  constexpr int kVectors = 2;
  for (int first = 0; first < kWholeBlock; first += kVectors * Isa::kLanes) {
    Int sums[kWholeTile][kVectors];
    for (int row = 0; row < kWholeTile; ++row) {
      for (Int& sum : sums[row]) sum = Isa::zero();
    }
    for (int64_t d = 0; d < head_dim; d += 2) {
      Int keys[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        keys[v] = load_pairs<Isa>(block.keys + d * kWholeBlock + 2 * (first + v * Isa::kLanes));
      }
      for (int row = 0; row < kWholeTile; ++row) {
        const Int features = repeat_pair<Isa>(query + row * head_dim + d);
        for (int v = 0; v < kVectors; ++v) sums[row][v] = Isa::add_pairs(sums[row][v], keys[v], features);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      const int place = first + v * Isa::kLanes;
      const auto scale = Isa::load_floats(block.key_scales + place);
      for (int row = 0; row < kWholeTile; ++row) {
        Isa::store_floats(scores[row] + place, Isa::mul(Isa::to_floats(sums[row][v]), scale));
      }
    }
  }
}

// 2^x for x up to 0, by the cubic that is exact at 0 and elsewhere has the least relative error, 1e-4: a fortieth of what
// rounding to 7 bits loses.
template <class Isa>
inline typename Isa::Float power(typename Isa::Float x) {
  x = Isa::maximum(x, Isa::splat_float(-126.0f));  // below, the result is no normal number
  const auto n = Isa::round(x);
  const auto r = Isa::sub(x, Isa::to_floats(n));
  auto result = Isa::splat_float(0.0550089329f);
  const float factors[] = {0.242210954f, 0.693282902f, 1.0f};
  for (const float factor : factors) result = Isa::fma(result, r, Isa::splat_float(factor));
  return Isa::mul(result, Isa::power_of_two(n));
}

// Of each row in one block: the largest score, and the sum of the weights relative to that.
struct BlockWeights {
  float largest[kWholeRows] = {}, sums[kWholeRows] = {};
};

// Scores of one row to the codes of its weights.
template <class Isa>
__attribute__((noinline)) static void weigh_whole(float query_scale, const float* scores, int16_t* codes,
                                                  int64_t row, BlockWeights& weights) {
  auto largest = Isa::load_floats(scores);
  for (int j = Isa::kLanes; j < kWholeBlock; j += Isa::kLanes) largest = Isa::maximum(largest, Isa::load_floats(scores + j));
  const float shift = Isa::largest(largest) * query_scale;
  const auto scale = Isa::splat_float(query_scale), minus = Isa::splat_float(-shift);
  Wide<Isa> sum = Wide<Isa>::zero();
  for (int j = 0; j < kWholeBlock; j += 2 * Isa::kLanes) {
    typename Isa::Int rounded[2];
    for (int v = 0; v < 2; ++v) {
      const auto weight = power<Isa>(Isa::fma(Isa::load_floats(scores + j + v * Isa::kLanes), scale, minus));
      auto& part = sum.parts[v % Wide<Isa>::kParts];
      part = Isa::add_floats(part, weight);
      rounded[v] = Isa::round(Isa::mul(weight, Isa::splat_float(kWeightCode)));
    }
    store_pairs<Isa>(codes + j, Isa::pair(rounded[0], rounded[1]));
  }
  weights.largest[row] = shift;
  weights.sums[row] = sum.sum();
}

// Adds a block's values, times the codes of weights and the rows' factors, to the values of a tile of rows.
template <class Isa>
__attribute__((noinline)) static void add_whole(const WholeBlock& block, const int16_t (*codes)[kWholeBlock],
                                                const float* factors, int64_t head_dim, float* out) {
  using Int = typename Isa::Int;
  const auto add = [&](auto vectors, int64_t d) {
    constexpr int kVectors = decltype(vectors)::value;
    Int sums[kWholeTile][kVectors];
    for (auto& row : sums) {
      for (Int& sum : row) sum = Isa::zero();
    }
    for (int j = 0; j < kWholeBlock; j += 2) {
      Int values[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        values[v] = load_pairs<Isa>(block.values + j * head_dim + 2 * (d + v * Isa::kLanes));
      }
      for (int row = 0; row < kWholeTile; ++row) {
        const Int weights = repeat_pair<Isa>(codes[row] + j);
        for (int v = 0; v < kVectors; ++v) sums[row][v] = Isa::add_pairs(sums[row][v], weights, values[v]);
      }
    }
    for (int row = 0; row < kWholeTile; ++row) {
      const auto factor = Isa::splat_float(factors[row]);
      for (int v = 0; v < kVectors; ++v) {
        float* target = out + row * head_dim + d + v * Isa::kLanes;
        Isa::store_floats(target, Isa::fma(Isa::to_floats(sums[row][v]), factor, Isa::load_floats(target)));
      }
    }
  };
  int64_t d = 0;
  for (; d + 2 * Isa::kLanes <= head_dim; d += 2 * Isa::kLanes) add(Constant<2>{}, d);
  for (; d < head_dim; d += Isa::kLanes) add(Constant<1>{}, d);
}

// Joins the rows' weights of a block to what is known of them: their codes' factors into `factors`.
template <class Isa>
inline void join_weights(const BlockWeights& weights, float value_scale, int64_t rows, int64_t head_dim,
                         WholeChunk& chunk, float* factors) {
  float kept[kWholeRows];
  for (int64_t row = 0; row < rows; row += Isa::kLanes) {
    const auto before = Isa::load_floats(chunk.largest + row), here = Isa::load_floats(weights.largest + row);
    const auto largest = Isa::maximum(before, here);
    const auto old_factor = power<Isa>(Isa::sub(before, largest)), factor = power<Isa>(Isa::sub(here, largest));
    const auto old_sum = Isa::mul(Isa::load_floats(chunk.sums + row), old_factor);
    Isa::store_floats(chunk.largest + row, largest);
    Isa::store_floats(chunk.sums + row, Isa::fma(Isa::load_floats(weights.sums + row), factor, old_sum));
    Isa::store_floats(kept + row, old_factor);
    Isa::store_floats(factors + row, Isa::mul(factor, Isa::splat_float(value_scale)));
  }
  for (int64_t row = 0; row < rows; ++row) {
    if (kept[row] == 1.0f) continue;
    float* values = chunk.values + row * head_dim;
    for (int64_t d = 0; d < head_dim; d += Isa::kLanes) {
      Isa::store_floats(values + d, Isa::mul(Isa::load_floats(values + d), Isa::splat_float(kept[row])));
    }
  }
}

// One block of the context for all rows of a chunk.
template <class Isa>
inline void attend_block(const WholeBlock& block, int64_t rows, int64_t head_dim, WholeChunk& chunk) {
  alignas(64) float scores[kWholeTile][kWholeBlock];
  alignas(64) int16_t codes[kWholeRows][kWholeBlock];
  float factors[kWholeRows];
  BlockWeights weights;
  for (int64_t tile = 0; tile < rows; tile += kWholeTile) {
    score_whole<Isa>(block, chunk.query + tile * head_dim, head_dim, scores);
    for (int i = 0; i < kWholeTile; ++i) {
      for (int64_t j = block.tokens; j < kWholeBlock; ++j) scores[i][j] = -__builtin_inff();
      weigh_whole<Isa>(chunk.query_scales[tile + i], scores[i], codes[tile + i], tile + i, weights);
    }
  }
  join_weights<Isa>(weights, block.value_scale, rows, head_dim, chunk, factors);
  for (int64_t tile = 0; tile < rows; tile += kWholeTile) {
    add_whole<Isa>(block, codes + tile, factors + tile, head_dim, chunk.values + tile * head_dim);
  }
}

// The whole context of rows `first` to `last`, at most kWholeRows.
template <class Isa>
void attend_whole(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                  int64_t last) {
  const int64_t head_dim = job.cache.head_dim, rows = last - first;
  WholeChunk chunk;
  WholeBlock block;
  round_queries(job, sequence, kv_head, first, rows, chunk);
  for (int64_t begin = 0; begin < sequence.context; begin += kWholeBlock) {
    read_block<Isa>(job, sequence, kv_head, begin, block);
    attend_block<Isa>(block, rows, head_dim, chunk);
  }
  for (int64_t i = 0; i < rows; ++i) {
    float* out = job.out + job.offset(sequence, kv_head, first + i);
    const auto sum = Isa::splat_float(chunk.sums[i]);
    for (int64_t d = 0; d < head_dim; d += Isa::kLanes) {
      Isa::store_floats(out + d, Isa::div(Isa::load_floats(chunk.values + i * head_dim + d), sum));
    }
  }
}

}  // namespace mistralet
