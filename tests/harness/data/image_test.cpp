#include "harness/data/image.h"
#include "harness/data/fonts.h"
#include "harness/data/resample.h"

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

TEST_CASE("resizing by cubics gives the bytes of Pillow", "[data][image]") {
  // Image.fromarray(np.arange(0, 256, 5)[:45].reshape(5, 9) with channels x, 255 - x, x * 3 % 256).resize(BICUBIC)
  cv::Mat image(5, 9, CV_8UC3);
  for (int i = 0; i < 45; ++i) {
    const int x = 5 * i;
    image.at<cv::Vec3b>(i / 9, i % 9) = {static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(255 - x),
                                         static_cast<std::uint8_t>(x * 3 % 256)};
  }
  const auto bytes = [](const cv::Mat& rgb) {
    const cv::Mat row = rgb.clone().reshape(1, 1);
    return std::vector<int>(row.begin<std::uint8_t>(), row.end<std::uint8_t>());
  };
  CHECK(bytes(resize_cubic(image, 2, 3)) ==
        std::vector<int>{44, 211, 79, 59, 196, 123, 74, 181, 165, 146, 109, 95, 161, 94, 141, 176, 79, 153});
  CHECK(bytes(resize_cubic(image, 6, 2)) ==
        std::vector<int>{8,   247, 24, 28,  227, 86,  42,  213, 142, 62,  193, 204, 81,  174, 88, 101, 154, 153,
                         119, 136, 96, 139, 116, 136, 158, 97,  165, 178, 77,  185, 192, 63,  52, 212, 43,  116});
}

TEST_CASE("text in drawings is in DejaVu, whatever fonts are installed and whichever one is asked for",
          "[data][image]") {
  REQUIRE(missing_font_packages().empty());
  const auto drawn = [](const std::string& family) {
    return render_svg(R"(<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">)"
                      R"(<text x="2" y="40" font-size="20" font-family=")" +
                          family + R"(">Rag5</text></svg>)",
                      64);
  };
  const auto same = [](const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b, cv::NORM_L1) == 0; };
  const cv::Mat sans = drawn("DejaVu Sans"), serif = drawn("DejaVu Serif");
  CHECK(cv::mean(sans)[0] < 250);
  CHECK_FALSE(same(sans, serif));
  for (const char* family :
       {"Arial", "FreeSans", "Nimbus Sans", "Latin Modern Roman", "Liberation Sans", "no such font"}) {
    INFO(family);
    CHECK(same(drawn(family), sans));
  }
  for (const char* family : {"Times New Roman", "Nimbus Roman", "FreeSerif, serif"}) {
    INFO(family);
    CHECK(same(drawn(family), serif));
  }
}
