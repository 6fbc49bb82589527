#include <charconv>
#include <cstdlib>
#include <map>
#include <system_error>

#include "harness/app/subcommands.h"
#include "harness/record/result.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// What --retry takes: how a cell can end, but for ok; or none.
std::vector<std::string> statuses_to_retry() {
  auto names = status_names();
  std::erase(names, "ok");
  names.push_back("none");
  return names;
}

/// @param text "2/4" @throws Error(kUsage)
Shard parse_shard(const std::string& text) {
  Shard shard;
  const char *at = text.data(), *end = at + text.size();
  const auto number = [&](std::size_t& value) {
    const auto [next, error] = std::from_chars(at, end, value);
    at = next;
    return error == std::errc();
  };
  const bool read = number(shard.index) && at != end && *at++ == '/' && number(shard.count) && at == end;
  if (!read || shard.index < 1 || shard.index > shard.count) {
    throw Error(ErrorKind::kUsage,
                "--shard: expected a part and the number of parts, such as 1/4, got \"" + text + "\"");
  }
  return shard;
}

/// What run and plan have in common.
void add_matrix_options(CLI::App* command, RunOptions& options) {
  command->add_option("matrix", options.matrix, "matrix file")->required()->type_name("FILE");
  command->add_option("--out", options.out, "output folder (default: out/ beside the matrix file)")
      ->type_name("FOLDER");
  command->add_option("--device", options.device, "a GPU of several: cuda:<index>")
      ->type_name("auto|cpu|cuda")
      ->capture_default_str();
  command
      ->add_option("--jobs", options.jobs,
                   "cells at a time; auto = one a core on the CPU; on each GPU one, or as many small ones as fill it")
      ->transform(CLI::Transformer(std::map<std::string, std::int64_t>{{"auto", 0}}).description(""))
      ->check(CLI::Range(0, 1024).description(""))
      ->type_name("auto|N");
  command
      ->add_option(
          "--only", options.only,
          "cells: attack=, defense= (a label, or the plugin of several), seed= or the beginning of an id; terms "
          "joined by commas must all hold, a label may hold commas itself; may be given again for more")
      ->type_name("TERMS")
      ->allow_extra_args(false);
}

void add_ranks_option(CLI::App* command, int& ranks, const char* more) {
  command
      ->add_option("--ranks", ranks,
                   std::string("processes that train each cell together, a core or a GPU each") + more)
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N")
      ->capture_default_str();
}

/// The ranks of one run, if torchrun or its like started this process.
/// @return where this process stands among them; size 1: alone @throws Error(kUsage)
RankPlace place_among_ranks(const RunOptions& options, bool until_decided) {
  const auto place = rank_place(::getenv);
  if (!place) return {};
  if (options.ranks > 1 || options.jobs > 1 || until_decided) {
    throw Error(ErrorKind::kUsage,
                "RANK and WORLD_SIZE are set, as torchrun does: a run of " + std::to_string(place->size) +
                    " ranks takes no --ranks, --jobs or --until-decided; leave them out, or unset RANK");
  }
  return *place;
}

/// @param with_slurm the option that they belong to
void add_slurm_options(CLI::App* command, SlurmOptions& options, CLI::Option* with_slurm) {
  command
      ->add_option("--tasks", options.tasks,
                   "of the job array, at most; each runs several cells, those of one training together")
      ->needs(with_slurm)
      ->check(CLI::Range(1, 4000000).description(""))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--at-once", options.at_once, "tasks that run at the same time, at most; 0 = as many as Slurm likes")
      ->needs(with_slurm)
      ->check(CLI::Range(0, 4000000).description(""))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--sbatch", options.sbatch,
                   "an option of sbatch, such as --sbatch=--gpus=1; may be given again for more")
      ->needs(with_slurm)
      ->type_name("OPTION")
      ->allow_extra_args(false);
}

