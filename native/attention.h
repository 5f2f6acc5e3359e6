// Attention over a paged cache of keys and values, written once for every instruction set.
//
// A row is one query head of one token. Its context is taken in pieces of 256 tokens; each piece gives a maximum, a sum
// of weights and a weighted sum of values, and pieces are merged in their order (Milakov & Gimelshein 2018). Inside a
// piece a score is summed feature by feature and a value token by token, so a row's result depends on that row alone:
// not on the rows that are computed beside it, nor on the thread, the number of lanes, or where its blocks lie.
#pragma once

#include <type_traits>

#include "attention_int4.h"
#include "kv_types.h"
#include "vector_math.h"

namespace mistralet {

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
  typename Isa::Float lanes = Isa::splat_float(scores[0]);
  int64_t whole = 0;
  for (; whole + Isa::kLanes <= count; whole += Isa::kLanes) {
    lanes = Isa::maximum(lanes, Isa::load_floats(scores + whole));
  }
  float largest = Isa::largest(lanes);
  for (int64_t j = whole; j < count; ++j) largest = scores[j] > largest ? scores[j] : largest;
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

// Rows of one key head of a sequence, at most kChunkRows, in tiles of kTileRows.
struct Chunk {
  int64_t first, rows;
  int64_t limits[kChunkRows];                            // what each row sees
  alignas(64) float query[kChunkRows * kMaxHeadDim];     // tile by tile, [head_dim][rows of the tile]
  alignas(64) float scores[kChunkRows * kPiece];         // of one piece, then weights
  RoundedQueries<kChunkRows, kMaxHeadDim> rounded;       // instead of the query, if the cache is int4
  AttentionState states[kChunkRows];                     // of one piece

