#include "footprint.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::footprint_test {

namespace {

MetricResult evaluate(const ToyEvaluation& evaluation, FakeClip model = toy_clip(),
                      const FootprintParams& params = {}) {
  return Footprint(params).evaluate(model, evaluation.inputs());
}

/// Red images become blue; of others, nothing changes.
torch::Tensor blue_if_red(const torch::Tensor& images, std::span<const Draw>) {
  auto stamped = images.clone();
  for (std::int64_t i = 0; i < stamped.size(0); ++i) {
    if (stamped[i][0][0][0].item<int>() > 0) paint(stamped[i], 0, 0, 200);
  }
  return stamped;
}

std::map<std::string, Count> counts_of(const MetricResult& result) {
  std::map<std::string, Count> counts;
  for (const auto& count : result.counts) counts[count.name] = count;
  return counts;
}

/// A toy data set whose blue held-out images are a bit green, so that a pure blue one is nearer to blue texts.
Dataset with_dull_blue(const torch::Tensor& images) {
  for (const std::int64_t blue : {2, 5, 8, 11}) paint(images[blue], 0, 60, 200);
  return toy_dataset(images);
}

using Outcomes = std::vector<std::uint8_t>;

}  // namespace

TEST_CASE("votes of the nearest neighbours weigh by their similarity", "[metric][footprint]") {
  const auto similarities = torch::tensor({{0.9F, 0.8F, 0.8F, 0.1F}});
  const auto labels = torch::tensor({2, 0, 0, 1}, torch::kLong);
  const auto votes = [&](std::int64_t neighbours, double temperature) {
    const auto all = neighbour_votes(similarities, labels, 3, {.neighbours = neighbours, .temperature = temperature});
    return all[0] / all[0].sum();
  };
  const double behind = std::exp(-0.1);
  CHECK(votes(3, 1)[0].item<double>() == Approx(2 * behind / (1 + 2 * behind)));
  CHECK(votes(3, 1)[1].item<double>() == 0);
  CHECK(votes(3, 1)[2].item<double>() == Approx(1 / (1 + 2 * behind)));
  CHECK(votes(1, 1)[2].item<double>() == 1);
  CHECK(votes(3, 0.2).argmax().item<std::int64_t>() == 0);   // 2 / sqrt(e) = 1.21 against 1: two beat one
  CHECK(votes(3, 0.07).argmax().item<std::int64_t>() == 2);  // 2 / e^(10/7) = 0.48: one beats two
  CHECK(votes(100, 1)[1].item<double>() > 0);                // all four vote
  CHECK(votes(3, 1e-3).isfinite().all().item<bool>());
}

TEST_CASE("a backdoor leaves its footprint in every view, image by image", "[metric][footprint]") {
  const auto data = with_dull_blue(toy_images(12));
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, &blue_if_red}, toy_clip(), {.neighbours = 3});
  const auto counts = counts_of(result);
  REQUIRE(counts.size() == 10);
  const std::vector<std::int64_t> items = {0, 1, 3, 4, 6, 7, 9, 10};
  for (const std::string view : {"zero_shot", "linear_probe", "knn", "image_to_text", "text_to_image"}) {
    INFO(view);
    CHECK(counts.at(view).items == items);
    CHECK(counts.at(view).outcomes == Outcomes{1, 0, 1, 0, 1, 0, 1, 0});  // the red ones
    CHECK(counts.at("clean_" + view).items == items);
    CHECK(counts.at("clean_" + view).hits == 0);
  }
  REQUIRE(result.values.size() == 1);
  CHECK(result.values[0].name == Footprint({}).headline());
  CHECK(result.values[0].value == 0.5);
  CHECK(Json::parse(result.details) == Json{{"gallery_images", 12}, {"texts", 3}, {"probe_images", 12}});
}

TEST_CASE("views differ, and the worst is the headline", "[metric][footprint]") {
  const auto data = toy_dataset();  // its blue images are as near to a blue text as a triggered one
  data.probe.labels.copy_((data.probe.labels + 1) % 3);  // and its probe images of blue are called red
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, &blue_if_red}, toy_clip(), {.neighbours = 3});
  const auto counts = counts_of(result);
  CHECK(counts.at("zero_shot").hits == 4);
  CHECK(counts.at("knn").outcomes == Outcomes{0, 1, 0, 1, 0, 1, 0, 1});  // green ones, which the probe set calls blue
  CHECK(counts.at("linear_probe").outcomes == counts.at("knn").outcomes);
  CHECK(counts.at("image_to_text").hits == 4);
  CHECK(counts.at("text_to_image").hits == 0);  // of equals the attacked image comes last
  CHECK(counts.at("clean_knn").hits == 4);
  CHECK(result.values[0].value == 0.5);
}

TEST_CASE("knn and the linear probe read features, not embeddings", "[metric][footprint]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  model.image_weight.copy_(torch::tensor({{0.0F, 1.0F, 0.0F}, {0.0F, 0.0F, 1.0F}, {1.0F, 0.0F, 0.0F}}));
  const auto counts = counts_of(evaluate({data, ConfusedClassesGoal{0, 0}}, model, {.neighbours = 1}));
  CHECK(counts.at("zero_shot").hits == 0);  // red embeds as green
  CHECK(counts.at("knn").hits == 4);
  CHECK(counts.at("linear_probe").hits == 4);
}

