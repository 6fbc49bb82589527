#include <iostream>

#include "harness/app/completion.h"
#include "harness/app/doctor.h"
#include "harness/app/man_page.h"
#include "harness/app/starter.h"
#include "harness/app/subcommands.h"
#include "harness/record/build_info.h"

namespace roclip::bench {

namespace {

void add_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  auto* completion =
      add_command(app, "completion", "print a script for completion in a shell",
                  {"bash | install -Dm644 /dev/stdin ~/.local/share/bash-completion/completions/roclip-bench",
                   "zsh | install -Dm644 /dev/stdin ~/.zfunc/_roclip-bench",
                   "fish | install -Dm644 /dev/stdin ~/.config/fish/completions/roclip-bench.fish"});
  completion->add_option("shell", *shell, "the shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([shell] { std::cout << completion_script(*shell); });
}

}  // namespace

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

  add_completion(app);

  auto* man = add_command(app, "man", "print the manual page",
                          {"| man -l -", "| install -Dm644 /dev/stdin ~/.local/share/man/man1/roclip-bench.1"});
  man->callback([&app] { std::cout << man_page(app, kVersion); });
}

}  // namespace roclip::bench
