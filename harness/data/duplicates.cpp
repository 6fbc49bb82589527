#include "harness/data/duplicates.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>
#include <unordered_map>

#include <torch/types.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace roclip::bench {

namespace {

constexpr std::int64_t kNone = -1;

/// Sets that are joined; each is known by its smallest member.
class Joined {
 public:
  explicit Joined(std::int64_t size) : parents_(static_cast<std::size_t>(size)) {
    std::iota(parents_.begin(), parents_.end(), 0);
  }
  std::int64_t root(std::int64_t of) {
    while (at(of) != of) of = at(of) = at(at(of));
    return of;
  }
  void join(std::int64_t a, std::int64_t b) {
    const auto low = std::min(root(a), root(b)), high = std::max(root(a), root(b));
    at(high) = low;
  }
  std::vector<PairGroup> groups() {
    std::vector<PairGroup> all(parents_.size());
    for (std::int64_t i = 0; i < std::ssize(parents_); ++i) all[static_cast<std::size_t>(root(i))].push_back(i);
    return all;
  }

 private:
  std::int64_t& at(std::int64_t i) { return parents_[static_cast<std::size_t>(i)]; }
  std::vector<std::int64_t> parents_;
};

std::uint64_t hash_of(const std::vector<std::string>& words, std::int64_t without = kNone) {
  std::string text;
  for (std::int64_t i = 0; i < std::ssize(words); ++i) {
    if (i != without) text += words[static_cast<std::size_t>(i)] + " ";
  }
  return XXH3_64bits(text.data(), text.size());
}

/// Those of at least two, largest first.
std::vector<PairGroup> sorted(std::vector<PairGroup> groups) {
  std::erase_if(groups, [](const PairGroup& group) { return group.size() < 2; });
  std::ranges::stable_sort(groups, [](const PairGroup& a, const PairGroup& b) {
    return a.size() != b.size() ? a.size() > b.size() : a.front() < b.front();
  });
  return groups;
}

/// Pairs of equal keys. @param key of an index
template <class Key>
std::vector<PairGroup> grouped(std::int64_t size, const Key& key) {
  std::unordered_map<std::uint64_t, PairGroup> by_key;
  for (std::int64_t i = 0; i < size; ++i) by_key[key(i)].push_back(i);
  std::vector<PairGroup> groups;
  for (auto& [hash, group] : by_key) groups.push_back(std::move(group));
  return sorted(std::move(groups));
}

ImageMark mark_of(const cv::Mat& rgb) {
  constexpr int kSide = 32, kLow = 8;
  ImageMark mark{XXH3_64bits(rgb.data, rgb.total() * rgb.elemSize()), 0, {}};
  cv::Mat small, grey, cosines;
  cv::resize(rgb, small, cv::Size(kSide, kSide), 0, 0, cv::INTER_AREA);
  cv::cvtColor(small, grey, cv::COLOR_RGB2GRAY);
  grey.convertTo(grey, CV_32F);
  cv::dct(grey, cosines);
  std::array<float, kLow * kLow> low{};
  for (int i = 0; i < kLow * kLow; ++i) low[static_cast<std::size_t>(i)] = cosines.at<float>(i / kLow, i % kLow);
  low[0] = 0;  // the brightness
  auto middle = low;
  std::ranges::nth_element(middle, middle.begin() + kLow * kLow / 2);
  for (std::size_t i = 0; i < low.size(); ++i) mark.shape |= std::uint64_t{low[i] > middle[kLow * kLow / 2]} << i;
  cv::resize(rgb, small, cv::Size(4, 4), 0, 0, cv::INTER_AREA);
  std::copy_n(small.data, mark.colours.size(), mark.colours.begin());
  return mark;
}

}  // namespace

std::vector<PairGroup> same_captions(const PairSource& pairs) {
  return grouped(pairs.size(), [&](std::int64_t i) { return hash_of(words(pairs.caption(i))); });
}

std::vector<PairGroup> near_captions(const PairSource& pairs) {
  constexpr std::size_t kLeastWords = 4;
  Joined joined(pairs.size());
  std::vector<std::uint64_t> whole;
  std::unordered_map<std::uint64_t, std::int64_t> first;  // of each set of words, and of each such set without one word
  const auto meet = [&](std::uint64_t key, std::int64_t pair) {
    const auto [known, is_new] = first.try_emplace(key, pair);
    if (!is_new) joined.join(known->second, pair);
  };
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    auto bag = words(pairs.caption(i));
    whole.push_back(hash_of(bag));
    std::ranges::sort(bag);
    meet(hash_of(bag), i);
    if (bag.size() < kLeastWords) continue;
    for (std::int64_t word = 0; word < std::ssize(bag); ++word) meet(hash_of(bag, word), i);
  }
  auto groups = joined.groups();
  std::erase_if(groups, [&](const PairGroup& group) {
    return std::ranges::all_of(group, [&](auto i) {
      return whole[static_cast<std::size_t>(i)] == whole[static_cast<std::size_t>(group.front())];
    });
  });
  return sorted(std::move(groups));
}

