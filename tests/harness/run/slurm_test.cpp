#include "harness/run/slurm.h"

#include <catch2/catch.hpp>

using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("a script for sbatch quotes what a shell would read otherwise, and keeps its comments to a line",
          "[run][slurm]") {
  const auto script =
      slurm_script({.name = "it's\nmine",
                    .out = "/shared/an out",
                    .run = {"/opt/roclip-bench", "run", "/shared/m.json", "--only", "attack=a b,seed=1"},
                    .cells = 12,
                    .tasks = 4,
                    .at_once = 2,
                    .sbatch = {"--gpus=1", "--comment=a\nb"}});
  CHECK_THAT(script, Contains("# it's mine: 12 cells in 4 tasks."));
  CHECK_THAT(script, Contains("\n#SBATCH --array=1-4%2\n"));
  CHECK_THAT(script, Contains("\n#SBATCH --gpus=1\n#SBATCH --comment=a b\n"));
  CHECK_THAT(
      script,
      Contains("\nsrun --ntasks=1 --cpu-bind=none /opt/roclip-bench run /shared/m.json --only 'attack=a b,seed=1' "
               "--out '/shared/an out'/part-\"$SLURM_ARRAY_TASK_ID\" "
               "--shard \"$SLURM_ARRAY_TASK_ID\"/4 &\n"));
  CHECK_THAT(slurm_script({.name = "x", .out = "/o", .run = {"r"}, .tasks = 3}), Contains("\n#SBATCH --array=1-3\n"));
}
