#include <algorithm>
#include <map>
#include <random>

#include "harness/record/text.h"
#include "harness/report/summary.h"

namespace roclip::bench {

namespace {

/// @pre not empty
double auroc(const std::vector<double>& positives, const std::vector<double>& negatives) {
  double wins = 0;
  for (const double high : positives) {
    for (const double low : negatives) wins += high > low ? 1 : high == low ? 0.5 : 0;
  }
  return wins / static_cast<double>(positives.size() * negatives.size());
}

}  // namespace

void add_standings(Summary& summary, const Study& study) {
  const Table *success = summary.first_table(Measures::kAttackSuccess),
              *utility = summary.first_table(Measures::kCleanAccuracy);
  std::vector<std::size_t> columns;  // of defenses with a success
  for (std::size_t d = 0; d < study.defenses.size(); ++d) {
    Standing& standing = summary.standings.emplace_back(Standing{study.defenses[d], d});
    for (const auto& cell : study.cells) {
      if (cell.defense != standing.defense || cell.capability.empty()) continue;
      standing.capability = cell.capability;
      standing.acts = cell.acts;
    }
    const auto met = [d](const Row& row) { return !row.entries[d].seeds.empty(); };
    if (success != nullptr && std::ranges::any_of(success->rows, met)) columns.push_back(d);
  }
  for (std::size_t r = 0; !columns.empty() && r < success->rows.size(); ++r) {
    const auto& entries = success->rows[r].entries;
    std::vector<std::int64_t> shared = summary.seeds;
    for (const auto d : columns) {
      std::erase_if(shared, [&](std::int64_t seed) { return at_seeds(entries[d].seeds, {seed}).empty(); });
    }
    if (!shared.empty()) summary.compared.push_back({r, shared});
  }
  for (const auto d : columns) {
    Standing& standing = summary.standings[d];
    std::vector<double> ranks, by_seed;
    for (const auto& [r, seeds] : summary.compared) {
      const auto& entries = success->rows[r].entries;
      const auto own = at_seeds(entries[d].seeds, seeds);
      const double share = 1 / static_cast<double>(summary.compared.size());
      by_seed.assign(own.size(), 0.5);  // equal values share the mean of their ranks
      for (const auto other : columns) {
        const auto leads = differences(own, at_seeds(entries[other].seeds, seeds));
        for (std::size_t i = 0; i < leads.size(); ++i) by_seed[i] += leads[i] > 0 ? 1 : leads[i] == 0 ? 0.5 : 0;
      }
      ranks.push_back(mean(by_seed));
      standing.rank += share * ranks.back();
      standing.success += share * mean_of(own);
      standing.train_s += share * entries[d].train_s;
      const auto clean = utility != nullptr ? at_seeds(utility->rows[r].entries[d].seeds, seeds) : Values();
      if (!clean.empty()) standing.utility += share * mean_of(clean);
    }
    const auto& drawn = ranks.size() == 1 ? by_seed : ranks;
    if (drawn.size() < 2) continue;
    const auto [low, high] = t_interval(drawn);
    standing.rank_interval = {std::max(low, 1.0), std::min(high, static_cast<double>(columns.size()))};
  }
  std::ranges::stable_sort(summary.standings, {}, [](const Standing& s) { return s.rank > 0 ? s.rank : 1e9; });
}

std::string model_detection(const Study& study, const std::string& metric) {
  std::map<std::string, std::vector<double>> scores;  // by the attack's goal
  for (const auto& cell : study.cells) {
    const auto found = cell.metrics.find(metric);
    if (found == cell.metrics.end()) continue;
    if (const auto headline = found->second.quoted()) scores[cell.goal].push_back(headline->value);
  }
  const auto &backdoored = scores["triggered_images"], &clean = scores["none"];
  if (backdoored.empty() || clean.empty()) return "";
  std::mt19937_64 random(1);
  const auto redrawn = [&](std::vector<double> models) {
    const auto all = models;
    for (double& score : models) score = all[random() % all.size()];
    return models;
  };
  std::vector<double> draws(1000);
  for (double& draw : draws) draw = auroc(redrawn(backdoored), redrawn(clean));
  std::ranges::sort(draws);
  return format("AUROC %.3f [%.3f, %.3f] (95 %%, bootstrap over models): %zu backdoored against %zu clean models",
                auroc(backdoored, clean), draws[25], draws[974], backdoored.size(), clean.size());
}

}  // namespace roclip::bench
