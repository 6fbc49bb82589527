#include "harness/report/study.h"

#include <algorithm>
#include <set>

#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

template <class T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

/// The stored cell of an entry, if it is there. @throws Error(kData) if the entry says something else than it
std::shared_ptr<const CellRecord> record_of(const CellEntry& entry, const fs::path& folder) {
  const auto file = folder / entry.file;
  if (entry.file.empty() || !fs::exists(file)) return nullptr;
  auto record = std::make_shared<const CellRecord>(read_cell(file));
  const CellEntry truth = entry_of(*record);
  const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& got) {
    throw Error(ErrorKind::kData, (folder / "results.json").string() + ": cell " + entry.id + ": " + what +
                                      ": expected " + expected + ", as in " + file.string() + ", got " + got +
                                      "; run the matrix file again: cells that are done are kept, results.json is "
                                      "written anew");
  };
  if (entry.id != truth.id) refuse("id", truth.id, entry.id);
  // A run that was killed may have stored a cell after its last results.json.
  if (!entry.ok()) return entry.status == truth.status ? record : nullptr;
  if (!truth.ok()) refuse("status", std::string(to_string(truth.status)), std::string(to_string(entry.status)));
  for (const auto& [id, metric] : entry.metrics) {
    const auto stored = truth.metrics.find(id);
    const Json ours = summary_json(metric);
    const Json theirs = stored == truth.metrics.end() ? Json() : summary_json(stored->second);
    if (ours != theirs) refuse("metrics/" + id, theirs.dump(), ours.dump());
  }
  return record;
}

/// What a label stands for: a defense's for its parameters, an attack's for all else that decides a column's numbers.
Json meaning_of(std::string CellEntry::*label, Json effective) {
  if (label == &CellEntry::defense) return effective["defense"];
  for (const char* key : {"defense", "metrics", "seed"}) effective.erase(key);
  return effective;
}

/// The labels that these cells and the study use for different things. Cells that did not end do not say what theirs
/// mean; they are renamed with the others.
std::set<std::string> ambiguous(const Study& study, const std::vector<StudyCell>& cells,
                                std::string CellEntry::*label) {
  std::set<std::string> judged, found;
  for (const auto& cell : cells) {
    if (cell.record == nullptr || !judged.insert(cell.*label).second) continue;
    const auto* known = study.record_of(label, cell.*label);
    if (known != nullptr && meaning_of(label, known->effective) != meaning_of(label, cell.record->effective))
      found.insert(cell.*label);
  }
  return found;
}

void add(Study& study, const MatrixResult& result, const fs::path& folder) {
  if (study.name != result.name) study.name += (study.name.empty() ? "" : " + ") + result.name;
  for (const auto& metric : result.metrics) add_once(study.metrics, metric);
  for (const auto& gate : result.gates) study.gates.push_back(gate);
  study.looks = std::max(study.looks, result.looks);
  std::vector<StudyCell> cells;
  for (const auto& entry : result.cells) {
    for (const auto& [metric, summary] : entry.metrics) add_once(study.metrics, metric);  // "zero_shot@cifar10/1" too
    cells.push_back({entry, folder, record_of(entry, folder), entry.attack});
  }
  for (const auto label : {&CellEntry::attack, &CellEntry::defense}) {
    const auto renamed = ambiguous(study, cells, label);
    for (auto& cell : cells) {
      if (renamed.contains(cell.*label)) cell.*label += " [" + result.name + "]";
    }
  }
  for (auto& cell : cells) {
    auto place = study.places.find({cell.attack, cell.defense, cell.seed});
    if (place != study.places.end()) {
      StudyCell& other = study.cells[place->second];
      if (other.id == cell.id || (other.record != nullptr && cell.record != nullptr)) {  // or other metrics alone
        if (!other.ok()) other = std::move(cell);
        other.metrics.merge(cell.metrics);
        continue;
      }
      cell.defense += " [" + result.name + "]";
    }
    add_once(study.attacks, cell.attack);
    add_once(study.defenses, cell.defense);
    add_once(study.seeds, cell.seed);
    study.places[{cell.attack, cell.defense, cell.seed}] = study.cells.size();
    study.cells.push_back(std::move(cell));
  }
  std::ranges::sort(study.seeds);
}

}  // namespace

const StudyCell* Study::find(const std::string& attack, const std::string& defense, std::int64_t seed) const {
  const auto place = places.find({attack, defense, seed});
  return place == places.end() ? nullptr : &cells[place->second];
}

const CellRecord* Study::record_of(std::string CellEntry::*label, const std::string& of) const {
  const auto found = std::ranges::find_if(
      cells, [&](const StudyCell& cell) { return cell.*label == of && cell.record != nullptr && cell.record->ok(); });
  return found == cells.end() ? nullptr : found->record.get();
}

std::string Study::metric_id(const std::string& metric) const {
  for (const auto& id : metrics) {
    if (id == metric || base_name(id) == metric) return id;
  }
  return "";
}

MetricKind Study::kind(const std::string& metric) const {
  MetricKind kind;
  for (const auto& cell : cells) {
    const auto found = cell.metrics.find(metric);
    if (found == cell.metrics.end()) continue;
    const auto* value = found->second.headline_value();
    kind = {.measures = found->second.measures,
            .lower_is_better = found->second.lower_is_better,
            .unit = value == nullptr ? "" : value->unit};
    if (found->second.quoted()) break;  // others do not apply
  }
  return kind;
}

Study study_of(const MatrixResult& result, const fs::path& folder) {
  Study study;
  add(study, result, folder);
  return study;
}

Study load_study(const std::vector<fs::path>& outs) {
  Study study;
  for (const auto& out : outs) {
    const auto file = fs::is_directory(out) ? out / "results.json" : out;
    if (!fs::exists(file)) {
      throw Error(ErrorKind::kData, file.string() + ": is missing; expected the output folder of `roclip-bench run`");
    }
    add(study, read_matrix_result(file), file.parent_path());
  }
  return study;
}

std::string base_name(const std::string& id) { return id.substr(0, id.find('/')); }

std::string title_of(const std::string& id) {
  std::string title = base_name(id);
  std::ranges::replace(title, '_', ' ');
  return title;
}

}  // namespace roclip::bench
