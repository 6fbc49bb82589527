#include "harness/app/commands.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <set>

#include <unistd.h>

#include <boost/algorithm/string/join.hpp>

#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "harness/record/paths.h"
#include "harness/report/card.h"
#include "harness/report/render.h"
#include "harness/report/significance.h"
#include "harness/run/preparation.h"
#include "harness/run/supervisor.h"
#include "harness/study/matrix.h"
#include "harness/study/select.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// Statistical power: what differences in attack success this study can show.
void print_detectable(const Preparation& prepared, std::size_t seeds) {
  const auto needed = fewest_unanimous();  // items as well as seeds
  for (const auto& [attack, trials] : prepared.trials) {
    if (trials == 0) continue;
    std::printf("  %s: %lld test items; smallest detectable difference between two defenses at one seed: %s\n",
                escape_text(attack).c_str(), static_cast<long long>(trials),
                trials < needed ? "none, there are too few items"
                                : format("%lld items, %.3g %% (McNemar, p < 0.05)", static_cast<long long>(needed),
                                         100 * static_cast<double>(needed) / static_cast<double>(trials))
                                      .c_str());
  }
  std::printf("  %s; a test over seeds (exact permutation test, p < 0.05) needs at least %lld\n",
              counted(std::int64_t(seeds), "seed").c_str(), static_cast<long long>(needed));
}

void print_table(const Json& object, const std::string& indent) {
  int width = 22;
  for (const auto& [key, value] : object.items()) width = std::max(width, static_cast<int>(key.size()));
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      std::printf("%s%s\n", indent.c_str(), escape_text(key).c_str());
      print_table(value, indent + "  ");
    } else {
      const std::string text = value.is_string()         ? value.get<std::string>()
                               : value.is_number_float() ? format("%.4g", value.get<double>())
                                                         : value.dump();
      std::printf("%s%-*s %s\n", indent.c_str(), width, escape_text(key).c_str(), escape_text(text).c_str());
    }
  }
}

}  // namespace

