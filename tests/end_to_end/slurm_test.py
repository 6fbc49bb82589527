"""A study as a job array on a real Slurm, which is started here: tests/platforms/slurm runs this. Needs root rights."""
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from program import bits, read, run, start, write_matrix

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdTimeout=10
KillWait=20
MaxArraySize=10001
NodeName=c1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1}
NodeName=c2 NodeHostname={host} NodeAddr=127.0.0.1 Port={port2}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=c1,c2 Default=YES MaxTime=60 PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=c1,c2 MaxTime=60 PriorityTier=10 PreemptMode=OFF
"""


def command(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def until(what, holds, limit_s=300):
    end = time.time() + limit_s
    while not holds():
        if time.time() > end:
            raise AssertionError(f"{what}: not within {limit_s} s\n{command('squeue')}")
        time.sleep(0.2)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [of.getsockname()[1] for of in sockets]
    for of in sockets:
        of.close()
    return ports


class Slurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        cls.folder.chmod(0o755)  # munge wants no secret in a folder that others may write
        for name in ("state", "spool-c1", "spool-c2"):
            (cls.folder / name).mkdir()
        key = cls.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        port, port1, port2 = free_ports(3)
        os.environ["SLURM_CONF"] = str(cls.folder / "slurm.conf")
        (cls.folder / "slurm.conf").write_text(CONFIGURATION.format(
            folder=cls.folder, host=socket.gethostname(), port=port, port1=port1, port2=port2))
        cls.daemons = {}
        cls.addClassCleanup(cls.stop)
        cls.daemon("munged", "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={cls.folder}/munge.socket",
                   f"--pid-file={cls.folder}/munged.pid", f"--log-file={cls.folder}/munged.log", f"--seed-file={cls.folder}/seed")
        until("munge answers", (cls.folder / "munge.socket").exists, 20)
        cls.daemon("slurmctld", "slurmctld", "-D")
        cls.daemon("c1", "slurmd", "-D", "-N", "c1")
        cls.daemon("c2", "slurmd", "-D", "-N", "c2")
        until("two nodes are idle", lambda: subprocess.run(
            ["sinfo", "-h", "-t", "idle", "-o", "%D"], capture_output=True, text=True).stdout.strip() == "2", 60)

    @classmethod
    def daemon(cls, name, *words):
        with open(cls.folder / f"{name}.out", "a") as log:
            cls.daemons[name] = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)

    @classmethod
    def stop(cls):
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        time.sleep(1)
        for process in cls.daemons.values():
            process.terminate()
        for process in cls.daemons.values():
            process.wait(30)

    def submit(self, matrix, out, *options):
        plan = run("plan", matrix, "--out", out, "--emit", "slurm", *options)
        self.assertEqual(plan.returncode, 0, plan.stderr)
        script = self.folder / "study.sh"
        script.write_text(plan.stdout)
        return command("sbatch", "--parsable", script).strip()

    def running(self, node):
        return command("squeue", "-h", "-t", "R", "-w", node, "-o", "%A").split()

    def idle(self):
        return not command("squeue", "-h").split()

    def at_work(self, node, out):
        """The job of a node, once its part of the study has a checkpoint."""
        def has_checkpoint():
            parts = command("squeue", "-h", "-t", "R", "-w", node, "-o", "%K").split()
            return any(list(out.glob(f"part-{part}/checkpoints/*/*.ckpt")) for part in parts)

        until(f"{node} has written a checkpoint", has_checkpoint)
        (job,) = self.running(node)
        return job

    def test_a_study_with_a_preempted_task_a_lost_node_a_task_out_of_time_and_a_lost_watcher_ends_with_the_same_bits(self):
        matrix = write_matrix(self.folder, attacks=["none", {"plugin": "badnets", "target_class": "fruit", "rate": 0.04}],
                              defenses=["clip", "roclip"], seeds=[1, 2], training={"epochs": 10, "batch_size": 64},
                              checkpoint={"every_s": 0.5})
        alone, out = self.folder / "alone", self.folder / "with slurm"
        undisturbed = run("run", matrix, "--out", alone)
        self.assertEqual(undisturbed.returncode, 0, undisturbed.stderr)
        words = ("run", matrix, "--out", out, "--executor", "slurm", "--tasks", 4, "--sbatch=--time=30", "--at-once", 2)
        watcher = start(*words)
        self.addCleanup(watcher.kill)
        for node in ("c1", "c2"):
            self.at_work(node, out)
        watcher.send_signal(signal.SIGINT)
        _, told = watcher.communicate(timeout=60)
        self.assertEqual(watcher.returncode, 130, told)
        self.assertRegex(told, r"job \d+ goes on")

        preempted = self.at_work("c1", out)
        urgent = command("sbatch", "--parsable", "--partition=urgent", "--nodelist=c1", "--exclusive", "--output=/dev/null",
                         "--wrap=true").strip()
        until("the urgent job has run", lambda: urgent not in command("squeue", "-h", "-o", "%A").split())
        requeued = command("scontrol", "show", "job", preempted)
        self.assertIn("Requeue=1 Restarts=1", requeued)
        lost = self.at_work("c2", out)
        node = self.daemons["c2"]
        command("pkill", "-9", "-f", f"slurmstepd: \\[{lost}")  # no time to say goodbye
        node.send_signal(signal.SIGKILL)
        node.wait()
        command("scontrol", "update", "NodeName=c2", "State=DOWN", "Reason=test")
        late = self.at_work("c1", out)
        command("scancel", "--signal=USR1", "--batch", late)  # as Slurm does before the time of a task ends
        self.daemon("c2", "slurmd", "-D", "-N", "c2")
        command("scontrol", "update", "NodeName=c2", "State=RESUME")
        again = run(*words)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("runs this study already", again.stderr)
        self.assertIn("4 folders: 4 finished\n8 cells: 8 ok, 0 not ok, 0 running, 0 left\n", again.stderr)
        self.assertIn("zero_shot/1", again.stdout)

        parts = sorted(out.glob("part-*/"))
        self.assertEqual(len(parts), 4)
        together = {}
        for part in parts:
            together.update(bits(part))
        self.assertEqual(together, bits(alone))
        resumed = [cell["training"]["resumed"] for part in parts for cell in map(read, (part / "cells").glob("*.json"))]
        self.assertGreaterEqual(sum(resumed), 2)
        self.assertEqual(json.loads(run("status", *parts, "--json").stdout)[0]["phase"], "finished")

    def test_ctrl_c_cancels_the_job_if_that_is_asked(self):
        matrix = write_matrix(self.folder, training={"epochs": 50, "batch_size": 64})
        watcher = start("run", matrix, "--out", self.folder / "cancelled", "--executor", "slurm", "--cancel")
        self.addCleanup(watcher.kill)
        until("the task runs", lambda: self.running("c1") or self.running("c2"))
        watcher.send_signal(signal.SIGINT)
        _, told = watcher.communicate(timeout=60)
        self.assertRegex(told, r"job \d+ is cancelled")
        until("the task is gone", self.idle)

    def test_what_sbatch_refuses_is_told(self):
        refused = run("run", write_matrix(self.folder), "--out", self.folder / "refused", "--executor", "slurm",
                      "--sbatch=--partition=nowhere")
        self.assertEqual(refused.returncode, 6)
        self.assertIn("sbatch does not take", refused.stderr)
        self.assertIn("partition", refused.stderr)

    def test_ten_thousand_cells_are_planned_submitted_and_shown(self):
        matrix = write_matrix(self.folder, seeds=list(range(1, 10001)))
        begin = time.time()
        job = self.submit(matrix, self.folder / "many", "--sbatch=--hold")
        submitted_s = time.time() - begin
        self.assertEqual(command("squeue", "-h", "-r", "-j", job, "-o", "%i").count("\n"), 1000)
        command("scancel", job)
        until("the held tasks are gone", self.idle)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"10,000 cells in 1,000 tasks: planned and submitted in {submitted_s:.1f} s, {peak:.0f} MiB at most", flush=True)


unittest.main()
