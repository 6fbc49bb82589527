#include "harness/report/claims.h"

#include <algorithm>
#include <array>

#include "harness/record/files.h"
#include "harness/report/render.h"
#include "harness/report/summary.h"
#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip::bench {

namespace {

const std::vector<std::string> kKeys = {"claim",  "source",  "reported", "not_testable", "metric",
                                        "attack", "defense", "minus",    "at_least",     "at_most"};

std::string word(Finding finding) {
  constexpr std::array kWords = {"reproduced", "not reproduced", "undecided", "not testable here"};
  return kWords[static_cast<std::size_t>(finding)];
}

Claim read_claim(const CheckedJson& json) {
  for (const auto& [key, value] : json.members()) {
    if (std::ranges::find(kKeys, key) == kKeys.end()) value.fail("unknown key" + did_you_mean(key, kKeys));
  }
  Claim claim{.claim = json.at("claim").text(),
              .source = json.at("source").text(),
              .reported = json.at("reported").text(),
              .not_testable = json.get("not_testable").text_or_null(),
              .minus = json.get("minus").text_or_null()};
  if (!claim.not_testable.empty()) return claim;
  claim.metric = json.at("metric").text();
  claim.attack = json.at("attack").text();
  claim.defense = json.at("defense").text();
  if (!json.has("at_least") && !json.has("at_most")) json.fail(R"(expected "at_least", "at_most" or both)");
  if (json.has("at_least")) claim.at_least = json.at("at_least").number(-1, 1);
  if (json.has("at_most")) claim.at_most = json.at("at_most").number(-1, 1);
  return claim;
}

Verified verify_one(const Study& study, const Claim& claim) {
  Verified result{.claim = claim, .reason = claim.not_testable};
  if (!claim.not_testable.empty()) return result;
  const auto metric = study.metric_id(claim.metric);
  const auto values = values_of(study, metric, claim.attack, claim.defense);
  if (values.empty()) {
    result.reason = "no value of " + claim.metric + " for " + claim.attack + " x " + claim.defense;
    return result;
  }
  if (claim.minus.empty()) {
    result.ours = mean_of(values);
    result.interval = interval_of(values);
    result.seeds = values.size();
  } else {
    const auto [mine, other] = paired(values, values_of(study, metric, claim.attack, claim.minus));
    if (mine.empty()) {
      result.reason = "no value of " + claim.metric + " for " + claim.attack + " x " + claim.minus;
      return result;
    }
    result.ours = mean_of(mine) - mean_of(other);
    result.interval = difference_interval(mine, other);
    result.seeds = mine.size();
  }
  if (!result.interval) {
    result.reason = "one seed of " + claim.metric + " has no interval; run more seeds";
    result.finding = Finding::kUndecided;
    return result;
  }
  const auto [low, high] = *result.interval;
  const bool agrees = low >= claim.at_least && high <= claim.at_most;
  const bool disagrees = high < claim.at_least || low > claim.at_most;
  result.finding = agrees ? Finding::kReproduced : disagrees ? Finding::kNotReproduced : Finding::kUndecided;
  return result;
}

/// "12.5 % [3.5, 36.0], 6 seeds", a difference with its sign.
std::string ours(const Verified& item) {
  if (!item.interval) return item.reason;
  const std::string sign = !item.claim.minus.empty() && item.ours >= 0 ? "+" : "";
  return sign + percent(item.ours) + " % [" + percent(item.interval->low) + ", " + percent(item.interval->high) +
         "], " + counted(std::int64_t(item.seeds), "seed");
}

std::string place(const Claim& claim) {
  return claim.metric + ", " + claim.attack + " x " + claim.defense +
         (claim.minus.empty() ? "" : " minus " + claim.minus);
}

/// "" where nothing can be tested.
std::string agreement(const Claim& claim) {
  std::string text;
  if (claim.at_least > -1) text = "at least " + percent(claim.at_least) + " %";
  if (claim.at_most < 1) text += (text.empty() ? "at most " : " and at most ") + percent(claim.at_most) + " %";
  return text;
}

}  // namespace

std::vector<Claim> read_claims(const std::filesystem::path& file) {
  const Json document = read_json(file, ErrorKind::kMatrix);
  const CheckedJson json(document, file.string(), "see results/paper/claims.json for an example", ErrorKind::kMatrix);
  json.check_version(1);
  std::vector<Claim> claims;
  for (const auto& claim : json.at("claims").items()) claims.push_back(read_claim(claim));
  return claims;
}

std::vector<Verified> verify(const Study& study, const std::vector<Claim>& claims) {
  std::vector<Verified> list;
  for (const auto& claim : claims) list.push_back(verify_one(study, claim));
  return list;
}

std::string render_text(const std::vector<Verified>& list) {
  std::string text;
  for (const auto& item : list) {
    const std::string finding(word(item.finding)), indent(19, ' ');
    text += finding + std::string(19 - finding.size(), ' ') + escape_text(item.claim.claim) + "\n" + indent +
            escape_text("reported " + item.claim.reported + " (" + item.claim.source + "); here " + ours(item)) + "\n";
    if (item.interval) {
      text += indent + escape_text(place(item.claim) + "; counts as agreement: " + agreement(item.claim)) + "\n";
    }
  }
  return text;
}

std::string render_markdown(const std::vector<Verified>& list) {
  std::string text = "| claim | reported | here | counts as agreement | verdict |\n|---|---|---|---|---|\n";
  for (const auto& item : list) {
    text += "| " + escape_markdown(item.claim.claim) + " | " +
            escape_markdown(item.claim.reported + " (" + item.claim.source + ")") + " | " +
            escape_markdown(ours(item)) + (item.interval ? "<br>" + escape_markdown(place(item.claim)) : "") + " | " +
            agreement(item.claim) + " | **" + word(item.finding) + "** |\n";
  }
  return text;
}

Json to_json(const std::vector<Verified>& list) {
  Json claims = Json::array();
  for (const auto& item : list) {
    claims.push_back({{"claim", item.claim.claim},
                      {"source", item.claim.source},
                      {"reported", item.claim.reported},
                      {"verdict", word(item.finding)},
                      {"reason", item.reason.empty() ? Json() : Json(item.reason)},
                      {"ours", item.interval ? Json(item.ours) : Json()},
                      {"low", item.interval ? Json(item.interval->low) : Json()},
                      {"high", item.interval ? Json(item.interval->high) : Json()},
                      {"seeds", item.seeds}});
  }
  return {{"claims", std::move(claims)}};
}

}  // namespace roclip::bench
