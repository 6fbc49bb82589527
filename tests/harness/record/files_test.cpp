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
