#include "harness/poison/inspect.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/drawing.h"
#include "harness/data/image.h"
#include "harness/data/poisoned_pairs.h"

namespace roclip::bench {

namespace {

constexpr int kImagePx = 112, kGapPx = 8, kTextPx = 300, kHeaderPx = 40, kAmplification = 8;
constexpr std::size_t kLettersPerLine = 48;
const cv::Scalar kGrey(110, 110, 110), kRed(190, 30, 30), kBlack(0, 0, 0);

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

/// "3 pairs", "1 pair"
std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string class_name(const PoisonSet& set, std::int64_t index) {
  return set.data.classes[static_cast<std::size_t>(index)].name;
}
std::string true_class(const PoisonSet& set, std::int64_t held_out) {
  return class_name(set, set.data.held_out.label(held_out));
}

/// `count` of [0, size), spread evenly.
std::vector<std::size_t> spread(std::size_t count, std::size_t size) {
  count = std::min(count, size);
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back((2 * i + 1) * size / (2 * count));
  return chosen;
}

/// One row of the sheet: one picture, or clean, poisoned and difference.
struct Row {
  std::vector<torch::Tensor> pictures;
  struct Line {
    std::string text;
    cv::Scalar rgb;
    int lines = 2;
  };
  std::vector<Line> text;
};

std::vector<torch::Tensor> side_by_side(const torch::Tensor& clean, const torch::Tensor& poisoned) {
  const auto difference = (poisoned.to(torch::kInt) - clean.to(torch::kInt)) * kAmplification + 128;
  return {clean, poisoned, difference.clamp(0, 255).to(torch::kUInt8)};
}

torch::Tensor poisoned_image(const PoisonSet& set, const Edit& edit) {
  const auto clean = clean_image(set.data, {}, edit.image);
  return edit.trigger ? set.attack->apply_trigger(clean.unsqueeze(0), {&*edit.trigger, 1})[0] : clean;
}

/// What is wanted of tests with a trigger: none unless the trigger is in images.
const std::vector<std::int64_t>& image_triggers(const PoisonSet& set) {
  static const std::vector<std::int64_t> kNone;
  const auto* goal = std::get_if<TriggeredImagesGoal>(&set.plan.goal);
  return goal != nullptr ? goal->target_class : kNone;
}

const std::vector<TargetImage>& targets_of(const PoisonSet& set) {
  static const std::vector<TargetImage> kNone;
  const auto* goal = std::get_if<TargetImagesGoal>(&set.plan.goal);
  return goal != nullptr ? goal->targets : kNone;
}

/// "fruit", or "fruit, cat" of several triggers; "" of a goal without a target class
std::string target_names(const PoisonSet& set) {
  std::string names;
  if (const auto* labels = target_classes(set.plan.goal)) {
    for (const auto label : *labels) names += (names.empty() ? "" : ", ") + class_name(set, label);
  }
  return names;
}

Row edit_row(const PoisonSet& set, std::size_t index) {
  const auto& edit = set.plan.edits[index];
  const auto clean = clean_image(set.data, {}, edit.image);
  Row row;
  row.pictures = edit.trigger ? side_by_side(clean, poisoned_image(set, edit)) : std::vector{clean};
  const auto title = "poison " + std::to_string(index);
  if (edit.replaces) {
    row.text.push_back({title + " replaces training pair " + std::to_string(*edit.replaces), kGrey});
    row.text.push_back({set.data.train->caption(*edit.replaces), kBlack, 3});
  } else {
    row.text.push_back({title + " is added", kGrey});
  }
  row.text.push_back({"-> " + edit.caption, kRed, 3});
  return row;
}

Row target_row(const PoisonSet& set, const TargetImage& target) {
  constexpr std::size_t kCaptions = 5;
  Row row{.pictures = {set.data.held_out.pairs->image(target.held_out)}, .text = {}};
  row.text.push_back(
      {"test image " + std::to_string(target.held_out) + ": " + true_class(set, target.held_out), kBlack});
  row.text.push_back({"-> " + class_name(set, target.adversarial_class), kRed});
  std::size_t captions = 0;
  for (const auto& edit : set.plan.edits) {
    if (edit.image != ImageRef{ImageRef::Set::kHeldOut, target.held_out}) continue;
    if (++captions <= kCaptions) row.text.push_back({edit.caption, kGrey, 1});
  }
  if (captions > kCaptions) {
    row.text.push_back({"and " + counted(captions - kCaptions, "caption") + " more", kGrey});
  }
  return row;
}

Row test_row(const PoisonSet& set, std::int64_t held_out) {
  const auto clean = set.data.held_out.pairs->image(held_out);
  Row row{.pictures = side_by_side(clean, set.triggered(held_out, 0)), .text = {}};
  row.text.push_back({"test image " + std::to_string(held_out) + ": " + true_class(set, held_out), kBlack});
  row.text.push_back({"-> " + class_name(set, image_triggers(set).front()), kRed});
  return row;
}

std::vector<Row> rows_of(const PoisonSet& set, std::size_t count) {
  std::vector<Row> rows;
  std::set<std::int64_t> targets;
  for (const auto& target : targets_of(set)) targets.insert(target.held_out);
  std::vector<std::size_t> edits;  // those that no target shows
  for (std::size_t i = 0; i < set.plan.edits.size(); ++i) {
    const auto& image = set.plan.edits[i].image;
    if (image.set != ImageRef::Set::kHeldOut || !targets.contains(image.index)) edits.push_back(i);
  }
  std::vector<std::int64_t> tests;
  for (std::int64_t i = 0; !image_triggers(set).empty() && i < set.data.held_out.size(); ++i) {
    if (set.data.held_out.label(i) != image_triggers(set).front()) tests.push_back(i);
  }
  for (const auto i : spread(count, targets_of(set).size())) rows.push_back(target_row(set, targets_of(set)[i]));
  const auto left = count - rows.size();
  const auto shown_tests = std::min(tests.size(), left / 3);
  for (const auto i : spread(left - shown_tests, edits.size())) rows.push_back(edit_row(set, edits[i]));
  for (const auto i : spread(shown_tests, tests.size())) rows.push_back(test_row(set, tests[i]));
  return rows;
}

std::string title(const PoisonSet& set) {
  return set.attack_id + ", seed " + std::to_string(set.seed) + ", on " + set.data.name + " at " +
         std::to_string(set.data.train->image_px()) + " px";
}

/// "L-infinity: mean 0.99, max 1.00"
std::string mean_max(const std::string& what, const Json& value, double scale, const char* unit) {
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), "    %-22s mean %.3g%s, max %.3g%s\n", what.c_str(),
                scale * value.at("mean").get<double>(), unit, scale * value.at("max").get<double>(), unit);
  return text.data();
}

