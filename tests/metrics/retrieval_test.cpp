#include "retrieval.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::retrieval_test {

namespace {

MetricResult evaluate(const Dataset& data, FakeClip model = toy_clip()) {
  return Retrieval(NoParams{}).evaluate(model, ToyEvaluation{data}.inputs());
}

}  // namespace

TEST_CASE("retrieval ranks four pairs of three texts as by hand", "[metric][retrieval]") {
  const auto scores = torch::tensor({{0.9F, 0.5F, 0.1F},     // its text 0 is first
                                     {0.8F, 0.6F, 0.7F},     // its text 1 is last
                                     {0.2F, 0.3F, 0.3F},     // its text 2 ties with text 1, which comes first
                                     {0.1F, 0.65F, 0.2F}});  // its text 1 is first
  const auto text_of = torch::tensor({0, 1, 2, 1}, torch::kLong);
  const auto ranks = retrieval_ranks(scores, torch::eye(3), text_of);
  CHECK(ranks.image_to_text.equal(torch::tensor({0, 2, 1, 0}, torch::kLong)));
  // Text 1 has images 1 and 3; 3 is the nearest of all. Text 2 comes to image 1 before its own.
  CHECK(ranks.text_to_image.equal(torch::tensor({0, 0, 1, 0}, torch::kLong)));
}

TEST_CASE("retrieval in tiles equals a search without", "[metric][retrieval]") {
  constexpr std::int64_t kImages = 1100, kTexts = 700;
  const auto generator = at::detail::createCPUGenerator(3);
  const auto images = torch::randint(0, 3, {kImages, 4}, generator).to(torch::kFloat32);  // small integers: many ties
  const auto texts = torch::randint(0, 3, {kTexts, 4}, generator).to(torch::kFloat32);
  const auto text_of = torch::arange(kImages, torch::kLong) * 7 % kTexts;
  const auto ranks = retrieval_ranks(images, texts, text_of);

  const auto products = images.matmul(texts.t());
  const auto score = products.accessor<float, 2>();
  const auto text = text_of.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < kImages; i += 9) {
    std::int64_t texts_before = 0, images_before = kImages;
    for (std::int64_t t = 0; t < kTexts; ++t) {
      texts_before += score[i][t] > score[i][text[i]] || (score[i][t] == score[i][text[i]] && t < text[i]);
    }
    for (std::int64_t right = 0; right < kImages; ++right) {  // the best rank of any right image
      if (text[right] != text[i]) continue;
      std::int64_t before = 0;
      for (std::int64_t j = 0; j < kImages; ++j) {
        const float a = score[j][text[i]], b = score[right][text[i]];
        before += a > b || (a == b && j < right);
      }
      images_before = std::min(images_before, before);
    }
    REQUIRE(ranks.image_to_text[i].item<std::int64_t>() == texts_before);
    REQUIRE(ranks.text_to_image[i].item<std::int64_t>() == images_before);
  }
}

TEST_CASE("retrieval takes equal captions as one text and leaves out images without", "[metric][retrieval]") {
  auto data = toy_dataset();
  auto captions = captions_of(*data.held_out.pairs);
  captions[5].clear();
  data.held_out.pairs = tensor_pairs(toy_images(12), captions);
  const auto result = evaluate(data);
  std::vector<std::string> names;
  for (const auto& count : result.counts) {
    names.push_back(count.name);
    CHECK(count.hits == 11);
    CHECK(count.trials == 11);
    CHECK(std::ranges::count(count.items, 5) == 0);
  }
  CHECK(names == std::vector<std::string>{"image_to_text_at_1", "image_to_text_at_5", "image_to_text_at_10",
                                          "text_to_image_at_1", "text_to_image_at_5", "text_to_image_at_10"});
  CHECK(Json::parse(result.details) == Json{{"images", 11}, {"texts", 3}});
}

TEST_CASE("a collapsed model retrieves by chance only", "[metric][retrieval]") {
  const auto result = evaluate(toy_dataset(), FakeClip({{"square", {1, 0, 0}}}));
  CHECK(result.counts[0].hits == 4);  // the first of three texts, which belongs to 4 of 12 images
}

TEST_CASE("retrieval without captions is not applicable", "[metric][retrieval]") {
  auto data = toy_dataset();
  data.held_out.pairs = tensor_pairs(toy_images(12));
  CHECK(evaluate(data).counts.empty());
  CHECK_FALSE(evaluate(data).not_applicable.empty());
}

}  // namespace roclip::retrieval_test
