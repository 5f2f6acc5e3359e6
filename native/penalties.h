// What a request changes about the scores before a token is drawn: penalties, biases, tokens that it forbids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mistralet {

// How one token is chosen. Python writes these bytes (engine/sampling/native.py), all fields in this order.
struct SampleRow {
  uint64_t seed;
  int64_t index;               // of the token to draw, among those of the output
  const int32_t* mask;         // bits of the tokens allowed, 32 in a word; or null
  int64_t mask_words;
  const int32_t* seen;         // tokens that penalties count
  const int32_t* seen_counts;  // how often each is in the output; 0 if only in the prompt
  int64_t seen_size;
  const int32_t* biased;
  const float* biases;
  int64_t biased_size;
  const int32_t* barred;       // tokens that may come only if nothing else may
  int64_t barred_size;
  const int32_t* tokens;       // prompt and output, for DRY
  int64_t tokens_size;
  const int32_t* breakers;     // bits of the tokens that break a sequence; or null
  int64_t breaker_words;
  int64_t dry_allowed_length;
  double dry_multiplier;
  double dry_base;
  int64_t top_k;               // 0: all
  int64_t alternatives;        // whose logprobs are wanted; -1: no logprobs at all
  float temperature;           // 0: take the likeliest
  float top_p;
  float min_p;
  float repetition_penalty;
  float presence_penalty;
  float frequency_penalty;
  int32_t token;               // given, if only its logprob is wanted; else -1
  int32_t padding;

  bool changes_scores() const {
    return mask != nullptr || seen_size + biased_size + barred_size + tokens_size > 0;
  }
};

// The changed scores of one row, as long as they are changed.
class ChangedScores {
 public:
  // Penalties first, then biases, then the barred tokens. Tokens beyond the vocabulary are passed over.
  void apply(float* scores, int64_t vocab, const SampleRow& row);
  // Gives the barred tokens their scores back. False if there are none.
  bool allow_barred(float* scores);
  // All scores as they were.
  void undo(float* scores);

 private:
  void set(float* scores, int64_t vocab, int32_t token, float score);
  void penalise_seen(float* scores, int64_t vocab, const SampleRow& row);
  void penalise_repeats(float* scores, int64_t vocab, const SampleRow& row);

  std::vector<std::pair<int32_t, float>> before_;  // token and score, in the order of changes
  std::vector<int32_t> reversed_;
  std::vector<int64_t> matches_;
  std::vector<std::pair<int32_t, int64_t>> repeats_;  // token that would go on with a repeated sequence, and its length
  size_t first_barred_ = 0;
};

}  // namespace mistralet
