#include "roclip/filter.h"

#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "support/fake_clip.h"
#include "support/toy_context.h"

using namespace roclip;

namespace {

/// Judges pair i by scores[i], and notes whether the model was in evaluation mode.
class ByList final : public FilterDefense {
 public:
  ByList(std::vector<double> scores, double share) : scores_(std::move(scores)), share_(share) {}
  bool in_evaluation = false;

 private:
  Suspicion judge(TrainContext& context) override {
    in_evaluation = !dynamic_cast<FakeClip&>(context.model).training;
    return drop_highest(torch::tensor(scores_, torch::kDouble), share_, context.stage.batch_size);
  }
  std::vector<double> scores_;
  double share_;
};

struct Surroundings {
  FakeClip model{{{"a", {1, 0, 0}}}};
  ToySurroundings toy{model, {"a", "a", "a", "a", "a", "a"}};  // batches of 2
};

std::vector<std::int64_t> chosen(Defense& defense, TrainContext& context) {
  const auto sorted = std::get<0>(defense.choose_samples(context).sort());
  return {sorted.data_ptr<std::int64_t>(), sorted.data_ptr<std::int64_t>() + sorted.numel()};
}

}  // namespace

TEST_CASE("a filter trains as plain CLIP first, then anew", "[plugins]") {
  const Stage training{.epochs = 3, .batch_size = 8, .learning_rate = 0.5};
  Stage plain = training, retrain = training;
  plain.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  CHECK((ByList({}, 0).stages(training) == std::vector<Stage>{plain, retrain}));
}

TEST_CASE("a filter judges in evaluation mode, and trains on the pairs that it does not drop", "[plugins]") {
  Surroundings s;
  ByList filter({5, 1, 9, 3, 8, 2}, 1.0 / 3);
  CHECK_FALSE(filter.suspicion());
  filter.before_stage(s.toy.context);
  CHECK(filter.in_evaluation);
  CHECK(s.model.training);
  CHECK(chosen(filter, s.toy.context) == std::vector<std::int64_t>{0, 1, 3, 5});
  CHECK(filter.suspicion()->threshold == 5);
}

TEST_CASE("a filter leaves a batch, whatever its share, and equal scores together", "[plugins]") {
  Surroundings s;
  ByList all({5, 1, 9, 3, 8, 2}, 1), none({5, 1, 9, 3, 8, 2}, 0), ties({1, 1, 1, 1, 9, 9}, 0.5);
  for (auto* filter : {&all, &none, &ties}) filter->before_stage(s.toy.context);
  CHECK(chosen(all, s.toy.context) == std::vector<std::int64_t>{1, 5});
  CHECK(chosen(none, s.toy.context).size() == 6);
  CHECK(chosen(ties, s.toy.context) == std::vector<std::int64_t>{0, 1, 2, 3});
}

TEST_CASE("a filter saves its scores and what it drops", "[plugins]") {
  Surroundings s;
  ByList saved({5, 1, 9, 3, 8, 2}, 0.5), loaded({}, 0), empty({}, 0), fresh({}, 0);
  saved.before_stage(s.toy.context);
  copy_state(saved, loaded);
  CHECK(loaded.suspicion()->scores.equal(saved.suspicion()->scores));
  CHECK(loaded.suspicion()->threshold == saved.suspicion()->threshold);
  CHECK(chosen(loaded, s.toy.context) == std::vector<std::int64_t>{1, 3, 5});
  copy_state(empty, fresh);
  CHECK_FALSE(fresh.suspicion());
}
