// The operations on whole tensors: what is done by all threads together.
//
// Pointers come from tensors whose sizes and types Python has checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention.h"
#include "layout.h"
#include "prepare.h"
#include "sample.h"

namespace mistralet {

std::vector<std::string> instruction_sets();

// Raises std::invalid_argument for an instruction set that this processor does not have.
void configure(int threads, const std::string& instruction_set);

// Asks the system to map `bytes` from `address` on, of a file: what is in its cache is then read without page faults, the
// rest is fetched from the disk in order. It only saves time, so it may do nothing. Meant for a thread of its own.
void populate(uintptr_t address, int64_t bytes);

// From rows of GGUF blocks to panels (see pack.h).
void pack(int type, uintptr_t source, int64_t rows, int64_t columns, uintptr_t target);

// A weight matrix [rows][columns]: packed, or of floats as it lies; those of 8 bits with scales [rows][groups].
struct Matrix {
  int type;
  uintptr_t data;
  int64_t rows;
  uintptr_t scales;
  int64_t groups;
};

struct Batch {
  bool causal;
  std::vector<AttentionSequence> sequences;
  std::vector<int64_t> slots;  // of each token: its block times the block's size plus its place there

  int64_t tokens() const { return static_cast<int64_t>(slots.size()); }

  // The last `tokens` of a sequence's `context`, which lies in `blocks`.
  void add(int64_t tokens, int64_t context, const int32_t* blocks) {
    sequences.push_back({this->tokens(), tokens, context, blocks});
    for (int64_t place = context - tokens; place < context; ++place) {
      slots.push_back(int64_t{blocks[place / kBlockTokens]} * kBlockTokens + place % kBlockTokens);
    }
  }
};

// Products of `tokens` rows of the source with several matrices, each into its `out`.
void linear(const Source& source, int64_t tokens, const std::vector<Matrix>& matrices,
            const std::vector<float*>& outs);

// Scores [tokens][matrix.rows], and the largest of each of their blocks [tokens][score_blocks(matrix.rows)], which are
// found while the scores are still in the caches of the processor that computed them.
void score(const Source& source, int64_t tokens, const Matrix& matrix, float* out, float* maxima);

// Turns the pairs of queries (in place) and keys, and puts keys and values into their slots of the cache.
//   query [tokens][heads][head_dim], key and value [tokens][kv_heads][head_dim],
//   rotations [tokens][head_dim / 2] as (cos, sin)
void rotate_and_store(float* query, const float* key, const float* value, const float* rotations, int64_t heads,
                      const LayerCache& cache, const Batch& batch);

// Attention of each token to its sequence; query and out [tokens][heads][head_dim].
void attend(const float* query, int64_t heads, float scale, const LayerCache& cache, const Batch& batch, float* out);

// The two halves of a layer, on top of x ([tokens][columns], which `source` reads):
// x += output(attend(rotate(query(source)), ...)), and x += down(silu(gate(source)) * up(source)).
void attention_block(const Source& source, const Matrix& query, const Matrix& key, const Matrix& value,
                     const Matrix& output, const float* rotations, float scale, const LayerCache& cache,
                     const Batch& batch, float* x);
void feed_forward_block(const Source& source, int64_t tokens, const Matrix& gate, const Matrix& up, const Matrix& down,
                        float* x);

// A token for each row of scores ([rows][vocab]; see `sample` for what becomes of them), or the logprob of the token
// given; `maxima` as `score` gives them, or null; `alternatives` has room for those of all rows, one after the other.
void sample_rows(float* scores, int64_t vocab, const float* maxima, const SampleRow* rows, int64_t count, Sampled* out,
                 Candidate* alternatives);

}  // namespace mistralet
