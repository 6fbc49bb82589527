#include "harness/run/result_table.h"

#include <algorithm>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

ResultTable::ResultTable(const Matrix& matrix, const std::vector<Cell>& cells, OutputFolder out)
    : matrix_(matrix), cells_(cells), out_(std::move(out)) {
  for (const auto& cell : cells) entries_.push_back(entry_of(cell_record(cell, Status::kMissing, "")));
}

void ResultTable::set(const Cell& cell, const CellRecord& record) {
  entries_[static_cast<std::size_t>(&cell - cells_.data())] = entry_of(record);
  changed_ = true;
}

Status ResultTable::status(const Cell& cell) const {
  return entries_[static_cast<std::size_t>(&cell - cells_.data())].status;
}

MatrixResult ResultTable::result() const {
  MatrixResult result{
      .name = matrix_.name, .gates = matrix_.written.value("gates", Json::array()), .looks = matrix_.looks};
  if (!cells_.empty()) {
    for (const auto& metric : cells_[0].config.at("metrics")) result.metrics.push_back(metric.at("plugin"));
  }
  for (const auto& entry : entries_) {
    const bool further = std::ranges::find(matrix_.seeds, entry.seed) == matrix_.seeds.end();
    if (!further || entry.status != Status::kMissing) result.cells.push_back(entry);
  }
  return result;
}

void ResultTable::save() {
  last_save_ = std::chrono::steady_clock::now();
  changed_ = false;
  write_json(out_.results_file(), to_json(result()));
}

void ResultTable::save_now_and_then() {
  if (!changed_ || std::chrono::steady_clock::now() - last_save_ < std::chrono::seconds(5)) return;
  try {
    save();
  } catch (const Error&) {
  }
}

}  // namespace roclip::bench
