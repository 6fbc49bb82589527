/// The subcommands that only look. Each returns an exit code and throws Error.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;
using Paths = std::vector<std::filesystem::path>;

struct PlanOptions {
  std::filesystem::path matrix, out;
  Paths plugin_path;
  std::string device = "auto";
  std::int64_t jobs = 0;
  std::vector<std::string> only;
  bool json = false;
};
/// Lists the cells: ids, which are done, which share a training, estimated time, statistical power. Writes nothing.
int plan_command(const PlanOptions& options);

/// Progress of a running or finished run in this folder. @return 0
int status_command(const std::filesystem::path& out, bool json, bool color);

/// The file of a cell: a path, or an id or the beginning of one in an output folder. @throws Error(kEmpty)
std::filesystem::path find_cell(const std::string& cell, const std::filesystem::path& out);
/// Everything about one cell.
int show_command(const std::filesystem::path& cell_file, bool json);

/// Becomes the engine, with this task. @throws Error(kInternal) if that cannot be
[[noreturn]] void become_engine(const Json& task);

}  // namespace roclip::bench
