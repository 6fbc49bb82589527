#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "harness/record/result.h"
#include "roclip/metric.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

Cell cell(const std::string& defense, std::int64_t seed) {
  return {"none-" + defense + "-s" + std::to_string(seed),
          "none",
          defense,
          seed,
          Json::object(),
          {{"seed", seed},
           {"defense", {{"plugin", defense + "/1"}, {"params", Json::object()}}},
           {"metrics", {{{"plugin", "zero_shot/1"}}}}},
          {},
          ""};
}

struct Accuracy final : Metric {
  MetricResult evaluate(ClipModel&, const EvalInputs&) const override { return {}; }
};

CellRecord ok(const Cell& c, std::int64_t hits, std::int64_t trials) {
  MetricResult result;
  Count count;
  count.name = "top1";
  for (std::int64_t i = 0; i < trials; ++i) count.add(10 + i, i < hits);
  result.counts.push_back(count);
  auto like = entry("none", c.defense, c.seed, hits, trials);
  CellRecord record = record_of(like, std::string(static_cast<std::size_t>(trials), '0'));
  record.effective = c.config;
  record.metrics = {{"zero_shot/1", metric_record(result, Accuracy())}};
  return record;
}

}  // namespace

TEST_CASE("a count is stored with value, interval and every outcome", "[record]") {
  const Json count = to_json(ok(cell("clip", 1), 2, 3)).at("metrics").at("zero_shot/1").at("counts")[0];
  CHECK(count.at("hits") == 2);
  CHECK(count.at("value").get<double>() == Approx(2.0 / 3));
  CHECK(count.at("items") == Json{10, 11, 12});
  CHECK(count.at("outcomes") == "110");
  CHECK(count.at("low").get<double>() < 2.0 / 3);
}

TEST_CASE("a count of nothing has no value rather than a wrong one", "[record]") {
  MetricResult empty;
  empty.counts.emplace_back().name = "top1";
  CHECK(to_json(metric_record(empty, Accuracy())).at("counts")[0].at("value").is_null());
}

TEST_CASE("a stored result counts only for its configuration and, if it ended ok, its data", "[record]") {
  const ScratchFolder folder;
  const OutputFolder out{folder.path()};
  out.create();
  const Cell c = cell("clip", 1);
  CHECK_FALSE(stored_result(out, c, "d"));
  write_json(out.cell_file(c.id), to_json(ok(c, 1, 2)));
  CHECK(stored_result(out, c, "d").value().ok());
  CHECK(stored_result(out, c, "").value().ok());
  CHECK_FALSE(stored_result(out, c, "other data"));
  Cell other = c;
  other.config["seed"] = 2;
  CHECK_FALSE(stored_result(out, other, "d"));
  write_json(out.cell_file(c.id), to_json(cell_record(c, Status::kTimeout, "because")));
  CHECK(stored_result(out, c, "d").value().status == Status::kTimeout);
  for (const char* damaged : {"{\"half\": ", "[]", "{}"}) {
    write_file(out.cell_file(c.id), damaged);
    CHECK_FALSE(stored_result(out, c, "d"));
  }
}

TEST_CASE("temporary files of killed writers are removed, and nothing else", "[record]") {
  const ScratchFolder folder;
  const OutputFolder out{folder / "out"};
  out.create();
  for (const char* name : {"out/results.json.tmp123", "out/cells/a.json.tmp9", "out/checkpoints/k/1.ckpt.tmp77"}) {
    folder.write(name, "half");
  }
  for (const char* name : {"out/results.json", "out/cells/a.tmp.json", "out/logs/b.tmpx"}) folder.write(name, "whole");
  out.remove_leftovers();
  CHECK_FALSE(std::filesystem::exists(folder / "out/results.json.tmp123"));
  CHECK_FALSE(std::filesystem::exists(folder / "out/cells/a.json.tmp9"));
  CHECK_FALSE(std::filesystem::exists(folder / "out/checkpoints/k/1.ckpt.tmp77"));
  for (const char* name : {"out/results.json", "out/cells/a.tmp.json", "out/logs/b.tmpx"}) {
    CHECK(std::filesystem::exists(folder / name));
  }
}

