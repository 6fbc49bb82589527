"""`plugin test` of plugins that were built with a sanitizer: all pass, and it finds what is not found without."""
import json
import pathlib
import unittest

from kit import KINDS, ROGUES, KitTest, faults_of
from program import run

SANITIZED = ROGUES.parent / "sanitized"


@unittest.skipUnless(SANITIZED.is_dir(), "here all is built with a sanitizer")
class Sanitizers(KitTest):
    def test_every_shipped_plugin_passes_under_the_sanitizers(self):
        cases = self.shipped()
        for sanitizer, runtime in (("address", "libasan"), ("thread", "libtsan")):
            for plugin, params, *options in cases:
                library = SANITIZED / sanitizer / f"{plugin}.so"
                if not library.exists() and sanitizer == "thread":
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
        for kind in KINDS:
            library = SANITIZED / "address" / f"broken_{kind}.so"
            self.assertIn("bytes stay behind", self.assert_fails_exactly(library, "no_leak")["measured"])

    def test_a_plugin_built_with_a_sanitizer_is_refused_where_it_would_end_the_program(self):
        folder = SANITIZED / "address"
        listed = json.loads(run("plugin", "list", "--json", "--plugin-path", folder).stdout)
        self.assertIn("libasan", {pathlib.Path(each["file"]).stem: each["reason"] for each in listed["refused"]}["badnets"])
        result = run("plugin", "validate", folder / "badnets.so")
        self.assert_code(result, 5)
        self.assertIn("built with a sanitizer", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
