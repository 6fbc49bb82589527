/// Words to token ids.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/types.h>

namespace roclip::bench {

/// Word-level vocabulary of a set of captions. Ids: 0 padding, 1 unknown, then words by falling frequency (ties by
/// spelling), so that it is the same on every machine. Captions are split by words(): lower case, letters and digits.
class Vocabulary {
 public:
  static constexpr std::int64_t kPadding = 0, kUnknown = 1, kFirstWord = 2;

  /// Keeps words seen at least `min_count` times.
  Vocabulary(std::span<const std::string> captions, std::int64_t min_count);

  std::int64_t size() const { return kFirstWord + static_cast<std::int64_t>(words_.size()); }
  const std::vector<std::string>& known_words() const { return words_; }

  /// @return i64 [B, L], L = the longest caption, cut at `context_length`, at least 1; padding at the end. A caption
  /// without any word is one unknown token, so that no row is all padding.
  torch::Tensor tokenize(std::span<const std::string> captions, std::int64_t context_length) const;

 private:
  std::vector<std::string> words_;
  std::unordered_map<std::string, std::int64_t> ids_;
};

}  // namespace roclip::bench
