#include "clip_score.h"

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::clip_score_test {

namespace {

/// Six pairs; the cosine similarity of image and caption is 0.6, 1, 0, 0.8, -1 and 0.28.
struct Surroundings {
  Surroundings() : toy(model, tensor_pairs(images(), {"a", "b", "c", "d", "e", "f"})) {
    context.stage = {.name = "retrain", .batch_size = 2};
  }

  static torch::Tensor images() {
    auto red = torch::zeros({6, 3, 4, 4}, torch::kUInt8);
    red.select(1, 0).fill_(200);
    return red;
  }

  FakeClip model{{{"a", {0.6F, 0.8F, 0}},
                  {"b", {1, 0, 0}},
                  {"c", {0, 1, 0}},
                  {"d", {0.8F, 0.6F, 0}},
                  {"e", {-1, 0, 0}},
                  {"f", {0.28F, 0.96F, 0}}}};
  ToySurroundings toy;
  TrainContext& context = toy.context;
};

ClipScoreDefense::Params dropping(double share, const std::string& suspected = "low") {
  ClipScoreDefense::Params params;
  params.drop_share = share;
  params.suspected = suspected;
  return params;
}

std::vector<std::int64_t> chosen(ClipScoreDefense& defense, TrainContext& context) {
  const auto sorted = std::get<0>(defense.choose_samples(context).sort());
  return {sorted.data_ptr<std::int64_t>(), sorted.data_ptr<std::int64_t>() + sorted.numel()};
}

}  // namespace

TEST_CASE("clip_score suspects the pairs that match best, or worst", "[defense][clip_score]") {
  const auto cosine = torch::tensor({0.6, 1.0, 0.0, 0.8, -1.0, 0.28}, torch::kDouble);
  for (const std::string suspected : {"high", "low"}) {
    CAPTURE(suspected);
    Surroundings surroundings;
    ClipScoreDefense defense(dropping(1.0 / 3, suspected));
    CHECK_FALSE(defense.suspicion());
    defense.before_stage(surroundings.context);
    CHECK(surroundings.model.training);
    const auto suspicion = defense.suspicion();
    REQUIRE(suspicion);
    CHECK(torch::allclose(suspicion->scores, suspected == "high" ? cosine : -cosine, 1e-6, 1e-6));
    // Two of six are dropped: 1 and 0.8, or -1 and 0.
    CHECK(*suspicion->threshold == Approx(suspected == "high" ? 0.6 : -0.28).epsilon(1e-6));
    const std::vector<std::int64_t> left =
        suspected == "high" ? std::vector<std::int64_t>{0, 2, 4, 5} : std::vector<std::int64_t>{0, 1, 3, 5};
    CHECK(chosen(defense, surroundings.context) == left);
  }
}

}  // namespace roclip::clip_score_test
