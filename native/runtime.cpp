#include "runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <type_traits>

#include "instruction_set.h"
#include "kv_int4.h"
#include "pack.h"
#include "rounded.h"
#include "thread_pool.h"

namespace mistralet {
namespace {

std::vector<InstructionSet> supported_sets() {
  std::vector<InstructionSet> sets = {kPortable};
#ifdef MISTRALET_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  if (avx2) sets.insert(sets.begin(), kAvx2);
  if (avx512) sets.insert(sets.begin(), kAvx512);
#endif
  return sets;
}

// The one state of the module. A call holds the lock: threads and buffers serve one operation at a time.
struct State {
  std::mutex lock;
  InstructionSet set = supported_sets().front();
  std::unique_ptr<ThreadPool> pool = std::make_unique<ThreadPool>(1);
  RoundedActivations activations;
  std::vector<AttentionState> partial;
  std::vector<float> prepared;                               // rows that float matrices are multiplied with
  std::vector<float> query, key, value, attended, gate, up;  // between the operations of a block
  std::vector<float> turned;                                 // queries, for an int4 cache
};

State& state() {
  static State* instance = new State;  // never destroyed: its threads must not outlive or hold up the interpreter
  return *instance;
}

// Pieces small enough that all threads end together, large enough that handing them out costs nothing.
int64_t piece_of(int64_t count) { return std::max<int64_t>(1, count / (8 * state().pool->threads())); }

// A piece of a product with many tokens is long; shorter ones let all threads end together.
constexpr int64_t kLongestDensePiece = 64;

float* dense_scratch() {
  thread_local std::vector<float> scratch(kDenseScratch + kRegister / sizeof(float));
  const auto address = reinterpret_cast<uintptr_t>(scratch.data());
  return reinterpret_cast<float*>((address + kRegister - 1) / kRegister * kRegister);
}

void round_rows(const Source& source, int64_t first, int64_t last) {
  const InstructionSet& set = state().set;
  const RoundedActivations& activations = state().activations;
  static thread_local std::vector<float> prepared;
  if (!source.is_plain()) prepared.resize(source.columns);
  for (int64_t row = first; row < last; ++row) {
    const float* x = source.x + row * source.columns;
    if (!source.is_plain()) {
      set.prepare(source, row, prepared.data());
      x = prepared.data();
    }
    const Tile& tile = activations.tile_of(row);
    set.round_row(x, source.columns / kGroup, tile, static_cast<int>(row - tile.first_row));
  }
}

template <class KV>
void store_head(const float* x, int64_t head_dim, int64_t stride, typename KV::Stored* target, float* scale) {
  float factor = 1.0f;
  if constexpr (KV::kHasScales) {
    float largest = 0.0f;
    for (int64_t d = 0; d < head_dim; ++d) largest = std::max(largest, std::fabs(x[d]));
    *scale = largest / 127.0f;
    factor = largest > 1e-30f ? 127.0f / largest : 0.0f;
  }
  for (int64_t d = 0; d < head_dim; ++d) target[d * stride] = KV::store(KV::kHasScales ? x[d] * factor : x[d]);
}

void rotate(const float* x, const float* rotations, int64_t head_dim, float* out) {
  for (int64_t j = 0; j < head_dim; j += 2) {
    const float a = x[j], b = x[j + 1], cosine = rotations[j], sine = rotations[j + 1];
    out[j] = a * cosine - b * sine;
    out[j + 1] = a * sine + b * cosine;
  }
}

template <class KV>
void store_plain_token(const float* key, const float* value, const float* rotations, int64_t slot,
                       const LayerCache& cache) {
  using Stored = typename KV::Stored;
  const int64_t head_dim = cache.head_dim, block = slot / kBlockTokens, place = slot % kBlockTokens;
  float turned[kMaxHeadDim];
  for (int64_t head = 0; head < cache.kv_heads; ++head, key += head_dim, value += head_dim) {
    const int64_t at = (block * cache.kv_heads + head) * kBlockTokens;
    auto* keys = reinterpret_cast<Stored*>(cache.keys) + at * head_dim;
    auto* values = reinterpret_cast<Stored*>(cache.values) + at * head_dim;
    rotate(key, rotations, head_dim, turned);
    store_head<KV>(turned, head_dim, kBlockTokens, keys + place, cache.key_scales + at + place);
    store_head<KV>(value, head_dim, 1, values + place * head_dim, cache.value_scales + at + place);
  }
}

void store_int4_token(const float* key, const float* value, const float* rotations, int64_t slot,
                      const LayerCache& cache) {
  const int64_t head_dim = cache.head_dim, block = slot / kBlockTokens, place = slot % kBlockTokens;
  float turned[kMaxHeadDim];
  for (int64_t head = 0; head < cache.kv_heads; ++head, key += head_dim, value += head_dim) {
    const int64_t at = block * cache.kv_heads + head;
    rotate(key, rotations, head_dim, turned);
    hadamard(turned, head_dim);
    store_int4_key(turned, head_dim, place, cache.keys + at * int4_key_bytes(head_dim));
    std::memcpy(turned, value, head_dim * sizeof(float));
    hadamard(turned, head_dim);
    store_int4_value(turned, head_dim, place, cache.values + at * int4_value_bytes(head_dim));
  }
}

template <class KV>
void store_token(const float* key, const float* value, const float* rotations, int64_t slot, const LayerCache& cache) {
  if constexpr (std::is_same_v<KV, Int4>) {
    store_int4_token(key, value, rotations, slot, cache);
  } else {
    store_plain_token<KV>(key, value, rotations, slot, cache);
  }
}

// A buffer of at least that size; it never shrinks, so that a steady state allocates nothing.
template <class T>
T* room(std::vector<T>& buffer, size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

// Whether attention is computed in whole numbers.
bool is_whole(const AttentionJob& job) { return job.cache.type == KVType::kFloat16 && !job.causal; }

bool is_split(const AttentionJob& job, const AttentionSequence& sequence) {
  return !is_whole(job) && sequence.tokens * job.group() <= kChunkRows && sequence.pieces() > 1;
}

// Is told after each piece of a product with packed weights, by the thread that has just computed it. Such pieces are
// short, so that what was computed is still at hand, and whole blocks of scores.
using AfterPiece = std::function<void(int64_t first_panel, int64_t last_panel)>;
constexpr int64_t kScorePiece = 4 * kScoreBlock / kPanelRows;

void run_linear(const Source& source, int64_t tokens, const std::vector<Matrix>& matrices,
                const std::vector<float*>& outs, bool add,
                const AfterPiece* after_piece = nullptr) {
  const InstructionSet& set = state().set;
  ThreadPool& pool = *state().pool;
  const auto is_float = [](const Matrix& matrix) { return is_dense(matrix.type); };
  const bool any_dense = std::any_of(matrices.begin(), matrices.end(), is_float);
  const float* x = source.x;
  if (any_dense && !source.is_plain()) {
    float* prepared = room(state().prepared, tokens * source.columns);
    pool.run(tokens, piece_of(tokens), [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) set.prepare(source, row, prepared + row * source.columns);
    });
    x = prepared;
  }
  if (!std::all_of(matrices.begin(), matrices.end(), is_float)) {
    state().activations.reshape(tokens, source.columns, set.tile_rows);
    pool.run(tokens, piece_of(tokens), [&](int64_t first, int64_t last) { round_rows(source, first, last); });
  }

  const Activations activations = state().activations.view();
  std::vector<DenseProduct> products;
  std::vector<int64_t> units;
  for (size_t i = 0; i < matrices.size(); ++i) {
    const auto* weights = reinterpret_cast<const uint8_t*>(matrices[i].data);
    const auto* scales = reinterpret_cast<const float*>(matrices[i].scales);
    products.push_back({matrices[i].type, weights, matrices[i].rows, source.columns, x, tokens, outs[i], add, scales,
                        matrices[i].groups});
    units.push_back(is_float(matrices[i]) ? products[i].units() : panels(matrices[i].rows));
  }
  const int64_t count = std::accumulate(units.begin(), units.end(), int64_t{0});
  const int64_t longest = any_dense ? std::min(piece_of(count), kLongestDensePiece) : piece_of(count);
  const int64_t piece = after_piece == nullptr ? longest : kScorePiece;
  pool.run(count, piece, [&](int64_t first, int64_t last) {
    for (size_t i = 0; i < matrices.size(); ++i) {
      if (first < units[i] && last > 0) {
        const DenseProduct& product = products[i];
        const int64_t begin = std::max<int64_t>(first, 0), end = std::min(last, units[i]);
        if (is_dense(product.type)) {
          set.multiply_dense(product, begin, end, dense_scratch());
        } else {
          set.multiply(static_cast<Type>(product.type), product.weights, product.rows, activations, add, begin, end,
                       product.out);
          if (after_piece != nullptr) (*after_piece)(begin, end);
        }
      }
      first -= units[i];
      last -= units[i];
    }
  });
}

void run_rotate_and_store(float* query, const float* key, const float* value, const float* rotations,
                          int64_t heads, const LayerCache& cache, const Batch& batch) {
  const int64_t head_dim = cache.head_dim, kv_size = cache.kv_heads * head_dim;
  state().pool->run(batch.tokens(), std::max<int64_t>(8, piece_of(batch.tokens())), [&](int64_t first, int64_t last) {
    for (int64_t token = first; token < last; ++token) {
      const float* turns = rotations + token * head_dim;
      for (int64_t head = 0; head < heads; ++head) {
        float* x = query + (token * heads + head) * head_dim;
        rotate(x, turns, head_dim, x);
      }
      with_kv_type(cache.type, [&](auto kv) {
        store_token<decltype(kv)>(key + token * kv_size, value + token * kv_size, turns, batch.slots[token], cache);
      });
    }
  });
}

// Turns heads as those of an int4 cache are turned, or back; in place if both are the same.
void turn_heads(const float* heads, int64_t count, int64_t head_dim, float* out) {
  state().pool->run(count, std::max<int64_t>(64, piece_of(count)), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      float* target = out + i * head_dim;
      if (target != heads + i * head_dim) std::memcpy(target, heads + i * head_dim, head_dim * sizeof(float));
      hadamard(target, head_dim);
    }
  });
}

