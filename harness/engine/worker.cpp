#include "harness/engine/worker.h"

#include <atomic>
#include <climits>
#include <csignal>
#include <fstream>
#include <memory>
#include <set>

#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <torch/csrc/autograd/profiler_legacy.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/data.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/engine/cell.h"
#include "harness/engine/plan.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace {

std::atomic<bool> stop_requested = false;
int event_descriptor = -1;

void tell(const Event& event) { write_all(event_descriptor, write_event(event)); }  // nobody listens: then not

/// Takes its place in the world. @param supervisor as in CellTask
void settle(pid_t supervisor) {
  if (supervisor > 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != supervisor) ::_exit(0);  // gone before prctl() could tell us
  }
  // Activations come and go every step; handing them back to the kernel each time costs 15 % of a step (tiny, CPU).
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a full quota is an error of write(), and so a reason in the result
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  at::set_num_threads(1);
}

/// Memory that this process may still take before allocation fails, so that a plugin that takes too much gets an
/// exception. The supervisor also watches resident memory.
void limit_memory(double mib) {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0, shared = 0, text = 0, library = 0, data = 0;
  statm >> size >> resident >> shared >> text >> library >> data;
  const auto bytes = static_cast<rlim_t>(data * ::sysconf(_SC_PAGESIZE)) + static_cast<rlim_t>(mib * 1048576);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_DATA, &limit);
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  ::sched_setaffinity(0, sizeof set, &set);  // a wish: where it is not granted, the cell runs all the same
}

/// A step on few pixels leaves most of a GPU idle, and the host is what takes the time: several cells at once then end
/// sooner. (results/perf/gpu.md)
std::int64_t cells_a_gpu(const std::vector<Cell>& cells) {
  constexpr std::int64_t kFilling_px = 1 << 20, kMost = 16;  // pixels of a batch that keep a GPU busy
  std::int64_t most_px = 1;
  for (const auto& cell : cells) {
    const std::int64_t px = image_px_of(cell.config.at("model")), batch = cell.config.at("training").at("batch_size");
    most_px = std::max(most_px, batch * px * px);
  }
  return std::clamp<std::int64_t>(kFilling_px / most_px, 1, kMost);
}

/// Lets this process see its own GPU only, before the first call of CUDA, so that it takes no memory of another and its
/// checkpoints fit wherever it goes on. @param device "cpu" or "cuda:1"
torch::Device take_device(const std::string& device, const Cell& cell) {
  const torch::Device wanted(device);
  if (!wanted.is_cpu()) {
    const auto index = static_cast<std::size_t>(std::max<int>(0, wanted.index()));
    ::setenv("CUDA_VISIBLE_DEVICES", sole_gpu(std::getenv("CUDA_VISIBLE_DEVICES"), index).c_str(), 1);
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // what equal bits ask for; read when the first product is made
    // cuBLASLt looks for a kernel at every product with a bias: on an H100 0.25 ms, longer than a small one takes.
    if (cells_a_gpu({cell}) > 1) ::setenv("DISABLE_ADDMM_CUDA_LT", "1", 0);
  }
  load_gpu_support();
  return wanted.is_cpu() ? wanted : torch::Device(wanted.type(), 0);
}

int do_task(const PrepareTask& task) {
  load_gpu_support();
  const auto devices = parse_devices(task.device);
  if (const auto warning = slow_blas_warning(); !warning.empty()) tell(Warning{warning});

  const Registry registry(plugin_search_path(task.plugin_path));
  const Matrix matrix = parse_matrix(task.matrix, task.file);
  Expanded expanded{.devices = {}, .cells = make_plan(matrix, registry), .builds = loaded_code()};
  const auto& cells = expanded.cells;
  for (const auto& device : devices) expanded.devices.push_back(device.str());
  expanded.cells_a_gpu = cells_a_gpu(cells);
  for (const auto& cell : cells) {
    if (cell.refused.empty()) expanded.builds.merge(plugin_builds(cell.config, registry));
  }
  tell(expanded);

  if (!task.make_data && !is_prepared(cells.front().config.at("data"))) return 0;
  const OutputFolder out{task.out};
  const Progress progress = [](std::string_view what, std::int64_t done, std::int64_t total) {
    tell(PrepareProgress{std::string(what), done, total});
  };
  std::map<std::int64_t, LoadedData> by_size;
  const auto data_of = [&](const Cell& cell) -> const LoadedData& {
    const std::int64_t image_px = image_px_of(cell.config.at("model"));
    if (!by_size.contains(image_px)) by_size.emplace(image_px, open_data(cell.config, progress));
    return by_size.at(image_px);
  };
  const auto& first = data_of(cells.front());
  if (!first.record.at("rows").empty()) {  // the user's own data: of ours, what is left out is documented
    for (const auto& line : left_out_lines(first.record)) tell(Warning{"WARNING: " + line});
  }
  expect_data_fits(cells, first.train->size(), first.held_out.size(), matrix, registry);
  DataReady ready{.data_hash = first.hash, .data = first.record, .trainings = {}, .pairs = {}, .checkpoints = {}};
  for (const auto& cell : cells) {
    if (!cell.refused.empty()) continue;
    try {
      const auto training = training_keys(cell.config, data_of(cell).hash, registry, devices.front());
      ready.trainings[cell.id] = training.shared.empty() ? training.own : training.shared;
      ready.pairs[cell.id] = training.epochs * data_of(cell).train->size();
      ready.checkpoints.insert({training.own, training.shared});
    } catch (const std::exception&) {  // a defense that cannot be made: its cell will fail with the reason
    }
  }
  tell(ready);

  std::set<std::string> planned;
  std::vector<StoredPlan> plans;
  for (const auto& cell : cells) {
    if (!cell.refused.empty()) continue;
    Json which = {cell.config.at("attack"), image_px_of(cell.config.at("model"))};
    if (task.make_data) which.push_back(cell.seed);  // without the manifests, one plan of an attack tells its trials
    if (!planned.insert(which.dump()).second) continue;
    tell(Planning{cell.attack});
    try {
      if (must_prepare(cell.config, data_of(cell), registry, out)) continue;  // the first cell that needs it does
      const auto attack = ready_attack(cell.config, data_of(cell), registry, out, devices.front());
      plans.push_back(poison_plan(cell.config, data_of(cell), registry, attack, out));
      tell(Planned{cell.attack, trials_of(plans.back().plan.goal, data_of(cell).held_out)});
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::kMatrix) {
        throw Error(e.kind(), matrix.where("/attacks") + " (" + cell.attack + "): " + e.what());
      }
      tell(PlanFailed{cell.attack, e.what()});
    } catch (const std::exception& e) {
      tell(PlanFailed{cell.attack, e.what()});
    }
  }
  if (task.make_data) {
    for (const auto& plan : plans) store_manifest(plan, out);
  }
  return 0;
}

