/// What can be done about plugins without loading any.
#pragma once

#include <filesystem>
#include <string>

#include "harness/app/commands.h"

namespace roclip::bench {

/// Plugins and refused libraries on the search path, by their stamps. @return 0
int plugin_list_command(const Paths& plugin_path, bool json);

/// Writes a project that builds a plugin: sources, a test, a matrix file to try it, a README to fill in.
/// @param kind attack, defense or metric. @param name snake_case. @param folder where to; "" = ./name
/// @throws Error(kUsage) for another name; Error(kData) if the folder is there and not empty
int plugin_new_command(const std::string& kind, const std::string& name, const std::filesystem::path& folder);

/// The schema of a kind of file, as shipped: "cell", "results", "status", "event", "poison". @throws Error(kUsage)
int schema_command(const std::string& what);

}  // namespace roclip::bench
