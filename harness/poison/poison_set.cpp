#include "harness/poison/poison_set.h"

#include <algorithm>
#include <map>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/data.h"
#include "harness/data/image.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/model/safetensors.h"
#include "harness/poison/draft_folder.h"
#include "harness/poison/stored_plan.h"
#include "harness/record/files.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr int kSchemaVersion = 2;
constexpr const char* kManifest = "manifest.json";
constexpr std::int64_t kStampAtOnce = 1024;  // images; a stamped copy of a whole test set may not fit in memory

/// Of the pixels row by row, a byte each of red, green and blue. @param image uint8 [3, H, W]
std::string pixel_hash(const torch::Tensor& image) {
  const auto rows = image.permute({1, 2, 0}).contiguous();
  return hash_hex({static_cast<const char*>(rows.data_ptr()), static_cast<std::size_t>(rows.numel())});
}

/// Writes the parts of a set, one after the other.
struct SetWriter {
  const DraftFolder& draft;
  const Dataset& data;
  const PoisonPlan& plan;
  const ReadyAttack& ready;
  std::uint64_t evaluation_seed;
  Json json;                                                              ///< the manifest
  std::map<std::string, std::string> files = {};                          ///< by folder and hash of the pixels
  std::map<std::pair<std::string, std::string>, std::string> forms = {};  ///< triggered, by clean image and draw

  /// Equal images of a folder share a file. @param number names it. @return {"file", "hash"}
  Json store(const std::string& folder, const torch::Tensor& image, std::int64_t number) {
    const auto hash = pixel_hash(image);
    auto& file = files[folder + hash];
    if (file.empty()) {
      const auto name = format("%06lld.png", static_cast<long long>(number));
      file = folder + "/" + name;
      write_file(draft.folder(folder) / name, png_bytes(image), Flush::kNo);
    }
    return {{"file", file}, {"hash", hash}};
  }

  const std::string& class_name(std::int64_t index) const { return data.classes[static_cast<std::size_t>(index)].name; }

  void edits() {
    for (std::size_t i = 0; i < plan.edits.size(); ++i) {
      const auto& edit = plan.edits[i];
      if (edit.image.set == ImageRef::Set::kArtifact) {
        throw Error(ErrorKind::kPlugin, "edit " + std::to_string(i) +
                                            " takes its image from the attack's artifact, but a poison set stores only "
                                            "poisons of images of the data: run the attack itself");
      }
      Json& entry = json["edits"][i];
      const auto clean = clean_image(data, ready.artifact.tensors, edit.image);
      const auto image = edit.trigger ? ready.attack->apply_trigger(clean.unsqueeze(0), {&*edit.trigger, 1})[0] : clean;
      entry["id"] = i;
      entry["caption_before"] = edit.replaces ? Json(data.train->caption(*edit.replaces)) : Json();
      entry["image"]["hash"] = pixel_hash(clean);
      entry.update(store("poisons", image, static_cast<std::int64_t>(i)));
      if (edit.trigger) check_trigger(entry["image"]["hash"], entry["trigger"].dump(), entry["hash"]);
    }
  }

  /// Without this promise a set could not be played back.
  void check_trigger(const std::string& clean_hash, const std::string& draw, const std::string& triggered_hash) {
    if (forms.emplace(std::pair(clean_hash, draw), triggered_hash).first->second == triggered_hash) return;
    throw Error(ErrorKind::kPlugin,
                "the attack's apply_trigger() gives two triggered forms of one image with one draw; its poisons cannot "
                "be stored");
  }

  void goal(const NoGoal&) {}
  void goal(const TargetImagesGoal& goal) {
    for (std::size_t i = 0; i < goal.targets.size(); ++i) {
      const auto& target = goal.targets[i];
      Json& entry = json["goal"]["targets"][i];
      entry["class"] = class_name(data.held_out.label(target.held_out));
      entry["adversarial_class"] = class_name(target.adversarial_class);
      entry.update(store("targets", data.held_out.pairs->image(target.held_out), target.held_out));
    }
  }
  void goal(const TriggeredImagesGoal& goal) {
    const auto size = data.held_out.size();
    for (std::int64_t trigger = 0; trigger < std::ssize(goal.target_class); ++trigger) {
      for (std::int64_t first = 0; first < size; first += kStampAtOnce) {
        const auto items = torch::arange(first, std::min(first + kStampAtOnce, size), torch::kLong);
        const auto draws = test_draws(evaluation_seed, items, trigger);
        const auto clean = data.held_out.images(items);
        const auto stamped = ready.attack->apply_trigger(clean, draws);
        for (std::int64_t i = 0; i < clean.size(0); ++i) {
          Json entry = store("triggered", stamped[i], trigger * size + first + i);
          entry["held_out"] = first + i;
          entry["trigger"] = trigger;
          entry["draw"] = draws[static_cast<std::size_t>(i)].value;
          entry["clean_hash"] = pixel_hash(clean[i]);
          check_trigger(entry["clean_hash"], "test" + std::to_string(trigger) + entry["draw"].dump(), entry["hash"]);
          json["triggered"].push_back(std::move(entry));
        }
      }
      if (goal.triggered_prompts) triggered_prompts(trigger);
    }
  }
  void triggered_text(const std::string& text, std::int64_t item, std::int64_t trigger) {
    const auto draws = test_draws(evaluation_seed, torch::tensor({item}, torch::kLong), trigger);
    const auto triggered = ready.attack->apply_text_trigger({&text, 1}, draws).at(0);
    json["triggered_texts"].push_back(
        {{"text", text}, {"trigger", trigger}, {"draw", draws.front().value}, {"triggered", triggered}});
  }
  void triggered_prompts(std::int64_t trigger) {
    for (std::size_t c = 0; c < data.classes.size(); ++c) {
      for (const auto& prompt : data.classes[c].prompts) triggered_text(prompt, static_cast<std::int64_t>(c), trigger);
    }
  }
  /// What a test asks for: held-out captions and prompts of classes.
  void goal(const TriggeredTextGoal& goal) {
    for (std::int64_t trigger = 0; trigger < std::ssize(goal.target_class); ++trigger) {
      for (std::int64_t i = 0; i < data.held_out.size(); ++i) {
        const auto caption = data.held_out.pairs->caption(i);
        const auto& prompts = data.classes[static_cast<std::size_t>(data.held_out.label(i))].prompts;
        triggered_text(caption.empty() ? prompts.front() : caption, i, trigger);
      }
      triggered_prompts(trigger);
    }
  }
  void goal(const ConfusedClassesGoal& goal) {
    json["goal"]["image_class"] = class_name(goal.image_class);
    json["goal"]["caption_class"] = class_name(goal.caption_class);
  }
};

