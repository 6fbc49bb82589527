/// Byte pair encoding, as OpenAI's CLIP has it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <torch/types.h>

#include "harness/model/tokenizer.h"

namespace roclip::bench {

/// Tokens are the 256 bytes, the 256 bytes that end a word, one for each merge of two tokens, start and end. For one
/// thread: encode() remembers the words that it has seen.
class BytePairs {
 public:
  /// OpenAI's. @param merges their file, plain or gzipped. @throws Error(kData) if it is any other
  static BytePairs openai(const std::filesystem::path& merges);
  /// Merges the most frequent pair in the words of the captions, ties by lower ids, until there are `vocab_size` tokens
  /// or no pair occurs twice. There are 514 without any merge.
  static BytePairs train(std::span<const std::string> captions, std::int64_t vocab_size);
  /// @param merges the two tokens of each, in order
  static BytePairs of(std::span<const std::pair<std::int64_t, std::int64_t>> merges);

  /// Ids of a caption's tokens, without start and end; open_clip's if the pairs are OpenAI's. May be empty.
  std::vector<std::int64_t> encode(std::string_view caption) const;
  std::int64_t size() const { return end() + 1; }
  std::int64_t start() const { return kBytes + static_cast<std::int64_t>(merged_.size()); }
  std::int64_t end() const { return start() + 1; }
  /// Hash of all merges.
  std::string fingerprint() const;
  /// The two tokens of each merge, in order.
  std::vector<std::pair<std::int64_t, std::int64_t>> merges() const;

 private:
  static constexpr std::int64_t kBytes = 512;  ///< tokens of one byte
  BytePairs() = default;
  std::vector<std::int64_t> encode_word(const std::string& word) const;

  std::unordered_map<std::uint64_t, std::int64_t> merged_;                    ///< pairs of ids to what they become
  mutable std::unordered_map<std::string, std::vector<std::int64_t>> known_;  ///< words that were encoded before
};

class BpeTokenizer final : public Tokenizer {
 public:
  /// @param trained on captions, not OpenAI's
  BpeTokenizer(BytePairs pairs, bool trained) : pairs_(std::move(pairs)), trained_(trained) {}
  TokenIds ids() const override { return {.first = 1, .count = pairs_.size()}; }
  std::string fingerprint() const override { return pairs_.fingerprint(); }
  Json state() const override { return trained_ ? Json(pairs_.merges()) : Json(); }
  /// Start, the caption, end; of a caption that is too long the last token is the end, too. What follows the word
  /// <end_of_text> is left out, for nothing sees it.
  torch::Tensor tokenize(std::span<const std::string> captions, std::int64_t context_length) const override;

 private:
  BytePairs pairs_;
  bool trained_;
};

/// The file of merges of the open_clip_torch that python3 finds. @throws Error(kMatrix) if there is none
std::filesystem::path installed_merges();

}  // namespace roclip::bench
