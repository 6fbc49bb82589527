#include "harness/run/slurm.h"

#include "harness/record/escape.h"

namespace roclip::bench {

namespace {

/// Of a comment or a name in a line: a new line would end it.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace

std::string slurm_script(const SlurmArray& array) {
  const auto tasks = std::to_string(array.tasks);
  std::string script = "#!/bin/bash\n# " + one_line(array.name) + ": " + std::to_string(array.cells) + " cells in " +
                       tasks + " tasks. Submit it with sbatch. To look at the results of all:\n#   " +
                       shell_word(array.run.front()) + " report " + shell_word(array.out.string()) + "/part-*/\n";
  const auto option = [&](const std::string& text) { script += "#SBATCH " + one_line(text) + "\n"; };
  option("--job-name=" + shell_word(array.name));
  option("--array=1-" + tasks + (array.at_once > 0 ? "%" + std::to_string(array.at_once) : ""));
  option("--output=" + shell_word(array.out.string() + "/part-%a.log"));
  option("--open-mode=append");
  option("--requeue");            // after pre-emption and after the failure of a node
  option("--signal=B:USR1@120");  // two minutes before the end of its time
  for (const auto& of_site : array.sbatch) option(of_site);
  script += R"(
# The end of its time is near: checkpoints are written, and the task is queued again.
out_of_time() {
  trap '' USR1
  kill -TERM "$run"
  wait "$run"
  scontrol requeue "$SLURM_JOB_ID"
}
trap out_of_time USR1
trap 'kill -TERM "$run"' TERM

srun --ntasks=1 --cpu-bind=none )" +
            shell_command(array.run) + " --out " + shell_word(array.out.string()) +
            "/part-\"$SLURM_ARRAY_TASK_ID\" --shard \"$SLURM_ARRAY_TASK_ID\"/" + tasks +
            R"( &
run=$!
wait "$run"
ended=$?
while kill -0 "$run" 2>/dev/null; do  # a signal ended the waiting, not the run
  wait "$run"
  ended=$?
done
# With a time of grace, pre-emption stops the step only, and Slurm may then count the task as out of time: so it queues
# itself again. Not if it was cancelled: then it does not count as running.
if ((ended == 143)) && [[ $(squeue --noheader --jobs "$SLURM_JOB_ID" --format %t) == R ]]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$ended"
)";
  return script;
}

}  // namespace roclip::bench
