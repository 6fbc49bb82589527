#include "harness/run/run.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <list>
#include <map>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/report/grid.h"
#include "harness/run/cell.h"
#include "harness/run/progress_view.h"
#include "registry.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr int kSomeCellsNotOk = 10;

/// Holds the output folder for one run at a time; the kernel lets go of it however this process ends.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder) {
    const auto file = folder / ".lock";
    descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
      const std::string pid = std::to_string(::getpid());
      if (::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, pid.data(), pid.size(), 0) > 0) return;
    }
    const std::string holder = descriptor_ >= 0 ? read_file(file) : "";
    throw Error(ErrorKind::kData, folder.string() + ": another run" +
                                      (holder.empty() ? "" : " (process " + holder + ")") +
                                      " is writing here; wait for it or choose another --out");
  }
  ~FolderLock() { ::close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// The run so far. Results are stored after every cell.
class Run {
 public:
  Run(const Matrix& matrix, const std::vector<Cell>& cells, const OutputFolder& out)
      : matrix_(matrix), cells_(cells), out_(out), results_(cells.size()) {}

  void store(const Cell& cell, Json result) {
    results_[static_cast<std::size_t>(&cell - cells_.data())] = std::move(result);
  }
  Json save() const {
    Json result = matrix_result(matrix_, cells_, results_);
    write_json(out_.results_file(), result);
    return result;
  }

 private:
  const Matrix& matrix_;
  const std::vector<Cell>& cells_;
  const OutputFolder& out_;
  std::vector<Json> results_;
};

std::int64_t job_count(const RunOptions& options, torch::Device device, std::size_t cells) {
  auto jobs = options.jobs;
  if (jobs == 0)
    jobs = device.is_cpu() ? static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency())) : 1;
  return std::min(jobs, static_cast<std::int64_t>(cells));
}

void run_cells(const std::vector<const Cell*>& waiting, std::int64_t jobs, const WorkerOptions& options, Run& run,
               ProgressView& view) {
  std::list<Worker> workers;
  for (auto next = waiting.begin(); next != waiting.end() || !workers.empty();) {
    while (next != waiting.end() && static_cast<std::int64_t>(workers.size()) < jobs) {
      workers.emplace_back(**next, options);
      view.started(**next);
      ++next;
    }
    std::vector<pollfd> descriptors;
    for (const auto& worker : workers) descriptors.push_back({worker.descriptor(), POLLIN, 0});
    if (::poll(descriptors.data(), descriptors.size(), -1) < 0) continue;
    auto descriptor = descriptors.begin();
    for (auto worker = workers.begin(); worker != workers.end(); ++descriptor) {
      bool ended = false;
      if (descriptor->revents != 0) {
        for (auto& event : worker->read()) {
          if (event.progress) view.progressed(worker->cell(), *event.progress);
          if (event.record.is_null()) continue;
          ended = true;
          view.finished(worker->cell(), cell_line(event.record), event.record.at("status") == "ok");
          run.store(worker->cell(), std::move(event.record));
          run.save();
        }
      }
      worker = ended ? workers.erase(worker) : std::next(worker);
    }
  }
}

}  // namespace

int run_matrix(const RunOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);  // a worker that dies before it has read its cell is a crashed cell, no more
  warn_about_slow_blas();
  const Matrix matrix = load_matrix(options.matrix);
  const Registry registry(plugin_search_path(options.plugin_path));
  const std::vector<Cell> cells = make_plan(matrix, registry);
  const torch::Device device = parse_device(options.device);
  const bool terminal = ::isatty(STDERR_FILENO) != 0;

  const WorkerOptions workers{
      options.plugin_path, options.device, {options.out.empty() ? matrix.file.parent_path() / "out" : options.out}};
  std::string data_hash;
  {
    ProgressView view(terminal, 0, 1);
    data_hash = check_attacks(cells, matrix, registry, [&](auto... args) { view.preparing(args...); });
  }
  workers.out.create();
  const FolderLock lock(workers.out.root);

  Run run(matrix, cells, workers.out);
  std::vector<const Cell*> waiting;
  for (const auto& cell : cells) {
    Json done = options.rerun ? Json() : finished_result(workers.out, cell, data_hash);
    if (done.is_null()) {
      waiting.push_back(&cell);
    } else {
      run.store(cell, std::move(done));
    }
  }
  const auto jobs = job_count(options, device, waiting.size());
  std::fprintf(stderr, "%s: %zu cells, %zu already done, %zu to run on %s, %lld at a time; results in %s\n",
               matrix.name.c_str(), cells.size(), cells.size() - waiting.size(), waiting.size(), device.str().c_str(),
               static_cast<long long>(jobs), workers.out.root.c_str());
  {
    ProgressView view(terminal, static_cast<std::int64_t>(waiting.size()), jobs);
    run_cells(waiting, jobs, workers, run, view);
  }
  const Json result = run.save();
  std::fputs(grid(result).c_str(), stdout);
  const bool all_ok = std::ranges::all_of(result.at("cells"), [](const Json& c) { return c.at("status") == "ok"; });
  return all_ok ? 0 : kSomeCellsNotOk;
}

}  // namespace roclip::bench
