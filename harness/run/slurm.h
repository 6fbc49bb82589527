/// A study as a job array of Slurm: a script that the user looks at, changes and submits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace roclip::bench {

struct SlurmArray {
  std::string name;                      ///< of the study
  std::filesystem::path out;             ///< absolute; part-<task> in it is the output folder of a task
  std::vector<std::string> run;          ///< what runs the whole study, without --out and --shard
  std::int64_t cells = 0;                ///< in all
  std::int64_t tasks = 1;                ///< of the array, each of which runs a part of the cells
  std::int64_t at_once = 0;              ///< tasks, at most; 0 = as many as Slurm likes
  std::vector<std::string> sbatch = {};  ///< options of the site: "--partition=gpu"
};

/// The script for sbatch. A task that is cancelled, pre-empted, out of time or on a node that fails leaves what it has
/// done in its folder; queued again, it goes on from there.
std::string slurm_script(const SlurmArray& array);

}  // namespace roclip::bench
