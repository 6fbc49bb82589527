#include "otcclip.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/toy_context.h"
#include "transport.h"

namespace roclip::otcclip_test {

namespace {

FakeClip colours() {
  return FakeClip({{"red", {1, 0, 0}}, {"green", {0, 1, 0}}, {"blue", {0, 0, 1}}, {"purple", {1, 0, 1}}});
}

OtcclipDefense::Params whole_pool(std::int64_t shortlist) {
  OtcclipDefense::Params params;
  params.pool_fraction = 1;
  params.shortlist = shortlist;
  return params;
}

/// f32 [1, 3, 2, 2]: red on the left, blue on the right.
torch::Tensor red_and_blue() {
  auto pixels = torch::zeros({1, 3, 2, 2});
  pixels[0][0].select(1, 0).fill_(1);
  pixels[0][2].select(1, 1).fill_(1);
  return pixels;
}

/// The caption of the pool that the image is matched with, in an epoch that matches.
std::string matched(std::int64_t shortlist, const std::vector<std::string>& captions) {
  auto model = colours();
  ToySurroundings toy(model, captions);
  OtcclipDefense defense(whole_pool(shortlist));
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  const auto row = defense.match(red_and_blue(), model.encode_image(red_and_blue()), model).item<std::int64_t>();
  const auto tokens = defense.pool().tokens(torch::tensor({row}));
  for (const auto& caption : captions) {
    const std::vector<std::string> one = {caption};
    if (model.tokenize(one).equal(tokens)) return caption;
  }
  return "";
}

torch::Tensor all_words(std::int64_t captions, std::int64_t length) {
  return torch::ones({captions, length}, torch::kBool);
}

}  // namespace

TEST_CASE("the entropic cost of two places and two words is the closed form", "[otcclip]") {
  // The plan is {{a, b}, {b, a}} with a + b = 1/2 and a / b = exp(1 / epsilon).
  const auto cost = torch::tensor({{{0.0F, 1.0F}, {1.0F, 0.0F}}});
  for (const double epsilon : {0.1, 0.5, 2.0}) {
    CHECK(transport_cost(cost, all_words(1, 2), epsilon, 5).item<double>() ==
          Approx(1 / (1 + std::exp(1 / epsilon))).epsilon(1e-4));
  }
}

TEST_CASE("with a small epsilon the cost is that of the best plan, without underflow", "[otcclip]") {
  // Each place keeps its own word and gives half a word's mass to the middle one: 2 * 1/6 * 1/2.
  const auto cost = torch::tensor({{{0.0F, 0.5F, 1.0F}, {1.0F, 0.5F, 0.0F}}});
  for (const double epsilon : {0.02, 0.001}) {
    CHECK(transport_cost(cost, all_words(1, 3), epsilon, 50).item<double>() == Approx(1.0 / 6).epsilon(1e-3));
  }
}

TEST_CASE("to one word everything is carried, and padding takes nothing", "[otcclip]") {
  const auto cost = torch::tensor({{{0.3F, 0.0F}, {0.9F, 0.0F}}, {{0.0F, 1.0F}, {1.0F, 0.0F}}});
  const auto is_word = torch::tensor({{true, false}, {true, true}});
  const auto carried = transport_cost(cost, is_word, 0.1, 20);
  CHECK(carried[0].item<double>() == Approx(0.6));
  CHECK(carried[1].item<double>() == Approx(1 / (1 + std::exp(10.0))).margin(1e-5));
}

TEST_CASE("an image is matched with the caption whose words account for its places", "[otcclip]") {
  // By mean colour the image is purple exactly; but no place of it is.
  const std::vector<std::string> captions = {"green", "purple", "red red blue"};
  CHECK(matched(1, captions) == "purple");
  CHECK(matched(2, captions) == "red red blue");
  CHECK(matched(100, captions) == "red red blue");
}

TEST_CASE("a caption without known words is no match", "[otcclip]") {
  CHECK(matched(3, {"", "purple", "green"}) == "purple");
}

TEST_CASE("in a matching epoch a wrong caption is re-assigned, in others it counts", "[otcclip]") {
  auto model = colours();
  ToySurroundings toy(model, {"red blue", "green"});
  OtcclipDefense defense(whole_pool(8));
  auto pixels = torch::zeros({2, 3, 2, 2});
  pixels[0] = red_and_blue()[0];
  pixels[1][1].fill_(1);  // green
  const auto z_img = model.encode_image(pixels);
  const std::vector<std::string> wrong = {"green", "red blue"}, right = {"red blue", "green"};
  const Batch batch{.indices = {}, .pixels = pixels, .captions = wrong, .tokens = model.tokenize(wrong)};
  const auto z_txt = model.encode_text(batch.tokens);
  const auto truth = clip_loss(z_img, model.encode_text(model.tokenize(right)), model.scale).item<double>();

  toy.context.epoch = 1;
  defense.before_epoch(toy.context);
  CHECK(defense.text_requires_grad(toy.context));
  CHECK(defense.loss(batch, z_img, z_txt, toy.context).item<double>() == Approx(10 + truth).epsilon(1e-3));
  CHECK(defense.pool().size() == 0);
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  CHECK_FALSE(defense.text_requires_grad(toy.context));
  CHECK(defense.loss(batch, z_img, z_txt, toy.context).item<double>() == Approx(truth).margin(1e-6));
  CHECK(defense.pool().all_embeddings().equal(z_txt));  // only now
  CHECK(model.training);                                // as the trainer left it
}

TEST_CASE("matching keeps no gradient of the parts, and the image tower gets one", "[otcclip]") {
  auto model = colours();
  model.image_weight.requires_grad_();
  model.word_weight.requires_grad_();
  ToySurroundings toy(model, {"red blue", "green"});
  OtcclipDefense defense(whole_pool(2));
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  const auto pixels = torch::rand({2, 3, 2, 2}, at::detail::createCPUGenerator(1));
  const std::vector<std::string> captions = {"red", "green"};
  const Batch batch{.indices = {}, .pixels = pixels, .captions = captions, .tokens = model.tokenize(captions)};
  defense.loss(batch, model.encode_image(pixels), torch::rand({2, 3}), toy.context).backward();
  CHECK(model.image_weight.grad().abs().sum().item<double>() > 0);
  CHECK_FALSE(model.word_weight.grad().defined());
}

TEST_CASE("a matching defense loaded from its saved state has the same pool", "[otcclip]") {
  auto model = colours();
  ToySurroundings toy(model, {"red", "green", "red blue"});
  OtcclipDefense defense(whole_pool(2)), loaded(whole_pool(2));
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  copy_state(defense, loaded);
  CHECK(loaded.pool().all_embeddings().equal(defense.pool().all_embeddings()));
  CHECK(loaded.pool().all_tokens().equal(defense.pool().all_tokens()));
}

}  // namespace roclip::otcclip_test
