"""A plugin that throws, crashes, hangs or eats all memory costs its own cell and no other."""
import os
import pathlib
import unittest

from program import InFolder, bits, files, read, results, run, write_matrix

ROGUES = ("--plugin-path", os.environ["ROCLIP_ROGUES"], "--plugin-path", os.environ["ROCLIP_ZOO"])
EXPECTED = {
    "throws_in_make": ("failed", "thrown in the constructor"),
    "throws": ("failed", "thrown on purpose"),
    "aborts": ("crashed", "signal 6"),
    "crashes": ("crashed", "signal 11"),
    "hangs": ("timeout", "more than 5 s, the limit of limits/time_s"),
    "eats_memory": ("oom", "memory"),
    "diverges": ("diverged", "epoch 1 step 1"),
    "wrong_abi": ("failed", "has plugin ABI"),
    "wrong_build": ("failed", "LibTorch 0.1, this program with"),
    "no_symbol": ("failed", "exports no symbol"),
    "chatters": ("ok", None),
    "fills_disk": ("ok", None),
    "leaves_child": ("ok", None),
    "repairs": ("ok", None),
    "clip": ("ok", None),
}


def alive(pid):
    """Not only a zombie that somebody else has yet to reap."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class RoguePlugins(InFolder):
    def test_every_failure_has_its_status_and_good_cells_are_not_touched(self):
        defenses = [name for name in EXPECTED if name not in ("hangs", "eats_memory")]
        defenses.append({"plugin": "hangs", "limits": {"time_s": 5}})
        defenses.append({"plugin": "eats_memory", "limits": {"memory_mib": 700}})
        pids = self.folder / "pids"
        result = run(*ROGUES, "run", write_matrix(self.folder, defenses=defenses), ROCLIP_TEST_PIDS=str(pids))
        self.assert_code(result, 10)
        cells = results(self.out)
        self.assertEqual(
            {defense: cell["status"] for defense, cell in cells.items()},
            {defense: status for defense, (status, _) in EXPECTED.items()},
        )
        for defense, (status, reason) in EXPECTED.items():
            if status == "ok":
                continue
            self.assertIn(reason, cells[defense]["reason"])
            self.assertIn(reason, read(self.out / cells[defense]["file"])["reason"])
            self.assertIn(reason, result.stderr)  # when it happens
            self.assertIn(reason, result.stdout)  # and again at the end
        aborted = read(self.out / cells["aborts"]["file"])
        self.assertIn("these are my last words", aborted["output"])
        self.assertIn("these are my last words", (self.out / aborted["log"]).read_text())
        self.assertIn("these are my last words", result.stderr)
        self.assertIn("garbage without a newline", (self.out / f"logs/{cells['chatters']['id']}.log").read_text(errors="replace"))

        self.assertIn("File too large; going on without", (self.out / f"logs/{cells['fills_disk']['id']}.log").read_text())

        started = pids.read_text().split()
        self.assertEqual(len(started), 2)
        self.assertFalse([pid for pid in started if alive(pid)], "processes of a plugin outlive its cell")

        clip, repaired = read(self.out / cells["clip"]["file"]), read(self.out / cells["repairs"]["file"])
        self.assertEqual(clip["training"]["trained_by"], repaired["training"]["trained_by"], "trained once for both")
        self.assertEqual([stage["name"] for stage in repaired["training"]["stages"]], ["train", "repair"])

        alone = self.folder / "alone"
        self.assert_code(run("run", write_matrix(self.folder, defenses=["clip"]), "--out", alone), 0)
        self.assertEqual(bits(alone)[clip["id"]], bits(self.out)[clip["id"]])
        leftover = [file for file in files(self.out) if ".tmp" in file or "checkpoints" in file]
        self.assertEqual(leftover, [])

    def test_an_attack_that_cannot_plan_costs_its_own_cells(self):
        attacks = ["none"] + [{"plugin": "bad_attack", "how": how} for how in ("throws", "crashes", "out_of_range")]
        matrix = write_matrix(self.folder, attacks=attacks)
        result = run(*ROGUES, "run", matrix)
        self.assert_code(result, 10)
        status = {cell["attack"]: (cell["status"], cell["reason"]) for cell in read(self.out / "results.json")["cells"]}
        self.assertEqual(status["none"], ("ok", None))
        self.assertEqual(status["bad_attack how=throws"][0], "failed")
        self.assertIn("bad_attack/1: plan() throws: cannot plan", status["bad_attack how=throws"][1])
        self.assertEqual(status["bad_attack how=crashes"][0], "crashed")
        self.assertEqual(status["bad_attack how=out_of_range"][0], "failed")
        self.assertRegex(status["bad_attack how=out_of_range"][1], r"replaced pair (\d+) is not in \[0, \1\)")
        told = "WARNING: the preparation ended by signal 11 (Segmentation fault) while planning bad_attack how=crashes"
        self.assertIn(told, result.stderr)
        planned = run(*ROGUES, "plan", write_matrix(self.folder, attacks=["none", "bad_attack"]), "--out", self.folder / "b")
        self.assert_code(planned, 10)
        self.assertIn("to run    none-clip", planned.stdout)
        self.assertIn("will fail bad_attack-clip", planned.stdout)

    def test_an_attack_that_plans_without_end_is_told_while_it_does_and_when_it_is_ended(self):
        matrix = write_matrix(self.folder, attacks=[{"plugin": "bad_attack", "how": "hangs"}], limits={"time_s": 7})
        result = run(*ROGUES, "plan", matrix)
        self.assertIn("planning bad_attack takes long; it is stopped after 7 s", result.stderr)
        self.assertIn("took longer than 7 s, the limit of limits/time_s while planning bad_attack", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
