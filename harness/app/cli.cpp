#include "harness/app/cli.h"

#include <cstdio>
#include <cstdlib>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "harness/app/commands.h"
#include "harness/app/guarded.h"
#include "harness/app/report_commands.h"
#include "harness/record/result.h"
#include "harness/run/run.h"
#include "roclip/error.h"

namespace {

constexpr const char* kAbout = R"(Benchmark of poisoning and backdoor attacks on CLIP, and of defenses against them.

Examples:
  roclip-bench run results/emoji-quick/matrix.json     train every cell, print the grid
  roclip-bench plan results/emoji-quick/matrix.json    cells, what is done, how long the rest takes
  roclip-bench report results/emoji-quick/out --format html -o report.html
  roclip-bench check results/emoji-quick/out           the CI gate
  roclip-bench status results/emoji-quick/out          how a run goes, from another terminal
  roclip-bench plugin info roclip                      parameters, defaults, sources
  roclip-bench data show emoji                         look at the images)";

constexpr const char* kExitCodes = R"(Exit codes:
  0 ok   1 internal error   2 usage   3 matrix file not valid   4 nothing selected   5 plugin   6 data or output
  10 some cells did not end ok   11 gate failed, or a replay's bits differ   12 gate inconclusive
  130 interrupted (Ctrl-C)   143 terminated; run again to go on)";

using namespace roclip::bench;

/// --color, and NO_COLOR (no-color.org).
bool use_color(const std::string& choice) {
  if (choice != "auto") return choice == "always";
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(STDERR_FILENO) != 0 && (no_color == nullptr || *no_color == 0);
}

std::vector<std::string> split_statuses(const std::string& text) {
  std::vector<std::string> statuses = CLI::detail::split(text, ',');
  if (text == "none") return {};
  for (const auto& status : statuses) {
    const auto known = status_names();
    if (status == "ok" || std::ranges::find(known, status) == known.end()) {
      throw roclip::Error(roclip::ErrorKind::kUsage,
                          "--retry: unknown status \"" + status + "\"" + roclip::did_you_mean(status, known) +
                              " (known: failed, crashed, timeout, oom, diverged, skipped, none)");
    }
  }
  return statuses;
}

