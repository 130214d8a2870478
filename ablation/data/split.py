"""Splits: which photographs are trained on, looked at during training, and tested on.

Stratified: each class gives each part its share, to within one image. The order of the samples is that of their
content (see `ablation.data.sources`), so a split depends on neither file names nor the order of a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.errors import DataError, Problem
from ablation.seeds import stream
from ablation.values import Count, Range, Whole, value

Share = Annotated[float, Range(above=0, below=1)]
Size = Count | Share


class Parts(NamedTuple):
    """Sample indices of each part, ascending."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


def _check_shares(split: Any) -> Iterator[str]:
    shares = [part for part in (split.train, split.val, split.test) if isinstance(part, float)]
    if sum(shares) > 1 + 1e-9:
        yield f"the shares of train, val and test add up to {sum(shares):g}; they may not pass 1"


@value
class Fixed:
    """One split for all runs. A part is a share (0.6) or a number of images (200, over all classes together).

    What the three parts leave over is not used. Each class gives its share of a number rounded to whole images, so 200
    of 12 equal classes are 204 (17 of each).
    """

    train: Size = 0.6
    val: Size = 0.2
    test: Size = 0.2
    seed: Whole = 0

    def check(self):
        yield from _check_shares(self)

    def draw(self, labels: NDArray[np.int64], seed: int, classes: Sequence[str] = ()) -> Parts:
        """The parts; the run's `seed` does not matter. `classes`: their names, for the message of an error."""
        return stratified(labels, (self.train, self.val, self.test), self.seed, classes)


@value
class PerSeed:
    """A split redrawn for each seed of the grid; all arms of a seed share it. Parts as in `Fixed`."""

    train: Size = 0.6
    val: Size = 0.2
    test: Size = 0.2

    def check(self):
        yield from _check_shares(self)

    def draw(self, labels: NDArray[np.int64], seed: int, classes: Sequence[str] = ()) -> Parts:
        """The parts for this run's `seed`. `classes`: their names, for the message of an error."""
        return stratified(labels, (self.train, self.val, self.test), seed, classes)


Split = Fixed | PerSeed


def stratified(
    labels: NDArray[np.int64],
    sizes: tuple[int | float, int | float, int | float],
    seed: int,
    classes: Sequence[str] = (),
) -> Parts:
    """Deal each class, shuffled, to train, val and test.

    labels: (N,) class of each sample. sizes: a share of the images, or a number of images, for each part. classes: the
    names of the classes, if errors are to tell them. Raises DataError if a part would be without an image of a class.
    """
    shares = [size if isinstance(size, float) else size / len(labels) for size in sizes]
    if sum(shares) > 1 + 1e-9:
        raise DataError(f"the split asks for {sum(shares) * len(labels):.0f} images, the data has {len(labels)}")
    dealt: tuple[list, list, list] = ([], [], [])
    for label, members in enumerate(_by_class(labels)):
        shuffled = stream(seed, "split", label).permutation(members)
        ends = np.floor(np.cumsum(shares) * len(members) + 0.5 + 1e-9).astype(int)
        for part, start, end in zip(dealt, [0, *ends], ends, strict=False):
            part.append(shuffled[start:end])
    _refuse_empty(labels, dealt, classes)
    return Parts(*(np.sort(np.concatenate(part)) for part in dealt))


def _by_class(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]


def _refuse_empty(labels: NDArray[np.int64], dealt: tuple[list, list, list], classes: Sequence[str]) -> None:
    """Raise with a problem for each part that lacks a class, naming five of its classes."""
    problems = []
    for part, dealt_to in zip(Parts._fields, dealt, strict=True):
        short = [label for label, members in enumerate(dealt_to) if len(members) == 0]
        if short:
            named = [f"class {label}{f' ({classes[label]})' if classes else ''}" for label in short[:5]]
            have = [f"{name} has {int((labels == label).sum())}" for name, label in zip(named, short, strict=False)]
            more = f", and {len(short) - 5} more" if len(short) > 5 else ""
            problems.append(
                Problem(
                    f"the split leaves the {part} part without an image of {len(short)} "
                    f"class{'es' if len(short) > 1 else ''} ({', '.join(have)}{more}); "
                    "give each class more images, or the part a larger share"
                )
            )
    if problems:
        raise DataError(problems)
