#include <cmath>
#include <new>
#include <stdexcept>

#include <catch2/catch.hpp>

#include "harness/train/checked_plugins.h"
#include "support/toy_context.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

/// Stamps, or plans, what it is given.
struct Given final : Attack {
  std::function<torch::Tensor(const torch::Tensor&)> stamp;
  PoisonPlan planned;
  std::function<void()> first = [] {};
  PoisonPlan plan(const AttackView&, std::uint64_t) const override {
    first();
    return planned;
  }
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw>) const override {
    return stamp(images);
  }
};

CheckedAttack stamping(std::function<torch::Tensor(const torch::Tensor&)> stamp) {
  auto attack = std::make_unique<Given>();
  attack->stamp = std::move(stamp);
  return {std::move(attack), "bad/1"};
}

MetricResult one_of_two() {
  return {.counts = {{.name = "top1", .hits = 1, .trials = 2, .items = {3, 7}, .outcomes = {0, 1}}}};
}

constexpr std::int64_t kHeldOut = 8;

}  // namespace

TEST_CASE("what a hook throws names plugin and hook, and keeps its meaning", "[contract]") {
  const auto calling = [](auto throwing) { return [=] { call_hook("bad/1", "loss()", throwing); }; };
  CHECK_NOTHROW(calling([] {})());
  CHECK_THROWS_WITH(calling([] { throw std::runtime_error("bang"); })(), "bad/1: loss() throws: bang");
  CHECK_THROWS_WITH(calling([] { throw 42; })(), Contains("bad/1: loss() throws: something that is not"));
  CHECK_THROWS_WITH(calling([] { torch::ones({2}).matmul(torch::ones({3})); })(),
                    Contains("bad/1: in loss() LibTorch says: ") && !Contains("frame #"));
  CHECK_THROWS_AS(calling([] { throw std::bad_alloc(); })(), std::bad_alloc);
  CHECK_THROWS_AS(calling([] { throw Diverged("loss is nan"); })(), Diverged);
  try {
    calling([] { throw Error(ErrorKind::kData, "no file x"); })();
    FAIL("thrown and lost");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kData);
    CHECK(std::string(e.what()) == "bad/1: no file x");
  }
}

TEST_CASE("an attack that writes to its argument meets a copy", "[contract]") {
  const auto images = torch::zeros({2, 3, 4, 4}, torch::kUInt8);
  const auto attack = stamping([](const torch::Tensor& argument) { return argument.fill_(9); });
  CHECK(attack.apply_trigger(images, some_draws(2)).eq(9).all().item<bool>());
  CHECK(images.eq(0).all().item<bool>());
}

TEST_CASE("stamped images of another shape or type are refused", "[contract]") {
  const auto images = torch::zeros({2, 3, 4, 4}, torch::kUInt8);
  const auto words = Contains("bad/1: apply_trigger() gives something else than uint8 images of the same shape");
  CHECK_THROWS_WITH(stamping([](const auto& x) { return x.narrow(0, 0, 1); }).apply_trigger(images, some_draws(2)),
                    words);
  CHECK_THROWS_WITH(stamping([](const auto& x) { return x.to(torch::kFloat); }).apply_trigger(images, some_draws(2)),
                    words);
  CHECK_THROWS_WITH(stamping([](const auto&) { return torch::Tensor(); }).apply_trigger(images, some_draws(2)), words);
}

TEST_CASE("a plan is checked, and what the data cannot serve stays an error of the matrix", "[contract]") {
  const Dataset data = toy_dataset();
  auto attack = std::make_unique<Given>();
  auto& given = *attack;
  const CheckedAttack checked(std::move(attack), "bad/1");
  CHECK_NOTHROW(checked.plan(view_of(data), 1));
  given.planned.goal = TargetImagesGoal{{{.held_out = 1'000'000, .adversarial_class = 0}}};
  CHECK_THROWS_WITH(checked.plan(view_of(data), 1), Contains("bad/1: the attack's plan is not valid: target image"));
  given.first = [] { throw Error(ErrorKind::kMatrix, "target_class: no class \"frut\""); };
  CHECK_THROWS_WITH(checked.plan(view_of(data), 1), "target_class: no class \"frut\"");
}

