#include "harness/study/select.h"

#include <algorithm>
#include <set>

#include "roclip/error.h"

namespace roclip::bench {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// The label itself, or the plugin's name with or without its revision.
bool names(const std::string& wanted, const std::string& label, const Json& choice) {
  const auto plugin = choice.at("plugin").get<std::string>();
  return wanted == label || wanted == plugin || wanted == plugin.substr(0, plugin.find('/'));
}

bool holds(const std::string& term, const Cell& cell) {
  const auto equals = term.find('=');
  if (equals == std::string::npos) return !term.empty() && cell.id.starts_with(term);
  const std::string key = term.substr(0, equals), value = term.substr(equals + 1);
  if (key == "attack") return names(value, cell.attack, cell.config.at("attack"));
  if (key == "defense") return names(value, cell.defense, cell.config.at("defense"));
  if (key == "seed") return value == std::to_string(cell.seed);
  throw Error(ErrorKind::kUsage, "--only " + term + ": unknown term \"" + key + "\"" +
                                     did_you_mean(key, {"attack", "defense", "seed"}) +
                                     "; expected attack=, defense=, seed= or the beginning of a cell's id");
}

}  // namespace

std::vector<const Cell*> select(const std::vector<Cell>& cells, const std::vector<std::string>& selectors) {
  std::vector<const Cell*> selected;
  for (const auto& cell : cells) {
    const bool wanted = std::ranges::any_of(selectors, [&](const std::string& selector) {
      return std::ranges::all_of(split(selector, ','), [&](const std::string& term) { return holds(term, cell); });
    });
    if (selectors.empty() || wanted) selected.push_back(&cell);
  }
  if (!selected.empty()) return selected;
  std::set<std::string> attacks, defenses, seeds;
  for (const auto& cell : cells) {
    attacks.insert("\"attack=" + cell.attack + "\"");
    defenses.insert("\"defense=" + cell.defense + "\"");
    seeds.insert("seed=" + std::to_string(cell.seed));
  }
  std::string message = "--only selects none of the " + std::to_string(cells.size()) + " cells; there are";
  for (const auto* terms : {&attacks, &defenses, &seeds}) {
    for (const auto& term : *terms) message += " " + term;
  }
  throw Error(ErrorKind::kEmpty, message);
}

}  // namespace roclip::bench
