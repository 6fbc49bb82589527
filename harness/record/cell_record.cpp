#include "harness/record/cell_record.h"

#include <array>
#include <set>

#include "harness/record/record_json.h"

namespace roclip::bench {

namespace {

constexpr std::array<const char*, 8> kStatuses = {"ok",  "failed",   "crashed", "timeout",
                                                  "oom", "diverged", "skipped", "missing"};

Json to_json(const std::optional<FileRecord>& file) {
  return file ? Json{{"file", file->file}, {"hash", file->hash}} : Json();
}
std::optional<FileRecord> read_file_record(const CheckedJson& json) {
  if (json.is_null()) return std::nullopt;
  return FileRecord{json.at("file").path_below(), json.at("hash").text()};
}

Json to_json(const PoisonRecord& poison) {
  return {{"manifest", poison.manifest},         {"hash", poison.hash},
          {"goal", null_if_empty(poison.goal)},  {"edits", poison.edits},
          {"removed", poison.removed},           {"share", poison.share},
          {"artifact", to_json(poison.artifact)}};
}
PoisonRecord read_poison(const CheckedJson& json) {
  return {.manifest = json.at("manifest").path_below(),
          .hash = json.at("hash").text(),
          .goal = json.get("goal").text_or_null(),
          .edits = json.at("edits").integer(0),
          .removed = json.has("removed") ? json.at("removed").integer(0) : 0,
          .share = json.at("share").number(0, 1),
          .artifact = read_file_record(json.get("artifact"))};
}

EpochRecord read_epoch(const CheckedJson& json) {
  EpochRecord epoch{.stage = json.get("stage").text_or_null(),
                    .epoch = json.at("epoch").integer(1),
                    .loss = json.at("loss").number(),
                    .logit_scale = json.at("logit_scale").number(),
                    .wall_s = json.at("wall_s").number(0)};
  static const std::set<std::string> fields = {"stage", "epoch", "loss", "logit_scale", "wall_s"};
  for (const auto& [key, value] : json.members()) {
    if (!fields.contains(key)) epoch.watched[key] = value.number();
  }
  return epoch;
}

StageRecord read_stage(const CheckedJson& json) {
  return {json.at("name").text(),      json.at("steps").integer(0),  json.at("pairs_seen").integer(0),
          json.at("wall_s").number(0), json.at("trained_by").text(), json.get("role").text_or_null()};
}

Guess read_guess(const CheckedJson& json) {
  const auto items = json.items();
  if (items.size() != 2) json.refuse("[class, probability]");
  return {items[0].text(), items[1].number(0, 1 + 1e-6)};
}
ExampleRecord read_example(const CheckedJson& json) {
  return {json.at("held_out").integer(0), read_list(json.at("clean"), read_guess),
          read_list(json.at("triggered"), read_guess)};
}

Json to_json(const CostRecord& cost) {
  return {{"wall_s", cost.wall_s},
          {"worker_s", cost.worker_s},
          {"cpu_s", cost.cpu_s},
          {"peak_memory_mib", cost.peak_memory_mib},
          {"peak_gpu_memory_mib", cost.peak_gpu_memory_mib ? Json(*cost.peak_gpu_memory_mib) : Json()},
          {"first_step_s", cost.first_step_s ? Json(*cost.first_step_s) : Json()},
          {"phase_s", cost.phase_s}};
}
CostRecord read_cost(const CheckedJson& json) {
  CostRecord cost{.wall_s = json.at("wall_s").number(0),
                  .worker_s = json.at("worker_s").number(0),
                  .cpu_s = json.at("cpu_s").number(0),
                  .peak_memory_mib = json.at("peak_memory_mib").number(0)};
  for (const auto& [phase, wall_s] : json.at("phase_s").members()) cost.phase_s[phase] = wall_s.number();
  const auto number_of = [&](const char* key) {
    return json.get(key).is_null() ? std::nullopt : std::optional(json.at(key).number(0));
  };
  cost.peak_gpu_memory_mib = number_of("peak_gpu_memory_mib");
  cost.first_step_s = number_of("first_step_s");
  return cost;
}

/// What this program reads of a configuration and of an environment; the rest is as it was written.
void check_effective(const CheckedJson& json) {
  json.at("defense").at("plugin").text();
  json.at("defense").at("params").object();
  for (const auto& metric : json.at("metrics").items()) metric.at("plugin").text();
}
void check_environment(const CheckedJson& json) {
  for (const char* key : {"git", "libtorch", "blas", "cpu", "device"}) json.at(key).text();
  for (const auto& word : json.at("command").items()) word.text();
  if (json.has("ranks")) json.at("ranks").integer(1);
}

}  // namespace

// Found by the library for lists of them.

static void to_json(Json& json, const EpochRecord& epoch) {
  json = {{"epoch", epoch.epoch}, {"loss", epoch.loss}, {"logit_scale", epoch.logit_scale}, {"wall_s", epoch.wall_s}};
  if (!epoch.stage.empty()) json["stage"] = epoch.stage;
  json.update(Json(epoch.watched));
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StageRecord, name, steps, pairs_seen, wall_s, trained_by, role)

static void to_json(Json& json, const Guess& guess) { json = Json::array({guess.name, guess.probability}); }

static void to_json(Json& json, const ExampleRecord& example) {
  json = {{"held_out", example.held_out},
          {"clean", example.clean},
          {"triggered", example.triggered.empty() ? Json() : Json(example.triggered)}};
}

Json to_json(const TrainingRecord& training) {
  Json json = {{"key", training.key},
               {"trained_by", training.trained_by},
               {"resumed", training.resumed},
               {"steps", training.steps},
               {"pairs_seen", training.pairs_seen},
               {"parameters", training.parameters},
               {"weights_hash", training.weights_hash},
               {"epochs", training.epochs},
               {"stages", training.stages}};
  if (training.weights) json["weights"] = to_json(training.weights);
  return json;
}

TrainingRecord read_training(const CheckedJson& json) {
  return {.key = json.at("key").text(),
          .trained_by = json.at("trained_by").text(),
          .resumed = json.at("resumed").integer(0),
          .steps = json.at("steps").integer(0),
          .pairs_seen = json.at("pairs_seen").integer(0),
          .parameters = json.at("parameters").integer(0),
          .weights_hash = json.at("weights_hash").text(),
          .epochs = read_list(json.at("epochs"), read_epoch),
          .stages = read_list(json.get("stages"), read_stage),
          .weights = read_file_record(json.get("weights"))};
}

std::string_view to_string(Status status) { return kStatuses[static_cast<std::size_t>(status)]; }

std::vector<std::string> status_names() { return {kStatuses.begin(), kStatuses.end() - 1}; }

std::vector<std::string> CellRecord::metric_ids() const {
  std::vector<std::string> ids;
  for (const auto& metric : effective.at("metrics")) ids.push_back(metric.at("plugin"));
  return ids;
}

CellRecord cell_record(const Cell& cell, Status status, const std::string& reason) {
  return {.id = cell.id,
          .attack = cell.attack,
          .defense = cell.defense,
          .seed = cell.seed,
          .status = status,
          .reason = reason,
          .requested = cell.requested,
          .effective = cell.config};
}

Cell cell_of(const CellRecord& record) {
  return {.id = record.id,
          .attack = record.attack,
          .defense = record.defense,
          .seed = record.seed,
          .requested = record.requested,
          .config = record.effective};
}

Json to_json(const CellRecord& record) {
  Json json = {{"schema_version", kResultSchemaVersion},
               {"id", record.id},
               {"attack", record.attack},
               {"defense", record.defense},
               {"seed", record.seed},
               {"status", to_string(record.status)},
               {"reason", null_if_empty(record.reason)},
               {"requested", record.requested},
               {"effective", record.effective}};
  if (!record.log.empty()) json["log"] = record.log;
  if (!record.environment.is_null()) json["environment"] = record.environment;
  if (!record.code.empty()) json["code"] = record.code;
  if (!record.ok()) {
    if (!record.output.empty()) json["output"] = record.output;
    return json;
  }
  json["capability"] = record.capability;
  json["attack_knows_defense"] = record.attack_knows_defense;
  json["data_hash"] = record.data_hash;
  if (!record.data.is_null()) json["data"] = record.data;
  json["poison"] = to_json(record.poison);
  json["training"] = to_json(record.training);
  json["metrics"] = Json::object();
  for (const auto& [id, metric] : record.metrics) json["metrics"][id] = to_json(metric);
  json["examples"] = record.examples;
  json["plugins"] = Json::object();
  for (const auto& [id, plugin] : record.plugins) {
    json["plugins"][id] = {{"id", id}, {"file", plugin.file}, {"file_hash", plugin.file_hash}};
  }
  json["cost"] = to_json(record.cost);
  return json;
}

CellRecord read_cell_record(const CheckedJson& json) {
  json.check_version(kResultSchemaVersion);
  CellRecord record{.id = json.at("id").text(),
                    .attack = json.at("attack").text(),
                    .defense = json.at("defense").text(),
                    .seed = json.at("seed").integer(0),
                    .status = static_cast<Status>(json.at("status").one_of(status_names())),
                    .reason = json.at("reason").text_or_null(),
                    .requested = json.at("requested").object(),
                    .effective = json.at("effective").object(),
                    .log = json.get("log").text_or_null(),
                    .output = json.get("output").text_or_null()};
  if (!json.get("environment").is_null()) {
    check_environment(json.at("environment"));
    record.environment = json.at("environment").object();
  }
  if (json.has("code")) {
    for (const auto& [name, hash] : json.at("code").members()) record.code[name] = hash.text();
  }
  if (!record.ok()) {
    if (record.reason.empty()) json.at("reason").refuse("why the cell did not end ok");
    return record;
  }
  check_effective(json.at("effective"));
  json.at("environment").object();
  record.capability = json.at("capability").text();
  record.data_hash = json.at("data_hash").text();
  if (json.has("attack_knows_defense")) record.attack_knows_defense = json.at("attack_knows_defense").boolean();
  if (json.has("data")) record.data = json.at("data").object();
  record.poison = read_poison(json.at("poison"));
  record.training = read_training(json.at("training"));
  for (const auto& [id, metric] : json.at("metrics").members()) record.metrics[id] = read_metric(metric);
  for (const auto& metric : record.metric_ids()) json.at("metrics").at(metric).object();
  record.examples = read_list(json.get("examples"), read_example);
  for (const auto& [id, plugin] : json.at("plugins").members()) {
    record.plugins[id] = {plugin.at("file").text(), plugin.at("file_hash").text()};
  }
  record.cost = read_cost(json.at("cost"));
  return record;
}

}  // namespace roclip::bench
