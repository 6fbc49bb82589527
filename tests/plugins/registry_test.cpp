#include <filesystem>

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "registry.h"
#include "roclip/error.h"
#include "stamps.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
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

TEST_CASE("what no library of this machine can be is refused before the dynamic linker meets it", "[registry]") {
  namespace fs = std::filesystem;
  const ScratchFolder scratch;
  const auto whole = read_file(fs::path(ROCLIP_PLUGIN_DIR) / "attack" / "badnets.so");
  auto foreign = whole;
  foreign[18] = '\x28', foreign[19] = '\0';  // e_machine: 32-bit ARM
  scratch.write("foreign.so", foreign);
  for (const int percent : {1, 10, 40, 60, 99}) {
    const auto size = whole.size() * static_cast<std::size_t>(percent) / 100;
    scratch.write("cut_" + std::to_string(percent) + ".so", whole.substr(0, size));
  }
  scratch.write("text.so", "no library");
  scratch.write("empty.so", "");
  fs::create_symlink("loop.so", scratch / "loop.so");
  fs::create_directory(scratch / "folder.so");
  REQUIRE(::mkfifo((scratch / "pipe.so").c_str(), 0600) == 0);

  const Registry registry({scratch.path()});
  CHECK(registry.plugins().empty());
  CHECK_THAT(refusal(registry, "foreign"), Contains("for another processor (ELF machine 40"));
  for (const auto* name : {"cut_1", "cut_10", "cut_40", "cut_60", "cut_99"}) {
    CHECK_THAT(refusal(registry, name), Contains("is cut off") && Contains("copy or build it again"));
  }
  for (const auto* name : {"text", "empty"}) CHECK(refusal(registry, name) == "is no shared library");
  for (const auto* name : {"loop", "folder", "pipe"}) CHECK(refusal(registry, name) == "is no regular file");
  const auto stamped = stamped_plugins({scratch.path()});
  CHECK(stamped.size() == registry.refused().size());
  for (const auto& plugin : stamped) CHECK(plugin.refused == refusal(registry, plugin.file.stem()));
}

TEST_CASE("an id is a name and a revision, which the compiler sees to", "[registry]") {
  for (const auto* id : {"badnets/1", "a_2/17"}) CHECK(is_plugin_id(id));
  for (const auto* id :
       {"", "/", "badnets", "badnets/", "/1", "Bad/1", "2bad/1", "bad nets/1", "../x/1", "bad/1a", "bad/1/2"}) {
    CHECK_FALSE(is_plugin_id(id));
  }
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
  CHECK(registry.find(PluginKind::kAttack, "badnets/2", "x").name() == "badnets");
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
