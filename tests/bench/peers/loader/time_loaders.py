#!/usr/bin/env python3
"""How many pairs a second loaders in Python bring from webdataset shards into batches of 64, in one thread of one process:
pictures as uint8 [64, 3, px, px], shorter side resized (bicubic, antialiased), middle square kept; captions as text.

    time_loaders.py SHARDS [--pairs 20000] [--px 32 64 224]

SHARDS is a folder of .tar files. Prints one JSON object.
"""
import os

os.environ["OMP_NUM_THREADS"] = "1"  # read by what is imported below

import argparse
import io
import itertools
import json
import platform
import sys
import time
from pathlib import Path

import PIL.Image
import torch
import torchvision
import webdataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

BATCH = 64


def square(picture, px):
    """Of a PIL image or a tensor: torchvision resizes and crops both."""
    picture = functional.resize(picture, [px], InterpolationMode.BICUBIC, antialias=True)
    return functional.center_crop(picture, [px, px])


def by_pil(pairs, px):
    """As webdataset's documentation has it."""
    return pairs.decode("pil").to_tuple("jpg", "txt").map_tuple(lambda picture: functional.pil_to_tensor(square(picture, px)))


def by_torchvision(pairs, px):
    def decode(data):
        data = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return square(torchvision.io.decode_jpeg(data, torchvision.io.ImageReadMode.RGB), px)
    return pairs.to_tuple("jpg", "txt").map_tuple(decode, bytes.decode)


def by_pil_scaled(pairs, px):
    """The JPEG is decoded at 1/2, 1/4 or 1/8, whichever is the smallest that has both sides >= 2 px."""
    def decode(data):
        picture = PIL.Image.open(io.BytesIO(data))
        picture.draft("RGB", (2 * px, 2 * px))
        return functional.pil_to_tensor(square(picture.convert("RGB"), px))
    return pairs.to_tuple("jpg", "txt").map_tuple(decode, bytes.decode)


def by_pil_scaled_then_torch(pairs, px):
    """The same, resized by torch, which is quicker at it: the strongest of these at small sizes."""
    def decode(data):
        picture = PIL.Image.open(io.BytesIO(data))
        picture.draft("RGB", (2 * px, 2 * px))
        return square(functional.pil_to_tensor(picture.convert("RGB")), px)
    return pairs.to_tuple("jpg", "txt").map_tuple(decode, bytes.decode)


WAYS = {
    "webdataset, PIL": by_pil,
    "webdataset, PIL at a smaller scale": by_pil_scaled,
    "webdataset, PIL at a smaller scale, torch": by_pil_scaled_then_torch,
    "webdataset, torchvision": by_torchvision,
}


def batch_of(pairs):
    pictures, captions = zip(*pairs)
    return torch.stack(pictures).contiguous(), captions


def measure(shards, way, px, batches):
    loader = way(webdataset.WebDataset(shards, shardshuffle=False), px).batched(BATCH, batch_of)
    wall, cpu = time.perf_counter(), time.process_time()
    for pictures, captions in itertools.islice(loader, batches):
        if pictures.shape != (BATCH, 3, px, px) or pictures.dtype != torch.uint8 or not isinstance(captions[0], str):
            sys.exit("not a whole batch: fewer pairs than asked for?")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"pairs_per_cpu_s": round(batches * BATCH / cpu, 1), "pairs_per_wall_s": round(batches * BATCH / wall, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, metavar="SHARDS")
    parser.add_argument("--pairs", type=int, default=20_000, help="in whole batches")
    parser.add_argument("--px", type=int, nargs="+", default=[32, 64, 224])
    options = parser.parse_args()
    torch.set_num_threads(1)
    shards = sorted(str(file) for file in options.shards.glob("*.tar"))
    batches = options.pairs // BATCH
    measure(shards, by_pil_scaled, min(options.px), batches)  # not counted: the shards are in memory from now on
    found = {}
    for px in options.px:
        found[str(px)] = {}
        for name, way in WAYS.items():
            print(f"{px} px: {name}", file=sys.stderr)
            measure(shards, way, px, 4)  # not counted: first calls
            found[str(px)][name] = measure(shards, way, px, batches)
    print(json.dumps({
        "pairs": batches * BATCH,
        "batch": BATCH,
        "px": found,
        "versions": {
            "python": platform.python_version(),
            "webdataset": webdataset.__version__,
            "Pillow": PIL.__version__,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
    }, indent=2))


main()
