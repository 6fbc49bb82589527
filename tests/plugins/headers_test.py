"""The headers are contracts: prose enough, and a reference without warnings. That each compiles alone, the build shows."""
import pathlib
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def prose_and_code(text):
    """Characters of comments, and of the rest; blanks do not count."""
    prose = code = 0
    for line in text.splitlines():
        before, _, comment = line.partition("//")
        prose += len("".join(comment.strip("/< ").split()))
        code += len("".join(before.rstrip("\\ ").split()))
    return prose, code


class Headers(unittest.TestCase):
    def test_every_public_header_is_at_least_half_prose(self):
        headers = sorted((ROOT / "plugins/include/roclip").glob("*.h"))
        self.assertGreater(len(headers), 10)
        for header in headers:
            with self.subTest(header.name):
                prose, code = prose_and_code(header.read_text())
                self.assertGreaterEqual(prose, code)

    def test_every_public_header_is_installed(self):
        listed = (ROOT / "plugins/CMakeLists.txt").read_text()
        for header in (ROOT / "plugins/include/roclip").glob("*.h"):
            self.assertIn(f"include/roclip/{header.name}", listed)

    @unittest.skipUnless(shutil.which("doxygen"), "doxygen is not installed")
    def test_the_reference_builds_without_warnings(self):
        made = subprocess.run(["doxygen", "plugins/Doxyfile"], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        self.assertTrue((ROOT / "build/reference/html/classroclip_1_1Attack.html").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
