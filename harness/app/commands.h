/// What the subcommands do. Each returns an exit code and throws Error.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/run/run.h"

namespace roclip::bench {

using Json = nlohmann::json;
using Paths = std::vector<std::filesystem::path>;

/// Lists the cells: ids, which are done, which share a training, estimated time, statistical power. Writes nothing.
int plan_command(const RunOptions& options);

/// As in SlurmArray.
struct SlurmOptions {
  std::int64_t tasks = 1000, at_once = 0;
  std::vector<std::string> sbatch;
  bool cancel = false;  ///< the job, when the run that watches it is interrupted
};
/// Prints the script of SlurmArray for these cells, and makes the output folder, where Slurm puts the logs. @return 0.
/// @throws Error(kData) if the data is not prepared: tasks would all do it
int emit_command(const RunOptions& options, const SlurmOptions& slurm);
/// Submits that script, unless a job of this folder is alive, and watches until no task is left; then prints the grid.
/// @return as run_matrix(). @throws as emit_command(), and Error(kData) if Slurm refuses
int run_on_slurm(const RunOptions& options, const SlurmOptions& slurm);

/// Progress of a running or finished run in this folder; of several, such as those of a job array, the sums and what
/// went wrong. @param json that of one folder, or a list of them with their "folder". @return 0
int status_command(const Paths& outs, bool json, bool color);
/// What it says of several: lines of how many folders are how far, and of how many cells.
std::string sums_of(const Paths& outs);

/// The file of a cell: a path, or an id or the beginning of one in an output folder. @throws Error(kEmpty)
std::filesystem::path find_cell(const std::string& cell, const std::filesystem::path& out);
/// Everything about one cell.
int show_command(const std::filesystem::path& cell_file, bool json);

/// Writes a folder that can be published: the weights of a cell, its record, the manifest of its poisons, a model card,
/// and what open_clip needs to load it. @return as export_weights()
int publish_command(const std::filesystem::path& cell_file, const std::filesystem::path& folder,
                    const Paths& plugin_path, bool color);

/// Becomes the engine, with this task. @throws Error(kInternal) if that cannot be
[[noreturn]] void become_engine(const Json& task);

/// Looks at the machine, lets the engine look at LibTorch, plugins and data, and prints a line for each thing, with
/// what to do unless it is well. Works, too, where the engine cannot be started.
/// @return 0, or the exit code that the first failing thing would give to a run
int doctor_command(const Paths& plugin_path, bool json);

/// A small matrix file that runs as it is, with comments that say what to change.
std::string starter_matrix(const std::string& name);
/// Writes it and says what comes next. @return 0. @throws Error(kUsage) if there is such a file already,
/// Error(kData) if it cannot be written
int init_command(const std::filesystem::path& file);

/// Plugins and refused libraries on the search path, by their stamps. @return 0
int plugin_list_command(const Paths& plugin_path, bool json);
/// Writes a project that builds a plugin: sources, a test, a matrix file to try it, a README to fill in.
/// @param kind attack, defense or metric. @param name snake_case. @param folder where to; "" = ./name
/// @throws Error(kUsage) for another name; Error(kData) if the folder is there and not empty
int plugin_new_command(const std::string& kind, const std::string& name, const std::filesystem::path& folder);
/// The schema of a kind of file, as shipped: "result", "results", "status", "poison", "conformance"
int schema_command(const std::string& what);

}  // namespace roclip::bench
