#include "harness/model/bpe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <queue>
#include <sstream>
#include <utility>

#include <torch/utils.h>
#include <zlib.h>

#include "harness/model/caption_text.h"
#include "harness/record/files.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

using Ids = std::vector<std::int64_t>;
using Pair = std::uint64_t;  // of ids; less = lower ids
Pair pair_of(std::int64_t left, std::int64_t right) {
  return (static_cast<Pair>(left) << 32) | static_cast<Pair>(right);
}

constexpr std::string_view kStart = "<start_of_text>", kEnd = "<end_of_text>";
constexpr std::int64_t kEndsWord = 256;  // added to the id of a byte

/// Bytes in the order of OpenAI's ids: those that Latin-1 prints, then the others.
struct ByteOrder {
  std::array<std::int64_t, 256> ids{};
  std::array<std::string, 256> spelled;  ///< by id, in a file of merges: a letter of UTF-8 for each

  ByteOrder() {
    const auto prints = [](int byte) {
      return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
    };
    std::size_t id = 0;
    int letter = 256;  // of the next byte that is not printed
    for (const bool printed : {true, false}) {
      for (int byte = 0; byte < 256; ++byte) {
        if (prints(byte) != printed) continue;
        const int c = printed ? byte : letter++;
        spelled[id] = c < 0x80 ? std::string(1, static_cast<char>(c))
                               : std::string{static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
        ids[static_cast<std::size_t>(byte)] = static_cast<std::int64_t>(id++);
      }
    }
  }
};

const ByteOrder& byte_order() {
  static const ByteOrder order;
  return order;
}

/// A word before any merge.
Ids bytes_of(std::string_view word) {
  Ids ids;
  for (const char byte : word) ids.push_back(byte_order().ids[static_cast<unsigned char>(byte)]);
  ids.back() += kEndsWord;
  return ids;
}

/// Replaces each `pair` by `id`, from left to right.
void merge(Ids& word, Pair pair, std::int64_t id) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < word.size(); ++i, ++end) {
    const bool is_pair = i + 1 < word.size() && pair_of(word[i], word[i + 1]) == pair;
    word[end] = is_pair ? id : word[i];
    i += is_pair ? 1 : 0;
  }
  word.resize(end);
}

/// As much as can be read.
std::string unzipped(const fs::path& file) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> input(::gzopen(file.c_str(), "rb"), ::gzclose);
  if (input == nullptr) {
    throw Error(ErrorKind::kData, file.string() + ": cannot be read: " + std::strerror(errno) +
                                      "; expected OpenAI's merges, bpe_simple_vocab_16e6.txt.gz");
  }
  std::string content;
  std::array<char, 1 << 16> part{};
  for (int size = 0; (size = ::gzread(input.get(), part.data(), part.size())) > 0;) {
    content.append(part.data(), static_cast<std::size_t>(size));
  }
  return content;
}

/// Words, and how often each pair of tokens occurs in them while pairs are merged.
class Merging {
 public:
  explicit Merging(const std::unordered_map<std::string, std::int64_t>& counts) {
    for (const auto& [word, count] : counts) {
      words_.push_back({bytes_of(word), count});
      count_pairs(words_.size() - 1, 1);
    }
    queue_new_pairs();
  }

  /// The most frequent pair. @return false if none occurs twice
  bool next(Pair& pair) {
    while (!queue_.empty()) {
      const auto [count, lower] = queue_.top();
      queue_.pop();
      pair = ~lower;
      const auto now = pairs_.at(pair).count;  // may be less since the pair was queued, never more
      if (now == count && now >= 2) return true;
      if (now >= 2) queue_.emplace(now, lower);
    }
    return false;
  }

  void apply(Pair pair, std::int64_t id) {
    for (const auto place : std::exchange(pairs_.at(pair).places, {})) {
      count_pairs(place, -1);
      merge(words_[place].ids, pair, id);
      count_pairs(place, 1);
    }
    queue_new_pairs();
  }

 private:
  struct Word {
    Ids ids;
    std::int64_t count;
  };
  struct Occurrences {
    std::int64_t count = 0;
    std::vector<std::size_t> places;  ///< words that it may be in
  };

  void count_pairs(std::size_t place, std::int64_t sign) {
    const auto& [ids, count] = words_[place];
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto [found, is_new] = pairs_.try_emplace(pair_of(ids[i], ids[i + 1]));
      auto& [total, places] = found->second;
      if (is_new) new_pairs_.push_back(found->first);
      total += sign * count;
      if (sign > 0 && (places.empty() || places.back() != place)) places.push_back(place);
    }
  }
  void queue_new_pairs() {
    for (const auto pair : std::exchange(new_pairs_, {})) queue_.emplace(pairs_.at(pair).count, ~pair);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Occurrences> pairs_;
  std::vector<Pair> new_pairs_;
  std::priority_queue<std::pair<std::int64_t, Pair>> queue_;  ///< counts and ~pairs: the lowest pair is the greatest
};

}  // namespace

