#include <cstdlib>

#include <unistd.h>

#include "harness/app/subcommands.h"
#include "harness/record/build_info.h"
#include "harness/record/escape.h"
#include "harness/record/guarded.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr const char* kAbout = R"(Benchmark of poisoning and backdoor attacks on CLIP, and of defenses against them.

Examples:
  roclip-bench run matrix.json         train every cell, print the grid; the results are in out/ beside the file
  roclip-bench plan matrix.json        list the cells, what is done, how long the rest takes
  roclip-bench report out --format html -o report.html
  roclip-bench check out               the CI gate
  roclip-bench status out              progress of a run, from another terminal
  roclip-bench init                                    write a matrix file to begin with
  roclip-bench doctor                                  check this machine and the installation
  roclip-bench plugin info roclip                      parameters, defaults, sources
  roclip-bench data show emoji                         look at the images)";

constexpr const char* kExitCodes = R"(Exit codes:
  0 ok   1 internal error   2 usage   3 matrix file not valid   4 nothing selected   5 plugin   6 data or output
  10 some cells failed, or cannot run   11 gate failed, or a replay's bits differ   12 gate inconclusive
  130 interrupted (Ctrl-C)   143 terminated; run again to go on)";

}  // namespace

bool Invocation::use_color() const {
  if (color != "auto") return color == "always";
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(STDERR_FILENO) != 0 && (no_color == nullptr || *no_color == 0);
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& summary,
                      const std::vector<std::string>& examples) {
  auto* command = parent.add_subcommand(name, summary);
  std::string description = summary + "\n\nExamples:";
  for (const auto& example : examples) {
    description += "\n  " + full_name(*command) + (example.empty() ? "" : " " + example);
  }
  return command->description(description)->footer("");
}

std::unique_ptr<CLI::App> command_table(Invocation& invocation) {
  auto app = std::make_unique<CLI::App>(kAbout, "roclip-bench");
  app->formatter(help_formatter());
  app->footer(kExitCodes);
  app->set_help_flag("--help,-h", "print this help and stop");
  app->set_version_flag("--version", std::string("roclip-bench ") + kVersion, "print the version and stop");
  app->require_subcommand(1);
  app->fallthrough();
  app->add_option("--plugin-path", invocation.plugin_path,
                  "folder searched for plugins, before $ROCLIP_BENCH_PLUGIN_PATH and the shipped ones; may be given "
                  "again")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  app->add_option("--color", invocation.color, "auto heeds NO_COLOR")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  add_run_commands(*app, invocation);
  add_results_commands(*app, invocation);
  add_engine_commands(*app, invocation);
  return app;
}

int cli(int argc, char** argv) {
  return guarded([&] {
    Invocation invocation;
    invocation.words.assign(argv, argv + argc);
    for (const auto& word : invocation.words) {
      if (is_utf8(word)) continue;  // results name files and folders, and JSON is UTF-8
      throw Error(ErrorKind::kUsage, "\"" + word + "\" is not UTF-8; rename the file or folder");
    }
    const auto app = command_table(invocation);
    try {
      app->parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      if (e.get_exit_code() == 0) return app->exit(e);  // --help, --version
      throw Error(ErrorKind::kUsage, mistake(*app, e));
    }
    return invocation.code;
  });
}

}  // namespace roclip::bench
