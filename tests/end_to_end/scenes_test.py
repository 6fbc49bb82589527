"""`scenes`: pairs that are drawn when they are asked for train, stop, resume and are poisoned like any others."""
import signal
import time
import unittest

from program import InFolder, bits, read, results, run, start, write_matrix

SCENES = {"reader": "scenes", "pairs": 3000, "held_out": 200, "probe": 400}
MATRIX = {
    "data": SCENES,
    "training": {"epochs": 3, "batch_size": 64},
    "attacks": [{"plugin": "badnets", "target_class": "fruit", "rate": 0.05}],
    "metrics": ["attack_success", "zero_shot", "linear_probe"],
}


class Scenes(InFolder):
    def test_a_study_of_scenes_runs_and_repeats_to_the_bit_after_it_was_killed(self):
        matrix = write_matrix(self.folder, **MATRIX)
        whole, broken = self.folder / "whole", self.folder / "broken"
        self.assert_code(run("run", matrix, "--out", whole), 0)
        process = start("run", matrix, "--out", broken)
        checkpoints = broken / "checkpoints"
        until = time.monotonic() + 600
        while process.poll() is None and time.monotonic() < until and not read_progress(broken):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assertTrue(checkpoints.exists())
        self.assert_code(run("run", matrix, "--out", broken), 0)
        self.assertEqual(bits(whole), bits(broken))
        cell = read(whole / results(whole)["clip"]["file"])
        self.assertEqual(cell["data"]["pairs"], 3000)
        self.assertEqual(cell["poison"]["edits"], 150)
        self.assertEqual(cell["metrics"]["zero_shot/1"]["counts"][0]["trials"], 200)

    def test_another_seed_or_size_of_the_data_is_another_cell(self):
        ids = set()
        for change in ({}, {"seed": 2}, {"pairs": 4000}, {"wrong_share": 0.5}):
            matrix = write_matrix(self.folder, **{**MATRIX, "data": {**SCENES, **change}})
            plan = run("plan", matrix, "--json")
            self.assert_code(plan, 0)
            ids.add(plan.stdout.split('"id": "')[1].split('"')[0])
        self.assertEqual(len(ids), 4)

    def test_a_model_of_another_size_is_refused_before_anything_is_trained(self):
        result = run("run", write_matrix(self.folder, **{**MATRIX, "model": "small"}))
        self.assert_code(result, 3)
        self.assertIn("data/image_px: scenes are drawn at the size that the model takes, 64 px; got 32", result.stderr)


def read_progress(out):
    """Whether a cell has trained some steps."""
    status = out / "status.json"
    return status.exists() and any(cell["step"] > 20 for cell in read(status)["running"])


if __name__ == "__main__":
    unittest.main()
