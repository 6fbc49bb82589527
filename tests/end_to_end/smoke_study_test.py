"""The smoke study through the real program: schemas, equal bits, resume."""
import csv
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

from program import ROOT, bits, read, run

SMOKE = ROOT / "results" / "smoke" / "matrix.json"


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
        for study in (ROOT / "results").glob("*/*.json"):
            if "defenses" in read(study):
                jsonschema.validate(read(study), read(schemas / "matrix.schema.json"))

    def test_counts_agree_with_their_outcomes(self):
        for file in (self.first / "cells").glob("*.json"):
            for metric in read(file)["metrics"].values():
                for count in metric["counts"]:
                    self.assertEqual(count["outcomes"].count("1"), count["hits"])
                    self.assertEqual(len(count["outcomes"]), count["trials"])
                    self.assertEqual(len(count["items"]), count["trials"])

    def test_the_gates_hold_against_the_committed_reference(self):
        checked = run("check", self.first, "--gates", SMOKE)
        if checked.returncode == 12:  # another LibTorch than the reference's: its models of seed 1 are others
            decided = self.scratch / "decided"
            run("run", SMOKE, "--out", decided, "--until-decided", "--max-seeds", 6)
            checked = run("check", decided, "--gates", SMOKE)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertEqual(checked.stdout.count("pass "), 5)

    def checked_with(self, name, attack=None, defense=None):
        """check() of the smoke study's badnets row with another attack or RoCLIP."""
        matrix = read(SMOKE)
        matrix["attacks"] = [{**matrix["attacks"][1], **(attack or {})}]
        matrix["defenses"] = ["clip", {**matrix["defenses"][1], **(defense or {})}]
        matrix["metrics"], matrix["gates"] = ["attack_success"], matrix["gates"][1:2]
        file = self.scratch / f"{name}.json"
        file.write_text(json.dumps(matrix))
        self.assertEqual(run("run", file, "--out", self.scratch / name).returncode, 0)
        return run("check", self.scratch / name)

    def test_check_fails_on_a_roclip_whose_pool_is_never_used(self):
        checked = self.checked_with("no-pool", defense={"match_every": 0})
        self.assertEqual(checked.returncode, 11, checked.stdout + checked.stderr)

    def test_check_fails_on_an_attack_whose_trigger_does_not_show(self):
        checked = self.checked_with("no-trigger", attack={"patch_px": 1, "pattern": "white"})  # white on white
        self.assertEqual(checked.returncode, 11, checked.stdout + checked.stderr)
        self.assertIn("the attack succeeds in only", checked.stdout)

    def test_check_fails_on_a_missing_cell(self):
        results = read(self.first / "results.json")
        results["cells"] = [c for c in results["cells"] if (c["attack"], c["defense"]) != ("badnets", "roclip")]
        file = self.scratch / "missing.json"
        file.write_text(json.dumps(results))
        checked = run("check", file, "--gates", SMOKE)
        self.assertEqual(checked.returncode, 11, checked.stdout + checked.stderr)
        self.assertIn("no cell badnets x roclip", checked.stdout)

    def test_until_decided_adds_seeds_to_open_gates_only(self):
        matrix = read(SMOKE)
        matrix["attacks"], matrix["metrics"] = ["none"], ["zero_shot"]
        accuracy = next(c for c in read(self.first / "results.json")["cells"] if (c["attack"], c["defense"]) == ("none", "clip"))
        value = accuracy["metrics"]["zero_shot/1"]["counts"]["top1"]["value"]
        matrix["gates"] = [{"metric": "zero_shot", "where": {"attack": "none", "defense": "clip"}, "at_least": value},
                           {"metric": "zero_shot", "where": {"attack": "none", "defense": "roclip"}, "at_most": 0.5}]
        file, out = self.scratch / "until.json", self.scratch / "until"
        file.write_text(json.dumps(matrix))
        result = run("run", file, "--out", out, "--until-decided", "--max-seeds", "2")
        self.assertEqual(result.returncode, 12, result.stdout + result.stderr)
        cells = {(c["defense"], c["seed"]) for c in read(out / "results.json")["cells"]}
        self.assertEqual(cells, {("clip", 1), ("roclip", 1), ("clip", 2)})

    def test_every_format_of_report_is_what_it_says(self):
        printed = {f: run("report", self.first, "--format", f) for f in ("text", "md", "csv", "latex", "html", "junit", "json")}
        for name, result in printed.items():
            self.assertEqual(result.returncode, 0, name + result.stderr)
        self.assertIn("| badnets |", printed["md"].stdout)
        rows = list(csv.DictReader(printed["csv"].stdout.splitlines()))
        self.assertEqual(len(rows), 16)
        self.assertEqual(printed["latex"].stdout.count("\\begin{tabular}"), 4)
        self.assertEqual(len(xml.etree.ElementTree.fromstring(printed["junit"].stdout).findall("testcase")), 4)
        self.assertEqual(len(json.loads(printed["json"].stdout)["tables"]), 4)
        page = printed["html"].stdout
        for shown in ("<svg", "data:image/png;base64,", "Clean and poisoned pairs by epoch", "<code>roclip-bench replay "):
            self.assertIn(shown, page)
        for loaded in ("<script", "<link", "src=\"http", "url("):
            self.assertNotIn(loaded, page)

    def test_the_tables_for_latex_compile_whatever_an_attack_is_called(self):
        odd = self.scratch / "odd.json"
        odd.write_text((self.first / "results.json").read_text().replace('"badnets"', json.dumps('a|b_c & "<d>" 5% ~^\\{}$#')))
        tables = [run("report", results, "--format", "latex").stdout for results in (self.first, odd)]
        self.assertIn("a\\textbar{}b", tables[1])
        document = self.scratch / "report.tex"
        document.write_text("\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\scriptsize\n" +
                            "".join(tables) + "\\end{document}\n")
        latex = subprocess.run(["pdflatex", "-halt-on-error", document], cwd=self.scratch, capture_output=True, text=True)
        self.assertEqual(latex.returncode, 0, latex.stdout)

    def test_stages_say_how_the_defense_takes_part(self):
        roles = {(c["defense"], s["role"]) for c in map(read, (self.first / "cells").glob("*.json")) for s in c["training"]["stages"]}
        self.assertEqual(roles, {("clip", "plain"), ("roclip", "in_training")})

    def test_a_study_compared_with_itself_is_equal(self):
        compared = run("compare", self.first, self.first)
        self.assertEqual(compared.returncode, 0, compared.stderr)
        self.assertIn("0 values changed", compared.stdout)

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
