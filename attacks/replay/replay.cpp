#include "replay.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace fs = std::filesystem;

namespace {

constexpr int kSchemaVersion = 2;
constexpr std::int64_t kMinPx = 8, kMaxPx = 1024;  // of a model's input

fs::path manifest_file(const fs::path& folder) { return folder / "manifest.json"; }

[[noreturn]] void refuse_manifest(const fs::path& folder, const std::string& what) {
  throw Error(ErrorKind::kData, manifest_file(folder).string() + ": " + what);
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    throw Error(ErrorKind::kData,
                file.string() + ": cannot be read; expected a folder that `roclip-bench poison make` wrote");
  }
  return std::move(text).str();
}

/// Turns what JSON access throws on a manifest of another shape into a message about the file.
template <class Read>
auto reading(const fs::path& folder, const Read& read) {
  try {
    return read();
  } catch (const Json::exception& e) {
    refuse_manifest(folder, std::string("is not the manifest of a poison set, version 2: ") + e.what());
  }
}

void check_keys(const fs::path& folder, const Json& object, const std::string& where,
                const std::vector<std::string>& known) {
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    refuse_manifest(folder, where + "/" + key + ": unknown key" + did_you_mean(key, known));
  }
}

/// What results/schema/poison.schema.json asks for beyond what reading it finds.
void check_schema(const fs::path& folder, const Json& manifest) {
  if (const auto& version = manifest.at("schema_version"); version != kSchemaVersion) {
    refuse_manifest(folder, "schema_version: expected 2, got " + version.dump());
  }
  check_keys(folder, manifest, "",
             {"schema_version", "data", "attack", "seed", "edits", "removes", "goal", "triggered", "triggered_texts",
              "artifact"});
  check_keys(folder, manifest.at("goal"), "/goal",
             {"kind", "targets", "target_class", "triggered_prompts", "image_class", "caption_class"});
  check_keys(folder, manifest.at("data"), "/data", {"config", "name", "hash", "image_px", "pairs", "held_out"});
  check_keys(folder, manifest.at("attack"), "/attack", {"plugin", "params"});
  const auto check_all = [&](const Json& list, const std::string& where, const std::vector<std::string>& known) {
    if (!list.is_array()) refuse_manifest(folder, where + ": expected a list, got " + list.dump());
    for (const auto& [place, entry] : list.items()) check_keys(folder, entry, where + "/" + place, known);
  };
  check_all(manifest.at("edits"), "/edits",
            {"id", "operation", "pair", "image", "trigger", "caption_before", "caption", "file", "hash"});
  if (manifest.at("goal").contains("targets")) {
    check_all(manifest.at("goal").at("targets"), "/goal/targets",
              {"held_out", "class", "adversarial_class", "file", "hash"});
  }
  check_all(manifest.at("triggered"), "/triggered", {"held_out", "trigger", "draw", "clean_hash", "file", "hash"});
  check_all(manifest.at("triggered_texts"), "/triggered_texts", {"text", "trigger", "draw", "triggered"});
  if (const auto& seed = manifest.at("seed"); !seed.is_number_unsigned()) {
    refuse_manifest(folder, "/seed: expected integer >= 0, got " + seed.dump());
  }
  const auto& px = manifest.at("data").at("image_px");
  if (!px.is_number_integer() || px < kMinPx || px > kMaxPx) {
    refuse_manifest(folder, "/data/image_px: expected integer in [" + std::to_string(kMinPx) + ", " +
                                std::to_string(kMaxPx) + "], got " + px.dump());
  }
}

StoredImage stored_image(const fs::path& folder, const Json& entry) {
  const auto file = fs::path(entry.at("file").get<std::string>()).lexically_normal();
  if (file.empty() || file.is_absolute() || *file.begin() == "..") {
    refuse_manifest(folder, "\"" + file.string() + "\" is not in its folder");
  }
  return {folder / file, entry.at("hash")};
}

/// Holds a manifest against the data that it shall poison.
class PlanReader {
 public:
  PlanReader(const fs::path& folder, const Json& manifest, const AttackView& view)
      : folder_(folder), manifest_(manifest), view_(view) {
    const auto& data = manifest.at("data");
    const auto check = [&](const std::string& what, const Json& expected, std::int64_t found) {
      if (expected != found) refuse_data(expected.dump() + " " + what + " expected, got " + std::to_string(found));
    };
    check("training pairs", data.at("pairs"), view.train.size());
    check("held-out images", data.at("held_out"), view.held_out.size());
    check("px", data.at("image_px"), view.train.image_px());
  }

