#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "harness/record/metric_record.h"
#include "harness/record/result.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

Cell cell(const std::string& defense, std::int64_t seed) {
  return {"none-" + defense + "-s" + std::to_string(seed),
          "none",
          defense,
          seed,
          Json::object(),
          {{"seed", seed}, {"metrics", {{{"plugin", "zero_shot/1"}}}}},
          {},
          ""};
}

struct Accuracy final : Metric {
  MetricResult evaluate(ClipModel&, const EvalInputs&) const override { return {}; }
};

Json ok(const Cell& c, std::int64_t hits, std::int64_t trials) {
  MetricResult result;
  Count count;
  count.name = "top1";
  for (std::int64_t i = 0; i < trials; ++i) count.add(10 + i, i < hits);
  result.counts.push_back(count);
  Json record = cell_record(c, Status::kOk, "");
  record["data_hash"] = "d";
  record["metrics"]["zero_shot/1"] = to_json(result, Accuracy());
  record["cost"]["wall_s"] = 1.5;
  return record;
}

}  // namespace

TEST_CASE("a count is stored with value, interval and every outcome", "[record]") {
  const Json count = ok(cell("clip", 1), 2, 3).at("metrics").at("zero_shot/1").at("counts")[0];
  CHECK(count.at("hits") == 2);
  CHECK(count.at("value").get<double>() == Approx(2.0 / 3));
  CHECK(count.at("items") == Json{10, 11, 12});
  CHECK(count.at("outcomes") == "110");
  CHECK(count.at("low").get<double>() < 2.0 / 3);
}

TEST_CASE("a count of nothing has no value rather than a wrong one", "[record]") {
  MetricResult empty;
  empty.counts.emplace_back().name = "top1";
  CHECK(to_json(empty, Accuracy()).at("counts")[0].at("value").is_null());
}

TEST_CASE("a stored result counts only for its configuration and, if it ended ok, its data", "[record]") {
  const ScratchFolder folder;
  const OutputFolder out{folder.path()};
  out.create();
  const Cell c = cell("clip", 1);
  CHECK(stored_result(out, c, "d").is_null());
  write_json(out.cell_file(c.id), ok(c, 1, 2));
  CHECK(stored_result(out, c, "d").at("status") == "ok");
  CHECK(stored_result(out, c, "").at("status") == "ok");
  CHECK(stored_result(out, c, "other data").is_null());
  Cell other = c;
  other.config["seed"] = 2;
  CHECK(stored_result(out, other, "d").is_null());
  write_json(out.cell_file(c.id), cell_record(c, Status::kTimeout, "because"));
  CHECK(stored_result(out, c, "d").at("status") == "timeout");
  for (const char* damaged : {"{\"half\": ", "[]", "{}"}) {
    write_file(out.cell_file(c.id), damaged);
    CHECK(stored_result(out, c, "d").is_null());
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

TEST_CASE("the matrix result has an entry for every cell, and means over seeds without pooling", "[record]") {
  const std::vector<Cell> cells = {cell("clip", 1), cell("clip", 2), cell("roclip", 1), cell("roclip", 2)};
  const Json result = matrix_result(
      "m", Json::array(), cells,
      {matrix_entry(cells[0], ok(cells[0], 1, 2)), matrix_entry(cells[1], ok(cells[1], 100, 100)),
       matrix_entry(cells[2], cell_record(cells[2], Status::kCrashed, "signal 11")), matrix_entry(cells[3], nullptr)});
  REQUIRE(result.at("cells").size() == 4);
  CHECK(result.at("metrics") == Json{"zero_shot/1"});
  CHECK(result.at("cells")[2].at("status") == "crashed");
  CHECK(result.at("cells")[2].at("reason") == "signal 11");
  CHECK(result.at("cells")[3].at("status") == "missing");
  REQUIRE(result.at("aggregates").size() == 1);
  CHECK(result.at("aggregates")[0].at("metrics").at("zero_shot/1").at("mean").get<double>() == Approx(0.75));
}