std::vector<ImageMark> image_marks(const PairSource& pairs) {
  std::vector<ImageMark> marks(static_cast<std::size_t>(pairs.size()));
  const auto side = static_cast<int>(pairs.image_px());
  cv::parallel_for_(cv::Range(0, static_cast<int>(pairs.size())), [&](const cv::Range& range) {
    std::vector<std::uint8_t> planes(3 * static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
    for (int i = range.start; i < range.end; ++i) {
      pairs.read_image(i, planes.data());
      std::vector<cv::Mat> channels;
      for (int c = 0; c < 3; ++c) channels.emplace_back(side, side, CV_8UC1, planes.data() + c * side * side);
      cv::Mat rgb;
      cv::merge(channels, rgb);
      marks[static_cast<std::size_t>(i)] = mark_of(rgb);
    }
  });
  return marks;
}

double colour_distance(const ImageMark& a, const ImageMark& b) {
  int sum = 0;
  for (std::size_t i = 0; i < a.colours.size(); ++i) sum += std::abs(a.colours[i] - b.colours[i]);
  return sum / (255.0 * static_cast<double>(a.colours.size()));
}

std::vector<PairGroup> same_images(const std::vector<ImageMark>& marks) {
  return grouped(std::ssize(marks), [&](std::int64_t i) { return marks[static_cast<std::size_t>(i)].pixels; });
}

namespace {

/// All pairs, joined with those of like images.
Joined like_images(const std::vector<ImageMark>& marks) {
  constexpr int kBits = 4, kBands = kBits + 1, kWindow = 32;  // five bands: one of them is equal where four bits differ
  constexpr double kColours = 0.04;
  Joined joined(std::ssize(marks));
  const auto at = [&](std::int64_t i) -> const ImageMark& { return marks[static_cast<std::size_t>(i)]; };
  std::vector<std::int64_t> order(marks.size());
  std::iota(order.begin(), order.end(), 0);
  for (int band = 0; band < kBands; ++band) {
    // Turned so that the band comes first; neighbours in that order are compared.
    const auto key = [&](std::int64_t i) { return std::pair(std::rotl(at(i).shape, 13 * band), at(i).pixels); };
    std::ranges::sort(order, {}, key);
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t j = i + 1; j < std::min(order.size(), i + 1 + kWindow); ++j) {
        const auto &a = at(order[i]), &b = at(order[j]);
        const bool like = std::popcount(a.shape ^ b.shape) <= kBits && colour_distance(a, b) <= kColours;
        if (a.pixels == b.pixels || like) joined.join(order[i], order[j]);
      }
    }
  }
  return joined;
}

/// Calls use(i, j) for each pair of a group with at most 200 others of it.
template <class Use>
void for_each_neighbour(const PairGroup& group, const Use& use) {
  constexpr std::size_t kMost = 200;
  for (std::size_t i = 0; i < group.size(); ++i) {
    for (std::size_t step = 1; step < std::min(group.size(), kMost + 1); ++step) {
      use(group[i], group[(i + step) % group.size()]);
    }
  }
}

}  // namespace

std::vector<PairGroup> near_images(const std::vector<ImageMark>& marks) {
  auto groups = like_images(marks).groups();
  std::erase_if(groups, [&](const PairGroup& group) {
    return std::ranges::all_of(group, [&](auto i) {
      return marks[static_cast<std::size_t>(i)].pixels == marks[static_cast<std::size_t>(group.front())].pixels;
    });
  });
  return sorted(std::move(groups));
}

double word_overlap(const std::string& a, const std::string& b) {
  const auto of_a = words(a), of_b = words(b);
  const std::set<std::string> left(of_a.begin(), of_a.end()), right(of_b.begin(), of_b.end());
  const auto shared = std::ranges::count_if(left, [&](const std::string& word) { return right.contains(word); });
  const auto all = std::ssize(left) + std::ssize(right) - shared;
  return all == 0 ? 1 : static_cast<double>(shared) / static_cast<double>(all);
}

FloodScores flood_scores(const PairSource& pairs, const std::vector<ImageMark>& marks) {
  constexpr double kUnlikeWords = 1.0 / 3, kUnlikeColours = 0.1;
  FloodScores scores{std::vector<double>(marks.size()), std::vector<double>(marks.size())};
  for (const auto& group : sorted(like_images(marks).groups())) {
    for_each_neighbour(group, [&](std::int64_t i, std::int64_t j) {
      const bool unlike = word_overlap(pairs.caption(i), pairs.caption(j)) < kUnlikeWords;
      scores.captions_of_image[static_cast<std::size_t>(i)] += unlike;
    });
  }
  for (const auto& group : same_captions(pairs)) {
    for_each_neighbour(group, [&](std::int64_t i, std::int64_t j) {
      const auto distance = colour_distance(marks[static_cast<std::size_t>(i)], marks[static_cast<std::size_t>(j)]);
      scores.images_of_caption[static_cast<std::size_t>(i)] += distance > kUnlikeColours;
    });
  }
  return scores;
}

}  // namespace roclip::bench