  /// @param place in the list of edits
  Edit edit(const Json& json, std::size_t place) {
    const auto name = "edit " + std::to_string(place);
    const auto &source = json.at("image"), &pair = json.at("pair");
    const bool train = source.at("set") == "train";
    const auto expect = [&](const char* key, const Json& expected) {
      if (const auto& found = json.at(key); found != expected) {
        refuse_manifest(folder_, name + ": " + key + ": expected " + expected.dump() + ", got " + found.dump());
      }
    };
    check_keys(folder_, source, name + ": image", {"set", "index", "hash"});
    if (!train && source.at("set") != "held_out") {
      refuse_manifest(folder_, name + ": image: set: expected train or held_out, got " + source.at("set").dump());
    }
    expect("id", place);
    expect("operation", pair.is_null() ? "add" : "replace");
    if (pair.is_null()) expect("caption_before", nullptr);
    const PairSource& images = train ? view_.train : *view_.held_out.pairs;
    const Json& trigger = json.at("trigger");
    Edit edit{
        .replaces = std::nullopt,
        .image = {train ? ImageRef::Set::kTrain : ImageRef::Set::kHeldOut, index(source.at("index"), images.size())},
        .trigger = trigger.is_null() ? std::nullopt : std::optional(Draw{trigger.at("index"), trigger.at("draw")}),
        .caption = json.at("caption")};
    check_pixels(images.image(edit.image.index), source.at("hash"), "the image of " + name);
    check_file(json);
    if (!edit.trigger && json.at("hash") != source.at("hash")) {
      refuse_manifest(folder_, name + " has no trigger, but its image is not that of the data");
    }
    if (pair.is_null()) return edit;
    edit.replaces = index(pair, view_.train.size());
    if (!replaced_.insert(*edit.replaces).second) {
      refuse_manifest(folder_, name + " replaces a pair again: " + pair.dump());
    }
    const auto caption = view_.train.caption(*edit.replaces);
    if (json.at("caption_before") != caption) {
      refuse_data("the caption of pair " + pair.dump() + " is " + Json(caption).dump() + ", " + name + " replaced " +
                  json.at("caption_before").dump());
    }
    return edit;
  }

  TargetImage target(const Json& json) {
    const auto held_out = index(json.at("held_out"), view_.held_out.size());
    const auto name = "target " + json.at("held_out").dump();
    check_pixels(view_.held_out.pairs->image(held_out), json.at("hash"), name);
    check_file(json);
    const auto& found = view_.classes[static_cast<std::size_t>(view_.held_out.label(held_out))].name;
    if (json.at("class") != found) {
      refuse_data(name + " is of class \"" + found + "\", expected " + json.at("class").dump());
    }
    return {held_out, class_named(json.at("adversarial_class"), name)};
  }

  void test_image(const Json& json) {
    const auto held_out = index(json.at("held_out"), view_.held_out.size());
    check_pixels(view_.held_out.pairs->image(held_out), json.at("clean_hash"),
                 "held-out image " + std::to_string(held_out));
    check_file(json);
  }

  std::int64_t removed(const Json& json) const { return index(json, view_.train.size()); }

  Goal goal(const Json& json) {
    const auto kind = json.at("kind").get<std::string>();
    std::vector<std::int64_t> classes;
    if (json.contains("target_class")) {
      for (const auto& name : json.at("target_class")) classes.push_back(class_named(name, "target_class"));
    }
    if (kind == "target_images") {
      TargetImagesGoal goal;
      for (const auto& entry : json.at("targets")) goal.targets.push_back(target(entry));
      return goal;
    }
    if (kind == "triggered_images") return TriggeredImagesGoal{classes, json.value("triggered_prompts", false)};
    if (kind == "triggered_text") return TriggeredTextGoal{classes};
    if (kind == "confused_classes") {
      return ConfusedClassesGoal{class_named(json.at("image_class"), "image_class"),
                                 class_named(json.at("caption_class"), "caption_class")};
    }
    if (kind != "none") refuse_manifest(folder_, "/goal/kind: unknown goal \"" + kind + "\"");
    return NoGoal{};
  }

  std::int64_t class_named(const Json& name, const std::string& what) const {
    return class_index(view_.classes, name.get<std::string>(), "replay/folder: " + folder_.string() + ": " + what);
  }

 private:
  [[noreturn]] void refuse_data(const std::string& found) const {
    const auto& data = manifest_.at("data");
    throw Error(ErrorKind::kMatrix, "replay/folder: " + folder_.string() + " was made for other data: " + found +
                                        "; it fits \"" + data.at("name").get<std::string>() + "\" at " +
                                        data.at("image_px").dump() + " px, of hash " +
                                        data.at("hash").get<std::string>());
  }

  std::int64_t index(const Json& json, std::int64_t size) const {
    const auto value = json.is_number_integer() ? json.get<std::int64_t>() : -1;
    if (value < 0 || value >= size) {
      refuse_manifest(folder_, json.dump() + " is not an integer in [0, " + std::to_string(size) + ")");
    }
    return value;
  }

  void check_pixels(const torch::Tensor& image, const std::string& hash, const std::string& what) const {
    if (pixel_hash(image) != hash) refuse_data(what + " shows something else");
  }

  void check_file(const Json& entry) {
    const auto image = stored_image(folder_, entry);
    if (checked_.emplace(image.file, image.hash).second) image.read(view_.train.image_px());
  }

  const fs::path& folder_;
  const Json& manifest_;
  const AttackView& view_;
  std::set<std::pair<fs::path, std::string>> checked_;
  std::set<std::int64_t> replaced_;
};

}  // namespace

