#include "harness/model/weights.h"

#include <fstream>

#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "harness/model/vocabulary.h"
#include "harness/record/files.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

const std::vector<std::string> kThreeCaptions = {"a red apple", "a green apple", "a red car"};

Json small_vit() {
  return {{"preset", "vit_tiny"},
          {"embed_dim", 8},
          {"vision_cfg", {{"image_size", 8}, {"layers", 2}, {"width", 16}, {"head_width", 8}}},
          {"text_cfg", {{"width", 8}, {"layers", 1}}}};
}

std::unique_ptr<TrainableClip> clip_of(const Json& model, std::uint64_t seed) {
  return make_clip(model_spec(effective_model(model, ".", "m")), std::make_shared<Vocabulary>(kThreeCaptions, 1), seed,
                   torch::kCPU);
}

const Json kSmallResNet = {
    {"embed_dim", 8},
    {"tokenizer", "words"},
    {"vision_cfg", {{"image_size", 32}, {"layers", {1, 1, 1, 1}}, {"width", 4}, {"head_width", 8}}},
    {"text_cfg", {{"context_length", 6}, {"width", 8}, {"heads", 2}, {"layers", 1}}}};

}  // namespace

TEST_CASE("weights go out and come back to the bit, whatever the architecture", "[model][weights]") {
  const ScratchFolder folder;
  const auto file = folder / "w.safetensors";
  for (const Json& model : {Json("tiny"), small_vit(), kSmallResNet}) {
    const auto one = clip_of(model, 1), other = clip_of(model, 2);
    REQUIRE(one->weights_hash() != other->weights_hash());
    save_weights(file, *one, model, {{"made_by", "a test"}});
    load_weights(file, *other);
    CHECK(one->weights_hash() == other->weights_hash());
  }
  Metadata metadata;
  read_safetensors(file, &metadata);
  CHECK(metadata.at("made_by") == "a test");
  CHECK(metadata.at("format") == "pt");
}

TEST_CASE("a file of weights is enough to have its model again, with its words or byte pairs", "[model][weights]") {
  const ScratchFolder folder;
  const auto file = folder / "w.safetensors";
  Json byte_pairs = small_vit();
  byte_pairs.merge_patch({{"tokenizer", "trained"}, {"text_cfg", {{"vocab_size", 600}}}});
  const std::vector<std::string> poisons = {"a zebra", "a zebra"};
  const auto pairs = tensor_pairs(torch::zeros({3, 3, 8, 8}, torch::kByte), kThreeCaptions);
  for (const Json& model : {Json("tiny"), small_vit(), byte_pairs}) {
    const auto effective = effective_model(model, ".", "m");
    const auto spec = model_spec(effective);
    const auto words = std::make_shared<Vocabulary>(kThreeCaptions, 1, poisons);
    const auto made = make_clip(spec, make_tokenizer(spec.tokenizer, words, *pairs), 1, torch::kCPU);
    made->train(false);
    save_weights(file, *made, effective);
    const auto again = load_model(file, "");
    CHECK(again.spec.image_px == spec.image_px);
    CHECK(again.model->weights_hash() == made->weights_hash());
    const std::vector<std::string> captions = {"a red zebra", "a green apple of another kind"};
    CHECK(again.model->tokenize(captions).equal(made->tokenize(captions)));
  }
  write_safetensors(file, {{"a", torch::ones({1})}});
  CHECK_THROWS_WITH(load_model(file, ""), Contains("does not say which model it is of; name it by --model"));
}

TEST_CASE("weights have open_clip's names and shapes", "[model][weights]") {
  const auto vit = clip_of(small_vit(), 1);
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& [name, tensor] : vit->weights()) shapes[name] = tensor.sizes().vec();
  const auto words = Vocabulary(kThreeCaptions, 1).size();
  const std::map<std::string, std::vector<std::int64_t>> expected = {
      {"logit_scale", {}},
      {"positional_embedding", {12, 8}},
      {"text_projection", {8, 8}},
      {"token_embedding.weight", {words, 8}},
      {"ln_final.weight", {8}},
      {"transformer.resblocks.0.attn.in_proj_weight", {24, 8}},
      {"transformer.resblocks.0.mlp.c_fc.weight", {16, 8}},
      {"visual.class_embedding", {16}},
      {"visual.positional_embedding", {5, 16}},
      {"visual.proj", {16, 8}},
      {"visual.conv1.weight", {16, 3, 4, 4}},
      {"visual.ln_pre.bias", {16}},
      {"visual.ln_post.bias", {16}},
      {"visual.transformer.resblocks.1.attn.out_proj.weight", {16, 16}}};
  for (const auto& [name, shape] : expected) {
    INFO(name);
    CHECK(shapes[name] == shape);
  }
  const auto resnet = clip_of(kSmallResNet, 1)->weights();
  for (const std::string name :
       {"visual.conv3.weight", "visual.bn1.running_mean", "visual.layer1.0.downsample.0.weight",
        "visual.layer4.0.bn3.bias", "visual.attnpool.positional_embedding", "visual.attnpool.c_proj.bias",
        "visual.attnpool.k_proj.weight"}) {
    INFO(name);
    CHECK(resnet.contains(name));
  }
}

