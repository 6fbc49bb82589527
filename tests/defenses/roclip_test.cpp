#include "roclip.h"

#include <cmath>
#include <set>

#include <catch2/catch.hpp>

#include "harness/train/trainer.h"
#include "support/toy_context.h"

namespace roclip::roclip_test {

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

TEST_CASE("periods are counted in place of epochs, and begin within them", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  auto params = whole_pool();
  params.periods = 4;
  RoclipDefense defense(params);
  toy.context.epoch = 1;
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({1, 1}, torch::kLong)};
  const auto z = at_angle(1.0).unsqueeze(0);
  std::string matching;
  for (const double progress : {0.0, 0.24, 0.25, 0.49, 0.5, 0.74, 0.75, 0.99}) {
    toy.context.progress = progress;
    matching += defense.text_requires_grad(toy.context) ? '.' : 'm';
    defense.before_epoch(toy.context);
    CHECK(std::isfinite(defense.loss(batch, z, z, toy.context).item<double>()));
    CHECK(defense.pool().size() == (progress < 0.25 ? 0 : 2));
  }
  CHECK(matching == "..mm..mm");
}

TEST_CASE("as many periods as epochs are the epochs, from their first step", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  for (std::int64_t epochs = 1; epochs <= 100; ++epochs) {
    auto params = whole_pool();
    params.periods = epochs;
    const RoclipDefense defense(params);
    for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
      toy.context.progress = static_cast<double>(epoch - 1) / static_cast<double>(epochs);
      CHECK(defense.text_requires_grad(toy.context) == !defense.matches_in(epoch));
    }
  }
}

TEST_CASE("a matching period that begins within an epoch makes its own pool", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  auto params = whole_pool();
  params.periods = 2;
  RoclipDefense defense(params);
  toy.context.epoch = 1;
  defense.before_epoch(toy.context);
  CHECK(defense.pool().size() == 0);
  toy.context.progress = 0.5;
  const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({1, 1}, torch::kLong)};
  const auto z = at_angle(1.0).unsqueeze(0);
  defense.loss(batch, z, z, toy.context);
  CHECK(defense.pool().size() == 2);
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
  copy_state(defense, loaded);
  CHECK(torch::equal(loaded.pool().all_embeddings(), defense.pool().all_embeddings()));
  CHECK(torch::equal(loaded.pool().all_tokens(), defense.pool().all_tokens()));
  CHECK(loaded.pool().cursor() == 2);
}

namespace {

/// The authors' memory bank and loss, from the description of BigML-CS-UCLA/RoCLIP src/memory_bank.py and train.py.
struct AuthorsBank {
  std::vector<torch::Tensor> rows;
  std::size_t place = 0;

  double loss(const torch::Tensor& z_img, const torch::Tensor& z_txt) {
    std::vector<torch::Tensor> matched;
    for (std::int64_t i = 0; i < z_img.size(0); ++i) {
      std::size_t best = 0;
      for (std::size_t row = 1; row < rows.size(); ++row) {
        if (z_img[i].dot(rows[row]).item<float>() > z_img[i].dot(rows[best]).item<float>()) best = row;
      }
      matched.push_back(rows[best].clone());
    }
    for (std::int64_t i = 0; i < z_txt.size(0) && place < rows.size(); ++i) rows[place++] = z_txt[i];
    if (place == rows.size()) place = 0;  // what did not fit is lost
    return slow_info_nce(z_img, torch::stack(matched), 10);
  }
};

/// The authors' learning rate: steps count from one epoch, as epochs count from 1.
double authors_rate(std::int64_t batches, std::int64_t epoch, std::int64_t index, std::int64_t epochs,
                    std::int64_t warmup, double peak) {
  const auto step = batches * epoch + index;
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const auto past = static_cast<double>(step - warmup), whole = static_cast<double>(batches * epochs - warmup);
  return peak * 0.5 * (1 + std::cos(M_PI * past / whole));
}

}  // namespace

TEST_CASE("the authors' recipe matches and fills its pool as their code does, epoch by epoch", "[roclip]") {
  torch::manual_seed(5);
  auto model = axes();
  ToySurroundings toy(model, std::vector<std::string>(11, "east"));
  RoclipDefense defense(read_params<RoclipDefense::Params>({{"recipe", "authors"}}, "test"));
  AuthorsBank bank;
  for (toy.context.epoch = 1; toy.context.epoch <= 6; ++toy.context.epoch) {
    defense.before_epoch(toy.context);
    if (bank.rows.empty() && defense.pool().size() > 0) bank.rows = defense.pool().all_embeddings().clone().unbind();
    for (int step = 0; step < 3; ++step) {  // batches of 4: the third does not fit before the end of 11 rows
      const auto z_img = unit_rows(torch::randn({4, 2})), z_txt = unit_rows(torch::randn({4, 2}));
      const Batch batch{.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({4, 1}, torch::kLong)};
      const auto loss = defense.loss(batch, z_img, z_txt, toy.context).item<double>();
      const auto expected = toy.context.epoch % 2 == 0 ? bank.loss(z_img, z_txt) : slow_info_nce(z_img, z_txt, 10);
      CHECK(loss == Approx(expected).epsilon(1e-4));
    }
  }
  CHECK(torch::equal(defense.pool().all_embeddings(), torch::stack(bank.rows)));
  CHECK(defense.pool().cursor() == 0);
}

TEST_CASE("the authors' recipe has their learning rate, which starts and ends an epoch late", "[roclip]") {
  const RoclipDefense defense(read_params<RoclipDefense::Params>({{"recipe", "authors"}}, "test"));
  const auto stage = defense.stages({.epochs = 4, .batch_size = 8, .learning_rate = 0.5, .warmup_share = 0.25})[0];
  const std::int64_t batches = 10, total = batches * stage.epochs, warmup = 10;
  for (std::int64_t epoch = 1; epoch <= stage.epochs; ++epoch) {
    for (std::int64_t index = 0; index < batches; ++index) {
      const auto ours = bench::learning_rate_at(batches * (epoch - 1 + stage.epochs_ahead) + index, total, warmup, 0.5);
      CHECK(ours == Approx(authors_rate(batches, epoch, index, stage.epochs, warmup, 0.5)).margin(1e-12));
    }
  }
}

TEST_CASE("the authors' recipe changes a caption once, and keeps what it became", "[roclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east"});
  RoclipDefense defense(read_params<RoclipDefense::Params>({{"recipe", "authors"}}, "test"));
  defense.before_stage(toy.context);
  std::set<std::string> other;
  for (int i = 0; i < 20; ++i) {
    const auto caption = "One Red apple on a table, number " + std::to_string(i);
    const auto changed = defense.augment_caption(caption, toy.context);
    CHECK(changed == defense.augment_caption(caption, toy.context));
    other.insert(changed.substr(0, changed.rfind(' ')));
  }
  CHECK(other.size() > 4);  // not the same change for all
}

}  // namespace roclip::roclip_test
