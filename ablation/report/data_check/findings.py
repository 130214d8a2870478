"""What a check says: a sentence for each finding about a data set, the verdict, and the JSON file.

An error stops a run; a warning may mislead one; a note is what an augmentation study should mind. Draws nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ablation.core.errors import DataError
from ablation.core.text import counted, percent
from ablation.core.values import label
from ablation.data.check import EXTREME_RATIO, OUTLYING, SMALL_SIDE, UNBALANCED, Across, Check, Variation
from ablation.data.contents import Listing
from ablation.data.decode import FULL_DEPTH
from ablation.data.files import PARTS, printable
from ablation.data.sources import Digits, SkipBad, Source, Subset, TorchvisionData
from ablation.data.split import Given, Redrawn, own_parts

Level = Literal["error", "warning", "note"]
Topic = Literal["bad", "classes", "copies", "files", "sizes", "brightness", "colour", "study"]

LEVELS: tuple[Level, ...] = ("error", "warning", "note")

_DEFAULT_TEST = Redrawn().test
_GENERIC = ("train", "list", "labels", "train_list", "data", "images")
"""What people call a list that says nothing of the data: the folder around it does."""


@dataclass(frozen=True)
class Finding:
    """One sentence, and what to do about it where something can be done."""

    level: Level
    about: Topic
    """Where the page shows more."""
    text: str
    advice: str = ""


def findings(check: Check) -> tuple[Finding, ...]:
    """Everything that the check has to say: errors first, then warnings, then notes, each in the order of the page."""
    every = [*_bad(check)]
    if check.listing is not None:
        for about in (_copies, _parts, _classes, _files, _photographs, _study):
            every += about(check, check.listing)
    return tuple(sorted(every, key=lambda finding: LEVELS.index(finding.level)))


def verdict(check: Check) -> str:
    """The check in one sentence."""
    levels = [finding.level for finding in findings(check)]
    errors, warnings = levels.count("error"), levels.count("warning")
    if errors:
        return f"not to be used as it is ({counted(errors, 'error')})"
    if warnings:
        return f"ready to be used, with {counted(warnings, 'thing')} to look at"
    return "ready to be used"


def stops(check: Check) -> bool:
    """Whether any finding would stop a run."""
    return any(finding.level == "error" for finding in findings(check))


def name_of(source: Source) -> str:
    """What people call the data: the folder that it lies in, or the name of its list."""
    if isinstance(source, SkipBad | Subset):
        return name_of(source.source)
    if isinstance(source, Digits):
        return "digits"
    if isinstance(source, TorchvisionData):
        return source.name
    path = Path(os.path.abspath(printable(source.path)))
    is_list = path.suffix != "" and not path.is_dir()
    if is_list and path.stem.lower() in _GENERIC:
        return path.parent.name or "data"
    return (path.stem if is_list else path.name) or "data"


# --- words and numbers of several findings


def photographs(count: int) -> str:
    """'1 photograph', '2,160 photographs'."""
    return counted(count, "photograph")


def share(part: float) -> str:
    """'29 %'; a decimal below ten."""
    if 0 < part < 0.0005:
        return "less than 0.1 %"
    return percent(round(part, 2 if part >= 0.1 else 3))


def moments_line(check: Check) -> str:
    """Mean and standard deviation as a line of Python for torchvision."""
    assert check.moments is not None
    mean, std = (", ".join(f"{channel:.4f}" for channel in of) for of in (check.moments.mean, check.moments.std))
    return f"Normalize(mean=[{mean}], std=[{std}])"


def variations(check: Check) -> dict[str, Variation]:
    """Trait -> how it varies: of brightness and of contrast, where any photograph can be used."""
    both = {"brightness": check.brightness, "contrast": check.contrast}
    return {trait: varies for trait, varies in both.items() if varies is not None}


def magnitude(varies: Variation) -> float:
    """The b for which factors drawn evenly from 1 - b to 1 + b (sd b / sqrt 3) vary as much as the photographs do."""
    return varies.relative * math.sqrt(3)


def size_of_test(check: Check) -> tuple[str, int]:
    """What is tested on, in words, and its number of photographs: by the split, else the data's own, else a quarter."""
    parts, total = check.part_counts, int(check.counts.sum())
    if check.split != Redrawn() and check.listing is not None:
        with suppress(DataError):  # of a split that is refused, which is a finding of its own
            tested = len(check.split.draw(check.listing, 0).test)
            own = f"the {check.split.test} part" if isinstance(check.split, Given) else ""
            return own or f"a test part of {percent(round(tested / total, 2))}", tested
    if "test" in parts:
        return "the test part", int(parts["test"].sum())
    return f"a test part of {percent(_DEFAULT_TEST)}", round(_DEFAULT_TEST * total)


