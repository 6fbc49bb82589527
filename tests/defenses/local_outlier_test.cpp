#include "local_outlier.h"

#include <algorithm>
#include <cmath>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::local_outlier_test {

namespace {

using Row = std::vector<double>;
using Score = OutlierScoring::Score;

Row distances_from(const torch::Tensor& points, std::int64_t row) {
  Row result;
  for (std::int64_t i = 0; i < points.size(0); ++i) {
    result.push_back((points[row] - points[i]).norm().item<double>());
  }
  return result;
}

Row sorted(Row row) {
  std::ranges::sort(row);
  return row;
}

double lid_of(const Row& sorted_row, std::size_t k, std::size_t last) {
  double sum = 0;
  for (std::size_t j = 0; j < k; ++j) sum += std::log(sorted_row[j] / sorted_row[last] + 1e-4);
  return -static_cast<double>(k) / sum;
}

/// The scores as they are defined, or as the published code looks them up, in loops.
Row slow_scores(const torch::Tensor& images, const torch::Tensor& captions, const OutlierScoring& scoring) {
  const auto points = captions.defined() ? torch::cat({images, captions}) : images;
  const auto pairs = images.size(0);
  const auto k = static_cast<std::size_t>(scoring.k), last = scoring.published ? k : k - 1;
  const auto others = [&](std::int64_t point, auto value_of) {  // without the point and the other half of its pair
    std::vector<decltype(value_of(point))> result;
    for (std::int64_t i = 0; i < points.size(0); ++i) {
      if (i % pairs != point % pairs) result.push_back(value_of(i));
    }
    return result;
  };
  const auto row_of = [&](std::int64_t point) {
    const auto all = distances_from(points, point);
    return sorted(scoring.published ? all
                                    : others(point, [&](std::int64_t i) { return all[static_cast<std::size_t>(i)]; }));
  };
  Row result;
  for (std::int64_t x = 0; x < pairs; ++x) {
    const auto all = distances_from(points, x);
    const auto distance = others(x, [&](std::int64_t i) { return all[static_cast<std::size_t>(i)]; });
    const auto name = others(x, [](std::int64_t i) { return i; });
    std::vector<std::size_t> column(distance.size());
    for (std::size_t c = 0; c < column.size(); ++c) column[c] = c;
    std::ranges::sort(column, {}, [&](std::size_t c) { return distance[c]; });
    const double own = distance[column[last]];
    double sum = 0;
    for (std::size_t j = 0; j < k; ++j) {
      const auto o = scoring.published ? static_cast<std::int64_t>(column[j]) : name[column[j]];
      const auto row = row_of(o);
      const double ratio = own / row[last];
      sum += scoring.score == Score::kDao ? lid_of(row, k, last) * std::log(ratio) : ratio;
    }
    result.push_back(scoring.score == Score::kKDistance ? own : sum / static_cast<double>(k));
  }
  return result;
}

/// Pairs of one caption: so many images of about one colour, then four of other colours.
Pairs mostly_alike(std::int64_t alike) {
  auto images = torch::zeros({alike + 4, 3, 4, 4}, torch::kUInt8);
  Rng rng(7);
  const auto paint = [&](std::int64_t i, std::vector<std::int64_t> colour) {
    for (std::int64_t c = 0; c < 3; ++c) images[i][c].fill_(colour[static_cast<std::size_t>(c)]);
  };
  for (std::int64_t i = 0; i < alike; ++i) paint(i, {200 + rng.below(30), 90 + rng.below(30), 40 + rng.below(30)});
  const std::vector<std::vector<std::int64_t>> odd = {{10, 250, 20}, {20, 30, 250}, {10, 200, 240}, {120, 250, 5}};
  for (std::int64_t i = 0; i < 4; ++i) paint(alike + i, odd[static_cast<std::size_t>(i)]);
  return tensor_pairs(images, std::vector<std::string>(static_cast<std::size_t>(alike + 4), "east"));
}

struct Surroundings {
  explicit Surroundings(Pairs of) : toy(model, std::move(of)) { context.stage = {.name = "retrain", .batch_size = 8}; }

  FakeClip model{{{"east", {1, 0, 0}}}};
  ToySurroundings toy;
  TrainContext& context = toy.context;
};

LocalOutlierDefense::Params of_images(double drop_share) {
  LocalOutlierDefense::Params params;
  params.k = 6;
  params.reference = "images";
  params.drop_share = drop_share;
  return params;
}

}  // namespace

