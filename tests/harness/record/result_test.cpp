#include <catch2/catch.hpp>

#include "harness/record/files.h"
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
          {{"seed", seed}, {"metrics", {{{"plugin", "zero_shot/1"}}}}}};
}

Json ok(const Cell& c, std::int64_t hits, std::int64_t trials) {
  MetricResult result;
  Count count;
  count.name = "top1";
  for (std::int64_t i = 0; i < trials; ++i) count.add(10 + i, i < hits);
  result.counts.push_back(count);
  Json record = cell_record(c, Status::kOk, "");
  record["data_hash"] = "d";
  record["metrics"]["zero_shot/1"] = to_json(result, Better::kHigher);
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
  CHECK(to_json(empty, Better::kLower).at("counts")[0].at("value").is_null());
}

TEST_CASE("a cell is done only if it ended ok with this configuration on this data", "[record]") {
  const ScratchFolder folder;
  const OutputFolder out{folder.path()};
  out.create();
  const Cell c = cell("clip", 1);
  CHECK(finished_result(out, c, "d").is_null());
  write_json(out.cell_file(c.id), ok(c, 1, 2));
  CHECK_FALSE(finished_result(out, c, "d").is_null());
  CHECK(finished_result(out, c, "other data").is_null());
  Cell other = c;
  other.config["seed"] = 2;
  CHECK(finished_result(out, other, "d").is_null());
  write_json(out.cell_file(c.id), cell_record(c, Status::kFailed, "because"));
  CHECK(finished_result(out, c, "d").is_null());
  write_file(out.cell_file(c.id), "{\"half\": ");
  CHECK(finished_result(out, c, "d").is_null());
}

TEST_CASE("the matrix result has an entry for every cell, and means over seeds without pooling", "[record]") {
  const std::vector<Cell> cells = {cell("clip", 1), cell("clip", 2), cell("roclip", 1), cell("roclip", 2)};
  Matrix matrix;
  matrix.name = "m";
  const Json result = matrix_result(
      matrix, cells,
      {ok(cells[0], 1, 2), ok(cells[1], 100, 100), cell_record(cells[2], Status::kCrashed, "signal 11"), Json()});
  REQUIRE(result.at("cells").size() == 4);
  CHECK(result.at("metrics") == Json{"zero_shot/1"});
  CHECK(result.at("cells")[2].at("status") == "crashed");
  CHECK(result.at("cells")[2].at("reason") == "signal 11");
  CHECK(result.at("cells")[3].at("status") == "missing");
  REQUIRE(result.at("aggregates").size() == 1);
  CHECK(result.at("aggregates")[0].at("metrics").at("zero_shot/1").at("mean").get<double>() == Approx(0.75));
}
