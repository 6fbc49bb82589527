#include <algorithm>
#include <map>
#include <utility>

#include "harness/report/chart.h"
#include "harness/report/html.h"
#include "harness/report/render.h"

namespace roclip::bench {

namespace {

std::string in_grid(const std::string& figures) {
  return figures.empty() ? "" : "<div class=\"charts\">" + figures + "</div>";
}

/// Mean attack success over these attacks and seeds against mean clean accuracy, with the front of defenses that no
/// other beats in both. Left out: what is told which pairs are poisons, and what lacks a row.
std::string trade_off(const Summary& summary, const std::string& title, const std::vector<Compared>& compared) {
  const auto *attack = summary.first_table(Measures::kAttackSuccess),
             *utility = summary.first_table(Measures::kCleanAccuracy);
  if (attack == nullptr || utility == nullptr) return "";
  std::vector<ChartSeries> points;
  for (const auto& standing : summary.standings) {
    std::vector<double> x, y;
    for (const auto& [r, seeds] : compared) {
      const auto a = at_seeds(attack->rows[r].entries[standing.column].seeds, seeds),
                 u = at_seeds(utility->rows[r].entries[standing.column].seeds, seeds);
      if (a.empty() || u.empty()) continue;
      x.push_back(mean_of(u));
      y.push_back(mean_of(a));
    }
    if (x.empty() || x.size() < compared.size() || standing.capability == "knows_poisons") continue;
    const auto label = standing.defense + ": " + percent(mean(y)) + " %, " + percent(mean(x)) + " %";
    points.push_back({standing.defense, {{mean(x), mean(y), label}}});
  }
  if (points.empty()) return "";
  const auto at = [](const ChartSeries& series) { return series.points[0]; };
  std::ranges::sort(points, [&](const auto& a, const auto& b) { return at(a).x < at(b).x; });
  ChartSeries front{"no defense is better in both", {}, 0, /*dots=*/false};
  for (auto& point : points) {
    const double x = at(point).x, y = at(point).y;
    const bool beaten = std::ranges::any_of(points, [&](const ChartSeries& other) {
      return at(other).x >= x && at(other).y <= y && (at(other).x > x || at(other).y < y);
    });
    point.colour = beaten ? 7 : 0;
    if (beaten) continue;
    if (!front.points.empty()) front.points.push_back({front.points.back().x, y, ""});
    front.points.push_back({x, y, ""});
  }
  points.push_back(std::move(front));
  return render_svg({.title = title,
                     .x_name = "clean accuracy (" + title_of(utility->metric) + ")",
                     .y_name = title_of(attack->metric),
                     .series = std::move(points),
                     .x_shares = true,
                     .y_shares = true,
                     .named = true});
}

/// [[false positive rate, true positive rate], ...] of a metric's details; empty if it draws none.
std::vector<ChartPoint> roc_of(const StudyCell* cell, const std::string& metric) {
  std::vector<ChartPoint> points;
  if (cell == nullptr || cell->record == nullptr || !cell->record->metrics.contains(metric)) return points;
  const Json& details = cell->record->metrics.at(metric).details;
  if (!details.is_object() || !details.contains("roc")) return points;
  for (const auto& point : CheckedJson(details["roc"], cell->id + ": details/roc of " + metric, "").items()) {
    const auto place = point.items();
    if (place.size() != 2) point.refuse("[false positive rate, true positive rate]");
    points.push_back({place[0].number(0, 1), place[1].number(0, 1), ""});
  }
  return points;
}

}  // namespace

std::string trade_offs(const Summary& summary) {
  std::string each;
  const auto& rows = summary.tables.empty() ? std::vector<Row>() : summary.tables[0].rows;
  for (std::size_t r = 0; r < rows.size(); ++r) each += trade_off(summary, rows[r].attack, {{r, summary.seeds}});
  const auto title = "mean over " + counted(std::ssize(summary.compared), "attack");
  return (rows.size() > 1 ? in_grid(trade_off(summary, title, summary.compared)) : "") +
         (each.empty() ? "" : foldable("each attack", in_grid(each), rows.size()));
}

std::string detection(const Study& study, const Summary& summary) {
  std::string charts;
  for (const auto& table : summary.tables) {
    for (const auto& row : table.rows) {
      std::vector<ChartSeries> series = {{"chance", {{0, 0, ""}, {1, 1, ""}}, 15, /*dots=*/false}};
      int colour = -1;
      for (const auto& entry : row.entries) {
        std::string name = entry.defense + " " + with_unit(entry.mean, table.kind);
        for (const auto seed : study.seeds) {
          auto points = roc_of(study.find(row.attack, entry.defense, seed), table.metric);
          if (points.empty()) continue;
          colour += !name.empty();  // one a defense
          series.push_back({std::exchange(name, ""), std::move(points), colour % 15, /*dots=*/false});
        }
      }
      const auto title = title_of(table.metric) + ", " + row.attack;
      if (series.size() > 1) charts += render_svg({title, "clean flagged", "poisoned flagged", series, true, true});
    }
  }
  return in_grid(charts);
}

std::string curves(const Study& study) {
  std::string text;
  for (const auto& attack : study.attacks) {
    std::map<std::size_t, Chart> charts;  // by defense; last the loss of all
    for (std::size_t d = 0; d < study.defenses.size(); ++d) {
      std::map<std::string, std::map<double, std::vector<double>>> values;  // by epoch, one a seed
      for (const auto seed : study.seeds) {
        const auto* cell = study.find(attack, study.defenses[d], seed);
        if (cell == nullptr || cell->record == nullptr) continue;
        for (double epoch = 1; const auto& record : cell->record->training.epochs) {
          values["loss"][epoch].push_back(record.loss);
          for (const auto& [name, value] : record.watched) values[name][epoch].push_back(value);
          ++epoch;
        }
      }
      for (const auto& [name, by_epoch] : values) {
        const bool is_loss = name == "loss";
        Chart& chart =
            charts
                .try_emplace(is_loss ? study.defenses.size() : d,
                             Chart{is_loss ? "loss" : study.defenses[d], "epoch", is_loss ? "nats" : "cosine"})
                .first->second;
        const bool is_poisoned = name == "similarity_poisoned";
        const std::string pairs = is_poisoned ? "poisoned pairs" : "clean pairs";
        ChartSeries line{is_loss ? study.defenses[d] : pairs,
                         {},
                         is_loss       ? static_cast<int>(d % 15)
                         : is_poisoned ? 9
                                       : 0};
        auto& points = chart.series.emplace_back(std::move(line)).points;
        for (const auto& [epoch, of_seeds] : by_epoch) {
          points.push_back({epoch, mean(of_seeds), format("epoch %g: %.3f", epoch, mean(of_seeds))});
        }
      }
    }
    std::string figures;
    for (const auto& [defense, chart] : charts) figures += render_svg(chart);
    if (!figures.empty()) text += foldable(attack, in_grid(figures), study.attacks.size());
  }
  return text;
}

std::string sweeps(const Study& study, const Summary& summary) {
  const auto *success = summary.first_table(Measures::kAttackSuccess),
             *utility = summary.first_table(Measures::kCleanAccuracy);
  if (success == nullptr) return "";
  // The name of a parameter and the values of all others -> its value -> column of the defense.
  std::map<std::pair<std::string, std::string>, std::map<double, std::size_t>> groups;
  for (std::size_t d = 0; d < summary.defenses.size(); ++d) {
    const auto* record = study.record_of(&CellEntry::defense, summary.defenses[d]);
    if (record == nullptr) continue;
    const Json& choice = record->effective.at("defense");  // {"plugin", "params"}
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
          series.points.push_back(
              {value, entry.mean, entry.defense + ": " + percent(entry.mean) + " %", entry.interval});
        }
      }
      if (chart.series[0].points.size() >= 3) text += render_svg(chart);
    }
  }
  return in_grid(text);
}

