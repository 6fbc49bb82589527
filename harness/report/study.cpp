#include "harness/report/study.h"

#include <algorithm>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

template <class T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

void add(Study& study, const Json& result, const fs::path& folder) {
  const auto name = result.at("name").get<std::string>();
  study.name += (study.name.empty() ? "" : " + ") + name;
  for (const std::string metric : result.at("metrics")) add_once(study.metrics, metric);
  for (const auto& gate : result.value("gates", Json::array())) study.gates.push_back(gate);
  study.looks = std::max(study.looks, result.value("looks", std::int64_t{1}));
  for (Json cell : result.at("cells")) {
    const std::string attack = cell.at("attack");
    const std::int64_t seed = cell.at("seed");
    const auto known = study.find(attack, cell.at("defense"), seed);
    if (known >= 0) {
      Json& other = study.cells[static_cast<std::size_t>(known)];
      if (other.at("id") == cell.at("id")) {
        if (other.at("status") == "ok") continue;
        other = cell;
        study.folders[static_cast<std::size_t>(known)] = folder;
        continue;
      }
      cell["defense"] = cell.at("defense").get<std::string>() + " [" + name + "]";
    }
    add_once(study.attacks, attack);
    add_once(study.defenses, cell.at("defense").get<std::string>());
    add_once(study.seeds, seed);
    study.places[{attack, cell.at("defense"), seed}] = std::ssize(study.cells);
    study.cells.push_back(std::move(cell));
    study.folders.push_back(folder);
  }
  std::ranges::sort(study.seeds);
}

}  // namespace

std::int64_t Study::find(const std::string& attack, const std::string& defense, std::int64_t seed) const {
  const auto place = places.find({attack, defense, seed});
  return place == places.end() ? -1 : place->second;
}

std::string Study::metric_id(const std::string& metric) const {
  for (const auto& id : metrics) {
    if (id == metric || base_name(id) == metric) return id;
  }
  return "";
}

Json Study::record(std::int64_t cell) const {
  if (cell < 0 || cells[static_cast<std::size_t>(cell)].at("file").is_null()) return nullptr;
  const auto index = static_cast<std::size_t>(cell);
  const auto file = folders[index] / cells[index].at("file").get<std::string>();
  return fs::exists(file) ? read_json(file) : Json();
}

Study study_of(const Json& matrix_result, const fs::path& folder) {
  Study study;
  add(study, matrix_result, folder);
  return study;
}

Study load_study(const std::vector<fs::path>& outs) {
  Study study;
  for (const auto& out : outs) {
    const auto file = fs::is_directory(out) ? out / "results.json" : out;
    if (!fs::exists(file)) {
      throw Error(ErrorKind::kData, file.string() + ": is missing; expected the output folder of `roclip-bench run`");
    }
    const Json result = read_json(file);
    if (!result.is_object() || !result.contains("cells") || !result.contains("metrics") || !result.contains("name")) {
      throw Error(ErrorKind::kData, file.string() + ": expected a results.json of `roclip-bench run`; it has no cells");
    }
    try {
      add(study, result, file.parent_path());
    } catch (const Json::exception& e) {
      throw Error(ErrorKind::kData, file.string() + ": is damaged, or of another version: " + e.what());
    }
  }
  return study;
}

Json stored_headline(const Json& record, const std::string& metric) {
  if (record.is_null() || !record.value("metrics", Json::object()).contains(metric)) return nullptr;
  const Json& counts = record.at("metrics").at(metric).at("counts");
  return counts.empty() ? Json() : counts[0];
}

std::string base_name(const std::string& id) { return id.substr(0, id.find('/')); }

}  // namespace roclip::bench
