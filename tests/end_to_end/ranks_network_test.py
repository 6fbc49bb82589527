"""Two ranks on two machines, as network namespaces play them, and a cable that is pulled: tests/platforms/ranks runs
this. Needs root rights."""
import os
import subprocess
import time
import unittest

from program import InFolder, PROGRAM, bits, read, run, write_matrix

ADDRESSES = ("10.77.0.1", "10.77.0.2")
PATIENCE_S = 10


def command(*words):
    subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True)


class RanksNetwork(InFolder):
    def setUp(self):
        super().setUp()
        self.spaces = [f"ranks-{os.getpid()}-{rank}" for rank in range(2)]
        ends = [f"rk{os.getpid()}.{rank}" for rank in range(2)]
        for space in self.spaces:
            command("ip", "netns", "add", space)
            self.addCleanup(command, "ip", "netns", "delete", space)
        command("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for space, end, address in zip(self.spaces, ends, ADDRESSES):
            command("ip", "link", "set", end, "netns", space)
            command("ip", "-n", space, "link", "set", end, "name", "cable")
            command("ip", "-n", space, "address", "add", f"{address}/24", "dev", "cable")
            command("ip", "-n", space, "link", "set", "lo", "up")
        self.cable("up")

    def cable(self, state):
        for space in self.spaces:
            command("ip", "-n", space, "link", "set", "cable", state)

    def started(self, *arguments):
        place = {"WORLD_SIZE": "2", "MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": "29500",
                 "ROCLIP_BENCH_PATIENCE_S": str(PATIENCE_S)}
        return [
            subprocess.Popen(["ip", "netns", "exec", space, PROGRAM, "run", *map(str, arguments)], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={**os.environ, **place, "RANK": str(rank)})
            for rank, space in enumerate(self.spaces)
        ]

    def test_a_cut_link_ends_all_ranks_by_name_and_the_cell_goes_on_when_it_is_mended(self):
        matrix = write_matrix(self.folder, training={"epochs": 40, "batch_size": 512}, checkpoint={"every_epochs": 1})
        undisturbed = self.folder / "undisturbed"
        self.assertEqual(run("run", matrix, "--out", undisturbed, "--ranks", 2).returncode, 0)
        runs = self.started(matrix)
        while not list(self.out.glob("checkpoints/*/*.ckpt")):
            self.assertIsNone(runs[0].poll())
            time.sleep(0.1)
        self.cable("down")
        begin = time.time()
        told = [of.communicate(timeout=180)[0] for of in runs]
        took_s = time.time() - begin
        print(f"both ranks ended {took_s:.0f} s after the cut")
        self.assertEqual([of.returncode for of in runs], [10, 1], told)
        (file,) = (self.out / "cells").glob("*.json")
        cell = read(file)
        self.assertEqual(cell["status"], "crashed")
        self.assertTrue(cell["reason"].startswith("rank 1 has ended or does not answer"), cell["reason"])
        self.assertIn("rank 0 has ended or does not answer", told[1])
        self.assertLess(took_s, 10 * PATIENCE_S)
        self.cable("up")
        runs = self.started(matrix)
        told = [of.communicate(timeout=600)[0] for of in runs]
        self.assertEqual([of.returncode for of in runs], [0, 0], told)
        self.assertEqual(read(file)["training"]["resumed"], 1)
        self.assertEqual(bits(self.out), bits(undisturbed))


if __name__ == "__main__":
    unittest.main()
