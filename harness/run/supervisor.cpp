#include "harness/run/supervisor.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>

#include <poll.h>
#include <sys/wait.h>

#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "harness/record/text.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kTickMs = 250;
constexpr auto kGrace = std::chrono::seconds(20);  // for a worker to write its checkpoint

/// How many processes the kernel has killed for want of memory.
std::int64_t oom_kills() {
  std::ifstream statistics("/proc/vmstat");
  std::string key;
  for (std::int64_t value = 0; statistics >> key >> value;) {
    if (key == "oom_kill") return value;
  }
  return 0;
}

std::string log_name(const Cell& cell, std::size_t rank) {
  return rank == 0 ? cell.id : cell.id + ".rank-" + std::to_string(rank);
}

std::string mib(double value) { return format("%.0f MiB", value); }

}  // namespace

std::vector<std::string> job_devices(std::int64_t jobs, const Expanded& plan, std::size_t cells, int ranks) {
  const auto& devices = plan.devices;
  if (jobs == 0) {
    const auto cores = std::max<std::int64_t>(1, std::ssize(allowed_cpus())), gpus = std::ssize(devices);
    if (devices.front() == "cpu") {
      jobs = cores / ranks;
    } else {
      jobs = ranks > 1 ? gpus / ranks : std::clamp(plan.cells_a_gpu * gpus, gpus, std::max(gpus, cores));
    }
  }
  jobs = std::clamp<std::int64_t>(jobs, 1, std::max<std::int64_t>(1, static_cast<std::int64_t>(cells)));
  std::vector<std::string> result;
  while (std::ssize(result) < jobs * ranks) result.push_back(devices[result.size() % devices.size()]);
  return result;
}

Supervisor::Supervisor(const Signals& signals, const OutputFolder& out, SupervisorOptions options, ResultTable& results,
                       RunState& state, ProgressView& view)
    : signals_(signals),
      out_(out),
      options_(std::move(options)),
      results_(results),
      state_(state),
      view_(view),
      busy_(options_.devices.size() / static_cast<std::size_t>(options_.ranks), false),
      oom_kills_(oom_kills()) {
  // Only where the run takes the whole machine: otherwise two runs would pin their workers to the same processors.
  const auto cpus = allowed_cpus();
  constexpr std::size_t kMostThreads = 16;  // more do not help one cell
  loader_threads_ = static_cast<int>(std::clamp(cpus.size() / options_.devices.size(), std::size_t{1}, kMostThreads));
  if (options_.devices.front() == "cpu" && cpus.size() > 1 && cpus.size() == options_.devices.size()) cpus_ = cpus;
}

void Supervisor::run(std::vector<const Cell*> waiting) {
  auto last = Clock::now();
  while (!running_.empty() || (!waiting.empty() && !stopping_)) {
    start_cells(waiting);
    if (running_.empty()) continue;
    wait();
    const double elapsed = seconds_since(last);
    last = Clock::now();
    if (waiting.empty() && !stopping_) {
      idle_at_end_s_ += elapsed * static_cast<double>(busy_.size() - running_.size());
    }
    if (const auto number = signals_.take()) {
      const bool again = signal_ != 0;
      signal_ = *number;
      stop(/*at_once=*/again);
    }
    if (stopping_ && Clock::now() > stop_deadline_) stop(/*at_once=*/true);
    for (auto running = running_.begin(); running != running_.end();) {
      const bool ended = running->first().has_ended();
      for (std::size_t rank = 0; rank < running->workers.size(); ++rank) take_events(*running, rank);
      if (!ended) look_after_ranks(*running);
      if (!ended) enforce_limits(*running);
      if (ended) finish(*running, waiting);
      running = ended ? running_.erase(running) : std::next(running);
    }
    results_.save_now_and_then();
    view_.tick(state_);
  }
}