BytePairs BytePairs::openai(const fs::path& merges) {
  constexpr std::string_view kHash = "83c7b3ee08aff4c23456375b922f0cb6";
  constexpr std::int64_t kMerges = 49152 - 256 - 2;  // the file has more
  const auto content = unzipped(merges);
  if (const auto hash = hash_hex(content); hash != kHash) {
    throw Error(ErrorKind::kData, merges.string() + ": is not OpenAI's file of merges; expected the XXH3-128 " +
                                      std::string(kHash) + " of its unzipped content, got " + hash +
                                      "; copy bpe_simple_vocab_16e6.txt.gz there from the package open_clip_torch");
  }
  BytePairs made;
  std::unordered_map<std::string, std::int64_t> ids;
  for (const auto& byte : byte_order().spelled) {
    const auto id = std::ssize(ids) / 2;
    ids[byte] = id;
    ids[byte + "</w>"] = id + kEndsWord;
  }
  std::istringstream lines(content);
  std::string left, right;
  std::getline(lines, left);  // the version
  while (std::ssize(made.merged_) < kMerges && lines >> left >> right) {
    const auto id = made.start();
    made.merged_[pair_of(ids.at(left), ids.at(right))] = id;
    ids[left + right] = id;
  }
  return made;
}

BytePairs BytePairs::of(std::span<const std::pair<std::int64_t, std::int64_t>> merges) {
  BytePairs made;
  for (const auto& [left, right] : merges) {
    const auto id = made.start();
    made.merged_[pair_of(left, right)] = id;
  }
  return made;
}

std::vector<std::pair<std::int64_t, std::int64_t>> BytePairs::merges() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> merges(merged_.size());
  for (const auto& [pair, id] : merged_) {
    merges[static_cast<std::size_t>(id - kBytes)] = {static_cast<std::int64_t>(pair >> 32), pair & 0xffffffff};
  }
  return merges;
}

std::string BytePairs::fingerprint() const {
  std::vector<Pair> pairs;
  for (const auto& [left, right] : merges()) pairs.push_back(pair_of(left, right));
  return hash_hex({reinterpret_cast<const char*>(pairs.data()), pairs.size() * sizeof(Pair)});
}

BytePairs BytePairs::train(std::span<const std::string> captions, std::int64_t vocab_size) {
  std::unordered_map<std::string, std::int64_t> counts;
  for (const auto& caption : captions) {
    for (auto& word : bpe_words(clean_caption(caption))) counts[std::move(word)] += 1;
  }
  for (const auto special : {kStart, kEnd}) counts.erase(std::string(special));
  Merging merging(counts);
  BytePairs made;
  for (Pair pair = 0; made.size() < vocab_size && merging.next(pair);) {
    const auto id = made.start();
    made.merged_[pair] = id;
    merging.apply(pair, id);
  }
  return made;
}

std::vector<std::int64_t> BytePairs::encode_word(const std::string& word) const {
  if (word == kStart) return {start()};
  if (word == kEnd) return {end()};
  auto ids = bytes_of(word);
  for (;;) {
    // Ids rise in the order of the merges, so the lowest one comes first.
    std::pair<std::int64_t, Pair> first(start(), 0);
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto pair = pair_of(ids[i], ids[i + 1]);
      const auto found = merged_.find(pair);
      if (found != merged_.end()) first = std::min(first, {found->second, pair});
    }
    if (first.first == start()) return ids;
    merge(ids, first.second, first.first);
  }
}

std::vector<std::int64_t> BytePairs::encode(std::string_view caption) const {
  constexpr std::size_t kMostKnown = 1 << 20;
  Ids ids;
  for (const auto& word : bpe_words(clean_caption(caption))) {
    auto known = known_.find(word);
    if (known == known_.end()) {
      if (known_.size() == kMostKnown) known_.clear();
      known = known_.emplace(word, encode_word(word)).first;
    }
    ids.insert(ids.end(), known->second.begin(), known->second.end());
  }
  return ids;
}

torch::Tensor BpeTokenizer::tokenize(std::span<const std::string> captions, std::int64_t context_length) const {
  std::vector<Ids> rows;
  std::int64_t longest = 1;
  for (const auto& caption : captions) {
    auto& row = rows.emplace_back(Ids{pairs_.start()});
    const auto ids = pairs_.encode(caption);
    row.insert(row.end(), ids.begin(), ids.end());
    row.resize(std::min(row.size() + 1, static_cast<std::size_t>(context_length)));
    row.back() = pairs_.end();
    row.erase(std::ranges::find(row, pairs_.end()) + 1, row.end());  // CLIP reads a caption at its first end
    longest = std::max(longest, std::ssize(row));
  }
  auto tokens = torch::zeros({std::ssize(rows), longest}, torch::kLong);
  auto* out = tokens.data_ptr<std::int64_t>();
  for (const auto& row : rows) {
    std::ranges::transform(row, out, [](std::int64_t id) { return 1 + id; });
    out += longest;
  }
  return tokens;
}

fs::path installed_merges() {
  constexpr const char* kCommand =
      "python3 -c 'import importlib.util as util; print(util.find_spec(\"open_clip\").origin)' 2>/dev/null";
  std::string module;
  if (std::FILE* output = ::popen(kCommand, "r"); output != nullptr) {
    for (int c = 0; (c = std::fgetc(output)) != EOF && c != '\n';) module += static_cast<char>(c);
    ::pclose(output);
  }
  const auto merges = fs::path(module).replace_filename("bpe_simple_vocab_16e6.txt.gz");
  if (module.empty() || !fs::exists(merges)) {
    throw Error(ErrorKind::kMatrix,
                "OpenAI's file of merges is not to be found: python3 has no package "
                "open_clip_torch; give \"merges\" a path, or pip install open_clip_torch");
  }
  return merges;
}

}  // namespace roclip::bench
