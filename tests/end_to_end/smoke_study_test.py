"""The smoke study through the real program: schemas, equal bits, resume."""
import pathlib
import shutil
import tempfile
import unittest

import jsonschema

from program import ROOT, read, run

SMOKE = ROOT / "results" / "smoke" / "matrix.json"


def bits(out):
    """All that must repeat: weights and outcomes of every cell."""
    cells = {}
    for file in sorted((out / "cells").glob("*.json")):
        cell = read(file)
        cells[cell["id"]] = (cell["training"]["weights_hash"], cell["metrics"], cell["poison"])
    return cells


class SmokeStudy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp())
        cls.first = cls.scratch / "first"
        cls.result = run("run", SMOKE, "--out", cls.first)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.scratch)

    def test_every_cell_ends_ok_and_the_grid_is_printed(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)
        for told in ("attack_success/1", "zero_shot/1", "linear_probe/1", "retrieval/1", "badnets", "roclip"):
            self.assertIn(told, self.result.stdout)

    def test_results_are_valid_against_their_schemas(self):
        schemas = ROOT / "results" / "schema"
        jsonschema.validate(read(self.first / "results.json"), read(schemas / "results.schema.json"))
        cells = list((self.first / "cells").glob("*.json"))
        self.assertEqual(len(cells), 4)
        for cell in cells:
            jsonschema.validate(read(cell), read(schemas / "cell.schema.json"))
        for study in (ROOT / "results").glob("*/matrix.json"):
            jsonschema.validate(read(study), read(schemas / "matrix.schema.json"))

    def test_counts_agree_with_their_outcomes(self):
        for file in (self.first / "cells").glob("*.json"):
            for metric in read(file)["metrics"].values():
                for count in metric["counts"]:
                    self.assertEqual(count["outcomes"].count("1"), count["hits"])
                    self.assertEqual(len(count["outcomes"]), count["trials"])
                    self.assertEqual(len(count["items"]), count["trials"])

    def test_defenses_of_a_seed_meet_the_same_poisons(self):
        manifests = {}
        for file in (self.first / "cells").glob("*.json"):
            cell = read(file)
            manifests.setdefault(cell["attack"], set()).add(cell["poison"]["hash"])
            self.assertTrue((self.first / cell["poison"]["manifest"]).exists())
        self.assertEqual({attack: len(hashes) for attack, hashes in manifests.items()}, {"none": 1, "badnets": 1})

    def test_a_second_run_elsewhere_gives_the_same_bits(self):
        second = self.scratch / "second"
        run("run", SMOKE, "--out", second, "--jobs", 1)
        self.assertEqual(bits(self.first), bits(second))

    def test_finished_cells_are_not_run_again_and_a_lost_one_is(self):
        out = self.scratch / "resumed"
        shutil.copytree(self.first, out)
        next((out / "cells").glob("badnets-roclip-*.json")).unlink()
        result = run("run", SMOKE, "--out", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("4 cells, 3 already done, 1 to run", result.stderr)
        self.assertEqual(bits(self.first), bits(out))


if __name__ == "__main__":
    unittest.main(verbosity=2)
