#include "replay.h"

#include <catch2/catch.hpp>

#include "harness/data/image.h"
#include "harness/poison/poison_set.h"
#include "harness/record/files.h"
#include "support/scratch_folder.h"
#include "support/toy_dataset.h"

namespace roclip::replay_test {
using namespace roclip::bench;
using Catch::Contains;

namespace {

/// Darkens the first row of pixels.
class Shade final : public Attack {
 public:
  PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw>) const override {
    auto stamped = images.clone();
    stamped.select(2, 0).sub_(50);
    return stamped;
  }
};

/// Two stamped poisons in place of pairs 1 and 4, an added one, a removed pair, and a backdoor.
PoisonPlan toy_plan() {
  PoisonPlan plan;
  plan.edits.push_back(
      {.replaces = 1, .image = {ImageRef::Set::kTrain, 1}, .trigger = Draw{.value = 7}, .caption = "a red, \"A\""});
  plan.edits.push_back(
      {.replaces = 4, .image = {ImageRef::Set::kTrain, 4}, .trigger = Draw{.value = 7}, .caption = "a red B"});
  plan.edits.push_back({.replaces = {}, .image = {ImageRef::Set::kHeldOut, 5}, .trigger = {}, .caption = "a red C"});
  plan.removes = {9};
  plan.goal = TriggeredImagesGoal{{0}};
  return plan;
}

/// A data set whose images all differ: in the toy data, training and held-out images are equal.
Dataset data_set() {
  const auto held_out = toy_images(12);
  held_out.select(3, 7).fill_(120);
  return toy_dataset(held_out);
}

struct StoredSet {
  StoredSet() {
    const Json config = {
        {"attack", {{"plugin", "shade/1"}, {"params", Json::object()}}}, {"seed", 3}, {"data", {{"reader", "toy"}}}};
    write_poison_set(folder, config, data, toy_plan(), {std::make_unique<Shade>(), {}});
  }

  /// Changes the manifest as somebody with an editor would. @return its hash
  std::string edit_manifest(const std::function<void(Json&)>& change) const {
    Json manifest = read_json(folder / "manifest.json");
    change(manifest);
    write_json(folder / "manifest.json", manifest);
    return hash();
  }
  std::string hash() const { return hash_of(read_file(folder / "manifest.json")); }
  Replay replay() const { return Replay({.folder = folder.string(), .hash = hash()}); }
  PoisonPlan plan(std::uint64_t seed = 3) const { return replay().plan(view_of(data), seed); }

  ScratchFolder scratch;
  std::filesystem::path folder = scratch / "set";
  Dataset data = data_set();
};

}  // namespace

TEST_CASE("replay plans what was stored, whatever the seed", "[attack][replay]") {
  const StoredSet set;
  CHECK(set.plan(3) == toy_plan());
  CHECK(set.plan(4) == toy_plan());
}

TEST_CASE("replay gives the stored images their trigger, alone and in any batch", "[attack][replay]") {
  const StoredSet set;
  const auto replay = set.replay();
  const auto held_out = set.data.held_out.images(0, 12), shaded = Shade().apply_trigger(held_out, {});
  const auto items = torch::arange(12, torch::kLong), order = torch::tensor({7, 2, 2, 0}, torch::kLong);
  CHECK(replay.apply_trigger(held_out, test_draws(3, items, 0)).equal(shaded));  // whatever the seed of the test
  CHECK(replay.apply_trigger(held_out.index_select(0, order), test_draws(3, order, 0))
            .equal(shaded.index_select(0, order)));
  const auto poison = set.data.train->images(4, 5);
  const Draw draw{.value = 7};
  CHECK(replay.apply_trigger(poison, {&draw, 1}).equal(Shade().apply_trigger(poison, {})));
}

TEST_CASE("replay refuses to guess the trigger of an image that it does not know", "[attack][replay]") {
  const StoredSet set;
  CHECK_THROWS_WITH(set.replay().apply_trigger(set.data.train->images(4, 8), std::vector<Draw>(4, {.value = 7})),
                    Contains("no triggered form of image 1 of this batch"));
}

TEST_CASE("replay wants a folder and the hash of its manifest", "[attack][replay]") {
  const StoredSet set;
  CHECK_THROWS_WITH(Replay({.folder = "", .hash = ""}),
                    Contains("replay/folder: is required") && Contains("poison import"));
  CHECK_THROWS_WITH(Replay({.folder = set.folder.string(), .hash = "1234"}),
                    Contains("replay/hash: got \"1234\"") && Contains(set.hash()));
  const auto file = set.scratch.write("file", "x");
  CHECK_THROWS_WITH(Replay({.folder = file.string(), .hash = ""}), Contains("file/manifest.json: cannot be read"));
}