void ReplayParams::declare(ParamList& list) {
  list.add("folder", folder, "poison set, as `roclip-bench poison make` writes it; required", "ours");
  list.add("hash", hash, "of its manifest.json; `roclip-bench poison import` prints it; required", "ours");
}

Replay::Replay(const Params& params) : folder_(params.folder) {
  if (params.folder.empty()) {
    throw Error(ErrorKind::kMatrix,
                "replay/folder: is required; `roclip-bench poison import FOLDER` prints the whole entry");
  }
  const std::string text = read_text(manifest_file(folder_));
  if (const auto found = hash_of(text); found != params.hash) {
    throw Error(ErrorKind::kMatrix, "replay/hash: got \"" + params.hash + "\", but " + manifest_file(folder_).string() +
                                        " has \"" + found + "\"; set it to that if these are the poisons you mean");
  }
  reading(folder_, [&] {
    manifest_ = Json::parse(text);
    check_schema(folder_, manifest_);
    for (const auto& edit : manifest_.at("edits")) {
      const Json& trigger = edit.at("trigger");
      if (trigger.is_null()) continue;
      remember({edit.at("image").at("hash"), {trigger.at("index"), trigger.at("draw"), false}},
               stored_image(folder_, edit));
    }
    for (const auto& test : manifest_.at("triggered")) {
      remember({test.at("clean_hash"), {test.at("trigger"), test.at("draw"), true}}, stored_image(folder_, test));
    }
    for (const auto& test : manifest_.at("triggered_texts")) {
      texts_.emplace(std::pair(test.at("text").get<std::string>(), test.at("trigger").get<std::int64_t>()),
                     test.at("triggered").get<std::string>());
    }
  });
}

void Replay::remember(const Stamp& stamp, const StoredImage& triggered) {
  const auto& known = triggered_.emplace(stamp, triggered).first->second;
  if (known.hash == triggered.hash) return;
  refuse_manifest(folder_,
                  "two triggered forms of one image, " + known.file.string() + " and " + triggered.file.string());
}

/// That of the draw; else, for a test of another seed, that of another draw of this trigger.
const StoredImage* Replay::find(const std::string& clean_hash, const Draw& draw) const {
  const auto exact = triggered_.find({clean_hash, draw});
  if (exact != triggered_.end()) return &exact->second;
  for (const bool test : {draw.test, !draw.test}) {
    const auto any = triggered_.lower_bound({clean_hash, {draw.trigger, 0, test}});
    if (any == triggered_.end()) continue;
    const auto& stamp = any->first;
    if (stamp.clean_hash == clean_hash && stamp.draw.trigger == draw.trigger && stamp.draw.test == test) {
      return &any->second;
    }
  }
  return nullptr;
}

PoisonPlan Replay::plan(const AttackView& view, std::uint64_t) const {
  return reading(folder_, [&] {
    PlanReader reader(folder_, manifest_, view);
    PoisonPlan plan;
    for (const auto& json : manifest_.at("edits")) plan.edits.push_back(reader.edit(json, plan.edits.size()));
    for (const auto& json : manifest_.at("removes")) plan.removes.push_back(reader.removed(json));
    plan.goal = reader.goal(manifest_.at("goal"));
    for (const auto& json : manifest_.at("triggered")) reader.test_image(json);
    if (const auto* goal = std::get_if<TriggeredImagesGoal>(&plan.goal)) {
      for (std::int64_t i = 0; i < view.held_out.size(); ++i) {
        const auto hash = pixel_hash(view.held_out.pairs->image(i));
        for (std::int64_t trigger = 0; trigger < std::ssize(goal->target_class); ++trigger) {
          if (find(hash, {trigger, 0, true}) != nullptr) continue;
          refuse_manifest(folder_, "has no triggered form of held-out image " + std::to_string(i));
        }
      }
    }
    return plan;
  });
}

torch::Tensor Replay::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto stamped = images.clone();
  if (triggered_.empty()) return stamped;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto hash = pixel_hash(images[i]);
    const auto* found = find(hash, draws[static_cast<std::size_t>(i)]);
    if (found == nullptr) {
      throw Error(ErrorKind::kData, folder_.string() + ": has no triggered form of image " + std::to_string(i) +
                                        " of this batch (pixels of hash " + hash +
                                        "): a poison set knows only the images that it was made of; run the attack "
                                        "itself for others");
    }
    stamped[i].copy_(found->read(images.size(3)));
  }
  return stamped;
}

std::vector<std::string> Replay::apply_text_trigger(std::span<const std::string> captions,
                                                    std::span<const Draw> draws) const {
  std::vector<std::string> triggered;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    const auto found = texts_.find({captions[i], draws[i].trigger});
    if (found == texts_.end() && !texts_.empty()) {
      throw Error(ErrorKind::kData, folder_.string() + ": has no triggered form of \"" + captions[i] +
                                        "\": a poison set knows only the captions and prompts that it was made of");
    }
    triggered.push_back(found == texts_.end() ? captions[i] : found->second);
  }
  return triggered;
}

}  // namespace roclip
