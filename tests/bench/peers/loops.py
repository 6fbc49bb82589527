"""Two training loops in Python, one thread each: `Tuned`, as fast as this LibTorch lets a careful author be, and
`AuthorsStyle`, built the way the published RoCLIP code is: images augmented one by one through PIL, captions padded to
full length, and a memory bank that is copied and normalised anew at each of two searches a step. Our own writing.
"""
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from model import Clip, Vocabulary, clip_loss

BATCH = 64


class Loop:
    def __init__(self, images, captions):
        torch.manual_seed(1)
        self.images, self.captions = images, captions
        self.vocabulary = Vocabulary(captions)
        self.model = Clip(2 + len(self.vocabulary.words))
        self.model.train()

    def update(self, loss):
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.model.log_scale.clamp_(0, 4.605)


class Tuned(Loop):
    """Plain CLIP, no augmentation: captions tokenised once, channels last, the batch's longest caption, foreach AdamW.

    Newer versions of torch can do more: `fused` AdamW, `compiled` forward and backward, `bf16` autocast."""

    def __init__(self, images, captions, fused=False, compiled=False, bf16=False):
        super().__init__(images, captions)
        self.compiled, self.bf16 = compiled, bf16
        self.loss = torch.compile(self.plain_loss) if compiled else self.plain_loss
        self.tokens = self.vocabulary.tokenize(captions)
        self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.1, **({"fused": True} if fused else {"foreach": True}))
        self.order, self.place = torch.randperm(len(captions)), 0

    def step(self):
        if self.place + BATCH > len(self.order):
            self.order, self.place = torch.randperm(len(self.order)), 0
        index = self.order[self.place : self.place + BATCH]
        self.place += BATCH
        pixels = self.images[index].float().div_(255).contiguous(memory_format=torch.channels_last)
        tokens = self.tokens[index]
        if not self.compiled:  # which would compile once for each length
            tokens = tokens[:, : int((tokens != 0).sum(1).max())]
        self.optimizer.zero_grad(set_to_none=True)
        self.update(self.loss(pixels, tokens))

    def plain_loss(self, pixels, tokens):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            z_img, z_txt = self.model.encode_image(pixels), self.model.encode_text(tokens)
        return clip_loss(z_img.float(), z_txt.float(), self.model.log_scale.exp())


class Pairs(Dataset):
    def __init__(self, images, tokens):
        import torchvision.transforms as transforms  # which the newest torch may not have beside it

        self.images, self.tokens = images, tokens
        jitter = transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8)
        self.augment = transforms.Compose([
            transforms.RandomResizedCrop(images.shape[-1], scale=(0.5, 1)),
            jitter,
            transforms.RandomGrayscale(p=0.1),
            transforms.RandomApply([transforms.GaussianBlur(5)], p=0.5),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
        ])
        self.to_pil = transforms.ToPILImage()

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, index):
        return self.augment(self.to_pil(self.images[index])), self.tokens[index]


class AuthorsStyle(Loop):
    """RoCLIP in a matching epoch, pool of 2 %."""

    def __init__(self, images, captions):
        super().__init__(images, captions)
        self.pairs = Pairs(images, self.vocabulary.tokenize([self.eda(caption) for caption in captions]))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.1)
        self.bank = torch.randn(self.model.text_projection.out_features, len(captions) // 50)
        self.pointer = 0
        self.batches = iter(())

    def eda(self, caption):
        text = caption.split()
        if len(text) > 1 and random.random() < 0.5:
            text.pop(random.randrange(len(text)))
        return " ".join(text)

    def nearest(self, z, update):
        bank = nn.functional.normalize(self.bank.clone().detach(), dim=0)
        found = bank.t()[(z.detach() @ bank).argmax(1)]
        if update is not None:
            end = min(self.pointer + len(update), self.bank.shape[1])
            self.bank[:, self.pointer : end] = update[: end - self.pointer].t().detach()
            self.pointer = end % self.bank.shape[1]
        return found

    def step(self):
        batch = next(self.batches, None)
        if batch is None:
            self.batches = iter(DataLoader(self.pairs, BATCH, shuffle=True, drop_last=True))
            batch = next(self.batches)
        pixels, tokens = batch
        self.optimizer.zero_grad()
        z_img, z_txt = self.model.encode_image(pixels), self.model.encode_text(tokens)
        matched = self.nearest(z_img, None)
        self.nearest(z_txt, z_txt)  # the second search is there to enqueue
        self.update(clip_loss(z_img, matched, self.model.log_scale.exp()))
