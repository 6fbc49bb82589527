#include "harness/model/vocabulary.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/dataset.h"

namespace roclip::bench {

Vocabulary::Vocabulary(std::span<const std::string> captions, std::int64_t min_count) {
  std::unordered_map<std::string, std::int64_t> counts;
  for (const auto& caption : captions) {
    for (auto& word : words(caption)) counts[std::move(word)] += 1;
  }
  for (const auto& [word, count] : counts) {
    if (count >= min_count) words_.push_back(word);
  }
  std::ranges::sort(words_, [&](const std::string& a, const std::string& b) {
    return counts.at(a) != counts.at(b) ? counts.at(a) > counts.at(b) : a < b;
  });
  for (std::size_t i = 0; i < words_.size(); ++i) ids_[words_[i]] = kFirstWord + static_cast<std::int64_t>(i);
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