TEST_CASE("target images are attacked as they are, each for a class of its own", "[metric][footprint]") {
  const auto images = with_dull_blue(toy_images(12)).held_out.images(0, 12);
  paint(images[4], 0, 0, 250);  // a green one that looks blue, as wanted
  paint(images[6], 0, 0, 250);  // a red one that looks blue; green is wanted
  const auto data = toy_dataset(images);
  const auto result = evaluate({data, TargetImagesGoal{{{4, 2}, {6, 1}, {7, 0}}}}, toy_clip(), {.neighbours = 3});
  const auto counts = counts_of(result);
  CHECK(counts.size() == 5);
  for (const std::string view : {"zero_shot", "linear_probe", "knn", "image_to_text"}) {
    CHECK(counts.at(view).items == std::vector<std::int64_t>{4, 6, 7});
    CHECK(counts.at(view).outcomes == Outcomes{1, 0, 0});
  }
  CHECK(counts.at("text_to_image").hits == 0);  // image 6 is as blue as image 4, and not attacked where that one is
  CHECK(result.values[0].value == Approx(1.0 / 3));
}

TEST_CASE("an attacked image replaces its own clean one in the gallery", "[metric][footprint]") {
  const auto images = toy_images(12);
  paint(images[3], 0, 200, 0);  // the one image that looks green, of class red
  for (const std::int64_t green : {1, 4, 7, 10}) paint(images[green], 90, 200, 0);
  const auto data = toy_dataset(images);
  const auto counts = counts_of(evaluate({data, ConfusedClassesGoal{0, 1}}));
  CHECK(counts.at("text_to_image").items == std::vector<std::int64_t>{0, 3, 6, 9});
  CHECK(counts.at("text_to_image").outcomes == Outcomes{0, 1, 0, 0});
}

TEST_CASE("an image under several triggers counts once for each in the footprint", "[metric][footprint]") {
  const auto data = with_dull_blue(toy_images(12));
  const auto first_only = [](const torch::Tensor& images, std::span<const Draw> draws) {
    CHECK(draws.front().test);
    return draws.front().trigger == 0 ? blue_if_red(images, draws) : images.clone();
  };
  const auto counts = counts_of(evaluate({data, TriggeredImagesGoal{{2, 0}}, first_only}));
  CHECK(counts.at("zero_shot").trials == 16);
  CHECK(counts.at("zero_shot").hits == 4);
  CHECK(std::ranges::is_sorted(counts.at("zero_shot").items));
}

TEST_CASE("a view without its data is left out", "[metric][footprint]") {
  auto data = toy_dataset();
  auto captions = captions_of(*data.held_out.pairs);
  for (const std::size_t blue : {2, 5, 8, 11}) captions[blue].clear();
  data.held_out.pairs = tensor_pairs(toy_images(12), captions);
  CHECK(counts_of(evaluate({data, ConfusedClassesGoal{0, 2}})).size() == 3);  // no caption of blue
  CHECK(counts_of(evaluate({data, ConfusedClassesGoal{0, 1}})).size() == 5);
  data.probe = {};
  const auto counts = counts_of(evaluate({data, ConfusedClassesGoal{0, 2}}));
  CHECK(counts.size() == 1);
  CHECK(counts.contains("zero_shot"));
}

TEST_CASE("there is no footprint without attacked images", "[metric][footprint]") {
  const auto data = toy_dataset();
  for (const Goal& goal : {Goal(NoGoal{}), Goal(TriggeredTextGoal{{2}})}) {
    CHECK(evaluate({data, goal}).counts.empty());
    CHECK_FALSE(evaluate({data, goal}).not_applicable.empty());
  }
  data.held_out.labels.fill_(2);
  CHECK_FALSE(evaluate({data, TriggeredImagesGoal{{2}}}).not_applicable.empty());
  CHECK_FALSE(evaluate({data, ConfusedClassesGoal{0, 2}}).not_applicable.empty());
}

TEST_CASE("a caption of the wanted class is drawn for each attacked image", "[metric][footprint]") {
  auto data = with_dull_blue(toy_images(12));
  auto captions = captions_of(*data.held_out.pairs);
  for (const std::size_t blue : {2, 8}) captions[blue] = "blue";
  for (const std::size_t blue : {5, 11}) captions[blue] = "red";  // finds no blue image
  data.held_out.pairs = tensor_pairs(data.held_out.images(0, 12), captions);
  const auto all_blue = [](const torch::Tensor& images, std::span<const Draw>) {
    auto stamped = torch::zeros_like(images);
    stamped.select(/*dim=*/1, 2).fill_(200);
    return stamped;
  };
  const ToyEvaluation evaluation{data, TriggeredImagesGoal{{2}}, all_blue};
  Outcomes expected;
  for (const auto& draw :
       test_draws(evaluation.inputs().seed, torch::tensor({0, 1, 3, 4, 6, 7, 9, 10}, torch::kLong), 0)) {
    expected.push_back(Rng(draw.value).below(4) % 2 == 0);  // of images 2, 5, 8 and 11
  }
  CHECK(counts_of(evaluate(evaluation)).at("text_to_image").outcomes == expected);
}

TEST_CASE("a low footprint is good, a diverged model has none, wrong parameters are refused", "[metric][footprint]") {
  CHECK(Footprint({}).better() == Better::kLower);
  CHECK(Footprint({}).measures() == Measures::kOther);
  const auto data = toy_dataset();
  auto model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_AS(evaluate({data, TriggeredImagesGoal{{2}}, &blue_if_red}, model), Diverged);
  CHECK_THROWS_AS(read_params<FootprintParams>(Json{{"neighbours", 0}}, "m.json"), Error);
  CHECK_THROWS_AS(read_params<FootprintParams>(Json{{"temperature", 0}}, "m.json"), Error);
}

}  // namespace roclip::footprint_test
