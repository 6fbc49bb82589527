#include "harness/poison/poison_set.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "harness/data/image.h"
#include "harness/poison/draft_folder.h"
#include "harness/poison/inspect.h"
#include "harness/record/files.h"
#include "support/scratch_folder.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A trigger that also counts how often it was asked, unless told to keep to the pixels.
class Stamper final : public Attack {
 public:
  explicit Stamper(bool forgetful = false) : forgetful_(forgetful) {}
  PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw>) const override {
    auto stamped = images.clone();
    stamped.select(3, 0).select(2, 0).fill_(forgetful_ ? ++calls_ : 77);
    return stamped;
  }

 private:
  bool forgetful_;
  mutable int calls_ = 0;
};

ReadyAttack stamper(bool forgetful = false) { return {std::make_unique<Stamper>(forgetful), {}}; }

Json config() {
  return {{"attack", {{"plugin", "stamp/1"}, {"params", {{"px", 1}}}}}, {"seed", 3}, {"data", {{"reader", "toy"}}}};
}

PoisonPlan backdoor() {
  PoisonPlan plan;
  plan.edits.push_back({.replaces = 4, .image = {ImageRef::Set::kTrain, 4}, .trigger = Draw{}, .caption = "a red one"});
  plan.edits.push_back(
      {.replaces = {}, .image = {ImageRef::Set::kTrain, 4}, .trigger = Draw{}, .caption = "a red two"});
  plan.goal = TriggeredImagesGoal{{0}};
  return plan;
}

std::string everything(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(entry.path());
  }
  std::string text;
  for (const auto& file : files) text += file.lexically_relative(folder).string() + read_file(file);
  return text;
}

}  // namespace

TEST_CASE("a poison set tells captions before and after, and keeps the pixels", "[poison]") {
  const ScratchFolder scratch;
  const Dataset data = toy_dataset();
  write_poison_set(scratch / "set", config(), data, backdoor(), stamper());
  const Json manifest = read_json(scratch / "set/manifest.json");
  const Json& first = manifest.at("edits")[0];
  CHECK(first.at("operation") == "replace");
  CHECK(first.at("caption_before") == data.train->caption(4));
  CHECK(first.at("caption") == "a red one");
  CHECK(manifest.at("edits")[1].at("caption_before").is_null());
  CHECK(manifest.at("edits")[1].at("file") == first.at("file"));  // equal images share a file
  CHECK(manifest.at("goal") == Json{{"kind", "triggered_images"}, {"target_class", {"red"}}});
  CHECK(manifest.at("attack") == config().at("attack"));
  CHECK(manifest.at("triggered").size() == 12);
  const auto stored = decode_rgb(image_file(scratch / "set" / first.at("file").get<std::string>()));
  const auto pixels = torch::from_blob(stored.data, {8, 8, 3}, torch::kUInt8).permute({2, 0, 1});
  CHECK(pixels.equal(Stamper().apply_trigger(data.train->images(4, 5), {})[0]));
}

TEST_CASE("equal poisons give equal bytes", "[poison]") {
  const ScratchFolder scratch;
  const Dataset data = toy_dataset();
  write_poison_set(scratch / "one", config(), data, backdoor(), stamper());
  write_poison_set(scratch / "two", config(), data, backdoor(), stamper());
  CHECK(everything(scratch / "one") == everything(scratch / "two"));
}

