"""A plugin that throws, crashes or diverges costs its own cell and no other."""
import os
import pathlib
import tempfile
import unittest

from program import read, run, write_matrix


class RoguePlugins(unittest.TestCase):
    def test_every_failure_has_its_status_and_good_cells_are_not_touched(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            rogues = ("--plugin-path", os.environ["ROCLIP_ROGUES"])
            matrix = write_matrix(folder, defenses=["throws", "crashes", "diverges", "clip"])
            result = run(*rogues, "run", matrix)
            self.assertEqual(result.returncode, 10, result.stderr)
            cells = {cell["defense"]: cell for cell in read(folder / "out" / "results.json")["cells"]}
            self.assertEqual(
                {defense: cell["status"] for defense, cell in cells.items()},
                {"throws": "failed", "crashes": "crashed", "diverges": "diverged", "clip": "ok"},
            )
            self.assertIn("thrown on purpose", cells["throws"]["reason"])
            self.assertIn("signal 11", cells["crashes"]["reason"])
            self.assertIn("epoch 1 step 1", cells["diverges"]["reason"])
            for told in ("thrown on purpose", "signal 11"):
                self.assertIn(told, result.stderr)  # when it happens
                self.assertIn(told, result.stdout)  # and again at the end

            good = read(folder / "out" / cells["clip"]["file"])
            alone = write_matrix(folder, defenses=["clip"])
            run("run", alone, "--out", folder / "alone")
            self.assertEqual(
                read(folder / "alone" / cells["clip"]["file"])["training"]["weights_hash"], good["training"]["weights_hash"]
            )


if __name__ == "__main__":
    unittest.main(verbosity=2)
