"""Parts: the photographs that are trained on, looked at during training, and tested on; dealt class by class.

Stratified: each class gives each part its share, to within one image. Whole: photographs that belong together go to one
part. The kinds of splits that are made of this are in `ablation.data.split`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, Problem
from ablation.core.values import Count, Range
from ablation.data.deal import deal

Share = Annotated[float, Range(above=0, below=1)]
Size = Count | Share
Rows = NDArray[np.int64]

Together = Literal["near", "exact", "nothing"]
"""What is kept on one side: near-duplicates (exact copies among them), exact copies, or nothing. What the data says
belongs together is kept with either of the first two."""


class Parts(NamedTuple):
    """Sample indices of each part, ascending."""

    train: Rows
    val: Rows
    test: Rows


class Splittable(Protocol):
    """What a split looks at: N samples, as `Listing` and `Dataset` hold them."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> Rows: ...
    @property
    def parts(self) -> NDArray[np.int8]:
        """(N,) place in `Parts` that the data itself gives, or -1."""

    @property
    def near(self) -> Rows:
        """(N,) the number of each sample's group of near-duplicates."""

    @property
    def exact(self) -> Rows:
        """(N,) the number of each sample's group of exact copies."""


def share_of(size: Size, total: int) -> float:
    """A part's share of all images."""
    return size if isinstance(size, float) else size / total


def check_shares(split: Any) -> Iterator[str]:
    shares = [part for part in (split.train, split.val, split.test) if isinstance(part, float)]
    if sum(shares) > 1 + 1e-9:
        yield f"the shares of train, val and test add up to {sum(shares):g}; they may not pass 1"


def groups_of(data: Splittable, together: Together) -> Rows:
    """(N,) group numbers: samples with the same number may not be parted."""
    if together == "nothing":
        return np.arange(len(data.labels))
    return data.near if together == "near" else data.exact


def stratified(
    data: Splittable, sizes: tuple[int | float, int | float, int | float], seed: int, together: Together = "near"
) -> Parts:
    """Deal each class, shuffled, to train, val and test; groups stay whole.

    sizes: a share of the images, or a number of images, for each part. Raises DataError if a part would be without an
    image of a class.
    """
    total = len(data.labels)
    shares = [share_of(size, total) for size in sizes]
    if sum(shares) > 1 + 1e-9:
        raise DataError(f"the split asks for {sum(shares) * total:.0f} images, the data has {total}")
    groups = groups_of(data, together)
    train, val, test, _ = deal(data.labels, groups, shares, seed)
    return refuse_empty(data, Parts(train, val, test), groups)


def refuse_empty(data: Splittable, parts: Parts, groups: Rows | None = None) -> Parts:
    """The parts, or a problem for each one that lacks a class, naming five of its classes. groups: kept whole."""
    problems = []

    def have(label: int) -> str:
        rows = np.flatnonzero(data.labels == label)
        whole = len(rows) if groups is None else len(np.unique(groups[rows]))
        belong = f" in {whole} group{'s' * (whole > 1)} that stay{'s' * (whole == 1)} whole"
        return f"class {label} ({data.classes[label]}) has {len(rows)}{belong if whole < min(3, len(rows)) else ''}"

    for part, rows in zip(Parts._fields, parts, strict=True):
        short = np.flatnonzero(np.bincount(data.labels[rows], minlength=len(data.classes)) == 0)
        if len(short):
            told = [have(label) for label in short[:5]]
            problems.append(Problem(_lacking(part, len(short), told)))
    if problems:
        raise DataError(problems)
    return parts


def _lacking(part: str, classes: int, told: Sequence[str]) -> str:
    more = f", and {classes - len(told)} more" if classes > len(told) else ""
    return (
        f"the split leaves the {part} part without an image of {classes} class{'es' if classes > 1 else ''} "
        f"({', '.join(told)}{more}); give each class more images, or the part a larger share"
    )