TEST_CASE("local outlier scores of points on a line are those worked out by hand", "[defense][local_outlier]") {
  const auto points = torch::tensor({0.0, 1.0, 3.0, 10.0}).unsqueeze(1);
  const auto score = [&](Score which) { return outlier_scores(points, torch::Tensor(), {.score = which, .k = 1}); };
  CHECK(torch::allclose(score(Score::kKDistance), torch::tensor({1.0, 1.0, 2.0, 7.0}, torch::kDouble)));
  // 3 is nearest to 1, whose own neighbour is at 1; 10 is nearest to 3, whose own is at 2.
  CHECK(torch::allclose(score(Score::kSlof), torch::tensor({1.0, 1.0, 2.0, 3.5}, torch::kDouble)));
}

TEST_CASE("local outlier scores equal the definition, and the published look-ups theirs, in slow loops",
          "[defense][local_outlier]") {
  const auto generator = at::detail::createCPUGenerator(3);
  const auto images = torch::randn({30, 3}, generator, torch::kDouble),
             captions = torch::randn({30, 3}, generator, torch::kDouble) + 0.5;
  for (const auto& texts : {torch::Tensor(), captions}) {
    for (const auto score : {Score::kDao, Score::kSlof, Score::kKDistance}) {
      for (const bool published : {false, true}) {
        CAPTURE(texts.defined(), static_cast<int>(score), published);
        const OutlierScoring scoring{.score = score, .k = 4, .published = published};
        const auto slow = torch::tensor(slow_scores(images, texts, scoring), torch::kDouble);
        CHECK(torch::allclose(outlier_scores(images, texts, scoring), slow));
      }
    }
  }
  const auto by = [&](bool published) { return outlier_scores(images, captions, {.k = 4, .published = published}); };
  CHECK_FALSE(torch::allclose(by(true), by(false), 0.1));
}

TEST_CASE("local outlier scores in blocks of rows equal those of fewer points", "[defense][local_outlier]") {
  const auto near = torch::randn({600, 2}, at::detail::createCPUGenerator(3));
  const auto far = torch::randn({300, 2}, at::detail::createCPUGenerator(4)) + 1000;
  const auto all = outlier_scores(torch::cat({near, far}), torch::Tensor(), {.k = 5});
  CHECK(torch::allclose(all.slice(0, 0, 600), outlier_scores(near, torch::Tensor(), {.k = 5})));
}

TEST_CASE("a local outlier score that is not defined is the most suspicious one", "[defense][local_outlier]") {
  const auto copies = torch::cat({torch::zeros({5, 2}), torch::randn({20, 2}, at::detail::createCPUGenerator(3)) + 9});
  for (const auto score : {Score::kDao, Score::kSlof}) {
    const auto scores = outlier_scores(copies, torch::Tensor(), {.score = score, .k = 4});
    CHECK(scores.slice(0, 0, 5).eq(1000).all().item<bool>());
    CHECK(scores.slice(0, 5).lt(100).all().item<bool>());
  }
}

TEST_CASE("local_outlier drops the odd pairs by every score, and trains on the others", "[defense][local_outlier]") {
  for (const std::string score : {"dao", "slof", "k_distance"}) {
    for (const std::int64_t chunk : {0, 22}) {
      CAPTURE(score, chunk);
      Surroundings surroundings(mostly_alike(40));
      auto params = of_images(4.0 / 44);
      params.score = score;
      params.chunk = chunk;
      LocalOutlierDefense defense(params);
      CHECK_FALSE(defense.suspicion());
      defense.before_stage(surroundings.context);
      CHECK(surroundings.model.training);
      const auto suspicion = defense.suspicion();
      REQUIRE(suspicion);
      REQUIRE(suspicion->scores.size(0) == 44);
      CHECK((suspicion->scores > *suspicion->threshold).nonzero().squeeze(1).equal(torch::arange(40, 44)));
      const auto first = defense.choose_samples(surroundings.context);
      CHECK(std::get<0>(first.sort()).equal(torch::arange(40)));
      CHECK_FALSE(defense.choose_samples(surroundings.context).equal(first));
    }
  }
}

TEST_CASE("local_outlier says so when there are too few pairs for its neighbours", "[defense][local_outlier]") {
  Surroundings surroundings(mostly_alike(40));
  auto params = of_images(0.1);
  params.chunk = 7;
  LocalOutlierDefense defense(params);
  CHECK_THROWS_WITH(defense.before_stage(surroundings.context), Catch::Contains("at least k + 2 = 8 pairs, got 6"));
}

}  // namespace roclip::local_outlier_test