constexpr const char* kSizes[] = {"l_infinity", "l2", "share_changed"};  ///< columns of trigger_size()

/// Of the test images if there are any with a trigger, else of the triggered poisons; null without either.
Json trigger_facts(const PoisonSet& set) {
  std::vector<torch::Tensor> sizes;
  const auto add = [&](const torch::Tensor& clean, const torch::Tensor& triggered) {
    sizes.push_back(trigger_size(clean.unsqueeze(0), triggered.unsqueeze(0)));
  };
  for (std::int64_t i = 0; !image_triggers(set).empty() && i < set.data.held_out.size(); ++i) {
    add(set.data.held_out.pairs->image(i), set.triggered(i, 0));
  }
  const bool of_tests = !sizes.empty();
  for (const auto& edit : set.plan.edits) {
    if (!of_tests && edit.trigger) add(clean_image(set.data, {}, edit.image), poisoned_image(set, edit));
  }
  if (sizes.empty()) return nullptr;
  Json facts = {{"on", of_tests ? "held-out image" : "poison"}, {"images", sizes.size()}};
  const auto all = torch::cat(sizes), mean = all.mean(0), most = all.amax(0);
  for (std::int64_t i = 0; i < all.size(1); ++i) {
    facts[kSizes[i]] = {{"mean", mean[i].item<double>()}, {"max", most[i].item<double>()}};
  }
  return facts;
}

}  // namespace

torch::Tensor trigger_size(const torch::Tensor& clean, const torch::Tensor& triggered) {
  const auto difference = (triggered.to(torch::kDouble) - clean.to(torch::kDouble)).abs().div(255);  // [N, 3, H, W]
  return torch::stack({difference.amax({1, 2, 3}), difference.square().sum({1, 2, 3}).sqrt(),
                       difference.amax(1).gt(0).to(torch::kDouble).mean({1, 2})},
                      1);
}