std::string scaling(const Study& study, const Summary& summary) {
  std::map<std::string, std::map<double, std::string>> rows;  // attack in its matrix file -> pairs -> row here
  for (const auto& cell : study.cells) {
    if (cell.record == nullptr || !cell.record->data.is_object() || !cell.record->data.contains("pairs")) continue;
    rows[cell.own_attack].try_emplace(cell.record->data["pairs"].get<double>(), cell.attack);
  }
  std::string charts;
  for (const auto& [attack, by_pairs] : rows) {
    if (by_pairs.size() < 2) continue;
    for (const auto& table : summary.tables) {
      const bool success = table.kind.measures == Measures::kAttackSuccess;
      if (!success && table.kind.measures != Measures::kCleanAccuracy) continue;
      Chart chart{.title = attack + ": " + title_of(table.metric),
                  .x_name = "training pairs",
                  .y_name = title_of(table.metric),
                  .y_shares = table.kind.unit.empty(),
                  .y_whole = success};
      for (const auto& [pairs, row] : by_pairs) chart.x_ticks.push_back(pairs);
      for (std::size_t d = 0; d < summary.defenses.size(); ++d) {
        ChartSeries line{summary.defenses[d], {}, static_cast<int>(d % 15)};
        for (const auto& [pairs, name] : by_pairs) {
          const auto row = std::ranges::find(table.rows, name, &Row::attack);
          if (row == table.rows.end() || row->entries[d].seeds.empty()) continue;
          const auto label = line.name + ": " + with_unit(row->entries[d].mean, table.kind);
          line.points.push_back({pairs, row->entries[d].mean, label, row->entries[d].interval});
        }
        if (line.points.size() > 1) chart.series.push_back(std::move(line));
      }
      if (!chart.series.empty()) charts += render_svg(chart);
    }
  }
  return in_grid(charts);
}

}  // namespace roclip::bench
