#include "harness/data/emoji.h"

#include <fstream>
#include <set>

#include <torch/types.h>
#include <catch2/catch.hpp>

#include "harness/data/pack.h"
#include "harness/record/files.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"
#include "support/silent.h"

using namespace roclip;
using namespace roclip::bench;
namespace fs = std::filesystem;

namespace {

Json shipped(const std::string& name) {
  return read_json(fs::path(ROCLIP_SOURCE_DIR) / "harness" / "data" / "emoji" / name);
}

Json recipe() {
  Json json = shipped("recipe.json");
  json["train_styles"] = {"old", "flat"};
  json["held_out_styles"] = {"new"};
  json["held_out_per_class"] = 2;
  json["classes"] = {{"fruit", {"food-fruit"}}, {"bird", {"animal-bird"}}};
  return json;
}

/// Apple, pear and plum are fruits, duck is a bird, robot has no class; hair is left out.
fs::path write_packages(const ScratchFolder& folder) {
  const auto write = [&](const std::string& name, const Json& json) { folder.write("pkg/" + name, json.dump()); };
  const auto entry = [](const char* hexcode, const char* label, int subgroup) {
    return Json{{"hexcode", hexcode}, {"label", label}, {"subgroup", subgroup}, {"tags", {"thing"}}};
  };
  write("emojibase-data/package.json", {{"version", "1.0.0"}, {"license", "MIT"}});
  write("emojibase-data/meta/groups.json",
        {{"subgroups", {{"0", "food-fruit"}, {"1", "animal-bird"}, {"2", "robot"}, {"3", "hair-style"}}}});
  write("emojibase-data/en/data.json", {entry("A1", "apple", 0), entry("A2", "pear", 0), entry("A3", "plum", 0),
                                        entry("B1", "duck", 1), entry("C1", "robot", 2), entry("D1", "bald", 3)});
  const auto square = [](const char* colour) {
    return Json{{"body", std::string(R"(<path fill=")") + colour + R"(" d="M0 0h8v16h-8z"/>)"}};
  };
  const Json icons = {{"apple", square("#f00")}, {"pear", square("#0f0")},  {"plum", square("#00f")},
                      {"duck", square("#ff0")},  {"robot", square("#888")}, {"bald", square("#000")}};
  for (const std::string style : {"old", "flat", "new"}) {
    const std::string prefix = "@iconify-json/" + style + "/";
    Json drawn = icons;
    if (style == "flat") drawn["pear"]["body"] = "<g></svg>";  // not well-formed
    write(prefix + "icons.json", {{"icons", drawn}, {"width", 16}, {"height", 16}});
    write(prefix + "chars.json", Json::object());
    write(prefix + "package.json", {{"version", "2.0.0"}});
    write(prefix + "info.json", {{"name", style}, {"author", {{"name", "Ann"}}}, {"license", {{"title", "MIT"}}}});
  }
  return folder / "pkg";
}

}  // namespace

TEST_CASE("emoji is put together from packages", "[data][emoji]") {
  const ScratchFolder folder;
  const Collection data = read_emoji(write_packages(folder), recipe(), Json::object());
  REQUIRE(data.classes.size() == 2);
  CHECK(data.classes[0].name == "bird");
  CHECK(data.classes[1].prompts[0] == "a drawing of a fruit");

  std::vector<std::string> names;
  for (const auto& item : data.train) names.push_back(item.name);
  CHECK(names == std::vector<std::string>{"old:apple", "old:pear", "old:plum", "old:duck", "flat:apple", "flat:pear",
                                          "flat:plum", "flat:duck", "old:robot", "flat:robot"});
  CHECK(contains_phrase(data.train[0].caption, "apple"));
  CHECK(data.train[0].label == 1);
  CHECK(data.train[8].label == Item::kNoLabel);

  CHECK(data.held_out.size() == 3);  // two of three fruits, the bird, not the robot
  CHECK(data.sources.size() == 4);
  CHECK(data.sources[1]["role"] == "train");
  CHECK(data.sources[3]["style"] == "new");

  const Collection again = read_emoji(folder / "pkg", recipe(), Json::object());
  for (std::size_t i = 0; i < data.train.size(); ++i) CHECK(again.train[i].caption == data.train[i].caption);
}

TEST_CASE("an icon that cannot be drawn is left out and named", "[data][emoji]") {
  const ScratchFolder folder;
  pack_collection(read_emoji(write_packages(folder), recipe(), Json::object()), folder / "x.pack", silent);
  const Pack pack = open_pack(folder / "x.pack");
  const Json& json = pack.metadata;
  CHECK(json["train"]["captions"].size() == 9);
  CHECK(json["probe"]["labels"] == Json{1, 1, 1, 0, 1, 1, 0});
  CHECK(json["probe"]["first_image"] == json["train"]["first_image"]);
  CHECK(json["held_out"]["first_image"] == 9);
  REQUIRE(json["skipped"].size() == 1);
  CHECK(json["skipped"][0]["count"] == 1);
  CHECK(json["skipped"][0]["first"] == Json{"flat:pear"});
  CHECK_THAT(json["skipped"][0]["reason"].get<std::string>(), Catch::StartsWith("librsvg: "));

  REQUIRE(pack.images.sizes() == torch::IntArrayRef({12, 3, 64, 64}));
  const auto apple = pack.images[0];  // the left half red, the right half the white paper
  CHECK(apple[0].eq(255).all().item<bool>());
  for (const int channel : {1, 2}) {
    CHECK(apple[channel].slice(1, 0, 31).eq(0).all().item<bool>());
    CHECK(apple[channel].slice(1, 33, 64).eq(255).all().item<bool>());
  }
}

TEST_CASE("a class of an unknown subgroup is an error", "[data][emoji]") {
  const ScratchFolder folder;
  Json wrong = recipe();
  wrong["classes"]["fish"] = {"animal-fish"};
  CHECK_THROWS_WITH(read_emoji(write_packages(folder), wrong, Json::object()), Catch::Contains("animal-fish"));
}

TEST_CASE("no subgroup belongs to two classes or is both used and left out", "[data][emoji]") {
  const Json json = shipped("recipe.json");
  std::set<std::string> seen = json["left_out_subgroups"];
  for (const auto& [name, subgroups] : json["classes"].items()) {
    INFO(name);
    CHECK_FALSE(subgroups.empty());
    for (const std::string subgroup : subgroups) CHECK(seen.insert(subgroup).second);
  }
}

TEST_CASE("the lock file pins what package.json asks for, by content and not by server", "[data][emoji]") {
  const Json package = shipped("package.json"), lock = shipped("package-lock.json");
  for (const auto& [name, version] : package["dependencies"].items()) {
    INFO(name);
    const Json& entry = lock["packages"]["node_modules/" + name];
    CHECK(entry["version"] == version);
    CHECK_THAT(entry["integrity"].get<std::string>(), Catch::StartsWith("sha512-"));
  }
  CHECK(lock.dump().find("://") == std::string::npos);
  const Json styles = shipped("recipe.json");
  for (const char* key : {"train_styles", "held_out_styles"}) {
    for (const std::string style : styles[key]) CHECK(package["dependencies"].contains("@iconify-json/" + style));
  }
}
