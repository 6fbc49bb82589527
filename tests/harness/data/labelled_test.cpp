#include "harness/data/labelled.h"

#include <zlib.h>

#include <catch2/catch.hpp>

#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

LabelledSource read(const std::filesystem::path& source) {
  Collection data;
  return read_labelled(source.string(), {}, "labelled", data);
}

std::string cifar_record(const std::string& labels, char red, char green, char blue) {
  return labels + std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}

/// 2 images of 2 x 2 pixels, and their labels.
const std::string kIdxImages = std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16) + "abcdABCD";
const std::string kIdxLabels = std::string("\0\0\x08\x01\0\0\0\x02\x03\x01", 10);

}  // namespace

TEST_CASE("a binary of CIFAR-10 gives its labels, the words of its classes and its planes", "[data][labelled]") {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "airplane\nautomobile\n\n");
  folder.write("data_batch_1.bin", cifar_record(std::string(1, '\1'), 10, 20, 30));
  folder.write("data_batch_2.bin", cifar_record(std::string(1, '\0'), 1, 2, 3) + cifar_record("\x09", 4, 5, 6));
  Collection data;
  const auto source = read_labelled((folder / "data_batch_{1..2}.bin").string(), {}, "probe", data);
  CHECK(source.words == std::vector<std::string>{"airplane", "automobile"});
  REQUIRE(source.images.size() == 2);
  CHECK(source.images[0].label == "1");
  CHECK(data.rows["probe"] == 3);
  CHECK(data.skipped.at({"probe", "a label that has no name"}) ==
        std::vector<std::string>{"data_batch_2.bin: image 1"});
  const auto pixel = draw_item(source.images[0].item, 32).at<cv::Vec3b>(5, 7);
  CHECK(pixel == cv::Vec3b(10, 20, 30));
}

TEST_CASE("of CIFAR-100 the fine labels are taken", "[data][labelled]") {
  const ScratchFolder folder;
  folder.write("fine_label_names.txt", "apple\naquarium_fish\nbaby\n");
  folder.write("test.bin", cifar_record(std::string("\x07\x02", 2), 1, 2, 3));
  const auto source = read(folder / "test.bin");
  REQUIRE(source.images.size() == 1);
  CHECK(source.images[0].label == "2");
}

TEST_CASE("a binary of CIFAR that is no whole number of records, or has no names beside it, is refused",
          "[data][labelled]") {
  const ScratchFolder folder;
  folder.write("test.bin", "short");
  CHECK_THROWS_WITH(read(folder / "test.bin"), Contains("batches.meta.txt"));
  folder.write("batches.meta.txt", "a\n");
  CHECK_THROWS_WITH(read(folder / "test.bin"), Contains("has 5 bytes, expected a multiple of 3073"));
}

TEST_CASE("IDX files are read, plain or gzipped, with the labels that lie beside them", "[data][labelled]") {
  const ScratchFolder folder;
  folder.write("t10k-images-idx3-ubyte", kIdxImages);
  folder.write("t10k-labels-idx1-ubyte", kIdxLabels);
  const auto gz = [&](const std::string& name, const std::string& bytes) {
    const auto file = gzopen((folder / name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  };
  gz("train-images-idx3-ubyte.gz", kIdxImages);
  gz("train-labels-idx1-ubyte.gz", kIdxLabels);
  for (const char* name : {"t10k-images-idx3-ubyte", "train-images-idx3-ubyte.gz"}) {
    const auto source = read(folder / name);
    REQUIRE(source.images.size() == 2);
    CHECK(source.images[0].label == "3");
    CHECK(source.images[1].label == "1");
    CHECK(draw_item(source.images[1].item, 2).at<cv::Vec3b>(1, 0) == cv::Vec3b('C', 'C', 'C'));
  }
}

TEST_CASE("an IDX file that is cut off, of another kind or without its labels is refused", "[data][labelled]") {
  const ScratchFolder folder;
  const auto images = folder / "t10k-images-idx3-ubyte";
  folder.write("t10k-images-idx3-ubyte", kIdxImages);
  CHECK_THROWS_WITH(read(images), Contains("t10k-labels-idx1-ubyte: cannot be read"));
  folder.write("t10k-labels-idx1-ubyte", kIdxLabels.substr(0, 9));
  CHECK_THROWS_WITH(read(images), Contains("which its header does not announce"));
  folder.write("t10k-images-idx3-ubyte", kIdxImages.substr(0, 20));
  CHECK_THROWS_WITH(read(images), Contains("has 20 bytes"));
  folder.write("t10k-images-idx3-ubyte", kIdxLabels);
  CHECK_THROWS_WITH(read(images), Contains("no IDX file"));
  std::string huge = kIdxImages;
  huge.replace(4, 12, std::string(12, '\xff'));  // sizes whose product would overflow
  folder.write("t10k-images-idx3-ubyte", huge);
  CHECK_THROWS_WITH(read(images), Contains("does not announce"));
}

TEST_CASE("a folder with labels.csv is read by it, with either name of the column of images", "[data][labelled]") {
  const ScratchFolder folder;
  for (const char* column : {"image", "path"}) {
    folder.write("val/labels.csv", std::string(column) + ",label\nval/1.jpg,17\nval/2.jpg,3\n");
    const auto source = read(folder / "val");
    REQUIRE(source.images.size() == 2);
    CHECK(source.images[0].label == "17");
    CHECK(source.images[0].item.source == (folder / "val/val/1.jpg").string());
  }
}
