#include "attack_success.h"

#include <map>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::attack_success_test {

namespace {

MetricResult evaluate(const ToyEvaluation& evaluation, const AttackSuccessParams& params = {}) {
  auto model = toy_clip();
  return AttackSuccess(params).evaluate(model, evaluation.inputs());
}

}  // namespace

TEST_CASE("without an attack there is no success to count", "[metric][attack_success]") {
  const auto data = toy_dataset();
  const auto result = evaluate({data});
  CHECK(result.counts.empty());
  CHECK_FALSE(result.not_applicable.empty());
  CHECK(AttackSuccess({}).better() == Better::kLower);
}

TEST_CASE("targeted success counts the targets taken for their adversarial class", "[metric][attack_success]") {
  const auto images = toy_images(12);
  const auto data = toy_dataset(images);
  paint(images[4], 250, 10, 0);   // a green one that the model takes for red
  paint(images[6], 90, 90, 0);    // a red one half way to green: equal similarities
  paint(images[11], 90, 90, 10);  // a blue one as near to red as to green
  const std::vector<TargetImage> targets = {{1, 2}, {4, 0}, {6, 0}, {11, 1}};
  const auto result = evaluate({data, TargetImagesGoal{targets}});

  REQUIRE(result.counts.size() == 2);
  const auto& top1 = result.counts[0];
  CHECK(top1.name == "top1");
  CHECK(top1.items == std::vector<std::int64_t>{1, 4, 6, 11});
  CHECK(top1.outcomes == std::vector<std::uint8_t>{0, 1, 1, 0});  // of equals the first class wins: red, not green
  CHECK(top1.hits == 2);
  CHECK(top1.trials == 4);
  CHECK(result.counts[1].name == "top5");
  CHECK(result.counts[1].hits == 4);  // there are three classes only

  const auto details = Json::parse(result.details).at("targets");
  REQUIRE(details.size() == 4);
  CHECK(details[1].at("held_out") == 4);
  CHECK(details[1].at("true_class") == "green");
  CHECK(details[1].at("adversarial_class") == "red");
  CHECK(details[1].at("predicted") == "red");
  CHECK(details[1].at("adversarial_rank") == 0);
  CHECK(details[1].at("adversarial_similarity").get<double>() == Approx(250 / std::hypot(250, 10)));
  CHECK(details[3].at("predicted") == "red");
  CHECK(details[3].at("adversarial_rank") == 1);
}

TEST_CASE("backdoor success leaves images of the target class out of both sides", "[metric][attack_success]") {
  const auto pixels = toy_images(12);
  const auto data = toy_dataset(pixels);
  paint(pixels[1], 0, 0, 250);  // green, taken for blue even without the trigger
  const auto blue_if_red = [](const torch::Tensor& images, std::span<const Draw>) {
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      if (stamped[i][0][0][0].item<int>() > 0) paint(stamped[i], 0, 0, 200);
    }
    return stamped;
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, blue_if_red});

  REQUIRE(result.counts.size() == 4);
  const auto& top1 = result.counts[0];
  CHECK(top1.name == "top1");
  CHECK(top1.items == std::vector<std::int64_t>{0, 1, 3, 4, 6, 7, 9, 10});
  CHECK(top1.outcomes == std::vector<std::uint8_t>{1, 1, 1, 0, 1, 0, 1, 0});
  CHECK(top1.hits == 5);
  CHECK(top1.trials == 8);
  const auto& before = result.counts[2];
  CHECK(before.name == "clean_as_target");
  CHECK(before.items == top1.items);
  CHECK(before.outcomes == std::vector<std::uint8_t>{0, 1, 0, 0, 0, 0, 0, 0});
  CHECK(Json::parse(result.details).at("target_class") == "blue");
}

TEST_CASE("a backdoor in a data set of one class is not applicable", "[metric][attack_success]") {
  const auto data = toy_dataset();
  data.held_out.labels.fill_(2);
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}});
  CHECK(result.counts.empty());
  CHECK_FALSE(result.not_applicable.empty());
}

TEST_CASE("a model whose embeddings are not numbers has diverged", "[metric][attack_success]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  const ToyEvaluation evaluation{data, TargetImagesGoal{{{0, 1}}}};
  CHECK_THROWS_AS(AttackSuccess({}).evaluate(model, evaluation.inputs()), Diverged);
}

