// Attention over a paged cache of keys and values, written once for every instruction set.
//
// A row is one query head of one token. Its context is taken in pieces of 256 tokens; each piece gives a maximum, a sum
// of weights and a weighted sum of values, and pieces are merged in their order (Milakov & Gimelshein 2018). Inside a
// piece a score is summed feature by feature and a value token by token, so a row's result depends on that row alone:
// not on the rows that are computed beside it, nor on the thread, the number of lanes, or where its blocks lie.
#pragma once

#include "kv_types.h"
#include "vector_math.h"

namespace mistralet {

constexpr int kMaxHeadDim = 256;
constexpr int64_t kPiece = 256;       // tokens
constexpr int kTileRows = 6;          // rows whose sums fit into registers together
constexpr int kChunkRows = 8 * kTileRows;   // rows that use a piece of keys while it is in the cache

struct AttentionSequence {
  int64_t first_token;     // its first row in the query
  int64_t tokens;          // that are asked about: the last ones of the context, if it is causal
  int64_t context;         // tokens in the cache
  const int32_t* blocks;   // where they lie

  int64_t pieces() const { return (context + kPiece - 1) / kPiece; }
};

struct AttentionJob {
  const float* query;      // [tokens][heads][head_dim]
  float* out;              // like query
  LayerCache cache;
  int64_t heads;
  float scale;             // of scores
  bool causal;             // a token sees those up to itself; else all of its sequence

  int64_t group() const { return heads / cache.kv_heads; }
  int64_t limit(const AttentionSequence& sequence, int64_t token) const {
    return causal ? sequence.context - sequence.tokens + token + 1 : sequence.context;
  }
  // The place in query and out of a row of the sequence: rows are the heads of a group, token by token.
  int64_t offset(const AttentionSequence& sequence, int64_t kv_head, int64_t row) const {
    const int64_t token = sequence.first_token + row / group();
    return (token * heads + kv_head * group() + row % group()) * cache.head_dim;
  }
};

// What is known of a row after some pieces: a maximum, a sum of weights, a weighted sum of values.
struct AttentionState {
  float largest, sum;
  float values[kMaxHeadDim];
};

template <class Isa>
inline float exponential_of(float x) {
  float lanes[Isa::kLanes];
  Isa::store_floats(lanes, exponential<Isa>(Isa::splat_float(x)));
  return lanes[0];
}

template <class Isa>
inline void merge(AttentionState& state, const AttentionState& piece, int64_t head_dim) {
  const float largest = piece.largest > state.largest ? piece.largest : state.largest;
  const float kept = exponential_of<Isa>(state.largest - largest), added = exponential_of<Isa>(piece.largest - largest);
  state.largest = largest;
  state.sum = state.sum * kept + piece.sum * added;
  const auto kept_factor = Isa::splat_float(kept), added_factor = Isa::splat_float(added);
  for (int64_t d = 0; d < head_dim; d += Isa::kLanes) {
    const auto scaled = Isa::mul(Isa::load_floats(state.values + d), kept_factor);
    Isa::store_floats(state.values + d, Isa::fma(Isa::load_floats(piece.values + d), added_factor, scaled));
  }
}

template <class Isa>
inline void finish(const AttentionState& state, int64_t head_dim, float* out) {
  const auto sum = Isa::splat_float(state.sum);
  for (int64_t d = 0; d < head_dim; d += Isa::kLanes) {
    Isa::store_floats(out + d, Isa::div(Isa::load_floats(state.values + d), sum));
  }
}

// Scores of `Rows` rows against the keys of one block; `scores` has kPiece values a row.
template <class Isa, class KV, int Rows>
inline void score_block(const float* query, const typename KV::Stored* keys, const float* scales, int64_t head_dim,
                        float scale, float* scores) {
  using Float = typename Isa::Float;
  constexpr int kVectors = 2;
  for (int64_t first = 0; first < kBlockTokens; first += kVectors * Isa::kLanes) {
    Float sums[Rows][kVectors];
    for (auto& row : sums) {
      for (auto& sum : row) sum = Isa::zero_floats();
    }
    for (int64_t d = 0; d < head_dim; ++d) {
      Float key[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        key[v] = KV::template load<Isa>(keys + d * kBlockTokens + first + v * Isa::kLanes);
      }
      for (int row = 0; row < Rows; ++row) {
        const Float feature = Isa::splat_float(query[d * Rows + row]);
        for (int v = 0; v < kVectors; ++v) sums[row][v] = Isa::fma(feature, key[v], sums[row][v]);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      Float factor = Isa::splat_float(scale);
      if constexpr (KV::kHasScales) factor = Isa::mul(factor, Isa::load_floats(scales + first + v * Isa::kLanes));
      for (int row = 0; row < Rows; ++row) {
        Isa::store_floats(scores + row * kPiece + first + v * Isa::kLanes, Isa::mul(sums[row][v], factor));
      }
    }
  }
}

// Turns a row's first `count` scores into weights, and those up to `padded` into zeros.
template <class Isa>
inline void weigh(float* scores, int64_t count, int64_t padded, AttentionState& state) {
  float largest = scores[0];
  for (int64_t j = 1; j < count; ++j) largest = scores[j] > largest ? scores[j] : largest;
  const auto subtrahend = Isa::splat_float(largest);
  for (int64_t j = 0; j < count; j += Isa::kLanes) {
    Isa::store_floats(scores + j, exponential<Isa>(Isa::sub(Isa::load_floats(scores + j), subtrahend)));
  }
  for (int64_t j = count; j < padded; ++j) scores[j] = 0.0f;
  Wide<Isa> sum = Wide<Isa>::zero();
  for (int64_t j = 0; j < count; j += Wide<Isa>::kSize) sum = sum.add(Wide<Isa>::load(scores + j));
  state.largest = largest;
  state.sum = sum.sum();
}

// Adds the values of the first `count` tokens of a block, times the weights, to the states of `Rows` rows.
template <class Isa, class KV, int Rows>
inline void add_values(const float* weights, const typename KV::Stored* values, int64_t count, int64_t head_dim,
                       AttentionState* states) {
  using Float = typename Isa::Float;
  const auto add = [&](auto vectors, int64_t d) {
    constexpr int kVectors = decltype(vectors)::value;
    Float sums[Rows][kVectors];
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < kVectors; ++v) sums[row][v] = Isa::load_floats(states[row].values + d + v * Isa::kLanes);
    }
    for (int64_t j = 0; j < count; ++j) {
      Float value[kVectors];
      for (int v = 0; v < kVectors; ++v) value[v] = KV::template load<Isa>(values + j * head_dim + d + v * Isa::kLanes);
      for (int row = 0; row < Rows; ++row) {
        const Float weight = Isa::splat_float(weights[row * kPiece + j]);
        for (int v = 0; v < kVectors; ++v) sums[row][v] = Isa::fma(weight, value[v], sums[row][v]);
      }
    }
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < kVectors; ++v) Isa::store_floats(states[row].values + d + v * Isa::kLanes, sums[row][v]);
    }
  };
  int64_t d = 0;
  for (; d + 2 * Isa::kLanes <= head_dim; d += 2 * Isa::kLanes) add(Constant<2>{}, d);
  for (; d < head_dim; d += Isa::kLanes) add(Constant<1>{}, d);
}

