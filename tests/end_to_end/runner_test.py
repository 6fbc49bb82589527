"""Choosing, watching and repeating cells; two runs at once; disks that are full or cannot be written."""
import json
import os
import pathlib
import shutil
import subprocess
import time
import unittest

import jsonschema

from program import PROGRAM, ROOT, InFolder, bits, files, read, results, run, start, write_matrix

QUICK = {"training": {"epochs": 1, "batch_size": 1024}, "defenses": ["clip", "roclip"], "seeds": [1, 2]}


class Runner(InFolder):
    def test_only_runs_what_is_selected_and_the_rest_stays_missing(self):
        matrix = write_matrix(self.folder, **QUICK)
        self.assert_code(run("run", matrix, "--only", "defense=clip,seed=2"), 0)
        states = [(cell["defense"], cell["seed"], cell["status"]) for cell in read(self.out / "results.json")["cells"]]
        self.assertEqual([state for state in states if state[2] == "ok"], [("clip", 2, "ok")])
        self.assertEqual(len(states), 4)
        result = run("run", matrix, "--only", "defense=cleanclip")
        self.assert_code(result, 4)
        self.assertIn("selects none of the 4 cells", result.stderr)
        self.assert_code(run("run", matrix, "--only", "defence=clip"), 2)

    def test_shards_in_folders_of_their_own_give_the_bits_of_one_run(self):
        matrix = write_matrix(self.folder, **QUICK)
        whole, parts = self.folder / "whole", [self.folder / f"part-{i}" for i in (1, 2)]
        self.assert_code(run("run", matrix, "--out", whole), 0)
        for i, part in enumerate(parts, start=1):
            run("run", matrix, "--out", part, "--shard", f"{i}/2")
            self.assertEqual(len(bits(part)), 2)
        self.assertEqual({**bits(parts[0]), **bits(parts[1])}, bits(whole))
        report = run("report", *parts, "--format", "csv").stdout
        self.assertEqual(report, run("report", whole, "--format", "csv").stdout)
        for wrong in ("0/2", "3/2", "2", "1/2x", "a/b"):
            result = run("run", matrix, "--shard", wrong)
            self.assert_code(result, 2)
            self.assertIn("such as 1/4", result.stderr)

    def test_failed_cells_run_again_unless_retry_says_otherwise_and_max_fail_stops(self):
        rogues = ("--plugin-path", os.environ["ROCLIP_ROGUES"])
        matrix = write_matrix(self.folder, defenses=["throws", "diverges", "clip"])
        result = run(*rogues, "run", matrix, "--fail-fast", "--jobs", 1)
        self.assert_code(result, 10)
        self.assertIn("stopping after 1 failure (--max-fail)", result.stderr)
        self.assertEqual([cell["status"] for cell in results(self.out).values()].count("missing"), 2)
        self.assert_code(run(*rogues, "run", matrix), 10)
        for retry, runs in (("none", 0), ("diverged", 1), ("failed,diverged", 2)):
            result = run(*rogues, "run", matrix, "--retry", retry)
            self.assert_code(result, 10)
            self.assertIn(f"1 already done, {runs} to run", result.stderr)
            self.assertEqual(results(self.out)["throws"]["status"], "failed")
        self.assertIn("3 cells, 1 already done, 2 to run", run(*rogues, "run", matrix).stderr)
        self.assert_code(run("run", matrix, "--retry", "crash"), 2)

    def test_results_of_another_build_of_a_plugin_are_kept_and_said_so(self):
        folder = self.folder / "mine"
        folder.mkdir()
        plugin = shutil.copy(pathlib.Path(os.environ["ROCLIP_ROGUES"]) / "repairs.so", folder)
        matrix = write_matrix(self.folder, defenses=["clip", "repairs"])
        self.assert_code(run("run", matrix, "--plugin-path", folder), 0)
        with open(plugin, "ab") as file:
            file.write(b"another build")
        result = run("run", matrix, "--plugin-path", folder)
        self.assert_code(result, 0)
        self.assertIn("1 result kept from another build of repairs/1; ", result.stderr)
        self.assertIn("1 result kept from another build", run("plan", matrix, "--plugin-path", folder).stdout)
        cell = self.out / results(self.out)["repairs"]["file"]
        self.assertIn(f"repeat it: roclip-bench replay {cell} --plugin-path {folder}", run("show", cell).stdout)

    def test_status_show_and_replay_tell_of_the_run(self):
        matrix = write_matrix(self.folder, **{**QUICK, "seeds": [1]})
        result = run("run", matrix, "--progress", "none")
        self.assert_code(result, 0)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        jsonschema.validate(read(self.out / "status.json"), read(ROOT / "results" / "schema" / "status.schema.json"))

        status = run("status", self.out)
        self.assert_code(status, 0)
        self.assertIn("test: finished", status.stdout)
        self.assertIn("2 of 2 cells done", status.stdout)

        cell = results(self.out)["roclip"]["id"]
        shown = run("show", cell[:11], "--out", self.out)
        self.assert_code(shown, 0)
        for told in ("zero_shot/1 (higher is better)", "match_every", "weights_hash", "cpu_flags", "train.augment", "first_step_s"):
            self.assertIn(told, shown.stdout)
        self.assert_code(run("show", "badnets", "--out", self.out), 4)
        self.assert_code(run("show", "none", "--out", self.out), 2)
        for command in ("show", "replay"):
            wrong = run(command, self.out / "results.json")
            self.assert_code(wrong, 6)
            self.assertIn("results.json: /id: is missing; is it a cell of", wrong.stderr)

        again = run("replay", cell, "--out", self.out)
        self.assert_code(again, 0)
        self.assertIn("The bits are equal.", again.stdout)
        stored = read(self.out / "cells" / f"{cell}.json")
        stored["training"]["weights_hash"] = "0" * 32
        forged = self.folder / "forged.json"
        forged.write_text(json.dumps(stored))
        again = run("replay", forged)
        self.assert_code(again, 11)
        self.assertIn("DIFFERENT weights", again.stdout)

    def test_the_engine_does_a_task_by_hand_with_the_bits_of_a_run(self):
        self.assert_code(run("run", write_matrix(self.folder, training={"epochs": 1, "batch_size": 1024})), 0)
        stored = read(next((self.out / "cells").glob("*.json")))
        task = {"task": "cell", "cell": stored, "out": str(self.folder / "by_hand"), "plugin_path": [], "device": "cpu",
                "checkpoint": {}, "cpu": -1, "loader_threads": 1, "trace": "", "keep_weights": False, "command_line": ["by hand"],
                "ranks": {}, "work": 0, "supervisor": 0}
        file = self.folder / "task.json"
        file.write_text(json.dumps(task))
        engine = pathlib.Path(PROGRAM).with_name("roclip-bench-engine")
        for arguments, given in ((file,), None), (("-", "1"), file.read_text()):
            done = subprocess.run([engine, *arguments], input=given, capture_output=True, text=True)
            self.assert_code(done, 0)
            events = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual({event["event"] for event in events}, {"train_progress", "finished"})
            record = events[-1]["record"]
            self.assertEqual(record["training"]["weights_hash"], stored["training"]["weights_hash"])
            self.assertEqual(record["metrics"], stored["metrics"])
            shutil.rmtree(self.folder / "by_hand")
        self.assertEqual(subprocess.run([engine, "/nowhere.json"], capture_output=True).returncode, 6)

    def test_a_second_run_in_the_same_folder_is_refused_and_told_who_holds_it(self):
        matrix = write_matrix(self.folder, training={"epochs": 100, "batch_size": 256})
        first = start("run", matrix)
        while not (self.out / "status.json").exists():
            time.sleep(0.05)
        second = run("run", matrix)
        self.assert_code(second, 6)
        self.assertIn(f"another run, process {first.pid} on", second.stderr)
        status = run("status", self.out)
        self.assertIn(f"running in process {first.pid}", status.stdout)
        first.kill()
        first.communicate()
        status = run("status", self.out)
        self.assertIn("test: died", status.stdout)
        matrix = write_matrix(self.folder)
        self.assert_code(run("run", matrix), 0)  # the dead one's lock is free

    def test_json_summary_tells_the_scheduling_overhead(self):
        matrix = write_matrix(self.folder, **QUICK)
        result = run("run", matrix, "--json")
        self.assert_code(result, 0)
        summary = json.loads(result.stdout)
        self.assertEqual(summary["exit_code"], 0)
        self.assertEqual(summary["cells"]["ok"], 4)
        self.assertTrue(0 <= summary["scheduling_overhead"] < 1, summary)
        self.assertTrue(0 <= summary["idle_at_end"] <= summary["scheduling_overhead"], summary)

    def test_a_full_disk_fails_cells_with_the_reason_and_is_made_good_later(self):
        matrix = write_matrix(self.folder, **{**QUICK, "seeds": [1]})
        mount = self.folder / "small"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "none", mount], capture_output=True).returncode:
            self.skipTest("no right to mount a small disk")
        self.addCleanup(subprocess.run, ["umount", mount])
        out = mount / "out"
        result = run("run", matrix, "--out", out)
        self.assert_code(result, 10)
        self.assertIn("No space left on device", result.stdout)
        self.assertEqual([file for file in files(out) if ".tmp" in file], [])
        subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
        self.assert_code(run("run", matrix, "--out", out), 0)
        self.assert_code(run("run", matrix, "--out", self.out), 0)
        self.assertEqual(bits(out), bits(self.out))

    def test_colors_and_live_lines_only_where_wanted(self):
        matrix = write_matrix(self.folder, training={"epochs": 1, "batch_size": 1024})
        self.assertNotIn("\x1b", run("run", matrix).stderr)
        self.assertIn("\x1b[32mok\x1b[0m", run("--color", "always", "run", matrix, "--rerun").stderr)
        self.assertNotIn("\x1b", run("--color", "never", "run", matrix, "--rerun", "--progress", "plain").stderr)