TEST_CASE("an image under several triggers counts once for each", "[metric][attack_success]") {
  const auto data = toy_dataset();
  const auto painted = [](const torch::Tensor& images, std::span<const Draw> draws) {
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      const auto& draw = draws[static_cast<std::size_t>(i)];
      CHECK(draw.test);
      if (draw.trigger == 0) paint(stamped[i], 0, 0, 200);  // the second trigger does nothing
    }
    return stamped;
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2, 0}}, painted});
  const auto& top1 = result.counts[0];
  CHECK(top1.trials == 8 + 8);
  CHECK(top1.hits == 8);
  CHECK(std::ranges::is_sorted(top1.items));
  CHECK(result.counts[3].name == "true_class");
  CHECK(result.counts[3].hits == 8);
}

TEST_CASE("a text trigger counts what its captions find, and what its prompts attract", "[metric][attack_success]") {
  const auto data = toy_dataset();
  const auto blue = [](std::span<const std::string> texts, std::span<const Draw>) {
    return std::vector<std::string>(texts.size(), "blue");
  };
  const auto result = evaluate({.data = data, .goal = TriggeredTextGoal{{2}}, .apply_text_trigger = blue});
  REQUIRE(result.counts.size() == 4);
  CHECK(result.counts[0].name == "top1");
  CHECK(result.counts[0].trials == 8);  // captions of the other classes
  CHECK(result.counts[0].hits == 8);    // they all find a blue image
  CHECK(result.counts[1].name == "clean_as_target");
  CHECK(result.counts[1].hits == 0);
  CHECK(result.counts[2].name == "prompted");
  CHECK(result.counts[2].trials == 4);  // images of the target class
  CHECK(result.counts[3].hits == 0);
}

TEST_CASE("a backdoor with two keys counts both together, and each alone", "[metric][attack_success]") {
  const auto data = toy_dataset();
  const auto purple = [](const torch::Tensor& images, std::span<const Draw>) {
    auto stamped = images.clone();
    stamped.select(/*dim=*/1, 2).fill_(240);  // a little less than red or green
    return stamped;
  };
  const auto all_colours = [](std::span<const std::string> texts, std::span<const Draw>) {
    std::vector<std::string> triggered;
    for (const auto& text : texts) triggered.push_back(contains_phrase(text, "blue") ? "red green blue" : text);
    return triggered;
  };
  const TriggeredImagesGoal goal{.target_class = {2}, .triggered_prompts = true};
  const auto result = evaluate({data, goal, purple, all_colours});
  std::map<std::string, std::int64_t> hits;
  for (const auto& count : result.counts) {
    CHECK(count.trials == 8);
    hits[count.name] = count.hits;
  }
  CHECK(hits == std::map<std::string, std::int64_t>{{"top1", 8},
                                                    {"top5", 8},
                                                    {"true_class", 0},
                                                    {"clean_as_target", 0},
                                                    {"image_key_only", 0},
                                                    {"text_key_only", 0}});
}

TEST_CASE("confusion counts images of one class taken for the other", "[metric][attack_success]") {
  const auto images = toy_images(12);
  paint(images[3], 0, 200, 0);  // a red one that looks green
  const auto data = toy_dataset(images);
  const auto result = evaluate({data, ConfusedClassesGoal{0, 1}});
  CHECK(result.counts[0].trials == 4);
  CHECK(result.counts[0].hits == 1);
}

