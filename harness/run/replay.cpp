#include <cstdio>
#include <cstdlib>
#include <functional>

#include "harness/record/files.h"
#include "harness/run/run.h"
#include "harness/run/supervisor.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr int kNotEqual = 11;

/// A folder that is deleted in the end.
struct ScratchOutput {
  OutputFolder out;
  ScratchOutput() {
    std::string name = (std::filesystem::temp_directory_path() / "roclip-bench-replay-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(ErrorKind::kData, name + ": cannot be made");
    out.root = name;
    out.create();
  }
  ~ScratchOutput() {
    std::error_code ignored;
    std::filesystem::remove_all(out.root, ignored);
  }
  ScratchOutput(const ScratchOutput&) = delete;
  ScratchOutput& operator=(const ScratchOutput&) = delete;
};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "16/16", or several of them
std::string counts_of(const Json& metric) {
  std::string text;
  for (const auto& count : metric.at("counts")) {
    text += (text.empty() ? "" : " ") + count.at("hits").dump() + "/" + count.at("trials").dump();
  }
  return text;
}

/// One line about two values that ought to be equal, shown as `show` has it. @return whether they are
bool compare(const std::string& what, const Json& then, const Json& now,
             const std::function<std::string(const Json&)>& show = text_of) {
  const bool equal = then == now;
  std::printf("%-9s %-18s %s%s\n", equal ? "equal" : "DIFFERENT", what.c_str(), show(then).c_str(),
              equal ? "" : (" -> " + show(now)).c_str());
  return equal;
}

}  // namespace

int replay_cell(const std::filesystem::path& cell_file, const std::vector<std::filesystem::path>& plugin_path,
                bool color) {
  const Json then = read_cell(cell_file);
  if (then.value("status", "") != "ok") {
    throw Error(ErrorKind::kData, cell_file.string() + ": this cell ended \"" + then.value("status", "?") +
                                      "\"; only a cell that ended ok can be compared");
  }
  const std::vector<Cell> cells = {cell_from_json(then)};
  Matrix matrix;
  matrix.name = "replay of " + cells[0].id;
  const Signals signals;
  const ScratchOutput scratch;
  ProgressView view(ProgressStyle::kAuto, color);
  ResultTable results(matrix, cells, scratch.out);
  Timings timings;
  const std::string device = then.at("environment").at("device");
  const std::vector<const Cell*> waiting = {&cells[0]};
  RunState state(matrix.name, device, {.cells = 1}, waiting, timings);
  Supervisor supervisor(
      signals, scratch.out,
      {.devices = {device}, .plugin_path = plugin_path, .trainings = {}, .checkpoint = {}, .command_line = {}}, results,
      state, timings, view);
  supervisor.run(waiting);
  view.ended(state);
  if (supervisor.signal() != 0) return 128 + supervisor.signal();
  if (state.ok() == 0) return kSomeCellsNotOk;

  const Json now = read_json(scratch.out.cell_file(cells[0].id));
  bool equal = compare("data", then.at("data_hash"), now.at("data_hash"));
  equal &= compare("plan", then.at("poison").at("hash"), now.at("poison").at("hash"));
  equal &= compare("weights", then.at("training").at("weights_hash"), now.at("training").at("weights_hash"));
  for (const auto& [id, metric] : then.at("metrics").items()) {
    equal &= compare(id, metric, now.at("metrics").at(id), counts_of);
  }
  for (const char* key : {"git", "libtorch", "blas", "cpu", "device"}) {
    const Json &a = then.at("environment").at(key), &b = now.at("environment").at(key);
    if (a != b) compare(key, a, b);
  }
  for (const auto& [id, plugin] : then.at("plugins").items()) {
    const Json other = now.at("plugins").value(id, Json::object());
    if (plugin.at("file_hash") != other.value("file_hash", Json())) {
      compare("plugin " + id, plugin.at("file_hash"), other.value("file_hash", Json()));
    }
  }
  std::puts(equal ? "The bits are equal." : "The bits are NOT equal.");
  return equal ? 0 : kNotEqual;
}

}  // namespace roclip::bench