TEST_CASE("the matrix result has an entry for every cell, and is read as it was written", "[record]") {
  const ScratchFolder folder;
  const std::vector<Cell> cells = {cell("clip", 1), cell("roclip", 1), cell("roclip", 2)};
  const MatrixResult written{
      .name = "m",
      .metrics = {"zero_shot/1"},
      .cells = {entry_of(ok(cells[0], 1, 2)), entry_of(cell_record(cells[1], Status::kCrashed, "signal 11")),
                entry_of(cell_record(cells[2], Status::kMissing, ""))}};
  write_json(folder / "results.json", to_json(written));
  const auto read = read_matrix_result(folder / "results.json");
  REQUIRE(read.cells.size() == 3);
  CHECK(to_json(read) == to_json(written));
  CHECK(read.cells[0].metrics.at("zero_shot/1").quoted()->value == 0.5);
  CHECK(read.cells[1].reason == "signal 11");
  CHECK(read.cells[2].status == Status::kMissing);
}

TEST_CASE("a record holds all that a cell can tell, and is read as it was written", "[record]") {
  CellRecord record = ok(cell("clip", 1), 1, 2);
  record.attack_knows_defense = true;
  record.data = {{"hash", "d"}, {"pairs", 10}, {"rows", Json::object()}, {"left_out", Json::array()}};
  record.code = {{"libtorch.so", "h"}};
  record.poison.goal = "triggered_images";
  record.poison.removed = 2;
  record.poison.artifact = {"artifacts/patch.safetensors", "h"};
  record.training.stages = {{"warm-up", 10, 100, 0.5, "another"}, {"fine-tuning", 20, 200, 1.5, record.id, "anew"}};
  record.training.epochs = {{"warm-up", 1, 2.5, 14, 0.5, {{"similarity_clean", 0.25}}}};
  record.training.weights = {"weights/a.safetensors", "w"};
  record.examples = {{3, {{"fruit", 0.75}, {"hand", 0.25}}, {{"hand", 1}}}, {4, {{"fruit", 1}}}};
  record.metrics["detection/1"] = {
      .measures = Measures::kDetection,
      .headline = "AUROC",
      .values = {{.name = "AUROC", .value = 0.75}, {.name = "rank", .value = 3, .unit = "places"}}};
  const Json written = to_json(record);
  const auto read = read_cell_record(CheckedJson(written, "file", ""));
  CHECK(to_json(read) == written);
  CHECK((read.metrics == record.metrics));
  CHECK(read.metrics.at("detection/1").quoted()->value == 0.75);
  record.metrics["detection/1"].measures = Measures::kModelDetection;
  CHECK(to_json(record).at("metrics").at("detection/1").at("measures") == "model_detection");
  CHECK(read.training.stages[0].trained_by == "another");
  CHECK(read.training.stages[1].role == "anew");
  CHECK(read.training.weights->hash == "w");
  record.cost.phase_s["train"] = 3;
  const Json entry = to_json(entry_of(record));  // what results.json says of it
  CHECK(entry.at("capability") == record.capability);
  CHECK((entry.at("acts") == "anew" && entry.at("goal") == "triggered_images" && entry.at("train_s") == 3.0));
}

TEST_CASE(
    "a metric without \"measures\" and \"headline\", as old results have it, is read by its direction and its first "
    "count",
    "[record]") {
  Json old = to_json(ok(cell("clip", 1), 1, 2));
  Json& metric = old["metrics"]["zero_shot/1"];
  for (const char* key : {"measures", "headline", "values"}) metric.erase(key);
  const auto read = [&] { return read_cell_record(CheckedJson(old, "file", "")).metrics.at("zero_shot/1"); };
  CHECK(read().measures == Measures::kCleanAccuracy);
  CHECK(read().headline == "top1");
  metric["better"] = "lower";
  CHECK(read().measures == Measures::kAttackSuccess);
}