void add_run(CLI::App& app, Invocation& invocation) {
  struct Choices {
    RunOptions run;
    SlurmOptions slurm;
    std::string executor = "local";
    std::vector<std::string> retry;
    std::string progress = "auto";
    bool fail_fast = false, until_decided = false;
    std::int64_t most_seeds = 20;
  };
  const auto choices = std::make_shared<Choices>();
  auto& options = choices->run;
  auto* run = add_command(app, "run", "train and evaluate every cell of a matrix file; finished cells are kept",
                          {"matrix.json", "matrix.json --jobs 2 --only attack=badnets,seed=1",
                           "matrix.json --until-decided --max-seeds 10"});
  add_matrix_options(run, options);
  run->add_option_function<std::string>(
         "--shard", [choices](const std::string& text) { choices->run.shard = parse_shard(text); },
         "the I-th of N parts of these cells, for several machines; `report` takes all their folders")
      ->type_name("I/N");
  auto* executor =
      run->add_option("--executor", choices->executor,
                      "slurm = submit a job array, watch it and print the grid; Ctrl-C only stops watching")
          ->check(CLI::IsMember({"local", "slurm"}))
          ->capture_default_str();
  add_slurm_options(run, choices->slurm, executor);
  add_ranks_option(run, options.ranks, "; or start this command with torchrun, on one machine or several");
  run->add_flag("--cancel", choices->slurm.cancel, "Ctrl-C cancels the job")->needs(executor);
  auto* rerun = run->add_flag("--rerun", options.rerun, "also run cells that are done");
  run->add_option("--retry", choices->retry,
                  "which cells that failed in an earlier run to run again: their statuses, joined by commas; default: "
                  "all")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(statuses_to_retry()))
      ->excludes(rerun);
  run->add_flag("--fail-fast", choices->fail_fast, "stop after the first cell that fails");
  run->add_option("--max-fail", options.max_fail, "stop after this many cells failed; 0 = never")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  run->add_option("--progress", choices->progress,
                  "auto = a live view on a terminal, plain = lines, none = the first line, warnings and errors")
      ->check(CLI::IsMember({"auto", "plain", "none"}))
      ->capture_default_str();
  run->add_flag("--json", options.json, "print a summary as JSON instead of the grid");
  auto* until = run->add_flag("--until-decided", choices->until_decided,
                              "then add seeds to the cells of inconclusive gates, until every gate passes or fails; "
                              "confidence is corrected for the looks (Bonferroni)");
  run->add_option("--max-seeds", choices->most_seeds,
                  "most seeds, including those of the matrix file; the correction counts on it, so choose it before "
                  "the first look")
      ->needs(until)
      ->type_name("N")
      ->capture_default_str();
  run->add_flag("--trace", options.trace,
                "write a Chrome trace of ten steps of each cell, logs/<id>.trace.json, for ui.perfetto.dev");
  run->add_flag("--keep-weights", options.keep_weights,
                "keep what the cells that run now have trained, weights/<id>.safetensors, by open_clip's names");
  run->callback([choices, &invocation] {
    auto& chosen = choices->run;
    chosen.plugin_path = invocation.plugin_path;
    chosen.color = invocation.use_color();
    chosen.progress = choices->progress == "auto"    ? ProgressStyle::kAuto
                      : choices->progress == "plain" ? ProgressStyle::kPlain
                                                     : ProgressStyle::kNone;
    if (!choices->retry.empty()) chosen.retry = choices->retry;
    if (choices->fail_fast) chosen.max_fail = 1;
    chosen.command_line = invocation.words;
    if (choices->executor == "slurm") {
      const bool fits = !chosen.rerun && !chosen.retry && chosen.shard.count == 1 && chosen.max_fail == 0 &&
                        !choices->until_decided && !chosen.json && !chosen.trace;
      if (!fits) {
        throw Error(
            ErrorKind::kUsage,
            "--executor slurm does not take --rerun, --retry, --shard, --fail-fast, --max-fail, --until-decided, "
            "--json or --trace; next: leave it out, or change the script of `roclip-bench plan FILE --emit slurm`");
      }
      invocation.code = run_on_slurm(chosen, choices->slurm);
      return;
    }
    chosen.place = place_among_ranks(chosen, choices->until_decided);
    if (chosen.place.rank > 0) {
      invocation.code = join_ranks(chosen.place, chosen.plugin_path);
      return;
    }
    if (chosen.place.size > 1) chosen.jobs = 1;
    invocation.code = choices->until_decided ? run_until_decided(chosen, choices->most_seeds) : run_matrix(chosen);
  });
}

