"""`plugin test` of plugins that were built with a sanitizer: all pass, and it finds what is not found without."""
import json
import pathlib
import unittest

from kit import KINDS, ROGUES, KitTest, faults_of, kit, names_of
from program import PROGRAM, ROOT, run

SANITIZED = ROGUES.parent / "sanitized"
ATTACKS = [folder.name for folder in (ROOT / "attacks").iterdir() if folder.is_dir()]


class Sanitizers(KitTest):
    def test_every_shipped_plugin_passes_under_the_sanitizers(self):
        cases = self.shipped()
        for sanitizer, runtime in (("address", "libasan"), ("thread", "libtsan")):
            for plugin, params, *options in cases:
                library = SANITIZED / sanitizer / f"{plugin}.so"
                if sanitizer == "thread" and plugin not in ATTACKS:
                    continue  # only attacks are used by several threads at once
                with self.subTest(sanitizer=sanitizer, plugin=plugin, params=params):
                    report = self.assert_passes(library, params, *options)
                    self.assertIn(runtime, report["plugin"]["sanitizer"])

    def test_what_only_a_sanitizer_sees_fails_exactly_its_check_and_is_told_with_its_place(self):
        for sanitizer, words in (("address", "heap-buffer-overflow"), ("thread", "data race")):
            library = SANITIZED / sanitizer / "broken_attack.so"
            (fault,) = faults_of("attack", sanitizer)
            self.assert_passes(ROGUES / "broken_attack.so", {"fault": fault})
            self.assert_passes(library, {})
            failed = self.assert_fails_exactly(library, fault)
            self.assertIn(words, failed["measured"])
            self.assertIn("broken_attack.cpp:", failed["measured"])
        self.assertIn("data race", self.assert_fails_exactly(library, "thread_safety")["measured"])
        share = self.folder / "a share"
        share.symlink_to(pathlib.Path(PROGRAM).parents[1] / "share" / "roclip-bench")
        report, _ = kit(library, {"fault": fault}, TSAN_OPTIONS="history_size=4", ROCLIP_BENCH_SHARE=str(share))
        self.assertEqual(names_of(report, "fail"), ["thread_safety"], "with options of the user")
        for kind in KINDS:
            library = SANITIZED / "address" / f"broken_{kind}.so"
            self.assertIn("bytes stay behind", self.assert_fails_exactly(library, "no_leak")["measured"])

    def test_a_name_that_two_builds_have_is_not_guessed(self):
        result = run("--plugin-path", SANITIZED / "address", "plugin", "test", "badnets")
        self.assert_code(result, 5)
        self.assertIn("give the file", result.stderr)

    def test_a_plugin_built_with_a_sanitizer_is_refused_where_it_would_end_the_program(self):
        folder = SANITIZED / "address"
        listed = json.loads(run("plugin", "list", "--json", "--plugin-path", folder).stdout)
        self.assertIn("libasan", {pathlib.Path(each["file"]).stem: each["reason"] for each in listed["refused"]}["badnets"])
        result = run("plugin", "validate", folder / "badnets.so")
        self.assert_code(result, 5)
        self.assertIn("built with a sanitizer", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
