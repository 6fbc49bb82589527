/// built_in_poisons FOLDER: writes poisons of badnets on the data of the conformance kit, and prints the parameters
/// with which `replay` plays them back.
#include <iostream>

#include "harness/conformance/built_in.h"
#include "harness/poison/poison_set.h"
#include "harness/record/files.h"
#include "registry.h"
#include "roclip/rng.h"

int main(int, char** argv) {
  using namespace roclip;
  using namespace roclip::bench;
  const std::filesystem::path folder = argv[1];
  const Dataset data = conformance::built_in_data();
  const Json params = {{"target_class", "circle"}, {"rate", 0.1}};
  const Registry registry(plugin_search_path({}));
  const ReadyAttack ready{registry.make_attack("badnets", params), {}};
  const auto plan = ready.attack->plan(view_of(data), stream(1, role::kPoison));
  const Json config = {
      {"attack", {{"plugin", "badnets/2"}, {"params", params}}}, {"seed", 1}, {"data", {{"reader", "built-in"}}}};
  write_poison_set(folder, config, data, plan, ready);
  std::cout << Json{{"folder", folder}, {"hash", hash_file(folder / "manifest.json")}} << "\n";
}
