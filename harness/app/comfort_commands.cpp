#include "harness/app/doctor.h"
#include "harness/app/starter.h"
#include "harness/app/subcommands.h"

namespace roclip::bench {

void add_comfort_commands(CLI::App& app, Invocation& invocation) {
  const auto file = std::make_shared<std::filesystem::path>("matrix.json");
  auto* init = add_command(app, "init", "write a small matrix file with comments, to begin with", {"", "mine.json"});
  init->add_option("file", *file, "file to write (default: matrix.json)")->type_name("FILE");
  init->callback([file, &invocation] { invocation.code = init_command(*file); });

  const auto json = std::make_shared<bool>(false);
  auto* doctor =
      add_command(app, "doctor", "check that this machine has what a run needs; say how to fix what is missing",
                  {"", "--plugin-path my-plugins --json"});
  doctor->add_flag("--json", *json, "as JSON");
  doctor->callback([json, &invocation] { invocation.code = doctor_command(invocation.plugin_path, *json); });
}

}  // namespace roclip::bench
