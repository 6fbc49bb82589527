"""What a stranger does: installs the program, writes a plugin outside the repository, follows the how-to texts."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from program import ROOT, PROGRAM, read

BUILD = pathlib.Path(PROGRAM).resolve().parents[1]


def command(*words, cwd=None, env=None):
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=3600)
    if done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return done.stdout


def blocks(text, kind):
    """Fenced blocks of a how-to in order: (what stands behind the fence, content). Shell blocks of that kind, and all files."""
    for info, content in re.findall(r"^```(\S+ \S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if info.startswith("cpp ") or info == f"sh {kind}":
            yield info, content


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        cls.prefix = cls.folder / "prefix"
        command("cmake", "--install", BUILD, "--prefix", cls.prefix)
        # Nothing of the build folder may be needed: only what is installed is on the path.
        cls.env = {**os.environ, "PATH": f"{cls.prefix}/bin:{os.environ['PATH']}", "CMAKE_PREFIX_PATH": str(cls.prefix)}

    def sh(self, script, cwd):
        return command("bash", "-euo", "pipefail", "-c", script, cwd=cwd, env=self.env)

    def test_what_is_installed_has_all_that_is_read_at_run_time(self):
        program = self.prefix / "bin" / "roclip-bench"
        plugins = json.loads(command(program, "plugin", "list", "--json"))
        self.assertEqual(plugins["refused"], [])
        self.assertTrue(all(plugin["file"].startswith(str(self.prefix)) for plugin in plugins["plugins"]))
        self.assertIn("badnets/2", [plugin["id"] for plugin in plugins["plugins"]])
        for what in ("result", "results", "status", "poison"):
            self.assertIn("$schema", json.loads(command(program, "schema", what)))

    def test_each_template_builds_passes_its_tests_and_appears_in_a_matrix(self):
        # The text on writing an attack begins with its template.
        for kind, prefix in (("defense", self.prefix), ("metric", BUILD)):  # installed, or where it was built
            with self.subTest(kind):
                name = f"my_{kind}"
                self.sh(f"roclip-bench plugin new {kind} {name}", self.folder)
                project = self.folder / name
                self.assertNotIn("@", "".join(re.findall(r"@\w+@", "".join(
                    file.read_text() for file in project.iterdir()))))
                self.sh(f"cmake -B build -G Ninja -DCMAKE_PREFIX_PATH={prefix} && cmake --build build && "
                        "ctest --test-dir build --output-on-failure", project)
                plugin = json.loads(self.sh(f"roclip-bench plugin validate --json build/plugins/{kind}/{name}.so",
                                            project))[0]
                self.assertEqual((plugin["kind"], plugin["id"]), (kind, f"{name}/1"))
                cells = json.loads(self.sh("roclip-bench plan matrix.json --plugin-path build/plugins --json", project))
                self.assertIn(f"{name}/1", json.dumps(cells))

    def follow(self, kind):
        work = self.folder / f"how-to-{kind}"
        work.mkdir()
        text = (ROOT / "plugins" / "README.md").read_text().split("\n## ")
        section = next(part for part in text if part.startswith(f"Write a{'n' if kind == 'attack' else ''} {kind} in"))
        output = ""
        for info, content in blocks(section, kind):
            if info.startswith("cpp "):
                (work / info.split()[1]).write_text(content)
                continue
            output += self.sh(content, work)
            if "\ncd " in content:
                work = work / content.split("\ncd ")[1].split()[0]
        return work, output

    def test_the_text_on_writing_an_attack_works_when_it_is_followed_literally(self):
        project, output = self.follow("attack")
        self.assertIn("0 failed", output)
        cell = read(project / "out" / "results.json")["cells"][0]
        self.assertEqual((cell["defense"], cell["status"]), ("clip", "ok"))
        success = cell["metrics"]["attack_success/1"]["counts"]["top1"]
        self.assertGreater(success["hits"], success["trials"] / 2)
        self.assertIn("mosaic", (project / "report.html").read_text())

    def test_the_text_on_writing_a_defense_works_when_it_is_followed_literally(self):
        project, output = self.follow("defense")
        self.assertIn("resumes_to_the_same_bits", output)
        cells = read(project / "out" / "results.json")["cells"]
        self.assertEqual({cell["defense"]: cell["status"] for cell in cells}, {"clip": "ok", "too_fast": "ok"})

    def test_the_packages_hold_what_is_installed_and_the_program_runs_from_them(self):
        made = self.folder / "packages"
        command("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", made)
        deb, = made.glob("*.deb")
        tar, = made.glob("*.tar.gz")
        depends = command("dpkg-deb", "--field", deb, "Depends")
        self.assertRegex(depends, r"libtorch\d")
        for package in ("libopenblas0", "fonts-dejavu-core", "fonts-dejavu-extra"):
            self.assertIn(package, depends)
        root = self.folder / "root"
        command("dpkg-deb", "--extract", deb, root)
        self.assertIn("badnets/2", command(root / "usr/bin/roclip-bench", "plugin", "list"))
        self.assertIn("patch_px", command(root / "usr/bin/roclip-bench", "plugin", "info", "badnets"))
        texts = root / "usr/share/doc/roclip-bench"
        for text in re.findall(r"\]\(([\w/]+\.md)", (texts / "README.md").read_text()):
            self.assertTrue((texts / text).is_file(), text)
        for link in re.findall(r"\]\(([\w/]+\.h)", (texts / "plugins" / "README.md").read_text()):
            self.assertTrue((texts / "plugins" / link).is_file(), link)
        self.assertTrue((texts / "attacks" / "badnets" / "badnets.cpp").is_file())
        self.assertIn("usr/lib/cmake/RoclipBench/RoclipBenchConfig.cmake", command("tar", "tzf", tar))


if __name__ == "__main__":
    unittest.main(verbosity=2)
