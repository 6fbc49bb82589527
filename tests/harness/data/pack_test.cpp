#include "harness/data/pack.h"

#include <torch/types.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
namespace fs = std::filesystem;

namespace {

/// Two 2 x 2 images.
fs::path write_pack(const fs::path& file) {
  PackWriter writer(file, 2);
  CHECK(writer.append(cv::Mat(2, 2, CV_8UC3, cv::Scalar(1, 2, 3))) == 0);
  cv::Mat corner(2, 2, CV_8UC3, cv::Scalar(0, 0, 0));
  corner.at<cv::Vec3b>(1, 0) = {7, 8, 9};
  CHECK(writer.append(corner) == 1);
  writer.finish({{"captions", {"ä", "b"}}});
  return file;
}

void flip_byte(const fs::path& file, std::int64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(offset);
  const auto byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(offset);
  stream.put(byte);
}

}  // namespace

TEST_CASE("a packed file gives back images and metadata", "[data][pack]") {
  const ScratchFolder folder;
  const auto file = write_pack(folder / "x.pack");
  CHECK_NOTHROW(verify_pack(file));
  torch::Tensor images;
  {
    const Pack pack = open_pack(file);
    CHECK(pack.metadata["captions"] == Json{"ä", "b"});
    CHECK(pack.checksum.size() == 32);
    images = pack.images.narrow(0, 1, 1);
  }
  fs::remove(file);  // the view keeps the mapping
  REQUIRE(images.sizes() == torch::IntArrayRef({1, 3, 2, 2}));
  for (int channel = 0; channel < 3; ++channel) {
    CHECK(images[0][channel].sum().item<int>() == 7 + channel);
    CHECK(images[0][channel][1][0].item<int>() == 7 + channel);
  }
}

TEST_CASE("equal contents have equal checksums, others not", "[data][pack]") {
  const ScratchFolder folder;
  const auto checksum = open_pack(write_pack(folder / "a.pack")).checksum;
  CHECK(open_pack(write_pack(folder / "b.pack")).checksum == checksum);
  PackWriter writer(folder / "c.pack", 2);
  writer.append(cv::Mat(2, 2, CV_8UC3, cv::Scalar(1, 2, 3)));
  writer.finish({{"captions", {"ä", "b"}}});
  CHECK(open_pack(folder / "c.pack").checksum != checksum);
}

TEST_CASE("a damaged packed file is refused with a reason", "[data][pack]") {
  const ScratchFolder folder;
  const auto file = write_pack(folder / "x.pack");
  const auto size = static_cast<std::int64_t>(fs::file_size(file));
  SECTION("truncated") {
    fs::resize_file(file, static_cast<std::uintmax_t>(size - 1));
    CHECK_THROWS_WITH(open_pack(file), Catch::Contains("is truncated"));
  }
  SECTION("cut in the header") {
    fs::resize_file(file, 100);
    CHECK_THROWS_WITH(open_pack(file), Catch::Contains("is truncated"));
  }
  SECTION("empty") {
    fs::resize_file(file, 0);
    CHECK_THROWS_AS(open_pack(file), Error);
  }
  SECTION("missing") {
    fs::remove(file);
    CHECK_THROWS_AS(open_pack(file), Error);
  }
  SECTION("another kind of file") {
    flip_byte(file, 0);
    CHECK_THROWS_WITH(open_pack(file), Catch::Contains("not a whole packed data set"));
  }
  SECTION("another version") {
    flip_byte(file, 8);
    CHECK_THROWS_WITH(open_pack(file), Catch::Contains("has version"));
  }
  SECTION("a flipped bit in the header") {
    flip_byte(file, 16);
    CHECK_THROWS_WITH(open_pack(file), Catch::Contains("damaged header"));
  }
  SECTION("a flipped bit in the metadata") {
    flip_byte(file, size - 3);
    CHECK_THROWS_WITH(open_pack(file), Catch::Contains("damaged metadata"));
  }
  SECTION("a flipped bit in an image shows when all is read") {
    flip_byte(file, 4096);
    CHECK_NOTHROW(open_pack(file));
    CHECK_THROWS_WITH(verify_pack(file), Catch::Contains("checksum"));
  }
}

TEST_CASE("a packed file that was never finished is refused", "[data][pack]") {
  const ScratchFolder folder;
  {
    PackWriter writer(folder / "x.pack", 2);
    writer.append(cv::Mat(2, 2, CV_8UC3, cv::Scalar(1, 2, 3)));
  }
  CHECK_THROWS_WITH(open_pack(folder / "x.pack"), Catch::Contains("not a whole packed data set"));
}
