#include <cstdio>
#include <cstdlib>

#include "harness/record/escape.h"
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

/// "16/16", or several of them
std::string numbers_of(const MetricRecord& metric) {
  std::string text;
  const auto add = [&](const std::string& number) { text += (text.empty() ? "" : " ") + number; };
  for (const auto& count : metric.counts) add(std::to_string(count.hits) + "/" + std::to_string(count.trials));
  for (const auto& value : metric.values) add(Json(value.value).dump());
  return text;
}

void tell(bool equal, const std::string& what, const std::string& then, const std::string& now) {
  std::printf("%-9s %-18s %s%s\n", equal ? "equal" : "DIFFERENT", escape_text(what).c_str(), escape_text(then).c_str(),
              equal ? "" : (" -> " + escape_text(now)).c_str());
}

/// One line about two values that ought to be equal. @return whether they are
bool compare(const std::string& what, const std::string& then, const std::string& now) {
  tell(then == now, what, then, now);
  return then == now;
}

}  // namespace

int replay_cell(const std::filesystem::path& cell_file, const std::vector<std::filesystem::path>& plugin_path,
                bool color) {
  const CellRecord then = read_cell(cell_file);
  if (!then.ok()) {
    throw Error(ErrorKind::kData, cell_file.string() + ": this cell ended with status " +
                                      std::string(to_string(then.status)) +
                                      "; only a cell that ended with status ok can be compared");
  }
  const std::vector<Cell> cells = {cell_of(then)};
  Matrix matrix;
  matrix.name = "replay of " + cells[0].id;
  const Signals signals;
  const ScratchOutput scratch;
  ProgressView view(ProgressStyle::kAuto, color);
  ResultTable results(matrix, cells, scratch.out);
  const std::string device = then.environment.at("device");
  const std::vector<const Cell*> waiting = {&cells[0]};
  RunState state(matrix.name, device, {.cells = 1});
  Supervisor supervisor(signals, scratch.out, {.devices = {device}, .plugin_path = plugin_path}, results, state, view);
  supervisor.run(waiting);
  view.ended(state);
  if (supervisor.signal() != 0) return 128 + supervisor.signal();
  if (state.ok() == 0) return kCellNotOk;

  const CellRecord now = read_cell(scratch.out.cell_file(cells[0].id));
  bool equal = compare("data", then.data_hash, now.data_hash);
  equal &= compare("plan", then.poison.hash, now.poison.hash);
  equal &= compare("weights", then.training.weights_hash, now.training.weights_hash);
  for (const auto& [id, metric] : then.metrics) {
    const auto other = now.metrics.find(id);
    const bool same = other != now.metrics.end() && metric == other->second;
    tell(same, id, numbers_of(metric), other == now.metrics.end() ? "none" : numbers_of(other->second));
    equal &= same;
  }
  for (const char* key : {"git", "libtorch", "blas", "cpu", "device"}) {
    const std::string a = then.environment.at(key), b = now.environment.at(key);
    if (a != b) compare(key, a, b);
  }
  for (const auto& [id, plugin] : then.plugins) {
    const auto other = now.plugins.find(id);
    const std::string hash = other == now.plugins.end() ? "none" : other->second.file_hash;
    if (plugin.file_hash != hash) compare("plugin " + id, plugin.file_hash, hash);
  }
  std::puts(equal ? "The bits are equal." : "The bits are NOT equal.");
  return equal ? 0 : kNotEqual;
}

}  // namespace roclip::bench
