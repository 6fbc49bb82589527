#include "harness/app/cli.h"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "harness/app/commands.h"
#include "harness/run/run.h"
#include "roclip/error.h"

namespace {

constexpr const char* kAbout = R"(Benchmark of poisoning and backdoor attacks on CLIP, and of defenses against them.

Examples:
  roclip-bench run results/emoji-quick/matrix.json     train every cell, print the grid
  roclip-bench plan results/emoji-quick/matrix.json    show the cells
  roclip-bench plugin info roclip                      parameters, defaults, sources
  roclip-bench data show emoji                         look at the images)";

constexpr const char* kExitCodes = R"(Exit codes:
  0 ok   1 internal error   2 usage   3 matrix file not valid   4 nothing selected   5 plugin   6 data or output
  10 some cells did not end ok   130 interrupted)";

using namespace roclip::bench;

int dispatch(int argc, char** argv) {
  CLI::App app(kAbout, "roclip-bench");
  app.footer(kExitCodes);
  app.require_subcommand(1);
  app.fallthrough();
  Paths plugin_path;
  app.add_option("--plugin-path", plugin_path,
                 "folder searched for plugins, before $ROCLIP_BENCH_PLUGIN_PATH and the shipped ones");
  int code = 0;
  bool json = false;

  RunOptions run_options;
  auto* run = app.add_subcommand("run", "train and evaluate every cell of a matrix file");
  run->add_option("matrix", run_options.matrix, "matrix file")->required();
  run->add_option("--out", run_options.out, "output folder (default: out/ beside the matrix file)");
  run->add_option("--device", run_options.device, "auto, cpu, cuda or cuda:<index>")->capture_default_str();
  run->add_option("--jobs", run_options.jobs, "cells at a time; 0 = one a core on the CPU, one on a GPU")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  run->add_flag("--rerun", run_options.rerun, "run cells again that are done");
  run->callback([&] {
    run_options.plugin_path = plugin_path;
    code = run_matrix(run_options);
  });

  std::filesystem::path matrix;
  auto* plan = app.add_subcommand("plan", "print the cells of a matrix file");
  plan->add_option("matrix", matrix, "matrix file")->required();
  plan->add_flag("--json", json, "as JSON, with every parameter");
  plan->callback([&] { code = plan_command(matrix, plugin_path, json); });

  auto* plugin = app.add_subcommand("plugin", "attacks, defenses and metrics");
  plugin->require_subcommand(1);
  auto* plugin_list = plugin->add_subcommand("list", "what was found, and what was refused");
  plugin_list->add_flag("--json", json, "as JSON");
  plugin_list->callback([&] { code = plugin_list_command(plugin_path, json); });
  std::string plugin_name;
  auto* plugin_info = plugin->add_subcommand("info", "parameters with default, range, unit and source");
  plugin_info->add_option("id", plugin_name, "badnets, or badnets/1")->required();
  plugin_info->add_flag("--json", json, "as JSON");
  plugin_info->callback([&] { code = plugin_info_command(plugin_name, plugin_path, json); });

  std::string data_name, split = "train";
  std::int64_t count = 48;
  std::uint64_t seed = 1;
  std::filesystem::path png = "contact-sheet.png";
  auto* data = app.add_subcommand("data", "data sets");
  data->require_subcommand(1);
  auto* data_prepare = data->add_subcommand("prepare", "make the packed file, once");
  data_prepare->add_option("name", data_name, "emoji, or a matrix file")->required();
  data_prepare->callback([&] { code = data_prepare_command(data_name); });
  auto* data_list = data->add_subcommand("list", "the data sets that come with the program");
  data_list->add_flag("--json", json, "as JSON");
  data_list->callback([&] { code = data_list_command(json); });
  auto* data_show = data->add_subcommand("show", "write a contact sheet of images with their captions");
  data_show->add_option("name", data_name, "emoji, or a matrix file")->required();
  data_show->add_option("--split", split, "train or held_out")->capture_default_str();
  data_show->add_option("--count", count, "images")->check(CLI::Range(1, 2000))->capture_default_str();
  data_show->add_option("--seed", seed, "of the choice")->capture_default_str();
  data_show->add_option("--png", png, "file to write")->capture_default_str();
  data_show->callback([&] { code = data_show_command(data_name, split, count, seed, png); });

  WorkerOptions worker_options;
  auto* worker = app.add_subcommand("worker", "")->group("");  // started by `run`
  worker->add_option("--device", worker_options.device);
  worker->add_option("--out", worker_options.out.root)->required();
  worker->callback([&] {
    worker_options.plugin_path = plugin_path;
    code = worker_main(worker_options);
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
  try {
    return dispatch(argc, argv);
  } catch (const Error& e) {
    std::fprintf(stderr, "roclip-bench: %s\n", e.what());
    return e.exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "roclip-bench: internal error: %s\n", e.what());
    return static_cast<int>(ErrorKind::kInternal);
  }
}

}  // namespace roclip::bench
