#include "harness/study/select.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "roclip/error.h"

namespace roclip::bench {

namespace {

const std::vector<std::string> kKeys = {"attack", "defense", "seed"};

/// The names of rows or columns, by the key that selects them.
using Labels = std::map<std::string, std::set<std::string>>;

/// Whether the cell is one of those that the terms name. Names are compared whole, commas included.
bool holds(std::string_view terms, const Cell& cell, const Labels& labels) {
  const auto begins_with = [&](const std::string& term) {
    if (!terms.starts_with(term)) return false;
    const auto rest = terms.substr(term.size());
    return rest.empty() || (rest.front() == ',' && holds(rest.substr(1), cell, labels));
  };
  const auto names = [&](const std::string& key, const std::string& label, const Json& choice) {
    const auto id = choice.at("plugin").get<std::string>();
    const auto is_plugin = [&](const std::string& name) {
      return !labels.at(key).contains(name) && begins_with(key + name);
    };
    return begins_with(key + label) || is_plugin(id) || is_plugin(plugin_name(id));
  };
  const std::string first(terms.substr(0, terms.find(',')));
  return names("attack=", cell.attack, cell.config.at("attack")) ||
         names("defense=", cell.defense, cell.config.at("defense")) ||
         begins_with("seed=" + std::to_string(cell.seed)) ||
         (!first.empty() && cell.id.starts_with(first) && begins_with(first));
}

[[noreturn]] void refuse(const std::string& selector, const std::vector<Cell>& cells) {
  for (std::size_t begin = 0, end = 0; end < selector.size(); begin = end + 1) {
    end = std::min(selector.find(',', begin), selector.size());
    const auto term = selector.substr(begin, end - begin), key = term.substr(0, term.find('='));
    const bool is_known = key == term || std::ranges::find(kKeys, key) != kKeys.end();
    if (is_known || (begin > 0 && nearest(key, kKeys).empty())) continue;  // the latter: part of a label
    throw Error(ErrorKind::kUsage, "--only " + selector + ": unknown term \"" + key + "\"" + did_you_mean(key, kKeys) +
                                       "; expected attack=, defense=, seed= or the beginning of a cell's id");
  }
  std::set<std::string> attacks, defenses, seeds;
  for (const auto& cell : cells) {
    attacks.insert("\"attack=" + cell.attack + "\"");
    defenses.insert("\"defense=" + cell.defense + "\"");
    seeds.insert("seed=" + std::to_string(cell.seed));
  }
  std::string message =
      "--only \"" + selector + "\" selects none of the " + std::to_string(cells.size()) + " cells; there are";
  for (const auto* terms : {&attacks, &defenses, &seeds}) {
    constexpr int kMost = 20;
    int shown = 0;
    for (const auto& term : *terms) message += ++shown < kMost ? " " + term : shown == kMost ? " ..." : "";
  }
  throw Error(ErrorKind::kEmpty, message);
}

}  // namespace

std::vector<const Cell*> select(const std::vector<Cell>& cells, const std::vector<std::string>& selectors) {
  Labels labels;
  for (const auto& cell : cells) {
    labels["attack="].insert(cell.attack);
    labels["defense="].insert(cell.defense);
  }
  std::set<const Cell*> wanted;
  for (const auto& selector : selectors) {
    bool is_empty = true;
    for (const auto& cell : cells) {
      if (!holds(selector, cell, labels)) continue;
      wanted.insert(&cell);
      is_empty = false;
    }
    if (is_empty) refuse(selector, cells);
  }
  std::vector<const Cell*> selected;
  for (const auto& cell : cells) {
    if (selectors.empty() || wanted.contains(&cell)) selected.push_back(&cell);
  }
  return selected;
}

namespace {

/// Of each cell, the number of its group: those that share a training, in the order of their first cells.
std::vector<std::size_t> groups_of(const std::vector<const Cell*>& cells,
                                   const std::map<std::string, std::string>& trainings) {
  std::map<std::string, std::size_t> numbers;
  std::vector<std::size_t> groups;
  for (const auto* cell : cells) {
    const auto training = trainings.find(cell->id);
    const auto& key = training == trainings.end() || training->second.empty() ? cell->id : training->second;
    groups.push_back(numbers.try_emplace(key, numbers.size()).first->second);
  }
  return groups;
}

}  // namespace

std::size_t most_shards(const std::vector<const Cell*>& cells, const std::map<std::string, std::string>& trainings) {
  const auto groups = groups_of(cells, trainings);
  return groups.empty() ? 0 : *std::ranges::max_element(groups) + 1;
}

std::vector<const Cell*> shard_of(const std::vector<const Cell*>& cells,
                                  const std::map<std::string, std::string>& trainings, Shard shard) {
  const auto groups = groups_of(cells, trainings);
  std::vector<const Cell*> part;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (groups[i] % shard.count == shard.index - 1) part.push_back(cells[i]);
  }
  return part;
}

}  // namespace roclip::bench