void run_attend_as_stored(const AttentionJob& job, const std::vector<AttentionSequence>& sequences) {
  const InstructionSet& set = state().set;
  ThreadPool& pool = *state().pool;
  const int64_t kv_heads = job.cache.kv_heads;
  const int64_t chunk_rows = is_whole(job) ? kWholeRows : kChunkRows;
  const auto attend_chunk = is_whole(job) ? set.attend_whole : set.attend_chunk;

  // A unit is a chunk of rows, or, of a sequence with few rows, a piece of their context.
  struct Unit {
    const AttentionSequence* sequence;
    int64_t kv_head, index;
    AttentionState* partial;  // null for a chunk of rows
  };
  std::vector<Unit> units, splits;
  size_t needed = 0;
  for (const auto& sequence : sequences) {
    if (is_split(job, sequence)) needed += kv_heads * sequence.pieces() * sequence.tokens * job.group();
  }
  AttentionState* partial = room(state().partial, needed);
  for (const auto& sequence : sequences) {
    const int64_t rows = sequence.tokens * job.group(), pieces = sequence.pieces();
    const bool split = is_split(job, sequence);
    const int64_t count = split ? pieces : (rows + chunk_rows - 1) / chunk_rows;
    // From the last: those have the longest context.
    for (int64_t index = count - 1; index >= 0; --index) {
      for (int64_t head = 0; head < kv_heads; ++head) {
        units.push_back({&sequence, head, index, split ? partial + head * pieces * rows : nullptr});
      }
    }
    if (split) {
      for (int64_t head = 0; head < kv_heads; ++head) splits.push_back({&sequence, head, 0, partial + head * pieces * rows});
      partial += kv_heads * pieces * rows;
    }
  }
  pool.run(static_cast<int64_t>(units.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const Unit& unit = units[i];
      if (unit.partial != nullptr) {
        set.attend_part(job, *unit.sequence, unit.kv_head, unit.index, unit.partial);
      } else {
        const int64_t begin = unit.index * chunk_rows, rows = unit.sequence->tokens * job.group();
        attend_chunk(job, *unit.sequence, unit.kv_head, begin, std::min<int64_t>(begin + chunk_rows, rows));
      }
    }
  });
  pool.run(static_cast<int64_t>(splits.size()), 8, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) set.merge_parts(job, *splits[i].sequence, splits[i].kv_head, splits[i].partial);
  });
}