int dispatch(int argc, char** argv) {
  CLI::App app(kAbout, "roclip-bench");
  app.footer(kExitCodes);
  app.require_subcommand(1);
  app.fallthrough();
  Paths plugin_path;
  std::string color = "auto";
  app.add_option("--plugin-path", plugin_path,
                 "folder searched for plugins, before $ROCLIP_BENCH_PLUGIN_PATH and the shipped ones");
  app.add_option("--color", color, "auto, always or never; auto heeds NO_COLOR")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  int code = 0;
  bool json = false;
  const auto engine_task = [&](Json task) {
    task["plugin_path"] = plugin_path;
    task["json"] = json;
    become_engine(task);
  };
  const auto jobs_option = [](CLI::App* command, std::int64_t& jobs) {
    command->add_option_function<std::string>(
        "--jobs",
        [&jobs](const std::string& text) {
          if (text == "auto") return;
          if (!CLI::detail::lexical_cast(text, jobs) || jobs < 0 || jobs > 1024) {
            throw CLI::ValidationError("--jobs", "expected auto or a number up to 1024, got " + text);
          }
        },
        "cells at a time; auto = one a core on the CPU, one on each GPU");
  };
  const auto matrix_options = [&](CLI::App* command, auto& options) {
    command->add_option("matrix", options.matrix, "matrix file")->required();
    command->add_option("--out", options.out, "output folder (default: out/ beside the matrix file)");
    command->add_option("--device", options.device, "auto, cpu, cuda or cuda:<index>")->capture_default_str();
    jobs_option(command, options.jobs);
    command
        ->add_option("--only", options.only,
                     "cells: attack=, defense=, seed= or the beginning of an id; terms joined by commas must all "
                     "hold; may be given again for more")
        ->expected(1);
  };

  RunOptions run_options;
  std::string retry, progress = "auto", events;
  bool fail_fast = false;
  auto* run = app.add_subcommand("run", "train and evaluate every cell of a matrix file; what is done stays done");
  matrix_options(run, run_options);
  auto* rerun = run->add_flag("--rerun", run_options.rerun, "run cells again that are done");
  run->add_option("--retry", retry,
                  "of the cells that did not end ok in an earlier run, only those of these statuses "
                  "(failed,crashed,timeout,oom,diverged,skipped or none); default: all")
      ->excludes(rerun);
  run->add_flag("--fail-fast", fail_fast, "stop when a cell does not end ok");
  run->add_option("--max-fail", run_options.max_fail, "stop when as many cells did not end ok; 0 = never")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  run->add_option("--progress", progress,
                  "auto = a live view on a terminal, plain = lines, none = the first line, warnings and errors")
      ->check(CLI::IsMember({"auto", "plain", "none"}))
      ->capture_default_str();
  auto* summary = run->add_flag("--json", run_options.json, "print a summary as JSON instead of the grid");
  run->add_option("--events", events, "ndjson: print one JSON event a line instead of the grid")
      ->check(CLI::IsMember({"ndjson"}))
      ->excludes(summary);
  bool until_decided = false;
  std::int64_t most_seeds = 20;
  auto* until = run->add_flag("--until-decided", until_decided,
                              "then add seeds to the cells whose gate is open, until every gate passes or fails");
  run->add_option("--max-seeds", most_seeds, "at most as many, those of the matrix file counted")
      ->needs(until)
      ->capture_default_str();
  run->add_flag("--trace", run_options.trace,
                "write a Chrome trace of ten steps of each cell, logs/<id>.trace.json, for ui.perfetto.dev");
  run->callback([&] {
    run_options.plugin_path = plugin_path;
    run_options.color = use_color(color);
    run_options.events = !events.empty();
    run_options.progress = progress == "auto"    ? ProgressStyle::kAuto
                           : progress == "plain" ? ProgressStyle::kPlain
                                                 : ProgressStyle::kNone;
    if (!retry.empty()) run_options.retry = split_statuses(retry);
    if (fail_fast) run_options.max_fail = 1;
    run_options.command_line.assign(argv, argv + argc);
    code = until_decided ? run_until_decided(run_options, most_seeds) : run_matrix(run_options);
  });

  PlanOptions plan_options;
  auto* plan = app.add_subcommand("plan", "cells, what is done, what is shared, the time it takes, what can be seen");
  matrix_options(plan, plan_options);
  plan->add_flag("--json", plan_options.json, "as JSON, with every parameter");
  plan->callback([&] {
    plan_options.plugin_path = plugin_path;
    code = plan_command(plan_options);
  });

  std::filesystem::path out = "out";
  auto* status = app.add_subcommand("status", "how a run goes, or went");
  status->add_option("out", out, "output folder")->required();
  status->add_flag("--json", json, "as JSON");
  status->callback([&] { code = status_command(out, json, use_color(color)); });

  std::string cell;
  auto* show = app.add_subcommand("show", "everything about one cell");
  show->add_option("cell", cell, "result file, or an id or its beginning")->required();
  show->add_option("--out", out, "output folder of that id")->capture_default_str();
  show->add_flag("--json", json, "the stored result as it is");
  show->callback([&] { code = show_command(find_cell(cell, out), json); });

  auto* replay = app.add_subcommand("replay", "run one cell again and say whether the bits are equal");
  replay->add_option("cell", cell, "result file, or an id or its beginning")->required();
  replay->add_option("--out", out, "output folder of that id")->capture_default_str();
  replay->callback([&] { code = replay_cell(find_cell(cell, out), plugin_path, use_color(color)); });

  std::int64_t rounds = 7;
  auto* perf = app.add_subcommand("perf", "how fast this machine trains, by phase, against what it could do");
  perf->add_option("--rounds", rounds, "of measurement; medians are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  perf->add_flag("--json", json, "as JSON, with the spread");
  std::string baseline;
  bool no_study = false;
  perf->add_option("--baseline", baseline, "output of an earlier --json; shows how ratios and shares changed")
      ->check(CLI::ExistingFile);
  perf->add_flag("--no-study", no_study, "leave out the runs of a small study with one and two workers, a minute");
  perf->callback([&] {
    engine_task({{"task", "perf"},
                 {"rounds", rounds},
                 {"study", !no_study},
                 {"program", std::filesystem::read_symlink("/proc/self/exe").string()},
                 {"baseline", baseline.empty() ? Json() : Json(baseline)}});
  });

  ReportOptions report_options;
  const auto results_options = [&](CLI::App* command, const std::vector<std::string>& formats) {
    command->add_option("out", report_options.outs, "output folders of `run`, or their results.json")->required();
    command->add_option("--format", report_options.format, "what to print")
        ->check(CLI::IsMember(formats))
        ->capture_default_str();
    command->add_option("--output,-o", report_options.output, "file to write instead of printing");
  };
  auto* report = app.add_subcommand("report", "grids with intervals and paired tests; html is made for looking");
  results_options(report, {"text", "md", "csv", "latex", "html", "junit", "json"});
  report->callback([&] { code = report_command(report_options); });
  auto* check = app.add_subcommand("check", "hold results against gates: exit code 0 pass, 11 fail, 12 inconclusive");
  results_options(check, {"text", "md", "junit", "json"});
  check->add_option("--gates", report_options.gates, "matrix file, or array of gates; default: those of the run");
  check->callback([&] { code = check_command(report_options); });
  auto* compare = app.add_subcommand("compare", "what changed between two sets of results, paired");
  results_options(compare, {"text", "json"});
  compare->get_option("out")->expected(2);
  compare->callback([&] { code = compare_command(report_options); });
  auto* verify = app.add_subcommand("verify", "hold results against published claims");
  results_options(verify, {"text", "md", "json"});
  verify->add_option("--claims", report_options.claims, "claims file, such as results/paper/claims.json")->required();
  verify->callback([&] { code = verify_command(report_options); });

  auto* plugin = app.add_subcommand("plugin", "attacks, defenses and metrics");
  plugin->require_subcommand(1);
  auto* plugin_list = plugin->add_subcommand("list", "what was found, and what was refused");
  plugin_list->add_flag("--json", json, "as JSON");
  plugin_list->callback([&] { engine_task({{"task", "plugin list"}}); });
  std::string plugin_name;
  auto* plugin_info = plugin->add_subcommand("info", "parameters with default, range, unit and source");
  plugin_info->add_option("id", plugin_name, "badnets, or badnets/1")->required();
  plugin_info->add_flag("--json", json, "as JSON");
  plugin_info->callback([&] { engine_task({{"task", "plugin info"}, {"plugin", plugin_name}}); });

  std::string data_name, split = "train", png = "contact-sheet.png";
  std::int64_t count = 48;
  std::uint64_t seed = 1;
  auto* data = app.add_subcommand("data", "data sets");
  data->require_subcommand(1);
  auto* data_prepare = data->add_subcommand("prepare", "make the packed file, once");
  data_prepare->add_option("name", data_name, "emoji, or a matrix file")->required();
  data_prepare->callback([&] { engine_task({{"task", "data prepare"}, {"data", data_name}}); });
  auto* data_list = data->add_subcommand("list", "the data sets that come with the program");
  data_list->add_flag("--json", json, "as JSON");
  data_list->callback([&] { engine_task({{"task", "data list"}}); });
  auto* data_show = data->add_subcommand("show", "write a contact sheet of images with their captions");
  data_show->add_option("name", data_name, "emoji, or a matrix file")->required();
  data_show->add_option("--split", split, "train or held_out")->capture_default_str();
  data_show->add_option("--count", count, "images")->check(CLI::Range(1, 2000))->capture_default_str();
  data_show->add_option("--seed", seed, "of the choice")->capture_default_str();
  data_show->add_option("--png", png, "file to write")->capture_default_str();
  data_show->callback([&] {
    engine_task(
        {{"task", "data show"}, {"data", data_name}, {"split", split}, {"count", count}, {"seed", seed}, {"png", png}});
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(roclip::ErrorKind::kUsage);
  }
  return code;
}

}  // namespace

namespace roclip::bench {

int cli(int argc, char** argv) {
  return guarded([&] { return dispatch(argc, argv); });
}

}  // namespace roclip::bench
