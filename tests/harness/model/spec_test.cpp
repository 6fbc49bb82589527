#include "harness/model/spec.h"

#include <catch2/catch.hpp>

#include "harness/record/cell.h"
#include "harness/record/files.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

Json effective(const Json& model) { return effective_model(model, ".", "m.json: /model"); }

/// A small model in open_clip's words, with something changed. @param change as RFC 7396 has it
Json open_clip(const Json& change = Json::object()) {
  Json model = {
      {"embed_dim", 16},
      {"vision_cfg", {{"image_size", 32}, {"layers", 2}, {"width", 32}, {"head_width", 16}, {"patch_size", 8}}},
      {"text_cfg", {{"context_length", 8}, {"vocab_size", 700}, {"width", 16}, {"heads", 2}, {"layers", 1}}},
      {"tokenizer", "trained"}};
  model.merge_patch(change);
  return model;
}

}  // namespace

TEST_CASE("open_clip's description of a model is read as it is", "[model][spec]") {
  const auto vit = model_spec(effective("ViT-B-32-quickgelu"));
  CHECK(vit.image_px == 224);
  CHECK(vit.embedding_dim == 512);
  const auto& image = std::get<VitSpec>(vit.image);
  CHECK(image.patch_px == 32);
  CHECK(image.transformer.width == 768);
  CHECK(image.transformer.layers == 12);
  CHECK(image.transformer.heads == 12);
  CHECK(image.transformer.mlp_width == 3072);
  CHECK(image.transformer.activation == Activation::kQuickGelu);
  CHECK(vit.text.context_length == 77);
  CHECK(vit.text.causal);
  CHECK(vit.tokenizer.kind == TokenizerSpec::Kind::kOpenAi);
  CHECK(vit.initial_temperature == Approx(0.07));

  const auto resnet = model_spec(effective("RN50"));
  CHECK(std::get<ResNetSpec>(resnet.image).layers == std::array<std::int64_t, 4>{3, 4, 6, 3});
  CHECK(std::get<ResNetSpec>(resnet.image).heads == 32);
  CHECK(resnet.text.transformer.activation == Activation::kGelu);
}

TEST_CASE("the effective description of a model describes itself", "[model][spec]") {
  for (const Json& model : {Json("tiny"), Json("RN50"), Json("vit_tiny"), open_clip()}) {
    const auto once = effective(model);
    CHECK(effective(once) == once);
    CHECK(image_px_of(once) == model_spec(once).image_px);
  }
}

TEST_CASE("a model may stand in a file, also as open_clip publishes it beside weights", "[model][spec]") {
  const ScratchFolder folder;
  write_json(folder / "mine.json", open_clip());
  write_json(
      folder / "open_clip_config.json",
      {{"model_cfg", open_clip()}, {"preprocess_cfg", {{"mean", {0.1, 0.2, 0.3}}, {"interpolation", "bicubic"}}}});
  CHECK(effective_model("mine.json", folder.path(), "m") == effective(open_clip()));
  const auto published = effective_model("open_clip_config.json", folder.path(), "m");
  CHECK(published.at("preprocess_cfg").at("mean") == Json{0.1, 0.2, 0.3});
  CHECK(published.at("preprocess_cfg").at("std")[0] == 0.26862954);
  const Json changed = {{"preset", "mine.json"}, {"vision_cfg", {{"layers", 1}}}};
  CHECK(effective_model(changed, folder.path(), "m").at("vision_cfg").at("layers") == Json{1});
}

TEST_CASE("keys of open_clip that change nothing here are passed over, others refused", "[model][spec]") {
  CHECK(effective(open_clip({{"vision_cfg", {{"pool_type", "tok"}, {"patch_dropout", 0}}}})) == effective(open_clip()));
  CHECK_THROWS_WITH(effective(open_clip({{"vision_cfg", {{"pool_type", "avg"}}}})),
                    Contains("/model/vision_cfg/pool_type") && Contains("only with \"tok\" here, got \"avg\""));
  CHECK_THROWS_WITH(effective(open_clip({{"vision_cfg", {{"timm_model_name", "resnet50"}}}})),
                    Contains("timm_model_name"));
  CHECK_THROWS_WITH(effective(open_clip({{"embed_dimm", 3}})), Contains("did you mean \"embed_dim\"?"));
}

TEST_CASE("a model whose parts do not fit is refused by its key", "[model][spec]") {
  const auto refuses = [](const Json& change, const std::string& what) {
    INFO(change);
    CHECK_THROWS_WITH(effective(open_clip(change)), Contains(what));
  };
  refuses({{"vision_cfg", {{"layers", {1, 2}}}}}, "/vision_cfg/layers: expected one number");
  refuses({{"vision_cfg", {{"patch_size", nullptr}}}}, "/vision_cfg/patch_size");
  refuses({{"vision_cfg", {{"layers", {1, 1, 1, 1}}}}}, "a ResNet has no patches");
  refuses({{"vision_cfg", {{"image_size", 33}}}}, "/vision_cfg/image_size: expected a multiple of 8, got 33");
  refuses({{"vision_cfg", {{"head_width", 17}}}}, "/vision_cfg/head_width");
  refuses({{"text_cfg", {{"heads", 3}}}}, "/text_cfg/width");
  refuses({{"text_cfg", {{"vocab_size", 100}}}}, "/text_cfg/vocab_size");
  refuses({{"tokenizer", "openai"}}, "49408");
  refuses({{"tokenizer", "words"}}, "/text_cfg/vocab_size");
  refuses({{"merges", "m.txt"}}, "/merges");
  refuses({{"preprocess_cfg", {{"mean", {1, 2}}}}}, "/preprocess_cfg/mean: expected three numbers");
  refuses({{"preprocess_cfg", {{"std", {1, 2, 0}}}}}, "/preprocess_cfg/std");
}

TEST_CASE("the place of the merges is no part of a cell's id", "[model][spec]") {
  const auto id = [](const Json& model) { return config_hash({{"model", effective(model)}}); };
  CHECK(id("ViT-B-32") == id({{"preset", "ViT-B-32"}, {"merges", "/somewhere/bpe.txt.gz"}}));
  CHECK(id("ViT-B-32") != id("ViT-B-16"));
}