Sampled sample_row(float* scores, int64_t vocab, const float* known_maxima, const SampleRow& row,
                   Candidate* alternatives) {
  thread_local ChangedScores changed;
  thread_local std::vector<float> floats;
  thread_local std::vector<double> classes(kWeightClasses);
  thread_local std::vector<Candidate> candidates;
  const int64_t blocks = score_blocks(vocab);
  float* maxima = room(floats, (3 + kScoreBlock) * blocks);
  const SampleRoom rooms{maxima,         maxima + blocks,                maxima + 2 * blocks, maxima + 3 * blocks,
                         room(candidates, vocab + 1), classes.data(), &changed};
  return state().set.sample(scores, vocab, known_maxima, row, rooms, alternatives);
}

void run_attend(AttentionJob job, const Batch& batch) {
  const bool is_turned = job.cache.type == KVType::kInt4;
  const int64_t heads = batch.tokens() * job.heads, head_dim = job.cache.head_dim;
  if (is_turned) {
    float* turned = room(state().turned, heads * head_dim);
    turn_heads(job.query, heads, head_dim, turned);
    job.query = turned;
  }
  run_attend_as_stored(job, batch.sequences);
  if (is_turned) turn_heads(job.out, heads, head_dim, job.out);
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const auto& set : supported_sets()) names.emplace_back(set.name);
  return names;
}