void Supervisor::start_cells(std::vector<const Cell*>& waiting) {
  while (!stopping_) {
    const auto slot = static_cast<std::size_t>(std::ranges::find(busy_, false) - busy_.begin());
    if (slot == busy_.size()) return;
    // A cell that shares a training which another is at waits until that is done.
    const auto next = std::ranges::find_if(waiting, [&](const Cell* cell) {
      const auto key = training(*cell);
      return key.empty() || std::ranges::none_of(running_, [&](const Running& r) { return training(*r.cell) == key; });
    });
    if (next == waiting.end()) return;
    const Cell& cell = **next;
    waiting.erase(next);
    if (!cell.refused.empty()) {
      store(cell, cell_record(cell, Status::kFailed, cell.refused), waiting);
      continue;
    }
    Cell limited = cell;
    if (limited.limits.memory_mib <= 0) limited.limits.memory_mib = kMemoryShare * machine_memory_mib();
    std::vector<std::unique_ptr<Worker>> workers;
    try {
      workers = start_workers(limited, slot);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kData) throw;  // without an engine no cell can run
      store(cell, cell_record(cell, Status::kFailed, e.what()), waiting);
      continue;
    }
    state_.started(cell, workers.front()->pid());
    running_.push_back(
        {.cell = &cell, .slot = slot, .memory_mib = limited.limits.memory_mib, .workers = std::move(workers)});
    busy_[slot] = true;
    view_.started(state_, cell);
  }
}

std::vector<std::unique_ptr<Worker>> Supervisor::start_workers(const Cell& cell, std::size_t slot) {
  const auto ranks = static_cast<std::size_t>(options_.ranks), at = slot * ranks;
  auto place = options_.place;
  if (ranks > 1) place = {.size = options_.ranks, .port = free_port(), .patience_s = ranks_patience_s(::getenv)};
  const auto cpu = [&](std::size_t rank) { return cpus_.empty() ? -1 : cpus_[at + rank]; };
  std::vector<std::unique_ptr<Worker>> workers;
  workers.push_back(std::make_unique<Worker>(CellTask{.cell = cell,
                                                      .out = out_.root,
                                                      .plugin_path = options_.plugin_path,
                                                      .device = options_.devices[at],
                                                      .checkpoint = options_.checkpoint,
                                                      .cpu = cpu(0),
                                                      .loader_threads = loader_threads_,
                                                      .trace = options_.trace ? out_.trace_file(cell.id) : "",
                                                      .keep_weights = options_.keep_weights,
                                                      .command_line = options_.command_line,
                                                      .ranks = place,
                                                      .work = works_++},
                                             out_.log_file(cell.id)));
  for (std::size_t rank = 1; rank < ranks; ++rank) {
    place.rank = static_cast<int>(rank);
    workers.push_back(std::make_unique<Worker>(RankTask{.ranks = place,
                                                        .plugin_path = options_.plugin_path,
                                                        .device = options_.devices[at + rank],
                                                        .cpu = cpu(rank),
                                                        .loader_threads = loader_threads_},
                                               out_.log_file(log_name(cell, rank))));
  }
  return workers;
}

void Supervisor::wait() {
  std::vector<pollfd> descriptors = {{signals_.descriptor(), POLLIN, 0}};
  for (const auto& running : running_) {
    for (const auto& worker : running.workers) {
      if (worker->pid() < 0) continue;  // a rank that has ended before the first
      descriptors.push_back({worker->events_descriptor(), POLLIN, 0});
      descriptors.push_back({worker->end_descriptor(), POLLIN, 0});
    }
  }
  ::poll(descriptors.data(), descriptors.size(), kTickMs);
}

