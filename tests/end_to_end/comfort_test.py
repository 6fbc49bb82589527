"""Doctor and init."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import jsonschema

from program import PROGRAM, ROOT, InFolder, emoji_pack, read, run, write_matrix


class Doctor(InFolder):
    def checks(self, *arguments, **environment):
        result = run(*arguments, "doctor", "--json", **environment)
        return result.returncode, {check["what"]: check for check in json.loads(result.stdout)["checks"]}

    def test_each_thing_is_ok_or_says_what_to_do(self):
        code, checks = self.checks()
        self.assertEqual(code, 0)
        for what in ("program", "machine", "cache", "disk", "git", "npm", "libtorch", "blas", "cpu", "gpu", "attacks",
                     "defenses", "metrics", "data"):
            self.assertIn(what, checks)
        for check in checks.values():
            self.assertTrue(check["state"] == "ok" or check["fix"], check)
        self.assertRegex(checks["blas"]["found"], r"\d+ GFLOP/s on one core")
        self.assertIn("badnets", checks["attacks"]["found"])
        text = run("doctor").stdout
        self.assertRegex(text, r"(?m)^ok    libtorch  \d+\.\d+")

    def test_refused_plugins_are_named_with_the_reason(self):
        code, checks = self.checks("--plugin-path", os.environ["ROCLIP_ZOO"])
        self.assertEqual(code, 0)
        self.assertIn("ABI", run("--plugin-path", os.environ["ROCLIP_ZOO"], "doctor").stdout)
        self.assertIn("search path", checks["refused"]["fix"])

    def test_a_plugin_folder_or_cache_that_cannot_be_used_fails_with_the_code_of_a_run(self):
        code, checks = self.checks("--plugin-path", self.folder / "none")
        self.assertEqual((code, checks["plugins"]["state"]), (5, "fail"))
        code, checks = self.checks(ROCLIP_BENCH_CACHE="/dev/null/cache")
        self.assertEqual((code, checks["cache"]["state"]), (6, "fail"))

    def test_without_npm_only_data_that_are_not_prepared_keep_a_run_from_working(self):
        code, checks = self.checks(PATH=str(self.folder))
        self.assertEqual((code, checks["npm"]["state"]), (0, "warn"))
        code, checks = self.checks(PATH=str(self.folder), ROCLIP_BENCH_CACHE=str(self.folder / "none"))
        self.assertEqual((code, checks["npm"]["state"], checks["data"]["state"]), (6, "fail", "warn"))

    def test_a_cache_may_have_a_relative_path_and_be_made_later(self):
        code, checks = self.checks(ROCLIP_BENCH_CACHE="not-there/yet")
        self.assertEqual((code, checks["cache"]["state"]), (0, "ok"), checks["cache"])

    @unittest.skipUnless(os.geteuid() == 0, "mounting takes root")
    def test_a_cache_that_cannot_be_written_is_enough_where_the_data_are_prepared(self):
        cache = emoji_pack().parent
        read_only = self.folder / "read-only"
        read_only.mkdir()
        if subprocess.run(["mount", "--bind", cache, read_only], capture_output=True).returncode:
            self.skipTest("no mounting here")
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", read_only], check=True)
            code, checks = self.checks(ROCLIP_BENCH_CACHE=str(read_only))
            self.assertEqual((code, checks["cache"]["state"]), (0, "warn"))
            self.assertIn("Read-only file system", checks["cache"]["found"])
        finally:
            subprocess.run(["umount", read_only], check=True)

    def test_a_packed_file_with_damaged_pixels_is_named(self):
        pack = emoji_pack()
        copy = self.folder / pack.name
        shutil.copy(pack, copy)
        with copy.open("r+b") as file:
            file.seek(copy.stat().st_size // 2)
            damaged = bytes(byte ^ 1 for byte in file.read(1))
            file.seek(-1, os.SEEK_CUR)
            file.write(damaged)
        code, checks = self.checks(ROCLIP_BENCH_CACHE=str(self.folder))
        self.assertEqual((code, checks["pack"]["state"]), (0, "warn"))
        self.assertIn(str(copy), checks["pack"]["found"])
        self.assertIn("data prepare emoji", checks["pack"]["fix"])

    def test_an_engine_that_cannot_start_is_a_line_with_what_to_install(self):
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        for name in ("roclip-bench", "roclip-bench-engine"):
            shutil.copy(pathlib.Path(PROGRAM).parent / name, bin_folder)
        result = subprocess.run([bin_folder / "roclip-bench", "doctor"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"FAIL  engine    cannot start: .*libroclip_sdk\.so.*\n +fix: ")
        (bin_folder / "roclip-bench-engine").unlink()
        result = subprocess.run([bin_folder / "roclip-bench", "doctor"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"FAIL  engine    cannot start: .*No such file")


    def doctor_with_engine(self, script):
        """What doctor says where `script` stands in for the engine, which is $real."""
        program = pathlib.Path(PROGRAM)
        copy, engine = self.folder / program.name, self.folder / "roclip-bench-engine"
        shutil.copy(program, copy)
        engine.write_text(f'#!/bin/sh\nreal={program.parent / "roclip-bench-engine"}\n{script}\n')
        engine.chmod(0o755)
        result = subprocess.run([copy, "doctor", "--json"], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.stderr, "")
        return result.returncode, {check["what"]: check for check in json.loads(result.stdout)["checks"]}

    def test_what_plugins_print_does_not_keep_findings_from_being_told(self):
        code, checks = self.doctor_with_engine(r'printf "no newline"; printf "\377" >&2; $real "$@"; printf "{bye"')
        self.assertEqual((code, checks["data"]["state"]), (0, "ok"))
        self.assertNotIn("engine", checks)

    def test_an_engine_that_ends_early_or_late_is_a_line(self):
        for script, told, found in (("exit 0", "ended before it had looked", False),
                                    (r'$real "$@"; printf "my last \377 words"; kill -SEGV $$', "signal 11", True),
                                    ("trap '' ALRM TERM; exec sleep 1000", "took more than 60 s", False)):
            with self.subTest(script):
                code, checks = self.doctor_with_engine(script)
                self.assertEqual((code, checks["engine"]["state"]), (1, "fail"))
                self.assertIn(told, checks["engine"]["found"])
                self.assertIn("plugin", checks["engine"]["fix"])
                self.assertEqual("attacks" in checks, found)


class Init(InFolder):
    def test_the_starter_can_be_planned_and_is_valid_against_the_schema(self):
        file = self.folder / "mine.json"
        result = run("init", file)
        self.assert_code(result, 0)
        self.assertIn(f"roclip-bench plan {file}", result.stdout)
        planned = run("plan", file)
        self.assert_code(planned, 0)
        self.assertIn("6 cells", planned.stdout)
        for gate in json.loads(re.sub(r"(?m)^ *//.*$", "", file.read_text()))["gates"]:
            self.assertIn(f"{gate['where']['attack']} x {gate['where']['defense']},", planned.stdout)
        matrix = json.loads(re.sub(r"(?m)^ *//.*$", "", file.read_text()))
        self.assertEqual(matrix["name"], self.folder.name)
        jsonschema.validate(matrix, read(ROOT / "results/schema/matrix.schema.json"))
        self.assertEqual(read(matrix["$schema"]), read(ROOT / "results/schema/matrix.schema.json"))

    def test_it_overwrites_nothing(self):
        file = self.folder / "matrix.json"
        file.write_text("mine")
        result = run("init", file)
        self.assert_code(result, 2)
        self.assertIn("exists already", result.stderr)
        self.assertEqual(file.read_text(), "mine")

    def test_a_matrix_file_with_comments_runs_and_its_gates_are_checked(self):
        gate = {"metric": "zero_shot", "where": {"attack": "none", "defense": "clip"}, "at_least": 0}
        file = write_matrix(self.folder, gates=[gate])
        file.write_text("// mine\n" + file.read_text().replace('"emoji"', '"emoji" /* ours */'))
        self.assert_code(run("run", file), 0)
        self.assert_code(run("check", self.out, "--gates", file), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