/// The attack that plays poison sets back: the one whose parameters are a set's folder and its manifest's hash.
const PluginInfo& player(const Registry& registry) {
  for (const auto& plugin : registry.plugins()) {
    std::set<std::string> parameters;
    for (const Json& parameter : plugin.descriptor->describe()) parameters.insert(parameter.at("name"));
    const bool is_attack = plugin.descriptor->kind == PluginKind::kAttack;
    if (is_attack && parameters == std::set<std::string>{"folder", "hash"}) return plugin;
  }
  throw Error(ErrorKind::kPlugin,
              "no attack plays poison sets back: it has the parameters \"folder\" and \"hash\" and comes with the "
              "program; `roclip-bench plugin list` shows what was found and what was refused");
}

}  // namespace

void write_poison_set(const fs::path& folder, const Json& config, const Dataset& data, const PoisonPlan& plan,
                      const ReadyAttack& ready) {
  DraftFolder draft(folder);
  SetWriter writer{.draft = draft,
                   .data = data,
                   .plan = plan,
                   .ready = ready,
                   .evaluation_seed = stream(config.at("seed").get<std::uint64_t>(), role::kEvaluation),
                   .json = manifest(plan)};
  writer.json.update({{"schema_version", kSchemaVersion},
                      {"attack", config.at("attack")},
                      {"seed", config.at("seed")},
                      {"data",
                       {{"config", config.at("data")},
                        {"name", data.name},
                        {"hash", data.hash},
                        {"image_px", data.train->image_px()},
                        {"pairs", data.train->size()},
                        {"held_out", data.held_out.size()}}},
                      {"triggered", Json::array()},
                      {"triggered_texts", Json::array()},
                      {"artifact", nullptr}});
  writer.edits();
  if (const auto* classes = target_classes(plan.goal)) {
    for (std::size_t t = 0; t < classes->size(); ++t) {
      writer.json["goal"]["target_class"][t] = writer.class_name((*classes)[t]);
    }
  }
  std::visit([&](const auto& goal) { writer.goal(goal); }, plan.goal);
  if (!ready.artifact.name.empty()) {
    const auto file = draft.path() / "artifact.safetensors";
    write_safetensors(file, ready.artifact.tensors);
    writer.json["artifact"] = {{"file", "artifact.safetensors"}, {"hash", hash_file(file)}};
  }
  write_json(draft.path() / kManifest, writer.json);
  draft.commit();
}

torch::Tensor PoisonSet::triggered(std::int64_t held_out, std::int64_t trigger) const {
  const auto draws = test_draws(stream(seed, role::kEvaluation), torch::tensor({held_out}, torch::kLong), trigger);
  return attack->apply_trigger(data.held_out.images(held_out, held_out + 1), draws)[0];
}

PoisonSet open_poison_set(const fs::path& folder, const Json& data, const Registry& registry,
                          const Progress& progress) {
  const auto file = folder / kManifest;
  PoisonSet set;
  set.folder = fs::absolute(folder).lexically_normal();
  if (!set.folder.has_filename()) set.folder = set.folder.parent_path();  // "set/"
  if (!fs::is_regular_file(file)) {
    throw Error(ErrorKind::kData, folder.string() + ": is not a poison set: it has no " + kManifest +
                                      "; `roclip-bench poison make` writes such folders");
  }
  const auto& plugin = player(registry);
  set.entry = {{"folder", set.folder}, {"hash", hash_file(file)}};
  // The plugin checks the manifest; then its parts can be read without fear.
  set.attack = make_attack(registry, {{"attack", {{"plugin", plugin.id()}, {"params", set.entry}}}});
  set.entry["plugin"] = plugin.name();
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
      if (!data.is_null() || source.value("reader", "csv") == "emoji") throw;
      throw Error(ErrorKind::kData, std::string(e.what()) + "; if the files are elsewhere, add --data MATRIX.json");
    }
    set.plan = set.attack->plan(view_of(set.data), /*seed=*/0);
    if (set.data.hash != made_for.at("hash").get<std::string>()) {
      progress("the data differ from those that " + folder.string() +
                   " was made for, but not in what the poisons change: results will not have equal bits",
               0, 0);
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kPlugin) throw;  // what this attack plans is what the file says
    refuse(file, e.what());
  } catch (const Json::exception& e) {
    throw Error(ErrorKind::kData, file.string() + ": is not the manifest of a poison set, version 2: " + e.what());
  }
  return set;
}

}  // namespace roclip::bench
