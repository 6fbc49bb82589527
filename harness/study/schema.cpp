#include "harness/study/schema.h"

#include <map>

namespace roclip::bench {

namespace {

/// What one parameter takes, without sweeps.
Json value_schema(const Json& parameter) {
  static const std::map<std::string, Json> kTypes = {
      {"integer", {{"type", "integer"}}},
      {"number", {{"type", "number"}}},
      {"boolean", {{"type", "boolean"}}},
      {"string", {{"type", "string"}}},
      {"list of strings", {{"type", "array"}, {"items", {{"type", "string"}}}}},
      {"list of integers", {{"type", "array"}, {"items", {{"type", "integer"}}}}},
  };
  Json schema = kTypes.at(parameter.at("type"));
  Json& number = schema.contains("items") ? schema["items"] : schema;
  if (parameter.contains("min")) number["minimum"] = parameter.at("min");
  if (parameter.contains("max")) number["maximum"] = parameter.at("max");
  if (parameter.contains("choices")) schema["enum"] = parameter.at("choices");
  return schema;
}

std::string description(const Json& parameter) {
  auto text = parameter.at("doc").get<std::string>();
  if (const auto unit = parameter.value("unit", "1"); unit != "1") text += " [" + unit + "]";
  if (const auto source = parameter.value("source", ""); !source.empty()) text += " (" + source + ")";
  return text;
}

/// @return {name: schema}; each value is what the parameter takes, or {"sweep": [...]} of it
Json parameter_schemas(const Json& parameters) {
  Json properties = Json::object();
  for (const auto& parameter : parameters) {
    const Json value = value_schema(parameter);
    const Json sweep = {{"type", "object"},
                        {"additionalProperties", false},
                        {"required", {"sweep"}},
                        {"properties", {{"sweep", {{"type", "array"}, {"minItems", 1}, {"items", value}}}}}};
    properties[parameter.at("name").get<std::string>()] = {
        {"description", description(parameter)}, {"default", parameter.at("default")}, {"anyOf", {value, sweep}}};
  }
  return properties;
}

}  // namespace

Json plugin_schema(const SchemaPlugin& plugin) {
  Json properties = parameter_schemas(plugin.parameters);
  properties["plugin"] = {{"enum", {plugin.id.substr(0, plugin.id.find('/')), plugin.id}}};
  properties["label"] = {{"type", "string"}, {"description", "its row or column in reports"}};
  properties["limits"] = {{"type", "object"}, {"description", "of its cells: time_s, memory_mib"}};
  return {
      {"title", plugin.kind + " " + plugin.id}, {"description", plugin.summary}, {"type", "object"},
      {"additionalProperties", false},          {"required", {"plugin"}},        {"properties", std::move(properties)}};
}

Json matrix_schema(Json general, const std::vector<SchemaPlugin>& plugins, const std::vector<std::string>& presets,
                   const Json& model, const Json& training) {
  Json& properties = general["properties"];
  for (const auto& [key, kind] : {std::pair("attacks", "attack"), {"defenses", "defense"}, {"metrics", "metric"}}) {
    Json names = Json::array(), entries = Json::array();
    for (const auto& plugin : plugins) {
      if (plugin.kind != kind) continue;
      names.push_back(plugin.id.substr(0, plugin.id.find('/')));
      names.push_back(plugin.id);
      entries.push_back(plugin_schema(plugin));
    }
    entries.insert(entries.begin(), Json{{"enum", names}});
    properties[key].erase("$ref");
    properties[key].update(Json{{"type", "array"}, {"minItems", 1}, {"items", {{"anyOf", entries}}}});
  }
  Json model_properties = parameter_schemas(model);
  model_properties["preset"] = {{"enum", presets}};
  Json of_open_clip = Json::array();  // keys that only its descriptions have
  for (const char* key : {"vision_cfg", "text_cfg", "tokenizer", "merges"})
    of_open_clip.push_back({{"required", {key}}});
  properties["model"] = {
      {"anyOf",
       {{{"enum", presets}},
        {{"type", "string"}, {"pattern", "\\.json$"}},
        {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(model_properties)}},
        {{"type", "object"}, {"anyOf", std::move(of_open_clip)}}}},
      {"default", properties["model"].at("default")}};
  properties["training"].update(Json{{"additionalProperties", false}, {"properties", parameter_schemas(training)}});
  return general;
}

}  // namespace roclip::bench
