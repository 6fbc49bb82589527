#include <algorithm>
#include <map>
#include <utility>

#include "harness/report/chart.h"
#include "harness/report/html.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

/// The first table of shares that measures this, in the order of the matrix file; null if there is none.
const Table* first_table(const Summary& summary, Measures measures) {
  const auto found = std::ranges::find_if(
      summary.tables, [&](const Table& table) { return table.kind.measures == measures && table.kind.unit.empty(); });
  return found == summary.tables.end() ? nullptr : &*found;
}

/// Means over the seeds of an attack and a defense, by epoch. @param number "loss", or what the training watched
std::vector<ChartPoint> by_epoch(const Study& study, const std::string& attack, const std::string& defense,
                                 const std::string& number) {
  std::map<std::int64_t, std::vector<double>> values;
  for (const auto seed : study.seeds) {
    const auto* cell = study.find(attack, defense, seed);
    if (cell == nullptr || cell->record == nullptr) continue;
    for (const auto& epoch : cell->record->training.epochs) {
      auto numbers = epoch.watched;
      numbers["loss"] = epoch.loss;
      if (numbers.contains(number)) values[epoch.epoch].push_back(numbers.at(number));
    }
  }
  std::vector<ChartPoint> points;
  for (const auto& [epoch, of_seeds] : values) {
    const double x = static_cast<double>(epoch), y = mean(of_seeds);
    points.push_back({x, y, format("epoch %g: %.3f", x, y)});
  }
  return points;
}

}  // namespace

std::string trade_offs(const Summary& summary) {
  const auto *attack = first_table(summary, Measures::kAttackSuccess),
             *utility = first_table(summary, Measures::kCleanAccuracy);
  if (attack == nullptr || utility == nullptr) return "";
  std::string text;
  for (std::size_t r = 0; r < attack->rows.size(); ++r) {
    Chart chart{.title = attack->rows[r].attack,
                .x_name = title_of(utility->metric),
                .y_name = title_of(attack->metric),
                .x_shares = true,
                .y_shares = true};
    for (std::size_t d = 0; d < summary.defenses.size(); ++d) {
      const Entry &a = attack->rows[r].entries[d], &u = utility->rows[r].entries[d];
      if (a.seeds.empty() || u.seeds.empty()) continue;
      const auto label = a.defense + ": " + chart.y_name + " " + percent(a.mean) + " %, " + chart.x_name + " " +
                         percent(u.mean) + " %";
      chart.series.push_back({a.defense, {{u.mean, a.mean, label, u.interval, a.interval}}, static_cast<int>(d)});
    }
    if (!chart.series.empty()) text += render_svg(chart);
  }
  if (text.empty()) return "";
  return "<h2>Attack success against clean utility</h2><p>Each point is a defense, its bars are 95 % intervals. The "
         "best corner is the bottom right: the attack fails and the model stays useful.</p><div class=\"charts\">" +
         text + "</div>";
}

std::string curves(const Study& study) {
  std::string text;
  for (const auto& attack : study.attacks) {
    std::string charts;
    Chart losses{.title = "loss", .x_name = "epoch", .y_name = "nats"};
    for (std::size_t d = 0; d < study.defenses.size(); ++d) {
      const std::string& defense = study.defenses[d];
      const auto loss = by_epoch(study, attack, defense, "loss");
      if (!loss.empty()) losses.series.push_back({defense, loss, static_cast<int>(d)});
      const auto clean = by_epoch(study, attack, defense, "similarity_clean");
      const auto poisoned = by_epoch(study, attack, defense, "similarity_poisoned");
      if (clean.empty() || poisoned.empty()) continue;
      charts += render_svg({.title = defense,
                            .x_name = "epoch",
                            .y_name = "cosine similarity",
                            .series = {{"clean pairs", clean, 0}, {"poisoned pairs", poisoned, 1}}});
    }
    if (losses.series.empty()) continue;
    text += "<h3>" + escape_xml(attack) + "</h3><div class=\"charts\">" + charts + render_svg(losses) + "</div>";
  }
  if (text.empty()) return "";
  return "<h2>Clean and poisoned pairs by epoch</h2><p>Mean cosine similarity of image and caption, averaged over "
         "seeds. When a defense works, poisoned pairs stay below clean pairs.</p>" +
         text;
}

std::string sweeps(const Study& study, const Summary& summary) {
  const auto *success = first_table(summary, Measures::kAttackSuccess),
             *utility = first_table(summary, Measures::kCleanAccuracy);
  if (success == nullptr) return "";
  // The name of a parameter and the values of all others -> its value -> column of the defense.
  std::map<std::pair<std::string, std::string>, std::map<double, std::size_t>> groups;
  for (std::size_t d = 0; d < summary.defenses.size(); ++d) {
    const auto cell = std::ranges::find_if(study.cells, [&](const StudyCell& c) {
      return c.defense == summary.defenses[d] && c.record != nullptr && c.record->ok();
    });
    if (cell == study.cells.end()) continue;
    const Json& choice = cell->record->effective.at("defense");  // {"plugin", "params"}
    for (const auto& [key, value] : choice.at("params").items()) {
      if (!value.is_number()) continue;
      Json others = choice;
      others.at("params").erase(key);
      groups[{key, others.dump()}].try_emplace(value.get<double>(), d);
    }
  }
  std::string text;
  for (const auto& [parameter, columns] : groups) {
    const std::string& key = parameter.first;
    if (columns.size() < 3) continue;
    for (std::size_t r = 0; r < success->rows.size(); ++r) {
      Chart chart{.title = success->rows[r].attack + " by " + key, .x_name = key, .y_name = "share", .y_shares = true};
      for (const auto& [value, column] : columns) chart.x_ticks.push_back(value);
      for (const Table* table : {success, utility}) {
        if (table == nullptr) continue;
        auto& series = chart.series.emplace_back(ChartSeries{title_of(table->metric), {}, table == success ? 1 : 0});
        for (const auto& [value, column] : columns) {
          const Entry& entry = table->rows[r].entries[column];
          if (entry.seeds.empty()) continue;
          const auto label = entry.defense + ": " + percent(entry.mean) + " %";
          series.points.push_back({value, entry.mean, label, {}, entry.interval});
        }
      }
      if (chart.series[0].points.size() >= 3) text += render_svg(chart);
    }
  }
  return text.empty() ? "" : "<h2>Effect of single parameters</h2><div class=\"charts\">" + text + "</div>";
}

}  // namespace roclip::bench
