#include "harness/record/rank_place.h"

#include <map>
#include <string_view>

#include <catch2/catch.hpp>

#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

using Variables = std::map<std::string_view, const char*>;

std::optional<RankPlace> place_of(const Variables& variables) {
  return rank_place([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second;
  });
}

const Variables kSecondOfFour = {
    {"RANK", "1"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "node7"}, {"MASTER_PORT", "29500"}};

Variables with(const char* name, const char* value) {
  auto variables = kSecondOfFour;
  variables[name] = value;
  return variables;
}

}  // namespace

TEST_CASE("ranks are told their place by torchrun's variables", "[ranks]") {
  const auto place = place_of(kSecondOfFour);
  REQUIRE(place);
  CHECK(place->rank == 1);
  CHECK(place->size == 4);
  CHECK(place->address == "node7");
  CHECK(place->port == 29500);
  CHECK(!place->has_host);
  CHECK(place->local == 0);
  CHECK(place_of(with("LOCAL_RANK", "1"))->local == 1);
  CHECK(place_of(with("TORCHELASTIC_USE_AGENT_STORE", "True"))->has_host);
}

TEST_CASE("how long ranks wait for each other can be told", "[ranks]") {
  CHECK(place_of(kSecondOfFour)->patience_s == 600);
  CHECK(place_of(with("ROCLIP_BENCH_PATIENCE_S", "20"))->patience_s == 20);
  CHECK_THROWS_WITH(place_of(with("ROCLIP_BENCH_PATIENCE_S", "soon")), Catch::Contains("ROCLIP_BENCH_PATIENCE_S"));
}

TEST_CASE("a process alone has no rank", "[ranks]") {
  CHECK(!place_of({}));
  CHECK(!place_of({{"RANK", "1"}, {"WORLD_SIZE", "4"}}));  // of another program
  auto alone = with("WORLD_SIZE", "1");
  alone["RANK"] = "0";
  CHECK(!place_of(alone));
}

TEST_CASE("a rank that makes no sense is refused by its variable's name", "[ranks]") {
  CHECK_THROWS_WITH(place_of(with("RANK", "4")), Catch::Contains("RANK: expected a number from 0 to 3, got \"4\""));
  CHECK_THROWS_WITH(place_of(with("WORLD_SIZE", "two")), Catch::Contains("WORLD_SIZE"));
  CHECK_THROWS_WITH(place_of(with("MASTER_PORT", "")), Catch::Contains("MASTER_PORT"));
  CHECK_THROWS_WITH(place_of(with("MASTER_PORT", "29500x")), Catch::Contains("MASTER_PORT"));
}