int plan_command(const RunOptions& options) {
  const Signals signals;
  const Matrix matrix = load_matrix(options.matrix);
  const OutputFolder out{options.out.empty() ? default_out(matrix) : options.out};
  ProgressView view(ProgressStyle::kAuto, false);
  int signal = 0;
  const auto prepared = prepare(
      matrix, {.out = out.root, .plugin_path = options.plugin_path, .device = options.device, .make_data = false},
      signals, view, signal);
  if (!prepared) return 128 + signal;

  const auto selected = select(prepared->cells, options.only);
  std::map<std::string, std::string> first_of;  // training -> the cell that does it
  std::set<std::int64_t> seeds;
  Json list = Json::array();
  std::vector<const Cell*> to_run;
  double trained_s = 0, pairs = 0;
  std::size_t trained = 0, shared = 0, done = 0, will_fail = 0;
  OtherBuilds other_builds;
  ReplacedResults replaced;
  for (const Cell* cell : selected) {
    const auto stored = stored_result(out, *cell, prepared->data_hash);
    std::string state = stored ? std::string(to_string(stored->status)) : "to run";
    if (state != "ok" && prepared->plan_failed.contains(cell->attack)) {
      state = "will fail";
      ++will_fail;
    }
    const auto key = prepared->trainings.find(cell->id);
    Json shares = nullptr;
    if (state != "ok" && key != prepared->trainings.end()) {
      const auto [first, is_first] = first_of.try_emplace(key->second, cell->id);
      if (!is_first) shares = first->second;
    }
    seeds.insert(cell->seed);
    if (state == "ok") {
      ++done;
      if (stored->training.trained_by == cell->id) {
        ++trained;
        trained_s += stored->cost.wall_s;
      }
      other_builds.look_at(*stored, prepared->builds);
    } else {
      if (!stored) replaced.look_at(out, *cell, prepared->data);
      to_run.push_back(cell);
      shared += !shares.is_null();
      if (shares.is_null() && prepared->pairs.contains(cell->id)) {
        pairs += static_cast<double>(prepared->pairs.at(cell->id));
      }
    }
    list.push_back({{"id", cell->id},
                    {"attack", cell->attack},
                    {"defense", cell->defense},
                    {"seed", cell->seed},
                    {"state", state},
                    {"training", key == prepared->trainings.end() ? Json() : Json(key->second)},
                    {"shares_training_of", shares},
                    {"effective", cell->config}});
    if (options.json) continue;
    std::printf("%-9s %-36s %s%s%s\n", state.c_str(), cell->id.c_str(), escape_text(cell_name(*cell)).c_str(),
                state == "ok" ? ("   about " + show_duration(stored->cost.wall_s)).c_str() : "",
                shares.is_null() ? "" : ("   reuses the model of " + shares.get<std::string>()).c_str());
  }
  const int code = will_fail > 0 ? kCellNotOk : 0;
  if (options.json) {
    std::cout << list.dump(2) << "\n";
    return code;
  }
  std::printf("%s: %zu done, %zu to run, %zu reuse%s a model trained by another cell\n",
              counted(std::ssize(selected), "cell").c_str(), done, to_run.size(), shared, shared == 1 ? "s" : "");
  if (const auto told = other_builds.told(); !told.empty()) std::puts(told.c_str());
  for (const auto& told : replaced.told()) std::puts(told.c_str());
  if (!to_run.empty()) {
    const auto workers = static_cast<double>(job_devices(options.jobs, *prepared, to_run.size()).size());
    const auto trainings = static_cast<double>(to_run.size() - shared);
    const double all_s = options.rate > 0 ? pairs / options.rate
                         : trained > 0    ? trained_s / static_cast<double>(trained) * trainings
                                          : 0;
    const std::string time = all_s > 0          ? "about " + show_duration(all_s / workers)
                             : options.rate > 0 ? "no estimate before the data is prepared"
                                                : "no estimate before a cell is done or without --rate";
    if (pairs > 0) std::printf("pairs to train on: %.3g million, repetitions counted\n", pairs / 1e6);
    std::printf("time: %s (on %s, %.0f at a time)\n", time.c_str(), prepared->devices.front().c_str(), workers);
  }
  if (prepared->data_hash.empty()) {
    std::printf("the data is not prepared yet: roclip-bench data prepare %s\n", options.matrix.c_str());
  } else {
    std::puts("statistical power:");
    print_detectable(*prepared, seeds.size());
  }
  return code;
}

std::filesystem::path find_cell(const std::string& cell, const std::filesystem::path& out) {
  if (std::filesystem::is_regular_file(cell)) return cell;
  const auto folder = out / "cells";
  std::vector<std::string> ids, found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".json") ids.push_back(entry.path().stem());
  }
  std::ranges::sort(ids);
  std::ranges::copy_if(ids, std::back_inserter(found), [&](const std::string& id) { return id.starts_with(cell); });
  if (std::ranges::find(found, cell) != found.end()) found = {cell};
  if (found.size() == 1) return folder / (found.front() + ".json");
  if (found.empty()) {
    throw Error(ErrorKind::kEmpty, "no result of a cell \"" + cell + "\" in " + folder.string() +
                                       did_you_mean(cell, ids) +
                                       "; expected a result file, or an id (or its beginning) "
                                       "with --out OUT");
  }
  throw Error(ErrorKind::kUsage, "\"" + cell + "\" is the beginning of " + std::to_string(found.size()) + " ids:\n  " +
                                     boost::join(found, "\n  "));
}

