#include <catch2/catch.hpp>

#include "harness/study/gates.h"
#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("gates are read with their defaults", "[config]") {
  const auto gates = read_gates(Json::parse(R"([
    {"metric": "attack_success", "where": {"attack": "badnets", "defense": "roclip"}, "at_most": 0.1},
    {"metric": "zero_shot", "where": {"attack": "none", "defense": "roclip"},
     "not_worse_than": {"baseline": "reference/", "margin": 0.05}, "confidence": 0.9}])"),
                                "/gates");
  REQUIRE(gates.size() == 2);
  CHECK(gates[0].text() == "attack_success of badnets x roclip at most 10 %");
  CHECK(gates[0].attack_works == 0.8);
  CHECK(gates[1].kind == Gate::Kind::kNotWorseThan);
  CHECK(gates[1].confidence == 0.9);
}

TEST_CASE("a gate that says nothing, too much or something unknown is refused with its place", "[config]") {
  const auto refused = [](const char* text) { return [=] { read_gates(Json::parse(text), "m.json: /gates"); }; };
  const std::string head = R"([{"metric": "m", "where": {"attack": "a", "defense": "d"})";
  CHECK_THROWS_WITH(refused((head + "}]").c_str())(), Contains("/gates/0: expected exactly one of"));
  CHECK_THROWS_WITH(refused((head + R"(, "at_most": 0.1, "at_least": 0}])").c_str())(), Contains("exactly one of"));
  CHECK_THROWS_WITH(refused((head + R"(, "at_mots": 0.1}])").c_str())(), Contains("did you mean \"at_most\""));
  CHECK_THROWS_WITH(refused((head + R"(, "at_most": 10}])").c_str())(),
                    Contains("/gates/0/at_most: expected a number from 0 to 1, got 10"));
  CHECK_THROWS_WITH(refused(R"([{"metric": "m", "where": {"attack": "a"}, "at_most": 0.1}])")(),
                    Contains("/where/defense"));
  CHECK_THROWS_WITH(refused(R"({"metric": "m"})")(), Contains("expected an array of gates"));
}
