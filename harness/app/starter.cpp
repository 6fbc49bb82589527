#include "harness/app/commands.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "harness/record/files.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace fs = std::filesystem;

std::string starter_matrix(const std::string& name) {
  const auto quoted = [](const std::string& text) { return nlohmann::json(text).dump(); };
  return R"(// A study: every attack x defense x seed is a cell, which trains a model and measures it.
// Unknown keys are errors. Parameters of a plugin: roclip-bench plugin info badnets
{
  // Lets an editor complete keys and show what they mean.
  "$schema": )" +
         quoted((share_dir() / "schema" / "matrix.schema.json").string()) + R"(,
  "schema_version": 1,
  "name": )" +
         quoted(name) + R"(,

  // The images that come with the program. Your own: {"reader": "csv", "pairs": "train.csv", ...}.
  "data": "emoji",
  "model": "tiny",

  // Cells of one seed meet the same poisons and start from the same weights. To say more than "in this
  // run", take several: [1, 2, 3, 4, 5, 6].
  "seeds": [1],

  // A few epochs show that all works. The study emoji-quick takes 10.
  "training": {"epochs": 2, "batch_size": 64, "learning_rate": 2e-3},

  // "none" is the clean model, to see what a defense costs. A plugin is a name, or an object with parameters.
  "attacks": [
    "none",
    {"plugin": "badnets", "target_class": "fruit", "patch_px": 8, "rate": 0.03}
  ],

  // The first defense is the one that all others are compared with. {"sweep": [...]} makes a cell for each value.
  "defenses": [
    "clip",
    {"plugin": "roclip", "match_every": {"sweep": [1, 2]}}
  ],

  "metrics": ["attack_success", "zero_shot", "linear_probe"],

  // A cell that takes longer is stopped and says `timeout`; the others go on. 0 = no limit.
  "limits": {"time_s": 1800, "memory_mib": 0},

  // What the results must show, for `roclip-bench check`.
  "gates": [
    {"metric": "attack_success", "where": {"attack": "badnets", "defense": "clip"}, "at_least": 0.8},
    {"metric": "attack_success", "where": {"attack": "badnets", "defense": "roclip match_every=2"}, "at_most": 0.1}
  ]
}
)";
}

int init_command(const fs::path& file) {
  std::error_code none;
  if (fs::exists(fs::symlink_status(file, none))) {
    throw Error(ErrorKind::kUsage, file.string() +
                                       ": exists already and is left as it is; give another name: "
                                       "roclip-bench init FILE");
  }
  const auto name = fs::absolute(file).lexically_normal().parent_path().filename().string();
  write_file(file, starter_matrix(name.empty() ? "study" : name));
  std::printf("wrote %s\nnext: roclip-bench plan %s\nthen: roclip-bench run %s\n", file.c_str(), file.c_str(),
              file.c_str());
  return 0;
}

}  // namespace roclip::bench