TEST_CASE("a result that contradicts itself or has another shape is one error that names file, key, expected and got",
          "[record]") {
  const Json good = to_json(ok(cell("clip", 1), 1, 2));
  const auto told = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    try {
      read_cell_record(CheckedJson(bad, "out/cells/c.json", "run the cell again"));
    } catch (const Error& e) {
      CHECK(e.exit_code() == 6);
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const std::string count = "/metrics/zero_shot~11/counts/0/";
  CHECK(told((count + "hits").c_str(), 2) ==
        "out/cells/c.json: /metrics/zero_shot/1/counts/0/value: expected 1.0, which follows from hits and trials, got "
        "0.5; run the cell again");
  CHECK_THAT(told((count + "hits").c_str(), 1000), Contains("hits: expected at most as many as trials, 2, got 1000"));
  CHECK_THAT(told((count + "hits").c_str(), -1), Contains("expected an integer of at least 0, got -1"));
  CHECK_THAT(told((count + "outcomes").c_str(), "11"),
             Contains("hits: expected 2, the number of 1s among the outcomes"));
  CHECK_THAT(told((count + "outcomes").c_str(), "1x"), Contains("outcomes: expected one digit, 0 or 1"));
  CHECK_THAT(told((count + "items").c_str(), {1}), Contains("items: expected as many as trials, 2, got 1"));
  CHECK_THAT(told((count + "low").c_str(), 0.4), Contains("low: expected"));
  CHECK_THAT(told("/schema_version", 99),
             Contains("schema_version: expected 1, the version that this program knows, got 99"));
  CHECK_THAT(told("/metrics", Json::array()), Contains("/metrics: expected an object, got []"));
  CHECK_THAT(told("/metrics", Json::object()), Contains("/metrics/zero_shot/1: is missing"));
  CHECK_THAT(told("/cost/wall_s", "long"), Contains("/cost/wall_s: expected a number of at least 0.0, got \"long\""));
  CHECK_THAT(told("/status", "fine"), Contains("expected ok | failed"));
  CHECK_THAT(told("/status", "failed"), Contains("/reason: expected why the cell did not end ok"));
  CHECK_THAT(told("/environment/command", 7), Contains("/environment/command: expected a list"));
  CHECK_THAT(told("/effective/defense/params", 7), Contains("expected an object, got 7"));
  for (const char* path : {"/etc/shadow", "../../etc/shadow", "manifests/../../x", ""}) {
    CHECK_THAT(told("/poison/manifest", path), Contains("expected a path relative to its folder"));
  }
}

TEST_CASE("a results.json that contradicts itself or has another shape is one error", "[record]") {
  const ScratchFolder folder;
  const Json good = to_json(matrix_result_of({entry("t", "clip", 1, 4)}));
  const auto told = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    write_json(folder / "results.json", bad);
    try {
      read_matrix_result(folder / "results.json");
    } catch (const Error& e) {
      CHECK(e.exit_code() == 6);
      return std::string(e.what());
    }
    return std::string("no error");
  };
  CHECK(told("", good) == "no error");
  CHECK_THAT(told("", Json::array()), Contains("results.json: expected an object, got []; is it a results.json of"));
  CHECK_THAT(told("/cells/0", Json::object()), Contains("results.json: /cells/0/id: is missing"));
  CHECK_THAT(told("/schema_version", 99), Contains("expected 1, the version that this program knows, got 99"));
  CHECK_THAT(told("/cells/0/file", "/etc/shadow"), Contains("/cells/0/file: expected a path relative to its folder"));
  CHECK_THAT(told("/cells/0/metrics/attack_success~11/counts/success/hits", 400),
             Contains("at most as many as trials"));
  CHECK_THAT(told("/cells/0/metrics/attack_success~11/headline", "x"), Contains("the name of one of the counts"));
  CHECK_THAT(told("/cells/0/seed", 1.5), Contains("/cells/0/seed: expected an integer of at least 0, got 1.5"));
  CHECK_THAT(told("/gates", 3), Contains("/gates: expected a list, got 3"));
}