void Supervisor::take_events(Running& running, std::size_t rank) {
  auto& found = rank == 0 ? running.record : running.rank_record;
  const auto keep = [&](CellRecord record) {
    if (rank > 0 && (found || running.record)) return;  // the first failure is the cause
    if (rank > 0) {
      record.reason = "rank " + std::to_string(rank) + ": " + record.reason;
      running.failed_rank = rank;
    }
    found = std::move(record);
  };
  for (auto& event : running.workers[rank]->read()) {
    if (const auto* finished = std::get_if<Finished>(&event)) {
      // A plugin that writes to this descriptor cannot pass for its cell by accident.
      const Json& record = finished->record;
      if (!record.is_object() || record.value("id", Json()) != running.cell->id) continue;
      try {
        keep(read_cell_record(CheckedJson(record, "the worker's result", "")));
      } catch (const Error& e) {
        keep(cell_record(*running.cell, Status::kFailed, e.what()));
      }
    } else if (std::holds_alternative<Stopped>(event)) {
      running.interrupted |= rank == 0;
    } else if (const auto* failed = std::get_if<TaskFailed>(&event)) {
      keep(cell_record(*running.cell, Status::kFailed, failed->message));
    } else if (const auto* progress = std::get_if<TrainProgress>(&event)) {
      if (!running.first_step_s) running.first_step_s = running.first().running_s();
      state_.progressed(*running.cell, *progress);
    }
  }
}

/// The first rank hears of the end of another as soon as it waits for it; or it is ended, too.
void Supervisor::look_after_ranks(Running& running) {
  for (std::size_t rank = 1; rank < running.workers.size(); ++rank) {
    auto& worker = *running.workers[rank];
    if (worker.pid() < 0 || !worker.has_ended()) continue;
    take_events(running, rank);
    const int status = worker.reap();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;  // trained, or asked to stop
    running.last_moment = Clock::now() + kGrace;
    if (running.rank_record || running.record) continue;
    running.failed_rank = rank;
    running.rank_record = crashed(*running.cell, "rank " + std::to_string(rank), worker, status);
    running.first().signal(SIGKILL);
  }
  if (running.last_moment && Clock::now() > *running.last_moment) running.first().signal(SIGKILL);
}

void Supervisor::enforce_limits(Running& running) {
  if (running.killed || running.interrupted) return;
  const auto kill = [&](Status status, const std::string& why) {
    running.killed = true;
    if (!running.record) running.record = cell_record(*running.cell, status, why);
    running.signal_all(SIGKILL);
  };
  const double limit_s = running.cell->limits.time_s;
  if (limit_s > 0 && running.first().running_s() > limit_s) {
    return kill(Status::kTimeout, "took more than " + show_duration(limit_s) + ", the limit of limits/time_s");
  }
  double used = 0;
  for (const auto& worker : running.workers) used += worker->memory_mib();
  if (used > running.memory_mib) {
    kill(Status::kOutOfMemory,
         "took " + mib(used) + " of memory, more than " + mib(running.memory_mib) +
             (running.cell->limits.memory_mib > 0 ? ", the limit of limits/memory_mib" : ", 90 % of the machine's"));
  }
}

void Supervisor::stop(bool at_once) {
  if (!stopping_ && !at_once && !running_.empty()) {
    view_.notice("stopping: waiting for the checkpoint of " + counted(std::ssize(running_), "cell") +
                 "; Ctrl-C again stops at once");
  }
  if (!stopping_) stop_deadline_ = Clock::now() + kGrace;
  stopping_ = true;
  state_.set_phase("stopping");
  for (auto& running : running_) {
    if (at_once) {
      running.interrupted = true;
      running.signal_all(SIGKILL);
    } else {
      running.first().signal(SIGTERM);  // the ranks agree before each step
    }
  }
}

