#include "harness/report/compare.h"

#include <algorithm>
#include <set>

#include "harness/report/render.h"
#include "harness/report/summary.h"

namespace roclip::bench {

namespace {

/// Keys of two configurations that differ, the seed left out.
Json different_keys(const Json& a, const Json& b) {
  Json list = Json::array();
  std::set<std::string> keys;
  const Json flat_a = a.flatten(), flat_b = b.flatten();
  for (const auto* flat : {&flat_a, &flat_b}) {
    for (const auto& [key, value] : flat->items()) keys.insert(key);
  }
  for (const auto& key : keys) {
    const Json from = flat_a.value(key, Json()), to = flat_b.value(key, Json());
    if (from != to && key != "/seed") list.push_back({{"key", key}, {"a", from}, {"b", to}});
  }
  return list;
}

}  // namespace

Json compare(const Study& a, const Study& b) {
  Json changed = Json::array(), configuration = Json::array(), only_a = Json::array(), only_b = Json::array();
  std::int64_t equal = 0;
  const auto only = [](const Study& one, const Study& other, Json& list) {
    for (const auto& cell : one.cells) {
      const auto* match = other.find(cell.attack, cell.defense, cell.seed);
      if (!cell.ok() || (match != nullptr && match->ok())) continue;
      list.push_back(cell_name(cell.attack, cell.defense, cell.seed));
    }
  };
  const auto recorded = [](const StudyCell* cell) { return cell != nullptr && cell->record != nullptr; };
  only(a, b, only_a);
  only(b, a, only_b);
  for (const auto& attack : a.attacks) {
    for (const auto& defense : a.defenses) {
      const StudyCell *cell_a = nullptr, *cell_b = nullptr;  // of the first seed that both have
      for (const auto seed : a.seeds) {
        cell_a = a.find(attack, defense, seed), cell_b = b.find(attack, defense, seed);
        if (recorded(cell_a) && recorded(cell_b)) break;
      }
      if (recorded(cell_a) && recorded(cell_b)) {
        auto list = different_keys(cell_a->record->effective, cell_b->record->effective);
        if (!list.empty()) {
          configuration.push_back({{"attack", attack}, {"defense", defense}, {"differences", std::move(list)}});
        }
      }
      for (const auto& metric : a.metrics) {
        const auto [mine, theirs] =
            paired(values_of(a, metric, attack, defense), values_of(b, metric, attack, defense));
        if (mine.empty()) continue;
        const auto by_seed = differences(theirs, mine);
        if (std::ranges::all_of(by_seed, [](double d) { return d == 0; })) {
          ++equal;
          continue;
        }
        const auto test = paired_test(b, defense, a, defense, metric, attack);
        changed.push_back({{"attack", attack},
                           {"defense", defense},
                           {"metric", metric},
                           {"seeds", mine.size()},
                           {"unit", a.kind(metric).unit.empty() ? "fraction" : a.kind(metric).unit},
                           {"a", mean_of(mine)},
                           {"b", mean_of(theirs)},
                           {"difference", mean(by_seed)},
                           {"p", test ? Json(test->p) : Json()},
                           {"test", test ? Json(test->test) : Json()}});
      }
    }
  }
  return {{"a", a.name},
          {"b", b.name},
          {"changed", std::move(changed)},
          {"configuration", std::move(configuration)},
          {"only_a", std::move(only_a)},
          {"only_b", std::move(only_b)},
          {"equal", equal}};
}

std::string render_comparison(const Json& comparison) {
  std::string text = std::to_string(comparison.at("changed").size()) + " values changed, " +
                     comparison.at("equal").dump() + " unchanged\n";
  const auto word = [](const Json& json, const char* key) { return json.at(key).get<std::string>(); };
  for (const auto& change : comparison.at("changed")) {
    const bool share = word(change, "unit") == "fraction";
    const auto number = [&](const char* key) { return (share ? 100 : 1) * change.at(key).get<double>(); };
    text += format(share ? "  %5.1f %% -> %5.1f %%  %+6.1f  " : "  %7.4g -> %7.4g  %+7.3g  ", number("a"), number("b"),
                   number("difference")) +
            word(change, "metric") + ", " + word(change, "attack") + " x " + word(change, "defense");
    if (change.at("p").is_number()) {
      text += format("  p %.2g", change.at("p").get<double>()) + (" (" + word(change, "test")) + ", " +
              counted(change.at("seeds"), "seed") + ")";
    }
    text += "\n";
  }
  for (const auto& place : comparison.at("configuration")) {
    text += "configuration of " + word(place, "attack") + " x " + word(place, "defense") + ":\n";
    for (const auto& d : place.at("differences")) {
      text += "  " + word(d, "key") + ": " + d.at("a").dump() + " -> " + d.at("b").dump() + "\n";
    }
  }
  for (const auto& [side, front] : {std::pair("only_a", "only in the first: "), {"only_b", "only in the second: "}}) {
    for (const auto& cell : comparison.at(side)) text += front + cell.get<std::string>() + "\n";
  }
  return escape_lines(text);
}

}  // namespace roclip::bench
