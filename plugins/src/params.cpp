#include "roclip/params.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "roclip/error.h"

namespace roclip {

namespace {

constexpr const char* kRecipe = "recipe";  ///< key in a matrix file

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

/// "64", not "64.0"
std::string number(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return whole ? std::to_string(static_cast<std::int64_t>(value)) : Json(value).dump();
}

/// "integer in [1, 64]", "number >= 0", "number"
std::string expectation(const std::string& type, const Range& range) {
  const bool low = std::isfinite(range.min), high = std::isfinite(range.max);
  if (low && high) return type + " in [" + number(range.min) + ", " + number(range.max) + "]";
  if (low) return type + " >= " + number(range.min);
  if (high) return type + " <= " + number(range.max);
  return type;
}

[[noreturn]] void refuse(const std::string& where, const std::string& key, const std::string& expected,
                         const Json& got) {
  throw Error(ErrorKind::kMatrix,
              where + "/" + key + ": expected " + expected + ", got " + got.dump() +
                  (got.is_array() ? "; to try one value after the other: {\"sweep\": " + got.dump() + "}" : ""));
}

[[noreturn]] void refuse_choice(const std::string& where, const std::string& key,
                                const std::vector<std::string>& choices, const std::string& got) {
  throw Error(ErrorKind::kMatrix, where + "/" + key + ": expected one of " + join(choices) + ", got \"" + got + "\"" +
                                      did_you_mean(got, choices));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

void ParamList::add(std::string name, std::int64_t& value, Range range, std::string unit, std::string doc,
                    std::string source) {
  params_.push_back({std::move(name), &value, range, {}, std::move(unit), std::move(doc), std::move(source)});
}
void ParamList::add(std::string name, double& value, Range range, std::string unit, std::string doc,
                    std::string source) {
  params_.push_back({std::move(name), &value, range, {}, std::move(unit), std::move(doc), std::move(source)});
}
void ParamList::add(std::string name, bool& value, std::string doc, std::string source) {
  params_.push_back({std::move(name), &value, {}, {}, "", std::move(doc), std::move(source)});
}
void ParamList::add(std::string name, std::string& value, std::string doc, std::string source) {
  params_.push_back({std::move(name), &value, {}, {}, "", std::move(doc), std::move(source)});
}
void ParamList::add(std::string name, std::vector<std::string>& value, std::string doc, std::string source) {
  params_.push_back({std::move(name), &value, {}, {}, "", std::move(doc), std::move(source)});
}
void ParamList::add(std::string name, std::vector<std::int64_t>& value, Range range, std::string unit, std::string doc,
                    std::string source) {
  params_.push_back({std::move(name), &value, range, {}, std::move(unit), std::move(doc), std::move(source)});
}
void ParamList::choice(std::string name, std::string& value, std::vector<std::string> choices, std::string doc,
                       std::string source) {
  params_.push_back({std::move(name), &value, {}, std::move(choices), "", std::move(doc), std::move(source)});
}
void ParamList::recipe(std::string name, Json values, std::string source) {
  recipes_.push_back({std::move(name), std::move(values), std::move(source)});
}

std::vector<std::string> ParamList::recipe_names() const {
  std::vector<std::string> names;
  for (const Recipe& recipe : recipes_) names.push_back(recipe.name);
  return names;
}

void ParamList::assign(const Json& object, const std::string& where) {
  if (!object.is_object()) {
    throw Error(ErrorKind::kMatrix, where + ": expected an object of parameters, got " + object.dump());
  }
  std::vector<std::string> names;
  for (const Param& param : params_) names.push_back(param.name);
  if (!recipes_.empty()) names.emplace_back(kRecipe);
  const bool has_recipe = !recipes_.empty() && object.contains(kRecipe);
  if (has_recipe) assign_recipe(object.at(kRecipe), where);
  for (const auto& [key, value] : object.items()) {
    if (has_recipe && key == kRecipe) continue;
    const auto param = std::ranges::find(params_, key, &Param::name);
    if (param == params_.end()) {
      throw Error(ErrorKind::kMatrix, where + "/" + key + ": unknown key" + did_you_mean(key, names) +
                                          " (known: " + (names.empty() ? "none" : join(names)) + ")");
    }
    assign(*param, value, where);
  }
}

void ParamList::assign_recipe(const Json& name, const std::string& where) {
  if (!name.is_string()) refuse(where, kRecipe, "a string", name);
  const auto recipe = std::ranges::find(recipes_, name.get<std::string>(), &Recipe::name);
  if (recipe == recipes_.end()) refuse_choice(where, kRecipe, recipe_names(), name.get<std::string>());
  for (const auto& [key, value] : recipe->values.items()) {
    const auto param = std::ranges::find(params_, key, &Param::name);
    if (param == params_.end()) {
      throw std::logic_error("recipe \"" + recipe->name + "\" sets \"" + key + "\", which is not declared");
    }
    assign(*param, value, where + "/recipe/" + recipe->name);
  }
}

void ParamList::assign(const Param& param, const Json& value, const std::string& where) {
  const auto in_range = [&](auto v) { return v >= param.range.min && v <= param.range.max; };
  const auto is_integer = [&](const Json& v) {
    const bool fits = !v.is_number_unsigned() || v.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max();
    // As long double, which holds every one of them: a double would take 10^18 + 1 for 10^18.
    return v.is_number_integer() && fits && in_range(static_cast<long double>(v.get<std::int64_t>()));
  };
  if (auto* const* integer = std::get_if<std::int64_t*>(&param.value)) {
    if (!is_integer(value)) refuse(where, param.name, expectation("integer", param.range), value);
    **integer = value.get<std::int64_t>();
  } else if (auto* const* real = std::get_if<double*>(&param.value)) {
    if (!value.is_number() || !in_range(value.get<double>())) {
      refuse(where, param.name, expectation("number", param.range), value);
    }
    **real = value.get<double>();
  } else if (auto* const* flag = std::get_if<bool*>(&param.value)) {
    if (!value.is_boolean()) refuse(where, param.name, "true or false", value);
    **flag = value.get<bool>();
  } else if (auto* const* text = std::get_if<std::string*>(&param.value)) {
    if (!value.is_string()) refuse(where, param.name, "a string", value);
    const auto word = value.get<std::string>();
    if (!param.choices.empty() && std::ranges::find(param.choices, word) == param.choices.end()) {
      refuse_choice(where, param.name, param.choices, word);
    }
    **text = word;
  } else if (auto* const* numbers = std::get_if<std::vector<std::int64_t>*>(&param.value)) {
    if (!value.is_array() || !std::ranges::all_of(value, is_integer)) {
      refuse(where, param.name, "a list, each " + expectation("integer", param.range), value);
    }
    **numbers = value.get<std::vector<std::int64_t>>();
  } else {
    auto* list = std::get<std::vector<std::string>*>(param.value);
    if (!value.is_array() || !std::ranges::all_of(value, [](const Json& v) { return v.is_string(); })) {
      refuse(where, param.name, "a list of strings", value);
    }
    *list = value.get<std::vector<std::string>>();
  }
}

Json ParamList::values() const {
  Json object = Json::object();
  for (const Param& param : params_) {
    std::visit([&](const auto* value) { object[param.name] = *value; }, param.value);
  }
  return object;
}

Json ParamList::describe() const {
  static constexpr const char* kTypes[] = {"integer", "number",          "boolean",
                                           "string",  "list of strings", "list of integers"};
  const Json defaults = values();
  Json list = Json::array();
  for (const Param& param : params_) {
    Json entry = {{"name", param.name},
                  {"type", kTypes[param.value.index()]},
                  {"default", defaults.at(param.name)},
                  {"doc", param.doc},
                  {"source", param.source}};
    if (std::isfinite(param.range.min)) entry["min"] = param.range.min;
    if (std::isfinite(param.range.max)) entry["max"] = param.range.max;
    if (!param.choices.empty()) entry["choices"] = param.choices;
    if (!param.unit.empty()) entry["unit"] = param.unit;
    list.push_back(std::move(entry));
  }
  if (!recipes_.empty()) {
    std::string doc = "published values, which the keys beside it override", source;
    for (const Recipe& recipe : recipes_) {
      doc += "; " + recipe.name + " sets " + recipe.values.dump();
      source += (source.empty() ? "" : "; ") + recipe.name + ": " + recipe.source;
    }
    list.push_back({{"name", kRecipe},
                    {"type", "string"},
                    {"default", ""},
                    {"choices", recipe_names()},
                    {"doc", doc},
                    {"source", source}});
  }
  return list;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string candidate = nearest(word, candidates);
  return candidate.empty() ? "" : "; did you mean \"" + candidate + "\"?";
}

}  // namespace roclip
