"""What was found in a data set, a sentence each, with what to do about it. Draws nothing, and sorts nothing.

An error stops a run; a warning may mislead one; a note is what an augmentation study should mind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ablation.core.text import listing, percent
from ablation.core.values import label as label_of
from ablation.data.check import EXTREME_RATIO, OUTLYING, SMALL_SIDE, UNBALANCED, Across, Check, Variation
from ablation.data.sources import SkipBad
from ablation.data.split import Given, Redrawn

Level = Literal["error", "warning", "note"]
Topic = Literal["bad", "classes", "copies", "files", "sizes", "light", "colour", "study"]

_DEFAULT_TEST = Redrawn().test
_MOST_NAMES = 5


@dataclass(frozen=True)
class Finding:
    """One sentence, and what to do about it where something can be done."""

    level: Level
    about: Topic
    """Where the page shows more."""
    text: str
    advice: str = ""


def several(count: int, thing: str) -> str:
    """'1 file', '2,160 files'."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def photographs(count: int) -> str:
    """'1 photograph', '2,160 photographs'."""
    return several(count, "photograph")


def share(part: float) -> str:
    """'29 %'; a decimal below ten."""
    if 0 < part < 0.0005:
        return "less than 0.1 %"
    return percent(round(part, 2 if part >= 0.1 else 3))


def told(found: Check) -> Iterator[Finding]:
    """Everything that there is to say, in the order of the page."""
    yield from _bad(found)
    if found.listing is not None:
        yield from _copies(found)
        yield from _classes(found)
        yield from _files(found)
        yield from _pictures(found)
        yield from _to_mind(found)


def _bad(found: Check) -> Iterator[Finding]:
    bad = f"{several(len(found.bad), 'file')} of {found.named:,}"
    if found.bad and isinstance(found.source, SkipBad):
        yield Finding("warning", "bad", f"{bad} left out, as asked")
    elif found.bad:
        yield Finding(
            "error",
            "bad",
            f"{bad} cannot be used",
            "mend or remove them, or leave them out: --skip-bad here, SkipBad(...) in an experiment",
        )
    for problem in found.stopped:
        yield Finding("error", "bad", str(problem))


def _copies(found: Check) -> Iterator[Finding]:
    """Pictures that occur several times, by how much harm they do."""
    data = found.listing
    assert data is not None
    refuses = isinstance(found.split, Given) and found.split.duplicates == "refuse"
    for where, (level, place, advice) in _ACROSS.items():
        groups = [copies for copies in found.copies if copies.across == where]
        if groups:
            exact = sum(copies.exact for copies in groups)
            near = len(groups) - exact
            kinds = f"{exact:,} of exact copies and {near:,} of near-duplicates"
            if not exact or not near:
                kinds = "exact copies" if exact else "near-duplicates"
            rows = sum(len(copies.rows) for copies in groups)
            told = f"{several(len(groups), 'group')} of the same picture {place}: {kinds}, {photographs(rows)}"
            mixed = sum(len({data.labels[row] for row in copies.rows}) > 1 for copies in groups)
            if where == "parts" and mixed:
                told += f"; {f'{mixed:,} of them ' * (len(groups) > 1)}with different classes too"
            yield Finding(level if where != "parts" or refuses else "warning", "copies", told, advice)
    if found.torn:
        rows = sum(map(len, found.torn))
        yield Finding(
            "error" if refuses else "warning",
            "copies",
            f"{several(len(found.torn), 'group')} of photographs that belong together, as the data says, in different "
            f"parts: {photographs(rows)}",
            _ACROSS["parts"][2],
        )


_ACROSS: dict[Across, tuple[Level, str, str]] = {
    "parts": (
        "error",
        "in different parts (train, val, test)",
        "what is tested was trained on: remove them from one part, or leave them out of training: "
        "Given(duplicates='drop')",
    ),
    "classes": (
        "warning",
        "in different classes",
        "one of the labels is wrong, or the picture shows both: look at them",
    ),
    "nothing": ("note", "within a class", "Redrawn, Fixed, PerSeed and KFold keep each group on one side of the split"),
}
"""How bad it is, where they are, what to do."""


def _classes(found: Check) -> Iterator[Finding]:
    data, counts = found.listing, found.counts
    assert data is not None
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    for problem in found.unsplit:
        yield Finding("error", "classes", f"{label_of(found.split)} is refused: {problem.message}")
    guess = f"always guessing {data.classes[largest]!r} is right for {share(counts[largest] / counts.sum())}"
    sizes = (
        f"{counts[largest]:,} images of {data.classes[largest]!r}, {counts[smallest]:,} of {data.classes[smallest]!r}"
    )
    if found.imbalance > UNBALANCED:
        yield Finding(
            "warning",
            "classes",
            f"the classes are unbalanced, {found.imbalance:.1f} to 1 ({sizes}); {guess}",
            "judge by metric='balanced_accuracy' or 'macro_f1', for which each class counts alike",
        )
    elif found.imbalance > 1:
        yield Finding(
            "note",
            "classes",
            f"the classes are nearly balanced, {found.imbalance:.2f} to 1 ({sizes}): accuracy will do",
        )
    else:
        yield Finding(
            "note",
            "classes",
            f"the classes are perfectly balanced, {counts[0]:,} images of each: accuracy is balanced accuracy",
        )


