/// roclip-bench-engine: the part of the program that loads LibTorch and plugins. Started by roclip-bench, with a task
/// as its only argument; not meant to be called by hand.
#include <map>

#include "harness/conformance/kit.h"
#include "harness/engine/commands.h"
#include "harness/engine/doctor.h"
#include "harness/engine/nursery.h"
#include "harness/engine/perf.h"
#include "harness/engine/poison_commands.h"
#include "harness/record/files.h"
#include "harness/record/guarded.h"

int main(int argc, char** argv) {
  using namespace roclip;
  using namespace roclip::bench;
  static const std::map<std::string, int (*)(const Json&)> kTasks = {
      {"nursery", [](const Json&) { return nursery_main(); }},
      {"plugin info", &plugin_info},
      {"plugin validate", &plugin_validate},
      {"schema", &schema},
      {"plugin test", &conformance::plugin_test},
      {"data prepare", &data_prepare},
      {"data list", &data_list},
      {"data clean", &data_clean},
      {"data show", &data_show},
      {"perf", &perf},
      {"doctor", &doctor},
      {"poison make", &poison_make},
      {"poison inspect", &poison_inspect},
      {"poison export", &poison_export},
      {"poison import", &poison_import},
  };
  return guarded([&] {
    const Json task = argc == 2 ? Json::parse(argv[1], nullptr, /*allow_exceptions=*/false) : Json();
    if (!task.is_object() || !kTasks.contains(task.value("task", ""))) {
      throw Error(ErrorKind::kUsage, "roclip-bench-engine is a part of roclip-bench; call that instead");
    }
    return kTasks.at(task.at("task"))(task);
  });
}
