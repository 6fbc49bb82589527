/// Studies on Slurm: the script of a job array, and a run that submits it and watches.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include <poll.h>

#include "harness/app/commands.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/record/signals.h"
#include "harness/report/render.h"
#include "harness/run/folder_lock.h"
#include "harness/run/preparation.h"
#include "harness/run/slurm.h"
#include "harness/study/select.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// The program as another shell calls it: in a bundle, that is the script that finds LibTorch.
fs::path start_file() {
  const auto script = program_dir().parent_path() / "roclip-bench";
  return fs::is_regular_file(script) ? script : program_dir() / "roclip-bench";
}

struct Planned {
  SlurmArray array;
  std::set<std::string> ids;  ///< of the cells
};

/// @param signals may stop the look at the matrix. @return none if one did, which is then in `signal`
/// @throws Error(kData) if the data is not prepared: tasks would all do it
std::optional<Planned> planned(const RunOptions& options, const SlurmOptions& slurm, const Signals& signals,
                               int& signal) {
  const Matrix matrix = load_matrix(options.matrix);
  const auto out = fs::absolute(options.out.empty() ? default_out(matrix) : options.out).lexically_normal();
  ProgressView view(options.progress, options.color);
  const auto prepared =
      prepare(matrix, {.out = out, .plugin_path = options.plugin_path, .device = options.device, .make_data = false},
              signals, view, signal);
  if (!prepared) return std::nullopt;
  const auto file = fs::absolute(options.matrix).lexically_normal();
  if (prepared->data_hash.empty()) {
    throw Error(ErrorKind::kData,
                "the data is not prepared yet, and every task would prepare it; next: roclip-bench data prepare " +
                    shell_word(file.string()) + ", in a cache that all nodes see (ROCLIP_BENCH_CACHE)");
  }
  const auto cells = select(prepared->cells, options.only);
  SlurmArray array{.name = matrix.name,
                   .out = out,
                   .run = {start_file().string(), "run", file.string()},
                   .cells = std::ssize(cells),
                   .tasks = std::min(slurm.tasks, static_cast<std::int64_t>(most_shards(cells, prepared->trainings))),
                   .at_once = slurm.at_once,
                   .sbatch = slurm.sbatch};
  for (const auto& folder : options.plugin_path) {
    array.run.insert(array.run.end(), {"--plugin-path", fs::absolute(folder).string()});
  }
  array.run.insert(array.run.end(), {"--device", options.device, "--jobs",
                                     std::to_string(std::max<std::int64_t>(1, options.jobs)), "--progress", "none"});
  if (options.ranks > 1) array.run.insert(array.run.end(), {"--ranks", std::to_string(options.ranks)});
  if (options.keep_weights) array.run.push_back("--keep-weights");
  for (const auto& terms : options.only) array.run.insert(array.run.end(), {"--only", terms});
  fs::create_directories(array.out);
  Planned found{std::move(array), {}};
  for (const auto* cell : cells) found.ids.insert(cell->id);
  return found;
}

struct Answer {
  int status;
  std::string text;
};

/// What a command of Slurm says, its errors too.
Answer ask(const std::vector<std::string>& words) {
  std::FILE* output = ::popen((shell_command(words) + " 2>&1").c_str(), "r");
  if (output == nullptr) throw Error(ErrorKind::kInternal, "cannot run " + words.front());
  Answer answer{0, ""};
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) answer.text += static_cast<char>(c);
  answer.status = ::pclose(output);
  while (answer.text.ends_with('\n')) answer.text.pop_back();
  return answer;
}

/// Whether Slurm has tasks of the job that have not ended. @throws Error(kData) if it does not say
bool is_alive(const std::string& job) {
  const auto answer = ask({"squeue", "--noheader", "--jobs", job});
  if (answer.status == 0) return !answer.text.empty();
  if (answer.text.find("Invalid job id") != std::string::npos) return false;  // forgotten: it ended long ago
  throw Error(ErrorKind::kData, "squeue does not tell of job " + job + ": " + answer.text);
}

/// The job that runs this study already, or a new one. @throws Error(kData) if Slurm does not answer or refuses it, or
/// while another process submits it
std::string job_of(const SlurmArray& array) {
  const FolderLock lock(array.out);
  const auto id_file = array.out / "slurm.job";
  std::string job;
  if (std::ifstream stored(id_file); stored >> job && is_alive(job)) {
    std::fprintf(stderr, "job %s runs this study already\n", escape_text(job).c_str());
    return job;
  }
  const auto script = array.out / "study.sh";
  write_file(script, slurm_script(array));
  const auto answer = ask({"sbatch", "--parsable", script.string()});
  if (answer.status != 0) {
    throw Error(ErrorKind::kData, "sbatch does not take " + script.string() + ": " + answer.text);
  }
  job = answer.text.substr(0, answer.text.find(';'));  // ";cluster" may follow
  write_file(id_file, job + "\n");
  std::fprintf(stderr, "job %s: %lld cells in %lld tasks\n", escape_text(job).c_str(),
               static_cast<long long>(array.cells), static_cast<long long>(array.tasks));
  return job;
}

}  // namespace

int emit_command(const RunOptions& options, const SlurmOptions& slurm) {
  const Signals signals;
  int signal = 0;
  const auto found = planned(options, slurm, signals, signal);
  if (!found) return 128 + signal;
  std::cout << slurm_script(found->array);
  return 0;
}

int run_on_slurm(const RunOptions& options, const SlurmOptions& slurm) {
  const Signals signals;
  int signal = 0;
  const auto found = planned(options, slurm, signals, signal);
  if (!found) return 128 + signal;
  const auto& array = found->array;
  const auto job = job_of(array);
  Paths parts;
  for (std::int64_t task = 1; task <= array.tasks; ++task)
    parts.push_back(array.out / ("part-" + std::to_string(task)));
  std::string told;
  for (;;) {
    std::string now;
    try {
      if (!is_alive(job)) break;
      now = sums_of(parts);
    } catch (const Error& e) {  // the controller restarts, or a file is being written: it will answer again
      now = std::string(e.what()) + "; still watching\n";
    }
    if (now != told) std::fputs((told = now).c_str(), stderr);
    pollfd wait{signals.descriptor(), POLLIN, 0};
    ::poll(&wait, 1, /*ms=*/5000);
    const auto taken = signals.take();
    if (!taken) continue;
    if (slurm.cancel) ask({"scancel", job});
    std::fprintf(stderr,
                 slurm.cancel ? "job %s is cancelled; its checkpoints are kept, and the same command goes on\n"
                              : "job %s goes on; the same command watches it again, and scancel ends it\n",
                 escape_text(job).c_str());
    return 128 + *taken;
  }
  std::fputs(sums_of(parts).c_str(), stderr);
  std::erase_if(parts, [](const fs::path& part) { return !fs::exists(OutputFolder{part}.results_file()); });
  if (parts.empty()) {
    throw Error(ErrorKind::kData, "no task has results; their output is in " + array.out.string() + "/part-*.log");
  }
  const auto study = load_study(parts);
  std::fputs(render_text(summarise(study)).c_str(), stdout);
  const auto ended_ok =
      std::ranges::count_if(study.cells, [&](const auto& cell) { return found->ids.contains(cell.id) && cell.ok(); });
  return ended_ok == array.cells ? 0 : kCellNotOk;
}

}  // namespace roclip::bench
