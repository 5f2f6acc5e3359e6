#include "penalties.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mistralet {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();
// So large that nothing else is left to choose, and yet no infinity: the token can be chosen if it is the only one.
constexpr double kLargestPenalty = 1e30;

bool has_bit(const int32_t* bits, int64_t words, int32_t token) {
  return bits != nullptr && token / 32 < words && (static_cast<uint32_t>(bits[token / 32]) >> (token % 32) & 1);
}

void forbid_unmasked(float* scores, int64_t vocab, const int32_t* mask, int64_t words) {
  for (int64_t first = 0; first < vocab; first += 32) {
    const uint32_t allowed = first / 32 < words ? static_cast<uint32_t>(mask[first / 32]) : 0;
    if (allowed == ~uint32_t{0}) continue;
    const int64_t count = std::min<int64_t>(32, vocab - first);
    for (int64_t i = 0; i < count; ++i) scores[first + i] = allowed >> i & 1 ? scores[first + i] : kForbidden;
  }
}

// For each place i of `text`, how many tokens from there on are those of its beginning (the Z algorithm: Gusfield,
// "Algorithms on Strings, Trees, and Sequences", 1.4): in one pass, whatever the text.
void match_with_beginning(const std::vector<int32_t>& text, std::vector<int64_t>& matches) {
  const int64_t size = static_cast<int64_t>(text.size());
  matches.assign(size, 0);
  for (int64_t i = 1, left = 0, right = 0; i < size; ++i) {
    int64_t length = i < right ? std::min(right - i, matches[i - left]) : 0;
    while (i + length < size && text[length] == text[i + length]) ++length;
    if (i + length > right) left = i, right = i + length;
    matches[i] = length;
  }
}

}  // namespace

void ChangedScores::set(float* scores, int64_t vocab, int32_t token, float score) {
  if (token < 0 || token >= vocab) return;
  before_.emplace_back(token, scores[token]);
  scores[token] = score;
}

void ChangedScores::penalise_seen(float* scores, int64_t vocab, const SampleRow& row) {
  for (int64_t i = 0; i < row.seen_size; ++i) {
    const int32_t token = row.seen[i];
    if (token < 0 || token >= vocab) continue;
    float score = scores[token];
    score = score > 0.0f ? score / row.repetition_penalty : score * row.repetition_penalty;
    const int32_t count = row.seen_counts[i];
    if (count > 0) score -= row.frequency_penalty * static_cast<float>(count) + row.presence_penalty;
    set(scores, vocab, token, score);
  }
}

// DRY: see engine/sampling/dry.py.
void ChangedScores::penalise_repeats(float* scores, int64_t vocab, const SampleRow& row) {
  const auto breaks = [&](int32_t token) { return has_bit(row.breakers, row.breaker_words, token); };
  reversed_.assign(std::make_reverse_iterator(row.tokens + row.tokens_size), std::make_reverse_iterator(row.tokens));
  const int64_t unbroken = std::find_if(reversed_.begin(), reversed_.end(), breaks) - reversed_.begin();
  if (unbroken < row.dry_allowed_length) return;
  match_with_beginning(reversed_, matches_);
  repeats_.clear();
  for (int64_t i = 1; i < row.tokens_size; ++i) {
    const int64_t length = std::min(matches_[i], unbroken);
    if (length >= row.dry_allowed_length && !breaks(reversed_[i - 1])) repeats_.emplace_back(reversed_[i - 1], length);
  }
  std::sort(repeats_.begin(), repeats_.end());
  for (size_t i = 0; i < repeats_.size(); ++i) {
    const auto [token, length] = repeats_[i];
    const bool is_longest = i + 1 == repeats_.size() || repeats_[i + 1].first != token;
    if (!is_longest || token < 0 || token >= vocab) continue;
    const auto excess = static_cast<double>(length - row.dry_allowed_length);
    const double penalty = row.dry_multiplier * std::pow(row.dry_base, excess);
    set(scores, vocab, token, scores[token] - static_cast<float>(std::min(penalty, kLargestPenalty)));
  }
}

void ChangedScores::apply(float* scores, int64_t vocab, const SampleRow& row) {
  before_.clear();
  penalise_seen(scores, vocab, row);
  if (row.tokens_size > 0) penalise_repeats(scores, vocab, row);
  for (int64_t i = 0; i < row.biased_size; ++i) {
    const int32_t token = row.biased[i];
    if (token >= 0 && token < vocab) set(scores, vocab, token, scores[token] + row.biases[i]);
  }
  first_barred_ = before_.size();
  for (int64_t i = 0; i < row.barred_size; ++i) set(scores, vocab, row.barred[i], kForbidden);
  if (row.mask != nullptr) forbid_unmasked(scores, vocab, row.mask, row.mask_words);
}

bool ChangedScores::allow_barred(float* scores, int64_t vocab, const SampleRow& row) {
  if (first_barred_ == before_.size()) return false;
  for (; before_.size() > first_barred_; before_.pop_back()) scores[before_.back().first] = before_.back().second;
  if (row.mask != nullptr) forbid_unmasked(scores, vocab, row.mask, row.mask_words);
  return true;
}

void ChangedScores::undo(float* scores) {
  for (; !before_.empty(); before_.pop_back()) scores[before_.back().first] = before_.back().second;
}

}  // namespace mistralet
