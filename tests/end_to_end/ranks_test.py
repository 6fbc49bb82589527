"""One cell in several processes: as in one, started by `run --ranks` or as torchrun does."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import time
import unittest

from program import InFolder, bits, read, results, run, start, write_matrix

# So that rounding does not grow: Adam's usual epsilon makes whole steps of gradients that are nothing else.
CALM = {"epochs": 2, "batch_size": 1024, "learning_rate": 1e-5, "epsilon": 1e-3}
LONG = {"epochs": 12, "batch_size": 512}


def processes_of(parent):
    """The workers of a run, in the order of their start, which is that of ranks."""
    with open(f"/proc/{parent}/task/{parent}/children") as children:
        return [int(pid) for pid in children.read().split()]


def weights(out):
    """Name of the cell's defense -> name of the tensor -> its numbers."""
    cells = {}
    for file in sorted((out / "weights").glob("*.safetensors")):
        content = file.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        tensors = {name: of for name, of in header.items() if name != "__metadata__" and of["dtype"] == "F32"}
        cells[file.stem.split("-")[1]] = {
            name: struct.unpack(f"<{(end - begin) // 4}f", content[8 + length + begin : 8 + length + end])
            for name, (begin, end) in ((name, of["data_offsets"]) for name, of in tensors.items())
        }
    return cells


def place_among(size):
    """Torchrun's variables, but for RANK."""
    with socket.create_server(("127.0.0.1", 0)) as port:
        return {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port.getsockname()[1])}


def only_cell(out):
    (file,) = (out / "cells").glob("*.json")
    return read(file)


