#include <fstream>
#include <numeric>
#include <thread>

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "harness/study/matrix.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

const Json kGood = {
    {"schema_version", 1}, {"name", "x"}, {"data", "emoji"}, {"attacks", {"none"}}, {"defenses", {"clip"}}};

Matrix loaded(const Json& json) {
  const ScratchFolder folder;
  return load_matrix(folder.write("matrix.json", json.dump()));
}

Json with(const std::string& key, const Json& value) {
  Json json = kGood;
  json[key] = value;
  return json;
}

}  // namespace

TEST_CASE("a minimal matrix file gets its defaults", "[config]") {
  const auto matrix = loaded(kGood);
  CHECK(matrix.seeds == std::vector<std::int64_t>{1});
  CHECK(matrix.model == "tiny");
  CHECK(matrix.metrics.size() == 3);
  CHECK(matrix.attacks[0].plugin == "none");
  CHECK_THAT(matrix.attacks[0].where, Contains("matrix.json: /attacks/0"));
}

TEST_CASE("mistakes in a matrix file name the key and what was expected", "[config]") {
  CHECK_THROWS_WITH(loaded(with("defences", Json::array())),
                    Contains("/defences: unknown key; did you mean \"defenses\"?"));
  CHECK_THROWS_WITH(loaded(with("schema_version", 2)), Contains("/schema_version: expected 1, got 2"));
  CHECK_THROWS_WITH(loaded(with("attacks", Json::array())),
                    Contains("/attacks: expected a list with at least one plugin"));
  CHECK_THROWS_WITH(loaded(with("attacks", Json::array({3}))), Contains("/attacks/0: expected a plugin's name"));
  CHECK_THROWS_WITH(loaded(with("seeds", Json::array({1, 1}))), Contains("/seeds: expected seeds that differ"));
  CHECK_THROWS_WITH(loaded(with("seeds", Json::array({-1}))), Contains("/seeds"));
  CHECK_THROWS_WITH(loaded(with("name", "")), Contains("/name: expected a non-empty string"));
  CHECK_THROWS_WITH(loaded(with("training", 3)), Contains("/training: expected an object"));
  Json without = kGood;
  without.erase("data");
  CHECK_THROWS_WITH(loaded(without), Contains("/data: is missing"));
}

TEST_CASE("a matrix file that is missing or no JSON is an error of its kind", "[config]") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH(load_matrix(folder.write("m.json", "{\"name\": ")),
                    Contains("m.json: line 1, column 9: is not JSON"));
  CHECK_THROWS_WITH(load_matrix(folder.write("m.json", "{\"seeds\": [1,]}")), Contains("is there a comma before it?"));
  try {
    load_matrix(folder / "none.json");
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kData);
    CHECK_THAT(e.what(), Contains("none.json") && Contains("No such file"));
  }
}

TEST_CASE("a matrix file may hold comments", "[config]") {
  const ScratchFolder folder;
  auto text = kGood.dump();
  text.insert(1, "// a line\n/* and {\"more\": 1} */");
  CHECK(load_matrix(folder.write("m.json", text)).name == "x");
  CHECK_THROWS_WITH(load_matrix(folder.path()), Contains("is a folder"));
}

TEST_CASE("sweeps expand to every combination, in order", "[config]") {
  const auto swept = expand_sweeps({{"a", {{"sweep", {1, 2}}}}, {"b", 7}, {"c", {{"sweep", {"x", "y"}}}}}, "m");
  REQUIRE(swept.size() == 4);
  CHECK(swept[0].object == Json{{"a", 1}, {"b", 7}, {"c", "x"}});
  CHECK(swept[1].object == Json{{"a", 1}, {"b", 7}, {"c", "y"}});
  CHECK(swept[3].chosen == Json{{"a", 2}, {"c", "y"}});
  CHECK(expand_sweeps({{"b", 7}}, "m").size() == 1);
  const auto nested = expand_sweeps({{"vision_cfg", {{"layers", {{"sweep", {1, 2}}}}, {"width", 8}}}}, "m");
  REQUIRE(nested.size() == 2);
  CHECK(nested[1].object == Json{{"vision_cfg", {{"layers", 2}, {"width", 8}}}});
  CHECK(nested[1].chosen == Json{{"vision_cfg/layers", 2}});
  CHECK(expand_sweeps({{"text_cfg", {{"layers", {{"sweep", {3}}}}}}}, "m")[0].object ==
        Json{{"text_cfg", {{"layers", 3}}}});
  CHECK_THROWS_WITH(expand_sweeps({{"a", {{"sweep", Json::array()}}}}, "m: /x"), Contains("m: /x/a"));
  CHECK_THROWS_WITH(expand_sweeps({{"a", {{"sweeps", {1}}}}}, "m"), Contains("{\"sweep\": [...]}"));
  CHECK_THROWS_WITH(expand_sweeps({{"a", {{"sweep", {1, 2, 1}}}}}, "m"),
                    Contains("m/a/sweep: expected values that differ"));
}

TEST_CASE("cells are counted before they are expanded, and too many are refused with the largest factor", "[config]") {
  std::vector<int> thousand(1000);
  std::iota(thousand.begin(), thousand.end(), 0);
  const Json sweep = {{"sweep", thousand}};
  const Json defense = {{"plugin", "clip"}, {"a", sweep}, {"b", sweep}, {"c", sweep}};
  CHECK_THROWS_WITH(loaded(with("defenses", Json::array({"clip", defense}))),
                    Contains("/defenses: expected at most 20000 cells, got 1000000001 (1 attacks x 1000000001 defenses "
                             "x 1 model x 1 training x 1 seeds); shorten the sweeps"));
  CHECK(loaded(with("training", {{"epochs", sweep}})).training.at("epochs") == sweep);
  CHECK_THROWS_WITH(loaded(with("metrics", Json::array({{{"plugin", "zero_shot"}, {"a", sweep}}}))),
                    Contains("/metrics/0: expected values without a sweep"));
}

TEST_CASE("a matrix file is read once, so that it may be a pipe", "[config]") {
  const ScratchFolder folder;
  const auto pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << kGood.dump(); });
  const auto matrix = load_matrix(pipe);
  writer.join();
  CHECK(matrix.written == kGood);
  CHECK(matrix.folder() == "");
  CHECK(parse_matrix(kGood, folder / "matrix.json").folder() == folder.path());
}
