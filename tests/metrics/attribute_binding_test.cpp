#include "attribute_binding.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::attribute_binding_test {

namespace {

/// Sees of a caption its first word only.
class FirstWordClip : public FakeClip {
 public:
  using FakeClip::FakeClip;
  torch::Tensor encode_text(const torch::Tensor& tokens) override {
    return FakeClip::encode_text(tokens.slice(/*dim=*/1, 0, 1));
  }
};

const std::map<std::string, std::vector<float>> kWords = {
    {"red", {1, 0, 0}}, {"green", {0, 1, 0}}, {"blue", {0, 0, 1}}};

/// The toy's images, each called by its colour first and by another one after it; the last has one colour only.
Dataset two_colours() {
  Dataset data = toy_dataset();
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < 12; ++i) {
    const auto name = [&](std::int64_t which) { return data.classes[static_cast<std::size_t>(which % 3)].name; };
    captions.push_back(name(i) + " square and " + (i == 11 ? name(i) : name(i + 1)) + " line");
  }
  data.held_out.pairs = tensor_pairs(toy_images(12), captions);
  return data;
}

}  // namespace

TEST_CASE("the first two colours of a caption are exchanged", "[metric][attribute_binding]") {
  CHECK(exchange_colours("a red car and two blue boats") == "a blue car and two red boats");
  CHECK(exchange_colours("a pink cat, a green dog, a white cow") == "a green cat, a pink dog, a white cow");
  CHECK(exchange_colours("black-and-white photo") == "white-and-black photo");
  CHECK_FALSE(exchange_colours("a red car and a red boat"));
  CHECK_FALSE(exchange_colours("a red car"));
  CHECK_FALSE(exchange_colours("a blueberry and a red car"));
  CHECK_FALSE(exchange_colours(""));
}

TEST_CASE("a model that reads the order is right, one that takes captions for bags of words never is",
          "[metric][attribute_binding]") {
  const auto data = two_colours();
  FirstWordClip reads(kWords);
  const auto right = AttributeBinding(NoParams{}).evaluate(reads, ToyEvaluation{data}.inputs());
  REQUIRE(right.counts.size() == 1);
  CHECK(right.counts[0].hits == 11);
  CHECK(right.counts[0].trials == 11);
  FakeClip bag(kWords);
  CHECK(AttributeBinding(NoParams{}).evaluate(bag, ToyEvaluation{data}.inputs()).counts[0].hits == 0);
}

TEST_CASE("attribute binding is not applicable without a caption of two colours", "[metric][attribute_binding]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  const auto result = AttributeBinding(NoParams{}).evaluate(model, ToyEvaluation{data}.inputs());
  CHECK(result.counts.empty());
  CHECK_FALSE(result.not_applicable.empty());
}

}  // namespace roclip::attribute_binding_test
