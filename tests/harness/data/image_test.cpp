#include "harness/data/image.h"

#include <torch/types.h>
#include <catch2/catch.hpp>
#include <opencv2/core.hpp>

using namespace roclip::bench;

namespace {

torch::Tensor bytes(const std::vector<int>& values, std::vector<std::int64_t> shape) {
  return torch::tensor(values, torch::kInt).to(torch::kUInt8).view(shape);
}

}  // namespace

TEST_CASE("halving an image takes means of 2 x 2 blocks, halves up", "[data][image]") {
  const auto plane = bytes({0, 1, 10, 20,     //
                            0, 1, 30, 41,     //
                            255, 255, 1, 0,   //
                            255, 254, 0, 0},  //
                           {1, 1, 4, 4});
  const auto half = resize_images(plane.expand({2, 3, 4, 4}).contiguous(), 2);
  REQUIRE(half.sizes() == torch::IntArrayRef({2, 3, 2, 2}));
  CHECK(half[1][2].equal(bytes({1, 25, 255, 0}, {2, 2})));  // 0.5 -> 1, 25.25, 254.75, 0.25
}

TEST_CASE("an image at its own size is not copied", "[data][image]") {
  const auto images = torch::randint(256, {2, 3, 8, 8}).to(torch::kUInt8);
  CHECK(resize_images(images, 8).data_ptr() == images.data_ptr());
}

TEST_CASE("sizes that do not divide keep channels and images apart", "[data][image]") {
  auto images = torch::zeros({2, 3, 8, 8}, torch::kUInt8);
  images[1][2].fill_(200);
  const auto resized = resize_images(images, 6);
  CHECK(resized[1][2].eq(200).all().item<bool>());
  CHECK(resized.sum().item<std::int64_t>() == 200 * 36);
}

TEST_CASE("the centre square leaves the long side's ends out", "[data][image]") {
  cv::Mat wide(4, 12, CV_8UC3, cv::Scalar(9, 9, 9));
  wide(cv::Rect(4, 0, 4, 4)) = cv::Scalar(1, 2, 3);
  const cv::Mat square = centre_square(wide, 4);
  REQUIRE(square.size() == cv::Size(4, 4));
  CHECK(cv::sum(square) == cv::Scalar(16, 32, 48));
}
