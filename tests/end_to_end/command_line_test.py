"""Bad input gets one clear message, its documented exit code, and leaves nothing behind."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import jsonschema

from program import PROGRAM, ROOT, run, write_matrix


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.addCleanup(self.scratch.cleanup)

    def refused(self, code, *told, arguments=None, **changes):
        matrix = write_matrix(self.folder, **changes)
        result = run(*(arguments or ("run", matrix)))
        self.assertEqual(result.returncode, code, result.stderr)
        for text in told:
            self.assertIn(text, result.stderr)
        self.assertNotIn("what():", result.stderr)
        self.assertNotIn("Exception raised from", result.stderr)
        self.assertFalse((self.folder / "out").exists(), "nothing may be written")

    def test_a_misspelt_key_of_the_matrix_is_named_with_the_nearest_one(self):
        self.refused(3, "matrix.json: /defences", 'did you mean "defenses"?', defences=["clip"])

    def test_a_misspelt_parameter_is_named_with_the_nearest_one(self):
        attack = {"plugin": "badnets", "patch_pixels": 5}
        self.refused(3, "/attacks/0/patch_pixels", 'did you mean "patch_px"?', attacks=[attack])

    def test_a_value_out_of_range_says_the_range(self):
        self.refused(3, "/training/epochs: expected integer in [1, 100000], got 0", training={"epochs": 0})

    def test_a_wrong_type_says_what_was_expected(self):
        self.refused(3, "/training/learning_rate", "expected number", '"fast"', training={"learning_rate": "fast"})

    def test_an_empty_list_of_attacks_is_an_error(self):
        self.refused(3, "/attacks", "at least one", attacks=[])

    def test_an_unknown_plugin_lists_what_there_is(self):
        self.refused(5, 'did you mean "roclip"?', "cleanclip/1, clip/1", defenses=["roclipp"])

    def test_a_target_class_that_does_not_exist_is_found_before_anything_is_trained(self):
        attack = {"plugin": "badnets", "target_class": "fruits", "rate": 0.01}
        self.refused(3, "/attacks", "fruits", 'did you mean "fruit"?', attacks=[attack])

    def test_a_matrix_file_that_is_missing_is_an_error_about_it(self):
        self.refused(6, "none.json", "No such file", arguments=("run", self.folder / "none.json"))

    def test_a_name_that_is_no_utf8_or_too_long_is_an_error_about_it(self):
        matrix = write_matrix(self.folder)
        for arguments in (("plan", b"x\xff.json"), ("run", matrix, "--out", b"out\xff")):
            result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn("\\xff", result.stderr)
            self.assertIn("is not UTF-8", result.stderr)
        self.refused(6, "aaa: File name too long", arguments=("plan", "a" * 300))
        self.refused(6, "File name too long", arguments=("run", matrix, "--out", self.folder / ("a" * 300)))

    def test_data_that_is_missing_is_an_error_about_it(self):
        data = {"reader": "csv", "pairs": "pairs.csv", "labelled": "images"}
        matrix = write_matrix(self.folder, data=data)
        result = run("run", matrix)
        self.assertIn(result.returncode, (3, 6), result.stderr)
        self.assertIn("pairs.csv", result.stderr)

    def test_what_plan_can_know_is_an_error_before_anything_is_trained(self):
        gate = {"metric": "zero_shot", "where": {"attack": "none", "defense": "roclip"}, "at_least": 0.1}
        self.refused(3, "/gates/0/where/defense", "there are: clip", gates=[gate])
        self.refused(3, "/training/batch_size: expected at most", "got 65536", training={"batch_size": 65536})
        same = [{"plugin": "clip", "label": "a"}, {"plugin": "clip", "label": "b"}]
        self.refused(3, "none x a, seed 1 and none x b, seed 1 are one configuration", defenses=same)

    def test_a_billion_cells_are_refused_before_they_take_memory(self):
        sweep = {"sweep": list(range(1, 1001))}
        matrix = write_matrix(self.folder, training={"epochs": sweep, "batch_size": {"sweep": list(range(2, 1002))}},
                              seeds=list(range(1000)))
        for command in ("plan", "run"):
            result = subprocess.run(["bash", "-c", f'ulimit -v 2000000; exec "{PROGRAM}" {command} "{matrix}"'],
                                    capture_output=True, text=True)
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn("/training: expected at most 20000 cells, got 1000000000", result.stderr)
            self.assertEqual((result.stdout, result.stderr.count("plugin")), ("", 0))

    def test_a_matrix_may_come_from_a_pipe(self):
        text = write_matrix(self.folder).read_text()
        result = subprocess.run([PROGRAM, "plan", "/dev/stdin"], input=text, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("1 cell: ", result.stdout)

    def test_a_status_of_another_shape_is_an_error_about_its_file(self):
        (self.folder / "status.json").write_text('{"phase": 3}')
        result = run("status", self.folder)
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn("status.json: /schema_version: is missing", result.stderr)

    def test_an_unknown_data_set_is_an_error(self):
        self.refused(3, "/data", "emoji", data="emojis")

    def test_an_output_folder_that_cannot_be_written_is_an_error(self):
        matrix = write_matrix(self.folder)
        result = run("run", matrix, "--out", "/proc/out")
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn("/proc/out", result.stderr)
        self.assertIn("--out", result.stderr)

    def test_an_unknown_subcommand_or_device_is_a_usage_error(self):
        self.assertEqual(run("rum").returncode, 2)
        self.assertEqual(run("run").returncode, 2)
        self.refused(2, "--device", arguments=("run", write_matrix(self.folder), "--device", "tpu"))

    def test_plugins_of_another_abi_or_build_are_listed_with_the_difference(self):
        zoo = os.environ["ROCLIP_ZOO"]
        for result in (run("--plugin-path", zoo, "plugin", "list"), run("plugin", "list", ROCLIP_BENCH_PLUGIN_PATH=zoo)):
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, r"has plugin ABI 999, this program has \d+; rebuild")
            self.assertRegex(result.stdout, r"was built with .*LibTorch 0.1, this program with \d")
            self.assertIn("no_stamp.so: it has no stamp", result.stdout)
        matrix = write_matrix(self.folder, attacks=["wrong_abi"])
        result = run("--plugin-path", zoo, "run", matrix)
        self.assertEqual(result.returncode, 5)
        self.assertIn("has plugin ABI", result.stderr)

    def test_a_library_is_validated_with_the_reason_why_it_is_refused(self):
        zoo = pathlib.Path(os.environ["ROCLIP_ZOO"])
        result = run("plugin", "validate", zoo / "wrong_abi.so", zoo / "no_symbol.so")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("has plugin ABI 999", result.stdout)
        self.assertIn("ROCLIP_ATTACK", result.stdout)

    def test_the_schema_of_a_matrix_knows_plugins_and_their_parameters(self):
        schema = jsonschema.Draft202012Validator(json.loads(run("schema", "matrix").stdout))
        for file in ("smoke/matrix", "emoji-quick/matrix", "emoji-paper/matrix", "emoji-paper/ablation", "paper/cc3m",
                     "paper/finetune-rn50", "paper/finetune-vit-b-32"):
            with self.subTest(file):
                self.assertEqual(list(schema.iter_errors(json.loads((ROOT / f"results/{file}.json").read_text()))), [])
        matrix = json.loads((ROOT / "results/smoke/matrix.json").read_text())
        matrix["attacks"][1]["patch_pixels"] = 3
        self.assertEqual([list(error.path)[:2] for error in schema.iter_errors(matrix)], [["attacks", 1]])

    def test_a_plugin_project_is_not_written_over_anything_or_under_an_odd_name(self):
        self.assertEqual(run("plugin", "new", "attack", "My-Trigger", "--dir", self.folder / "a").returncode, 2)
        taken = run("plugin", "new", "attack", "badnets", "--dir", self.folder / "a")
        self.assertEqual(taken.returncode, 2)
        self.assertIn("there is badnets/2 in", taken.stderr)
        self.assertFalse((self.folder / "a").exists())
        (self.folder / "b").mkdir()
        (self.folder / "b" / "mine.txt").write_text("mine")
        refused = run("plugin", "new", "attack", "my_trigger", "--dir", self.folder / "b")
        self.assertEqual(refused.returncode, 6)
        self.assertIn("not empty", refused.stderr)
        self.assertEqual([file.name for file in (self.folder / "b").iterdir()], ["mine.txt"])

    def test_what_is_no_plugin_is_called_what_it_is(self):
        text = self.folder / "text.so"
        text.write_text("no library")
        self.assertIn("is no shared library", run("plugin", "validate", text).stdout)
        self.assertIn("is a folder", run("plugin", "validate", self.folder).stderr)
        self.assertIn("--plugin-path", run("plugin", "info", "my_trigger").stderr)

    def test_tests_of_a_new_plugin_use_the_check_of_catch(self):
        for kind in ("attack", "defense", "metric"):
            self.assertEqual(run("plugin", "new", kind, "mine", "--dir", self.folder / kind).returncode, 0)
            includes = re.findall(r"#include <(.*)>", (self.folder / kind / "mine_test.cpp").read_text())
            self.assertEqual(includes[-1], "catch2/catch.hpp", "LibTorch has a CHECK of its own")

    def test_plugin_info_tells_default_range_unit_and_source(self):
        text = run("plugin", "info", "roclip").stdout
        for told in ("roclip/1", "match_every = 2 epochs", "source:", "pool_fraction", "text_gradient", "none | matched"):
            self.assertIn(told, text)

    def test_help_has_examples_and_exit_codes(self):
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("roclip-bench run matrix.json", result.stdout)
        self.assertIn("10 some cells failed, or cannot run", result.stdout)

    def test_what_cannot_be_printed_is_an_error(self):
        matrix = write_matrix(self.folder)
        for arguments in (("plan", matrix), ("schema", "result"), ("plugin", "info", "roclip"), ("--help",)):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                result = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 6, result.stderr)
                self.assertIn("roclip-bench: stdout: cannot be written", result.stderr)

    def test_plan_prints_every_cell_without_running_any(self):
        matrix = write_matrix(self.folder, attacks=["none", "targeted"], seeds=[1, 2])
        result = run("plan", matrix)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("4 cells", result.stdout)
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