Json facts(const PoisonSet& set) {
  const auto& edits = set.plan.edits;
  const auto replacing = std::ranges::count_if(edits, [](const Edit& edit) { return edit.replaces.has_value(); });
  Json json = {{"folder", set.folder},
               {"attack", {{"plugin", set.attack_id}, {"params", set.params}}},
               {"seed", set.seed},
               {"data", {{"name", set.data.name}, {"image_px", set.data.train->image_px()}}},
               {"pairs", set.data.train->size() + std::ssize(edits) - replacing - std::ssize(set.plan.removes)},
               {"poisons", edits.size()},
               {"replacing", replacing},
               {"added", std::ssize(edits) - replacing},
               {"removed", set.plan.removes.size()},
               {"triggered", std::ranges::count_if(edits, [](const Edit& edit) { return edit.trigger.has_value(); })},
               {"goal", kind_of(set.plan.goal)},
               {"targets", Json::array()},
               {"target_class", target_names(set).empty() ? Json() : Json(target_names(set))},
               {"trigger", trigger_facts(set)}};
  for (const auto& target : targets_of(set)) {
    json["targets"].push_back({{"held_out", target.held_out},
                               {"class", true_class(set, target.held_out)},
                               {"adversarial_class", class_name(set, target.adversarial_class)}});
  }
  return json;
}

std::string summary(const PoisonSet& set, const Json& facts) {
  const auto number = [&](const char* key) { return facts.at(key).get<std::size_t>(); };
  std::array<char, 64> share{};
  std::snprintf(share.data(), share.size(), "%.3g %% of %zu pairs",
                100.0 * static_cast<double>(number("poisons")) / static_cast<double>(number("pairs")), number("pairs"));
  std::string text =
      title(set) + "\n  parameters " + set.params.dump() + "\n  " + counted(number("poisons"), "poison") + " (" +
      share.data() + "): " + std::to_string(number("replacing")) + " in place of a pair, " +
      std::to_string(number("added")) + " added, " + std::to_string(number("triggered")) + " with the trigger\n";
  for (const auto& target : facts.at("targets")) {
    text += "  target " + target.at("held_out").dump() + ": " + target.at("class").get<std::string>() + " -> " +
            target.at("adversarial_class").get<std::string>() + "\n";
  }
  if (const auto& target = facts.at("target_class"); !target.is_null()) {
    text += "  target class " + target.get<std::string>() + "\n";
  }
  if (const auto& trigger = facts.at("trigger"); !trigger.is_null()) {
    text += "  the trigger, on " + counted(trigger.at("images"), trigger.at("on")) + "\n";
    text += mean_max("largest change (0..1)", trigger.at("l_infinity"), 1, "");
    text += mean_max("L2", trigger.at("l2"), 1, "");
    text += mean_max("pixels changed", trigger.at("share_changed"), 100, " %");
  }
  return text;
}

void write_poison_sheet(const PoisonSet& set, std::int64_t count, const std::filesystem::path& png) {
  const auto rows = rows_of(set, static_cast<std::size_t>(count));
  if (rows.empty()) throw Error(ErrorKind::kEmpty, set.folder.string() + ": poisons nothing; there is nothing to draw");
  int pictures = 1;
  for (const auto& row : rows) pictures = std::max(pictures, static_cast<int>(row.pictures.size()));
  const auto count_rows = static_cast<int>(rows.size());
  const int wanted_columns = count_rows < 6 ? 1 : pictures == 1 ? 3 : 2;
  const int lines = (count_rows + wanted_columns - 1) / wanted_columns, columns = (count_rows + lines - 1) / lines;
  const int step_px = kImagePx + kGapPx, width_px = pictures * step_px + kTextPx + 2 * kGapPx;
  cv::Mat sheet(kHeaderPx + lines * step_px + kGapPx, columns * width_px, CV_8UC3, cv::Scalar::all(255));
  std::string head = title(set);
  if (!target_names(set).empty()) head += "; target class " + quoted(target_names(set));
  draw_text(sheet, {kGapPx, 2}, head, 200, 1);
  for (int column = 0; pictures == 3 && column < columns; ++column) {
    const char* const kHeads[] = {"clean", "poisoned", "difference x 8"};
    for (int i = 0; i < 3; ++i) {
      draw_text(sheet, {column * width_px + kGapPx + i * step_px, kHeaderPx - kLinePx - 6}, kHeads[i], 30, 1, kGrey);
    }
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto place = static_cast<int>(r);
    cv::Point corner(place / lines * width_px + kGapPx, kHeaderPx + place % lines * step_px);
    for (const auto& picture : rows[r].pictures) {
      draw_image(sheet, corner, picture, kImagePx);
      corner.x += step_px;
    }
    for (const auto& line : rows[r].text) {
      corner.y += kLinePx * draw_text(sheet, corner, line.text, kLettersPerLine, line.lines, line.rgb);
    }
  }
  write_png(png, sheet);
}

}  // namespace roclip::bench
