#include "harness/report/summary.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <boost/algorithm/string/join.hpp>

#include "harness/record/text.h"
#include "harness/report/significance.h"

namespace roclip::bench {

namespace {

std::vector<double> numbers(const Values& values) {
  std::vector<double> list;
  for (const auto& value : values) list.push_back(value.headline.value);
  return list;
}

bool counted(const Values& values) {
  return std::ranges::all_of(values, [](const SeedValue& value) { return value.headline.count.has_value(); });
}

std::vector<Counted> counts(const Values& values) {
  std::vector<Counted> list;
  for (const auto& value : values) list.push_back(*value.headline.count);
  return list;
}

Entry entry_of(const Study& study, const std::string& metric, const std::string& attack, const std::string& defense) {
  Entry entry{.defense = defense, .status = "ok", .seeds = values_of(study, metric, attack, defense)};
  std::vector<double> wall_s, train_s;
  for (const auto seed : study.seeds) {
    const auto* cell = study.find(attack, defense, seed);
    if (cell == nullptr) continue;
    if (++entry.cells == 1) entry.first_cell = cell->id;
    if (!cell->ok() && entry.status == "ok") {
      entry.status = to_string(cell->status);
      entry.reason = cell->reason;
    }
    const auto found = cell->metrics.find(metric);
    if (entry.reason.empty() && found != cell->metrics.end()) entry.reason = found->second.not_applicable;
    if (cell->wall_s) wall_s.push_back(*cell->wall_s);
    if (cell->train_s) train_s.push_back(*cell->train_s);
  }
  if (entry.cells == 0) entry.status = "-";
  if (!wall_s.empty()) entry.wall_s = mean(wall_s);
  if (!train_s.empty()) entry.train_s = mean(train_s);
  if (entry.seeds.empty()) return entry;
  entry.mean = mean_of(entry.seeds);
  entry.interval = interval_of(entry.seeds);
  return entry;
}

void adjust(Table& table) {
  std::vector<Comparison*> all;
  std::vector<double> p_values;
  for (auto& row : table.rows) {
    for (auto& entry : row.entries) {
      if (!entry.against_reference) continue;
      all.push_back(&*entry.against_reference);
      p_values.push_back(entry.against_reference->p);
    }
  }
  const auto adjusted = holm(p_values);
  for (std::size_t i = 0; i < all.size(); ++i) all[i]->p_holm = adjusted[i];
  table.comparisons = std::ssize(all);
}

}  // namespace

bool Table::any_differs() const {
  return std::ranges::any_of(rows, [](const Row& row) { return std::ranges::any_of(row.entries, &Entry::differs); });
}

const Table* Summary::first_table(Measures measures) const {
  const auto found = std::ranges::find_if(
      tables, [&](const Table& table) { return table.kind.measures == measures && table.kind.unit.empty(); });
  return found == tables.end() ? nullptr : &*found;
}

double mean_of(const Values& values) { return mean(numbers(values)); }

std::optional<Interval> interval_of(const Values& values, double level) {
  if (counted(values)) return over_seeds(counts(values), level);
  if (values.size() > 1) return t_interval(numbers(values), level);
  return level <= 0.95 ? values.front().headline.interval : std::nullopt;
}

std::optional<Interval> difference_interval(const Values& a, const Values& b, double level) {
  if (counted(a) && counted(b)) return difference_over_seeds(counts(a), counts(b), level);
  if (a.size() > 1) return t_interval(differences(a, b), level);
  return std::nullopt;
}

std::string device_of(const StudyCell& cell) {
  if (cell.record == nullptr || !cell.record->environment.is_object()) return "";
  const auto device = cell.record->environment.value("device", "");
  return device.substr(0, device.find(':'));
}

Values values_of(const Study& study, const std::string& metric, const std::string& attack, const std::string& defense) {
  Values values;
  for (const auto seed : study.seeds) {
    const auto* cell = study.find(attack, defense, seed);
    if (cell == nullptr || !cell->metrics.contains(metric)) continue;
    if (const auto headline = cell->metrics.at(metric).quoted()) values.push_back({seed, *headline, device_of(*cell)});
  }
  return values;
}

std::pair<Values, Values> paired(const Values& a, const Values& b) {
  std::pair<Values, Values> both;
  for (const auto& value : a) {
    const auto other = std::ranges::find(b, value.seed, &SeedValue::seed);
    if (other == b.end()) continue;
    if (!value.device.empty() && !other->device.empty() && value.device != other->device) continue;  // other roundings
    both.first.push_back(value);
    both.second.push_back(*other);
  }
  return both;
}

Values at_seeds(const Values& values, const std::vector<std::int64_t>& seeds) {
  Values chosen;
  std::ranges::copy_if(values, std::back_inserter(chosen),
                       [&](const SeedValue& value) { return std::ranges::count(seeds, value.seed) > 0; });
  return chosen;
}

std::vector<double> differences(const Values& a, const Values& b) {
  std::vector<double> list;
  for (std::size_t i = 0; i < a.size(); ++i) list.push_back(a[i].headline.value - b[i].headline.value);
  return list;
}

std::optional<Comparison> paired_test(const Study& a, const std::string& defense_a, const Study& b,
                                      const std::string& defense_b, const std::string& metric,
                                      const std::string& attack) {
  const auto [mine, other] = paired(values_of(a, metric, attack, defense_a), values_of(b, metric, attack, defense_b));
  if (mine.empty()) return std::nullopt;
  const auto by_seed = differences(mine, other);
  if (mine.size() > 1) return Comparison{mean(by_seed), permutation_test(by_seed), "permutation"};
  const auto count_of = [&, seed = mine[0].seed](const Study& study, const std::string& defense) -> const CountRecord* {
    const auto* cell = study.find(attack, defense, seed);
    if (cell->record == nullptr || !cell->record->metrics.contains(metric)) return nullptr;
    return cell->record->metrics.at(metric).headline_count();
  };
  const CountRecord *count = count_of(a, defense_a), *reference = count_of(b, defense_b);
  if (count == nullptr || reference == nullptr || count->items != reference->items) return std::nullopt;
  return Comparison{mean(by_seed), mcnemar(count->outcomes, reference->outcomes), "McNemar"};
}

Summary summarise(const Study& study) {
  Summary summary{.name = study.name, .seeds = study.seeds, .defenses = study.defenses};
  const bool undefended = std::ranges::none_of(study.cells, [&](const StudyCell& cell) {
    return cell.defense == study.defenses.front() && !cell.acts.empty() && cell.acts != "plain";
  });
  for (const auto& metric : study.metrics) {
    Table table{.metric = metric, .kind = study.kind(metric)};
    for (const auto& attack : study.attacks) {
      Row row{.attack = attack};
      for (const auto& defense : study.defenses) row.entries.push_back(entry_of(study, metric, attack, defense));
      const Entry& reference = row.entries.front();
      for (auto& entry : row.entries) {
        if (&entry == &reference) continue;
        entry.against_reference = paired_test(study, entry.defense, study, reference.defense, metric, attack);
      }
      const bool judges = undefended && table.kind.measures == Measures::kAttackSuccess && table.kind.unit.empty();
      if (judges && !reference.seeds.empty() && reference.mean < kStrongAttack) {
        row.note = "attack too weak to judge a defense";
      }
      table.rows.push_back(std::move(row));
    }
    adjust(table);
    if (table.kind.measures == Measures::kModelDetection) table.models = model_detection(study, metric);
    summary.tables.push_back(std::move(table));
  }
  add_standings(summary, study);
  if (study.looks > 1) {
    summary.correction = "Seeds were added until the gates were decided: `check` corrects their confidence for up to " +
                         std::to_string(study.looks) + " looks (Bonferroni); the intervals here are not corrected";
  }
  std::set<std::string> devices;
  for (const auto& cell : study.cells) devices.insert(device_of(cell));
  devices.erase("");
  if (devices.size() > 1) {
    if (!summary.correction.empty()) summary.correction += ". ";
    summary.correction +=
        "Cells ran on " + boost::join(devices, " and ") + ": no paired test compares one with the other";
  }
  for (const auto& cell : study.cells) {
    if (cell.status == Status::kMissing) ++summary.missing;
    if (!cell.ok() && cell.status != Status::kMissing) summary.problems.push_back(cell);
  }
  return summary;
}

Json to_json(const Summary& summary) {
  Json tables = Json::array();
  for (const auto& table : summary.tables) {
    Json rows = Json::array();
    for (const auto& row : table.rows) {
      Json entries = Json::array();
      for (const auto& entry : row.entries) {
        Json seeds = Json::array();
        for (const auto& value : entry.seeds) {
          Json& seed = seeds.emplace_back(Json{{"seed", value.seed}, {"value", value.headline.value}});
          if (value.headline.count) {
            seed["hits"] = value.headline.count->hits;
            seed["trials"] = value.headline.count->trials;
          }
        }
        const bool known = !entry.seeds.empty();
        const auto& c = entry.against_reference;
        entries.push_back({{"defense", entry.defense},
                           {"status", entry.status},
                           {"reason", entry.reason.empty() ? Json() : Json(entry.reason)},
                           {"seeds", std::move(seeds)},
                           {"mean", known ? Json(entry.mean) : Json()},
                           {"low", entry.interval ? Json(entry.interval->low) : Json()},
                           {"high", entry.interval ? Json(entry.interval->high) : Json()},
                           {"wall_s", entry.wall_s},
                           {"against_reference", c ? Json{{"difference", c->difference},
                                                          {"p", c->p},
                                                          {"p_holm", c->p_holm},
                                                          {"test", c->test},
                                                          {"significant", c->significant()}}
                                                   : Json()}});
      }
      rows.push_back({{"attack", row.attack},
                      {"note", row.note.empty() ? Json() : Json(row.note)},
                      {"entries", std::move(entries)}});
    }
    tables.push_back({{"metric", table.metric},
                      {"better", table.kind.lower_is_better ? "lower" : "higher"},
                      {"unit", table.kind.unit.empty() ? "fraction" : table.kind.unit},
                      {"comparisons", table.comparisons},
                      {"rows", std::move(rows)}});
  }
  Json problems = Json::array();
  for (const auto& cell : summary.problems) problems.push_back(to_json(static_cast<const CellEntry&>(cell)));
  return {{"schema_version", 1},
          {"name", summary.name},
          {"seeds", summary.seeds},
          {"reference", summary.defenses.empty() ? Json() : Json(summary.defenses[0])},
          {"interval", "95 %: Wilson for one seed, t over seeds with at least the spread of counting"},
          {"tables", std::move(tables)},
          {"problems", std::move(problems)},
          {"missing", summary.missing},
          {"correction", summary.correction.empty() ? Json() : Json(summary.correction)}};
}

std::string detectable(const Table& table, std::size_t seeds) {
  if (table.any_differs() || table.comparisons == 0 || seeds < 2) return "";
  const auto needed = fewest_unanimous(table.comparisons);
  if (static_cast<std::size_t>(needed) <= seeds) return "";
  return format(
      "statistical power: %zu seeds cannot show a difference (smallest possible p: %.3g); %s at least %lld seeds",
      seeds, 2 * std::pow(0.5, seeds),
      table.comparisons == 1 ? "one comparison needs"
                             : (std::to_string(table.comparisons) + " comparisons need").c_str(),
      static_cast<long long>(needed));
}

}  // namespace roclip::bench