TEST_CASE("a trigger that differs between equal images cannot be stored", "[poison]") {
  const ScratchFolder scratch;
  CHECK_THROWS_WITH(write_poison_set(scratch / "set", config(), toy_dataset(), backdoor(), stamper(/*forgetful=*/true)),
                    Contains("two triggered forms"));
  CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("a folder with something in it is not written to", "[poison]") {
  const ScratchFolder scratch;
  scratch.write("set/mine.txt", "precious");
  CHECK_THROWS_WITH(write_poison_set(scratch / "set", config(), toy_dataset(), backdoor(), stamper()),
                    Contains("set: exists and is not an empty folder"));
  CHECK(everything(scratch.path()) == "set/mine.txtprecious");
  fs::create_directory(scratch / "empty");
  CHECK_NOTHROW(write_poison_set(scratch / "empty/", config(), toy_dataset(), backdoor(), stamper()));
}

TEST_CASE("an empty folder is filled and stays what it was, through links too", "[poison]") {
  const ScratchFolder scratch;
  const auto folder = scratch / "elsewhere/empty", link = scratch / "link";
  fs::create_directories(folder);
  fs::permissions(folder, fs::perms::owner_all);
  fs::create_directory_symlink(folder, link);
  struct stat was {
  }, is{};
  REQUIRE(::stat(folder.c_str(), &was) == 0);
  scratch.write("elsewhere/empty/.empty.draft-1/old", "x");  // of a killed process
  {
    DraftFolder draft(link);
    CHECK_THROWS_WITH(DraftFolder(folder), Contains("another process is writing it"));
    write_file(draft.folder("images") / "new", "y");
    write_file(draft.path() / "table", "z");
    draft.commit();
  }
  REQUIRE(::stat(folder.c_str(), &is) == 0);
  CHECK(is.st_ino == was.st_ino);
  CHECK((is.st_mode & 0777) == 0700);
  CHECK(fs::is_symlink(link));
  CHECK(everything(scratch.path()) == "elsewhere/empty/images/newyelsewhere/empty/tablez");
  CHECK(std::distance(fs::directory_iterator(folder), {}) == 2);
}

TEST_CASE("what is no folder, or no place at all, is not written to", "[poison]") {
  const ScratchFolder scratch;
  const auto file = scratch.write("file", "precious");
  fs::create_symlink(scratch / "none", scratch / "link");
  CHECK_THROWS_WITH(DraftFolder(file), Contains("not an empty folder"));
  CHECK_THROWS_WITH(DraftFolder(scratch / "link"), Contains("not an empty folder"));
  CHECK_THROWS_WITH(DraftFolder(""), Contains("--out: expected a folder"));
  CHECK(everything(scratch.path()) == "fileprecious");
}

TEST_CASE("what was not committed leaves nothing behind", "[poison]") {
  const ScratchFolder scratch;
  {
    const DraftFolder draft(scratch / "place");
    write_file(draft.folder("deep") / "file", "x");
  }
  CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("one process at a time writes a folder, and clears what a killed one left", "[poison]") {
  const ScratchFolder scratch;
  scratch.write(".place.draft-1/deep/old", "x");
  {
    DraftFolder draft(scratch / "place");
    CHECK(fs::is_empty(draft.path()));
    CHECK_THROWS_WITH(DraftFolder(scratch / "place"), Contains("another process is writing it"));
    write_file(draft.path() / "new", "y");
    draft.commit();
  }
  CHECK(everything(scratch.path()) == "place/newy");
}

TEST_CASE("a link that is named like what a killed process left is not followed", "[poison]") {
  const ScratchFolder scratch;
  scratch.write("elsewhere/mine", "precious");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / ".place.draft-1");
  DraftFolder(scratch / "place").commit();
  CHECK(fs::exists(scratch / "elsewhere" / "mine"));
}

TEST_CASE("the size of a trigger is its largest change, its length and the pixels it changes", "[poison]") {
  auto clean = torch::zeros({2, 3, 4, 4}, torch::kUInt8), triggered = clean.clone();
  triggered[0].select(1, 0).fill_(51);  // four pixels of three colours, by 0.2
  triggered[1][0][0][0] = 255;
  const auto size = trigger_size(clean, triggered);
  const double expected[2][3] = {{0.2, std::sqrt(12 * 0.04), 0.25}, {1, 1, 1.0 / 16}};
  for (int image = 0; image < 2; ++image) {
    for (int i = 0; i < 3; ++i) CHECK(size[image][i].item<double>() == Approx(expected[image][i]));
  }
}