/// Writes a Chrome trace (chrome://tracing, ui.perfetto.dev) of a few steps, after some to get warm.
std::function<void(std::int64_t)> tracer(const std::filesystem::path& file) {
  constexpr std::int64_t kFirst = 20, kLast = 30;
  return [file, profile = std::shared_ptr<torch::autograd::profiler::RecordProfile>()](std::int64_t step) mutable {
    if (step == kFirst) profile = std::make_shared<torch::autograd::profiler::RecordProfile>(file.string());
    if (step == kLast) profile.reset();
  };
}

/// @param ranks that train the cell
int run_one(const CellTask& task, const Ranks& ranks) {
  ::signal(SIGTERM, [](int) { stop_requested = true; });
  if (task.cpu >= 0) pin_to(task.cpu);
  const Registry registry(plugin_search_path(task.plugin_path));
  const auto device = take_device(task.device, task.cell);
  if (const double mib = task.cell.limits.memory_mib; mib > 0 && device.is_cpu()) limit_memory(mib);
  if (ranks.size() > 1 && !device.is_cpu()) {
    const auto why = ranks.use_nccl(program_dir() / "libroclip_nccl.so", std::getenv("CUDA_VISIBLE_DEVICES"));
    if (!why.empty())
      std::fprintf(stderr, "The ranks talk through the host's memory, not over NCCL: %s\n", why.c_str());
  }
  TrainHooks hooks;
  hooks.stop_requested = [] { return stop_requested.load(); };
  hooks.loader_threads = task.loader_threads;
  if (!task.trace.empty()) hooks.after_step = tracer(task.trace);
  hooks.progress = [](const TrainProgress& progress) { tell(progress); };
  const auto record = run_cell(task.cell,
                               {.registry = registry,
                                .device = device,
                                .out = {task.out},
                                .checkpoint = task.checkpoint,
                                .keep_weights = task.keep_weights,
                                .command_line = task.command_line,
                                .ranks = ranks},
                               std::move(hooks));
  if (!record) {
    tell(Stopped{});
    return 0;
  }
  if (task.ranks.rank == 0 || !record->ok()) tell(Finished{to_json(*record)});
  return record->ok() ? 0 : kCellNotOk;
}

/// Before the cell has begun.
int lost(const CellTask& task, const RanksLost& why) {
  tell(Finished{to_json(cell_record(task.cell, Status::kCrashed, why.what()))});
  return kCellNotOk;
}

int do_task(const CellTask& task) {
  if (task.ranks.size == 1) return run_one(task, Ranks::alone());
  try {
    Meeting meeting(task.ranks);
    meeting.announce(task.work, write_task(task));
    const Ranks ranks(meeting, task.ranks, task.work);
    return run_one(task, ranks);
  } catch (const RanksLost& e) {
    return lost(task, e);
  }
}

int do_task(const RankTask& task) {
  Meeting meeting(task.ranks);
  const auto [number, work] = meeting.await(task.last);
  if (work.empty()) {
    tell(Joined{number, ""});
    return 0;
  }
  auto cell = std::get<CellTask>(read_task(Json::parse(work)));
  tell(Joined{number, cell.cell.id});
  if (!task.device.empty()) {
    cell.device = task.device;
  } else if (cell.device != "cpu") {
    cell.device = "cuda:" + std::to_string(task.ranks.local);
  }
  cell.ranks = task.ranks;
  cell.plugin_path = task.plugin_path;
  cell.cpu = task.cpu;
  cell.loader_threads = task.loader_threads;
  cell.trace.clear();
  try {
    const Ranks ranks(meeting, task.ranks, number);
    return run_one(cell, ranks);
  } catch (const RanksLost& e) {
    return lost(cell, e);
  }
}

int do_task(const DismissTask& task) {
  Meeting(task.ranks).dismiss();
  return 0;
}

int do_task(const Json& json) {
  const auto fail = [](ErrorKind kind, const std::string& message) {
    tell(TaskFailed{kind, message});
    return static_cast<int>(kind);
  };
  try {
    const Task task = read_task(json);
    std::visit([](const auto& kind) { settle(kind.supervisor); }, task);
    return std::visit([](const auto& kind) { return do_task(kind); }, task);
  } catch (const Error& e) {
    return fail(e.kind(), e.what());
  } catch (const std::exception& e) {
    return fail(ErrorKind::kInternal, e.what());
  }
}

}  // namespace

void work(const Json& task, int events) {
  event_descriptor = events;
  const int code = do_task(task);
  std::fflush(nullptr);
  ::_exit(code);  // nothing of LibTorch's needs its destructor
}

}  // namespace roclip::bench
