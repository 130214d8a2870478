"""Made-up samples as a split looks at them: labels, groups and parts, without a photograph."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from ablation.core.errors import DataError
from ablation.data import Parts

seeds = st.integers(0, 2**31)


class Pile(NamedTuple):
    """What `ablation.data.split.Splittable` asks for."""

    labels: np.ndarray
    near: np.ndarray
    exact: np.ndarray
    parts: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]


def pile(
    labels: Sequence[int],
    near: Sequence[int] | None = None,
    exact: Sequence[int] | None = None,
    parts: Sequence[int] | None = None,
) -> Pile:
    """Samples of these labels; all on their own and of no part, where it is not said otherwise."""
    size = len(labels)
    alone, of = np.arange(size), np.array(labels, np.int64)
    near, exact = (alone if groups is None else np.array(groups) for groups in (near, exact))
    places = np.full(size, -1, np.int8) if parts is None else np.array(parts, np.int8)
    classes = tuple(f"c{label}" for label in range(max(labels) + 1))
    return Pile(of, near, exact, places, classes, tuple(f"{row}.png" for row in range(size)))


def mixed(sizes: Sequence[int]) -> Pile:
    """Classes of these sizes, all samples on their own, in a mixed order as that of content is."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return pile(np.random.Generator(np.random.Philox(3)).permutation(labels).tolist())


@st.composite
def piles(draw: st.DrawFn, spanning: bool = False) -> Pile:
    """One to five classes of 20 to 30 single samples, and groups of near-duplicates, some of them exact copies."""
    labels, near = [], []
    several = draw(st.integers(1, 5))
    for label in range(several):
        groups = [1] * draw(st.integers(20, 30)) + draw(st.lists(st.integers(2, 4), max_size=6))
        for group, size in enumerate(groups):
            labels += [label] * size
            near += [100 * label + group] * size
    for group in range(draw(st.integers(1, 4)) if spanning else 0):
        members = draw(st.lists(st.integers(0, several - 1), min_size=2, max_size=4))
        labels += members
        near += [1000 + group] * len(members)
    generator = np.random.Generator(np.random.Philox(draw(seeds)))
    order = generator.permutation(len(labels))
    groups = np.array(near)[order]
    exact = np.unique(2 * groups + generator.integers(0, 2, len(groups)), return_inverse=True)[1]
    return pile(np.array(labels)[order].tolist(), groups.tolist(), exact.tolist())


def sides(parts: Parts, groups: np.ndarray) -> int:
    """The most parts that a group is in."""
    return max(np.bincount(np.concatenate([np.unique(groups[rows]) for rows in parts])))


@st.composite
def parted_piles(draw: st.DrawFn, places: Sequence[int] = (-1,)) -> Pile:
    """Three classes of 20 to 30 samples in each of these parts, and groups of near-duplicates that heed neither."""
    rows = [
        (label, place)
        for label in range(3)
        for place in places
        for _ in range(draw(st.integers(20, 30)))
    ]  # fmt: skip
    order = np.random.Generator(np.random.Philox(draw(seeds))).permutation(len(rows))
    near, groups = np.arange(len(rows)), draw(st.lists(st.integers(2, 4), max_size=4))
    for number, size in enumerate(groups):
        near[4 * number : 4 * number + size] = 4 * number
    labels, parts = np.array(rows)[order].T
    return pile(labels.tolist(), near, parts=parts)


def told(split: Any, data: Any, seed: int = 0) -> str:
    """Why the data cannot be split so."""
    with pytest.raises(DataError) as error:
        split.draw(data, seed)
    return str(error.value)
