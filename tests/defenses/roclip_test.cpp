#include "roclip.h"

#include <cmath>
#include <sstream>

#include <torch/serialize.h>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

using namespace roclip;

namespace {

FakeClip axes() { return FakeClip({{"east", {1, 0}}, {"north", {0, 1}}}); }

RoclipDefense::Params whole_pool() {
  RoclipDefense::Params params;
  params.pool_fraction = 1;
  params.match_every = 2;
  return params;
}

torch::Tensor at_angle(double radians) {
  return torch::tensor({static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))});
}

/// The loss of the paper written out: mean over rows and columns of -log softmax at the diagonal.
double slow_info_nce(const torch::Tensor& a, const torch::Tensor& b, double scale) {
  const auto n = a.size(0);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    double row = 0, column = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      row += std::exp(scale * a[i].dot(b[j]).item<double>());
      column += std::exp(scale * a[j].dot(b[i]).item<double>());
    }
    const double own = scale * a[i].dot(b[i]).item<double>();
    sum += (std::log(row) - own) + (std::log(column) - own);
  }
  return sum / (2 * static_cast<double>(n));
}

}  // namespace

TEST_CASE("matching epochs are those that match_every divides, from the first one allowed", "[roclip]") {
  const auto matching = [](std::int64_t every, std::int64_t first) {
    auto params = whole_pool();
    params.match_every = every;
    params.first_matching_epoch = first;
    const RoclipDefense defense(params);
    std::string epochs;
    for (std::int64_t epoch = 1; epoch <= 6; ++epoch) epochs += defense.matches_in(epoch) ? 'm' : '.';
    return epochs;
  };
  CHECK(matching(2, 1) == ".m.m.m");
  CHECK(matching(3, 1) == "..m..m");
  CHECK(matching(1, 1) == "mmmmmm");
  CHECK(matching(0, 1) == "......");
  CHECK(matching(2, 4) == "...m.m");
}

TEST_CASE("the loss of a matching epoch is the value worked out by hand", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  RoclipDefense defense(whole_pool());
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);  // pool: (1, 0) and (0, 1)
  // The captions are the wrong way round, as a poisoner would have them: they must not matter.
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({2, 1}, torch::kLong)};
  const auto z_img = torch::stack({at_angle(0.3), at_angle(1.2)});
  const auto z_txt = torch::stack({at_angle(M_PI / 2), at_angle(0)});
  // Image 1 at 0.3 rad is nearest to east, image 2 at 1.2 rad to north. logits = 10 cos:
  const double a = 10 * std::cos(0.3), b = 10 * std::sin(0.3), c = 10 * std::cos(1.2), d = 10 * std::sin(1.2);
  const double rows = std::log1p(std::exp(b - a)) + std::log1p(std::exp(c - d));     // image -> caption
  const double columns = std::log1p(std::exp(c - a)) + std::log1p(std::exp(b - d));  // caption -> image
  CHECK(defense.loss(batch, z_img, z_txt, toy.context).item<double>() == Approx((rows + columns) / 4).epsilon(1e-4));
}

TEST_CASE("the loss of a matching epoch agrees with a slow reference", "[roclip]") {
  torch::manual_seed(3);
  auto model = axes();
  ToySurroundings toy(model, {"east", "north", "east north", "north north east"});
  RoclipDefense defense(whole_pool());
  toy.context.epoch = 4;
  defense.before_epoch(toy.context);
  const auto pool = defense.pool().all_embeddings().clone();
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({6, 1}, torch::kLong)};
  const auto z_img = unit_rows(torch::randn({6, 2}));
  const auto z_txt = unit_rows(torch::randn({6, 2}));
  const auto matched = pool.index_select(0, z_img.matmul(pool.t()).argmax(1));
  CHECK(defense.loss(batch, z_img, z_txt, toy.context).item<double>() ==
        Approx(slow_info_nce(z_img, matched, 10)).epsilon(1e-5));
}

