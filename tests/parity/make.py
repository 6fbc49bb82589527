#!/usr/bin/env python3
"""Makes vit.safetensors and resnet.safetensors: small models of open_clip with random weights, a batch, and what
open_clip makes of it: embeddings, loss, gradients. tests/harness/model/parity_test.cpp holds ours against them.

    pip install open-clip-torch==3.3.0
    python3 tests/parity/make.py
"""
from pathlib import Path

import numpy as np
import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP
from safetensors.torch import save_file

TEXT = {"context_length": 9, "vocab_size": 30, "width": 16, "heads": 2, "layers": 2}
MODELS = {
    "vit": {"embed_dim": 12, "quick_gelu": True, "text_cfg": TEXT,
            "vision_cfg": {"image_size": 24, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}},
    "resnet": {"embed_dim": 12, "text_cfg": TEXT,
               "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 4, "head_width": 32}},
}


def tokens(rng: np.random.Generator) -> torch.Tensor:
    """Captions of unequal length, with the start and end tokens that open_clip's have: the last two ids."""
    rows = np.zeros((6, TEXT["context_length"]), dtype=np.int64)
    for row, words in zip(rows, (0, 1, 3, 5, 7, 7)):
        row[0] = TEXT["vocab_size"] - 2
        row[1 : 1 + words] = rng.integers(0, TEXT["vocab_size"] - 2, words)
        row[1 + words] = TEXT["vocab_size"] - 1
    return torch.from_numpy(rows)


def made(config: dict) -> dict:
    torch.manual_seed(1)
    model = CLIP(**config)
    for name, parameter in model.named_parameters():  # what starts at 0 or 1 would hide mistakes
        if parameter.dim() == 1 or name.endswith("bn3.weight"):
            torch.nn.init.normal_(parameter, 1 if name.endswith("weight") else 0, 0.2)
    rng = np.random.default_rng(1)
    side = config["vision_cfg"]["image_size"]
    pixels = torch.from_numpy(rng.random((6, 3, side, side), dtype=np.float32))
    mean, deviation = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    normalised = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)
    text = tokens(rng)
    result = {"pixels": pixels, "tokens": text}
    result |= {f"weights.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    loss = ClipLoss()(*model(normalised, text))
    loss.backward()
    result["loss"] = loss.detach()
    result |= {f"gradients.{name}": parameter.grad for name, parameter in model.named_parameters()}
    model.eval()
    with torch.no_grad():
        result["image"] = model.encode_image(normalised, normalize=True)
        result["text"] = model.encode_text(text, normalize=True)
    result |= {f"trained.{name}": tensor for name, tensor in model.state_dict().items() if "running" in name}
    return {name: tensor.contiguous() for name, tensor in result.items()}


if __name__ == "__main__":
    for name, config in MODELS.items():
        file = Path(__file__).with_name(f"{name}.safetensors")
        save_file(made(config), file)
        print(file, file.stat().st_size)
