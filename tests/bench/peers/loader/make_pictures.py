#!/usr/bin/env python3
"""Draws photo-like JPEGs with captions, as webdataset shards of 2,000 pairs, or with --csv as files and a list of them.

    make_pictures.py OUT [--count 200000] [--px 256] [--seed 1] [--csv]

OUT/shards/00000.tar, ...: N.jpg and N.txt of each pair. With --csv instead: OUT/csv/00000/N.jpg, ... in folders of 1,000,
and OUT/csv/pairs.csv. The pictures and captions are the same in both. A shard depends on the seed and its number only.
"""
import argparse
import csv
import io
import math
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image, ImageDraw, ImageFilter

SHARD, SCENES, FOLDER = 2000, 20, 1000  # pairs a shard, scenes drawn for them, files a folder

SIZES = "small large worn new bright dark quiet busy narrow wide young tall".split()
COLOURS = "red green blue white black yellow brown grey orange purple".split()
THINGS = "boat house dog cat car tree bridge horse bicycle bird train woman man child chair kite tower flower".split()
VERBS = "standing resting waiting moving lying left".split()
PLACES = "street field beach garden river market forest room harbour hill station park".split()
NEAR = "near beside behind above by in".split()


def caption(rng):
    """Eight to ten words."""
    words = ["a"] + [str(rng.choice(each)) for each in (SIZES, COLOURS, THINGS, VERBS, NEAR)] + ["the"]
    if rng.random() < 0.6:
        words.append(str(rng.choice(SIZES)))
    if rng.random() < 0.4:
        words = ["photo", "of"] + words[:2] + words[3:]
    return " ".join(words + [str(rng.choice(PLACES))])


def texture(rng, side):
    """Smooth noise of all scales around a colour, the finer the fainter: float [side, side, 3]."""
    fading, strength = rng.uniform(0.05, 0.5), rng.uniform(20, 60)
    grey, colour = np.zeros((side, side), np.float32), np.zeros((side, side, 3), np.float32)
    cells = 2
    while cells < side:
        def layer():
            grid = Image.fromarray(rng.standard_normal((cells, cells), np.float32))
            return np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC)) * cells**-fading
        grey += layer()
        if cells <= 16:
            for channel in range(3):
                colour[:, :, channel] += 0.2 * layer()
        cells *= 2
    return rng.uniform(60, 190) + rng.uniform(-30, 30, 3) + strength * (grey[:, :, None] + colour)


def outline(rng, side):
    """An ellipse or a polygon with three to seven corners."""
    x, y = rng.uniform(0, 2 * side, 2)
    radius = side * rng.uniform(0.1, 0.7)
    mask = Image.new("L", (2 * side, 2 * side))
    draw = ImageDraw.Draw(mask)
    if rng.random() < 0.5:
        width, height = radius * rng.uniform(0.4, 1, 2)
        draw.ellipse((x - width, y - height, x + width, y + height), fill=255)
    else:
        angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(3, 8)))
        draw.polygon([(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles], fill=255)
    return mask.reduce(2)


def scene(rng, side):
    """Shapes in front of each other, each with its own colour and a texture of three; some have soft edges."""
    textures = [Image.fromarray(texture(rng, side).clip(0, 255).astype(np.uint8)) for _ in range(3)]
    picture = textures[0].filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))
    for _ in range(rng.integers(6, 15)):
        mask = outline(rng, side)
        if rng.random() < 0.3:
            mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(1, 6)))
        picture.paste(shifted(rng, textures[rng.integers(3)], 60), mask=mask)
    return picture


def shifted(rng, picture, by):
    """Its brightness, contrast and colours changed a little."""
    values = np.arange(256)
    contrast, light, tint = rng.uniform(0.8, 1.2), rng.uniform(-by, by), rng.uniform(-by / 3, by / 3, 3)
    table = [((values - 128) * contrast + 128 + light + tint[channel]).clip(0, 255) for channel in range(3)]
    return picture.point(np.concatenate(table).astype(np.uint8).tolist())


def jpeg(rng, scene, px):
    """A part of a scene, from 3:4 to 4:3, perhaps mirrored."""
    aspect = math.exp(rng.uniform(-1, 1) * math.log(4 / 3))
    width, height = round(px * max(1, aspect)), round(px * max(1, 1 / aspect))
    left, top = rng.integers(scene.width - width + 1), rng.integers(scene.height - height + 1)
    picture = scene.crop((left, top, left + width, top + height))
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    data = io.BytesIO()
    shifted(rng, picture, 25).save(data, "JPEG", quality=90)
    return data.getvalue()


def pairs(seed, shard, px):
    rng = np.random.default_rng([seed, shard])
    scenes = [scene(rng, px * 5 // 3) for _ in range(SCENES)]
    for _ in range(SHARD):
        yield jpeg(rng, scenes[rng.integers(SCENES)], px), caption(rng)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--px", type=int, default=256, help="the shorter side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv", action="store_true")
    options = parser.parse_args()

    folder = options.out / ("csv" if options.csv else "shards")
    folder.mkdir(parents=True)  # refuses to mix two sets
    if options.csv:
        table = csv.writer((folder / "pairs.csv").open("w", newline=""), lineterminator="\n")
        table.writerow(["caption", "path"])
    for start in range(0, options.count, SHARD):
        numbered = zip(range(start, options.count), pairs(options.seed, start // SHARD, options.px))
        if options.csv:
            for i, (picture, text) in numbered:
                path = Path(f"{i // FOLDER:05}/{i:08}.jpg")
                (folder / path.parent).mkdir(exist_ok=True)
                (folder / path).write_bytes(picture)
                table.writerow([text, path])
        else:
            with webdataset.TarWriter(str(folder / f"{start // SHARD:05}.tar"), mtime=0) as tar:
                for i, (picture, text) in numbered:
                    tar.write({"__key__": f"{i:08}", "jpg": picture, "txt": text})


main()