void configure(int threads, const std::string& instruction_set) {
  std::lock_guard<std::mutex> guard(state().lock);
  for (const auto& set : supported_sets()) {
    if (instruction_set == set.name) {
      state().set = set;
      if (threads != state().pool->threads()) state().pool = std::make_unique<ThreadPool>(threads);
      return;
    }
  }
  throw std::invalid_argument("no such instruction set on this processor");
}

void populate(uintptr_t address, int64_t bytes) {
#ifdef MADV_POPULATE_READ  // Linux from 5.14 on
  madvise(reinterpret_cast<void*>(address), static_cast<size_t>(bytes), MADV_POPULATE_READ);
#else
  madvise(reinterpret_cast<void*>(address), static_cast<size_t>(bytes), MADV_WILLNEED);
#endif
}

void pack(int type, uintptr_t source, int64_t rows, int64_t columns, uintptr_t target) {
  std::lock_guard<std::mutex> guard(state().lock);
  const int64_t count = panels(rows);
  state().pool->run(count, piece_of(count), [&](int64_t first, int64_t last) {
    pack_panels(static_cast<Type>(type), reinterpret_cast<const uint8_t*>(source), rows, columns, first, last,
                reinterpret_cast<uint8_t*>(target));
  });
}

void linear(const Source& source, int64_t tokens, const std::vector<Matrix>& matrices,
            const std::vector<float*>& outs) {
  std::lock_guard<std::mutex> guard(state().lock);
  run_linear(source, tokens, matrices, outs, false);
}

