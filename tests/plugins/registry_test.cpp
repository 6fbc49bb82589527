#include <catch2/catch.hpp>

#include "registry.h"
#include "roclip/error.h"

using namespace roclip;
using Catch::Contains;

namespace {

std::string refusal(const Registry& registry, const std::string& name) {
  for (const auto& refused : registry.refused()) {
    if (refused.file.stem() == name) return refused.reason;
  }
  return "not refused";
}

}  // namespace

TEST_CASE("libraries of another ABI or build, or without the symbol, are refused with the difference", "[registry]") {
  const Registry registry({ROCLIP_ZOO_DIR});
  CHECK(registry.plugins().empty());
  CHECK_THAT(refusal(registry, "wrong_abi"),
             Contains("ABI 999, this program has " + std::to_string(kAbi) + "; rebuild"));
  CHECK_THAT(refusal(registry, "no_stamp"), Contains("ABI " + std::to_string(kAbi + 1) + ", this program has"));
  CHECK_THAT(refusal(registry, "wrong_build"),
             Contains("LibTorch 0.1, this program with " TORCH_VERSION) && Contains("rebuild"));
  CHECK_THAT(refusal(registry, "no_symbol"), Contains("roclip_plugin") && Contains("ROCLIP_ATTACK"));
}

TEST_CASE("a refused library is found by the name of its file, unless a good plugin has that name", "[registry]") {
  const Registry registry({ROCLIP_ZOO_DIR, ROCLIP_PLUGIN_DIR});
  REQUIRE(registry.refused(PluginKind::kAttack, "wrong_abi") != nullptr);
  CHECK_THAT(registry.refused(PluginKind::kAttack, "wrong_abi")->reason, Contains("has plugin ABI"));
  CHECK(registry.refused(PluginKind::kAttack, "badnets") == nullptr);
  CHECK(registry.refused(PluginKind::kAttack, "no such file") == nullptr);
}

TEST_CASE("the shipped plugins are found by name and by id, of the right kind only", "[registry]") {
  const Registry registry({ROCLIP_PLUGIN_DIR});
  CHECK(registry.refused().empty());
  CHECK(registry.find(PluginKind::kDefense, "roclip", "x").id() == "roclip/1");
  CHECK(registry.find(PluginKind::kAttack, "badnets/1", "x").name() == "badnets");
  CHECK_THROWS_WITH(registry.find(PluginKind::kAttack, "badnet", "x"), Contains("did you mean \"badnets\"?"));
  CHECK_THROWS_AS(registry.find(PluginKind::kMetric, "badnets", "x"), Error);
}

TEST_CASE("a plugin found twice is taken from the first folder", "[registry]") {
  const Registry registry({ROCLIP_PLUGIN_DIR, ROCLIP_PLUGIN_DIR});
  CHECK(registry.refused().empty());
  CHECK(registry.plugins().size() == Registry({ROCLIP_PLUGIN_DIR}).plugins().size());
}

TEST_CASE("a folder that does not exist is an error", "[registry]") {
  CHECK_THROWS_WITH(Registry({"/no/such/folder"}), Contains("/no/such/folder") && Contains("no such folder"));
}
