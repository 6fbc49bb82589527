#include "harness/report/check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <boost/algorithm/string/join.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "harness/report/render.h"
#include "harness/report/summary.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr std::int64_t kMostSeeds = 1000;

std::string word(Outcome outcome) {
  constexpr std::array kWords = {"pass", "fail", "inconclusive"};
  return kWords[static_cast<std::size_t>(outcome)];
}

/// Why the values of a place cannot be judged; "" if they can.
std::string trouble(const Study& study, const std::string& metric, const std::string& attack,
                    const std::string& defense) {
  std::size_t cells = 0;
  for (const auto seed : study.seeds) {
    const auto* cell = study.find(attack, defense, seed);
    if (cell == nullptr) continue;
    ++cells;
    if (cell->ok()) continue;
    return "cell " + cell->id + " is " + std::string(to_string(cell->status)) +
           (cell->reason.empty() ? "" : ": " + cell->reason);
  }
  const std::string where = attack + " x " + defense;
  if (cells == 0) {
    return "no cell " + where + "; the results have the attacks " + boost::join(study.attacks, ", ") +
           " and the defenses " + boost::join(study.defenses, ", ");
  }
  if (values_of(study, metric, attack, defense).size() < cells) return metric + " does not apply to " + where;
  return "";
}

/// Seeds until the interval, of the mean and the spread seen so far, lies on one side of the limit.
std::optional<std::int64_t> seeds_to_decide(double centre, double limit, const Interval& interval, std::size_t seeds,
                                            double level) {
  // One seed tells no spread between seeds: that of counting stands in for it.
  const double n = static_cast<double>(std::max<std::size_t>(seeds, 2));
  const auto quantile = [&](double count) {
    return boost::math::quantile(boost::math::students_t(count - 1), 0.5 + level / 2);
  };
  const double half = std::max(interval.high - centre, centre - interval.low);  // the other side may be cut at 0 or 1
  const double sd = seeds > 1 ? half * std::sqrt(n) / quantile(n) : half / 1.96;
  for (auto count = static_cast<std::int64_t>(seeds) + 1; count <= kMostSeeds; ++count) {
    const double wide = quantile(static_cast<double>(count)) * sd / std::sqrt(static_cast<double>(count));
    if (count > 1 && std::abs(centre - limit) > wide) return count - static_cast<std::int64_t>(seeds);
  }
  return std::nullopt;
}

std::string corrected(const Verdict& verdict, std::int64_t looks) {
  if (looks == 1) return "";
  return format(" at %.4g %% confidence (%.4g %% corrected for up to %lld looks, Bonferroni)", 100 * verdict.confidence,
                100 * verdict.gate.confidence, static_cast<long long>(looks));
}

/// Sets outcome, reason and the number of further seeds for "a value is to lie at or below `limit`" or above it.
/// @param unpaired seeds that the baseline has and the study lacks; none without a baseline
void decide(Verdict& verdict, double centre, double limit, bool at_most, std::size_t seeds, const std::string& what,
            std::int64_t looks, const std::optional<std::set<std::int64_t>>& unpaired) {
  if (!verdict.interval) {
    verdict.outcome = Outcome::kInconclusive;
    verdict.reason = what + " " + percent(centre) + " % at one seed, of which no interval is known; run more seeds";
    return;
  }
  const auto [low, high] = *verdict.interval;
  const bool inside = at_most ? high <= limit : low >= limit, outside = at_most ? low > limit : high < limit;
  verdict.outcome = inside ? Outcome::kPass : outside ? Outcome::kFail : Outcome::kInconclusive;
  verdict.reason = what + " " + percent(centre) + " % [" + percent(low) + ", " + percent(high) + "] over " +
                   counted(std::int64_t(seeds), "seed") + corrected(verdict, looks);
  if (verdict.outcome != Outcome::kInconclusive) return;
  if (unpaired && unpaired->empty()) {
    verdict.next_seed.reset();
    verdict.reason += "; the baseline has no other seed to compare with: run more seeds of the baseline";
    return;
  }
  if (unpaired) verdict.next_seed = *unpaired->begin();
  verdict.further_seeds = seeds_to_decide(centre, limit, *verdict.interval, seeds, verdict.confidence);
  verdict.reason += verdict.further_seeds
                        ? "; about " + std::to_string(*verdict.further_seeds) + " more seeds would decide"
                        : "; the value is too close to the limit: more seeds would not decide";
}