TEST_CASE("weights of transformers' CLIPModel are read by their names", "[model][weights]") {
  const ScratchFolder folder;
  const auto file = folder / "w.safetensors";
  const auto one = clip_of(small_vit(), 1), other = clip_of(small_vit(), 2);
  std::map<std::string, torch::Tensor> theirs;
  for (const auto& [name, tensor] : one->weights()) {
    const bool vision = name.starts_with("visual.");
    auto key = vision ? name.substr(7) : name;
    const auto replace = [&](const std::string& from, const std::string& to) {
      if (const auto at = key.find(from); at != std::string::npos) key.replace(at, from.size(), to);
    };
    if (key == "logit_scale") {
      theirs[key] = tensor;
      continue;
    }
    if (key == "proj" || key == "text_projection") {
      theirs[vision ? "visual_projection.weight" : "text_projection.weight"] = tensor.t().contiguous();
      continue;
    }
    replace("transformer.resblocks.", "encoder.layers.");
    replace("ln_pre", "pre_layrnorm");
    replace("ln_post", "post_layernorm");
    replace("ln_final", "final_layer_norm");
    replace("ln_1", "layer_norm1");
    replace("ln_2", "layer_norm2");
    replace("mlp.c_fc", "mlp.fc1");
    replace("mlp.c_proj", "mlp.fc2");
    if (key == "conv1.weight") key = "embeddings.patch_embedding.weight";
    if (key == "class_embedding") key = "embeddings.class_embedding";
    if (key == "positional_embedding") key = "embeddings.position_embedding.weight";
    if (key == "token_embedding.weight") key = "embeddings.token_embedding.weight";
    key = (vision ? "vision_model." : "text_model.") + key;
    if (const auto at = key.find("attn.in_proj_"); at != std::string::npos) {
      const auto parts = tensor.chunk(3);
      for (std::size_t i = 0; i < 3; ++i) {
        theirs[key.substr(0, at) + "self_attn." + "qkv"[i] + "_proj." + key.substr(at + 13)] = parts[i];
      }
      continue;
    }
    replace("attn.out_proj", "self_attn.out_proj");
    theirs[key] = tensor;
  }
  theirs["vision_model.embeddings.position_ids"] = torch::arange(5);
  write_safetensors(file, theirs);
  load_weights(file, *other);
  CHECK(one->weights_hash() == other->weights_hash());
}

TEST_CASE("foreign and damaged weights are refused by the first tensor that differs", "[model][weights]") {
  const ScratchFolder folder;
  const auto file = folder / "w.safetensors";
  const auto model = clip_of(small_vit(), 1);
  const auto before = model->weights_hash();
  const auto refuses = [&](const std::function<void(std::map<std::string, torch::Tensor>&)>& change,
                           const std::string& what) {
    std::map<std::string, torch::Tensor> weights;
    for (const auto& [name, tensor] : model->weights()) weights[name] = tensor.detach().clone();
    change(weights);
    write_safetensors(file, weights);
    CHECK_THROWS_WITH(load_weights(file, *model), Contains("w.safetensors") && Contains(what));
    CHECK(model->weights_hash() == before);
  };
  refuses([](auto& weights) { weights.erase("visual.proj"); }, "\"visual.proj\" is missing");
  refuses([](auto& weights) { weights["visual.proj"] = torch::zeros({3, 8}); }, "expected [16, 8], got [3, 8]");
  refuses([](auto& weights) { weights["visual.ln_pre.bias"][0] = NAN; }, "not finite");
  refuses([](auto& weights) { weights["classifier.bias"] = torch::zeros(3); }, "\"classifier.bias\" is no part");
  write_file(file, read_file(file).substr(0, 4000));
  CHECK_THROWS_WITH(load_weights(file, *model), Contains("not a whole safetensors file"));
  write_file(file, "PK");
  CHECK_THROWS_WITH(load_weights(file, *model), Contains("not a whole safetensors file"));
  CHECK_THROWS_AS(load_weights(folder / "none", *model), Error);
}

TEST_CASE("weights that were trained with other words are refused", "[model][weights]") {
  const ScratchFolder folder;
  const std::vector<std::string> others = {"a red apple", "a green apple", "a red cat"};
  const auto spec = model_spec(effective_model(small_vit(), ".", "m"));
  save_weights(folder / "w.safetensors", *make_clip(spec, std::make_shared<Vocabulary>(others, 1), 1, torch::kCPU), {});
  CHECK_THROWS_WITH(load_weights(folder / "w.safetensors", *clip_of(small_vit(), 1)), Contains("other tokens"));
}

TEST_CASE("half precision weights are taken as they are", "[model][weights]") {
  const ScratchFolder folder;
  const auto file = folder / "w.safetensors";
  const auto model = clip_of(small_vit(), 1);
  for (const auto type : {torch::kHalf, torch::kBFloat16}) {
    std::map<std::string, torch::Tensor> weights;
    for (const auto& [name, tensor] : model->weights()) weights["module." + name] = tensor.detach().to(type);
    write_safetensors(file, weights);
    load_weights(file, *model);
    CHECK(model->weights().at("visual.proj").equal(weights.at("module.visual.proj").to(torch::kFloat)));
  }
}
