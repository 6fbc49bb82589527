#include "backdoor_zscore.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kAtOnce = 1024;    // images, or rows in double precision
constexpr double kLeastDeviation = 1e-5;  // below this the rounding of f32 embeddings is what varies

}  // namespace

void BackdoorZscoreParams::declare(ParamList& list) {
  list.choice("divisor", divisor, {"deviation", "variance"},
              "what the rise of the mean similarity is divided by: the standard deviation of the similarity of two "
              "clean images, or its square",
              "Carlini and Terzis 2021, section 4: a z-score; the formula there, as we remember it, has the variance");
}

PairwiseSimilarity pairwise_similarity(const torch::Tensor& rows) {
  // With all couples, also a row with itself: sum of a.b = |sum of rows|^2, sum of (a.b)^2 = |rows^T rows|^2.
  const auto options = rows.options().dtype(torch::kFloat64);
  auto total = torch::zeros({rows.size(1)}, options), gram = torch::zeros({rows.size(1), rows.size(1)}, options);
  double self = 0, self_squared = 0;
  for (const auto& part : rows.split(kAtOnce)) {
    const auto exact = part.to(torch::kFloat64);
    total += exact.sum(/*dim=*/0);
    gram += exact.t().matmul(exact);
    const auto own = exact.square().sum(/*dim=*/1);
    self += own.sum().item<double>();
    self_squared += own.square().sum().item<double>();
  }
  const auto n = static_cast<double>(rows.size(0));
  const double couples = n * (n - 1);
  const double mean = (total.square().sum().item<double>() - self) / couples;
  const double mean_square = (gram.square().sum().item<double>() - self_squared) / couples;
  return {mean, std::max(0.0, mean_square - mean * mean)};
}

MetricResult BackdoorZscore::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto* goal = std::get_if<TriggeredImagesGoal>(&inputs.goal);
  if (goal == nullptr) return {.not_applicable = "the attack puts no trigger on images"};
  const auto& held_out = inputs.data.held_out;
  if (held_out.size() < 2) return {.not_applicable = "it takes two held-out images to have a similarity"};
  const auto items = torch::arange(held_out.size(), torch::kLong);
  const auto similarity_of = [](const torch::Tensor& embeddings) {
    if (!embeddings.isfinite().all().item<bool>()) throw Diverged("the embeddings of images are not finite numbers");
    return pairwise_similarity(embeddings);
  };

  const auto clean = similarity_of(embed_images(model, *held_out.pairs, items));
  const double deviation = std::sqrt(clean.variance);
  if (deviation < kLeastDeviation) {
    return {.not_applicable =
                "all clean images are equally alike to this model, so there is no deviation to divide by"};
  }
  Json z_scores = Json::array(), similarities = Json::array();
  double z_score = 0, triggered_similarity = 0;
  const auto triggers = std::ssize(goal->target_class);
  for (std::int64_t t = 0; t < triggers; ++t) {
    std::vector<torch::Tensor> rows;
    for (const auto& chunk : items.split(kAtOnce)) {
      rows.push_back(embed_images(model, inputs.apply_trigger(held_out.images(chunk), inputs.test_draws(chunk, t))));
    }
    const double mean = similarity_of(torch::cat(rows)).mean;
    const double z = (mean - clean.mean) / (params_.divisor == "variance" ? clean.variance : deviation);
    z_scores.push_back(z);
    similarities.push_back(mean);
    z_score += z / static_cast<double>(triggers);
    triggered_similarity += mean / static_cast<double>(triggers);
  }
  return {.values = {{"z_score", z_score, "1"},
                     {"triggered_similarity", triggered_similarity, "1"},
                     {"clean_similarity", clean.mean, "1"},
                     {"clean_deviation", deviation, "1"}},
          .details = Json{{"images", held_out.size()},
                          {"divisor", params_.divisor},
                          {"z_scores", z_scores},
                          {"triggered_similarities", similarities}}
                         .dump()};
}

}  // namespace roclip
