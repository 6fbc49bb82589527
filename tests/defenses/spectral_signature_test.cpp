#include "spectral_signature.h"

#include <catch2/catch.hpp>

#include "support/outlying_pairs.h"

namespace roclip::spectral_signature_test {

namespace {

SpectralSignatureDefense::Params dropping(double share, const std::string& compare = "within") {
  SpectralSignatureDefense::Params params;
  params.cluster_pairs = 30;  // two clusters, unless both first captions are alike
  params.drop_share = share;
  params.compare = compare;
  return params;
}

torch::Tensor chosen(SpectralSignatureDefense& defense, TrainContext& context) {
  return std::get<0>(defense.choose_samples(context).sort());
}

}  // namespace

TEST_CASE("spectral scores are squares along the direction of largest variance", "[defense][spectral_signature]") {
  // Mean (1, 2); along the first axis the rows vary by -4, 0, 4, along the second by 1, -2, 1.
  const auto rows = torch::tensor({-3.0, 3.0, 1.0, 0.0, 5.0, 3.0}, torch::kDouble).view({3, 2});
  CHECK(torch::allclose(spectral_scores(rows), torch::tensor({16.0, 0.0, 16.0}, torch::kDouble)));
}

TEST_CASE("spectral_signature drops the pairs of a caption whose images are other ones",
          "[defense][spectral_signature]") {
  OutlyingPairs surroundings;
  SpectralSignatureDefense defense(dropping(4.0 / 60, "across"));
  CHECK_FALSE(defense.suspicion());
  defense.before_stage(surroundings.context);
  CHECK(surroundings.model.training);
  const auto suspicion = defense.suspicion();
  REQUIRE(suspicion);
  CHECK((suspicion->scores > *suspicion->threshold).nonzero().squeeze(1).equal(torch::arange(36, 40)));
  CHECK(chosen(defense, surroundings.context).equal(torch::cat({torch::arange(36), torch::arange(40, 60)})));
}

TEST_CASE("within clusters spectral_signature drops the same share of each", "[defense][spectral_signature]") {
  OutlyingPairs surroundings;
  SpectralSignatureDefense defense(dropping(0.1));
  defense.before_stage(surroundings.context);
  const auto scores = defense.suspicion()->scores;
  // Shares of a cluster that are less suspicious: 0.5 / 40, 1.5 / 40, ... and 0.5 / 20, 1.5 / 20, ...
  const auto sorted = [&](std::int64_t begin, std::int64_t end) {
    return std::get<0>(scores.slice(0, begin, end).sort());
  };
  CHECK(torch::allclose(sorted(0, 40), (torch::arange(40, torch::kDouble) + 0.5) / 40));
  CHECK(torch::allclose(sorted(40, 60), (torch::arange(20, torch::kDouble) + 0.5) / 20));
  const auto left = chosen(defense, surroundings.context);
  CHECK(left.size(0) == 54);
  CHECK((left < 36).sum().item<std::int64_t>() == 36);  // the four blue ones are gone
  CHECK((left >= 40).sum().item<std::int64_t>() == 18);
}

TEST_CASE("spectral_signature with clusters larger than the data has one", "[defense][spectral_signature]") {
  OutlyingPairs surroundings;
  auto params = dropping(0.1);
  params.cluster_pairs = 1000;
  SpectralSignatureDefense defense(params);
  defense.before_stage(surroundings.context);
  CHECK(
      torch::allclose(std::get<0>(defense.suspicion()->scores.sort()), (torch::arange(60, torch::kDouble) + 0.5) / 60));
}

}  // namespace roclip::spectral_signature_test
