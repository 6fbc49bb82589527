"""The rooms of the harness: a room includes those below it, never those above, and no implementation of a plugin."""
import pathlib
import re
import unittest

HARNESS = pathlib.Path(__file__).resolve().parents[2] / "harness"
# From the bottom up. The program without LibTorch, and the engine with it, stand on the same two rooms.
PROGRAM = ["record", "study", "report", "run", "app"]
ENGINE = ["record", "study", "data", "model", "train", "poison", "conformance", "engine"]


def includes(room):
    for file in sorted((HARNESS / room).rglob("*")):
        if file.suffix in (".h", ".cpp"):
            for name in re.findall(r'#include "(harness/[^"]+|attacks/[^"]+|defenses/[^"]+|metrics/[^"]+)"', file.read_text()):
                yield file.relative_to(HARNESS), name


class Rooms(unittest.TestCase):
    def test_every_folder_with_sources_is_a_room(self):
        rooms = {file.parent.relative_to(HARNESS).parts[0] for file in HARNESS.rglob("*.cpp")}
        self.assertEqual(rooms, set(PROGRAM) | set(ENGINE))

    def test_rooms_include_only_what_is_below_them(self):
        for rooms in (PROGRAM, ENGINE):
            for place, room in enumerate(rooms):
                for file, name in includes(room):
                    with self.subTest(file=str(file)):
                        allowed = [f"harness/{below}/" for below in rooms[: place + 1]]
                        self.assertTrue(name.startswith(tuple(allowed)), f"{file} includes {name}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
