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

namespace {

struct WithRecipes : Params {
  void declare(ParamList& list) {
    Params::declare(list);
    list.recipe("cleanclip", Json{{"patch_px", 16}, {"location", "centre"}}, "CleanCLIP file.py");
    list.recipe("backdoorbench", Json{{"patch_px", 3}}, "BackdoorBench file.yaml");
  }
};

WithRecipes cooked(const Json& json) { return read_params<WithRecipes>(json, "m.json: /attacks/0"); }

}  // namespace

TEST_CASE("a recipe sets its values, and the keys beside it override them", "[params]") {
  const auto recipe = cooked({{"recipe", "cleanclip"}});
  CHECK(recipe.patch_px == 16);
  CHECK(recipe.location == "centre");
  CHECK(recipe.rate == 0.01);
  // Keys are read in order of the alphabet: one before "recipe" and one after it.
  const auto both = cooked({{"recipe", "cleanclip"}, {"patch_px", 20}, {"stamped", false}});
  CHECK(both.patch_px == 20);
  CHECK(both.location == "centre");
  CHECK_FALSE(both.stamped);
  CHECK(cooked(Json::object()).patch_px == 5);
}

TEST_CASE("an unknown recipe is an error that names the nearest one", "[params]") {
  CHECK_THROWS_WITH(cooked({{"recipe", "clean_clip"}}),
                    Contains("m.json: /attacks/0/recipe: expected one of cleanclip, backdoorbench") &&
                        Contains("did you mean \"cleanclip\"?"));
  CHECK_THROWS_WITH(cooked({{"recipe", 1}}), Contains("/recipe: expected a string, got 1"));
  CHECK_THROWS_WITH(cooked({{"recipe", ""}}), Contains("expected one of"));
  CHECK_THROWS_WITH(cooked({{"recipee", "cleanclip"}}), Contains("did you mean \"recipe\"?"));
  CHECK_THROWS_WITH(assigned({{"recipe", "cleanclip"}}), Contains("/recipe: unknown key"));  // it declares none
}

TEST_CASE("values of a recipe are declared and in range, or the plugin is wrong", "[params]") {
  Params params;
  ParamList list;
  params.declare(list);
  list.recipe("large", {{"patch_px", 65}}, "a test");
  list.recipe("misspelt", {{"patch", 6}}, "a test");
  CHECK_THROWS_WITH(list.assign({{"recipe", "large"}}, "m"), Contains("m/recipe/large/patch_px: expected integer in"));
  CHECK_THROWS_AS(list.assign({{"recipe", "misspelt"}}, "m"), std::logic_error);
}

TEST_CASE("values have no recipe, and its description lists all recipes", "[params]") {
  const Json values = write_params(cooked({{"recipe", "cleanclip"}}));
  CHECK_FALSE(values.contains("recipe"));
  CHECK(write_params(cooked(values)) == values);
  WithRecipes params;
  ParamList list;
  params.declare(list);
  const Json last = list.describe().back();
  CHECK(last.at("name") == "recipe");
  CHECK(last.at("default") == "");
  CHECK(last.at("choices") == Json{"cleanclip", "backdoorbench"});
  CHECK_THAT(last.at("doc").get<std::string>(), Contains("backdoorbench sets {\"patch_px\":3}"));
  CHECK(last.at("source") == "cleanclip: CleanCLIP file.py; backdoorbench: BackdoorBench file.yaml");
}

TEST_CASE("nothing is suggested when no candidate is near", "[params]") {
  CHECK(nearest("badnet", {"badnets", "targeted"}) == "badnets");
  CHECK(nearest("xyzzy", {"badnets", "targeted"}).empty());
}
