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

constexpr int kSchemaVersion = 1;
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
    refuse_manifest(folder, std::string("is not the manifest of a poison set, version 1: ") + e.what());
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
    refuse_manifest(folder, "schema_version: expected 1, got " + version.dump());
  }
  check_keys(
      folder, manifest, "",
      {"schema_version", "data", "attack", "seed", "target_class", "trigger_hash", "edits", "targets", "triggered"});
  check_keys(folder, manifest.at("data"), "/data", {"config", "name", "hash", "image_px", "pairs", "held_out"});
  check_keys(folder, manifest.at("attack"), "/attack", {"plugin", "params"});
  const auto check_all = [&](const char* list, const std::vector<std::string>& known) {
    if (const auto& found = manifest.at(list); !found.is_array()) {
      refuse_manifest(folder, std::string("/") + list + ": expected a list, got " + found.dump());
    }
    for (const auto& [place, entry] : manifest.at(list).items()) {
      check_keys(folder, entry, std::string("/") + list + "/" + place, known);
    }
  };
  check_all("edits", {"id", "operation", "pair", "image", "triggered", "caption_before", "caption", "file", "hash"});
  check_all("targets", {"held_out", "class", "adversarial_class", "file", "hash"});
  check_all("triggered", {"held_out", "clean_hash", "file", "hash"});
  if (const auto& seed = manifest.at("seed"); !seed.is_number_unsigned()) {
    refuse_manifest(folder, "/seed: expected integer >= 0, got " + seed.dump());
  }
  const auto& px = manifest.at("data").at("image_px");
  if (!px.is_number_integer() || px < kMinPx || px > kMaxPx) {
    refuse_manifest(folder, "/data/image_px: expected integer in [" + std::to_string(kMinPx) + ", " +
                                std::to_string(kMaxPx) + "], got " + px.dump());
  }
  std::string hashes;
  for (const auto& test : manifest.at("triggered")) hashes += test.at("hash").get<std::string>();
  const Json expected = manifest.at("target_class").is_null() ? Json() : Json(hash_of(hashes));
  if (const auto& found = manifest.at("trigger_hash"); found != expected) {
    refuse_manifest(folder, "/trigger_hash: expected " + expected.dump() + ", got " + found.dump());
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
    check("px", data.at("image_px"), view.train.images.size(3));
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
    const auto& images = train ? view_.train.images : view_.held_out.images;
    Edit edit{
        .replaces = std::nullopt,
        .image = {train ? ImageRef::Set::kTrain : ImageRef::Set::kHeldOut, index(source.at("index"), images.size(0))},
        .triggered = json.at("triggered"),
        .caption = json.at("caption")};
    check_pixels(images[edit.image.index], source.at("hash"), "the image of " + name);
    check_file(json);
    if (!edit.triggered && json.at("hash") != source.at("hash")) {
      refuse_manifest(folder_, name + " is not triggered, but its image is not that of the data");
    }
    if (pair.is_null()) return edit;
    edit.replaces = index(pair, view_.train.size());
    if (!replaced_.insert(*edit.replaces).second) {
      refuse_manifest(folder_, name + " replaces a pair again: " + pair.dump());
    }
    const auto& caption = view_.train.captions[static_cast<std::size_t>(*edit.replaces)];
    if (json.at("caption_before") != caption) {
      refuse_data("the caption of pair " + pair.dump() + " is " + Json(caption).dump() + ", " + name + " replaced " +
                  json.at("caption_before").dump());
    }
    return edit;
  }

  TargetImage target(const Json& json) {
    const auto held_out = index(json.at("held_out"), view_.held_out.size());
    const auto name = "target " + json.at("held_out").dump();
    check_pixels(view_.held_out.images[held_out], json.at("hash"), name);
    check_file(json);
    const auto label = view_.held_out.labels[held_out].item<std::int64_t>();
    const auto& found = view_.classes[static_cast<std::size_t>(label)].name;
    if (json.at("class") != found) {
      refuse_data(name + " is of class \"" + found + "\", expected " + json.at("class").dump());
    }
    return {held_out, class_named(json.at("adversarial_class"), name)};
  }

  void test_image(const Json& json) {
    const auto held_out = index(json.at("held_out"), view_.held_out.size());
    check_pixels(view_.held_out.images[held_out], json.at("clean_hash"), "held-out image " + std::to_string(held_out));
    check_file(json);
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
    if (checked_.emplace(image.file, image.hash).second) image.read(view_.train.images.size(3));
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
      if (edit.at("triggered")) remember(edit.at("image").at("hash"), stored_image(folder_, edit));
    }
    for (const auto& test : manifest_.at("triggered")) remember(test.at("clean_hash"), stored_image(folder_, test));
  });
}

void Replay::remember(const std::string& clean_hash, const StoredImage& triggered) {
  const auto& known = triggered_.emplace(clean_hash, triggered).first->second;
  if (known.hash == triggered.hash) return;
  refuse_manifest(folder_,
                  "two triggered forms of one image, " + known.file.string() + " and " + triggered.file.string());
}

PoisonPlan Replay::plan(const AttackView& view, std::uint64_t) const {
  return reading(folder_, [&] {
    PlanReader reader(folder_, manifest_, view);
    PoisonPlan plan;
    for (const auto& json : manifest_.at("edits")) plan.edits.push_back(reader.edit(json, plan.edits.size()));
    for (const auto& json : manifest_.at("targets")) plan.targets.push_back(reader.target(json));
    for (const auto& json : manifest_.at("triggered")) reader.test_image(json);
    const auto& target_class = manifest_.at("target_class");
    if (target_class.is_null()) return plan;
    plan.target_class = reader.class_named(target_class, "target_class");
    for (std::int64_t i = 0; i < view.held_out.size(); ++i) {
      if (triggered_.contains(pixel_hash(view.held_out.images[i]))) continue;
      refuse_manifest(folder_, "has no triggered form of held-out image " + std::to_string(i));
    }
    return plan;
  });
}

torch::Tensor Replay::apply_trigger(const torch::Tensor& images) const {
  auto stamped = images.clone();
  if (triggered_.empty()) return stamped;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto hash = pixel_hash(images[i]);
    const auto found = triggered_.find(hash);
    if (found == triggered_.end()) {
      throw Error(ErrorKind::kData, folder_.string() + ": has no triggered form of image " + std::to_string(i) +
                                        " of this batch (pixels of hash " + hash +
                                        "): a poison set knows only the images that it was made of; run the attack "
                                        "itself for others");
    }
    stamped[i].copy_(found->second.read(images.size(3)));
  }
  return stamped;
}

}  // namespace roclip