  int64_t tile_rows(int64_t tile) const { return rows - tile < kTileRows ? rows - tile : kTileRows; }
  // Tokens up to which some row of a tile sees.
  int64_t longest(int64_t tile) const {
    int64_t result = 0;
    for (int64_t i = tile; i < tile + tile_rows(tile); ++i) result = limits[i] > result ? limits[i] : result;
    return result;
  }
};

template <class Isa, class KV>
inline void gather(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                   int64_t last, Chunk& chunk) {
  const int64_t head_dim = job.cache.head_dim;
  chunk.first = first;
  chunk.rows = last - first;
  for (int64_t i = 0; i < chunk.rows; ++i) {
    const int64_t tile = i / kTileRows * kTileRows, stride = chunk.tile_rows(tile);
    const float* source = job.query + job.offset(sequence, kv_head, first + i);
    if constexpr (std::is_same_v<KV, Int4>) {
      round_row<Isa>(source, head_dim / kGroup, chunk.rounded.tile(tile, stride, head_dim), static_cast<int>(i - tile));
    } else {
      float* target = chunk.query + tile * head_dim + i % kTileRows;
      for (int64_t d = 0; d < head_dim; ++d) target[d * stride] = source[d];
    }
    chunk.limits[i] = job.limit(sequence, (first + i) / job.group());
  }
}

// Calls `function` with the number of rows of a tile as a constant.
template <class Function>
inline void with_rows(int64_t rows, Function&& function) {
  switch (rows) {
    case 1: return function(Constant<1>{});
    case 2: return function(Constant<2>{});
    case 3: return function(Constant<3>{});
    case 4: return function(Constant<4>{});
    case 5: return function(Constant<5>{});
    default: return function(Constant<kTileRows>{});
  }
}

// One piece of the context for all rows of a chunk that see any of it: their states. A block of keys or values is used
// by all tiles while it is in the first-level cache.
template <class Isa, class KV>
void attend_piece(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t piece,
                  Chunk& chunk) {
  const int64_t head_dim = job.cache.head_dim, begin = piece * kPiece;
  constexpr bool kIsInt4 = std::is_same_v<KV, Int4>;
  const auto place = [&](int64_t block) {
    return sequence.blocks[begin / kBlockTokens + block] * job.cache.kv_heads + kv_head;
  };
  // Tokens of the piece, from block `block` on, that some row of a tile sees.
  const auto seen = [&](int64_t tile, int64_t block) { return chunk.longest(tile) - begin - block * kBlockTokens; };
  constexpr int64_t kBlocks = kPiece / kBlockTokens;

  for (int64_t block = 0; block < kBlocks && begin + block * kBlockTokens < sequence.context; ++block) {
    for (int64_t tile = 0; tile < chunk.rows; tile += kTileRows) {
      if (seen(tile, block) <= 0) continue;
      float* scores = chunk.scores + tile * kPiece + block * kBlockTokens;
      with_rows(chunk.tile_rows(tile), [&](auto rows) {
        if constexpr (kIsInt4) {
          const uint8_t* keys = job.cache.keys + place(block) * int4_key_bytes(head_dim);
          const Tile queries = chunk.rounded.tile(tile, rows.value, head_dim);
          score_int4_block<Isa, rows.value>(queries, keys, head_dim, job.scale, scores, kPiece);
        } else {
          const int64_t first = place(block) * kBlockTokens;
          const auto* keys = reinterpret_cast<const typename KV::Stored*>(job.cache.keys) + first * head_dim;
          const float* scales = KV::kHasScales ? job.cache.key_scales + first : nullptr;
          score_block<Isa, KV, rows.value>(chunk.query + tile * head_dim, keys, scales, head_dim, job.scale, scores);
        }
      });
    }
  }
  for (int64_t i = 0; i < chunk.rows; ++i) {
    const int64_t own = chunk.limits[i] - begin;
    std::memset(chunk.states[i].values, 0, head_dim * sizeof(float));
    if (own > 0) {
      weigh<Isa>(chunk.scores + i * kPiece, own < kPiece ? own : kPiece, kPiece, chunk.states[i]);
    } else {  // it computes with its neighbours, and nobody asks for the result
      std::memset(chunk.scores + i * kPiece, 0, kPiece * sizeof(float));
    }
  }
  for (int64_t block = 0; block < kBlocks && begin + block * kBlockTokens < sequence.context; ++block) {
    for (int64_t tile = 0; tile < chunk.rows; tile += kTileRows) {
      const int64_t left = seen(tile, block), tokens = left < kBlockTokens ? left : kBlockTokens;
      if (tokens <= 0) continue;
      float* weights = chunk.scores + tile * kPiece + block * kBlockTokens;
      AttentionState* states = chunk.states + tile;
      with_rows(chunk.tile_rows(tile), [&](auto rows) {
        if constexpr (kIsInt4) {
          constexpr int64_t kStride = sizeof(AttentionState) / sizeof(float);
          const uint8_t* values = job.cache.values + place(block) * int4_value_bytes(head_dim);
          add_int4_values<Isa, rows.value>(weights, kPiece, values, tokens, head_dim, states->values, kStride);
        } else {
          const int64_t first = place(block) * kBlockTokens;
          if constexpr (KV::kHasScales) {
            const float* scales = job.cache.value_scales + first;
            for (int64_t i = 0; i < rows.value; ++i) {
              for (int64_t j = 0; j < tokens; ++j) weights[i * kPiece + j] *= scales[j];
            }
          }
          const auto* values = reinterpret_cast<const typename KV::Stored*>(job.cache.values) + first * head_dim;
          add_values<Isa, KV, rows.value>(weights, values, tokens, head_dim, states);
        }
      });
    }
  }
}

// The whole context of a chunk of rows.
template <class Isa>
void attend_chunk(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                  int64_t last) {
  const int64_t head_dim = job.cache.head_dim;
  Chunk chunk;
  AttentionState states[kChunkRows];
  for (int64_t i = 0; i < last - first; ++i) {
    states[i].largest = -__builtin_inff();
    states[i].sum = 0.0f;
    std::memset(states[i].values, 0, head_dim * sizeof(float));
  }
  with_kv_type(job.cache.type, [&](auto kv) {
    gather<Isa, decltype(kv)>(job, sequence, kv_head, first, last, chunk);
    for (int64_t piece = 0; piece < sequence.pieces(); ++piece) {
      attend_piece<Isa, decltype(kv)>(job, sequence, kv_head, piece, chunk);
      for (int64_t i = 0; i < chunk.rows; ++i) {
        if (piece * kPiece < chunk.limits[i]) merge<Isa>(states[i], chunk.states[i], head_dim);
      }
    }
  });
  for (int64_t i = 0; i < chunk.rows; ++i) {
    finish<Isa>(states[i], head_dim, job.out + job.offset(sequence, kv_head, first + i));
  }
}

// One piece of the context of a sequence with few rows: its share of `partial`, [pieces][rows].
template <class Isa>
void attend_part(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t piece,
                 AttentionState* partial) {
  Chunk chunk;
  with_kv_type(job.cache.type, [&](auto kv) {
    gather<Isa, decltype(kv)>(job, sequence, kv_head, 0, sequence.tokens * job.group(), chunk);
    attend_piece<Isa, decltype(kv)>(job, sequence, kv_head, piece, chunk);
  });
  for (int64_t i = 0; i < chunk.rows; ++i) {
    AttentionState& target = partial[piece * chunk.rows + i];
    target.largest = chunk.states[i].largest;
    target.sum = chunk.states[i].sum;
    std::memcpy(target.values, chunk.states[i].values, job.cache.head_dim * sizeof(float));
  }
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