int show_command(const std::filesystem::path& cell_file, bool json) {
  const CellRecord record = read_cell(cell_file);
  if (json) {
    std::cout << read_json(cell_file).dump(2) << "\n";
    return 0;
  }
  std::printf("%s\n%s\n", escape_text(cell_file.string()).c_str(), cell_line(record).c_str());
  for (const auto& [id, metric] : record.metrics) {
    std::printf("\n%s (%s is better)\n", escape_text(id).c_str(), metric.lower_is_better ? "lower" : "higher");
    for (const auto& count : metric.counts) {
      std::printf("  %-22s %lld/%lld", escape_text(count.name).c_str(), static_cast<long long>(count.hits),
                  static_cast<long long>(count.trials));
      if (count.trials > 0) {
        const auto [low, high] = wilson(count.counted());
        std::printf("  %.1f %% [%.1f, %.1f]", 100 * count.counted().share(), 100 * low, 100 * high);
      }
      std::puts("");
    }
    for (const auto& value : metric.values) {
      std::printf("  %-22s %s\n", escape_text(value.name).c_str(),
                  with_unit(value.value, {.unit = value.unit}).c_str());
    }
    if (!metric.not_applicable.empty()) std::printf("  none: %s\n", escape_text(metric.not_applicable).c_str());
  }
  Json parts = to_json(record);
  if (record.ok()) {
    std::puts("\ntraining");
    for (const auto& epoch : record.training.epochs) {
      std::printf("  epoch %-4lld loss %.4f  logit scale %.1f  %.1f s\n", static_cast<long long>(epoch.epoch),
                  epoch.loss, epoch.logit_scale, epoch.wall_s);
    }
    parts["training"].erase("epochs");
  }
  for (const char* part : {"training", "poison", "data", "effective", "plugins", "cost", "environment"}) {
    if (!parts.contains(part) || parts.at(part).empty()) continue;
    if (std::string(part) != "training") std::printf("\n%s\n", part);
    print_table(parts.at(part), "  ");
  }
  const auto out = cell_file.parent_path().parent_path();
  std::printf("\nfiles\n");
  const auto file = [&](const char* what, const std::string& name) {
    if (!name.empty()) std::printf("  %-9s %s\n", what, escape_text((out / name).string()).c_str());
  };
  file("manifest", record.poison.manifest);
  file("log", record.log);
  std::string again = "roclip-bench replay " + cell_file.string();
  const Json command = record.environment.is_null() ? Json::array() : record.environment.at("command");
  for (std::size_t i = 0; i + 1 < command.size(); ++i) {
    if (command[i] == "--plugin-path") again += " --plugin-path " + command[i + 1].get<std::string>();
  }
  std::printf("repeat it: %s\n", escape_text(again).c_str());
  return 0;
}

int publish_command(const std::filesystem::path& cell_file, const std::filesystem::path& folder,
                    const Paths& plugin_path, bool color) {
  const CellRecord record = read_finished_cell(cell_file);
  const auto poisons = read_file(cell_file.parent_path().parent_path() / record.poison.manifest);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) refuse(folder, error.message());
  const int code = export_weights(cell_file, folder / published_weights(record), plugin_path, color);
  if (code != 0 && code != kBitsDiffer) return code;
  write_file(folder / "README.md", model_card(record));
  write_file(folder / "cell.json", read_file(cell_file));
  write_file(folder / "manifest.json", poisons);
  if (const auto config = open_clip_config(record)) write_json(folder / "open_clip_config.json", *config);
  std::printf("%s: README.md is the model card\n", escape_text(folder.string()).c_str());
  return code;
}

void become_engine(const Json& task) {
  if (task.at("task") == "plugin test") {
    prepare_blas();  // as in a worker
    // It counts bytes in use, and what a thread's cache of free chunks holds is.
    ::setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 0);
  }
  const auto engine = program_dir() / "roclip-bench-engine";
  const std::string text = task.dump();
  ::execl(engine.c_str(), "roclip-bench-engine", text.c_str(), static_cast<char*>(nullptr));
  throw Error(ErrorKind::kInternal, engine.string() + ": cannot be started; it belongs beside roclip-bench");
}

}  // namespace roclip::bench
