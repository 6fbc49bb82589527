#include "harness/data/webdataset.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <utility>

#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A tar of these files, in the format of PAX or of GNU.
void write_tar(const fs::path& file, const std::vector<std::pair<std::string, std::string>>& entries, bool pax = true) {
  const std::unique_ptr<archive, int (*)(archive*)> tar(archive_write_new(), &archive_write_free);
  REQUIRE((pax ? archive_write_set_format_pax(tar.get()) : archive_write_set_format_gnutar(tar.get())) == ARCHIVE_OK);
  REQUIRE(archive_write_open_filename(tar.get(), file.c_str()) == ARCHIVE_OK);
  for (const auto& [name, content] : entries) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), &archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    REQUIRE(archive_write_header(tar.get(), entry.get()) == ARCHIVE_OK);
    REQUIRE(archive_write_data(tar.get(), content.data(), content.size()) == static_cast<la_ssize_t>(content.size()));
  }
  REQUIRE(archive_write_close(tar.get()) == ARCHIVE_OK);
}

std::vector<Sample> samples_of(const fs::path& shard) {
  std::vector<Sample> samples;
  read_shard(shard, [&](Sample&& sample) { samples.push_back(std::move(sample)); });
  return samples;
}

}  // namespace

TEST_CASE("files that share their name up to the first dot are one sample, whose image stays in the shard",
          "[data][webdataset]") {
  const ScratchFolder folder;
  const std::string long_name(180, 'n');  // longer than a tar header holds
  const bool pax = GENERATE(true, false);
  write_tar(folder / "a.tar",
            {{"0001.jpg", "picture one"},
             {"0001.txt", "a dog"},
             {long_name + "/0002.JSON", R"({"caption": "a cat"})"},
             {long_name + "/0002.png", std::string(70000, 'x')},
             {"0003.cls", "7"}},
            pax);
  const auto samples = samples_of(folder / "a.tar");
  REQUIRE(samples.size() == 3);
  CHECK(samples[0].key == "0001");
  CHECK(samples[0].texts.at("txt") == "a dog");
  CHECK(samples[0].image.name == "a.tar/0001.jpg");
  CHECK(stored_bytes(samples[0].image) == "picture one");
  CHECK(samples[1].texts.at("json") == R"({"caption": "a cat"})");
  CHECK(stored_bytes(samples[1].image) == std::string(70000, 'x'));
  CHECK(samples[2].image.source.empty());
  CHECK(samples[2].texts.at("cls") == "7");
}

TEST_CASE("shards that were joined byte by byte are read to their end", "[data][webdataset]") {
  const ScratchFolder folder;
  write_tar(folder / "a.tar", {{"1.jpg", "one"}, {"1.txt", "first"}});
  write_tar(folder / "b.tar", {{"2.jpg", "two"}, {"2.txt", "second"}});
  folder.write("both.tar", read_file(folder / "a.tar") + read_file(folder / "b.tar"));
  const auto samples = samples_of(folder / "both.tar");
  REQUIRE(samples.size() == 2);
  CHECK(stored_bytes(samples[1].image) == "two");
}

TEST_CASE("names of shards: a file, a folder, ranges in braces with their zeros", "[data][webdataset]") {
  const ScratchFolder folder;
  const auto names = [](const std::string& path) {
    std::string all;
    for (const auto& shard : shards_of(path)) all += shard.filename().string() + " ";
    return all;
  };
  CHECK(names("d/train-{08..11}.tar") == "train-08.tar train-09.tar train-10.tar train-11.tar ");
  CHECK(names("{0..1}-{3..4}.tar") == "0-3.tar 0-4.tar 1-3.tar 1-4.tar ");
  CHECK_THROWS_WITH(shards_of("a-{1,2}.tar"), Contains("expected a range of numbers"));
  CHECK_THROWS_WITH(shards_of("a-{5..2}.tar"), Contains("expected a range of numbers"));
  CHECK_THROWS_WITH(shards_of("a-{1.tar"), Contains("expected a range of numbers"));
  CHECK_THROWS_WITH(shards_of("{0..99999}-{0..99999}.tar"), Contains("more than a million"));
  folder.write("b.tar", "");
  folder.write("a.tar", "");
  folder.write("sizes.json", "");
  CHECK(names_shards(folder.path().string()));
  CHECK(names(folder.path().string()) == "a.tar b.tar ");
  CHECK_FALSE(names_shards((folder / "sizes.json").string()));
}

TEST_CASE("a shard that is missing, empty, compressed, no tar or cut off is refused with what to do",
          "[data][webdataset]") {
  const ScratchFolder folder;
  const auto message = [&](const char* name) {
    try {
      samples_of(folder / name);
    } catch (const Error& e) {
      CHECK(std::string(e.what()).starts_with((folder / name).string() + ": "));
      return std::string(e.what());
    }
    return std::string("read");
  };
  write_tar(folder / "whole.tar",
            {{"1.jpg", std::string(5000, 'j')}, {"1.txt", "one"}, {"2.jpg", "k"}, {"2.txt", "two"}});
  const auto whole = read_file(folder / "whole.tar");
  folder.write("empty.tar", "");
  folder.write("words.tar", "this is a text and not a tar file at all, whatever its name says\n");
  folder.write("gz.tar", std::string("\x1f\x8b\x08\0", 4) + whole);
  folder.write("in_image.tar", whole.substr(0, 3000));
  folder.write("in_header.tar", whole.substr(0, 6656 + 200));
  std::string damaged = whole;
  damaged[6656 + 20] ^= 1;  // in the name of a later file: its checksum tells
  folder.write("damaged.tar", damaged);
  CHECK_THAT(message("missing.tar"), Contains("No such file"));
  CHECK_THAT(message("empty.tar"), Contains("is empty"));
  CHECK_THAT(message("words.tar"), Contains("is not a tar file"));
  CHECK_THAT(message("gz.tar"), Contains("is compressed") && Contains("uncompress it first"));
  CHECK_THAT(message("in_image.tar"), Contains("is cut off: 1.jpg should have 5000 bytes"));
  CHECK_THAT(message("in_header.tar"), Contains("is cut off"));
  CHECK_THAT(message("damaged.tar"), Contains("damaged"));
}
