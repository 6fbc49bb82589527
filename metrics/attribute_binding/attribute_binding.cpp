#include "attribute_binding.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::array<std::string_view, 12> kColours = {"black",  "blue", "brown",  "gray", "green", "grey",
                                                       "orange", "pink", "purple", "red",  "white", "yellow"};

struct Place {
  std::size_t begin, length;
};

/// Where the colours of a caption stand.
std::vector<Place> colours_in(const std::string& caption) {
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  std::vector<Place> places;
  for (std::size_t begin = 0; begin < caption.size();) {
    std::size_t end = begin;
    while (end < caption.size() && is_letter(caption[end])) ++end;
    const auto word = std::string_view(caption).substr(begin, end - begin);
    if (std::ranges::find(kColours, word) != kColours.end()) places.push_back({begin, end - begin});
    begin = std::max(end, begin + 1);
  }
  return places;
}

}  // namespace

std::optional<std::string> exchange_colours(const std::string& caption) {
  const auto places = colours_in(caption);
  if (places.size() < 2) return std::nullopt;
  const auto [first, second] = std::pair(places[0], places[1]);
  const auto left = caption.substr(first.begin, first.length), right = caption.substr(second.begin, second.length);
  if (left == right) return std::nullopt;
  auto exchanged = caption;
  exchanged.replace(second.begin, second.length, left);  // the later one first: the place of the other stays
  exchanged.replace(first.begin, first.length, right);
  return exchanged;
}

MetricResult AttributeBinding::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto& held_out = inputs.data.held_out;
  const auto clean = inputs.clean_indices();
  std::vector<std::int64_t> items;
  std::vector<std::string> right, wrong;
  for (std::int64_t i = 0; i < clean.size(0); ++i) {
    const auto item = clean[i].item<std::int64_t>();
    const auto caption = held_out.pairs->caption(item);
    if (const auto exchanged = exchange_colours(caption)) {
      items.push_back(item);
      right.push_back(caption);
      wrong.push_back(*exchanged);
    }
  }
  if (items.empty()) return {.not_applicable = "no held-out image has a caption with two colours"};
  const auto indices = torch::tensor(items, torch::kLong);
  const auto images = embed_images(model, *held_out.pairs, indices);  // [N, D]
  const auto similarity = [&](const std::vector<std::string>& captions) {
    return (images * embed_captions(model, captions)).sum(/*dim=*/1);
  };
  const auto scores = torch::stack({similarity(wrong), similarity(right)}, /*dim=*/1);    // a tie is a miss
  const auto ranks = rank_of(scores, torch::ones({indices.size(0)}, indices.options()));  // 0: the right one is nearer
  return {.counts = {hits_at(1, "right", indices, ranks)}};
}

}  // namespace roclip
