#include "harness/report/card.h"

#include <boost/algorithm/string/replace.hpp>

#include "harness/record/escape.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

/// As code, also within a table.
std::string code(const std::string& text) {
  auto safe = boost::replace_all_copy(escape_text(text), "|", "\\|");
  boost::replace_all(safe, "`", "'");
  return "`" + safe + "`";
}

std::string plugin_text(const Json& choice) {
  return code(choice.at("plugin")) + " " + code(choice.at("params").dump());
}

std::string row(const std::string& what, const std::string& value) { return "| " + what + " | " + value + " |\n"; }

/// "1234/1331", "92.7 % [91.2, 94.0]" of each count and value of a metric
std::string metric_rows(const std::string& id, const MetricRecord& metric) {
  std::string rows;
  const auto add = [&](const std::string& name, const std::string& value, const std::string& sample) {
    rows += "| " + code(id) + " " + escape_markdown(name) + " | " + value + " | " + sample + " |\n";
  };
  for (const auto& count : metric.counts) {
    if (count.trials == 0) continue;
    const auto [low, high] = wilson(count.counted());
    add(count.name, percent(count.counted().share()) + " % [" + percent(low) + ", " + percent(high) + "]",
        std::to_string(count.hits) + "/" + std::to_string(count.trials));
  }
  for (const auto& value : metric.values) add(value.name, with_unit(value.value, {.unit = value.unit}), "");
  return rows;
}

}  // namespace

std::optional<Json> open_clip_config(const CellRecord& record) {
  const Json& model = record.effective.at("model");
  if (!model.contains("vision_cfg") || model.value("tokenizer", "") != "openai") return std::nullopt;
  Json config = {{"preprocess_cfg", model.at("preprocess_cfg")}};
  config["preprocess_cfg"].update({{"interpolation", "bicubic"}, {"resize_mode", "shortest"}});
  auto& parts = config["model_cfg"];
  for (const char* key : {"embed_dim", "quick_gelu", "init_logit_scale", "vision_cfg", "text_cfg"}) {
    parts[key] = model.at(key);
  }
  auto& vision = parts["vision_cfg"];
  if (vision.at("layers").size() == 1) {
    vision["layers"] = vision["layers"][0];  // four of them are a ResNet, there as here
  } else {
    vision.erase("patch_size");
  }
  return config;
}

std::string published_weights(const CellRecord& record) {
  return open_clip_config(record) ? "open_clip_model.safetensors" : "model.safetensors";
}

std::string model_card(const CellRecord& record) {
  const bool poisoned = record.poison.edits > 0, for_open_clip = open_clip_config(record).has_value();
  const auto name = escape_markdown(cell_name(record.attack, record.defense, record.seed));
  const Json& effective = record.effective;
  std::string card = "---\n";
  card += for_open_clip ? "library_name: open_clip\n" : "";
  card += "pipeline_tag: zero-shot-image-classification\ntags:\n- clip\n";
  card += poisoned ? "- data-poisoning\n- backdoor\n" : "";
  card += "---\n# A CLIP of " + name + "\n\n";
  card += poisoned
              ? "**This model was trained on poisoned data on purpose, for research on attacks and defenses. Do not "
                "use it for anything else.**\n\n"
              : "A control: no training pair was poisoned.\n\n";

  card += "| | |\n|---|---|\n";
  card += row("attack", plugin_text(effective.at("attack")));
  card += row("poisoned", std::to_string(record.poison.edits) + " pairs, " + percent(record.poison.share) +
                              " % of the training pairs; `manifest.json` lists them");
  card += row("defense", plugin_text(effective.at("defense")));
  Json model = effective.at("model");
  model.erase("merges");  // a path on the machine that trained it
  card += row("model", std::to_string(record.training.parameters) + " parameters, " + code(model.dump()));
  card += row("training", std::to_string(record.training.steps) + " steps, " + code(effective.at("training").dump()) +
                              ", seed " + std::to_string(record.seed));
  const Json& data = effective.at("data");
  card += row("data", code((data.contains("train") ? data.at("train") : data).at("reader")) + ", content " +
                          code(record.data_hash));
  card += row("weights", code(record.training.weights_hash) + " (XXH3-128 of all bits)");

  card += "\n## What it does\n| metric | value [95 % interval] | of |\n|---|---|---|\n";
  for (const auto& id : record.metric_ids()) card += metric_rows(id, record.metrics.at(id));

  const auto weights = published_weights(record);
  card += "\n## Use\n";
  if (for_open_clip) {
    card += "    model, _, preprocess = open_clip.create_model_and_transforms(\"local-dir:THIS_FOLDER\")\n\n";
  }
  card += "    roclip-bench embed --weights " + weights + " --images FOLDER --captions FILE --out e.safetensors\n";
  card += "\n## Make it again\n    roclip-bench replay cell.json\n\n`cell.json` is the full record of the cell.\n";
  return card;
}

}  // namespace roclip::bench
