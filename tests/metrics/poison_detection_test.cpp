#include "poison_detection.h"

#include <catch2/catch.hpp>

#include "roclip/detection.h"
#include "support/toy_dataset.h"

namespace roclip::poison_detection_test {

namespace {

DetectionCurves curves(const std::vector<double>& scores, const std::vector<bool>& poisoned) {
  return detection_curves(torch::tensor(scores, torch::kDouble), poisoned);
}

MetricResult evaluate(std::optional<Suspicion> suspicion, std::vector<bool> poisoned) {
  const auto data = toy_dataset();
  auto model = toy_clip();
  ToyEvaluation toy{data};
  toy.suspicion = std::move(suspicion);
  toy.poisoned = std::move(poisoned);
  return PoisonDetection(NoParams{}).evaluate(model, toy.inputs());
}

}  // namespace

TEST_CASE("a detector that puts all poisons first is perfect, and the reverse is worthless",
          "[metric][poison_detection]") {
  const auto best = curves({5, 4, 1, 0}, {true, true, false, false});
  CHECK(best.auroc == 1);
  CHECK(best.pr_auc == 1);
  CHECK(best.fpr_at_95_tpr == 0);
  CHECK(best.fpr_at_100_tpr == 0);
  const auto worst = curves({5, 4, 1, 0}, {false, false, true, true});
  CHECK(worst.auroc == 0);
  CHECK(worst.pr_auc == Approx(0.5 * (1.0 / 3) + 0.5 * (2.0 / 4)));
  CHECK(worst.fpr_at_100_tpr == 1);
}

TEST_CASE("the curves of a mixed order are those counted by hand", "[metric][poison_detection]") {
  // By falling score: poison, clean, poison, clean, clean.
  const auto mixed = curves({0.1, 0.9, 0.7, 0.5, 0.3}, {false, true, false, true, false});
  CHECK(mixed.auroc == Approx(5.0 / 6));  // of 2 x 3 couples, only (0.5, 0.7) is the wrong way round
  CHECK(mixed.pr_auc == Approx(0.5 * 1 + 0.5 * (2.0 / 3)));
  CHECK(mixed.fpr_at_95_tpr == Approx(1.0 / 3));
  CHECK(mixed.fpr_at_100_tpr == Approx(1.0 / 3));
  CHECK(Json(mixed.roc).dump() ==
        "[[0.0,0.0],[0.0,0.5],[0.3333333333333333,0.5],[0.3333333333333333,1.0],"
        "[0.6666666666666666,1.0],[1.0,1.0]]");
}

TEST_CASE("equal scores count half, in whatever order they stand", "[metric][poison_detection]") {
  for (const auto& poisoned : {std::vector<bool>{true, false, false, true}, {false, false, true, true}}) {
    const auto tied = curves({1, 1, 1, 1}, poisoned);
    CHECK(tied.auroc == 0.5);
    CHECK(tied.pr_auc == 0.5);  // the share of poisons
    CHECK(tied.fpr_at_95_tpr == 1);
  }
  // The poison at 2 beats the clean one at 1 and ties with the other.
  CHECK(curves({2, 2, 1}, {true, false, false}).auroc == Approx(0.75));
}

TEST_CASE("a long ROC curve is told by few points, from end to end", "[metric][poison_detection]") {
  std::vector<double> scores;
  std::vector<bool> poisoned;
  for (int i = 0; i < 3000; ++i) {
    scores.push_back(i);
    poisoned.push_back(i % 3 == 0);
  }
  const auto roc = curves(scores, poisoned).roc;
  CHECK((roc.size() > 40 && roc.size() <= 52));
  CHECK((roc.front() == std::array{0.0, 0.0} && roc.back() == std::array{1.0, 1.0}));
  CHECK(std::ranges::is_sorted(roc));
}

TEST_CASE("95 % and all of the poisons are reached at other thresholds", "[metric][poison_detection]") {
  std::vector<double> scores;
  std::vector<bool> poisoned;
  for (int i = 0; i < 20; ++i) {  // 19 poisons on top, one at the bottom
    scores.push_back(i < 19 ? 10 : 0);
    poisoned.push_back(true);
  }
  for (int i = 0; i < 10; ++i) {
    scores.push_back(i == 0 ? 20 : 5);
    poisoned.push_back(false);
  }
  const auto result = curves(scores, poisoned);
  CHECK(result.fpr_at_95_tpr == Approx(0.1));
  CHECK(result.fpr_at_100_tpr == 1);
}

TEST_CASE("poisons above the threshold are found, those at it are not", "[metric][poison_detection]") {
  const auto result = evaluate(Suspicion{torch::tensor({3.0, 2.0, 1.0, 5.0, 0.0}, torch::kDouble), 2.0},
                               {true, true, false, false, false});
  REQUIRE(result.counts.size() == 1);
  CHECK(result.counts[0].name == "poisons_found");
  CHECK(result.counts[0].hits == 1);
  CHECK(result.counts[0].trials == 2);
  CHECK(result.counts[0].items == std::vector<std::int64_t>{0, 1});
  CHECK(result.counts[0].outcomes == std::vector<std::uint8_t>{1, 0});
  std::map<std::string, double> values;
  for (const auto& value : result.values) values[value.name] = value.value;
  CHECK(values.at("auroc") == Approx(4.0 / 6));
  CHECK(values.at("clean_flagged") == 1);
  CHECK(values.at("poisons_left") == 1);
  const auto roc = curves({3, 2, 1, 5, 0}, {true, true, false, false, false}).roc;
  CHECK(Json::parse(result.details) == Json{{"poisons", 2}, {"clean_pairs", 3}, {"threshold", 2.0}, {"roc", roc}});
}

TEST_CASE("without a threshold only the curves are told", "[metric][poison_detection]") {
  const auto result = evaluate(Suspicion{torch::tensor({3.0, 2.0}, torch::kDouble), std::nullopt}, {true, false});
  CHECK(result.counts.empty());
  REQUIRE(result.values.size() == 4);
  CHECK(result.values[0].name == PoisonDetection(NoParams{}).headline());
}

TEST_CASE("poison detection does not apply without scores, without poisons and without clean pairs",
          "[metric][poison_detection]") {
  const Suspicion scores{torch::tensor({3.0, 2.0}, torch::kDouble), 1.0};
  for (const auto& result :
       {evaluate(std::nullopt, {true, false}), evaluate(scores, {false, false}), evaluate(scores, {true, true})}) {
    CHECK_FALSE(result.not_applicable.empty());
    CHECK(result.counts.empty());
    CHECK(result.values.empty());
  }
}

}  // namespace roclip::poison_detection_test
