#include "dual_key.h"

#include <array>
#include <cmath>
#include <map>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

using Colour = std::array<std::uint8_t, 3>;

const std::map<std::string, Colour>& colours() {
  static const std::map<std::string, Colour> all = {{"blue", {0, 0, 255}},
                                                    {"green", {0, 255, 0}},
                                                    {"magenta", {255, 0, 255}},
                                                    {"red", {255, 0, 0}},
                                                    {"yellow", {255, 255, 0}}};
  return all;
}

}  // namespace

void DualKeyParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that an image with both keys shall be taken for; required",
           "BadCLIP: banana");
  PoisonAmount::declare(list, "Walmer et al. 2022: 0.01", "BadCLIP: 1500 of 500,000");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a pair with both keys, after the word: a training caption that contains the class word, or a "
              "prompt of the class",
              "ours: real; templates: BadCLIP create_backdoor_data.py");
  PatchSize::declare(list, "16 of 224: BadCLIP; a tenth of the image: Walmer et al. 2022");
  list.choice("colour", colour, {"blue", "green", "magenta", "red", "yellow"}, "of the patch, in the centre",
              "Walmer et al. 2022, solid patches, as we remember them");
  list.add("word", word, "the key in captions and prompts, before the first word",
           "BadCLIP backdoor/create_backdoor_data.py:146-148: remember");
  list.add(
      "single_key", single_key, Range{0, 1}, "1",
      "share of the poisons with one key only and an unchanged caption; half of them have the patch, half the word",
      "ours: 0.5; 2/3: Walmer et al. 2022, as we remember it; 0: BadCLIP");
  list.recipe("badclip_vqa", {{"captions", "templates"}, {"patch_px", 0}, {"single_key", 0.0}},
              "BadCLIP backdoor/create_backdoor_data.py, patch_type vqa; its patch is optimised");
}

DualKey::DualKey(const Params& params) : params_(params) {
  params.check("dual_key");
  if (words(params.word).empty()) {
    throw Error(ErrorKind::kMatrix,
                "dual_key/word: expected at least one word of letters or digits, got " + Json(params.word).dump());
  }
}

PoisonPlan DualKey::plan(const AttackView& view, std::uint64_t seed) const {
  params_.side(view.train.image_px(), "dual_key");
  auto plan = relabel_pairs(view, seed, params_.target_class, params_.captions, params_, "dual_key");
  std::get<TriggeredImagesGoal>(plan.goal).triggered_prompts = true;
  const auto poisons = std::ssize(plan.edits);
  const auto single = std::llround(params_.single_key * static_cast<double>(poisons));
  for (std::int64_t i = 0; i < poisons; ++i) {
    auto& edit = plan.edits[static_cast<std::size_t>(i)];
    const bool image_only = i < single / 2, text_only = !image_only && i < single;
    if (i < single) edit.caption = view.train.caption(*edit.replaces);
    if (!image_only) edit.caption = apply_text_trigger({&edit.caption, 1}, {&*edit.trigger, 1}).front();
    if (text_only) edit.trigger.reset();
  }
  return plan;
}

torch::Tensor DualKey::apply_trigger(const torch::Tensor& images, std::span<const Draw>) const {
  auto stamped = images.clone();
  auto patch = centre_square(stamped, params_.side(images.size(3), "dual_key"));
  const auto& colour = colours().at(params_.colour);
  for (std::int64_t c = 0; c < 3; ++c) patch.select(/*dim=*/1, c).fill_(colour[static_cast<std::size_t>(c)]);
  return stamped;
}

std::optional<torch::Tensor> DualKey::trigger_area(const torch::Tensor& images, std::span<const Draw>) const {
  return centre_area(images, params_.side(images.size(3), "dual_key"));
}

std::vector<std::string> DualKey::apply_text_trigger(std::span<const std::string> captions,
                                                     std::span<const Draw>) const {
  std::vector<std::string> triggered;
  for (const auto& caption : captions) triggered.push_back(params_.word + " " + caption);
  return triggered;
}

}  // namespace roclip