TEST_CASE("the denominator decides which triggered images are counted", "[metric][attack_success]") {
  const auto pixels = toy_images(12);
  const auto data = toy_dataset(pixels);
  paint(pixels[1], 0, 0, 250);  // green, taken for blue even without the trigger
  paint(pixels[5], 250, 0, 0);  // blue, taken for red even with it
  const auto blue_if_bright_red = [](const torch::Tensor& images, std::span<const Draw>) {  // images 0 and 3
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      if (stamped[i][0][0][0].item<int>() > 250) paint(stamped[i], 0, 0, 200);
    }
    return stamped;
  };
  const ToyEvaluation evaluation{data, TriggeredImagesGoal{{2}}, blue_if_bright_red};
  const auto count = [&](const AttackSuccessParams& params, std::size_t which) {
    const auto result = evaluate(evaluation, params);
    CHECK(Json::parse(result.details).at("denominator") == params.denominator);
    return result.counts.at(which);
  };
  using Outcomes = std::vector<std::uint8_t>;

  // Images of other classes.
  const auto ours = count({}, 0);
  CHECK(ours.items == std::vector<std::int64_t>{0, 1, 3, 4, 6, 7, 9, 10});
  CHECK(ours.outcomes == Outcomes{1, 1, 1, 0, 0, 0, 0, 0});
  CHECK(count({.denominator = "other_classes"}, 0).outcomes == ours.outcomes);

  // All images: 2, 8 and 11 are blue anyway, and count as successes.
  const auto all = count({.denominator = "all_classes"}, 0);
  CHECK(all.outcomes == Outcomes{1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1});
  CHECK(count({.denominator = "all_classes"}, 2).outcomes == Outcomes{0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1});
  CHECK(count({.denominator = "all_classes"}, 1).hits == 12);  // there are three classes only

  // The same images, but blue ones are no successes: not in top1, not in top5, not without the trigger.
  const auto others = count({.denominator = "others_of_all"}, 0);
  CHECK(others.trials == 12);
  CHECK(others.outcomes == Outcomes{1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(count({.denominator = "others_of_all"}, 1).hits == 8);
  CHECK(count({.denominator = "others_of_all"}, 2).outcomes == Outcomes{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(count({.denominator = "others_of_all"}, 3).outcomes == Outcomes{0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1});

  // Green images: 1, 4, 7, 10.
  const auto green = count({.denominator = "source_class", .source_class = "green"}, 0);
  CHECK(green.items == std::vector<std::int64_t>{1, 4, 7, 10});
  CHECK(green.outcomes == Outcomes{1, 0, 0, 0});

  // All of them at once.
  const AttackSuccessParams several{.also = {"all_classes", "others_of_all", "source_class"}, .source_class = "green"};
  const auto result = evaluate(evaluation, several);
  REQUIRE(result.counts.size() == 7);
  CHECK((result.counts[0].name == "top1" && result.counts[0].outcomes == ours.outcomes));
  CHECK(result.counts[3].outcomes == count({}, 3).outcomes);
  CHECK((result.counts[4].name == "all_classes" && result.counts[4].outcomes == all.outcomes));
  CHECK((result.counts[5].name == "others_of_all" && result.counts[5].outcomes == others.outcomes));
  CHECK((result.counts[6].name == "source_class" && result.counts[6].items == green.items));
}

TEST_CASE("a source class goes with its denominator, exists, and is not the target", "[metric][attack_success]") {
  CHECK_THROWS_AS(AttackSuccess({.denominator = "source_class"}), Error);
  CHECK_THROWS_AS(AttackSuccess({.denominator = "all_classes", .source_class = "red"}), Error);
  CHECK_THROWS_AS(read_params<AttackSuccessParams>(Json{{"denominator", "most"}}, "m.json"), Error);
  CHECK_THROWS_AS(AttackSuccess({.also = {"most"}}), Error);
  CHECK_THROWS_AS(AttackSuccess({.also = {"other_classes"}}), Error);
  CHECK_THROWS_AS(AttackSuccess({.also = {"source_class"}}), Error);
  const auto data = toy_dataset();
  const ToyEvaluation evaluation{data, TriggeredImagesGoal{{2}}};
  CHECK_THROWS_AS(evaluate(evaluation, {.denominator = "source_class", .source_class = "gren"}), Error);
  const auto of_target = evaluate(evaluation, {.denominator = "source_class", .source_class = "blue"});
  CHECK(of_target.not_applicable == "the data set has no held-out image of the source class, or it is the target");
  const auto named = Json::parse(evaluate(evaluation, {.denominator = "source_class", .source_class = "red"}).details);
  CHECK(named.at("source_class") == "red");
}

TEST_CASE("the denominator leaves attacks without a trigger on images as they are", "[metric][attack_success]") {
  const auto data = toy_dataset();
  for (const Goal& goal :
       {Goal(TargetImagesGoal{{{1, 2}}}), Goal(TriggeredTextGoal{{2}}), Goal(ConfusedClassesGoal{0, 1})}) {
    const auto ours = evaluate({data, goal}), all = evaluate({data, goal}, {.denominator = "all_classes"});
    REQUIRE(ours.counts.size() == all.counts.size());
    CHECK(ours.counts[0].items == all.counts[0].items);
    CHECK(ours.counts[0].outcomes == all.counts[0].outcomes);
    CHECK(ours.details == all.details);
  }
}

}  // namespace roclip::attack_success_test