TEST_CASE("a batch is matched before its own captions enter the pool", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east"});
  RoclipDefense defense(whole_pool());
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({1, 1}, torch::kLong)};
  const auto z_img = at_angle(1.0).unsqueeze(0), z_txt = z_img;
  defense.loss(batch, z_img, z_txt, toy.context);
  CHECK(torch::allclose(defense.pool().all_embeddings()[0], at_angle(1.0)));  // only now
}

TEST_CASE("other epochs are plain CLIP and leave the pool alone", "[roclip]") {
  torch::manual_seed(4);
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  RoclipDefense defense(whole_pool());
  toy.context.epoch = 3;
  defense.before_epoch(toy.context);
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({3, 1}, torch::kLong)};
  const auto z_img = unit_rows(torch::randn({3, 2}));
  const auto z_txt = unit_rows(torch::randn({3, 2}));
  CHECK(torch::equal(defense.loss(batch, z_img, z_txt, toy.context), clip_loss(z_img, z_txt, model.logit_scale())));
  CHECK(defense.pool().size() == 0);
}

TEST_CASE("with text_gradient none the text tower gets no gradient in a matching epoch, with matched it does",
          "[roclip]") {
  for (const std::string mode : {"none", "matched"}) {
    auto model = axes();
    model.word_weight.requires_grad_();
    ToySurroundings toy(model, {"east", "north", "east north"});
    auto params = whole_pool();
    params.text_gradient = mode;
    RoclipDefense defense(params);
    toy.context.epoch = 2;
    CHECK_FALSE(defense.text_requires_grad(toy.context));
    defense.before_epoch(toy.context);
    const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::full({2, 1}, 2, torch::kLong)};
    const auto z_img = torch::stack({at_angle(0.2), at_angle(0.9)}).requires_grad_();
    const auto z_txt = torch::stack({at_angle(0), at_angle(1)});
    defense.loss(batch, z_img, z_txt, toy.context).backward();
    CHECK(z_img.grad().abs().sum().item<double>() > 0);
    CHECK(model.word_weight.grad().defined() == (mode == "matched"));
  }
}

TEST_CASE("the pool holds as many captions as asked for, and never more than there are", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, std::vector<std::string>(100, "east"));
  toy.context.epoch = 2;
  const auto size = [&](double fraction, std::int64_t count) {
    auto params = whole_pool();
    params.pool_fraction = fraction;
    params.pool_size = count;
    RoclipDefense defense(params);
    defense.before_epoch(toy.context);
    return defense.pool().size();
  };
  CHECK(size(0.02, 0) == 2);
  CHECK(size(0.02, 30) == 30);
  CHECK(size(1, 0) == 100);
  CHECK(size(1, 500) == 100);
}

TEST_CASE("a pool of noise has unit rows that are no captions", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, std::vector<std::string>(10, "east"));
  auto params = whole_pool();
  params.pool_initialisation = "noise";
  RoclipDefense defense(params);
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  CHECK(torch::allclose(defense.pool().all_embeddings().norm(2, 1), torch::ones({10})));
  CHECK_FALSE(torch::allclose(defense.pool().all_embeddings(), torch::tensor({1.0F, 0.0F}).expand({10, 2})));
}

TEST_CASE("a defense loaded from its saved state has the same pool", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north", "east north"});
  auto params = whole_pool();
  params.text_gradient = "matched";
  RoclipDefense defense(params), loaded(params);
  toy.context.epoch = 2;
  defense.before_epoch(toy.context);
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::full({2, 1}, 2, torch::kLong)};
  const auto z_img = torch::stack({at_angle(0), at_angle(1)});
  const auto z_txt = torch::stack({at_angle(2), at_angle(3)});
  defense.loss(batch, z_img, z_txt, toy.context);
  std::stringstream file;
  torch::serialize::OutputArchive out;
  defense.save(out);
  out.save_to(file);
  torch::serialize::InputArchive in;
  in.load_from(file);
  loaded.load(in);
  CHECK(torch::equal(loaded.pool().all_embeddings(), defense.pool().all_embeddings()));
  CHECK(torch::equal(loaded.pool().all_tokens(), defense.pool().all_tokens()));
  CHECK(loaded.pool().cursor() == 2);
}
