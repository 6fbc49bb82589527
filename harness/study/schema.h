/// JSON Schemas of what a person writes, made from what plugins say of their parameters: so that an editor completes
/// them, and no second list can be wrong.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// A plugin as a schema sees it.
struct SchemaPlugin {
  std::string kind, id, summary;  ///< "attack", "my_trigger/1"
  Json parameters;                ///< of ParamList::describe()
};

/// An entry of "attacks", "defenses" or "metrics" that is this plugin, with parameters.
Json plugin_schema(const SchemaPlugin& plugin);

/// results/schema/matrix.schema.json, in which plugins, model and training are narrowed to what there is.
/// @param presets names of models. @param model, training descriptions of their parameters
Json matrix_schema(Json general, const std::vector<SchemaPlugin>& plugins, const std::vector<std::string>& presets,
                   const Json& model, const Json& training);

}  // namespace roclip::bench
