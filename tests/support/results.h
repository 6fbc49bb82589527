/// Matrix results made by hand, for tests of what reads them.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// An entry of results.json: attack_success of `hits` in `trials`.
inline Json entry(const std::string& attack, const std::string& defense, std::int64_t seed, std::int64_t hits,
                  std::int64_t trials = 16) {
  const Json count = {{"hits", hits},
                      {"trials", trials},
                      {"value", static_cast<double>(hits) / static_cast<double>(trials)},
                      {"low", 0.1},
                      {"high", 0.9}};
  return {{"id", attack + "-" + defense + "-s" + std::to_string(seed)},
          {"file", nullptr},
          {"attack", attack},
          {"defense", defense},
          {"seed", seed},
          {"status", "ok"},
          {"reason", nullptr},
          {"wall_s", 1.5},
          {"metrics",
           {{"attack_success/1",
             {{"headline", "success"},
              {"better", "lower"},
              {"counts", {{"success", count}}},
              {"not_applicable", nullptr}}}}}};
}

inline Json not_ok(Json cell, const std::string& status, const std::string& reason) {
  cell["status"] = status;
  cell["reason"] = reason.empty() ? Json() : Json(reason);
  cell["metrics"] = Json::object();
  return cell;
}

inline Json matrix_result_of(const std::vector<Json>& cells, const std::string& name = "x") {
  return {{"schema_version", 1}, {"name", name}, {"metrics", {"attack_success/1"}}, {"cells", cells}};
}

/// `seeds` cells of each: clip 15 of 16, roclip 2 of 16.
inline std::vector<Json> seeds_of(std::int64_t seeds) {
  std::vector<Json> cells;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    cells.push_back(entry("targeted", "clip", seed, 15));
    cells.push_back(entry("targeted", "roclip", seed, 2));
  }
  return cells;
}

}  // namespace roclip::bench