def _named(names: Sequence[str]) -> str:
    """The first few in quotes, and how many more there are."""
    shown = [repr(name) for name in names[:_MOST_NAMES]]
    more = len(names) - len(shown)
    return listing([*shown, f"{more:,} more"] if more else shown)


def _files(found: Check) -> Iterator[Finding]:
    data = found.listing
    assert data is not None
    if found.misnamed:
        yield Finding(
            "note",
            "files",
            f"{several(len(found.misnamed), 'file')} with an ending that lies; read as what they hold",
        )
    if found.rotated:
        one = len(found.rotated) == 1
        yield Finding(
            "note",
            "files",
            f"{photographs(len(found.rotated))} {'lies' if one else 'lie'} turned or mirrored in the file, as "
            f"{'its EXIF tag tells' if one else 'their EXIF tags tell'}: set upright here",
            "a loop that reads them by Pillow or torchvision alone sees them as they lie",
        )
    transparent, frames = int(data.traits["transparent"].sum()), int((data.traits["frames"] > 1).sum())
    if transparent:
        yield Finding("note", "files", f"{photographs(transparent)} with transparency, laid over white")
    if frames:
        yield Finding("note", "files", f"{several(frames, 'file')} with several frames: the first is taken, as asked")


def _pictures(found: Check) -> Iterator[Finding]:
    if found.flat:
        yield Finding(
            "warning", "light", f"{photographs(len(found.flat))} of one colour, or nearly: there is nothing to see"
        )
    if found.small:
        yield Finding(
            "warning",
            "sizes",
            f"{photographs(len(found.small))} very small, with a side under {SMALL_SIDE} pixels",
            "they are enlarged to the size of the others, and blurred by that",
        )
    if found.extreme:
        yield Finding(
            "warning",
            "sizes",
            f"{photographs(len(found.extreme))} long or tall, {EXTREME_RATIO:g} to 1 or more",
            "the centre crop that is tested shows little of them",
        )
    for words, varies in (("unusually dark or bright", found.brightness), ("of unusual contrast", found.contrast)):
        far = varies.low + varies.high if varies else ()
        if far:
            yield Finding("note", "light", f"{photographs(len(far))} {words} (modified z-score above {OUTLYING:g})")
    if found.grey:
        data = found.listing
        assert data is not None
        yield Finding(
            "note",
            "colour",
            f"{photographs(len(found.grey))} without colour, {share(len(found.grey) / len(data.labels))} of all",
            "Saturation and Hue change nothing there",
        )


def _to_mind(found: Check) -> Iterator[Finding]:
    """How much of what a recipe would do the photographs do already, and how fine a difference can be seen."""
    data = found.listing
    assert data is not None
    for name, operation, varies in (
        ("brightness", "Brightness", found.brightness),
        ("contrast", "Contrast", found.contrast),
    ):
        if varies and varies.mean:
            same = magnitude(varies)
            much = f"as much as {operation}({same:.2f}) would make one vary"
            advice = (
                f"a much weaker {operation} adds little to that, a much stronger one makes photographs unlike those "
                "that are tested"
            )
            if same > 1:
                much = f"more than {operation}(1) would make one vary ({share(1 / math.sqrt(3))})"
                advice = f"expect little of {operation}: the photographs show more of it already"
            yield Finding(
                "note", "study", f"{name} varies by {share(varies.relative)} between photographs, {much}", advice
            )
    shorter = np.minimum(data.traits["width"], data.traits["height"])
    side = int(np.percentile(shorter, 10, method="lower"))
    yield Finding(
        "note",
        "study",
        f"nine of ten photographs have a shorter side of {side:,} pixels or more",
        "an image_size above that enlarges more of them, which costs time and shows nothing new",
    )
    of, images = size_of_test(found)
    if images:
        yield Finding(
            "note",
            "study",
            f"{of} has {photographs(images)}: one is {100 / images:.2g} points, and an accuracy of 80 % is known to "
            f"± {100 * known_to(0.8, images):.1f} points (95 % interval)",
            "on the same photographs, the difference of two recipes is known better than that: see ablation plan",
        )


def magnitude(varies: Variation) -> float:
    """The b for which factors drawn evenly from 1 - b to 1 + b (sd b / sqrt 3) vary as much as the photographs do."""
    return varies.relative * math.sqrt(3)


def size_of_test(found: Check) -> tuple[str, int]:
    """What is tested on, in words, and its number of photographs: the data's own part, else that of `Redrawn()`."""
    parts = found.part_counts
    if "test" in parts:
        return "the test part", int(parts["test"].sum())
    return f"a test part of {percent(_DEFAULT_TEST)}", round(_DEFAULT_TEST * int(found.counts.sum()))


def known_to(accuracy: float, tested: int) -> float:
    """Half the 95 % interval of an accuracy over so many test images (a normal for the binomial)."""
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / tested)