def known_to(accuracy: float, tested: int) -> float:
    """Half the 95 % interval of an accuracy over so many test images (a normal for the binomial)."""
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / tested)


# --- the sentences


def _bad(check: Check) -> Iterator[Finding]:
    """Files that cannot be used, and why no data set can be made of the others."""
    bad = f"{counted(len(check.bad), 'file')} of {check.named:,}"
    if check.bad and isinstance(check.source, SkipBad):
        yield Finding("warning", "bad", f"{bad} left out, as requested")
    elif check.bad:
        advice = "mend or remove them, or leave them out: --skip-bad here, SkipBad(...) in an experiment"
        yield Finding("error", "bad", f"{bad} cannot be used", advice)
    for problem in check.stopped:
        yield Finding("error", "bad", str(problem))


_ACROSS: dict[Across, str] = {
    "parts": "in different parts (train, val, test)",
    "classes": "in different classes",
    "nothing": "within a class",
}
_PLACEHOLDER = 3
"""Classes that a picture is in from which on it seems to stand for whatever was missing."""
_MISLABELLED = "one of the labels is wrong, or the picture shows both: look at them"
_TURNED = (
    "do your classes differ by orientation (letters, arrows)? Then no recipe should turn or mirror photographs: that "
    "makes another class of them; else labels are wrong: check.json names the photographs"
)
_KEPT = "Redrawn, Fixed, PerSeed and KFold keep each group on one side of the split"


def _across(check: Check, data: Listing, across: Across, exact: bool) -> tuple[Level, str]:
    """How bad it is that pictures occur several times there, and what to do. exact: whether all are exact copies."""
    if across != "parts":
        return ("warning", _MISLABELLED) if across == "classes" else ("note", _KEPT)
    split, own = check.split, own_parts(data)
    dropping = "" if own is None else label(replace(own, duplicates="drop"))
    if not isinstance(split, Given):
        if split.together == "near" or (split.together == "exact" and exact):
            instead = f"; {dropping} keeps the parts, and leaves them out of training" * bool(dropping)
            return "note", f"{label(split)} deals the parts anew, and keeps each group on one side{instead}"
        return "warning", "what is tested may be trained on: together='near' keeps each group on one side of the split"
    if split.duplicates == "drop":
        return "note", f"{label(split)} leaves them out of training"
    leak = "what is tested was trained on: remove them from one part"
    leak += f", or leave them out of training: {dropping}" * bool(dropping)
    return ("error" if split.duplicates == "refuse" else "warning"), leak


def _copies(check: Check, data: Listing) -> Iterator[Finding]:
    """Pictures that occur several times, by how much harm they do."""
    for across, where in _ACROSS.items():
        groups = [copies for copies in check.copies if copies.across == across]
        if not groups:
            continue
        exact = sum(copies.exact for copies in groups)
        near = len(groups) - exact
        kinds = f"{exact:,} of exact copies and {near:,} of near-duplicates"
        if not exact or not near:
            kinds = "exact copies" if exact else "near-duplicates"
        rows = sum(len(copies.rows) for copies in groups)
        text = f"{counted(len(groups), 'group')} of the same picture {where}: {kinds}, {photographs(rows)}"
        mixed = sum(len({data.labels[row] for row in copies.rows}) > 1 for copies in groups)
        if across == "parts" and mixed:
            text += f"; {f'{mixed:,} of them ' * (len(groups) > 1)}with different classes too"
        level, advice = _across(check, data, across, exact=not near)
        most = max(len({data.labels[row] for row in copies.rows}) for copies in groups)
        if most >= _PLACEHOLDER:
            advice += f'; one is in {most} classes, as a placeholder is ("image not found"): remove it'
        yield Finding(level, "copies", text, advice)
    if data.turned:
        text = f"{photographs(len(data.turned))} look like turned copies of one in another class"
        yield Finding("note", "copies", text, _TURNED)
    if check.torn:
        text = (
            f"{counted(len(check.torn), 'group')} of photographs that belong together, as the data says, in different "
            f"parts: {photographs(sum(map(len, check.torn)))}"
        )
        level, advice = _across(check, data, "parts", exact=True)
        yield Finding(level, "copies", text, advice)


def _parts(check: Check, data: Listing) -> Iterator[Finding]:
    """Of data that comes as train and val alone: how it is split, and how it could be."""
    own = own_parts(data)
    if own is None or own.test != "val" or isinstance(check.split, Given):
        return
    text = f"the data has train and val, and no test part: {label(check.split)} deals all photographs anew"
    advice = f"split={label(own)} keeps the parts: it trains on train but for a tenth to validate on, and tests on val"
    yield Finding("note", "classes", text, advice)


