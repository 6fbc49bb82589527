/// The one table of subcommands and options. Parsing and help are made from it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "harness/app/commands.h"

namespace roclip::bench {

/// What holds for every subcommand, and the exit code of the one that ran.
struct Invocation {
  std::vector<std::string> words;  ///< argv
  Paths plugin_path;
  std::string color = "auto";
  int code = 0;

  /// --color, and NO_COLOR (no-color.org).
  bool use_color() const;
};

/// The table. Parsing it runs a subcommand. @param invocation must outlive the table
std::unique_ptr<CLI::App> command_table(Invocation& invocation);

/// Declares a subcommand: a line of what it does, and examples, given as what follows its name.
CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& summary,
                      const std::vector<std::string>& examples);

// Each family declares its options and what they start.
void add_run_commands(CLI::App& app, Invocation& invocation);      // run, plan, status, show, replay
void add_results_commands(CLI::App& app, Invocation& invocation);  // report, check, compare, verify
void add_engine_commands(CLI::App& app, Invocation& invocation);   // perf, plugin, schema, data, poison
void add_comfort_commands(CLI::App& app, Invocation& invocation);  // init, doctor

}  // namespace roclip::bench
