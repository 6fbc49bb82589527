"""Runs the program as a user does."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ["ROCLIP_BENCH"]
MINIMAL = {
    "schema_version": 1,
    "name": "test",
    "data": "emoji",
    "training": {"epochs": 1, "batch_size": 512},
    "attacks": ["none"],
    "defenses": ["clip"],
    "metrics": ["zero_shot"],
}


def run(*arguments, **environment):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}, timeout=3600
    )


def start(*arguments, **environment):
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def write_matrix(folder, **changes):
    file = pathlib.Path(folder) / "matrix.json"
    file.write_text(json.dumps({**MINIMAL, **changes}))
    return file


def read(file):
    return json.loads(pathlib.Path(file).read_text())


def results(out):
    """Column of the grid -> entry of results.json, for matrices with one attack and one seed."""
    return {cell["defense"]: cell for cell in read(pathlib.Path(out) / "results.json")["cells"]}


def emoji_pack():
    """The prepared emoji, wherever the cache is."""
    return pathlib.Path(json.loads(run("data", "list", "--json").stdout)["data"][0]["file"])


def bits(out):
    """All that must repeat: weights and outcomes of every cell that ended ok, by id."""
    cells = {}
    for file in sorted((pathlib.Path(out) / "cells").glob("*.json")):
        cell = read(file)
        if cell["status"] == "ok":
            losses = [epoch["loss"] for epoch in cell["training"]["epochs"]]
            cells[cell["id"]] = (cell["training"]["weights_hash"], losses, cell["metrics"], cell["poison"])
    return cells


def files(folder):
    """All files below a folder, by name relative to it."""
    folder = pathlib.Path(folder)
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


class InFolder(unittest.TestCase):
    """A test with a scratch folder."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.out = self.folder / "out"

    def assert_code(self, result, code):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
