#include "harness/data/data.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include <torch/types.h>
#include <catch2/catch.hpp>
#include <opencv2/imgcodecs.hpp>

#include "harness/data/cache.h"
#include "harness/data/pack.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"
#include "support/silent.h"

using namespace roclip;
using namespace roclip::bench;
namespace fs = std::filesystem;

namespace {

/// Two black images.
Collection collection() {
  Collection data;
  data.name = "black";
  data.image_px = 4;
  data.train = {{"a", "", "one"}, {"b", "", "two"}};
  data.draw = [](const Item&) { return cv::Mat(4, 4, CV_8UC3, cv::Scalar(0, 0, 0)); };
  return data;
}

}  // namespace

TEST_CASE("data is a known name or an object with a reader", "[data]") {
  const Json emoji = {{"reader", "emoji"}, {"clean_share", 0.05}};
  CHECK(effective_data("emoji", ".", "m.json: /data") == emoji);
  CHECK(effective_data(emoji, ".", "m.json: /data") == emoji);
  CHECK(effective_data({{"reader", "emoji"}, {"clean_share", 0}}, ".", "m.json: /data").at("clean_share") == 0.0);
  CHECK_THROWS_AS(effective_data({{"reader", "emoji"}, {"clean_share", 2}}, ".", "m.json: /data"), Error);
  CHECK_THROWS_WITH(effective_data("emojis", ".", "m.json: /data"),
                    Catch::StartsWith("m.json: /data: ") && Catch::Contains("did you mean \"emoji\""));
  CHECK_THROWS_WITH(effective_data({{"reader", "cvs"}}, ".", "m.json: /data"),
                    Catch::StartsWith("m.json: /data/reader: ") && Catch::Contains("did you mean \"csv\""));
  CHECK_THROWS_AS(effective_data(3, ".", "m.json: /data"), Error);
  CHECK_THROWS_AS(effective_data({{"reader", "emoji"}, {"x", 1}}, ".", "m.json: /data"), Error);
}

TEST_CASE("threads that need the same data make it once", "[data][cache]") {
  const ScratchFolder folder;
  std::atomic<int> made = 0;
  const auto file = cache_file("black", "key");
  const auto ensure = [&] {
    ensure_packed(
        file, &verify_pack,
        [&](const fs::path&) {
          ++made;
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          return collection();
        },
        silent);
  };
  std::thread other(ensure);
  ensure();
  other.join();
  CHECK(made == 1);
  CHECK_NOTHROW(verify_pack(file));
}

TEST_CASE("a process killed while it makes data leaves no harm", "[data][cache]") {
  const ScratchFolder folder;
  const auto file = cache_file("black", "key");
  const pid_t child = fork();
  if (child == 0) {
    ensure_packed(
        file, &verify_pack,
        [](const fs::path& scratch) -> Collection {
          std::ofstream(scratch / "half") << "done";
          _exit(9);  // with the lock held and the scratch folder full
        },
        silent);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WEXITSTATUS(status) == 9);
  REQUIRE_FALSE(fs::exists(file));
  bool clean = false;
  ensure_packed(
      file, &verify_pack,
      [&](const fs::path& scratch) {
        clean = fs::is_empty(scratch);
        return collection();
      },
      silent);
  CHECK(clean);
  CHECK_NOTHROW(verify_pack(file));
  for (const auto& entry : fs::directory_iterator(file.parent_path())) {
    CHECK((entry.path() == file || entry.path().extension() == ".lock"));
  }
}

TEST_CASE("a damaged file is made again, with a notice", "[data][cache]") {
  const ScratchFolder folder;
  const auto file = cache_file("black", "key");
  const auto read = [](const fs::path&) { return collection(); };
  ensure_packed(file, &verify_pack, read, silent);
  fs::resize_file(file, 5000 - 1000);
  std::string notices;
  ensure_packed(file, &verify_pack, read, [&](std::string_view what, std::int64_t, std::int64_t total) {
    if (total == 0) notices += what;
  });
  CHECK_THAT(notices, Catch::Contains("truncated"));
  CHECK_NOTHROW(verify_pack(file));
}

TEST_CASE("data that the disk has no room for are refused before anything is drawn", "[data][cache]") {
  const ScratchFolder folder;
  auto data = collection();
  data.image_px = 100'000'000;
  data.draw = [](const Item&) -> cv::Mat { throw std::logic_error("drawn"); };
  CHECK_THROWS_WITH(pack_collection(data, folder / "x.pack", silent),
                    Catch::Contains("2 images of 100000000 x 100000000 pixels take 60 PB") &&
                        Catch::Contains("set a smaller \"image_px\""));
  CHECK_FALSE(fs::exists(folder / "x.pack"));
}

TEST_CASE("the cache lists its packed files with their sizes, and deletes them with all that belongs to them",
          "[data][cache]") {
  const ScratchFolder folder;
  CHECK(cached_files().empty());
  const auto file = cache_file("black", "key");
  const auto make = [&] {
    ensure_packed(
        file, &verify_pack, [](const fs::path&) { return collection(); }, silent);
  };
  make();
  folder.write("cache/other.json", "{}");
  folder.write("cache/killed.pack.tmp/draft.pack", "12345");
  mark_used(file);
  auto files = cached_files();
  REQUIRE(files.size() == 2);
  CHECK(files[0].path == file);
  CHECK(files[0].bytes == fs::file_size(file));
  CHECK(files[1].bytes == 5);
  for (const auto& cached : files) CHECK(delete_cached(cached.path));
  CHECK(cached_files().empty());
  CHECK(std::distance(fs::directory_iterator(file.parent_path()), {}) == 1);
  make();
  CHECK_NOTHROW(verify_pack(file));
}

TEST_CASE("a packed file is not deleted while another process prepares it", "[data][cache]") {
  const ScratchFolder folder;
  const auto file = cache_file("black", "key");
  bool deleted = true;
  ensure_packed(
      file, &verify_pack,
      [&](const fs::path&) {
        deleted = delete_cached(file);
        return collection();
      },
      silent);
  CHECK_FALSE(deleted);
  CHECK_NOTHROW(verify_pack(file));
}

TEST_CASE("a failing reader leaves nothing behind", "[data][cache]") {
  const ScratchFolder folder;
  const auto file = cache_file("black", "key");
  CHECK_THROWS_WITH(ensure_packed(
                        file, &verify_pack,
                        [](const fs::path&) -> Collection { throw Error(ErrorKind::kData, "no network"); }, silent),
                    "no network");
  CHECK_FALSE(fs::exists(file));
  CHECK_FALSE(fs::exists(file.string() + ".tmp"));
}

TEST_CASE("a contact sheet is drawn for both splits and refuses others", "[data]") {
  const ScratchFolder folder;
  Dataset data;
  data.classes = {{"red", {"red"}}};
  auto images = torch::zeros({12, 3, 8, 8}, torch::kUInt8);
  images.select(1, 0).fill_(255);
  data.train = tensor_pairs(images, std::vector<std::string>(12, "ein schönes Bild von etwas"));
  data.held_out = {data.train, torch::zeros({12}, torch::kLong)};
  for (const char* split : {"train", "held_out"}) {
    write_contact_sheet(data, split, 9, 1, folder / "sheet.png");
    const cv::Mat sheet = cv::imread((folder / "sheet.png").string());
    REQUIRE_FALSE(sheet.empty());
    CHECK(sheet.at<cv::Vec3b>(20, 20) == cv::Vec3b(0, 0, 255));  // red, as OpenCV reads it
  }
  CHECK_THROWS_AS(write_contact_sheet(data, "test", 9, 1, folder / "sheet.png"), Error);
}
