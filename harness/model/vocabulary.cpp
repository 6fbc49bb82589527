#include "harness/model/vocabulary.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/files.h"
#include "roclip/dataset.h"

namespace roclip::bench {

namespace {

using Counts = std::unordered_map<std::string, std::int64_t>;

void count_words(const std::string& caption, Counts& counts) {
  for (auto& word : words(caption)) counts[std::move(word)] += 1;
}

Counts counts_of(std::span<const std::string> captions) {
  Counts counts;
  for (const auto& caption : captions) count_words(caption, counts);
  return counts;
}

Counts counts_of(const PairSource& pairs) {
  Counts counts;
  for (std::int64_t i = 0; i < pairs.size(); ++i) count_words(pairs.caption(i), counts);
  return counts;
}

/// By falling frequency, ties by spelling.
std::vector<std::string> frequent(const Counts& counts, std::int64_t min_count) {
  std::vector<std::string> words;
  for (const auto& [word, count] : counts) {
    if (count >= min_count) words.push_back(word);
  }
  std::ranges::sort(words, [&](const std::string& a, const std::string& b) {
    return counts.at(a) != counts.at(b) ? counts.at(a) > counts.at(b) : a < b;
  });
  return words;
}

}  // namespace

Vocabulary::Vocabulary(std::span<const std::string> captions, std::int64_t min_count,
                       std::span<const std::string> poisons)
    : Vocabulary(frequent(counts_of(captions), min_count), frequent(counts_of(poisons), min_count)) {}

Vocabulary::Vocabulary(const PairSource& pairs, std::int64_t min_count, std::span<const std::string> poisons)
    : Vocabulary(frequent(counts_of(pairs), min_count), frequent(counts_of(poisons), min_count)) {}

Vocabulary::Vocabulary(std::vector<std::string> known, std::span<const std::string> of_poisons)
    : words_(std::move(known)) {
  for (const auto& word : words_) ids_.emplace(word, kFirstWord + std::ssize(ids_));
  const auto end = size();
  for (const auto& word : of_poisons) {
    if (kFirstWord + std::ssize(ids_) < end) ids_.emplace(word, kFirstWord + std::ssize(ids_));
  }
}

std::string Vocabulary::fingerprint() const {
  std::string all;
  for (const auto& word : words_) all += word + "\n";
  return hash_hex(all);
}

Json Vocabulary::state() const {
  std::vector<std::string> of_poisons(ids_.size() - words_.size());
  for (const auto& [word, id] : ids_) {
    const auto place = id - kFirstWord - std::ssize(words_);
    if (place >= 0) of_poisons[static_cast<std::size_t>(place)] = word;
  }
  return {{"words", words_}, {"of_poisons", of_poisons}};
}

torch::Tensor Vocabulary::tokenize(std::span<const std::string> captions, std::int64_t context_length) const {
  std::vector<std::vector<std::int64_t>> rows;
  std::int64_t longest = 1;
  for (const auto& caption : captions) {
    auto& row = rows.emplace_back();
    for (const auto& word : words(caption)) {
      if (static_cast<std::int64_t>(row.size()) == context_length) break;
      const auto id = ids_.find(word);
      row.push_back(id == ids_.end() ? kUnknown : id->second);
    }
    if (row.empty()) row.push_back(kUnknown);
    longest = std::max(longest, static_cast<std::int64_t>(row.size()));
  }
  auto tokens = torch::full({static_cast<std::int64_t>(rows.size()), longest}, kPadding, torch::kLong);
  auto* out = tokens.data_ptr<std::int64_t>();
  for (const auto& row : rows) {
    std::ranges::copy(row, out);
    out += longest;
  }
  return tokens;
}

}  // namespace roclip::bench
