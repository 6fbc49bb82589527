#include "harness/app/man_page.h"

#include <utility>

#include "harness/app/help.h"

namespace roclip::bench {

namespace {

constexpr std::pair<const char*, const char*> kEnvironment[] = {
    {"ROCLIP_BENCH_CACHE",
     "folder of prepared data sets and of measured times; default: $XDG_CACHE_HOME/roclip-bench or "
     "~/.cache/roclip-bench"},
    {"ROCLIP_BENCH_PLUGIN_PATH", "folders searched for plugins, separated by colons, before the shipped ones"},
    {"ROCLIP_BENCH_SHARE", "folder of the files that come with the program, if not ../share/roclip-bench beside it"},
    {"NO_COLOR", "if not empty, no colours unless --color says always"},
};

constexpr std::pair<const char*, const char*> kFiles[] = {
    {"matrix.json", "what to run; comments (// and /* */) are allowed; `roclip-bench init` writes one"},
    {"out/results.json", "the grid: one entry a cell, means over seeds"},
    {"out/cells/<id>.json", "one cell: configuration, counts, every outcome, environment, cost"},
    {"out/manifests/", "what each attack changed"},
    {"out/logs/<id>.log", "what the worker of a cell printed"},
    {"out/status.json", "how the run stands"},
    {"out/checkpoints/", "what unfinished trainings go on from"},
};

/// Text that roff prints as it is.
std::string roff(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const bool line_begins = result.empty() || result.back() == '\n';
    if (line_begins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-' || c == '`' || c == '^' || c == '~' || c == '\'') {
      result += c == '-' ? "\\-" : c == '`' ? "\\(ga" : c == '^' ? "\\(ha" : c == '~' ? "\\(ti" : "\\(aq";
    } else {
      result += c;
    }
  }
  return result;
}

std::string section(const std::string& title) { return ".SH " + title + "\n"; }

std::string verbatim(const std::vector<std::string>& lines) {
  std::string text = ".PP\n.nf\n.RS 4\n";
  for (const auto& line : lines) text += roff(line) + "\n";
  return text + ".RE\n.fi\n";
}

std::string item(const std::string& name, const std::string& rest, const std::string& what) {
  return ".TP\n\\fB" + roff(name) + "\\fR" + (rest.empty() ? "" : " " + rest) + "\n" + roff(what) + "\n";
}

std::string item(const CLI::Option& option) {
  const auto value = value_of(option);
  const HelpFormatter help;
  const auto name = option.get_positional() ? option.get_name() : option.get_name(false, true);
  return item(name, value.empty() ? "" : "\\fI" + roff(value) + "\\fR", help.make_option_desc(&option));
}

std::string items(const CLI::App& command) {
  std::string text;
  for (const bool positional : {true, false}) {
    for (const auto* option : options_of(command, positional)) {
      const bool known = option->get_name() == "--help" && command.get_parent() != nullptr;
      if (!known) text += item(*option);
    }
  }
  return text;
}

std::string subcommand(const CLI::App& command) {
  const auto below = shown_subcommands(command);
  std::string text;
  if (below.empty()) {
    text = ".SS \"" + roff(full_name(command) + " " + arguments_of(command)) + "\"\n" + roff(summary_of(command)) +
           "\n" + verbatim(examples_of(command)) + items(command);
  }
  for (const auto* sub : below) text += subcommand(*sub);
  return text;
}

}  // namespace

std::string man_page(const CLI::App& table, const std::string& version) {
  std::string text = ".TH ROCLIP\\-BENCH 1 \"\" \"roclip\\-bench " + roff(version) + "\" \"User Commands\"\n";
  text += section("NAME") + "roclip\\-bench \\- benchmark of poisoning and backdoor attacks on CLIP\n";
  text += section("SYNOPSIS") + "\\fBroclip\\-bench\\fR " + roff(arguments_of(table)) + "\n";
  text += section("DESCRIPTION") + roff(summary_of(table)) + "\n";
  text +=
      ".PP\nA matrix file says which attacks, defenses, metrics and seeds to combine. Every combination, a cell, "
      "trains a model in a process of its own and leaves a JSON file; finished cells are kept.\n";
  text += section("EXAMPLES") + verbatim(examples_of(table));
  text += section("OPTIONS") + "With every subcommand, before or after it:\n" + items(table);
  text += section("SUBCOMMANDS");
  for (const auto* command : shown_subcommands(table)) text += subcommand(*command);
  text += section("ENVIRONMENT");
  for (const auto& [name, what] : kEnvironment) text += item(name, "", what);
  text += section("FILES");
  for (const auto& [name, what] : kFiles) text += item(name, "", what);
  auto codes = table.get_footer();  // "Exit codes:" and lines
  codes.erase(0, codes.find('\n') + 1);
  std::vector<std::string> lines = CLI::detail::split(codes, '\n');
  for (auto& line : lines) CLI::detail::ltrim(line);
  return text + section("EXIT STATUS") + verbatim(lines);
}

}  // namespace roclip::bench
