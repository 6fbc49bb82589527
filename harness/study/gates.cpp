#include "harness/study/gates.h"

#include <set>

#include <boost/algorithm/string/join.hpp>

#include "harness/record/checked_json.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace {

double read_share(const CheckedJson& json) {
  const Json& share = json.json();
  if (!share.is_number() || share < 0 || share > 1) json.refuse("a number from 0 to 1");
  return share;
}

Gate read_gate(const CheckedJson& json) {
  json.only_keys({"metric", "where", "at_most", "at_least", "not_worse_than", "confidence", "attack_works"});
  const auto place = json.at("where");
  place.only_keys({"attack", "defense"});
  Gate gate{
      .metric = json.at("metric").text(), .attack = place.at("attack").text(), .defense = place.at("defense").text()};
  if (json.has("at_most") + json.has("at_least") + json.has("not_worse_than") != 1) {
    json.refuse(R"(exactly one of "at_most", "at_least" and "not_worse_than")");
  }
  if (json.has("at_most")) {
    gate.limit = read_share(json.at("at_most"));
  } else if (json.has("at_least")) {
    gate.kind = Gate::Kind::kAtLeast;
    gate.limit = read_share(json.at("at_least"));
  } else {
    const auto other = json.at("not_worse_than");
    other.only_keys({"baseline", "margin"});
    gate.kind = Gate::Kind::kNotWorseThan;
    gate.baseline = other.at("baseline").text();
    gate.limit = read_share(other.at("margin"));
  }
  if (json.has("confidence")) gate.confidence = read_share(json.at("confidence"));
  if (gate.confidence < 0.5 || gate.confidence >= 1) {
    json.at("confidence").refuse("a number from 0.5 to less than 1");
  }
  if (json.has("attack_works")) gate.attack_works = read_share(json.at("attack_works"));
  return gate;
}

}  // namespace

std::string Gate::text() const {
  const std::string what = metric + " of " + attack + " x " + defense, share = format("%.4g %%", 100 * limit);
  if (kind == Kind::kNotWorseThan) return what + " not worse than " + baseline + " by more than " + share;
  return what + (kind == Kind::kAtMost ? " at most " : " at least ") + share;
}

std::vector<Gate> read_gates(const Json& gates, const std::string& where) {
  const CheckedJson json(gates, where, /*next_step=*/"", ErrorKind::kMatrix);
  if (!gates.is_array()) json.refuse("an array of gates");
  std::vector<Gate> result;
  for (const auto& gate : json.items()) result.push_back(read_gate(gate));
  return result;
}

void expect_gates_fit(const std::vector<Gate>& gates, const std::vector<Cell>& cells, const std::string& where) {
  std::set<std::string> metrics, attacks, defenses;
  for (const auto& cell : cells) {
    attacks.insert(cell.attack);
    defenses.insert(cell.defense);
  }
  std::vector<std::string> sets;  // not each metric is measured on them; a gate on what is missing fails
  const Json data = cells.front().config.value("data", Json());
  if (data.is_object() && data.contains("evaluate")) {
    sets.push_back("mean");
    for (const auto& [name, set] : data.at("evaluate").items()) sets.push_back(name);
  }
  for (const auto& metric : cells.front().config.at("metrics")) {
    const auto id = metric.at("plugin").get<std::string>();
    metrics.insert({id, plugin_name(id)});
    for (const auto& set : sets) metrics.insert(plugin_name(metric_on_set(id, set)));
  }
  const auto expect = [&](const std::string& key, const std::string& name, const std::set<std::string>& known) {
    if (known.contains(name)) return;
    throw Error(ErrorKind::kMatrix, where + "/" + key + ": there is no \"" + name + "\" in this matrix" +
                                        did_you_mean(name, {known.begin(), known.end()}) +
                                        " (there are: " + boost::join(known, ", ") + ")");
  };
  for (std::size_t i = 0; i < gates.size(); ++i) {
    expect(std::to_string(i) + "/metric", gates[i].metric, metrics);
    expect(std::to_string(i) + "/where/attack", gates[i].attack, attacks);
    expect(std::to_string(i) + "/where/defense", gates[i].defense, defenses);
  }
}

}  // namespace roclip::bench
