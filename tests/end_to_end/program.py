"""Runs the program as a user does."""
import json
import os
import pathlib
import subprocess

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
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}, timeout=800
    )


def write_matrix(folder, **changes):
    file = pathlib.Path(folder) / "matrix.json"
    file.write_text(json.dumps({**MINIMAL, **changes}))
    return file


def read(file):
    return json.loads(pathlib.Path(file).read_text())