void add_plan(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<RunOptions>();
  auto* plan =
      add_command(app, "plan", "list the cells: done, to run, shared trainings, estimated time, statistical power",
                  {"matrix.json", "matrix.json --json", "matrix.json --rate 2660",
                   "matrix.json --out /shared/out --emit slurm --sbatch=--time=4:00:00 > study.sh"});
  add_matrix_options(plan, *options);
  auto* json = plan->add_flag("--json", options->json, "as JSON, with every parameter");
  plan->add_option(
          "--rate", options->rate,
          "estimate the time from this many pairs a second, not from cells that are done; results/perf has rates")
      ->type_name("PAIRS")
      ->check(CLI::PositiveNumber);
  const auto slurm = std::make_shared<SlurmOptions>();
  const auto to = std::make_shared<std::string>();
  auto* emit = plan->add_option("--emit", *to, "print a script for sbatch instead: a job array that runs the cells")
                   ->check(CLI::IsMember({"slurm"}))
                   ->excludes(json);
  add_slurm_options(plan, *slurm, emit);
  add_ranks_option(plan, options->ranks, ", in the script of --emit");
  plan->callback([options, slurm, to, &invocation] {
    options->plugin_path = invocation.plugin_path;
    invocation.code = to->empty() ? plan_command(*options) : emit_command(*options, *slurm);
  });
}

struct CellOptions {
  std::string cell;
  std::filesystem::path out = "out";
  bool json = false;
};

std::shared_ptr<CellOptions> add_cell_options(CLI::App* command) {
  const auto options = std::make_shared<CellOptions>();
  command->add_option("cell", options->cell, "result file, or an id or its beginning")->required()->type_name("CELL");
  command->add_option("--out", options->out, "output folder of that id (default: out)")->type_name("FOLDER");
  return options;
}

void add_looks(CLI::App& app, Invocation& invocation) {
  struct StatusOptions {
    Paths outs;
    bool json = false;
  };
  const auto of_runs = std::make_shared<StatusOptions>();
  auto* status = add_command(app, "status", "progress of running or finished runs", {"out", "out/part-*/"});
  status->add_option("out", of_runs->outs, "output folders; of several, the sums")->required()->type_name("FOLDER...");
  status->add_flag("--json", of_runs->json, "as JSON");
  status->callback([of_runs, &invocation] {
    invocation.code = status_command(of_runs->outs, of_runs->json, invocation.use_color());
  });

  auto* show = add_command(app, "show", "show all that is recorded about one cell",
                           {"badnets-clip --out out", "out/cells/<id>.json --json"});
  const auto shown = add_cell_options(show);
  show->add_flag("--json", shown->json, "the stored result as it is");
  show->callback(
      [shown, &invocation] { invocation.code = show_command(find_cell(shown->cell, shown->out), shown->json); });

  auto* replay =
      add_command(app, "replay", "run one cell again and compare its results bit by bit", {"badnets-clip --out out"});
  const auto replayed = add_cell_options(replay);
  replay->callback([replayed, &invocation] {
    invocation.code =
        replay_cell(find_cell(replayed->cell, replayed->out), invocation.plugin_path, invocation.use_color());
  });
}

void add_weights(CLI::App& app, Invocation& invocation) {
  auto* weights = add_command(app, "weights", "the trained weights of a cell, as files for others",
                              {"export badnets-clip --to badnets.safetensors", "card badnets-clip --to badnets-clip"});
  weights->require_subcommand(1);
  const auto add = [&](const char* name, const char* summary, const char* what, const char* example, auto command) {
    auto* app_of = add_command(*weights, name, summary, {example});
    const auto cell = add_cell_options(app_of);
    const auto to = std::make_shared<std::filesystem::path>();
    app_of->add_option("--to", *to, what)
        ->required()
        ->type_name(std::string(what).starts_with("file") ? "FILE" : "FOLDER");
    app_of->callback([cell, to, command, &invocation] {
      invocation.code = command(find_cell(cell->cell, cell->out), *to, invocation.plugin_path, invocation.use_color());
    });
  };
  add("export", "one file, which open_clip can read; a cell whose weights were not kept is trained again",
      "file to write, safetensors", "badnets-clip --to badnets.safetensors", &export_weights);
  add("card", "a folder to publish: weights, manifest of the poisons, record and model card", "folder to write",
      "badnets-clip --to badnets-clip", &publish_command);
}

}  // namespace

void add_run_commands(CLI::App& app, Invocation& invocation) {
  add_run(app, invocation);
  add_plan(app, invocation);
  add_looks(app, invocation);
  add_weights(app, invocation);
}

}  // namespace roclip::bench
