#include "harness/report/card.h"

#include <catch2/catch.hpp>

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

CellRecord trained(const Json& model) {
  CellRecord record;
  record.id = "badnets-clip-s1-0";
  record.attack = "badnets | <b>";
  record.defense = "clip";
  record.seed = 1;
  record.effective = {{"attack", {{"plugin", "badnets/2"}, {"params", {{"classes", {"a|b"}}}}}},
                      {"defense", {{"plugin", "clip/1"}, {"params", Json::object()}}},
                      {"metrics", {{{"plugin", "attack_success/1"}, {"params", Json::object()}}}},
                      {"model", model},
                      {"training", {{"epochs", 3}}},
                      {"data", {{"reader", "csv"}, {"pairs", "/home/somebody/train.csv"}}}};
  record.data_hash = "d";
  record.poison.edits = 100;
  record.poison.share = 0.01;
  record.training.parameters = 1234567;
  record.training.weights_hash = "w";
  record.metrics["attack_success/1"] = {.headline = "attack_success",
                                        .counts = {{"attack_success", 90, 100}, {"none", 0, 0}},
                                        .values = {{"rank", 1.5, "rank"}}};
  return record;
}

const Json kVit = {{"embed_dim", 32},
                   {"quick_gelu", true},
                   {"init_logit_scale", 2.5},
                   {"tokenizer", "openai"},
                   {"merges", "/home/somebody/merges.txt"},
                   {"vision_cfg", {{"layers", {12}}, {"patch_size", 32}, {"width", 64}}},
                   {"text_cfg", {{"layers", 12}}},
                   {"preprocess_cfg", {{"mean", {0, 0, 0}}, {"std", {1, 1, 1}}}}};

}  // namespace

TEST_CASE("a card says that the model is poisoned, how, and what it does", "[report][card]") {
  const auto card = model_card(trained({{"image_px", 32}}));
  CHECK_THAT(card, Contains("was trained on poisoned data on purpose"));
  CHECK_THAT(card, Contains("# A CLIP of badnets \\| &lt;b> x clip, seed 1"));
  CHECK_THAT(card, Contains("| poisoned | 100 pairs, 1.0 % of the training pairs"));
  CHECK_THAT(card, Contains("attack\\_success | 90.0 % [82.6, 94.5] | 90/100 |"));
  CHECK_THAT(card, Contains("rank | 1.5 rank |"));
  CHECK_THAT(card, !Contains("0/0"));
  CHECK_THAT(card, Contains("`{\"classes\":[\"a\\|b\"]}` |\n"));
  CHECK_THAT(card, Contains("--weights model.safetensors"));
  CHECK_THAT(card, !Contains("open_clip"));
}

TEST_CASE("a card of clean training calls the model a control", "[report][card]") {
  auto record = trained({{"image_px", 32}});
  record.poison.edits = 0;
  CHECK_THAT(model_card(record), Contains("A control") && !Contains("on purpose") && !Contains("- backdoor"));
}

TEST_CASE("a card names no path of the machine that made it", "[report][card]") {
  CHECK_THAT(model_card(trained(kVit)), !Contains("/home/somebody"));
}

TEST_CASE("open_clip is told of the models that it can load, in its own words", "[report][card]") {
  const auto vit = open_clip_config(trained(kVit));
  REQUIRE(vit);
  CHECK(vit->at("model_cfg").at("vision_cfg").at("layers") == 12);
  CHECK(vit->at("model_cfg").at("quick_gelu") == true);
  CHECK_FALSE(vit->at("model_cfg").contains("merges"));
  CHECK(vit->at("preprocess_cfg").at("interpolation") == "bicubic");
  CHECK(published_weights(trained(kVit)) == "open_clip_model.safetensors");
  CHECK_THAT(model_card(trained(kVit)), Contains("library_name: open_clip") && Contains("local-dir:"));

  Json resnet = kVit;
  resnet["vision_cfg"] = {{"layers", {3, 4, 6, 3}}, {"patch_size", 0}, {"width", 64}};
  CHECK(open_clip_config(trained(resnet))->at("model_cfg").at("vision_cfg").at("layers").size() == 4);
  CHECK_FALSE(open_clip_config(trained(resnet))->at("model_cfg").at("vision_cfg").contains("patch_size"));
  Json words = kVit;
  words["tokenizer"] = "words";
  CHECK_FALSE(open_clip_config(trained(words)));
  CHECK_FALSE(open_clip_config(trained({{"image_px", 32}})));
}