TEST_CASE("replay refuses other data and says what differs", "[attack][replay]") {
  const StoredSet set;
  auto other = set.data;
  auto captions = captions_of(*other.train);
  captions[4] = "another";
  other.train = tensor_pairs(toy_images(60), captions);
  CHECK_THROWS_WITH(set.replay().plan(view_of(other), 3),
                    Contains("was made for other data") && Contains("the caption of pair 4 is \"another\""));
  other = set.data;
  const auto images = toy_images(60);
  images[1][0][0][0] += 1;
  other.train = tensor_pairs(images, captions_of(*set.data.train));
  CHECK_THROWS_WITH(set.replay().plan(view_of(other), 3), Contains("the image of edit 0 shows something else"));
  other = set.data;
  captions.pop_back();
  other.train = tensor_pairs(toy_images(59), captions);
  CHECK_THROWS_WITH(set.replay().plan(view_of(other), 3), Contains("60 training pairs expected, got 59"));
  other = set.data;
  other.classes[0].name = "reed";
  CHECK_THROWS_WITH(set.replay().plan(view_of(other), 3), Contains("did you mean \"reed\""));
}

TEST_CASE("replay names the damaged file of a set", "[attack][replay]") {
  const StoredSet set;
  const auto file = set.folder / GENERATE("poisons/000001.png", "triggered/000007.png");
  const auto whole = read_file(file);
  std::filesystem::remove(file);
  CHECK_THROWS_WITH(set.plan(), Contains(file.string() + ": is missing"));
  write_file(file, whole.substr(0, whole.size() / 2));
  CHECK_THROWS_WITH(set.plan(), Contains(file.string()));
  write_file(file, "no picture");
  CHECK_THROWS_WITH(set.plan(), Contains(file.string() + ": is not a PNG image"));
  std::filesystem::remove(file);
  std::filesystem::copy_file(set.folder / "poisons/000000.png", file);
  CHECK_THROWS_WITH(set.plan(), Contains(file.string() + ": has other pixels"));
}

TEST_CASE("replay refuses an image of another size, though its bytes are those of the manifest", "[attack][replay]") {
  const StoredSet set;
  const auto file = set.folder / "triggered/000007.png";
  const auto image = Shade().apply_trigger(set.data.held_out.images(0, 12), {})[7];
  const auto wide = image.permute({1, 2, 0}).reshape({4, 16, 3}).permute({2, 0, 1});
  REQUIRE(pixel_hash(wide) == pixel_hash(image));
  write_file(file, png_bytes(wide));
  CHECK_THROWS_WITH(set.plan(), Contains(file.string() + ": is 16 x 4, expected 8 x 8"));
  auto huge = read_file(file);
  huge.replace(16, 8, std::string("\0\0\x4e\x20\0\0\x4e\x20", 8));
  write_file(file, huge);
  CHECK_THROWS_WITH(set.plan(), Contains(file.string() + ": is 20000 x 20000, expected 8 x 8"));
}

TEST_CASE("replay refuses a manifest that does not hold together", "[attack][replay]") {
  const StoredSet set;
  set.edit_manifest([](Json& json) { json["edits"][0]["file"] = "../../secret.png"; });
  CHECK_THROWS_WITH(set.replay(), Contains("is not in its folder"));
  set.edit_manifest([](Json& json) { json["edits"][0]["file"] = "poisons/000000.png", json["edits"][2]["hash"] = ""; });
  CHECK_THROWS_WITH(set.plan(), Contains("poisons/000002.png: has other pixels"));
  set.edit_manifest([](Json& json) { json["edits"][2]["hash"] = json["edits"][2]["image"]["hash"]; });
  CHECK(set.plan() == toy_plan());
  const auto whole = read_json(set.folder / "manifest.json");
  set.edit_manifest([](Json& json) { json["triggered"].erase(7); });
  CHECK_THROWS_WITH(set.plan(), Contains("has no triggered form of held-out image 7"));
  set.edit_manifest([](Json& json) { json["edits"][1].erase("pair"); });
  CHECK_THROWS_WITH(set.plan(), Contains("is not the manifest of a poison set, version 2") && Contains("pair"));
  write_json(set.folder / "manifest.json", whole);
  set.edit_manifest([](Json& json) { json["edits"][1]["image"]["hash"] = json["edits"][0]["image"]["hash"]; });
  CHECK_THROWS_WITH(set.replay(), Contains("two triggered forms of one image"));
  set.edit_manifest([](Json& json) { json["schema_version"] = 1; });
  CHECK_THROWS_WITH(set.replay(), Contains("schema_version: expected 2, got 1"));
  set.edit_manifest([](Json& json) { json = {{"schema_version", 2}}; });
  CHECK_THROWS_WITH(set.replay(), Contains("is not the manifest of a poison set, version 2"));
}

