#include "poison_similarity.h"

#include <cmath>
#include <limits>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::poison_similarity_test {

namespace {

/// Pairs whose every second image has the caption of another class.
struct Mislabelled {
  Dataset data = toy_dataset();
  std::vector<bool> poisoned;

  Mislabelled() {
    std::vector<std::string> captions;
    for (std::int64_t i = 0; i < 60; ++i) {
      poisoned.push_back(i % 2 == 1);
      captions.push_back(data.classes[static_cast<std::size_t>((i + i % 2) % 3)].name);
    }
    data.train = tensor_pairs(toy_images(60), captions);
  }
};

MetricResult evaluate(const ToyEvaluation& evaluation, std::int64_t clean_pairs = 2000) {
  auto model = toy_clip();
  return PoisonSimilarity(PoisonSimilarityParams{clean_pairs}).evaluate(model, evaluation.inputs());
}

}  // namespace

TEST_CASE("the similarity of poisons stands beside that of clean pairs", "[metric][poison_similarity]") {
  const Mislabelled toy;
  const auto result = evaluate({.data = toy.data, .poisoned = toy.poisoned});
  REQUIRE(result.values.size() == 3);
  CHECK((result.values[0].name == "gap" && result.values[0].value == Approx(-1)));
  CHECK((result.values[1].name == "poisons" && std::abs(result.values[1].value) < 1e-6));
  CHECK((result.values[2].name == "clean" && result.values[2].value == Approx(1)));
  CHECK(Json::parse(result.details) == Json{{"poisons", 30}, {"clean_pairs", 30}});
  CHECK(Json::parse(evaluate({.data = toy.data, .poisoned = toy.poisoned}, 7).details).at("clean_pairs") == 7);
}

TEST_CASE("poison_similarity does not apply without poisons, or without clean pairs", "[metric][poison_similarity]") {
  const auto data = toy_dataset();
  CHECK_FALSE(evaluate({.data = data, .poisoned = std::vector<bool>(60, false)}).not_applicable.empty());
  CHECK_FALSE(evaluate({.data = data, .poisoned = std::vector<bool>(60, true)}).not_applicable.empty());
}

TEST_CASE("a model without finite embeddings has no similarity", "[metric][poison_similarity]") {
  const Mislabelled toy;
  auto model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  const ToyEvaluation evaluation{.data = toy.data, .poisoned = toy.poisoned};
  CHECK_THROWS_AS(PoisonSimilarity({}).evaluate(model, evaluation.inputs()), Diverged);
  CHECK(PoisonSimilarity({}).better() == Better::kLower);
}

}  // namespace roclip::poison_similarity_test
