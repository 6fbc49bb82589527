#include "harness/report/summary.h"

#include <algorithm>
#include <cmath>

#include "harness/report/significance.h"

namespace roclip::bench {

namespace {

constexpr const char* kAttackSuccess = "attack_success";

/// McNemar's test needs the outcomes of the same items; nothing if they are not there.
std::optional<double> over_items(const Study& study, const std::string& metric, const std::string& attack,
                                 const std::string& a, const std::string& b, std::int64_t seed) {
  const Json mine = stored_headline(study.record(study.find(attack, a, seed)), metric);
  const Json other = stored_headline(study.record(study.find(attack, b, seed)), metric);
  if (mine.is_null() || other.is_null() || mine.at("items") != other.at("items")) return std::nullopt;
  return mcnemar(mine.at("outcomes").get<std::string>(), other.at("outcomes").get<std::string>());
}

std::optional<Comparison> compare(const Study& study, const std::string& metric, const std::string& attack,
                                  const Entry& entry, const Entry& reference) {
  const auto [mine, other] = paired(entry.seeds, reference.seeds);
  if (mine.empty()) return std::nullopt;
  std::vector<double> differences;
  for (std::size_t i = 0; i < mine.size(); ++i) differences.push_back(mine[i].share() - other[i].share());
  if (mine.size() > 1) return Comparison{mean(differences), permutation_test(differences), 1, "permutation"};
  const auto common = std::ranges::find_if(entry.seeds, [&](const SeedValue& value) {
    return std::ranges::find(reference.seeds, value.seed, &SeedValue::seed) != reference.seeds.end();
  });
  const auto p = over_items(study, metric, attack, entry.defense, reference.defense, common->seed);
  return p ? std::optional(Comparison{differences[0], *p, 1, "McNemar"}) : std::nullopt;
}

Entry entry_of(const Study& study, const std::string& metric, const std::string& attack, const std::string& defense) {
  Entry entry{.defense = defense, .status = "ok", .reason = "", .seeds = values_of(study, metric, attack, defense)};
  double wall_s = 0;
  std::size_t timed = 0;
  for (const auto seed : study.seeds) {
    const auto place = study.find(attack, defense, seed);
    if (place < 0) continue;
    const Json& cell = study.cells[static_cast<std::size_t>(place)];
    ++entry.cells;
    if (cell.at("status") != "ok" && entry.status == "ok") {
      entry.status = cell.at("status");
      entry.reason = cell.at("reason").is_null() ? "" : cell.at("reason").get<std::string>();
    }
    const Json why = cell.at("metrics").value(metric, Json::object()).value("not_applicable", Json());
    if (entry.reason.empty() && why.is_string()) entry.reason = why;
    if (cell.contains("wall_s") && cell.at("wall_s").is_number()) {
      wall_s += cell.at("wall_s").get<double>();
      ++timed;
    }
  }
  if (entry.cells == 0) entry.status = "-";
  if (timed > 0) entry.wall_s = wall_s / static_cast<double>(timed);
  if (entry.seeds.empty()) return entry;
  const auto counts = counts_of(entry.seeds);
  entry.mean = mean_share(counts);
  entry.interval = over_seeds(counts);
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

std::vector<SeedValue> values_of(const Study& study, const std::string& metric, const std::string& attack,
                                 const std::string& defense) {
  std::vector<SeedValue> values;
  for (const auto seed : study.seeds) {
    const auto place = study.find(attack, defense, seed);
    if (place < 0) continue;
    const Json& metrics = study.cells[static_cast<std::size_t>(place)].at("metrics");
    if (!metrics.contains(metric) || metrics.at(metric).at("headline").is_null()) continue;
    const Json& m = metrics.at(metric);
    const Json& count = m.at("counts").at(m.at("headline").get<std::string>());
    if (count.at("trials") > 0) values.push_back({seed, {count.at("hits"), count.at("trials")}});
  }
  return values;
}

std::vector<Counted> counts_of(const std::vector<SeedValue>& seeds) {
  std::vector<Counted> counts;
  for (const auto& value : seeds) counts.push_back(value.count);
  return counts;
}

std::pair<std::vector<Counted>, std::vector<Counted>> paired(const std::vector<SeedValue>& a,
                                                             const std::vector<SeedValue>& b) {
  std::pair<std::vector<Counted>, std::vector<Counted>> both;
  for (const auto& value : a) {
    const auto other = std::ranges::find(b, value.seed, &SeedValue::seed);
    if (other == b.end()) continue;
    both.first.push_back(value.count);
    both.second.push_back(other->count);
  }
  return both;
}

Summary summarise(const Study& study) {
  Summary summary{.name = study.name, .seeds = study.seeds, .defenses = study.defenses, .tables = {}, .problems = {}};
  for (const auto& metric : study.metrics) {
    Table table{.metric = metric, .rows = {}};
    const bool attacks_success = base_name(metric) == kAttackSuccess;
    table.lower_is_better = std::ranges::any_of(study.cells, [&](const Json& cell) {
      return cell.at("metrics").value(metric, Json::object()).value("better", "") == "lower";
    });
    for (const auto& attack : study.attacks) {
      Row row{.attack = attack, .note = "", .entries = {}};
      for (const auto& defense : study.defenses) row.entries.push_back(entry_of(study, metric, attack, defense));
      const Entry& reference = row.entries.front();
      for (auto& entry : row.entries) {
        if (&entry != &reference) entry.against_reference = compare(study, metric, attack, entry, reference);
      }
      if (attacks_success && !reference.seeds.empty() && reference.mean < kStrongAttack) {
        row.note = "attack too weak to judge a defense";
      }
      table.rows.push_back(std::move(row));
    }
    adjust(table);
    summary.tables.push_back(std::move(table));
  }
  for (const auto& cell : study.cells) {
    if (cell.at("status") == "missing") ++summary.missing;
    if (cell.at("status") != "ok" && cell.at("status") != "missing") summary.problems.push_back(cell);
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
          seeds.push_back({{"seed", value.seed}, {"hits", value.count.hits}, {"trials", value.count.trials}});
        }
        const bool known = !entry.seeds.empty();
        const auto& c = entry.against_reference;
        entries.push_back({{"defense", entry.defense},
                           {"status", entry.status},
                           {"reason", entry.reason.empty() ? Json() : Json(entry.reason)},
                           {"seeds", std::move(seeds)},
                           {"mean", known ? Json(entry.mean) : Json()},
                           {"low", known ? Json(entry.interval.low) : Json()},
                           {"high", known ? Json(entry.interval.high) : Json()},
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
                      {"better", table.lower_is_better ? "lower" : "higher"},
                      {"comparisons", table.comparisons},
                      {"rows", std::move(rows)}});
  }
  return {{"schema_version", 1},
          {"name", summary.name},
          {"seeds", summary.seeds},
          {"reference", summary.defenses.empty() ? Json() : Json(summary.defenses[0])},
          {"interval", "95 %: Wilson for one seed, t over seeds with at least the spread of counting"},
          {"tables", std::move(tables)},
          {"problems", summary.problems},
          {"missing", summary.missing}};
}

std::string detectable(const Table& table, std::size_t seeds) {
  for (const auto& row : table.rows) {
    for (const auto& entry : row.entries) {
      if (entry.against_reference && entry.against_reference->significant()) return "";
    }
  }
  if (table.comparisons == 0 || seeds < 2) return "";
  const auto needed = fewest_unanimous(table.comparisons);
  if (static_cast<std::size_t>(needed) <= seeds) return "";
  char text[200];
  std::snprintf(text, sizeof text,
                "%zu seeds cannot show a difference: the least p is %.3g, and %lld comparison%s need%s %lld seeds",
                seeds, 2 * std::pow(0.5, seeds), static_cast<long long>(table.comparisons),
                table.comparisons == 1 ? "" : "s", table.comparisons == 1 ? "s" : "", static_cast<long long>(needed));
  return text;
}

}  // namespace roclip::bench
