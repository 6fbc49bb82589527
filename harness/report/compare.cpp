#include "harness/report/compare.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "harness/report/render.h"
#include "harness/report/significance.h"
#include "harness/report/summary.h"

namespace roclip::bench {

namespace {

/// Keys of two configurations that differ, the seed left out.
Json differences(const Json& a, const Json& b) {
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
  const auto name = [](const Json& cell) {
    return cell.at("attack").get<std::string>() + " x " + cell.at("defense").get<std::string>() + ", seed " +
           cell.at("seed").dump();
  };
  const auto has = [](const Study& study, const Json& cell) {
    const auto place = study.find(cell.at("attack"), cell.at("defense"), cell.at("seed"));
    return place >= 0 && study.cells[static_cast<std::size_t>(place)].at("status") == "ok";
  };
  for (const auto& cell : a.cells) {
    if (has(a, cell) && !has(b, cell)) only_a.push_back(name(cell));
  }
  for (const auto& cell : b.cells) {
    if (has(b, cell) && !has(a, cell)) only_b.push_back(name(cell));
  }
  for (const auto& attack : a.attacks) {
    for (const auto& defense : a.defenses) {
      Json record_a, record_b;  // of the first seed that both have
      for (const auto seed : a.seeds) {
        if (a.find(attack, defense, seed) < 0 || b.find(attack, defense, seed) < 0 || !record_a.is_null()) continue;
        record_a = a.record(a.find(attack, defense, seed));
        record_b = b.record(b.find(attack, defense, seed));
      }
      if (!record_a.is_null() && !record_b.is_null()) {
        auto list = differences(record_a.at("effective"), record_b.at("effective"));
        if (!list.empty()) {
          configuration.push_back({{"attack", attack}, {"defense", defense}, {"differences", std::move(list)}});
        }
      }
      for (const auto& metric : a.metrics) {
        const auto values_a = values_of(a, metric, attack, defense), values_b = values_of(b, metric, attack, defense);
        const auto [mine, theirs] = paired(values_a, values_b);
        if (mine.empty()) continue;
        std::vector<double> by_seed;
        for (std::size_t i = 0; i < mine.size(); ++i) by_seed.push_back(theirs[i].share() - mine[i].share());
        if (std::ranges::all_of(by_seed, [](double d) { return d == 0; })) {
          ++equal;
          continue;
        }
        Json p, test;
        if (mine.size() > 1) {
          p = permutation_test(by_seed);
          test = "permutation";
        } else {
          const Json out_a = stored_headline(record_a, metric), out_b = stored_headline(record_b, metric);
          if (!out_a.is_null() && !out_b.is_null() && out_a.at("items") == out_b.at("items")) {
            p = mcnemar(out_a.at("outcomes").get<std::string>(), out_b.at("outcomes").get<std::string>());
            test = "McNemar";
          }
        }
        changed.push_back({{"attack", attack},
                           {"defense", defense},
                           {"metric", metric},
                           {"seeds", mine.size()},
                           {"a", mean_share(mine)},
                           {"b", mean_share(theirs)},
                           {"difference", mean(by_seed)},
                           {"p", std::move(p)},
                           {"test", std::move(test)}});
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
                     comparison.at("equal").dump() + " are equal\n";
  for (const auto& change : comparison.at("changed")) {
    char numbers[160];
    std::snprintf(numbers, sizeof numbers, "%5.1f %% -> %5.1f %%  %+6.1f  ", 100 * change.at("a").get<double>(),
                  100 * change.at("b").get<double>(), 100 * change.at("difference").get<double>());
    text += "  " + std::string(numbers) + change.at("metric").get<std::string>() + ", " +
            change.at("attack").get<std::string>() + " x " + change.at("defense").get<std::string>();
    if (change.at("p").is_number()) {
      std::snprintf(numbers, sizeof numbers, "  p %.2g (%s, %lld seed%s)", change.at("p").get<double>(),
                    change.at("test").get<std::string>().c_str(), change.at("seeds").get<long long>(),
                    change.at("seeds") == 1 ? "" : "s");
      text += numbers;
    }
    text += "\n";
  }
  for (const auto& place : comparison.at("configuration")) {
    text += "configuration of " + place.at("attack").get<std::string>() + " x " +
            place.at("defense").get<std::string>() + ":\n";
    for (const auto& d : place.at("differences")) {
      text += "  " + d.at("key").get<std::string>() + ": " + d.at("a").dump() + " -> " + d.at("b").dump() + "\n";
    }
  }
  for (const char* side : {"only_a", "only_b"}) {
    for (const std::string cell : comparison.at(side))
      text += std::string(side == std::string("only_a") ? "only in the first: " : "only in the second: ") + cell + "\n";
  }
  return text;
}

}  // namespace roclip::bench
