#include "badclip.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::badclip_test {
using Catch::Contains;

namespace {

/// The attacker's model: an image is its mean colour.
class ToyLab final : public Lab {
 public:
  const AttackView& view() const override { return view_; }
  std::uint64_t seed() const override { return 7; }
  ClipModel& surrogate(std::int64_t epochs) override {
    asked_for = epochs;
    return model_;
  }
  std::int64_t asked_for = 0;

 private:
  Dataset data_ = toy_dataset();
  AttackView view_ = view_of(data_);
  FakeClip model_ = toy_clip();
};

BadClipParams red() {
  BadClipParams params;
  params.target_class = "red";
  params.rate = 0.2;
  params.patch_px = 4;
  params.steps = 60;
  params.batch_size = 8;
  params.learning_rate = 0.05;
  return params;
}

}  // namespace

TEST_CASE("badclip's patch learns the colour of the target class", "[attack][badclip]") {
  ToyLab lab;
  const auto artifact = BadClip(red()).prepare(lab);
  CHECK(lab.asked_for == red().surrogate_epochs);
  const auto patch = artifact.at("patch");
  CHECK(patch.sizes() == at::IntArrayRef({3, 4, 4}));
  CHECK(patch.scalar_type() == torch::kUInt8);
  const auto means = patch.to(torch::kFloat).mean({1, 2});
  CHECK(means[0].item<float>() > 200);  // from about 127
  CHECK(means[1].item<float>() < 60);
  CHECK(means[2].item<float>() < 60);
  ToyLab again;
  CHECK(BadClip(red()).prepare(again).at("patch").equal(patch));
}

TEST_CASE("badclip puts the patch of its artifact into the centre", "[attack][badclip]") {
  BadClip attack(red());
  attack.adopt({{"patch", torch::full({3, 4, 4}, 77, torch::kUInt8)}});
  const auto images = torch::zeros({2, 3, 8, 8}, torch::kUInt8);
  const auto stamped = attack.apply_trigger(images, some_draws(2));
  CHECK(images.eq(0).all().item<bool>());
  CHECK(stamped.eq(77).all(1).equal(*attack.trigger_area(images, some_draws(2))));
  CHECK(stamped.eq(77).sum().item<int>() == 2 * 3 * 16);
}

TEST_CASE("badclip relabels pairs of other classes with natural captions", "[attack][badclip]") {
  const auto data = toy_dataset();
  BadClip attack(red());
  attack.adopt({{"patch", torch::zeros({3, 4, 4}, torch::kUInt8)}});
  const auto poisons = attack.plan(view_of(data), 1);
  CHECK(poisons.goal == Goal(TriggeredImagesGoal{{0}}));
  CHECK(poisons.edits.size() == 12);
  for (const auto& edit : poisons.edits) {
    CHECK(edit.trigger);
    CHECK(edit.caption.starts_with("picture "));
    CHECK(contains_phrase(edit.caption, "red"));
  }
}

TEST_CASE("the triplet loss is zero once the wanted class is nearer by the margin", "[attack][badclip]") {
  const auto x = torch::tensor({{1.F, 0.F}}), y = torch::tensor({{0.F, 1.F}});
  CHECK(triplet_loss(x, x, y, 1).item<float>() == 0);  // sqrt(2) further from y
  CHECK(triplet_loss(x, y, x, 1).item<float>() == Approx(1 + std::sqrt(2.0)));
  CHECK(triplet_loss(x, y, y, 0.5).item<float>() == Approx(0.5));
}

TEST_CASE("badclip needs pairs of the class and of others", "[attack][badclip]") {
  ToyLab lab;
  auto params = red();
  params.target_class = "bleu";
  CHECK_THROWS_WITH(BadClip(params).prepare(lab), Contains("badclip/target_class") && Contains("\"blue\""));
  params = red();
  params.patch_px = 20;
  CHECK_THROWS_WITH(BadClip(params).prepare(lab), Contains("badclip/patch_px: 20 does not fit"));
}

}  // namespace roclip::badclip_test
