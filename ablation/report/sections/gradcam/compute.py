"""Which photographs are shown with their Grad-CAM maps: some that flip between networks, some that all get right.

Of one run a recipe, under one condition and seed. The choice goes by the order of the test images alone, never by how a
map looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.evidence.study import Study

MOST_PHOTOGRAPHS, MOST_FLIPS = 6, 4
"""That are shown, and how many of them are to flip where so many do."""

MOST_RECIPES = 5
"""Shown beside the baseline."""

Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Looks:
    """Of K networks, the baseline's first, for the M test photographs of which all have a map.

    sample (M,): rows of the data set; label (M,); guess (K, M); maps: K arrays (M, h, w) uint8. left_out: recipes that
    are not shown, as they are many or a run of another name is shown. without: recipes whose runs have no maps.
    """

    recipes: tuple[str, ...]
    sample: Rows
    label: Rows
    guess: Rows
    maps: tuple[NDArray[np.uint8], ...]
    left_out: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def right(self) -> Bools:
        """(K, M): is the guess right?"""
        right: Bools = self.guess == self.label
        return right

    @property
    def flips(self) -> Bools:
        """(M,): is the first network right and another wrong, or the other way round?"""
        flips: Bools = (self.right != self.right[0]).any(axis=0)
        return flips


def looks_of(study: Study) -> Looks | None:
    """None where no run is shown, or none of those has maps of the same photographs as the first that has some."""
    choice, baseline = study.shown_runs, study.experiment.baseline
    if choice is None:
        return None
    ordered = sorted(choice.runs, key=lambda recipe: recipe != baseline)
    named = {run: recipe for recipe in reversed(ordered) for run in [choice.runs[recipe]]}
    recipes = [recipe for recipe in ordered if named[choice.runs[recipe]] == recipe]
    kept: list[str] = []
    without: list[str] = []
    guesses, maps = [], []
    sample, label = np.empty(0, np.int64), np.empty(0, np.int64)
    for recipe in recipes:
        if len(kept) > MOST_RECIPES:
            break
        found = study.results.attention(choice.runs[recipe])
        if found is None or not len(found.sample) or (kept and not np.array_equal(found.sample, sample)):
            without.append(recipe)
            continue
        rows, labels, logits = study.results.test_predictions(choice.runs[recipe])
        order = np.argsort(rows)
        at = order[np.searchsorted(rows, found.sample, sorter=order)]
        sample, label = found.sample, labels[at]
        kept.append(recipe)
        guesses.append(logits[at].argmax(axis=1))
        maps.append(found.maps)
    if not kept:
        return None
    left_out = tuple(recipe for recipe in ordered if recipe not in (*kept, *without))
    return Looks(tuple(kept), sample, label, np.array(guesses), tuple(maps), left_out, tuple(without))


def chosen(right: Bools, label: Rows) -> list[int]:
    """Which of M photographs are shown. right (K, M): by which networks they are guessed right; label (M,).

    First those that flip, in turn one that the first network gets wrong and one that it gets right, or where none flips
    two that all get wrong; then those that all get right; then the others. Of each kind the first in order, of a class
    that is not there yet where there is one.
    """
    flips, every = (right != right[0]).any(axis=0), right.all(axis=0)
    gained, lost = np.flatnonzero(flips & ~right[0]).tolist(), np.flatnonzero(flips & right[0]).tolist()
    picked: list[int] = []
    for turn in range(2 * MOST_FLIPS):
        if len(picked) < MOST_FLIPS:
            _pick(picked, gained if turn % 2 == 0 else lost, label)
    wrong = np.flatnonzero(~every & ~flips)
    for _ in range(0 if picked else 2):
        _pick(picked, [index for index in wrong.tolist() if index not in picked], label)
    for kind in (np.flatnonzero(every), np.flatnonzero(flips), wrong):
        rest = [index for index in kind.tolist() if index not in picked]
        while rest and len(picked) < MOST_PHOTOGRAPHS:
            _pick(picked, rest, label)
    return picked


def _pick(picked: list[int], among: list[int], label: Rows) -> None:
    """Move one from `among` to `picked`: the first of a class that is not picked yet, else the first."""
    classes = {int(label[index]) for index in picked}
    if among:
        index = next((one for one in among if int(label[one]) not in classes), among[0])
        among.remove(index)
        picked.append(index)


def missing(study: Study, runs: Sequence[str]) -> str:
    """Why these runs have no maps: "old", where an older version made their records; a note of theirs; or "none"."""
    records = [study.records[run] for run in runs if run in study.records]
    notes = [note for record in records for note in record.notes if note.startswith("where the network looks")]
    if notes:
        return notes[0]
    return "none" if any("conditions" in record.evidence for record in records) else "old"
