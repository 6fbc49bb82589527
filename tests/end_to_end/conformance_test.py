"""`plugin test`: every shipped plugin passes, and one that is broken in one way fails exactly the check for that."""
import json
import signal
import unittest
from concurrent.futures import ThreadPoolExecutor

from kit import KINDS, ROGUES, ZOO, KitTest, faults_of, kit, names_of
from program import run, start

THREADS = 2  # as CMakeLists.txt tells CTest


class Conformance(KitTest):
    def test_every_shipped_plugin_passes(self):
        listed = json.loads(run("plugin", "list", "--json").stdout)["plugins"]
        cases = self.shipped()
        self.assertEqual({plugin["id"].split("/")[0] for plugin in listed}, {plugin for plugin, *_ in cases})
        with ThreadPoolExecutor(THREADS) as pool:
            checks = [pool.submit(self.assert_passes, *case) for case in cases]
        for (plugin, params, *_), check in zip(cases, checks):
            with self.subTest(plugin=plugin, params=params):
                check.result()

    def test_a_plugin_broken_in_one_way_fails_exactly_that_check(self):
        for kind in KINDS:
            library = ROGUES / f"broken_{kind}.so"
            report, result = kit(library, {})
            self.assert_code(result, 0)
            checks = {check["name"] for check in report["checks"]}
            self.assertIn("pass", {check["status"] for check in report["checks"] if check["name"] == "no_leak"})
            found = set()
            for fault in faults_of(kind):
                with self.subTest(kind=kind, fault=fault):
                    found.add(self.assert_fails_exactly(library, fault)["name"])
            self.assertEqual(checks - found - {"loads", "time_per_call", "time_per_step"}, set(), "checks without a fault")

    def test_a_crash_and_a_hang_are_outcomes_and_say_what_happened(self):
        library = ROGUES / "broken_attack.so"
        for fault, words in (
            ("edits_valid: crashes", "signal 11|SEGV"),  # the second where all is built with a sanitizer
            ("edits_valid: hangs", "ran longer than 2 s"),
        ):
            report, _ = kit(library, {"fault": fault}, "--limit-s", 2)
            by_name = {check["name"]: check for check in report["checks"]}
            self.assertRegex(by_name["edits_valid"]["measured"], words)
            self.assertEqual("--limit-s" in by_name["edits_valid"]["fix"], fault.endswith("hangs"))
            self.assertEqual(by_name["parameters"]["status"], "pass")
            self.assertIn("needs edits_valid", by_name["plan_is_pure"]["measured"])

    def test_an_accepted_failure_does_not_fail_the_plugin(self):
        library, fault = ROGUES / "broken_attack.so", "plan_depends_on_seed"
        report, result = kit(library, {"fault": fault}, "--accept", fault)
        self.assert_code(result, 0)
        self.assertEqual((names_of(report, "accepted"), names_of(report, "fail")), ([fault], []))

    def test_a_library_that_is_refused_ends_with_the_reason(self):
        for name, reason in (("wrong_abi", "has plugin ABI"), ("wrong_build", "LibTorch 0.1"), ("no_symbol", "exports no symbol")):
            result = run("plugin", "test", ZOO / f"{name}.so")
            self.assert_code(result, 5)
            self.assertIn(reason, result.stdout)
            self.assertIn("FAIL", result.stdout)
            self.assertEqual(names_of(kit(ZOO / f"{name}.so", {})[0], "fail"), ["loads"])

    def test_parameters_that_do_not_fit_the_built_in_data_are_explained(self):
        result = run("plugin", "test", "badnets", "--only", "edits_valid")
        self.assert_code(result, 5)
        self.assertIn("set exactly one of", result.stdout)
        self.assertIn("--params", result.stdout)
        self.assertIn("circle, square, triangle, cross, ring, diamond", result.stdout)

    def test_mistakes_in_the_command_are_explained(self):
        for arguments, code, words in (
            (["no_such.so"], 5, "no such file"),
            (["badnet"], 5, 'did you mean "badnets"'),
            (["none", "--only", "trigger_aera"], 2, 'did you mean "trigger_area"'),
            (["none", "--params", "[]"], 2, "expected a JSON object"),
        ):
            result = run("plugin", "test", *arguments)
            self.assert_code(result, code)
            self.assertIn(words, result.stderr)

    def test_what_a_hook_throws_is_told_with_its_name(self):
        for kind, fault, words in (("attack", "trigger_pure: throws", "apply_trigger() throws: no trigger today"),
                                   ("defense", "trains: throws", "step() throws: thrown on purpose")):
            report, _ = kit(ROGUES / f"broken_{kind}.so", {"fault": fault}, "--only", fault.split(":")[0])
            self.assertEqual(report["checks"][-1]["measured"], words)

    def test_ctrl_c_ends_it_with_nothing_left_behind(self):
        self.out.mkdir()
        process = start("plugin", "test", ROGUES / "broken_attack.so", "--params", '{"fault": "edits_valid: hangs"}',
                        TMPDIR=str(self.out))
        for line in process.stdout:
            if line.startswith("pass      parameters"):  # the next one hangs
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(list(self.out.iterdir()), [])

    def test_nothing_is_left_in_the_temporary_folder(self):
        self.out.mkdir()
        _, result = kit("clip", {}, "--only", "resumes_to_the_same_bits", TMPDIR=str(self.out))
        self.assert_code(result, 0)
        self.assertEqual(list(self.out.iterdir()), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
