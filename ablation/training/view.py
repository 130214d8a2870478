"""How images reach a network, with or without augmentation; predictions; and a digest that proves what was shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ablation.augment import Recipe
from ablation.augment.apply import apply, on
from ablation.augment.chain import Step, chain
from ablation.augment.draws import DrawnRecipe, draw
from ablation.augment.operations.mix import Mixing
from ablation.data import Dataset
from ablation.data.batches import bounds
from ablation.experiment.spec import RunSpec
from ablation.models.networks import Classifier
from ablation.training.kept import KEPT

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_AT_ONCE = 2**21
"""Numbers of pictures that are rendered in one go, 8 MB."""


@dataclass(frozen=True)
class View:
    """How pictures reach a network: from the cache to the device, through the chain's steps, mixed, normalised.

    mean, std: (3,) of the training part, in [0, 1].
    """

    pixels: Callable[[Rows], Tensor]
    steps: tuple[Step, ...]
    size: int
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    mixing: Mixing | None = None
    clean_of: tuple[Dataset, torch.device] | None = None
    """Whose images on which device are shown unchanged; None where they are changed."""
    channels_last: bool = False
    """Does the network take images with their channels last in memory?"""
    drawn: Rows | None = None
    """(N,) the rows, in ascending order, that `steps` and `mixing` are of; None: of all."""
    images: int | None = None
    """How many the data set has, where rows from there on are further occurrences of the same images."""

    @classmethod
    def clean(cls, data: Dataset, device: torch.device, size: int, mean: Array, std: Array) -> View:
        """As test images are shown: the centre crop, resized."""
        return cls(pixels_of(data, device), _clean_steps(data, size), size, mean, std, clean_of=(data, device))

    def augmented(self, recipe: Recipe, seed: int, epoch: int, aspect: NDArray[np.float32], trained: Rows) -> View:
        """The same through a recipe as drawn in one epoch for the rows `trained`, which are partners in mixing."""
        if not recipe:
            return self
        rows = np.sort(trained)
        return self.through(draw(recipe, seed, epoch, aspect, self.size, rows), trained, rows)

    def through(self, drawn: DrawnRecipe, trained: Rows, rows: Rows | None = None) -> View:
        """The same through a recipe as drawn. rows: those that it was drawn for, in ascending order; None: for all."""
        return replace(self, steps=chain(drawn), mixing=Mixing.of(drawn, trained, rows), clean_of=None, drawn=rows)

    def repeating(self, images: int) -> View:
        """The same for rows of which `row + k * images` is the k-th further occurrence of an image."""
        pixels = self.pixels
        return replace(self, pixels=lambda rows: pixels(rows % images), images=images)

    def own(self, rows: Rows) -> Rows:
        """The rows of these occurrences in the data set."""
        return rows if self.images is None else rows % self.images

    def of_pixels(self, pixels: Callable[[Rows], Tensor]) -> View:
        """Other pictures (B, 3, size, size) as they are, normalised alike."""
        return replace(self, pixels=pixels, steps=(), mixing=None, clean_of=None, drawn=None)

    def pictures(self, rows: Rows) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1]."""
        if self.mixing is None:
            return self._unmixed(rows)
        samples = self._samples(rows)
        return self.mixing.pictures(self._unmixed(rows), self._unmixed(self.mixing.partner[samples]), samples)

    def _unmixed(self, rows: Rows) -> Tensor:
        return apply(self.steps, self.pixels(rows), self._samples(rows), self.size)

    def _samples(self, rows: Rows) -> Rows:
        """(B,) the numbers of these rows among those that were drawn. Raises ValueError for one that was not."""
        if self.drawn is None:
            return self.own(rows)
        samples = self.drawn.searchsorted(rows).clip(max=len(self.drawn) - 1)
        if (self.drawn[samples] != rows).any():
            raise ValueError("the recipe was drawn for other rows")
        return samples

    def kept(self, rows: Rows) -> Tensor | None:
        """`pictures` of rows that are shown again and again: rendered once in this process, where there is room.

        None for changed pictures, and where there is no room. What is returned is not to be changed.
        """
        if self.clean_of is None or not KEPT.fits(4 * len(rows) * 3 * self.size**2):
            return None
        key = (self.clean_of, self.size, rows.tobytes())
        return KEPT.get(key, lambda: torch.cat([self.pictures(some) for some in batches(rows, self.at_once)]))

    def shown(self, rows: Rows, batch_size: int) -> Iterator[Tensor]:
        """`pictures` batch by batch, those that are kept where they are."""
        kept = self.kept(rows)
        for start, stop in bounds(len(rows), batch_size):
            yield self.pictures(rows[start:stop]) if kept is None else kept[start:stop]

    @property
    def at_once(self) -> int:
        """How many pictures are worth rendering in one go: a call takes as long as rendering many small ones."""
        return max(1, _AT_ONCE // (3 * self.size**2))

    def normalized(self, pictures: Tensor) -> Tensor:
        """(B, 3, size, size) float32 as the network takes them, in its memory format."""
        mean, std = (on(pictures.device, moment, torch.float32) for moment in (self.mean, self.std))
        images = (pictures - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        return images.contiguous(memory_format=torch.channels_last) if self.channels_last else images

    def targets(self, labels: Tensor, rows: Rows, classes: int) -> Tensor:
        """The labels (B,) of these rows; where pictures are mixed, probabilities (B, classes). labels: (N,)."""
        if self.mixing is None:
            return labels[on(labels.device, rows)]
        return self.mixing.targets(labels, rows, self._samples(rows), classes)


@lru_cache(maxsize=4)
def _clean_steps(data: Dataset, size: int) -> tuple[Step, ...]:
    return chain(draw((), 0, 0, data.aspect, size))


@lru_cache(maxsize=1)
def pixels_of(data: Dataset, device: torch.device) -> Callable[[Rows], Tensor]:
    """rows -> their cached squares (B, 3, R, R) uint8 on the device; kept there if half its memory is enough.

    The next run on the same data finds them there.
    """
    if device.type == "cuda" and data.images.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
        resident = torch.from_numpy(np.array(data.images)).to(device)
        return lambda rows: resident[on(device, rows)]
    return lambda rows: on(device, data.images[rows])


def batches(rows: Rows, batch_size: int) -> Iterator[Rows]:
    """`rows` in their order, `batch_size` at a time, cut as `bounds` says."""
    for start, stop in bounds(len(rows), batch_size):
        yield rows[start:stop]


@torch.no_grad()
def predict(
    model: Classifier,
    view: View,
    rows: Rows,
    batch_size: int,
    precision: Callable[[], AbstractContextManager[Any]],
    digests: list[str] | None = None,
    answer: Callable[[Tensor, Rows], tuple[Tensor, Tensor]] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (T, C) and features (T, F) of these rows; a digest of each batch of pictures goes to `digests`.

    answer: what gives those of normalised images (B, 3, S, S) of these rows (B,); by default the network.
    """
    model.eval()
    logits, features = [], []
    every = zip(batches(rows, batch_size), view.shown(rows, batch_size), strict=True)
    for own, pictures in every:  # outside `precision`: pixels are float32 everywhere
        if digests is not None:
            digests.append(batch_digest(pictures))
        images = view.normalized(pictures)
        with precision():
            outputs = answer(images, own) if answer else model.logits_and_features(images)
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


def untouched(data: Dataset, device: torch.device, spec: RunSpec, rows: Rows) -> tuple[str, ...]:
    """The digests of the batches of these rows as no augmentation may change them, made from the cache.

    They are made once in this process, and apart from the pictures that networks are shown.
    """
    return _untouched(data, device, spec.image_size, spec.batch_size, rows.tobytes())


@lru_cache(maxsize=16)
def _untouched(data: Dataset, device: torch.device, size: int, batch_size: int, rows: bytes) -> tuple[str, ...]:
    clean = View.clean(data, device, size, np.zeros(3), np.ones(3))
    which = np.frombuffer(rows, np.int64)
    return tuple(batch_digest(clean.pictures(batch)) for batch in batches(which, batch_size))
