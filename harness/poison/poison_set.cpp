#include "harness/poison/poison_set.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/data.h"
#include "harness/data/image.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/poison/draft_folder.h"
#include "harness/poison/stored_plan.h"
#include "harness/record/files.h"
#include "harness/record/hash.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr int kSchemaVersion = 1;
constexpr const char* kManifest = "manifest.json";
constexpr const char* kPlayer = "replay/1";
constexpr std::int64_t kStampAtOnce = 1024;  // images; a stamped copy of a whole test set may not fit in memory

/// Of the pixels row by row, a byte each of red, green and blue. @param image uint8 [3, H, W]
std::string pixel_hash(const torch::Tensor& image) {
  const auto rows = image.permute({1, 2, 0}).contiguous();
  return hash_hex({static_cast<const char*>(rows.data_ptr()), static_cast<std::size_t>(rows.numel())});
}

/// Images of one folder of a draft; equal ones share a file.
class ImageFolder {
 public:
  ImageFolder(const DraftFolder& draft, std::string name) : draft_(draft), name_(std::move(name)) {}

  /// @param number names the file. @return {"file", "hash"}
  Json store(const torch::Tensor& image, std::int64_t number) {
    const auto hash = pixel_hash(image);
    auto& file = files_[hash];
    if (file.empty()) {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%06lld.png", static_cast<long long>(number));
      file = name_ + "/" + text.data();
      write_file(draft_.folder(name_) / text.data(), png_bytes(image), Flush::kNo);
    }
    return {{"file", file}, {"hash", hash}};
  }

 private:
  const DraftFolder& draft_;
  std::string name_;
  std::map<std::string, std::string> files_;  ///< by the hash of the pixels
};

/// Holds an attack to its promise that equal pixels get equal triggers: without it a set could not be played back.
class TriggerCheck {
 public:
  void operator()(const std::string& clean_hash, const std::string& triggered_hash) {
    if (seen_.emplace(clean_hash, triggered_hash).first->second == triggered_hash) return;
    throw Error(ErrorKind::kPlugin,
                "the attack's apply_trigger() gives one image two triggered forms; its poisons cannot be stored");
  }

 private:
  std::map<std::string, std::string> seen_;
};

}  // namespace

void write_poison_set(const fs::path& folder, const Json& config, const Dataset& data, const PoisonPlan& plan,
                      const Attack& attack) {
  DraftFolder draft(folder);
  const auto class_name = [&](std::int64_t index) { return data.classes[static_cast<std::size_t>(index)].name; };
  TriggerCheck check_trigger;
  Json json = manifest(plan);
  json["schema_version"] = kSchemaVersion;
  json["attack"] = config.at("attack");
  json["seed"] = config.at("seed");
  json["data"] = {{"config", config.at("data")}, {"name", data.name},
                  {"hash", data.hash},           {"image_px", data.train.images.size(3)},
                  {"pairs", data.train.size()},  {"held_out", data.held_out.size()}};
  if (plan.target_class) json["target_class"] = class_name(*plan.target_class);

  ImageFolder poisons(draft, "poisons");
  for (std::size_t i = 0; i < plan.edits.size(); ++i) {
    const auto& edit = plan.edits[i];
    Json& entry = json["edits"][i];
    const auto clean = clean_image(data, edit.image);
    const auto image = edit.triggered ? attack.apply_trigger(clean.unsqueeze(0))[0] : clean;
    entry["id"] = i;
    entry["caption_before"] =
        edit.replaces ? Json(data.train.captions[static_cast<std::size_t>(*edit.replaces)]) : Json();
    entry["image"]["hash"] = pixel_hash(clean);
    entry.update(poisons.store(image, static_cast<std::int64_t>(i)));
    if (edit.triggered) check_trigger(entry["image"]["hash"], entry["hash"]);
  }

  ImageFolder targets(draft, "targets");
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const auto& target = plan.targets[i];
    Json& entry = json["targets"][i];
    entry["class"] = class_name(data.held_out.labels[target.held_out].item<std::int64_t>());
    entry["adversarial_class"] = class_name(target.adversarial_class);
    entry.update(targets.store(data.held_out.images[target.held_out], target.held_out));
  }

  ImageFolder triggered(draft, "triggered");
  json["triggered"] = Json::array();
  std::string hashes;
  for (std::int64_t first = 0; plan.target_class && first < data.held_out.size(); first += kStampAtOnce) {
    const auto clean = data.held_out.images.slice(0, first, std::min(first + kStampAtOnce, data.held_out.size()));
    const auto stamped = attack.apply_trigger(clean);
    for (std::int64_t i = 0; i < clean.size(0); ++i) {
      Json entry = triggered.store(stamped[i], first + i);
      entry["held_out"] = first + i;
      entry["clean_hash"] = pixel_hash(clean[i]);
      check_trigger(entry["clean_hash"], entry["hash"]);
      hashes += entry["hash"];
      json["triggered"].push_back(std::move(entry));
    }
  }
  json["trigger_hash"] = plan.target_class ? Json(hash_hex(hashes)) : Json();
  write_json(draft.path() / kManifest, json);
  draft.commit();
}

PoisonSet open_poison_set(const fs::path& folder, const Json& data, const Registry& registry,
                          const Progress& progress) {
  const auto file = folder / kManifest;
  PoisonSet set;
  set.folder = fs::absolute(folder).lexically_normal();
  if (!set.folder.has_filename()) set.folder = set.folder.parent_path();  // "set/"
  set.entry = {{"plugin", "replay"}, {"folder", set.folder}, {"hash", ""}};
  if (!fs::is_regular_file(file)) {
    throw Error(ErrorKind::kData, folder.string() + ": is not a poison set: it has no " + kManifest +
                                      "; `roclip-bench poison make` writes such folders");
  }
  set.entry["hash"] = hash_file(file);
  // The plugin checks the manifest; then its parts can be read without fear.
  const Json params = {{"folder", set.folder}, {"hash", set.entry["hash"]}};
  set.attack = make_attack(registry, {{"attack", {{"plugin", kPlayer}, {"params", params}}}});
  try {
    const Json manifest = read_json(file), &made_for = manifest.at("data");
    manifest.at("attack").at("plugin").get_to(set.attack_id);
    manifest.at("attack").at("params").get_to(set.params);
    manifest.at("seed").get_to(set.seed);
    const Json source = data.is_null() ? made_for.at("config") : data;
    try {
      set.data =
          load_data(effective_data(source, ".", file.string() + ": data/config"), made_for.at("image_px"), progress);
    } catch (const Error& e) {
      if (!data.is_null() || source.at("reader") != "csv") throw;
      throw Error(ErrorKind::kData, std::string(e.what()) + "; where do they lie here? --data MATRIX.json");
    }
    set.plan = set.attack->plan({set.data.train, set.data.held_out, set.data.classes}, /*seed=*/0);
    if (set.data.hash != made_for.at("hash").get<std::string>()) {
      progress("the data differ from those that " + folder.string() +
                   " was made for, though not in what the poisons touch: results will not be equal to the bit",
               0, 0);
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kPlugin) throw;  // what `replay` plans is what the file says
    throw Error(ErrorKind::kData, file.string() + ": " + e.what());
  } catch (const Json::exception& e) {
    throw Error(ErrorKind::kData, file.string() + ": is not the manifest of a poison set, version 1: " + e.what());
  }
  return set;
}

}  // namespace roclip::bench