def _classes(check: Check, data: Listing) -> Iterator[Finding]:
    counts = check.counts
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    for problem in check.unsplit:
        yield Finding("error", "classes", f"{label(check.split)} is refused: {problem.message}")
    sizes = (
        f"{counts[largest]:,} images of {data.classes[largest]!r}, {counts[smallest]:,} of {data.classes[smallest]!r}"
    )
    if check.imbalance > UNBALANCED:
        guess = f"always guessing {data.classes[largest]!r} is right for {share(counts[largest] / counts.sum())}"
        text = f"the classes are unbalanced, {check.imbalance:.1f} to 1 ({sizes}); {guess}"
        advice = "judge by metric='balanced_accuracy' or 'macro_f1', for which each class counts alike"
        yield Finding("warning", "classes", text, advice)
    elif check.imbalance > 1:
        text = f"the classes are nearly balanced, {check.imbalance:.2f} to 1 ({sizes}): accuracy will do"
        yield Finding("note", "classes", text)
    else:
        text = f"the classes are perfectly balanced, {counts[0]:,} images of each: accuracy is balanced accuracy"
        yield Finding("note", "classes", text)


def _depth(data: Listing) -> Iterator[Finding]:
    """16-bit pixels that use few of the bits that they have, or that were given: as those of a camera of 12 do."""
    deep = data.traits["highest"] > 0
    highest, depth = int(data.traits["highest"].max()), data.bit_depth or FULL_DEPTH
    used, full = highest.bit_length(), (1 << depth) - 1
    if not deep.any() or used > depth - 1 or (used == depth - 1 and highest != (1 << used) - 1):
        return
    left = (255 * highest + full // 2) // full + 1
    text = (
        f"{counted(int(deep.sum()), 'file')} of 16 bits a pixel, and none goes beyond {highest:,} of {full:,}: {left} "
        "of 256 grey levels are left, the darkest"
    )
    advice = f"bit_depth={used} makes {(1 << used) - 1:,} white in all of them"
    if not np.char.startswith(data.traits["mode"][deep], b"I").all():
        advice = "save those in colour with 8 bits a channel, scaled, as Pillow reads 8 of their 16"
    yield Finding("warning", "files", text, advice)


def _files(check: Check, data: Listing) -> Iterator[Finding]:
    yield from _depth(data)
    if check.passed_over:
        most = [f"{name} ({count:,})" if count > 1 else name for name, count in check.passed_over.items()][:5]
        text = f"{counted(sum(check.passed_over.values()), 'hidden or system entry', 'hidden or system entries')}"
        more = ", ..." if len(check.passed_over) > len(most) else ""
        yield Finding("note", "files", f"{text} passed over: {', '.join(most)}{more}")
    if check.misnamed:
        lying = f"{counted(len(check.misnamed), 'file')} with an ending that lies"
        yield Finding("note", "files", f"{lying}; read as what they hold")
    if check.rotated:
        lies, tells = ("lies", "its EXIF tag tells") if len(check.rotated) == 1 else ("lie", "their EXIF tags tell")
        turned = (
            f"{photographs(len(check.rotated))} {lies} turned or mirrored in the file, as {tells}: set upright here"
        )
        yield Finding(
            "note", "files", turned, "a loop that reads them by Pillow or torchvision alone sees them as they lie"
        )
    transparent, frames = int(data.traits["transparent"].sum()), int((data.traits["frames"] > 1).sum())
    if transparent:
        yield Finding("note", "files", f"{photographs(transparent)} with transparency, laid over white")
    if frames:
        yield Finding(
            "note", "files", f"{counted(frames, 'file')} with several frames: the first is taken, as requested"
        )


def _photographs(check: Check, data: Listing) -> Iterator[Finding]:
    """Those that are odd in what they show, in size, brightness or colour."""
    if check.flat:
        text = f"{photographs(len(check.flat))} of one colour, or nearly: there is nothing to see"
        yield Finding("warning", "brightness", text)
    if check.empty:
        text = f"{photographs(len(check.empty))} nearly empty, among others that are not"
        yield Finding(
            "warning", "brightness", text, 'look at them: a placeholder ("image not found") is none of a class'
        )
    if check.small:
        text = f"{photographs(len(check.small))} very small, with a side under {SMALL_SIDE} pixels"
        yield Finding("warning", "sizes", text, "they are enlarged to the size of the others, and blurred by that")
    if check.extreme:
        text = f"{photographs(len(check.extreme))} long or tall, {EXTREME_RATIO:g} to 1 or more"
        yield Finding("warning", "sizes", text, "the centre crop that is tested shows little of them")
    words = {"brightness": "unusually dark or bright", "contrast": "of unusual contrast"}
    for trait, varies in variations(check).items():
        if far := len(varies.low + varies.high):
            text = f"{photographs(far)} {words[trait]} (modified z-score above {OUTLYING:g})"
            yield Finding("note", "brightness", text)
    if check.grey:
        text = f"{photographs(len(check.grey))} without colour, {share(len(check.grey) / len(data.labels))} of all"
        yield Finding("note", "colour", text, "Saturation and Hue change nothing there")


def _study(check: Check, data: Listing) -> Iterator[Finding]:
    """How much of what a recipe would do the photographs do already, and how fine a difference can be resolved."""
    for trait, varies in variations(check).items():
        if not varies.mean:
            continue
        operation, same = trait.capitalize(), magnitude(varies)
        much = f"as much as {operation}({same:.2f}) would make one vary"
        advice = (
            f"a much weaker {operation} adds little to that, a much stronger one makes photographs unlike those that "
            "are tested"
        )
        if same > 1:
            much = f"more than {operation}(1) would make one vary ({share(1 / math.sqrt(3))})"
            advice = f"expect little of {operation}: the photographs show more of it already"
        yield Finding(
            "note", "study", f"{trait} varies by {share(varies.relative)} between photographs, {much}", advice
        )
    shorter = np.minimum(data.traits["width"], data.traits["height"])
    side = int(np.percentile(shorter, 10, method="lower"))
    text = f"nine of ten photographs have a shorter side of {side:,} pixels or more"
    advice = "an image_size above that enlarges more of them, which costs time and shows nothing new"
    yield Finding("note", "study", text, advice)
    tested, images = size_of_test(check)
    if images:
        text = (
            f"{tested} has {photographs(images)}: one is {100 / images:.2g} points, and an accuracy of 80 % is known "
            f"to ± {100 * known_to(0.8, images):.1f} points (95 % interval)"
        )
        advice = "on the same photographs, the difference of two recipes is known better than that: see ablation plan"
        yield Finding("note", "study", text, advice)


# --- the JSON file


def as_json(check: Check) -> dict[str, Any]:
    """Every finding, as JSON holds it."""
    json: dict[str, Any] = {
        "source": label(check.source),
        "verdict": verdict(check),
        "stops_a_run": stops(check),
        "findings": [asdict(finding) for finding in findings(check)],
        "files": check.named,
        "bad": [{"file": problem.where, "reason": problem.message} for problem in check.bad],
    }
    return json | (_data_as_json(check, check.listing) if check.listing is not None else {})


def _data_as_json(check: Check, data: Listing) -> dict[str, Any]:
    assert check.moments is not None

    def named(rows: Iterable[int]) -> list[str]:
        return [data.names[row] for row in rows]

    def by_class(counts: Any) -> dict[str, int]:
        return dict(zip(data.classes, counts.tolist(), strict=True))

    return {
        "digest": data.digest,
        "images": len(data.labels),
        "classes": by_class(check.counts),
        "parts": {part: by_class(counts) for part, counts in check.part_counts.items()},
        "imbalance": check.imbalance,
        "mean": check.moments.mean,
        "std": check.moments.std,
        "formats": check.formats,
        "modes": check.modes,
        "width": _five(data.traits["width"]),
        "height": _five(data.traits["height"]),
        "aspect": _five(data.traits["width"] / data.traits["height"]),
        "transparent": named(np.flatnonzero(data.traits["transparent"])),
        "several_frames": named(np.flatnonzero(data.traits["frames"] > 1)),
        **{
            name: named(getattr(check, name))
            for name in ("misnamed", "rotated", "grey", "small", "extreme", "flat", "empty")
        },
        **{
            trait: {"mean": varies.mean, "sd": varies.sd, "low": named(varies.low), "high": named(varies.high)}
            for trait, varies in variations(check).items()
        },
        "copies": [
            {
                "exact": copies.exact,
                "across": copies.across,
                "files": named(copies.rows),
                "classes": [data.classes[data.labels[row]] for row in copies.rows],
                "parts": [PARTS[data.parts[row]] if data.parts[row] >= 0 else None for row in copies.rows],
            }
            for copies in check.copies
        ],
        "turned": named(data.turned),
        "torn": [named(rows) for rows in check.torn],
        "passed_over": check.passed_over,
    }


def _five(values: Any) -> dict[str, float]:
    """Smallest, quartiles and largest."""
    names = ("least", "quarter", "median", "three_quarters", "most")
    return dict(zip(names, np.percentile(values, (0, 25, 50, 75, 100)).tolist(), strict=True))
