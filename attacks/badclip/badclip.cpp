#include "badclip.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/clip_model.h"

namespace roclip {

namespace {

/// So many of them, with replacement. @param rows i64 [n]
torch::Tensor some(const torch::Tensor& rows, std::int64_t count, Rng& rng) {
  return rows.index_select(0, torch::randint(rows.numel(), {count}, rng.generator(), torch::kLong));
}

}  // namespace

void BadClipParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a stamped image shall be taken for; required", "BadCLIP: banana");
  PoisonAmount::declare(list, "BadCLIP: 0.003", "BadCLIP: 1500 of 500,000");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "BadCLIP, patch_type ours_tnature: natural captions");
  PatchSize::declare(list, "16 of 224, in the centre: BadCLIP");
  list.add("surrogate_epochs", surrogate_epochs, Range{1, 1e4}, "epochs",
           "of clean training of the attacker's own model", "ours: BadCLIP has pre-trained weights");
  list.add("steps", steps, Range{1, 1e6}, "steps", "of the optimisation of the patch",
           "ours; BadCLIP: 50 epochs of 10,000 pairs");
  list.add("batch_size", batch_size, Range{2, 65536}, "pairs", "of each step", "BadCLIP");
  list.add("learning_rate", learning_rate, Range{1e-6, 1}, "1", "of Adam, on pixels in 0..1",
           "ours: larger than the 0.001 of BadCLIP, for fewer steps");
  list.add("triplet_weight", triplet_weight, Range{0, 1e6}, "1", "of the triplet loss beside the contrastive loss",
           "BadCLIP src/embeding_optimize_patch.py:132-173: 500");
  list.add("margin", margin, Range{0, 2}, "1", "of the triplet loss, in distance of unit embeddings", "BadCLIP: 1");
  list.recipe("published_size", {{"patch_px", 0}}, "BadCLIP, configs: patch of 16 px on images of 224");
}

torch::Tensor triplet_loss(const torch::Tensor& patched, const torch::Tensor& wanted, const torch::Tensor& unwanted,
                           double margin) {
  return torch::relu((patched - wanted).norm(2, 1) - (patched - unwanted).norm(2, 1) + margin).mean();
}

BadClip::BadClip(const Params& params) : params_(params) { params.check("badclip"); }

Artifact BadClip::prepare(Lab& lab) const {
  const auto& view = lab.view();
  const auto side = params_.side(view.train.image_px(), "badclip");
  class_index(view.classes, params_.target_class, "badclip/target_class");
  const auto pairs = pairs_by_class(view, params_.target_class);
  if (pairs.of_class.empty() || pairs.of_others.empty()) {
    throw Error(ErrorKind::kMatrix,
                "badclip/target_class: the patch is optimised with training pairs that speak of \"" +
                    params_.target_class + "\" and with others, and there are none of one kind; choose another class");
  }
  const auto of_class = torch::tensor(pairs.of_class), others = torch::tensor(pairs.of_others);
  auto& surrogate = lab.surrogate(params_.surrogate_epochs);
  const auto device = surrogate.device();
  const auto wanted_images = embed_images(surrogate, view.train, of_class).to(device);   // [T, D]
  const auto wanted_texts = embed_captions(surrogate, view.train, of_class).to(device);  // [T, D]
  const auto rows_of_class = torch::arange(of_class.numel(), torch::kLong);
  const auto scale = surrogate.logit_scale().detach();

  Rng rng(lab.seed());
  auto start = torch::randn({3, side, side}, rng.generator()) * 0.25 + 0.5;
  auto patch = start.clamp(0, 1).to(device).requires_grad_(true);
  torch::optim::Adam optimizer({patch}, torch::optim::AdamOptions(params_.learning_rate));
  for (std::int64_t step = 0; step < params_.steps; ++step) {
    const auto batch = some(others, params_.batch_size, rng), negatives = some(others, params_.batch_size, rng);
    const auto positives = some(rows_of_class, params_.batch_size, rng).to(device);
    const auto own_texts = embed_captions(surrogate, view.train, batch).to(device);   // [B, D]
    const auto unwanted = embed_images(surrogate, view.train, negatives).to(device);  // [B, D]
    torch::AutoGradMode gradient(true);
    auto pixels = to_pixels(view.train.images(batch), device);
    centre_square(pixels, side).copy_(patch.expand({params_.batch_size, 3, side, side}));
    const auto patched = surrogate.encode_image(pixels);  // [B, D]
    // To the caption of the target class, away from all captions of the batch.
    const auto to_wanted = (patched * wanted_texts.index_select(0, positives)).sum(1, /*keepdim=*/true);  // [B, 1]
    const auto logits = scale * torch::cat({to_wanted, patched.matmul(own_texts.t())}, 1);                // [B, 1 + B]
    const auto contrastive = -torch::log_softmax(logits, 1).select(1, 0).mean();
    const auto triplet = triplet_loss(patched, wanted_images.index_select(0, positives), unwanted, params_.margin);
    patch.mutable_grad() = torch::autograd::grad({contrastive + params_.triplet_weight * triplet}, {patch}).front();
    optimizer.step();
    const torch::NoGradGuard no_grad;
    patch.clamp_(0, 1);
  }
  return {{"patch", (patch.detach() * 255).round().to(torch::kCPU, torch::kUInt8)}};
}

void BadClip::adopt(Artifact artifact) { patch_ = artifact.at("patch"); }

PoisonPlan BadClip::plan(const AttackView& view, std::uint64_t seed) const {
  return relabel_pairs(view, seed, params_.target_class, params_.captions, params_, "badclip");
}

torch::Tensor BadClip::apply_trigger(const torch::Tensor& images, std::span<const Draw>) const {
  auto stamped = images.clone();
  centre_square(stamped, patch_.size(1)).copy_(patch_.to(images.device()).expand({images.size(0), -1, -1, -1}));
  return stamped;
}

std::optional<torch::Tensor> BadClip::trigger_area(const torch::Tensor& images, std::span<const Draw>) const {
  return centre_area(images, patch_.size(1));
}

}  // namespace roclip
