#include "harness/study/gates.h"

#include <set>

#include "harness/record/text.h"
#include "harness/study/keys.h"

namespace roclip::bench {

namespace {

std::string text_at(const Json& object, const std::string& key, const std::string& where) {
  const Json value = object.value(key, Json());
  if (!value.is_string()) refuse(where + "/" + key, "a string", value);
  return value;
}

double share_at(const Json& object, const std::string& key, const std::string& where) {
  const Json value = object.value(key, Json());
  if (!value.is_number() || value < 0 || value > 1) refuse(where + "/" + key, "a number from 0 to 1", value);
  return value;
}

Gate read_gate(const Json& json, const std::string& where) {
  only_keys(json, {"metric", "where", "at_most", "at_least", "not_worse_than", "confidence", "attack_works"}, where);
  Gate gate;
  gate.metric = text_at(json, "metric", where);
  const Json place = json.value("where", Json());
  only_keys(place, {"attack", "defense"}, where + "/where");
  gate.attack = text_at(place, "attack", where + "/where");
  gate.defense = text_at(place, "defense", where + "/where");
  if (json.contains("at_most") + json.contains("at_least") + json.contains("not_worse_than") != 1) {
    refuse(where, R"(exactly one of "at_most", "at_least" and "not_worse_than")", json);
  }
  if (json.contains("at_most")) {
    gate.limit = share_at(json, "at_most", where);
  } else if (json.contains("at_least")) {
    gate.kind = Gate::Kind::kAtLeast;
    gate.limit = share_at(json, "at_least", where);
  } else {
    const Json& other = json.at("not_worse_than");
    only_keys(other, {"baseline", "margin"}, where + "/not_worse_than");
    gate.kind = Gate::Kind::kNotWorseThan;
    gate.baseline = text_at(other, "baseline", where + "/not_worse_than");
    gate.limit = share_at(other, "margin", where + "/not_worse_than");
  }
  if (json.contains("confidence")) gate.confidence = share_at(json, "confidence", where);
  if (gate.confidence < 0.5 || gate.confidence >= 1) {
    refuse(where + "/confidence", "a number from 0.5 to less than 1", gate.confidence);
  }
  if (json.contains("attack_works")) gate.attack_works = share_at(json, "attack_works", where);
  return gate;
}

}  // namespace

std::string Gate::text() const {
  const std::string what = metric + " of " + attack + " x " + defense, share = format("%.4g %%", 100 * limit);
  if (kind == Kind::kNotWorseThan) return what + " not worse than " + baseline + " by more than " + share;
  return what + (kind == Kind::kAtMost ? " at most " : " at least ") + share;
}

std::vector<Gate> read_gates(const Json& gates, const std::string& where) {
  if (!gates.is_array()) refuse(where, "an array of gates", gates);
  std::vector<Gate> result;
  for (std::size_t i = 0; i < gates.size(); ++i) {
    result.push_back(read_gate(gates[i], where + "/" + std::to_string(i)));
  }
  return result;
}

void expect_gates_fit(const std::vector<Gate>& gates, const std::vector<Cell>& cells, const std::string& where) {
  std::set<std::string> metrics, attacks, defenses;
  for (const auto& cell : cells) {
    attacks.insert(cell.attack);
    defenses.insert(cell.defense);
  }
  for (const auto& metric : cells.front().config.at("metrics")) {
    const auto id = metric.at("plugin").get<std::string>();
    metrics.insert({id, plugin_name(id)});
  }
  const auto expect = [&](const std::string& key, const std::string& name, const std::set<std::string>& known) {
    if (known.contains(name)) return;
    throw Error(ErrorKind::kMatrix, where + "/" + key + ": there is no \"" + name + "\" in this matrix" +
                                        did_you_mean(name, {known.begin(), known.end()}) +
                                        " (there are: " + joined(known) + ")");
  };
  for (std::size_t i = 0; i < gates.size(); ++i) {
    expect(std::to_string(i) + "/metric", gates[i].metric, metrics);
    expect(std::to_string(i) + "/where/attack", gates[i].attack, attacks);
    expect(std::to_string(i) + "/where/defense", gates[i].defense, defenses);
  }
}

}  // namespace roclip::bench
