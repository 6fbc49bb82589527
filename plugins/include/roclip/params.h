/// Parameters of a plugin: one struct, from which the JSON schema, the documentation, the validation and the
/// "did you mean" all come.
///
///     struct Params {
///       std::int64_t patch_px = 5;
///       std::string location = "bottom_right";
///       void declare(ParamList& list) {
///         list.add("patch_px", patch_px, Range{1, 64}, "px", "side of the square patch", "Gu et al. 2017");
///         list.choice("location", location, {"bottom_right", "random"}, "where the patch goes", "Gu et al. 2017");
///       }
///     };
///
/// The value that a member has when declare() is called is its default. A matrix file gives some of the values, by
/// name; the rest keep their defaults, and the result of a run records all of them. Every parameter says what it is for
/// and where its default is from: a paper, a file of the authors' code, or "ours". No parameter is ever ignored: a key
/// that was not declared, a value of another type and one out of range are errors that name file, key, what was
/// expected and what was found.
///
/// Recipes are published sets of values under a name. A matrix file says {"recipe": "cleanclip", "rate": 0.03}: the
/// recipe's values are taken first, then the keys beside it. The result of a run records the values, not the recipe.
///
/// Types in JSON: std::int64_t takes integers only (2, not 2.0), double takes any number, the others what they look
/// like. NaN and infinity do not exist in JSON. What only a combination of parameters forbids is an Error(kMatrix) of
/// the plugin's constructor.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

namespace roclip {

using Json = nlohmann::json;

/// Closed interval of allowed values, in the parameter's unit. Default: everything.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// References to the members of one params struct; must not outlive it. [one thread]
class ParamList {
 public:
  /// Declares a parameter. The reference is kept: the member must stay where it is while the list is used. Names are
  /// snake_case, end in their unit where they have one (patch_px), and differ within a list.
  /// @param value the default now, what assign() writes to later. @param doc a few words without a full stop.
  /// @param unit "px", "1" (a pure number), "epochs", ...  @param source paper or upstream file the default is from.
  void add(std::string name, std::int64_t& value, Range range, std::string unit, std::string doc, std::string source);
  void add(std::string name, double& value, Range range, std::string unit, std::string doc, std::string source);
  void add(std::string name, bool& value, std::string doc, std::string source);
  void add(std::string name, std::string& value, std::string doc, std::string source);
  void add(std::string name, std::vector<std::string>& value, std::string doc, std::string source);
  /// @param range of each element
  void add(std::string name, std::vector<std::int64_t>& value, Range range, std::string unit, std::string doc,
           std::string source);
  /// A word out of a few. @param choices all that are allowed; the default is one of them
  void choice(std::string name, std::string& value, std::vector<std::string> choices, std::string doc,
              std::string source);
  /// Declares a recipe. @param values {"patch_px": 16, ...}: some of the parameters, within their ranges. @param source
  /// paper, or file of the authors' code, that the values are from
  void recipe(std::string name, Json values, std::string source);

  /// Takes the members from a JSON object. Keys may be missing; members that they name keep their value, or get that
  /// of the "recipe" that the object names. If it throws,
  /// some members may have been taken. @param where "matrix.json: /attacks/1", the front of every message.
  /// @throws Error(kMatrix) for an unknown key or recipe (with the nearest known one), a wrong type or a value out of
  /// range.
  void assign(const Json& object, const std::string& where);
  /// All values as they now are: the effective, fully defaulted configuration.
  Json values() const;
  /// [{"name", "type", "default", "min", "max", "choices", "unit", "doc", "source"}], in order of declaration. Recipes,
  /// if there are any, come last as the choices of one more: "recipe".
  Json describe() const;

 private:
  using Value =
      std::variant<std::int64_t*, double*, bool*, std::string*, std::vector<std::string>*, std::vector<std::int64_t>*>;
  struct Param {
    std::string name;
    Value value;
    Range range;
    std::vector<std::string> choices;
    std::string unit, doc, source;
  };
  struct Recipe {
    std::string name;
    Json values;
    std::string source;
  };
  void assign(const Param& param, const Json& value, const std::string& where);
  void assign_recipe(const Json& name, const std::string& where);
  std::vector<std::string> recipe_names() const;

  std::vector<Param> params_;
  std::vector<Recipe> recipes_;
};

/// `params` with the values of a JSON object in their place: any struct with declare(ParamList&).
/// @throws Error(kMatrix), as ParamList::assign() does
template <class Params>
Params read_params(const Json& object, const std::string& where, Params params = {}) {
  ParamList list;
  params.declare(list);
  list.assign(object, where);
  return params;
}
/// All values of such a struct.
template <class Params>
Json write_params(Params params) {
  ParamList list;
  params.declare(list);
  return list.values();
}

/// The candidate nearest to `word` by edit distance, or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// `; did you mean "candidate"?`, or "" when none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace roclip
