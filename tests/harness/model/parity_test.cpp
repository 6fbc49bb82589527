#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "harness/model/weights.h"
#include "roclip/clip_model.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

using NamedTensors = std::map<std::string, torch::Tensor>;

/// Those whose names begin so, by the rest of their names.
NamedTensors under(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), tensor);
  }
  return result;
}

/// Token ids of open_clip, in the way of Tokenizer: one higher, 0 behind the end.
torch::Tensor ours(const torch::Tensor& tokens) {
  const auto end = tokens.argmax(1, /*keepdim=*/true);
  return torch::where(torch::arange(tokens.size(1)).unsqueeze(0) <= end, tokens + 1, torch::zeros_like(tokens));
}

struct ThirtyTokens final : Tokenizer {
  TokenIds ids() const override { return {1, 30}; }
  std::string fingerprint() const override { return ""; }
  Json state() const override { return {}; }
  torch::Tensor tokenize(std::span<const std::string>, std::int64_t) const override { return {}; }
};

/// Of the farthest entries; where entries are above 1, as a share of the largest.
double distance(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max().clamp_min(1)).item<double>();
}

}  // namespace

TEST_CASE("embeddings, loss and gradients are those of open_clip", "[model][parity]") {
  const auto name = GENERATE(std::string("vit"), std::string("resnet"));
  INFO(name);
  const auto theirs = read_safetensors(std::string(ROCLIP_SOURCE_DIR) + "/tests/parity/" + name + ".safetensors");
  Json model = {{"embed_dim", 12},
                {"tokenizer", "words"},
                {"text_cfg", {{"context_length", 9}, {"width", 16}, {"heads", 2}, {"layers", 2}}}};
  if (name == "vit") {
    model["quick_gelu"] = true;
    model["vision_cfg"] = {{"image_size", 24}, {"layers", 2}, {"width", 32}, {"head_width", 16}, {"patch_size", 8}};
  } else {
    model["vision_cfg"] = {{"image_size", 64}, {"layers", {1, 2, 1, 1}}, {"width", 4}, {"head_width", 32}};
  }
  const auto clip =
      make_clip(model_spec(effective_model(model, ".", "m")), std::make_shared<ThirtyTokens>(), 1, torch::kCPU);
  const ScratchFolder folder;
  write_safetensors(folder / "w.safetensors", under(theirs, "weights."));
  load_weights(folder / "w.safetensors", *clip);

  clip->train(true);
  const auto& pixels = theirs.at("pixels");
  const auto tokens = ours(theirs.at("tokens"));
  const auto loss = clip_loss(clip->encode_image(pixels), clip->encode_text(tokens), clip->logit_scale());
  CHECK(distance(loss, theirs.at("loss")) < 1e-4);
  loss.backward();
  const auto weights = clip->weights();
  for (const auto& [parameter, gradient] : under(theirs, "gradients.")) {
    INFO(parameter);
    const auto& own = weights.at(parameter);
    // A transposed view has no gradient of its own.
    const auto leaf = own.is_leaf() ? own.grad() : torch::Tensor(own._base()).grad().t();
    CHECK(distance(leaf, gradient) < 1e-4);
  }
  for (const auto& [buffer, value] : under(theirs, "trained.")) CHECK(distance(weights.at(buffer), value) < 1e-4);

  clip->train(false);
  const torch::NoGradGuard no_grad;
  CHECK(distance(clip->encode_image(pixels), theirs.at("image")) < 1e-4);
  CHECK(distance(clip->encode_text(tokens), theirs.at("text")) < 1e-4);
}
