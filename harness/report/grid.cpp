#include "harness/report/grid.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace roclip::bench {

namespace {

constexpr double kStrongAttack = 0.8;
constexpr const char* kAttackSuccess = "attack_success";

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", 100 * share);
  return text;
}

std::string base_name(const std::string& id) { return id.substr(0, id.find('/')); }

const Json& headline(const Json& metric) { return metric.at("counts").at(metric.at("headline").get<std::string>()); }

std::string counts(const Json& count) {
  return std::to_string(count.at("hits").get<std::int64_t>()) + "/" +
         std::to_string(count.at("trials").get<std::int64_t>());
}

/// The cells of one place in the grid: one a seed.
std::vector<const Json*> at(const Json& result, const Json& attack, const Json& defense) {
  std::vector<const Json*> cells;
  for (const auto& cell : result.at("cells")) {
    if (cell.at("attack") == attack && cell.at("defense") == defense) cells.push_back(&cell);
  }
  return cells;
}

/// Values of a metric's headline, one a seed that has it.
std::vector<double> values(const std::vector<const Json*>& cells, const std::string& metric) {
  std::vector<double> result;
  for (const Json* cell : cells) {
    if (!cell->at("metrics").contains(metric)) continue;
    const Json& m = cell->at("metrics").at(metric);
    if (!m.at("headline").is_null() && !headline(m).at("value").is_null()) result.push_back(headline(m).at("value"));
  }
  return result;
}

std::string entry(const std::vector<const Json*>& cells, const std::string& metric) {
  const auto shares = values(cells, metric);
  const auto failed = std::ranges::find_if(cells, [](const Json* cell) { return cell->at("status") != "ok"; });
  if (shares.empty()) return failed != cells.end() ? (*failed)->at("status").get<std::string>() : "-";
  if (cells.size() == 1) {
    const Json& count = headline(cells[0]->at("metrics").at(metric));
    return percent(shares[0]) + " % " + counts(count) + " [" + percent(count.at("low")) + ", " +
           percent(count.at("high")) + "]";
  }
  double sum = 0;
  for (const double share : shares) sum += share;
  std::string text = percent(sum / static_cast<double>(shares.size())) + " % [" +
                     percent(*std::ranges::min_element(shares)) + " .. " + percent(*std::ranges::max_element(shares)) +
                     "]";
  if (shares.size() < cells.size())
    text += " " + std::to_string(shares.size()) + " of " + std::to_string(cells.size()) + " seeds";
  return text;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 3, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

/// Distinct values of a key over the cells, in order of appearance.
std::vector<Json> axis(const Json& result, const std::string& key) {
  std::vector<Json> names;
  for (const auto& cell : result.at("cells")) {
    if (std::ranges::find(names, cell.at(key)) == names.end()) names.push_back(cell.at(key));
  }
  return names;
}

/// Every line after the first starts below the first word of a cell's line.
std::string indented(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '\n' ? std::string("\n         ") : std::string(1, c);
  return result;
}

}  // namespace

std::string cell_line(const Json& record) {
  const std::string status = record.at("status");
  std::string line = status + std::string(status.size() < 9 ? 9 - status.size() : 1, ' ') +
                     record.at("attack").get<std::string>() + " x " + record.at("defense").get<std::string>() +
                     ", seed " + std::to_string(record.at("seed").get<std::int64_t>());
  if (status != "ok") {
    line += "\n         " + record.at("reason").get<std::string>();
    const std::string output = record.value("output", "");
    return output.empty() ? line : line + indented("\nlast output, " + record.value("log", "") + ":\n" + output);
  }
  for (const auto& choice : record.at("effective").at("metrics")) {
    const std::string id = choice.at("plugin");
    const Json& metric = record.at("metrics").at(id);
    if (metric.at("counts").empty()) continue;
    const Json& count = metric.at("counts")[0];
    line += "   " + base_name(id) + " " + counts(count);
    if (!count.at("value").is_null()) line += " (" + percent(count.at("value")) + " %)";
  }
  return line + "   " + std::to_string(std::llround(record.at("cost").at("wall_s").get<double>())) + " s";
}

std::string grid(const Json& result) {
  const auto attacks = axis(result, "attack"), defenses = axis(result, "defense");
  const bool one_seed = axis(result, "seed").size() == 1;
  std::string text;
  for (const std::string metric : result.at("metrics")) {
    std::vector<std::vector<std::string>> rows = {{"attack"}};
    for (const auto& defense : defenses) rows[0].push_back(defense.get<std::string>());
    for (const auto& attack : attacks) {
      auto& row = rows.emplace_back(std::vector{attack.get<std::string>()});
      for (const auto& defense : defenses) row.push_back(entry(at(result, attack, defense), metric));
      const auto undefended = values(at(result, attack, defenses[0]), metric);
      if (base_name(metric) == kAttackSuccess && !undefended.empty()) {
        double sum = 0;
        for (const double share : undefended) sum += share;
        if (sum / static_cast<double>(undefended.size()) < kStrongAttack) {
          row.push_back("attack too weak to judge a defense");
        }
      }
    }
    text += "\n" + metric +
            (one_seed ? "   (hits/trials [95 % Wilson interval])\n" : "   (mean over seeds [range])\n") + table(rows);
  }
  std::string trouble;
  for (const auto& cell : result.at("cells")) {
    if (cell.at("status") != "ok" && cell.at("status") != "missing") trouble += cell_line(cell) + "\n";
  }
  return text + (trouble.empty() ? "" : "\nCells that did not end ok:\n" + trouble) + "\n";
}

}  // namespace roclip::bench