Verdict judge(const Study& study, const Gate& gate, const std::filesystem::path& base) {
  Verdict verdict{.gate = gate};
  const auto fail = [&](const std::string& reason) {
    verdict.reason = reason;
    return verdict;
  };
  const auto metric = study.metric_id(gate.metric);
  if (metric.empty()) return fail("the results have no metric " + gate.metric);
  if (const auto why = trouble(study, metric, gate.attack, gate.defense); !why.empty()) return fail(why);
  const auto values = values_of(study, metric, gate.attack, gate.defense);
  verdict.confidence = confidence_of_look(gate.confidence, study.looks);
  verdict.seeds = std::ssize(values);
  if (!values.empty()) verdict.next_seed = values.back().seed + 1;
  const std::string& reference = study.defenses.front();
  const bool limits_attack =
      study.kind(metric).measures == Measures::kAttackSuccess && gate.kind != Gate::Kind::kAtLeast;
  if (limits_attack && gate.attack_works > 0 && gate.defense != reference) {
    if (const auto why = trouble(study, metric, gate.attack, reference); !why.empty()) {
      return fail("cannot tell whether the attack works: " + why);
    }
    const double works = mean_of(values_of(study, metric, gate.attack, reference));
    if (works < gate.attack_works) {
      return fail("the attack succeeds in only " + percent(works) + " % against " + reference +
                  ", less than attack_works, " + percent(gate.attack_works) + " %: too weak to judge a defense");
    }
  }

  if (gate.kind != Gate::Kind::kNotWorseThan) {
    verdict.interval = interval_of(values, verdict.confidence);
    decide(verdict, mean_of(values), gate.limit, gate.kind == Gate::Kind::kAtMost, values.size(), gate.metric,
           study.looks, std::nullopt);
    return verdict;
  }
  Study baseline;
  try {
    baseline = load_study({base / gate.baseline});
  } catch (const Error& e) {
    return fail(std::string("the baseline cannot be read: ") + e.what());
  }
  const auto their_metric = baseline.metric_id(gate.metric);
  if (their_metric.empty()) return fail("the baseline has no metric " + gate.metric);
  if (const auto why = trouble(baseline, their_metric, gate.attack, gate.defense); !why.empty()) {
    return fail("in the baseline: " + why);
  }
  const auto their_values = values_of(baseline, their_metric, gate.attack, gate.defense);
  std::set<std::int64_t> unpaired;
  for (const auto& value : their_values) unpaired.insert(value.seed);
  for (const auto& value : values) unpaired.erase(value.seed);
  const auto [mine, theirs] = paired(values, their_values);
  if (mine.empty()) return fail("the baseline has none of these seeds");
  const bool lower = study.kind(metric).lower_is_better;
  verdict.interval = lower ? difference_interval(mine, theirs, verdict.confidence)
                           : difference_interval(theirs, mine, verdict.confidence);
  const double rise = mean_of(mine) - mean_of(theirs);
  decide(verdict, lower ? rise : -rise, gate.limit, true, mine.size(), "worse by", study.looks, unpaired);
  return verdict;
}

}  // namespace

std::vector<Verdict> check(const Study& study, const std::vector<Gate>& gates, const std::filesystem::path& base) {
  std::vector<Verdict> verdicts;
  for (const auto& gate : gates) verdicts.push_back(judge(study, gate, base));
  return verdicts;
}

int exit_code(const std::vector<Verdict>& verdicts) {
  const auto any = [&](Outcome outcome) {
    return std::ranges::find(verdicts, outcome, &Verdict::outcome) != verdicts.end();
  };
  return any(Outcome::kFail) ? 11 : any(Outcome::kInconclusive) ? 12 : 0;
}

std::string render_text(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const auto& verdict : verdicts) {
    const auto outcome = word(verdict.outcome);
    text += outcome + std::string(14 - outcome.size(), ' ') + escape_text(verdict.gate.text()) + "\n" +
            std::string(14, ' ') + escape_text(verdict.reason) + "\n";
  }
  return text;
}

std::string render_markdown(const std::vector<Verdict>& verdicts) {
  std::string text = "| gate | outcome | |\n|---|---|---|\n";
  for (const auto& verdict : verdicts) {
    text += "| " + escape_markdown(verdict.gate.text()) + " | **" + word(verdict.outcome) + "** | " +
            escape_markdown(verdict.reason) + " |\n";
  }
  return text;
}

std::string render_junit(const std::vector<Verdict>& verdicts, const std::string& name) {
  std::size_t failures = 0, skipped = 0;
  std::string cases;
  for (const auto& verdict : verdicts) {
    cases += "  <testcase classname=\"gate\" name=\"" + escape_xml(verdict.gate.text()) + "\"";
    const std::string message = " message=\"" + escape_xml(verdict.reason) + "\"/></testcase>\n";
    if (verdict.outcome == Outcome::kFail) ++failures;
    if (verdict.outcome == Outcome::kInconclusive) ++skipped;
    cases += verdict.outcome == Outcome::kPass   ? "/>\n"
             : verdict.outcome == Outcome::kFail ? "><failure" + message
                                                 : "><skipped" + message;
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + escape_xml(name) + "\" tests=\"" +
         std::to_string(verdicts.size()) + "\" failures=\"" + std::to_string(failures) + "\" skipped=\"" +
         std::to_string(skipped) + "\">\n" + cases + "</testsuite>\n";
}

Json to_json(const std::vector<Verdict>& verdicts) {
  Json list = Json::array();
  for (const auto& verdict : verdicts) {
    list.push_back({{"gate", verdict.gate.text()},
                    {"outcome", word(verdict.outcome)},
                    {"reason", verdict.reason},
                    {"low", verdict.interval ? Json(verdict.interval->low) : Json()},
                    {"high", verdict.interval ? Json(verdict.interval->high) : Json()},
                    {"confidence", verdict.interval ? Json(verdict.confidence) : Json()},
                    {"further_seeds", verdict.further_seeds ? Json(*verdict.further_seeds) : Json()}});
  }
  return {{"exit_code", exit_code(verdicts)}, {"gates", std::move(list)}};
}

}  // namespace roclip::bench
