#include "harness/data/poisoned_pairs.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip::bench {

namespace {

Json to_json(const ImageRef& image) {
  return {{"set", image.set == ImageRef::Set::kTrain ? "train" : "held_out"}, {"index", image.index}};
}

bool is_utf8(const std::string& text) {
  try {
    Json(text).dump();
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

}  // namespace

void check_plan(const PoisonPlan& plan, const AttackView& view) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorKind::kPlugin, "the attack's plan is not valid: " + what);
  };
  const auto check = [&](std::int64_t index, std::int64_t size, const std::string& what) {
    if (index >= 0 && index < size) return;
    refuse(what + " " + std::to_string(index) + " is not in [0, " + std::to_string(size) + ")");
  };
  std::vector<bool> replaced(static_cast<std::size_t>(view.train.size()), false);
  for (const auto& edit : plan.edits) {
    const bool train = edit.image.set == ImageRef::Set::kTrain;
    check(edit.image.index, train ? view.train.size() : view.held_out.size(), train ? "train image" : "held-out image");
    if (!is_utf8(edit.caption)) refuse("a caption is not UTF-8");
    if (!edit.replaces) continue;
    check(*edit.replaces, view.train.size(), "replaced pair");
    if (replaced[static_cast<std::size_t>(*edit.replaces)]) {
      refuse("pair " + std::to_string(*edit.replaces) + " is replaced twice");
    }
    replaced[static_cast<std::size_t>(*edit.replaces)] = true;
  }
  const auto classes = static_cast<std::int64_t>(view.classes.size());
  std::set<std::int64_t> targets;
  for (const auto& target : plan.targets) {
    check(target.held_out, view.held_out.size(), "target image");
    check(target.adversarial_class, classes, "adversarial class");
    if (!targets.insert(target.held_out).second) {
      refuse("image " + std::to_string(target.held_out) + " is a target twice");
    }
  }
  if (plan.target_class) check(*plan.target_class, classes, "target class");
  if (plan.target_class && !plan.targets.empty()) refuse("it has both target images and a target class");
}

Json manifest(const PoisonPlan& plan) {
  Json edits = Json::array(), targets = Json::array();
  for (const auto& edit : plan.edits) {
    edits.push_back({{"operation", edit.replaces ? "replace" : "add"},
                     {"pair", edit.replaces ? Json(*edit.replaces) : Json()},
                     {"image", to_json(edit.image)},
                     {"triggered", edit.triggered},
                     {"caption", edit.caption}});
  }
  for (const auto& target : plan.targets) {
    targets.push_back({{"held_out", target.held_out}, {"adversarial_class", target.adversarial_class}});
  }
  return {{"edits", std::move(edits)},
          {"targets", std::move(targets)},
          {"target_class", plan.target_class ? Json(*plan.target_class) : Json()}};
}

PoisonPlan plan_from_manifest(const Json& json) {
  PoisonPlan plan;
  for (const auto& edit : json.at("edits")) {
    const Json &pair = edit.at("pair"), &image = edit.at("image");
    const auto set = image.at("set") == "train" ? ImageRef::Set::kTrain : ImageRef::Set::kHeldOut;
    plan.edits.push_back({.replaces = pair.is_null() ? std::nullopt : std::optional(pair.get<std::int64_t>()),
                          .image = {set, image.at("index")},
                          .triggered = edit.at("triggered"),
                          .caption = edit.at("caption")});
  }
  for (const auto& target : json.at("targets")) {
    plan.targets.push_back({target.at("held_out"), target.at("adversarial_class")});
  }
  const Json& target_class = json.at("target_class");
  if (!target_class.is_null()) plan.target_class = target_class.get<std::int64_t>();
  return plan;
}

torch::Tensor clean_image(const Dataset& data, const ImageRef& image) {
  return (image.set == ImageRef::Set::kTrain ? data.train.images : data.held_out.images)[image.index];
}

PoisonedPairs::PoisonedPairs(const Dataset& data, const PoisonPlan& plan, const Attack& attack, std::uint64_t seed)
    : clean_(data.train) {
  std::vector<bool> replaced(static_cast<std::size_t>(clean_.size()), false);
  std::vector<torch::Tensor> images;
  for (const auto& edit : plan.edits) {
    if (edit.replaces) replaced[static_cast<std::size_t>(*edit.replaces)] = true;
    const auto image = clean_image(data, edit.image).unsqueeze(0);
    images.push_back(edit.triggered ? attack.apply_trigger(image) : image);
    poison_captions_.push_back(edit.caption);
  }
  if (!images.empty()) poison_images_ = torch::cat(images).contiguous();  // read as rows of bytes
  for (std::int64_t pair = 0; pair < clean_.size(); ++pair) {
    if (!replaced[static_cast<std::size_t>(pair)]) rows_.push_back(pair);
  }
  for (std::size_t poison = 0; poison < plan.edits.size(); ++poison) {
    rows_.push_back(clean_.size() + static_cast<std::int64_t>(poison));
  }
  Rng rng(seed);
  for (std::int64_t i = size() - 1; i > 0; --i) {
    std::swap(rows_[static_cast<std::size_t>(i)], rows_[static_cast<std::size_t>(rng.below(i + 1))]);
  }
}

const std::string& PoisonedPairs::caption(std::int64_t index) const {
  const auto row = rows_.at(static_cast<std::size_t>(index));
  return row < clean_.size() ? clean_.captions[static_cast<std::size_t>(row)]
                             : poison_captions_[static_cast<std::size_t>(row - clean_.size())];
}

torch::Tensor PoisonedPairs::images(const torch::Tensor& indices) const {
  const auto count = indices.numel();
  auto out = torch::empty({count, 3, clean_.images.size(2), clean_.images.size(3)}, torch::kByte);
  const auto bytes = static_cast<std::size_t>(out.numel() / std::max<std::int64_t>(count, 1));
  const auto rows = indices.contiguous();
  const auto* wanted = rows.data_ptr<std::int64_t>();
  auto* to = out.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < count; ++i, to += bytes) {
    const auto row = rows_.at(static_cast<std::size_t>(wanted[i]));
    const auto* from =
        row < clean_.size()
            ? clean_.images.data_ptr<std::uint8_t>() + static_cast<std::size_t>(row) * bytes
            : poison_images_.data_ptr<std::uint8_t>() + static_cast<std::size_t>(row - clean_.size()) * bytes;
    std::memcpy(to, from, bytes);
  }
  return out;
}

}  // namespace roclip::bench
