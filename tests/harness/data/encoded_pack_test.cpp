#include "harness/data/encoded_pack.h"

#include <csignal>
#include <fstream>

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "harness/data/data.h"
#include "harness/record/files.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A ramp of grey from left to right, shifted by `shade`.
void write_ramp(const fs::path& file, int width, int height, int shade) {
  cv::Mat image(height, width, CV_8UC3);
  for (int x = 0; x < width; ++x) image.col(x).setTo(cv::Scalar::all((x * 200 / width + shade) % 256));
  fs::create_directories(file.parent_path());
  REQUIRE(cv::imwrite(file.string(), image));
}

/// Of a table of one JPEG, one PNG, one broken file and one WebP.
Json write_ramps(const ScratchFolder& folder) {
  write_ramp(folder / "a.jpg", 160, 120, 0);
  write_ramp(folder / "b.png", 40, 60, 30);
  write_ramp(folder / "c.webp", 64, 64, 50);
  folder.write("broken.jpg", "\xff\xd8no picture");
  folder.write("pairs.csv", "path,caption\na.jpg,first\nbroken.jpg,none\nb.png,second\nc.webp,\xc3\xa9 third\n");
  write_ramp(folder / "test/cat/1.jpg", 80, 80, 10);
  write_ramp(folder / "test/cat/2.jpg", 80, 80, 20);
  write_ramp(folder / "test/dog/1.jpg", 80, 80, 30);
  write_ramp(folder / "test/dog/2.jpg", 80, 80, 40);
  return {{"reader", "csv"}, {"pairs", "pairs.csv"}, {"labelled", "test"}, {"store", "encoded"}, {"image_px", 16}};
}

const auto kSilent = [](auto...) {};

}  // namespace

TEST_CASE("encoded images are stored as they came and decoded when they are asked for", "[data][encoded]") {
  const ScratchFolder folder;
  Json config = write_ramps(folder);
  const Json effective = effective_data(config, folder.path(), "d");
  const LoadedData data = load_data(effective, 16, kSilent);
  CHECK(captions_of(*data.train) == std::vector<std::string>{"first", "second", "\xc3\xa9 third"});
  CHECK(data.train->is_slow());
  CHECK(data.classes.at(1).name == "dog");
  CHECK(data.held_out.size() == 2);
  CHECK(data.probe.size() == 2);
  CHECK(data.held_out.label(0) + data.held_out.label(1) == 1);
  CHECK(data.record.at("pairs") == 3);
  CHECK(data.record.at("left_out")[0] ==
        Json{{"table", "pairs"}, {"reason", "not a readable image"}, {"count", 1}, {"first", {"broken.jpg"}}});

  const EncodedPack pack(prepare_data(effective, kSilent));
  CHECK(pack.size() == 7);
  CHECK(pack.bytes(0) == read_file(folder / "a.jpg"));
  CHECK(pack.bytes(1) == read_file(folder / "b.png"));
  CHECK(pack.name(1) == "b.png");
  CHECK(pack.entry(1).width == 40);
  CHECK(pack.entry(1).height == 60);
  CHECK(is_prepared(effective));

  config["store"] = "pixels";
  const LoadedData pixels = load_data(effective_data(config, folder.path(), "d"), 16, kSilent);
  CHECK(pixels.train->image(1).equal(data.train->image(1)));  // no JPEG, so no smaller decoding
  const auto difference = (pixels.train->image(0).to(torch::kFloat) - data.train->image(0).to(torch::kFloat)).abs();
  CHECK(difference.max().item<double>() < 8);
  CHECK(content_id(effective_data(config, folder.path(), "d")) != content_id(effective));
}

TEST_CASE("captions of encoded images are UTF-8, whatever the table has, as those of pixels are", "[data][encoded]") {
  const ScratchFolder folder;
  Json config = write_ramps(folder);
  folder.write("pairs.csv", "path,caption\na.jpg,caf\xe9\nb.png,th\xc3\xa9\nc\xe9.png,gone\n");
  const auto captions = [&](const char* store) {
    config["store"] = store;
    return captions_of(*load_data(effective_data(config, folder.path(), "d"), 16, kSilent).train);
  };
  CHECK(captions("encoded") == std::vector<std::string>{"caf\xef\xbf\xbd", "th\xc3\xa9"});
  CHECK(captions("encoded") == captions("pixels"));
}