// One piece of the context for `Rows` rows, whose features are interleaved in `query` ([head_dim][Rows]).
template <class Isa, class KV, int Rows>
void attend_piece(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t piece,
                  const float* query, const int64_t* limits, AttentionState* states) {
  using Stored = typename KV::Stored;
  const int64_t head_dim = job.cache.head_dim, begin = piece * kPiece;
  int64_t longest = 0;
  for (int row = 0; row < Rows; ++row) longest = limits[row] > longest ? limits[row] : longest;
  const int64_t count = longest - begin < kPiece ? longest - begin : kPiece;
  const int64_t blocks = (count + kBlockTokens - 1) / kBlockTokens;
  const auto place = [&](int64_t block) { return sequence.blocks[begin / kBlockTokens + block] * job.cache.kv_heads + kv_head; };

  alignas(64) float scores[Rows * kPiece];
  for (int64_t block = 0; block < blocks; ++block) {
    const auto* keys = reinterpret_cast<const Stored*>(job.cache.keys) + place(block) * kBlockTokens * head_dim;
    const float* scales = KV::kHasScales ? job.cache.key_scales + place(block) * kBlockTokens : nullptr;
    score_block<Isa, KV, Rows>(query, keys, scales, head_dim, job.scale, scores + block * kBlockTokens);
  }
  for (int row = 0; row < Rows; ++row) {
    const int64_t own = limits[row] - begin < kPiece ? limits[row] - begin : kPiece;
    weigh<Isa>(scores + row * kPiece, own, blocks * kBlockTokens, states[row]);
    std::memset(states[row].values, 0, head_dim * sizeof(float));
  }
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t left = count - block * kBlockTokens;
    const int64_t tokens = left < kBlockTokens ? left : kBlockTokens;
    float* weights = scores + block * kBlockTokens;
    if constexpr (KV::kHasScales) {
      const float* scales = job.cache.value_scales + place(block) * kBlockTokens;
      for (int row = 0; row < Rows; ++row) {
        for (int64_t j = 0; j < tokens; ++j) weights[row * kPiece + j] *= scales[j];
      }
    }
    const auto* values = reinterpret_cast<const Stored*>(job.cache.values) + place(block) * kBlockTokens * head_dim;
    add_values<Isa, KV, Rows>(weights, values, tokens, head_dim, states);
  }
}

