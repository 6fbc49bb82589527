#include <cstdio>
#include <cstdlib>

#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/run/run.h"
#include "harness/run/supervisor.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// A folder that is deleted in the end.
struct ScratchOutput {
  OutputFolder out;
  ScratchOutput() {
    std::string name = (fs::temp_directory_path() / "roclip-bench-replay-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(ErrorKind::kData, name + ": cannot be made");
    out.root = name;
    out.create();
  }
  ~ScratchOutput() {
    std::error_code ignored;
    fs::remove_all(out.root, ignored);
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

/// Runs a cell again, alone and in a folder of its own, that of `scratch`. @return 0, 10 or 128 + the signal
int run_again(const CellRecord& then, const ScratchOutput& scratch, const std::vector<fs::path>& plugin_path,
              bool color, bool keep_weights) {
  const std::vector<Cell> cells = {cell_of(then)};
  Matrix matrix;
  matrix.name = "replay of " + then.id;
  const Signals signals;
  ProgressView view(ProgressStyle::kAuto, color);
  ResultTable results(matrix, cells, scratch.out);
  const std::string device = then.environment.at("device");
  const int ranks = then.environment.value("ranks", 1);
  const std::vector<const Cell*> waiting = {&cells[0]};
  RunState state(matrix.name, device, {.cells = 1});
  Supervisor supervisor(signals, scratch.out,
                        {.devices = std::vector(static_cast<std::size_t>(ranks), device),
                         .plugin_path = plugin_path,
                         .keep_weights = keep_weights,
                         .ranks = ranks},
                        results, state, view);
  supervisor.run(waiting);
  view.ended(state);
  if (supervisor.signal() != 0) return 128 + supervisor.signal();
  return state.ok() == 0 ? kCellNotOk : 0;
}

}  // namespace

CellRecord read_finished_cell(const fs::path& file) {
  CellRecord record = read_cell(file);
  if (record.ok()) return record;
  throw Error(ErrorKind::kData, file.string() + ": this cell ended with status " +
                                    std::string(to_string(record.status)) +
                                    "; only a cell that ended with status ok has a model");
}

int replay_cell(const fs::path& cell_file, const std::vector<fs::path>& plugin_path, bool color) {
  const auto then = read_finished_cell(cell_file);
  const ScratchOutput scratch;
  if (const int code = run_again(then, scratch, plugin_path, color, /*keep_weights=*/false); code != 0) return code;
  const CellRecord now = read_cell(scratch.out.cell_file(then.id));
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
  if (!equal && then.environment.at("device") != "cpu" && !then.environment.at("deterministic")) {
    std::puts("This cell ran on a GPU without \"deterministic\": true in \"training\", so its bits need not repeat.");
  }
  return equal ? 0 : kBitsDiffer;
}

int export_weights(const fs::path& cell_file, const fs::path& to, const std::vector<fs::path>& plugin_path,
                   bool color) {
  const auto then = read_finished_cell(cell_file);
  if (const auto& kept = then.training.weights) {
    const auto file = cell_file.parent_path().parent_path() / kept->file;
    if (fs::exists(file) && hash_file(file) == kept->hash) {
      write_file(to, read_file(file));
      std::printf("%s: the weights that the run kept\n", escape_text(to.string()).c_str());
      return 0;
    }
  }
  const ScratchOutput scratch;
  if (const int code = run_again(then, scratch, plugin_path, color, /*keep_weights=*/true); code != 0) return code;
  const CellRecord now = read_cell(scratch.out.cell_file(then.id));
  write_file(to, read_file(scratch.out.weights_file(then.id)));
  const bool equal = compare("weights", then.training.weights_hash, now.training.weights_hash);
  std::printf("%s: trained again; %s\n", escape_text(to.string()).c_str(),
              equal ? "the bits are equal." : "the bits are NOT equal to those of the record.");
  return equal ? 0 : kBitsDiffer;
}

}  // namespace roclip::bench
