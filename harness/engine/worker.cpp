#include "harness/engine/worker.h"
#include "harness/study/matrix.h"

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fstream>
#include <memory>
#include <set>

#include <sched.h>
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

namespace roclip::bench {

namespace {

std::atomic<bool> stop_requested = false;

void tell(const Json& event) {
  write_all(kEventDescriptor,
            event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");  // no supervisor: no worker
}

std::string read_all(int fd) {
  std::string text;
  char chunk[65536];
  for (;;) {
    const auto got = ::read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
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

Progress progress_events() {
  return [](std::string_view what, std::int64_t done, std::int64_t total) {
    tell({{"progress", what}, {"done", done}, {"total", total}});
  };
}

int prepare(const Json& task) {
  const auto devices = parse_devices(task.at("device"));
  Json names = Json::array();
  for (const auto& device : devices) names.push_back(device.str());
  tell({{"devices", names}});
  if (const auto warning = slow_blas_warning(); !warning.empty()) tell({{"warning", warning}});

  const Registry registry(plugin_search_path(task.at("plugin_path")));
  const Matrix matrix = parse_matrix(task.at("matrix"), task.at("file").get<std::string>());
  const auto cells = make_plan(matrix, registry);
  tell({{"cells", cells_to_json(cells)}});

  const bool make_data = task.at("make_data");
  if (!make_data && !is_prepared(cells.front().config.at("data"))) return 0;
  const OutputFolder out{task.at("out").get<std::string>()};
  std::map<std::int64_t, LoadedData> by_size;
  const auto data_of = [&](const Cell& cell) -> const LoadedData& {
    const std::int64_t image_px = cell.config.at("model").at("image_px");
    auto found = by_size.find(image_px);
    if (found == by_size.end()) found = by_size.emplace(image_px, open_data(cell.config, progress_events())).first;
    return found->second;
  };
  const auto& first = data_of(cells.front());
  tell({{"data_hash", first.hash}});
  if (!first.record.at("rows").empty()) {  // the user's own data: of ours, what is left out is documented
    for (const auto& line : left_out_lines(first.record)) tell({{"warning", "WARNING: " + line}});
  }

  Json keys = Json::object(), trial_counts = Json::object(), builds = Json::object();
  for (const auto& cell : cells) {
    if (!cell.refused.empty()) continue;
    builds.update(Json(plugin_builds(cell.config, registry)));
    try {
      const auto training = training_keys(cell.config, data_of(cell).hash, registry, devices.front());
      keys[cell.id] = training.shared.empty() ? training.own : training.shared;
    } catch (const std::exception&) {  // a defense that cannot be made: its cell will say so
    }
  }
  tell({{"trainings", std::move(keys)}});
  tell({{"builds", std::move(builds)}});

  std::set<std::string> planned;
  std::vector<StoredPlan> plans;
  for (const auto& cell : cells) {
    if (!cell.refused.empty()) continue;
    Json which = {cell.config.at("attack"), cell.config.at("model").at("image_px")};
    if (make_data) which.push_back(cell.seed);  // nobody needs the plans: one an attack tells how large its test is
    if (!planned.insert(which.dump()).second) continue;
    tell({{"doing", "planning " + cell.attack}});
    const auto cannot = [&](const std::string& why) {
      tell({{"hopeless", cell.attack}});
      tell({{"warning", "WARNING: " + cell.attack + " cannot plan, and its cells will fail: " + why}});
    };
    try {
      if (must_prepare(cell.config, data_of(cell), registry, out)) continue;  // the first cell that needs it does
      const auto ready = ready_attack(cell.config, data_of(cell), registry, out, devices.front());
      plans.push_back(poison_plan(cell.config, data_of(cell), registry, ready, out));
      trial_counts[cell.attack] = trials_of(plans.back().plan.goal, data_of(cell).held_out);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::kMatrix) {
        throw Error(e.kind(), matrix.where("/attacks") + " (" + cell.attack + "): " + e.what());
      }
      cannot(e.what());
    } catch (const std::exception& e) {
      cannot(e.what());
    }
  }
  tell({{"trials", std::move(trial_counts)}});
  if (make_data) {
    for (const auto& plan : plans) store_manifest(plan, out);
  }
  return 0;
}

/// Writes a Chrome trace (chrome://tracing, ui.perfetto.dev) of a few steps, after some to get warm.
std::function<void(std::int64_t)> tracer(const std::string& file) {
  constexpr std::int64_t kFirst = 20, kLast = 30;
  return [file, profile = std::shared_ptr<torch::autograd::profiler::RecordProfile>()](std::int64_t step) mutable {
    if (step == kFirst) profile = std::make_shared<torch::autograd::profiler::RecordProfile>(file);
    if (step == kLast) profile.reset();
  };
}

int run_one(const Json& task) {
  const Cell cell = cell_from_json(task.at("cell"));
  if (!task.at("cpu").is_null()) pin_to(task.at("cpu"));
  const Registry registry(plugin_search_path(task.at("plugin_path")));
  const auto device = torch::Device(task.at("device").get<std::string>());
  if (cell.limits.memory_mib > 0 && device.is_cpu()) limit_memory(cell.limits.memory_mib);
  const auto checkpoint = read_params<CheckpointPolicy>(task.at("checkpoint"), "checkpoint");
  TrainHooks hooks;
  hooks.stop_requested = [] { return stop_requested.load(); };
  if (!task.at("trace").is_null()) hooks.after_step = tracer(task.at("trace"));
  hooks.progress = [](const TrainProgress& p) {
    tell({{"stage", p.stage},
          {"epoch", p.epoch},
          {"epochs", p.epochs},
          {"step", p.step},
          {"steps", p.steps},
          {"loss", p.loss},
          {"pairs_per_s", p.pairs_per_s}});
  };
  const Json record = run_cell_recorded(cell,
                                        {.registry = registry,
                                         .device = device,
                                         .out = {task.at("out").get<std::string>()},
                                         .checkpoint = checkpoint,
                                         .command_line = task.at("command")},
                                        std::move(hooks));
  if (record.is_null()) {
    tell({{"interrupted", true}});
    return 0;
  }
  tell({{"record", record}});
  return record.at("status") == "ok" ? 0 : 10;
}

}  // namespace

int worker_main() {
  const auto fail = [](ErrorKind kind, const std::string& message) {
    tell({{"error", {{"kind", static_cast<int>(kind)}, {"message", message}}}});
    return static_cast<int>(kind);
  };
  try {
    const Json task = Json::parse(read_all(kTaskDescriptor));
    if (task.at("task") == "prepare") return prepare(task);
    ::signal(SIGTERM, [](int) { stop_requested = true; });
    return run_one(task);
  } catch (const Error& e) {
    return fail(e.kind(), e.what());
  } catch (const std::exception& e) {
    return fail(ErrorKind::kInternal, e.what());
  }
}

}  // namespace roclip::bench
