#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "harness/record/hash.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("a written file holds its content and leaves no temporary file", "[record]") {
  const ScratchFolder folder;
  write_file(folder / "a.json", "first");
  write_file(folder / "a.json", "second");
  CHECK(read_file(folder / "a.json") == "second");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a file that cannot be read or written says which and why", "[record]") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH(read_file(folder / "none"), Contains("none") && Contains("No such file"));
  CHECK_THROWS_WITH(write_file(folder / "no" / "folder", "x"), Contains("cannot be written"));
  CHECK_THROWS_WITH(read_json(folder.write("bad.json", "{")), Contains("bad.json: is not JSON"));
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
