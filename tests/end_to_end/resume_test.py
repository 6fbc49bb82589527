"""Nothing is lost: killed at any moment and run again, a study ends with the bits of one that nobody disturbed."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from program import PROGRAM, ROOT, InFolder, bits, emoji_pack, files, read, run, start, write_matrix

KILLS = int(os.environ.get("ROCLIP_TEST_KILLS", "12"))
# emoji-attacks, shortened: shared stages, stages of their own, triggers in images and text.
STUDY = {
    **{key: value for key, value in read(ROOT / "results/emoji-attacks/matrix.json").items() if key != "$schema"},
    "seeds": [1],
    "training": {"epochs": 2, "batch_size": 256},
    "metrics": ["attack_success", "zero_shot", "poison_detection"],
    "checkpoint": {"every_s": 0.3},
}


def children(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has just ended
        return []


def picture_study(folder, caption, **changes):
    """The matrix file of a study of 24 pictures of eight pixels, which trains in a moment."""
    for name in ("red", "green", "blue"):
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
    pairs = ["path,caption"]
    for i in range(24):
        name = ("red", "green", "blue")[i % 3]
        image = f"images/{name}/{i}.ppm"
        (folder / image).write_bytes(b"P6 8 8 255\n" + bytes([i, 9 * i % 256, 77]) * 64)
        pairs.append(f"{image},{caption} {name}")
    (folder / "pairs.csv").write_text("\n".join(pairs) + "\n")
    train = {"reader": "csv", "pairs": "pairs.csv", "image_px": 16}
    data = {"train": train, "evaluate": {"hues": {"labelled": "images"}}}
    return write_matrix(folder, data=data, training={"epochs": 1, "batch_size": 8}, **changes)


class Resume(InFolder):
    @classmethod
    def setUpClass(cls):
        """The study that nobody disturbs, once for all tests."""
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.undisturbed = pathlib.Path(scratch.name) / "out"
        result = run("run", write_matrix(scratch.name, **STUDY), "--out", cls.undisturbed)
        assert result.returncode == 0, result.stdout + result.stderr

    def finish(self, matrix, out):
        result = run("run", matrix, "--out", out)
        self.assert_code(result, 0)
        return result

    def test_random_kills_of_supervisor_and_workers_change_no_bit_and_leave_no_file(self):
        matrix = write_matrix(self.folder, **STUDY)
        rng = random.Random(20231210)
        kills = 0
        while kills < KILLS:
            process = start("run", matrix, "--out", self.out)
            try:
                process.wait(timeout=rng.uniform(0.05, 3.5))
                self.assertIn(process.returncode, (0, 10), process.stderr.read())
                if process.returncode == 0:
                    # Done before enough kills: lose a result, as if its disk had.
                    next(iter(sorted((self.out / "cells").glob("*.json")))).unlink()
            except subprocess.TimeoutExpired:
                kills += 1
                victims = children(process.pid)
                if victims and rng.random() < 0.5:
                    os.kill(rng.choice(victims), signal.SIGKILL)  # a worker; the run goes on
                    time.sleep(rng.uniform(0, 0.5))
                process.kill()
                process.wait()
            process.stdout.close(), process.stderr.close()
        self.finish(matrix, self.out)
        self.assertEqual(bits(self.out), bits(self.undisturbed))
        self.assertEqual(len(bits(self.out)), 20)
        self.assertEqual(files(self.out), files(self.undisturbed))

    def test_a_killed_cell_goes_on_from_its_checkpoint(self):
        matrix = write_matrix(self.folder, training={"epochs": 6, "batch_size": 256}, checkpoint={"every_epochs": 1, "every_s": 0})
        process = start("run", matrix)
        for _ in range(600):
            if len(list(self.out.glob("checkpoints/*/*.ckpt"))) == 2:
                break
            time.sleep(0.05)
        process.kill()
        process.communicate()
        self.finish(matrix, self.out)
        cell = read(next((self.out / "cells").glob("*.json")))
        self.assertEqual(cell["training"]["resumed"], 1)
        self.assertFalse((self.out / "checkpoints").exists())

    def test_another_build_of_the_sdk_continues_no_checkpoint_and_keeps_results_and_says_both(self):
        program = self.folder / "bin" / "roclip-bench"
        for part in ("bin", "lib", "share"):
            shutil.copytree(pathlib.Path(PROGRAM).parents[1] / part, self.folder / part)

        def build_anew():
            with open(self.folder / "lib" / "libroclip_sdk.so", "ab") as file:
                file.write(b"x")

        def again():
            result = subprocess.run([program, "run", matrix], capture_output=True, text=True)
            self.assert_code(result, 0)
            return result.stderr

        matrix = write_matrix(self.folder, training={"epochs": 6, "batch_size": 256}, checkpoint={"every_epochs": 1, "every_s": 0})
        process = subprocess.Popen([program, "run", matrix], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1200):
            if list(self.out.glob("checkpoints/*/*.ckpt")):
                break
            time.sleep(0.05)
        process.kill()
        process.wait()
        build_anew()
        self.assertIn("checkpoints of 1 training are of other settings, other data or another build", again())
        cell = read(next((self.out / "cells").glob("*.json")))
        self.assertEqual(cell["training"]["resumed"], 0)
        self.assertLessEqual({"roclip-bench", "roclip-bench-engine", "libroclip_sdk", "LibTorch"}, set(cell["code"]))
        build_anew()
        self.assertIn("1 result kept from another build of libroclip_sdk; ", again())
        planned = subprocess.run([program, "plan", matrix], capture_output=True, text=True).stdout
        self.assertIn("1 result kept from another build of libroclip_sdk; ", planned)

    def test_a_study_of_other_data_or_settings_trains_anew_beside_the_old_results(self):
        def cells(out):
            return {file.name: file.read_bytes() for file in (out / "cells").glob("*.json")}

        first, second = self.folder / "first", self.folder / "second"
        self.finish(picture_study(first, "a drawing of"), first / "out")
        self.finish(picture_study(second, "a drawing of"), second / "out")
        old = cells(first / "out")
        self.assertEqual(set(old), set(cells(second / "out")), "the folder of a study is no part of an id")
        told = self.finish(picture_study(first, "a photograph of"), first / "out").stderr
        self.assertIn("1 stored result in ", told)
        self.assertIn("belong to no cell of this matrix file", told)
        both = cells(first / "out")
        self.assertEqual(len(both), 2)
        self.assertEqual({name: both[name] for name in old}, old)

    def test_results_of_other_data_and_damaged_ones_are_replaced_and_run_and_plan_say_why(self):
        matrix = picture_study(self.folder, "a drawing of", defenses=["clip", "roclip"])
        self.finish(matrix, self.out)
        before = bits(self.out)
        damaged, other = sorted((self.out / "cells").glob("*.json"))
        damaged.write_text("{")
        cell = read(other)
        cell["data_hash"] = cell["data"]["evaluate"]["hues"]["hash"] = "0" * 32
        other.write_text(json.dumps(cell))
        for told in (run("plan", matrix).stdout, self.finish(matrix, self.out).stderr):
            self.assertIn("1 stored result will be replaced: damaged\n", told)
            self.assertIn("1 stored result will be replaced: measured on other data (hues changed since); to keep", told)
        self.assertEqual(bits(self.out), before)
        self.assertNotIn("replaced", self.finish(matrix, self.out).stderr)

    def interrupted(self, *numbers):
        """A run that gets these signals while it trains: the process and what it said."""
        matrix = write_matrix(self.folder, training={"epochs": 200, "batch_size": 256})
        process = start("run", matrix)
        for _ in range(600):
            if (self.out / "status.json").exists() and read(self.out / "status.json")["running"]:
                if read(self.out / "status.json")["running"][0]["step"] > 0:
                    break
            time.sleep(0.05)
        for number in numbers:
            process.send_signal(number)
        _, told = process.communicate(timeout=60)
        return process.returncode, told, matrix

    def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(self):
        code, told, matrix = self.interrupted(signal.SIGINT)
        self.assertEqual(code, 130, told)
        self.assertIn("0 of 1 cells done; checkpoints are kept, to continue:", told)
        self.assertIn(f"run {matrix}", told)
        self.assertEqual(len(list(self.out.glob("checkpoints/*/*.ckpt"))), 1)
        self.assertEqual(read(self.out / "status.json")["phase"], "interrupted")
        self.assertEqual(read(self.out / "results.json")["cells"][0]["status"], "missing")
        self.assertEqual([file for file in files(self.out) if ".tmp" in file], [])

    def test_sigterm_does_the_same_with_its_own_code(self):
        code, told, _ = self.interrupted(signal.SIGTERM)
        self.assertEqual(code, 143, told)
        self.assertEqual(len(list(self.out.glob("checkpoints/*/*.ckpt"))), 1)

    def test_ctrl_c_twice_stops_at_once_and_corrupts_nothing(self):
        begin = time.monotonic()
        code, told, matrix = self.interrupted(signal.SIGINT, signal.SIGINT)
        self.assertEqual(code, 130, told)
        self.assertIn("status.json", files(self.out))
        result = run("status", self.out)
        self.assertIn("interrupted", result.stdout)

    def test_deleting_the_cache_in_the_middle_of_a_run_harms_nobody(self):
        matrix = write_matrix(self.folder, **STUDY)
        own = self.folder / "cache"
        own.mkdir()
        whole = emoji_pack()
        for pack in whole.parent.glob(f"{whole.stem}*.pack"):
            shutil.copy(pack, own)
        keep = self.folder / "keep"
        shutil.copytree(own, keep)
        process = start("run", matrix, ROCLIP_BENCH_CACHE=str(own))
        while process.poll() is None and not list(self.out.glob("cells/*.json")):
            time.sleep(0.05)
        # Away in one step: rmtree trips over a file that comes or goes.
        own.rename(self.folder / "deleted")
        own.mkdir(exist_ok=True)
        for pack in keep.glob("*.pack"):  # what preparing them again would give, without the time: whole at once
            pack.replace(own / pack.name)
        _, told = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, told)
        self.assertEqual(bits(self.out), bits(self.undisturbed))


if __name__ == "__main__":
    unittest.main(verbosity=2)
