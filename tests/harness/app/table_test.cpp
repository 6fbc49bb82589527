#include <catch2/catch.hpp>

#include "harness/app/completion.h"
#include "harness/app/help.h"
#include "harness/app/man_page.h"
#include "harness/app/starter.h"
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

  std::vector<std::string> complete(const std::vector<std::string>& words) const {
    std::vector<std::string> texts;
    for (const auto& candidate : candidates(*app, words)) texts.push_back(candidate.text);
    return texts;
  }
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
    for (const auto& example : examples_of(command)) {
      INFO(example);
      CHECK_THAT(example, Catch::StartsWith(full_name(command)));
      auto words = split(example);
      words.erase(words.begin());
      CHECK(Table().refusal(words) == "");
      ++examples;
    }
  });
  CHECK(examples > 20);
}

TEST_CASE("subcommands, options and their values are completed", "[app]") {
  const Table table;
  CHECK(table.complete({"re"}) == Words{"replay", "report"});
  CHECK(table.complete({"plugin", "in"}) == Words{"info"});
  CHECK(table.complete({"run", "m.json", "--prog"}) == Words{"--progress"});
  CHECK(table.complete({"run", "m.json", "--progress", ""}) == Words{"auto", "plain", "none"});
  CHECK(table.complete({"run", "m.json", "--progress=p"}) == Words{"--progress=plain"});
  CHECK(table.complete({"--color", "never", "report", "out", "--format", "j"}) == Words{"junit", "json"});
  CHECK(table.complete({"run", "--jobs", ""}) == Words{"auto"});
  CHECK(table.complete({"run", "m.json", "--retry", "failed,cr"}) == Words{"failed,crashed"});
  CHECK(table.complete({"run", "--plugin-"}) == Words{"--plugin-path"});
  CHECK(table.complete({"completion", ""}) == Words{"bash", "zsh", "fish"});
}

TEST_CASE("where a file is wanted, the shell is left to complete it", "[app]") {
  const Table table;
  CHECK(table.complete({"run", ""}).empty());
  CHECK(table.complete({"report", "out", "-o", ""}).empty());
  CHECK(table.complete({"perf", "--baseline", "b"}).empty());
  CHECK(table.complete({"nonsense", "--what", "", "x"}).empty());
}

TEST_CASE("cells are completed from their output folder, terms of --only from the matrix file", "[app]") {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder / "out/cells");
  folder.write("out/cells/none-clip-s1-abc.json", "{}");
  folder.write("out/cells/badnets-clip-s1-def.json", "{}");
  const auto out = (folder / "out").string();
  const Table table;
  CHECK(table.complete({"show", "--out", out, ""}) == Words{"badnets-clip-s1-def", "none-clip-s1-abc"});
  CHECK(table.complete({"replay", "--out=" + out, "n"}) == Words{"none-clip-s1-abc"});

  const auto matrix = folder.write("m.json", starter_matrix("x")).string();
  CHECK(table.complete({"run", "--only", ""}) == Words{"attack=", "defense=", "seed="});
  CHECK(table.complete({"run", matrix, "--only", "attack=b"}) == Words{"attack=badnets"});
  CHECK(table.complete({"run", matrix, "--only", "attack=none,d"}) ==
        Words{"attack=none,defense=", "attack=none,defense=clip", "attack=none,defense=roclip"});
}

TEST_CASE("paths are understood as a shell has them on its line", "[app]") {
  const ScratchFolder folder;
  folder.write("my 'out/cells/none-clip-s1-abc.json", "{}");
  const Table table;
  for (const std::string out : {R"(my\ \'out)", R"("my 'out")", R"(my' '"'out")"}) {
    CHECK(table.complete({"show", "--out", folder.path().string() + "/" + out, ""}) == Words{"none-clip-s1-abc"});
  }
  const std::string home = std::getenv("HOME");
  ::setenv("HOME", folder.path().c_str(), 1);
  CHECK(table.complete({"show", R"(--out=~/my\ \'out)", ""}) == Words{"none-clip-s1-abc"});
  ::setenv("HOME", home.c_str(), 1);
}

TEST_CASE("help and the manual say which options are required", "[app]") {
  Table table;
  const auto* make = table.app->get_subcommand("poison")->get_subcommand("make");
  CHECK_THAT(make->help(), Contains("folder for the sets; required"));
  CHECK_THAT(make->help(), !Contains("matrix file; required"));  // which the line of usage says
  CHECK_THAT(man_page(*table.app, "1.0"), Contains("folder for the sets; required"));
}

TEST_CASE("an option that may be given again takes one value each time", "[app]") {
  CHECK(Table().refusal({"plan", "--plugin-path", "mine", "m.json"}) == "");
  CHECK(Table().refusal({"plan", "--only", "seed=1", "m.json", "--only", "seed=2"}) == "");
  CHECK(Table().refusal({"--plugin-path", "mine", "--plugin-path", "theirs", "plan", "m.json"}) == "");
}

TEST_CASE("plugins are completed from all folders that are given", "[app]") {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder / "mine");
  std::filesystem::create_directories(folder / "theirs");
  const auto mine = (folder / "mine").string(), theirs = (folder / "theirs").string();
  std::filesystem::copy(ROCLIP_ROGUES_DIR "/throws.so", folder / "mine");
  const Table table;
  CHECK(table.complete({"--plugin-path", mine, "--plugin-path", theirs, "plugin", "info", "thr"}) == Words{"throws"});
}

TEST_CASE("a mistake on the command line is met with what was meant", "[app]") {
  CHECK_THAT(Table().refusal({"rum", "m.json"}),
             Contains("unknown subcommand \"rum\"; did you mean \"run\"?") && Contains("See roclip-bench --help"));
  CHECK_THAT(Table().refusal({"m.json"}), Contains("expected a subcommand before m.json, such as roclip-bench run"));
  CHECK_THAT(Table().refusal({"run", "m.json", "--job", "2"}),
             Contains("unknown option --job; did you mean \"--jobs\"?") && Contains("See roclip-bench run --help"));
  CHECK_THAT(Table().refusal({"--only", "seed=1", "run", "m.json"}), Contains("--only belongs behind its subcommand"));
  CHECK_THAT(Table().refusal({"plugin", "inof"}), Contains("did you mean \"info\"?"));
  CHECK_THAT(Table().refusal({"status", "a", "b"}), Contains("unexpected argument \"b\""));
  CHECK_THAT(Table().refusal({"run"}), Contains("run: matrix is required"));
  CHECK_THAT(Table().refusal({}), Contains("expected a subcommand: run, plan"));
}

TEST_CASE("the manual names every subcommand and option and escapes what roff would take for its own", "[app]") {
  Table table;
  const auto page = man_page(*table.app, "1.0");
  each_command(*table.app, [&](CLI::App& command) {
    for (const auto* option : options_of(command, false)) {
      std::string name = option->get_name();
      for (std::size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2) name.replace(at, 1, "\\-");
      INFO(name);
      CHECK(page.find(name) != std::string::npos);
    }
  });
  for (const char* title : {"NAME", "SYNOPSIS", "EXAMPLES", "SUBCOMMANDS", "ENVIRONMENT", "FILES", "EXIT STATUS"}) {
    INFO(title);
    CHECK(page.find(std::string("\n.SH ") + title + "\n") != std::string::npos);
  }

  CLI::App odd("summary", "odd");
  odd.add_option("--path", ".hidden is first, a \\n is no line")->type_name("FILE");
  CHECK_THAT(man_page(odd, "1"), Contains("\\&.hidden is first, a \\en is no line"));
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
