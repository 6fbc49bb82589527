#include <catch2/catch.hpp>

#include "harness/app/commands.h"
#include "harness/app/subcommands.h"
#include "harness/study/matrix.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

struct Table {
  Invocation invocation;
  std::unique_ptr<CLI::App> app = command_table(invocation);
  /// What is said of a line that is refused; "" of one that is not, and which is not run.
  std::string refusal(std::vector<std::string> words) {
    struct Accepted {};
    app->parse_complete_callback([] { throw Accepted(); });
    std::ranges::reverse(words);  // as CLI11 wants them
    try {
      app->parse(words);
    } catch (const CLI::ParseError& e) {
      return mistake(*app, e);
    } catch (const Accepted&) {
    }
    return "";
  }
};

using Words = std::vector<std::string>;

/// Calls `visit` with every subcommand that a person sees.
template <class Visit>
void each_command(CLI::App& app, const Visit& visit) {
  for (auto* command : app.get_subcommands([](CLI::App* sub) { return !sub->get_group().empty(); })) {
    visit(*command);
    each_command(*command, visit);
  }
}

/// As a shell splits it, for what examples hold: blanks, and '...' around JSON. Ends at a pipe or redirection.
Words split(const std::string& line) {
  Words words;
  std::string word;
  bool quoted = false;
  for (const char c : line + " ") {
    if (c == '\'') {
      quoted = !quoted;
    } else if (c != ' ' || quoted) {
      word += c;
    } else if (!word.empty()) {
      if (word == "|" || word == ">") break;
      words.push_back(std::exchange(word, ""));
    }
  }
  return words;
}

}  // namespace

TEST_CASE("every subcommand's help begins with examples that its options accept", "[app]") {
  Table table;
  int examples = 0;
  each_command(*table.app, [&](CLI::App& command) {
    const auto help = command.help();
    INFO(help);
    CHECK_THAT(help, Contains("\n\nExamples:\n  roclip-bench "));
    CHECK(help.find("Examples:") < help.find("Usage:"));
    std::istringstream lines(help.substr(help.find("Examples:\n") + 10));
    for (std::string example; std::getline(lines, example) && !example.empty();) {
      INFO(example);
      CHECK_THAT(example, Catch::StartsWith("  " + full_name(command)));
      auto words = split(example);
      words.erase(words.begin());
      CHECK(Table().refusal(words) == "");
      ++examples;
    }
  });
  CHECK(examples > 20);
}

TEST_CASE("help says which options are required", "[app]") {
  Table table;
  const auto* make = table.app->get_subcommand("poison")->get_subcommand("make");
  CHECK_THAT(make->help(), Contains("folder for the sets; required"));
  CHECK_THAT(make->help(), !Contains("matrix file; required"));  // which the line of usage says
}

TEST_CASE("an option that may be given again takes one value each time", "[app]") {
  CHECK(Table().refusal({"plan", "--plugin-path", "mine", "m.json"}) == "");
  CHECK(Table().refusal({"plan", "--only", "seed=1", "m.json", "--only", "seed=2"}) == "");
  CHECK(Table().refusal({"--plugin-path", "mine", "--plugin-path", "theirs", "plan", "m.json"}) == "");
}

TEST_CASE("a mistake on the command line is met with what was meant", "[app]") {
  CHECK_THAT(Table().refusal({"rum", "m.json"}),
             Contains("unknown subcommand \"rum\"; did you mean \"run\"?") && Contains("See roclip-bench --help"));
  CHECK_THAT(Table().refusal({"m.json"}), Contains("expected a subcommand before m.json, such as roclip-bench run"));
  CHECK_THAT(Table().refusal({"run", "m.json", "--job", "2"}),
             Contains("unknown option --job; did you mean \"--jobs\"?") && Contains("See roclip-bench run --help"));
  CHECK_THAT(Table().refusal({"--only", "seed=1", "run", "m.json"}), Contains("--only belongs behind its subcommand"));
  CHECK_THAT(Table().refusal({"plugin", "inof"}), Contains("did you mean \"info\"?"));
  CHECK_THAT(Table().refusal({"show", "a", "b"}), Contains("unexpected argument \"b\""));
  CHECK_THAT(Table().refusal({"run"}), Contains("run: matrix is required"));
  CHECK_THAT(Table().refusal({}), Contains("expected a subcommand: run, plan"));
}

TEST_CASE("the starter matrix is valid, and is not written over a file", "[app]") {
  const ScratchFolder folder;
  const auto file = folder.write("starter.json", starter_matrix("a \"quoted\" name"));
  const auto matrix = load_matrix(file);
  CHECK(matrix.name == "a \"quoted\" name");
  CHECK(matrix.gates.size() == 2);
  CHECK(matrix.limits.time_s > 0);
  CHECK_THROWS_WITH(init_command(file), Contains("exists already"));
}