class Ranks(InFolder):
    def until(self, what, holds, limit_s=120):
        end = time.time() + limit_s
        while not holds():
            self.assertLess(time.time(), end, what)
            time.sleep(0.05)

    def started(self, *arguments, **environment):
        """A run, once it has written a checkpoint, and its workers."""
        process = start("run", *arguments, **environment)
        self.until("a checkpoint", lambda: list(self.out.glob("checkpoints/*/*.ckpt")) or process.poll() is not None)
        self.assertIsNone(process.poll(), process.communicate() if process.poll() is not None else "")
        return process, processes_of(process.pid)

    def as_torchrun(self, size, *arguments, options=()):
        """A run of each rank. @param options before `run`"""
        place = place_among(size)
        return [start(*options, "run", *arguments, RANK=str(rank), **place) for rank in range(size)]

    def test_ranks_train_what_one_process_trains(self):
        defenses = ["clip", {"plugin": "roclip", "match_every": 2}]
        matrix = write_matrix(self.folder, training=CALM, defenses=defenses)
        outs = {size: self.folder / f"of-{size}" for size in (1, 2, 4)}
        for size, out in outs.items():
            self.assert_code(run("run", matrix, "--out", out, "--jobs", 1, "--ranks", size, "--keep-weights"), 0)
        alone = weights(outs[1])
        self.assertEqual(len(alone), 2)
        for size in (2, 4):
            for of_one, of_ranks in zip(bits(outs[1]).values(), bits(outs[size]).values()):
                for loss, other in zip(of_one[1], of_ranks[1]):
                    self.assertAlmostEqual(loss, other, delta=1e-5)
            for defense, tensors in weights(outs[size]).items():
                for name, numbers in tensors.items():
                    if name.endswith("in_proj_bias"):
                        continue  # that of the keys has no gradient but rounding
                    # A batch norm adds up 262,144 numbers of a channel, in f32.
                    most = 1e-4 if "running" in name else 1e-5
                    for number, other in zip(alone[defense][name], numbers):
                        self.assertAlmostEqual(number, other, delta=most * max(1, abs(number)), msg=f"{defense} {name}")
            for file in (outs[size] / "cells").glob("*.json"):
                self.assertEqual(read(file)["environment"]["ranks"], size)

    def test_ranks_give_the_same_bits_twice_however_they_are_started_and_replay_gives_them_again(self):
        matrix = write_matrix(self.folder, defenses=["clip", {"plugin": "roclip", "match_every": 1}])
        self.assert_code(run("run", matrix, "--ranks", 2), 0)
        by_hand = self.folder / "by-hand"
        first, second = self.as_torchrun(2, matrix, "--out", by_hand)
        output, told = first.communicate(timeout=600), second.communicate(timeout=60)
        self.assertEqual((first.returncode, second.returncode), (0, 0), output + told)
        self.assertEqual(bits(self.out), bits(by_hand))
        self.assertEqual(len(bits(by_hand)), 2)
        again = run("replay", "none-roclip", "--out", self.out)
        self.assert_code(again, 0)

    def test_a_cell_that_fails_on_all_ranks_does_not_stop_the_others(self):
        matrix = write_matrix(self.folder, defenses=["diverges", "clip"])
        by_hand = self.folder / "by-hand"
        rogues = ("--plugin-path", os.environ["ROCLIP_ROGUES"])
        runs = self.as_torchrun(2, matrix, "--out", by_hand, options=rogues)
        told = [of.communicate(timeout=600) for of in runs]
        self.assertEqual([of.returncode for of in runs], [10, 0], told)
        self.assert_code(run(*rogues, "run", matrix, "--ranks", 2), 10)
        for out in (self.out, by_hand):
            cells = results(out)
            self.assertEqual(cells["clip"]["status"], "ok")
            self.assertEqual(cells["diverges"]["status"], "diverged")
            self.assertTrue(cells["diverges"]["reason"].startswith("loss is"), cells["diverges"]["reason"])

    def test_a_killed_rank_is_named_and_the_cell_goes_on_later(self):
        matrix = write_matrix(self.folder, training=LONG, checkpoint={"every_epochs": 1})
        undisturbed = self.folder / "undisturbed"
        self.assert_code(run("run", matrix, "--out", undisturbed, "--ranks", 2), 0)
        for victim in (0, 1):
            shutil.rmtree(self.out, ignore_errors=True)
            process, workers = self.started(matrix, "--ranks", 2)
            self.assertEqual(len(workers), 2)
            begin = time.time()
            os.kill(workers[victim], signal.SIGKILL)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 10)
            self.assertLess(time.time() - begin, 30)
            cell = only_cell(self.out)
            self.assertEqual(cell["status"], "crashed")
            who = "rank 1" if victim == 1 else "the worker"
            self.assertIn(f"{who} ended by signal 9 (Killed)", cell["reason"])
            for pid in workers:
                self.assertFalse(os.path.exists(f"/proc/{pid}"))
        lonely = run("run", matrix, **place_among(2), RANK="0", ROCLIP_BENCH_PATIENCE_S="2")
        self.assert_code(lonely, 10)
        self.assertIn("rank 1 has ended or does not answer", only_cell(self.out)["reason"])
        refused = run("run", matrix)  # in one process
        self.assert_code(refused, 10)
        self.assertIn("the checkpoint is of 2 ranks, not of 1; go on with --ranks 2", refused.stdout)
        self.assert_code(run("run", matrix, "--ranks", 2), 0)
        self.assertEqual(only_cell(self.out)["training"]["resumed"], 1)
        self.assertEqual(bits(self.out), bits(undisturbed))

    def test_ranks_stop_together_when_any_is_asked_to_and_go_on_to_the_same_bits(self):
        matrix = write_matrix(self.folder, training=LONG)
        undisturbed = self.folder / "undisturbed"
        self.assert_code(run("run", matrix, "--out", undisturbed, "--ranks", 2), 0)
        for asked in (0, 1):
            runs = self.as_torchrun(2, matrix)
            self.until("training", lambda: re.search('"step": [1-9]', (self.out / "status.json").read_text())
                       if (self.out / "status.json").exists() else False)
            runs[asked].send_signal(signal.SIGTERM)
            told = [of.communicate(timeout=60) for of in runs]
            self.assertEqual(runs[0].returncode, 143, told)
            self.assertEqual(runs[1].returncode, 143 if asked == 1 else 0, told)
            self.assertTrue(list(self.out.glob("checkpoints/*/*.ckpt")))
        self.assert_code(run("run", matrix, "--ranks", 2), 0)
        self.assertEqual(bits(self.out), bits(undisturbed))


if __name__ == "__main__":
    unittest.main()
