#include "harness/run/timings.h"

#include <algorithm>
#include <limits>

#include "harness/record/files.h"
#include "harness/record/hash.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace {

std::string key(const Cell& cell, const std::string& device) {
  const auto kind = device.substr(0, device.find(':'));
  const Json parts = {cell.config.at("data"),    cell.config.at("model"),   cell.config.at("training"),
                      cell.config.at("defense"), cell.config.at("metrics"), kind};
  return hash_hex(parts.dump()).substr(0, 16);
}

std::map<std::string, double> read_timings(const std::filesystem::path& file) {
  try {
    return read_json(file).get<std::map<std::string, double>>();
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

Timings::Timings() : file_(cache_dir() / "timings.json"), known_(read_timings(file_)) {}

std::optional<double> Timings::expected_s(const Cell& cell, const std::string& device) const {
  const auto found = known_.find(key(cell, device));
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void Timings::add(const Cell& cell, const std::string& device, double wall_s) {
  known_[key(cell, device)] = added_[key(cell, device)] = wall_s;
}

void Timings::save() const {
  if (added_.empty()) return;
  auto all = read_timings(file_);  // another run may have added its own
  for (const auto& [cell, wall_s] : added_) all[cell] = wall_s;
  try {
    std::filesystem::create_directories(file_.parent_path());
    write_json(file_, all, Flush::kNo);
  } catch (const std::exception&) {  // only estimates are lost
  }
}

void sort_longest_first(std::vector<const Cell*>& cells, const Timings& timings, const std::string& device) {
  std::map<const Cell*, double> expected;
  for (const Cell* cell : cells) {
    expected[cell] = timings.expected_s(*cell, device).value_or(std::numeric_limits<double>::infinity());
  }
  std::ranges::stable_sort(cells, [&](const Cell* a, const Cell* b) { return expected[a] > expected[b]; });
}

}  // namespace roclip::bench
