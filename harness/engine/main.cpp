/// roclip-bench-engine: the part of the program that loads LibTorch and plugins. Two command lines:
///   roclip-bench-engine TASK [DESCRIPTOR]   a cell, or the preparation of a matrix: harness/record/protocol.h
///   roclip-bench-engine '{"task": ...}'     a subcommand of roclip-bench, which becomes this program
#include <charconv>
#include <cstring>
#include <map>

#include <unistd.h>

#include "harness/conformance/kit.h"
#include "harness/engine/commands.h"
#include "harness/engine/worker.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/guarded.h"
#include "harness/record/machine.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

[[noreturn]] void work_on(char** arguments) {
  // The BLAS has read the environment already. Who starts workers in numbers saves this second start.
  if (prepare_blas()) ::execv("/proc/self/exe", arguments);
  int events = STDOUT_FILENO;
  if (const char* text = arguments[2]; text != nullptr) {
    const char* end = text + std::strlen(text);
    if (std::from_chars(text, end, events).ptr != end) {
      throw Error(ErrorKind::kUsage, std::string("expected a file descriptor for events, such as 3, got ") + text);
    }
  }
  const std::string file = arguments[1];
  work(read_json(file == "-" ? "/dev/stdin" : file), events);
}

}  // namespace

int main(int argc, char** argv) {
  static const std::map<std::string, int (*)(const Json&)> kTasks = {
      {"plugin info", &plugin_info},
      {"plugin validate", &plugin_validate},
      {"schema", &schema},
      {"plugin test", &conformance::plugin_test},
      {"data prepare", &data_prepare},
      {"data list", &data_list},
      {"data clean", &data_clean},
      {"data show", &data_show},
      {"doctor", &doctor},
      {"audit", &audit_data},
      {"embed", &embed},
      {"poison make", &poison_make},
      {"poison inspect", &poison_inspect},
      {"poison export", &poison_export},
      {"poison import", &poison_import},
  };
  return guarded([&] {
    if ((argc == 2 || argc == 3) && argv[1][0] != '{') work_on(argv);
    const Json task = argc == 2 ? Json::parse(argv[1], nullptr, /*allow_exceptions=*/false) : Json();
    if (!task.is_object() || !kTasks.contains(task.value("task", ""))) {
      throw Error(ErrorKind::kUsage, "roclip-bench-engine is a part of roclip-bench; call that instead");
    }
    load_gpu_support();
    return kTasks.at(task.at("task"))(task);
  });
}
