#include "clip_ssl.h"

#include <cmath>

#include <torch/types.h>

namespace roclip {

namespace {

torch::Tensor long_range(std::int64_t end, const torch::Tensor& like) {
  return torch::arange(end, like.options().dtype(torch::kLong));
}

}  // namespace

void ClipSslDefense::Params::declare(ParamList& list) {
  const char* weights = "vsahil/attack-cleanclip src/parser.py: --inmodal_weight 1, halved between the modalities";
  list.add("clip_weight", clip_weight, Range{0, 1e6}, "1", "of the CLIP loss",
           "--clip_weight 1, vsahil/attack-cleanclip");
  list.add("image_weight", image_weight, Range{0, 1e6}, "1", "of the loss inside of the images", weights);
  list.add("text_weight", text_weight, Range{0, 1e6}, "1", "of the loss inside of the captions", weights);
  list.choice("views", views, {"one", "two"},
              "one = each image and caption is compared with one view of itself; two = two views of it with each other "
              "and with all other views, by SimCLR's loss",
              "vsahil/attack-cleanclip: one; facebookresearch/SLIP: two");
  list.add("temperature", temperature, Range{0, 100}, "1",
           "by which cosines inside of a modality are divided; 0 = that of the model",
           "vsahil/attack-cleanclip: that of the model");
  list.recipe("slip", {{"image_weight", 1.0}, {"text_weight", 0.0}, {"views", "two"}, {"temperature", 0.1}},
              "facebookresearch/SLIP main.py: --ssl-scale 1.0, --ssl-temp 0.1");
  image.declare(list);
  text.declare(list);
}

torch::Tensor nt_xent(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& scale) {
  const auto pairs = a.size(0);
  const auto z = torch::cat({a, b});  // [2B, D]
  const auto itself = torch::eye(2 * pairs, z.options().dtype(torch::kBool));
  const auto logits = (scale * z.matmul(z.t())).masked_fill(itself, -INFINITY);
  return torch::cross_entropy_loss(logits, torch::remainder(long_range(2 * pairs, z) + pairs, 2 * pairs));
}

torch::Tensor ClipSslDefense::inside(const std::vector<torch::Tensor>& z, const torch::Tensor& logit_scale) const {
  const auto scale = params_.temperature > 0 ? torch::full({}, 1 / params_.temperature, z[0].options()) : logit_scale;
  if (params_.views == "two") return nt_xent(z[1], z[2], scale);
  return torch::cross_entropy_loss(scale * z[0].matmul(z[1].t()), long_range(z[0].size(0), z[0]));
}

torch::Tensor ClipSslDefense::step(const Batch& batch, TrainContext& context) {
  const auto pairs = batch.pixels.size(0);
  const int views = params_.views == "two" ? 2 : 1;
  std::vector<torch::Tensor> pixels = {batch.pixels};
  auto captions = batch.captions;
  for (int view = 0; view < views; ++view) {
    if (params_.image_weight > 0) pixels.push_back(params_.image.apply(batch.pixels, context.augmentation_rng));
    if (params_.text_weight == 0) continue;
    for (const auto& caption : batch.captions) {
      captions.push_back(params_.text.apply(caption, context.vocabulary, context.augmentation_rng));
    }
  }
  const auto tokens = to_device(context.model.tokenize(captions), context.model.device());
  context.clock.lap("augment");
  // One pass for all, as the authors do: batch statistics are those of images and views together.
  const auto z_img = context.model.encode_image(torch::cat(pixels)).split(pairs);  // 1 + views times [B, D]
  const auto z_txt = context.model.encode_text(tokens).split(pairs);
  context.clock.lap("forward");
  const auto scale = context.model.logit_scale();
  auto loss = params_.clip_weight * clip_loss(z_img[0], z_txt[0], scale);
  if (params_.image_weight > 0) loss = loss + params_.image_weight * inside(z_img, scale);
  if (params_.text_weight > 0) loss = loss + params_.text_weight * inside(z_txt, scale);
  return loss;
}

}  // namespace roclip