TEST_CASE("metadata that are no metadata, or name more images than there are, are told as damage", "[data][encoded]") {
  const ScratchFolder folder;
  const auto pack = prepare_data(effective_data(write_ramps(folder), folder.path(), "d"), kSilent);
  Json metadata = read_json(pack / "metadata.json");
  const auto message = [&](const Json& json) {
    write_json(pack / "metadata.json", json);
    try {
      EncodedPack opened(pack);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message(metadata).empty());
  CHECK_THAT(message(Json::array({1, 2})), Contains("damaged"));
  metadata["images"] = 1000000;
  CHECK_THAT(message(metadata), Contains("index: is damaged"));
  metadata["version"] = 9;
  CHECK_THAT(message(metadata), Contains("expected version 1, got 9"));
}

TEST_CASE("images are made smaller where their longer side is more than longest_px", "[data][encoded]") {
  const ScratchFolder folder;
  Json config = write_ramps(folder);
  config["longest_px"] = 60;
  const EncodedPack pack(prepare_data(effective_data(config, folder.path(), "d"), kSilent));
  CHECK(pack.entry(0).width == 60);
  CHECK(pack.entry(0).height == 45);
  CHECK(pack.bytes(1) == read_file(folder / "b.png"));
  CHECK(pack.square(0, 16).size() == cv::Size(16, 16));
}

TEST_CASE("a damaged encoded data set is told with the file and the image, or prepared again", "[data][encoded]") {
  const ScratchFolder folder;
  const Json effective = effective_data(write_ramps(folder), folder.path(), "d");
  const auto pack = prepare_data(effective, kSilent);
  const auto spoil = [&](const char* file, std::streamoff at) {
    std::fstream stream(pack / file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(at);
    stream.put('!');
  };
  const auto pixels = load_data(effective, 16, kSilent).train->images(0, 3);
  spoil("00000.images", 40);
  const LoadedData damaged = load_data(effective, 16, kSilent);
  CHECK_THROWS_WITH(damaged.train->image(0), Contains("the image a.jpg is damaged") && Contains("00000.images"));
  CHECK_THROWS_WITH(verify_encoded(pack), Contains("a.jpg is damaged"));
  prepare_data(effective, kSilent);  // reads everything, and so finds it
  CHECK(load_data(effective, 16, kSilent).train->images(0, 3).equal(pixels));
  spoil("index", 4);
  CHECK(load_data(effective, 16, kSilent).train->images(0, 3).equal(pixels));
  fs::resize_file(pack / "00000.images", 100);
  CHECK(load_data(effective, 16, kSilent).train->images(0, 3).equal(pixels));
  fs::remove(pack / "metadata.json");
  CHECK(load_data(effective, 16, kSilent).train->images(0, 3).equal(pixels));
}

TEST_CASE("encoding goes on after the shards that are done, with the same result", "[data][encoded]") {
  const ScratchFolder folder;
  write_ramp(folder / "a.png", 8, 8, 0);
  Collection collection;
  collection.name = "many";
  collection.image_px = 8;
  for (std::int64_t i = 0; i < 2 * kImagesPerShard + 10; ++i) {
    collection.train.push_back({.name = std::to_string(i), .source = (folder / "a.png").string(), .caption = "c"});
  }
  encode_collection(collection, folder / "whole", kSilent);

  const auto stopped = [&] {
    encode_collection(collection, folder / "resumed", [&](std::string_view, std::int64_t done, std::int64_t) {
      if (done >= kImagesPerShard) throw std::runtime_error("killed");
    });
  };
  CHECK_THROWS_WITH(stopped(), "killed");
  const auto image_file = folder / "resumed/00000.images";
  REQUIRE(fs::exists(folder / "resumed/00000.done"));
  const auto written = fs::last_write_time(image_file);
  fs::resize_file(folder / "resumed/00001.images", 5);  // as a killed process leaves it
  encode_collection(collection, folder / "resumed", kSilent);
  CHECK(fs::last_write_time(image_file) == written);
  for (const char* file : {"index", "metadata.json", "00001.images", "00002.images"}) {
    CHECK(read_file(folder / "resumed" / file) == read_file(folder / "whole" / file));
  }
  CHECK(EncodedPack(folder / "resumed").size() == 2 * kImagesPerShard + 10);
}

TEST_CASE("a disk that takes no more ends encoding with the reason and what to do", "[data][encoded]") {
  const ScratchFolder folder;
  write_ramp(folder / "a.png", 200, 200, 0);
  Collection collection;
  collection.image_px = 8;
  for (int i = 0; i < 2000; ++i) {
    collection.train.push_back({.name = "a", .source = (folder / "a.png").string(), .caption = "c"});
  }
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string message;
  try {
    encode_collection(collection, folder / "full", kSilent);
  } catch (const Error& e) {
    message = e.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK_THAT(message, Contains("00000.images: cannot be written: File too large; run again"));
}