// Some pieces of the context for rows `first` to `last` of a sequence and key head, in order. `take(row, state)` is
// called for each row and piece.
template <class Isa, class KV, class Take>
void attend_rows(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                 int64_t last, int64_t first_piece, int64_t last_piece, Take&& take) {
  const int64_t head_dim = job.cache.head_dim;
  alignas(64) float query[kChunkRows * kMaxHeadDim];
  int64_t limits[kChunkRows];
  // The rows of a tile are interleaved, feature by feature.
  const auto tile_rows = [&](int64_t row) { return last - row < kTileRows ? last - row : kTileRows; };
  for (int64_t row = first; row < last; ++row) {
    const int64_t in_chunk = row - first, tile = in_chunk / kTileRows * kTileRows;
    const float* source = job.query + job.offset(sequence, kv_head, row);
    float* target = query + tile * head_dim + in_chunk % kTileRows;
    const int64_t stride = tile_rows(first + tile);
    for (int64_t d = 0; d < head_dim; ++d) target[d * stride] = source[d];
    limits[in_chunk] = job.limit(sequence, row / job.group());
  }
  for (int64_t piece = first_piece; piece < last_piece; ++piece) {
    for (int64_t row = first; row < last; row += kTileRows) {
      const int64_t in_chunk = row - first, rows = tile_rows(row);
      // Rows that see nothing of the piece come first: a later token sees more.
      int64_t blind = 0;
      while (blind < rows && limits[in_chunk + blind] <= piece * kPiece) ++blind;
      if (blind == rows) continue;
      AttentionState states[kTileRows];
      int64_t seen[kTileRows];
      // A blind row computes with its neighbours, and what it computes is dropped.
      for (int64_t i = 0; i < rows; ++i) seen[i] = limits[in_chunk + (i < blind ? blind : i)];
      const auto attend = rows == 6   ? attend_piece<Isa, KV, 6>
                          : rows == 5 ? attend_piece<Isa, KV, 5>
                          : rows == 4 ? attend_piece<Isa, KV, 4>
                          : rows == 3 ? attend_piece<Isa, KV, 3>
                          : rows == 2 ? attend_piece<Isa, KV, 2>
                                      : attend_piece<Isa, KV, 1>;
      attend(job, sequence, kv_head, piece, query + in_chunk * head_dim, seen, states);
      for (int64_t i = blind; i < rows; ++i) take(row + i, states[i]);
    }
  }
}

// The whole context of a chunk of rows.
template <class Isa>
void attend_chunk(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                  int64_t last) {
  AttentionState states[kChunkRows];
  for (int64_t row = first; row < last; ++row) {
    states[row - first].largest = -__builtin_inff();
    states[row - first].sum = 0.0f;
    std::memset(states[row - first].values, 0, sizeof(states[0].values));
  }
  with_kv_type(job.cache.type, [&](auto kv) {
    attend_rows<Isa, decltype(kv)>(job, sequence, kv_head, first, last, 0, sequence.pieces(),
                                   [&](int64_t row, const AttentionState& piece) {
                                     merge<Isa>(states[row - first], piece, job.cache.head_dim);
                                   });
  });
  for (int64_t row = first; row < last; ++row) {
    finish<Isa>(states[row - first], job.cache.head_dim, job.out + job.offset(sequence, kv_head, row));
  }
}

// One piece of the context of a sequence with few rows: its share of `partial`, [pieces][rows].
template <class Isa>
void attend_part(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t piece,
                 AttentionState* partial) {
  const int64_t rows = sequence.tokens * job.group();
  with_kv_type(job.cache.type, [&](auto kv) {
    attend_rows<Isa, decltype(kv)>(job, sequence, kv_head, 0, rows, piece, piece + 1,
                                   [&](int64_t row, const AttentionState& state) { partial[piece * rows + row] = state; });
  });
}

// Merges the pieces of all rows of a key head.
template <class Isa>
void merge_parts(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head,
                 const AttentionState* partial) {
  const int64_t rows = sequence.tokens * job.group();
  for (int64_t row = 0; row < rows; ++row) {
    AttentionState state{-__builtin_inff(), 0.0f, {}};
    const int64_t limit = job.limit(sequence, row / job.group());
    for (int64_t piece = 0; piece * kPiece < limit; ++piece) {
      merge<Isa>(state, partial[piece * rows + row], job.cache.head_dim);
    }
    finish<Isa>(state, job.cache.head_dim, job.out + job.offset(sequence, kv_head, row));
  }
}

}  // namespace mistralet
