/// Words as tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/types.h>

#include "harness/model/tokenizer.h"
#include "roclip/dataset.h"

namespace roclip::bench {

/// Word-level vocabulary of a set of captions. Ids: 0 padding, 1 unknown, then words by falling frequency (ties by
/// spelling), so that it is the same on every machine. Captions are split by words(): lower case, letters and digits.
class Vocabulary final : public Tokenizer {
 public:
  static constexpr std::int64_t kPadding = 0, kUnknown = 1, kFirstWord = 2;
  /// Rows at the end for words that only poisons have: a rare trigger word is a token of its own, as in a vocabulary of
  /// bytes, and the initial weights do not depend on the attack.
  static constexpr std::int64_t kSpare = 8;

  /// Keeps words seen at least `min_count` times. @param poisons captions whose other words take the spare rows: the
  /// most frequent ones that occur as often
  Vocabulary(std::span<const std::string> captions, std::int64_t min_count, std::span<const std::string> poisons = {});
  Vocabulary(const PairSource& pairs, std::int64_t min_count, std::span<const std::string> poisons = {});
  /// That of these words by id, from kFirstWord on: known ones, then those of poisons.
  Vocabulary(std::vector<std::string> known, std::span<const std::string> of_poisons);

  TokenIds ids() const override { return {0, size()}; }
  std::string fingerprint() const override;
  Json state() const override;
  std::int64_t size() const { return kFirstWord + static_cast<std::int64_t>(words_.size()) + kSpare; }
  /// Those of the captions, without the words of the poisons.
  const std::vector<std::string>& known_words() const { return words_; }

  /// @return i64 [B, L], L = the longest caption, cut at `context_length`, at least 1; padding at the end. A caption
  /// without any word is one unknown token, so that no row is all padding.
  torch::Tensor tokenize(std::span<const std::string> captions, std::int64_t context_length) const override;

 private:
  using Counts = std::unordered_map<std::string, std::int64_t>;

  std::vector<std::string> words_;
  std::unordered_map<std::string, std::int64_t> ids_;
};

}  // namespace roclip::bench
