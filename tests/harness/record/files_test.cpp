#include <cstdlib>
#include <thread>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// An environment variable for the length of a test; null = not set.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~Variable() { set(old_ ? old_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) { value == nullptr ? unsetenv(name_) : setenv(name_, value, 1); }
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("a written file holds its content and leaves no temporary file", "[record]") {
  const ScratchFolder folder;
  write_file(folder / "a.json", "first");
  write_file(folder / "a.json", "second");
  CHECK(read_file(folder / "a.json") == "second");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a file that is replaced keeps its mode", "[record]") {
  const ScratchFolder folder;
  const auto file = folder.write("private", "old");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  write_file(file, "new");
  CHECK(read_file(file) == "new");
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a link that is written to still leads to the file, which may be new", "[record]") {
  const ScratchFolder folder;
  folder.write("there/old", "old");
  fs::create_symlink("there/old", folder / "direct");
  fs::create_symlink("direct", folder / "indirect");
  write_file(folder / "indirect", "new");
  CHECK(fs::is_symlink(folder / "indirect"));
  CHECK(fs::is_symlink(folder / "direct"));
  CHECK(read_file(folder / "there/old") == "new");

  fs::create_symlink("there/made", folder / "dangling");
  write_file(folder / "dangling", "made");
  CHECK(fs::is_symlink(folder / "dangling"));
  CHECK(read_file(folder / "there/made") == "made");

  fs::create_symlink("loop", folder / "loop");
  CHECK_THROWS_WITH(write_file(folder / "loop", "x"), Contains("loop: cannot be written"));
}

TEST_CASE("a pipe is written to and stays", "[record]") {
  const ScratchFolder folder;
  const auto pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::string content;
  std::thread reader([&] { content = read_file(pipe); });
  write_file(pipe, "through the pipe");
  reader.join();
  CHECK(content == "through the pipe");
  CHECK(fs::is_fifo(pipe));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a device is written to and stays", "[record]") {
  const ScratchFolder folder;
  const auto device = folder / "null";
  if (mknod(device.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) return;  // takes root
  std::ofstream probe(device);
  if (!probe) return;  // a file system without devices
  write_file(device, "gone");
  CHECK(fs::is_character_file(device));
}

TEST_CASE("a temporary name is new each time, recognised, and fits where the name is long", "[record]") {
  const ScratchFolder folder;
  const std::string longest(255, 'x');
  write_file(folder / longest, "fits");
  CHECK(read_file(folder / longest) == "fits");
  CHECK_THROWS_WITH(write_file(folder / (longest + "x"), "x"), Contains("File name too long"));
  CHECK(is_temporary("a.json.tmp12345"));
  CHECK_FALSE(is_temporary("a.json"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("an empty environment variable makes no folder in the current one", "[record]") {
  const Variable cache("ROCLIP_BENCH_CACHE", ""), xdg("XDG_CACHE_HOME", ""), home("HOME", "/home/somebody");
  CHECK(cache_dir() == "/home/somebody/.cache/roclip-bench");
  {
    const Variable absolute("XDG_CACHE_HOME", "/var/cache");
    CHECK(cache_dir() == "/var/cache/roclip-bench");
    const Variable relative("XDG_CACHE_HOME", "cache");
    CHECK(cache_dir() == "/home/somebody/.cache/roclip-bench");
    const Variable own("ROCLIP_BENCH_CACHE", "own");
    CHECK(cache_dir() == "own");
  }
  const Variable no_home("HOME", "");
  CHECK_THROWS_WITH(cache_dir(), Contains("set HOME or ROCLIP_BENCH_CACHE"));
}

TEST_CASE("a file that cannot be read or written says which and why", "[record]") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH(read_file(folder / "none"), Contains("none") && Contains("No such file"));
  CHECK_THROWS_WITH(write_file(folder / "no" / "folder", "x"), Contains("cannot be written"));
  CHECK_THROWS_WITH(read_json(folder.write("bad.json", "{")), Contains("bad.json: line 1, column 1: is not JSON"));
}

TEST_CASE("JSON that could be misread is an error with its file, line and column", "[record]") {
  const auto parsed = [](const std::string& text) { return parse_json(text, "f.json", ErrorKind::kData); };
  CHECK(parsed("// a note\n{\"a\": [1, -2.5e3, {}], \"b\": {\"a\": null}}") ==
        Json{{"a", {1, -2500, Json::object()}}, {"b", {{"a", nullptr}}}});
  CHECK(parsed("[18446744073709551615]")[0] == 18446744073709551615u);
  CHECK_THROWS_WITH(parsed("{\"a\": 1,\n \"b\": 2,\n  \"a\": 3}"),
                    Contains("f.json: line 3, column 5: the key \"a\" stands twice"));
  CHECK_THROWS_WITH(parsed("[1e999]"), Contains("f.json: line 1, column 7: the number 1e999 is out of range"));
  CHECK_THROWS_WITH(parsed("[1e-999]"), Contains("1e-999 is out of range"));
  CHECK_THROWS_WITH(parsed("[18446744073709551616]"), Contains("18446744073709551616 is out of range"));
  CHECK(parsed(std::string(200, '[') + std::string(200, ']')).is_array());
  CHECK_THROWS_WITH(parsed(std::string(100000, '[')), Contains("column 201: is nested deeper than 200 levels"));
  CHECK_THROWS_WITH(parsed("[\n\"caf\xe9\"]"),
                    Contains("f.json: line 2, column 6: is not JSON: a string is not UTF-8"));
  CHECK_THROWS_WITH(parsed(std::string("{}\0{", 4)), Contains("column 3: is not JSON: holds a NUL byte"));
  CHECK_THROWS_WITH(parsed(""), Contains("f.json: line 1, column 0: is not JSON"));
}

TEST_CASE("stored JSON is indented, with plain arrays on one line, and reads back", "[record]") {
  const Json json = {
      {"a", {1, 2, 3}}, {"b", {{{"c", "x\ny"}}, Json::array({1, Json::array({2})})}}, {"d", Json::object()}};
  const auto text = to_text(json);
  CHECK(text == R"({
  "a": [1,2,3],
  "b": [
    {
      "c": "x\ny"
    },
    [
      1,
      [2]
    ]
  ],
  "d": {}
})");
  CHECK(Json::parse(text) == json);
  CHECK(to_text(Json("\xff")) == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("hashes are those of the reference implementation", "[record]") {
  CHECK(hash_hex("") == "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing
  CHECK(hash_hex("a") != hash_hex("b"));
}