void Supervisor::finish(Running& running, std::vector<const Cell*>& waiting) {
  const int status = running.first().reap();
  end_orphans([&](pid_t pid) {
    return std::ranges::any_of(running_, [&](const Running& other) {
      return std::ranges::any_of(other.workers, [&](const auto& worker) { return worker->pid() == pid; });
    });
  });
  busy_[running.slot] = false;
  // Asked to stop before it could hear it: no fault of the cell.
  const bool deaf = stopping_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
  if (!running.record && (running.interrupted || deaf)) {
    if (!stopping_ && options_.place.size > 1) {  // another rank was asked to stop
      signal_ = SIGTERM;
      stop(/*at_once=*/false);
    }
    state_.interrupted(*running.cell);
    view_.interrupted(state_, *running.cell);
    waiting.insert(waiting.begin(), running.cell);
    return;
  }
  store(*running.cell, record_of(running, status), waiting);
}

CellRecord Supervisor::crashed(const Cell& cell, const std::string& who, const Worker& worker, int wait_status) const {
  Status status = Status::kCrashed;
  std::string why = who + " " + how_it_ended(wait_status) + " and left no result";
  if (WIFSIGNALED(wait_status)) {
    const bool kernel = WTERMSIG(wait_status) == SIGKILL && oom_kills() > oom_kills_;
    const bool thrown =
        WTERMSIG(wait_status) == SIGABRT && worker.last_output().find("std::bad_alloc") != std::string::npos;
    if (kernel || thrown) status = Status::kOutOfMemory;
    if (kernel) why += "; the kernel ran out of memory meanwhile";
    if (status == Status::kCrashed) why += "; `roclip-bench plugin test` can find the cause if it is a plugin";
  }
  return cell_record(cell, status, why);
}

CellRecord Supervisor::record_of(Running& running, int wait_status) const {
  const auto& of_rank = running.rank_record;
  CellRecord record = running.record ? std::move(*running.record)
                      : of_rank      ? *of_rank
                                     : crashed(*running.cell, "the worker", running.first(), wait_status);
  const bool alike = of_rank && of_rank->reason.ends_with(": " + record.reason);  // as when the loss diverges for all
  std::size_t rank = 0;                                                           // whose end is the cell's
  if (of_rank && !record.ok() && !alike) {
    rank = running.failed_rank;
    record.status = of_rank->status;
    record.reason = of_rank->reason;
  }
  record.cost.first_step_s = running.first_step_s;
  record.log = out_.log_file(log_name(*running.cell, rank)).lexically_relative(out_.root).string();
  record.output = running.workers[rank]->last_output();
  return record;
}

void Supervisor::store(const Cell& cell, CellRecord record, const std::vector<const Cell*>& waiting) {
  bool stored = true;
  try {
    write_json(out_.cell_file(cell.id), to_json(record));
  } catch (const Error& e) {
    stored = false;
    record = cell_record(cell, Status::kFailed, std::string("its result cannot be stored: ") + e.what());
  }
  const Status status = record.status;
  if (record.ok()) cells_s_ += record.cost.worker_s;
  // What a later attempt could go on from stays.
  const bool useful = status == Status::kCrashed || status == Status::kTimeout || status == Status::kOutOfMemory ||
                      status == Status::kSkipped || !stored;
  const auto key = training(cell);
  const bool wanted = std::ranges::any_of(waiting, [&](const Cell* other) { return training(*other) == key; });
  const auto forget = [&](const std::string& one) {
    std::error_code ignored;
    if (!useful && !one.empty()) fs::remove_all(out_.checkpoint_folder(one), ignored);
  };
  if (!wanted) forget(key);
  if (record.training.key != key) forget(record.training.key);  // of this cell's own stages
  results_.set(cell, record);
  state_.finished(cell, std::string(to_string(status)), record.reason);
  view_.finished(state_, record);
  failures_ += status != Status::kOk && status != Status::kSkipped;
  if (options_.max_fail > 0 && !stopping_ && failures_ >= options_.max_fail) {
    view_.notice("stopping after " + counted(failures_, "failure") + " (--max-fail)");
    stop(/*at_once=*/false);
  }
}

std::string Supervisor::training(const Cell& cell) const {
  const auto found = options_.trainings.find(cell.id);
  return found == options_.trainings.end() ? "" : found->second;
}

}  // namespace roclip::bench