void score(const Source& source, int64_t tokens, const Matrix& matrix, float* out, float* maxima) {
  std::lock_guard<std::mutex> guard(state().lock);
  const InstructionSet& set = state().set;
  const int64_t rows = matrix.rows, blocks = score_blocks(rows);
  if (is_dense(matrix.type)) {
    run_linear(source, tokens, {matrix}, {out}, false);
    state().pool->run(tokens, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) set.block_maxima(out + i * rows, rows, maxima + i * blocks);
    });
    return;
  }
  const AfterPiece find_maxima = [&](int64_t first_panel, int64_t last_panel) {
    const int64_t first = first_panel * kPanelRows, count = std::min(last_panel * kPanelRows, rows) - first;
    for (int64_t i = 0; i < tokens; ++i) {
      set.block_maxima(out + i * rows + first, count, maxima + i * blocks + first / kScoreBlock);
    }
  };
  run_linear(source, tokens, {matrix}, {out}, false, &find_maxima);
}

void rotate_and_store(float* query, const float* key, const float* value, const float* rotations, int64_t heads,
                      const LayerCache& cache, const Batch& batch) {
  std::lock_guard<std::mutex> guard(state().lock);
  run_rotate_and_store(query, key, value, rotations, heads, cache, batch);
}

void attend(const float* query, int64_t heads, float scale, const LayerCache& cache, const Batch& batch, float* out) {
  std::lock_guard<std::mutex> guard(state().lock);
  run_attend({query, out, cache, heads, scale, batch.causal}, batch);
}

void attention_block(const Source& source, const Matrix& query, const Matrix& key, const Matrix& value,
                     const Matrix& output, const float* rotations, float scale, const LayerCache& cache,
                     const Batch& batch, float* x) {
  State& s = state();
  std::lock_guard<std::mutex> guard(s.lock);
  float* queries = room(s.query, batch.tokens() * query.rows);
  float* keys = room(s.key, batch.tokens() * key.rows);
  float* values = room(s.value, batch.tokens() * value.rows);
  float* attended = room(s.attended, batch.tokens() * query.rows);
  const int64_t heads = query.rows / cache.head_dim;
  run_linear(source, batch.tokens(), {query, key, value}, {queries, keys, values}, false);
  run_rotate_and_store(queries, keys, values, rotations, heads, cache, batch);
  run_attend({queries, attended, cache, heads, scale, batch.causal}, batch);
  run_linear({attended, query.rows, nullptr, 0.0f, nullptr}, batch.tokens(), {output}, {x}, true);
}

void feed_forward_block(const Source& source, int64_t tokens, const Matrix& gate, const Matrix& up, const Matrix& down,
                        float* x) {
  State& s = state();
  std::lock_guard<std::mutex> guard(s.lock);
  float* gates = room(s.gate, tokens * gate.rows);
  float* ups = room(s.up, tokens * up.rows);
  run_linear(source, tokens, {gate, up}, {gates, ups}, false);
  run_linear({gates, gate.rows, nullptr, 0.0f, ups}, tokens, {down}, {x}, true);
}

void sample_rows(float* scores, int64_t vocab, const float* maxima, const SampleRow* rows, int64_t count, Sampled* out,
                 Candidate* alternatives) {
  std::lock_guard<std::mutex> guard(state().lock);
  std::vector<Candidate*> places;
  for (int64_t i = 0; i < count; ++i) {
    places.push_back(alternatives);
    alternatives += std::max<int64_t>(0, rows[i].alternatives);
  }
  state().pool->run(count, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const float* known = maxima == nullptr ? nullptr : maxima + i * score_blocks(vocab);
      out[i] = sample_row(scores + i * vocab, vocab, known, rows[i], places[i]);
    }
  });
}

}  // namespace mistralet
