#include <catch2/catch.hpp>

#include "harness/report/grid.h"

using namespace roclip::bench;
using Catch::Contains;

namespace {

Json entry(const std::string& attack, const std::string& defense, std::int64_t seed, std::int64_t hits) {
  const Json count = {
      {"hits", hits}, {"trials", 16}, {"value", static_cast<double>(hits) / 16}, {"low", 0.1}, {"high", 0.9}};
  return {{"attack", attack},
          {"defense", defense},
          {"seed", seed},
          {"status", "ok"},
          {"reason", nullptr},
          {"metrics",
           {{"attack_success/1",
             {{"headline", "success"}, {"counts", {{"success", count}}}, {"not_applicable", nullptr}}}}}};
}

Json result(const std::vector<Json>& cells) {
  return {{"name", "x"}, {"metrics", {"attack_success/1"}}, {"cells", cells}};
}

}  // namespace

TEST_CASE("a grid shows counts, percentage and interval of each cell", "[report]") {
  const auto text = grid(result({entry("targeted", "clip", 1, 16), entry("targeted", "roclip", 1, 2)}));
  CHECK_THAT(text, Contains("100.0 % 16/16 [10.0, 90.0]") && Contains("12.5 % 2/16"));
  CHECK_THAT(text, !Contains("too weak"));
}

TEST_CASE("an undefended attack below 80 % is marked as too weak to judge a defense", "[report]") {
  CHECK_THAT(grid(result({entry("targeted", "clip", 1, 12), entry("targeted", "roclip", 1, 2)})),
             Contains("attack too weak to judge a defense"));
}

TEST_CASE("several seeds show their mean and range", "[report]") {
  CHECK_THAT(grid(result({entry("t", "clip", 1, 16), entry("t", "clip", 2, 14)})), Contains("93.8 % [87.5 .. 100.0]"));
}

TEST_CASE("a cell that failed shows its status in the grid and its reason below", "[report]") {
  Json failed = entry("t", "roclip", 1, 0);
  failed["status"] = "diverged";
  failed["reason"] = "loss is nan at epoch 3 step 112";
  failed["metrics"] = Json::object();
  const auto text = grid(result({entry("t", "clip", 1, 16), failed}));
  CHECK_THAT(text, Contains("diverged") && Contains("loss is nan at epoch 3 step 112"));
}
