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

std::shared_ptr<CLI::FormatterBase> help_formatter();
/// "roclip-bench plugin info"
std::string full_name(const CLI::App& command);
/// What is wrong with a line that the table refused, the nearest thing that it knows, and where to read on.
std::string mistake(const CLI::App& table, const CLI::ParseError& error);

// Each family declares its options and what they start.
void add_run_commands(CLI::App& app, Invocation& invocation);      // run, plan, status, show, replay, weights
void add_results_commands(CLI::App& app, Invocation& invocation);  // report, check, compare, verify
void add_engine_commands(CLI::App& app, Invocation& invocation);   // plugin, schema, data, poison, init, doctor

/// Parses, dispatches, and turns every exception into one message and its documented exit code.
int cli(int argc, char** argv);

}  // namespace roclip::bench
