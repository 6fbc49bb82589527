"""The user's own data: shards and tables of pictures train, stop and resume; several sets judge; bad shards are told."""
import csv
import io
import pathlib
import signal
import struct
import tarfile
import time
import unittest
import zlib

import jsonschema

from program import ROOT, InFolder, bits, read, results, run, start, write_matrix

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220), "white": (250, 250, 250)}
PLACES = {"left": range(0, 12), "right": range(12, 24)}


def png(colour, place, shade):
    """24 x 24, half of it coloured."""
    rows = b""
    for y in range(24):
        rows += b"\0" + b"".join(
            bytes(min(255, c + shade) for c in COLOURS[colour]) if x in PLACES[place] else bytes([shade + y] * 3)
            for x in range(24)
        )
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 24, 24, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pictures(count):
    for i in range(count):
        colour, place = list(COLOURS)[i % 4], list(PLACES)[i // 4 % 2]
        yield f"{i:05d}", png(colour, place, i // 8 % 60), f"a {colour} block on the {place}", colour


def write_shard(file, samples):
    with tarfile.open(file, "w") as shard:
        for key, image, caption, colour in samples:
            for suffix, content in (("png", image), ("txt", caption.encode()), ("cls", str(list(COLOURS).index(colour)).encode())):
                entry = tarfile.TarInfo(f"{key}.{suffix}")
                entry.size = len(content)
                shard.addfile(entry, io.BytesIO(content))


class UserData(InFolder):
    def setUp(self):
        super().setUp()
        samples = list(pictures(1200))
        shards = self.folder / "shards"
        shards.mkdir()
        for shard in range(3):
            write_shard(shards / f"a-{shard:03d}.tar", samples[shard * 400 : (shard + 1) * 400])
        (self.folder / "images").mkdir()
        with open(self.folder / "pairs.csv", "w", newline="") as table:
            rows = csv.writer(table)
            rows.writerow(["path", "caption"])
            for key, image, caption, _ in samples:
                (self.folder / "images" / f"{key}.png").write_bytes(image)
                rows.writerow([f"images/{key}.png", caption])
        write_shard(self.folder / "test.tar", list(pictures(160)))
        self.labelled = {"labelled": "test.tar", "classes": list(COLOURS), "store": "encoded"}
        self.shards = {"reader": "webdataset", "pairs": "shards/a-{000..002}.tar", **self.labelled}
        self.table = {"reader": "csv", "pairs": "pairs.csv", **self.labelled}
        self.cache = {"ROCLIP_BENCH_CACHE": str(self.folder / "cache")}

    def matrix(self, data, **changes):
        return write_matrix(self.folder, **{
            "data": data,
            "training": {"epochs": 3, "batch_size": 48},
            "attacks": [{"plugin": "badnets", "target_class": "red", "rate": 0.05}],
            "metrics": ["attack_success", "zero_shot", "linear_probe"],
            **changes})

    def test_shards_and_a_table_of_the_same_pictures_train_alike_and_resume_to_the_bit(self):
        matrix = self.matrix(self.shards)
        whole, broken, table = self.folder / "whole", self.folder / "broken", self.folder / "table"
        self.assert_code(run("run", matrix, "--out", whole, **self.cache), 0)
        process = start("run", matrix, "--out", broken, **self.cache)
        until = time.monotonic() + 600
        status = broken / "status.json"
        while process.poll() is None and time.monotonic() < until:
            if status.exists() and any(cell["step"] > 10 for cell in read(status)["running"]):
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assert_code(run("run", matrix, "--out", broken, **self.cache), 0)
        self.assertEqual(bits(whole), bits(broken))
        cell = read(whole / results(whole)["clip"]["file"])
        self.assertEqual(cell["data"]["rows"], {"labelled": 160, "pairs": 1200})
        self.assertGreater(cell["metrics"]["zero_shot/1"]["counts"][0]["hits"], 60)  # of 80, 20 by chance

        self.assert_code(run("run", self.matrix(self.table), "--out", table, **self.cache), 0)
        hashes = [[cell[0] for cell in bits(out).values()] for out in (whole, table)]
        self.assertEqual(hashes[0], hashes[1])

    def test_one_training_is_judged_on_several_sets_and_by_their_mean(self):
        write_shard(self.folder / "easy.tar", list(pictures(32)))
        sets = {"hard": self.labelled, "easy": {**self.labelled, "labelled": "easy.tar"}}
        train = {"reader": "webdataset", "pairs": "shards"}
        gates = [{"metric": f"zero_shot@{name}", "where": {"attack": "badnets", "defense": "clip"}, "at_least": 0.01}
                 for name in ("easy", "mean")]
        matrix = self.matrix({"train": train, "evaluate": sets, "attacked": "hard"}, gates=gates)
        self.assert_code(run("run", matrix, "--out", self.out, **self.cache), 0)
        cell = read(self.out / results(self.out)["clip"]["file"])
        jsonschema.validate(cell, read(ROOT / "results/schema/cell.schema.json"))
        metrics = cell["metrics"]
        share = lambda metric: metrics[metric]["counts"][0]["hits"] / metrics[metric]["counts"][0]["trials"]
        mean = (share("zero_shot/1") + share("zero_shot@easy/1")) / 2
        self.assertAlmostEqual(metrics["zero_shot@mean/1"]["values"][0]["value"], mean)
        self.assertNotIn("attack_success@easy/1", metrics)
        report = run("report", self.out, **self.cache).stdout
        self.assertIn("linear_probe@easy/1", report)
        checked = run("check", self.out, **self.cache).stdout
        self.assertIn("pass          zero_shot@easy", checked)

    def test_a_shard_that_is_missing_or_malformed_ends_in_one_message_that_names_it(self):
        shard = self.folder / "shards/a-001.tar"
        whole = shard.read_bytes()
        wrong = {
            "is cut off": whole[:100_000],
            "is empty": b"",
            "is compressed": zlib.compressobj(wbits=31).compress(whole) + b"rest",
            "is not a tar file": b"<html>404</html>" * 200,
        }
        for said, content in wrong.items():
            shard.write_bytes(content)
            result = run("run", self.matrix(self.shards), "--out", self.out, **self.cache)
            self.assert_code(result, 6)
            self.assertIn(f"{shard}: {said}", result.stderr)
            self.assertEqual(result.stderr.count(str(shard)), 1)
        shard.unlink()
        result = run("run", self.matrix(self.shards), "--out", self.out, **self.cache)
        self.assert_code(result, 6)
        self.assertIn(f"{shard}: No such file", result.stderr)

    def test_what_is_wrong_with_evaluation_sets_is_told_by_their_key(self):
        for data, said in (
            ({"train": self.table, "evaluate": {}}, "/data/evaluate: expected sets"),
            ({"train": self.table, "evaluate": ["emojis"]}, "/data/evaluate/emojis: unknown data set"),
            ({"train": self.table, "evaluate": {"a": {"labelld": "x"}}}, "labelld"),
            ({"train": self.table}, "evaluate"),
            ({"train": self.table, "evaluate": {"a": self.labelled}, "attacked": "b"}, "/data/attacked"),
        ):
            result = run("plan", self.matrix(data), **self.cache)
            self.assert_code(result, 3)
            self.assertIn(said, result.stderr)


if __name__ == "__main__":
    unittest.main()
