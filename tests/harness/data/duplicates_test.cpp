#include "harness/data/duplicates.h"

#include <catch2/catch.hpp>

#include <torch/types.h>
#include <torch/utils.h>

using namespace roclip;
using namespace roclip::bench;

namespace {

/// Pictures of noise, one a caption; some are made alike by the tests.
struct Pictures {
  torch::Tensor images;
  std::vector<std::string> captions;

  explicit Pictures(std::vector<std::string> texts) : captions(std::move(texts)) {
    torch::manual_seed(1);
    const auto coarse = torch::randint(0, 200, {static_cast<std::int64_t>(captions.size()), 3, 4, 4}).to(torch::kFloat);
    images = torch::upsample_nearest2d(coarse, {32, 32}).to(torch::kByte);
  }
  Pairs pairs() const { return tensor_pairs(images, captions); }
};

}  // namespace

TEST_CASE("captions are the same by their words, whatever case and punctuation", "[data][duplicates]") {
  const Pictures pictures({"A dog.", "a cat", "a dog", "a bird", "a  CAT!", "a dog"});
  CHECK(same_captions(*pictures.pairs()) == std::vector<PairGroup>{{0, 2, 5}, {1, 4}});
}

TEST_CASE("captions that differ by one word, by a word more or by their order are near", "[data][duplicates]") {
  const Pictures pictures({"a red apple on a table", "a green apple on a table", "a apple on a table",
                           "on a table a red apple", "a house by the sea", "a house by the sea", "a dog", "dog a",
                           "a cat"});
  CHECK(near_captions(*pictures.pairs()) == std::vector<PairGroup>{{0, 1, 2, 3}, {6, 7}});
}

TEST_CASE("images are the same by all bytes, and near by shape and colours", "[data][duplicates]") {
  Pictures pictures(std::vector<std::string>(6, "c"));
  pictures.images[3] = pictures.images[0];
  pictures.images[4] = pictures.images[1] + 3;  // a little brighter
  const auto marks = image_marks(*pictures.pairs());
  CHECK(same_images(marks) == std::vector<PairGroup>{{0, 3}});
  CHECK(near_images(marks) == std::vector<PairGroup>{{1, 4}});
  CHECK(colour_distance(marks[1], marks[4]) == Approx(3 / 255.0).margin(0.003));
  CHECK(colour_distance(marks[0], marks[3]) == 0);
  CHECK(colour_distance(marks[0], marks[1]) > 0.1);
}

TEST_CASE("one image under unlike captions and one caption over unlike images score, all else does not",
          "[data][duplicates]") {
  Pictures pictures({"a red apple", "a fast car", "a tall tree", "a small cake", "a small cake", "a small cake",
                     "a pink apple", "a pink apple indeed"});
  pictures.images[1] = pictures.images[0];
  pictures.images[2] = pictures.images[0];
  pictures.images[7] = pictures.images[6];
  const auto pairs = pictures.pairs();
  const auto scores = flood_scores(*pairs, image_marks(*pairs));
  CHECK(scores.captions_of_image == std::vector<double>{2, 2, 2, 0, 0, 0, 0, 0});
  CHECK(scores.images_of_caption == std::vector<double>{0, 0, 0, 2, 2, 2, 0, 0});
}