class Plan(InFolder):
    def test_plan_tells_what_is_done_what_is_shared_the_time_and_what_can_be_seen(self):
        rogues = ("--plugin-path", os.environ["ROCLIP_ROGUES"])
        attack = {"plugin": "badnets", "target_class": "fruit", "rate": 0.03}
        matrix = write_matrix(self.folder, **{**QUICK, "attacks": [attack], "seeds": [1], "defenses": ["clip", "repairs"]})
        plan = run(*rogues, "plan", matrix)
        self.assert_code(plan, 0)
        self.assertIn("2 cells: 0 done, 2 to run, 1 reuses a model trained by another cell", plan.stdout)
        self.assertIn("badnets: 1331 test items; smallest detectable difference between two defenses at one seed: 6 items, 0.451 %", plan.stdout)
        self.assertFalse(self.out.exists(), "plan writes nothing")
        self.assert_code(run(*rogues, "run", matrix, "--only", "defense=clip"), 0)
        plan = run(*rogues, "plan", matrix)
        self.assertIn("2 cells: 1 done, 1 to run", plan.stdout)
        self.assertRegex(plan.stdout, r"ok .*badnets x clip, seed 1   about \d+ s")
        self.assertEqual(len(json.loads(run(*rogues, "plan", matrix, "--json").stdout)), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
