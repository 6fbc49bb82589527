#include "harness/report/claims.h"

#include <algorithm>

#include "harness/record/files.h"
#include "harness/report/render.h"
#include "harness/report/summary.h"
#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip::bench {

namespace {

const std::vector<std::string> kKeys = {"claim",  "source",  "reported", "not_testable", "metric",
                                        "attack", "defense", "minus",    "at_least",     "at_most"};

std::string_view word(Finding finding) {
  switch (finding) {
    case Finding::kReproduced:
      return "reproduced";
    case Finding::kNotReproduced:
      return "not reproduced";
    case Finding::kUndecided:
      return "undecided";
    case Finding::kNotTestable:
      break;
  }
  return "not testable here";
}

Claim read_claim(const Json& json, const std::string& where) {
  const auto refuse = [&](const std::string& what) { throw Error(ErrorKind::kMatrix, where + what); };
  if (!json.is_object()) refuse(": expected an object, got " + json.dump());
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(kKeys, key) == kKeys.end()) refuse("/" + key + ": unknown key" + did_you_mean(key, kKeys));
  }
  const auto text = [&](const char* key, bool needed) -> std::string {
    if (!json.contains(key) && !needed) return "";
    if (!json.contains(key) || !json.at(key).is_string()) {
      refuse(std::string("/") + key + ": expected a string, got " + json.value(key, Json()).dump());
    }
    return json.at(key);
  };
  const auto bound = [&](const char* key, double other) -> double {
    if (!json.contains(key)) return other;
    if (!json.at(key).is_number() || json.at(key) < -1 || json.at(key) > 1) {
      refuse(std::string("/") + key + ": expected a share from -1 to 1, got " + json.at(key).dump());
    }
    return json.at(key);
  };
  Claim claim{.claim = text("claim", true),
              .source = text("source", true),
              .reported = text("reported", true),
              .not_testable = text("not_testable", false),
              .metric = {},
              .attack = {},
              .defense = {},
              .minus = text("minus", false)};
  if (!claim.not_testable.empty()) return claim;
  claim.metric = text("metric", true);
  claim.attack = text("attack", true);
  claim.defense = text("defense", true);
  if (!json.contains("at_least") && !json.contains("at_most")) refuse(R"(: expected "at_least", "at_most" or both)");
  claim.at_least = bound("at_least", -1);
  claim.at_most = bound("at_most", 1);
  return claim;
}

Verified verify_one(const Study& study, const Claim& claim) {
  Verified result{.claim = claim, .reason = claim.not_testable, .interval = {}};
  if (!claim.not_testable.empty()) return result;
  const auto metric = study.metric_id(claim.metric);
  const auto values = values_of(study, metric, claim.attack, claim.defense);
  if (values.empty()) {
    result.reason = "no value of " + claim.metric + " for " + claim.attack + " x " + claim.defense;
    return result;
  }
  if (claim.minus.empty()) {
    const auto counts = counts_of(values);
    result.ours = mean_share(counts);
    result.interval = over_seeds(counts);
    result.seeds = counts.size();
  } else {
    const auto [mine, other] = paired(values, values_of(study, metric, claim.attack, claim.minus));
    if (mine.empty()) {
      result.reason = "no value of " + claim.metric + " for " + claim.attack + " x " + claim.minus;
      return result;
    }
    result.ours = mean_share(mine) - mean_share(other);
    result.interval = difference_over_seeds(mine, other);
    result.seeds = mine.size();
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
         "], " + std::to_string(item.seeds) + (item.seeds == 1 ? " seed" : " seeds");
}

std::string place(const Claim& claim) {
  if (!claim.not_testable.empty()) return "";
  return claim.metric + ", " + claim.attack + " x " + claim.defense +
         (claim.minus.empty() ? "" : " minus " + claim.minus);
}

std::string agreement(const Claim& claim) {
  if (!claim.not_testable.empty()) return "";
  std::string text;
  if (claim.at_least > -1) text = "at least " + percent(claim.at_least) + " %";
  if (claim.at_most < 1) text += (text.empty() ? "at most " : " and at most ") + percent(claim.at_most) + " %";
  return text;
}

}  // namespace

std::vector<Claim> read_claims(const std::filesystem::path& file) {
  const Json json = read_json(file);
  if (!json.is_object() || json.value("schema_version", 0) != 1 || !json.value("claims", Json()).is_array()) {
    throw Error(ErrorKind::kMatrix, file.string() + ": expected {\"schema_version\": 1, \"claims\": [...]}");
  }
  std::vector<Claim> claims;
  for (std::size_t i = 0; i < json.at("claims").size(); ++i) {
    claims.push_back(read_claim(json.at("claims")[i], file.string() + ": /claims/" + std::to_string(i)));
  }
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
    const std::string finding(word(item.finding));
    text += finding + std::string(19 - finding.size(), ' ') + item.claim.claim + "\n" + std::string(19, ' ') +
            "reported " + item.claim.reported + " (" + item.claim.source + "); here " + ours(item) + "\n";
    if (item.interval) {
      text += std::string(19, ' ') + place(item.claim) + "; agreement: " + agreement(item.claim) + "\n";
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
            agreement(item.claim) + " | **" + std::string(word(item.finding)) + "** |\n";
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
