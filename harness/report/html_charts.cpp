#include <algorithm>
#include <map>
#include <set>

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

/// Means over seeds of a number by epoch.
struct Curve {
  std::map<std::int64_t, std::pair<double, int>> sums = {};  ///< epoch -> sum and count

  void add(std::int64_t epoch, double value) {
    auto& [sum, count] = sums[epoch];
    sum += value;
    ++count;
  }
  std::vector<ChartPoint> points(const std::string& label) const {
    std::vector<ChartPoint> list;
    for (const auto& [epoch, value] : sums) {
      const double y = value.first / value.second;
      list.push_back({static_cast<double>(epoch),
                      y,
                      {},
                      {},
                      label + format(", epoch %lld: %.3f", static_cast<long long>(epoch), y)});
    }
    return list;
  }
};

}  // namespace

std::string trade_offs(const Summary& summary) {
  const auto *attack = first_table(summary, Measures::kAttackSuccess),
             *utility = first_table(summary, Measures::kCleanAccuracy);
  if (attack == nullptr || utility == nullptr) return "";
  const std::string attack_name = title_of(attack->metric), utility_name = title_of(utility->metric);
  std::string text;
  for (std::size_t r = 0; r < attack->rows.size(); ++r) {
    Chart chart{.title = attack->rows[r].attack, .x_name = utility_name, .y_name = attack_name, .x_shares = true};
    for (std::size_t d = 0; d < summary.defenses.size(); ++d) {
      const Entry &a = attack->rows[r].entries[d], &u = utility->rows[r].entries[d];
      if (a.seeds.empty() || u.seeds.empty()) continue;
      const std::string label =
          a.defense + ": " + attack_name + " " + percent(a.mean) + " %, " + utility_name + " " + percent(u.mean) + " %";
      chart.series.push_back(
          {a.defense, {{u.mean, a.mean, u.interval, a.interval, label}}, false, false, static_cast<int>(d)});
    }
    if (!chart.series.empty()) text += render_svg(chart);
  }
  if (text.empty()) return "";
  return "<h2>Attack success against clean utility</h2><p>Each point is a defense, its bars are 95 % intervals. The "
         "best "
         "corner is the bottom right: the attack fails and the model stays useful.</p><div class=\"charts\">" +
         text + "</div>";
}

std::string curves(const Study& study) {
  std::string text;
  for (const auto& attack : study.attacks) {
    std::string charts;
    Chart chart{.title = "loss", .x_name = "epoch", .y_name = "nats", .shares = false};
    int colour = 0;
    for (const auto& defense : study.defenses) {
      Curve loss, clean, poisoned;
      for (const auto& cell : study.cells) {
        if (cell.attack != attack || cell.defense != defense || cell.record == nullptr) continue;
        for (const auto& epoch : cell.record->training.epochs) {
          loss.add(epoch.epoch, epoch.loss);
          for (const auto& [key, value] : epoch.watched) {
            if (key == "similarity_clean") clean.add(epoch.epoch, value);
            if (key == "similarity_poisoned") poisoned.add(epoch.epoch, value);
          }
        }
      }
      const int own = colour++;
      if (loss.sums.empty()) continue;
      chart.series.push_back({defense, loss.points(defense), true, false, own});
      if (clean.sums.empty() || poisoned.sums.empty()) continue;
      charts += render_svg({.title = defense,
                            .x_name = "epoch",
                            .y_name = "cosine similarity",
                            .series = {{"clean pairs", clean.points("clean"), true, false, 0},
                                       {"poisoned pairs", poisoned.points("poisoned"), true, true, 1}},
                            .shares = false,
                            .y_range = Interval{0, 1}});
    }
    if (chart.series.empty()) continue;
    text += "<h3>" + escape_xml(attack) + "</h3><div class=\"charts\">" + charts + render_svg(chart) + "</div>";
  }
  if (text.empty()) return "";
  return "<h2>Clean and poisoned pairs by epoch</h2><p>Mean cosine similarity of image and caption, averaged over "
         "seeds. "
         "When a defense works, poisoned pairs stay below clean pairs.</p>" +
         text;
}

std::string sweeps(const Study& study, const Summary& summary) {
  const auto *success = first_table(summary, Measures::kAttackSuccess),
             *utility = first_table(summary, Measures::kCleanAccuracy);
  if (success == nullptr) return "";
  std::map<std::string, Json> effective;  // defense -> {"plugin", "params"}
  std::set<std::string> parameters;
  for (const auto& cell : study.cells) {
    if (cell.record == nullptr || !cell.record->ok()) continue;
    const Json& choice = cell.record->effective.at("defense");
    effective.try_emplace(cell.defense, choice);
    for (const auto& [key, value] : choice.at("params").items()) {
      if (value.is_number()) parameters.insert(key);
    }
  }
  std::string text;
  for (const auto& key : parameters) {
    std::map<std::string, std::map<double, std::string>> groups;  // the other parameters -> value -> defense
    for (const auto& defense : summary.defenses) {
      const auto found = effective.find(defense);
      if (found == effective.end() || !found->second.at("params").contains(key)) continue;
      Json others = found->second;
      const Json value = others.at("params").at(key);
      others.at("params").erase(key);
      if (value.is_number()) groups[others.dump()].try_emplace(value.get<double>(), defense);
    }
    for (const auto& [others, values] : groups) {
      if (values.size() < 3) continue;
      for (std::size_t r = 0; r < success->rows.size(); ++r) {
        ChartSeries attack{.name = title_of(success->metric), .colour = 1};
        ChartSeries clean{.name = utility == nullptr ? "" : title_of(utility->metric), .colour = 0};
        std::vector<double> places;
        for (const auto& [value, defense] : values) {
          const auto column =
              static_cast<std::size_t>(std::ranges::find(summary.defenses, defense) - summary.defenses.begin());
          const auto add = [&, v = value](const Table* table, ChartSeries& series) {
            if (table == nullptr || table->rows[r].entries[column].seeds.empty()) return;
            const Entry& entry = table->rows[r].entries[column];
            series.points.push_back(
                {v, entry.mean, {}, entry.interval, entry.defense + ": " + percent(entry.mean) + " %"});
          };
          add(success, attack);
          add(utility, clean);
          places.push_back(value);
        }
        if (attack.points.size() < 3) continue;
        Chart chart{.title = success->rows[r].attack + " by " + key,
                    .x_name = key,
                    .y_name = "share",
                    .series = {attack},
                    .x_ticks = places,
                    .log_x = places.front() > 0 && places.back() / places.front() > 20};
        if (!clean.points.empty()) chart.series.push_back(clean);
        text += render_svg(chart);
      }
    }
  }
  return text.empty() ? "" : "<h2>Effect of single parameters</h2><div class=\"charts\">" + text + "</div>";
}

}  // namespace roclip::bench