TEST_CASE("replay refuses a manifest that its schema does not allow, or that contradicts itself", "[attack][replay]") {
  const StoredSet set;
  const auto whole = read_json(set.folder / "manifest.json");
  const auto refused = [&](const std::string& told, const std::string& pointer, const Json& value) {
    set.edit_manifest([&](Json& json) { json[Json::json_pointer(pointer)] = value; });
    CHECK_THROWS_WITH(set.plan(), Contains("manifest.json: " + told));
    write_json(set.folder / "manifest.json", whole);
  };
  refused("/seed: expected integer >= 0, got -1", "/seed", -1);
  refused("/seed: expected integer >= 0, got 1.7", "/seed", 1.7);
  refused("/data/image_px: expected integer in [8, 1024], got 100000", "/data/image_px", 100000);
  refused("/triggered: expected a list, got null", "/triggered", nullptr);
  refused("/goal/kind: unknown goal \"x\"", "/goal/kind", "x");
  refused("1.5 is not an integer in [0, 60)", "/edits/1/pair", 1.5);
  refused("/sed: unknown key; did you mean \"seed\"?", "/sed", 1);
  refused("/data/size: unknown key", "/data/size", 1);
  refused("/edits/1/note: unknown key", "/edits/1/note", "mine");
  refused("edit 1: image/px: unknown key", "/edits/1/image/px", 8);
  refused("edit 1: image: set: expected train or held_out, got \"test\"", "/edits/1/image/set", "test");
  refused("edit 1: id: expected 1, got 0", "/edits/1/id", 0);
  refused("edit 0: operation: expected \"replace\", got \"add\"", "/edits/0/operation", "add");
  refused("edit 2: caption_before: expected null, got \"x\"", "/edits/2/caption_before", "x");
  auto twice = whole.at("edits").at(0);
  twice["id"] = 3;
  refused("edit 3 replaces a pair again: 1", "/edits/3", twice);
  CHECK(set.plan() == toy_plan());
}

TEST_CASE("replay puts the text key of a backdoor with two keys into the class prompts", "[attack][replay]") {
  class TwoKeys final : public Attack {
   public:
    PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
    torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw>) const override {
      return images.clone();
    }
    std::vector<std::string> apply_text_trigger(std::span<const std::string> texts,
                                                std::span<const Draw>) const override {
      std::vector<std::string> triggered;
      for (const auto& text : texts) triggered.push_back("zx " + text);
      return triggered;
    }
  };
  const StoredSet set;
  const auto folder = set.scratch / "two keys";
  auto plan = toy_plan();
  plan.goal = TriggeredImagesGoal{.target_class = {0}, .triggered_prompts = true};
  write_poison_set(folder, {{"attack", {{"plugin", "keys/1"}, {"params", Json::object()}}}, {"seed", 3}, {"data", {}}},
                   set.data, plan, {std::make_unique<TwoKeys>(), {}});
  const Replay replay({.folder = folder.string(), .hash = hash_of(read_file(folder / "manifest.json"))});
  CHECK(replay.plan(view_of(set.data), 3).goal == plan.goal);
  const auto& prompts = set.data.classes[1].prompts;
  CHECK(replay.apply_text_trigger(prompts, some_draws(std::ssize(prompts))) ==
        std::vector<std::string>{"zx green", "zx a green square"});
}

TEST_CASE("a set of a targeted attack has no trigger, and leaves images as they are", "[attack][replay]") {
  const ScratchFolder scratch;
  const auto data = data_set();
  PoisonPlan plan;
  plan.goal = TargetImagesGoal{{{5, 0}}};
  plan.edits = {toy_plan().edits[2]};
  const Json config = {
      {"attack", {{"plugin", "x/1"}, {"params", Json::object()}}}, {"seed", 1}, {"data", Json::object()}};
  write_poison_set(scratch / "set", config, data, plan, {std::make_unique<Shade>(), {}});
  const Replay replay(
      {.folder = (scratch / "set").string(), .hash = hash_of(read_file(scratch / "set/manifest.json"))});
  CHECK(replay.plan(view_of(data), 1) == plan);
  const auto images = data.train->images(0, 60);
  CHECK(replay.apply_trigger(images, some_draws(60)).equal(images));
  auto other = data;
  other.held_out.labels = other.held_out.labels.clone();
  other.held_out.labels[5] = 1;
  CHECK_THROWS_WITH(replay.plan(view_of(other), 3), Contains("target 5 is of class \"green\", expected \"blue\""));
}

}  // namespace roclip::replay_test
