"""Looking at images without augmentation: the clean view, predictions, and a digest that proves what was looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ablation.augment.chain import Adjust, Resample, apply
from ablation.data import Dataset
from ablation.models.networks import Classifier

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """How pictures reach a network: from the cache to the device, through the chain's steps, normalised.

    mean, std: (3,) of the training part, in [0, 1].
    """

    pixels: Callable[[Rows], Tensor]
    steps: list[Resample | Adjust]
    size: int
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    def through(self, steps: list[Resample | Adjust]) -> View:
        """The same with other steps."""
        return replace(self, steps=steps)

    def pictures(self, rows: Rows) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1]."""
        return apply(self.steps, self.pixels(rows), rows, self.size)

    def batch(self, rows: Rows) -> Tensor:
        """(B, 3, size, size) float32, normalised, in the device's preferred memory layout."""
        images = self.pictures(rows)
        mean, std = (
            torch.tensor(moment, dtype=torch.float32, device=images.device) for moment in (self.mean, self.std)
        )
        images = (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        return images.contiguous(memory_format=torch.channels_last) if images.is_cuda else images


@lru_cache(maxsize=1)
def pixels_of(data: Dataset, device: torch.device) -> Callable[[Rows], Tensor]:
    """rows -> their cached squares (B, 3, R, R) uint8 on the device; kept there if half its memory is enough.

    The next run on the same data finds them there.
    """
    if device.type == "cuda" and data.images.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
        resident = torch.from_numpy(np.array(data.images)).to(device)
        return lambda rows: resident[torch.from_numpy(rows).to(device)]
    return lambda rows: torch.from_numpy(data.images[rows]).to(device, non_blocking=True)


def batches(rows: Rows, batch_size: int) -> Iterator[Rows]:
    """`rows` in their order, `batch_size` at a time; the last batch has what is left.

    One image left over joins the batch before it: batch normalisation cannot train on one image alone.
    """
    starts = list(range(0, len(rows), batch_size))
    if len(starts) > 1 and len(rows) % batch_size == 1:
        starts.pop()
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield rows[start:stop]


@torch.no_grad()
def predict(
    model: Classifier, view: View, rows: Rows, batch_size: int, precision: Callable[[], AbstractContextManager]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (T, C) and features (T, F) of these rows."""
    model.eval()
    logits, features = [], []
    for batch in batches(rows, batch_size):
        images = view.batch(batch)  # outside `precision`: pixels are float32 everywhere
        with precision():
            outputs = model.logits_and_features(images)
        logits.append(outputs[0].float())
        features.append(outputs[1].float())
    return torch.cat(logits).cpu().numpy(), torch.cat(features).cpu().numpy()


def loss_and_accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy."""
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return float(loss), float((logits.argmax(axis=1) == labels).mean())


def batch_digest(pictures: Tensor) -> str:
    """A digest of pictures as 8-bit images, by which runs show that they tested on the same."""
    bytes_ = (pictures * 255).round().to(torch.uint8).cpu().numpy().tobytes()
    return hashlib.blake2b(bytes_, digest_size=8).hexdigest()
