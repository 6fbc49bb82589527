#include "activation_clustering.h"

#include <catch2/catch.hpp>

#include "support/outlying_pairs.h"

namespace roclip::activation_clustering_test {

namespace {

ActivationClusteringDefense::Params params_with(const std::string& reduction) {
  ActivationClusteringDefense::Params params;
  params.cluster_pairs = 30;  // two clusters, unless both first captions are alike
  params.reduction = reduction;
  params.min_silhouette = 0.5;
  return params;
}

}  // namespace

TEST_CASE("reduced keeps the directions of largest variance, in order", "[defense][activation_clustering]") {
  // Mean (1, 2); along the first axis the rows vary by -4, 0, 4, along the second by 1, -2, 1.
  const auto rows = torch::tensor({-3.0, 3.0, 1.0, 0.0, 5.0, 3.0}, torch::kDouble).view({3, 2});
  const auto both = reduced(rows, 5, false), one = reduced(rows, 1, false), white = reduced(rows, 2, true);
  REQUIRE(both.sizes() == torch::IntArrayRef({3, 2}));
  CHECK(torch::allclose(both.select(1, 0).abs(), torch::tensor({4.0, 0.0, 4.0}, torch::kDouble)));
  CHECK(torch::allclose(both.select(1, 1).abs(), torch::tensor({1.0, 2.0, 1.0}, torch::kDouble)));
  CHECK(torch::allclose(one, both.narrow(1, 0, 1)));
  CHECK(torch::allclose(white.square().sum(0), torch::ones({2}, torch::kDouble)));
  CHECK(reduced(torch::ones({3, 2}, torch::kDouble), 2, true).size(1) == 0);
}

TEST_CASE("two_clusters finds the split of least spread, on whichever axis", "[defense][activation_clustering]") {
  // Along the first axis the rows vary more, along the second they fall apart.
  const auto rows =
      torch::tensor({-3.0, 0.0, -1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 9.0, 1.0, 9.0}, torch::kDouble).view({6, 2});
  const auto second = two_clusters(rows - rows.mean(0));
  REQUIRE(second.defined());
  const auto odd = second[4].item<bool>() ? second : ~second;
  CHECK(odd.equal(torch::tensor({false, false, false, false, true, true})));
  CHECK_FALSE(two_clusters(torch::zeros({3, 2}, torch::kDouble)).defined());
  CHECK_FALSE(two_clusters(torch::zeros({3, 0}, torch::kDouble)).defined());
}

TEST_CASE("the silhouette is the mean worked out by hand", "[defense][activation_clustering]") {
  const auto rows = torch::tensor({0.0, 1.0, 4.0, 6.0, 20.0}, torch::kDouble).unsqueeze(1);
  // 0: own 1, other (4 + 6) / 2 = 5; 1: 1, 4; 4: 2, 3.5; 6: 2, 5.5
  const auto four = rows.narrow(0, 0, 4);
  CHECK(silhouette(four, torch::tensor({false, false, true, true})) ==
        Approx((4.0 / 5 + 3.0 / 4 + 1.5 / 3.5 + 3.5 / 5.5) / 4));
  // A cluster of one counts 0. Own of the others: 11/3, 3, 9/3... and to the one 20, 19, 16, 14.
  const auto own = std::vector<double>{11.0 / 3, 9.0 / 3, 9.0 / 3, 13.0 / 3};
  double sum = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const double other = std::vector<double>{20, 19, 16, 14}[i];
    sum += (other - own[i]) / other;
  }
  CHECK(silhouette(rows, torch::tensor({false, false, false, false, true})) == Approx(sum / 5));
}

TEST_CASE("the silhouette in blocks of rows is that of far clusters", "[defense][activation_clustering]") {
  // Within a cluster points are alike, so that each is perfectly placed.
  const auto rows = torch::cat({torch::zeros({1500, 2}, torch::kDouble), torch::ones({600, 2}, torch::kDouble)});
  CHECK(silhouette(rows, rows.select(1, 0) > 0) == Approx(1));
}

TEST_CASE("activation_clustering drops the small half of a caption's images that fall apart",
          "[defense][activation_clustering]") {
  for (const std::string reduction : {"ica", "pca"}) {
    CAPTURE(reduction);
    OutlyingPairs surroundings;
    ActivationClusteringDefense defense(params_with(reduction));
    CHECK_FALSE(defense.suspicion());
    defense.before_stage(surroundings.context);
    CHECK(surroundings.model.training);
    const auto suspicion = defense.suspicion();
    REQUIRE(suspicion);
    // Of 40 pairs 4 are a half of their own: the score is the share of the other half. The green ones do not fall
    // apart.
    const auto expected = torch::cat({torch::full({36}, 0.1, torch::kDouble), torch::full({4}, 0.9, torch::kDouble),
                                      torch::zeros({20}, torch::kDouble)});
    CHECK(torch::allclose(suspicion->scores, expected));
    CHECK(*suspicion->threshold == Approx(0.65));
    const auto first = defense.choose_samples(surroundings.context);
    CHECK(std::get<0>(first.sort()).equal(torch::cat({torch::arange(36), torch::arange(40, 60)})));
    CHECK_FALSE(defense.choose_samples(surroundings.context).equal(first));
  }
}

TEST_CASE("activation_clustering suspects nothing where no half is small enough, or separate enough",
          "[defense][activation_clustering]") {
  for (const bool by_share : {true, false}) {
    CAPTURE(by_share);
    OutlyingPairs surroundings;
    auto params = params_with("pca");
    (by_share ? params.max_share : params.min_silhouette) = by_share ? 0.05 : 1;
    ActivationClusteringDefense defense(params);
    defense.before_stage(surroundings.context);
    CHECK(defense.choose_samples(surroundings.context).size(0) == 60);
    CHECK(defense.suspicion()->scores.max().item<double>() == Approx(by_share ? 0.9 : 0.0));
  }
}

TEST_CASE("activation_clustering leaves a batch", "[defense][activation_clustering]") {
  OutlyingPairs surroundings;
  surroundings.context.stage.batch_size = 58;
  ActivationClusteringDefense defense(params_with("pca"));
  defense.before_stage(surroundings.context);
  CHECK(defense.choose_samples(surroundings.context).size(0) >= 58);
}

}  // namespace roclip::activation_clustering_test
