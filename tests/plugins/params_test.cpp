#include <catch2/catch.hpp>

#include "roclip/error.h"
#include "roclip/params.h"

using namespace roclip;
using Catch::Contains;

namespace {

struct Params {
  std::int64_t patch_px = 5;
  double rate = 0.01;
  bool stamped = true;
  std::string location = "corner";
  std::vector<std::string> classes;
  std::vector<std::int64_t> widths = {1, 2};

  void declare(ParamList& list) {
    list.add("patch_px", patch_px, Range{1, 64}, "px", "side", "a paper");
    list.add("rate", rate, Range{0, 1}, "1", "share", "a paper");
    list.add("stamped", stamped, "whether", "a paper");
    list.choice("location", location, {"corner", "centre"}, "where", "a paper");
    list.add("classes", classes, "names", "a paper");
    list.add("widths", widths, Range{1, 9}, "channels", "sizes", "a paper");
  }
};

Params assigned(const Json& json) {
  Params params;
  ParamList list;
  params.declare(list);
  list.assign(json, "m.json: /attacks/0");
  return params;
}

}  // namespace

TEST_CASE("parameters that are not given keep their defaults", "[params]") {
  const auto params = assigned({{"rate", 0.5}, {"classes", {"fruit"}}, {"widths", {3}}});
  CHECK(params.patch_px == 5);
  CHECK(params.rate == 0.5);
  CHECK(params.classes == std::vector<std::string>{"fruit"});
  CHECK(params.widths == std::vector<std::int64_t>{3});
}

TEST_CASE("a misspelt key is an error that names the place and the nearest key", "[params]") {
  CHECK_THROWS_WITH(assigned({{"patch_pix", 3}}),
                    Contains("m.json: /attacks/0/patch_pix") && Contains("did you mean \"patch_px\"?"));
}

TEST_CASE("a wrong type or a value out of range is an error that says what was expected and what was got", "[params]") {
  CHECK_THROWS_WITH(assigned({{"patch_px", "lots"}}), Contains("expected integer in [1, 64], got \"lots\""));
  CHECK_THROWS_WITH(assigned({{"patch_px", 65}}), Contains("expected integer in [1, 64], got 65"));
  CHECK_THROWS_WITH(assigned({{"patch_px", 2.5}}), Contains("expected integer in [1, 64], got 2.5"));
  CHECK_THROWS_WITH(assigned({{"rate", 1.5}}), Contains("expected number in [0, 1], got 1.5"));
  CHECK_THROWS_WITH(assigned({{"stamped", 1}}), Contains("expected true or false, got 1"));
  CHECK_THROWS_WITH(assigned({{"location", "center"}}), Contains("did you mean \"centre\"?"));
  CHECK_THROWS_WITH(assigned({{"classes", "fruit"}}), Contains("expected a list of strings"));
  CHECK_THROWS_WITH(assigned({{"widths", {3, 10}}}), Contains("each integer in [1, 9]"));
  CHECK_THROWS_AS(assigned(Json::array()), Error);
}

TEST_CASE("integers are compared exactly, up to the largest", "[params]") {
  std::int64_t seed = 0;
  ParamList list;
  list.add("seed", seed, Range{0, 1e18}, "1", "any", "a test");
  list.assign({{"seed", 1'000'000'000'000'000'000}}, "m.json");
  CHECK(seed == 1'000'000'000'000'000'000);
  CHECK_THROWS_WITH(list.assign({{"seed", 1'000'000'000'000'000'001}}, "m.json"), Contains("m.json/seed"));
  ParamList unbounded;
  unbounded.add("seed", seed, Range{}, "1", "any", "a test");
  CHECK_THROWS_WITH(unbounded.assign({{"seed", 18'446'744'073'709'551'615U}}, "m.json"), Contains("m.json/seed"));
}

TEST_CASE("the description of parameters has default, range, unit, choices and source", "[params]") {
  Params params;
  ParamList list;
  params.declare(list);
  const Json all = list.describe();
  REQUIRE(all.size() == 6);
  CHECK(all[0] == Json{{"name", "patch_px"},
                       {"type", "integer"},
                       {"default", 5},
                       {"min", 1.0},
                       {"max", 64.0},
                       {"unit", "px"},
                       {"doc", "side"},
                       {"source", "a paper"}});
  CHECK(all[3].at("choices") == Json{"corner", "centre"});
}

TEST_CASE("nothing is suggested when no candidate is near", "[params]") {
  CHECK(nearest("badnet", {"badnets", "targeted"}) == "badnets");
  CHECK(nearest("xyzzy", {"badnets", "targeted"}).empty());
}
