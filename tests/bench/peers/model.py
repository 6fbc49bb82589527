"""The tiny model of roclip-bench in Python, and its data: what both loops of loops.py train.

Same layers, sizes and data as harness/models/tiny.json and the packed emoji, so that a difference in speed is one of the
loops and kernels, not of the work.
"""
import json
import math
import pathlib
import re
import struct

import numpy
import torch
from torch import nn

WIDTHS, BLOCKS, TEXT, EMBEDDING, CONTEXT = (32, 64, 128), (1, 1, 0), 64, 64, 12


def read_pack(path):
    """Images uint8 [N, 3, S, S] and metadata of a packed file (harness/data/pack.cpp)."""
    raw = path.read_bytes()
    size, images, metadata_bytes = struct.unpack_from("<IQQ", raw, 12)
    end = 4096 + images * 3 * size * size
    pixels = torch.from_numpy(numpy.frombuffer(raw, numpy.uint8, end - 4096, 4096).copy()).view(-1, 3, size, size)
    return pixels, json.loads(raw[end : end + metadata_bytes])


def training_pairs(resized: pathlib.Path):
    """Images at the model's resolution and captions; the captions are in the file that it was resized from."""
    pixels, _ = read_pack(resized)
    _, metadata = read_pack(resized.with_name(resized.name.replace("-32px", "")))
    train = metadata["train"]
    return pixels[train["first_image"]:][: len(train["captions"])], train["captions"]


def words(caption):
    return re.findall(r"[a-z0-9]+", caption.lower())


class Vocabulary:
    def __init__(self, captions, min_count=2):
        counts = {}
        for caption in captions:
            for word in words(caption):
                counts[word] = counts.get(word, 0) + 1
        kept = sorted((w for w, n in counts.items() if n >= min_count), key=lambda w: (-counts[w], w))
        self.words, self.ids = kept, {word: 2 + i for i, word in enumerate(kept)}

    def tokens(self, caption):
        return [self.ids.get(word, 1) for word in words(caption)[:CONTEXT]] or [1]

    def tokenize(self, captions):
        rows = torch.zeros(len(captions), CONTEXT, dtype=torch.long)
        for i, caption in enumerate(captions):
            ids = self.tokens(caption)
            rows[i, : len(ids)] = torch.tensor(ids)
        return rows


class Block(nn.Module):
    def __init__(self, cin, cout, kernel, stride, padding, residual=False):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=False)
        self.norm, self.residual = nn.BatchNorm2d(cout), residual

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x)))
        return x + y if self.residual else y


class Layer(nn.Module):
    def __init__(self, width, ratio=2):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x, mask):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        weights = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + mask).softmax(-1)
        x = x + self.out(weights @ v)
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Clip(nn.Module):
    def __init__(self, vocabulary_size):
        super().__init__()
        layers = [Block(3, WIDTHS[0], 8, 4, 2)]
        for stage, width in enumerate(WIDTHS):
            if stage:
                layers.append(Block(WIDTHS[stage - 1], width, 3, 2, 1))
            layers += [Block(width, width, 3, 1, 1, residual=True) for _ in range(BLOCKS[stage])]
        self.image = nn.Sequential(*layers)
        self.words = nn.Embedding(vocabulary_size, TEXT)
        self.positions = nn.Parameter(torch.randn(CONTEXT, TEXT) * 0.01)
        self.layer, self.norm = Layer(TEXT), nn.LayerNorm(TEXT)
        self.image_projection = nn.Linear(WIDTHS[-1], EMBEDDING, bias=False)
        self.text_projection = nn.Linear(TEXT, EMBEDDING, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, pixels):
        return nn.functional.normalize(self.image_projection(self.image((pixels - 0.5) / 0.28).mean((2, 3))), dim=1)

    def encode_text(self, tokens):
        there = (tokens != 0).unsqueeze(-1)
        mask = torch.zeros(tokens.shape).masked_fill_(tokens == 0, -math.inf).unsqueeze(1)
        x = self.norm(self.layer(self.words(tokens) + self.positions[: tokens.shape[1]], mask)) * there
        return nn.functional.normalize(self.text_projection(x.sum(1) / there.sum(1)), dim=1)


def clip_loss(z_img, z_txt, scale):
    logits = scale * z_img @ z_txt.t()
    own = torch.arange(len(logits))
    return (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.t(), own)) / 2