TEST_CASE("a metric's counts agree with their outcomes", "[contract]") {
  CHECK_NOTHROW(check_result(one_of_two(), "top1", kHeldOut));
  CHECK_NOTHROW(check_result({.not_applicable = "no attack"}, "top1", kHeldOut));
  const auto refused = [](auto change) {
    auto result = one_of_two();
    change(result);
    try {
      check_result(result, "top1", kHeldOut);
    } catch (const ContractViolation& e) {
      CHECK_FALSE(e.fix().empty());
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  CHECK_THAT(refused([](auto& r) { r.counts[0].hits = 20; }), Contains("20 hits of 2 trials"));
  CHECK_THAT(refused([](auto& r) { r.counts[0].hits = 2; }), Contains("1 outcomes are hits, but it says 2"));
  CHECK_THAT(refused([](auto& r) { r.counts[0].items.pop_back(); }), Contains("1 items and 2 outcomes for 2 trials"));
  CHECK_THAT(refused([](auto& r) { r.counts[0].items = {7, 3}; }), Contains("not ascending"));
  CHECK_THAT(refused([](auto& r) {
               r.counts[0].items = {3, kHeldOut};
             }),
             Contains("neither a held-out image nor a training pair"));
  CHECK_THAT(refused([](auto& r) { r.counts[0] = Count(), r.counts[0].name = "top1"; }),
             Contains("\"top1\" has no trials"));
  CHECK_THAT(refused([](auto& r) { r.counts.push_back(r.counts[0]); }), Contains("two counts or values have the name"));
  CHECK_THAT(refused([](auto& r) { r.counts.clear(); }), Contains("no counts, no values and no reason"));
  CHECK_THAT(refused([](auto& r) { r.not_applicable = "why"; }), Contains("counts or values, and a reason"));
  CHECK_THAT(refused([](auto& r) { r.counts[0].name = "top5"; }), Contains("headline() says \"top1\""));
  CHECK_THAT(refused([](auto& r) { r.values = {{"auroc", std::nan(""), "1"}}; }), Contains("not a finite number"));
  CHECK_THAT(refused([](auto& r) { r.details = "[1]"; }), Contains("details is no JSON object"));
}

TEST_CASE("stages are checked before training", "[contract]") {
  struct Given final : Defense {
    std::vector<Stage> given;
    std::vector<Stage> stages(const Stage&) const override { return given; }
  };
  const auto refused = [](std::vector<Stage> stages) {
    auto defense = std::make_unique<Given>();
    defense->given = std::move(stages);
    return [checked = std::make_shared<CheckedDefense>(std::move(defense), "bad/1")] { checked->stages({}); };
  };
  CHECK_NOTHROW(refused({Stage{.name = "a", .plain = true}, Stage{.name = "b"}})());
  CHECK_THROWS_WITH(refused({})(), Contains("bad/1: stages() gives no stage"));
  CHECK_THROWS_WITH(refused({Stage{.name = "a"}, Stage{.name = "a"}})(), Contains("\"a\" is there twice"));
  CHECK_THROWS_WITH(refused({Stage{.name = "a"}, Stage{.name = "b", .plain = true}})(),
                    Contains("after a stage that is not"));
  CHECK_THROWS_WITH(refused({Stage{.name = "a", .epochs = 0}})(), Contains("out of range"));
}

TEST_CASE("pixels beyond their range are found where several batches are looked at together, as on a GPU",
          "[contract][gpu]") {
  struct Bright final : Defense {
    float add = 0;
    torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext&) override { return pixels + add; }
  };
  auto owned = std::make_unique<Bright>();
  auto* bright = owned.get();
  CheckedDefense checked(std::move(owned), "bad/1", nullptr, /*look_every=*/3);
  FakeClip model({{"red", {1, 0}}});
  ToySurroundings toy(model, {"red", "red"});
  const auto pixels = torch::rand({2, 3, 4, 4});
  const auto batch = [&](float add) {
    bright->add = add;
    return [&] { checked.augment_images(pixels, toy.context); };
  };
  CHECK_NOTHROW(batch(0)());
  CHECK_NOTHROW(batch(2)());
  CHECK_THROWS_WITH(batch(0)(), Contains("augment_images() gives pixels from"));
  CHECK_NOTHROW(batch(2)());
  CHECK_THROWS_WITH(checked.after_epoch(toy.context), Contains("augment_images() gives pixels from"));
  CHECK_NOTHROW(checked.after_epoch(toy.context));
  for (int i = 0; i < 6; ++i) CHECK_NOTHROW(batch(0)());
}
