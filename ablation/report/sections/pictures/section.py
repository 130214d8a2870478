"""One training photograph as each recipe draws it, and what each operation changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import counted, listing, named, opening, plain
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import recipe_text
from ablation.report.photographs import photograph_strip
from ablation.report.section import Column, Section, Strip, Strips, Table
from ablation.report.sections.pictures.strips import EXPLAINED, PreviewInfo, PreviewRow
from ablation.report.text import among, images_changed, pixels_changed

COLUMNS: dict[str, Column] = {
    "recipe": ("recipe", itemgetter("recipe")),
    "operation": ("operation", lambda row: f"{row['operation']}{': changed nothing' * row['idle']}"),
    "images": ("images changed", lambda row: images_changed(row["share_changed"])),
    "pixels": ("mean change of a pixel", lambda row: pixels_changed(row["mean_change"])),
}
CAPTION = (
    "What each operation did to the pictures of the first epoch. Means over all runs of the recipe: the share of "
    "images in which a pixel changed by half a level of 256 or more, and the mean absolute change of a pixel. Each "
    "operation is compared with the same recipe without it and without those after it."
)


def pictures(study: Study) -> Section | None:
    """The first training image as one run of each recipe drew it; None where no run has finished."""
    choice = study.shown_runs
    if choice is None:
        return None
    drawn = {}
    for recipe, run_id in choice.runs.items():
        arrays, record = study.shown_arrays[recipe], study.records.get(run_id)
        drawn[recipe] = (arrays.original, arrays.draws, record.evidence["captions"] if record else ())
    preview = preview_info(study.experiment, drawn, "The first training image", str(choice))
    strips = Strips(
        tuple(map(_strip, preview.rows)),
        f"{_finding(preview.rows)} {preview.note} {EXPLAINED}",
        plain(f"One photograph, and how each recipe draws it: {listing(named(row.recipe) for row in preview.rows)}"),
    )
    changes = study.results.changes().to_dict("records")
    words, keep = frozenset({"operation"}), ("operation", "pixels")
    return Section(
        "pictures",
        "What does each recipe do to a picture?",
        "A row is one training photograph, first as it is and then as the recipe draws it, epoch by epoch. The last "
        "picture is what a draw changed, about grey.",
        answer(changes),
        (strips,),
        (Table.of(COLUMNS, changes, CAPTION, words=words, keep=keep),) if changes else (),
    )


def answer(changes: Sequence[Mapping[Any, Any]]) -> tuple[str, ...]:
    """By how much a pixel changes on average, at most and at least. changes: see `Results.changes`, a dict a row."""
    active = [row for row in changes if not row["idle"]]
    alone = {recipe for recipe, rows in Counter(row["recipe"] for row in changes).items() if rows == 1}

    def who(row: Mapping[Any, Any]) -> str:
        recipe = named(row["recipe"])
        return recipe if row["recipe"] in alone else f"{row['operation']} of {recipe}"

    idle = [f"{row['operation']} of {named(row['recipe'])} changed nothing." for row in changes if row["idle"]]
    if not active:
        return ("How much recipes change is not recorded.", *idle) if not idle else tuple(idle)
    ordered = sorted(active, key=lambda row: -float(row["mean_change"]))
    most, least = ordered[0], ordered[-1]
    shares = sorted({images_changed(row["share_changed"]) for row in active}, key=lambda text: float(text.split()[0]))
    images = shares[0] if len(shares) == 1 else f"{shares[0].removesuffix(' %')} to {shares[-1]}"
    foremost = (
        f"{who(most)} changes a picture most: a pixel by {pixels_changed(most['mean_change'])} levels on average."
    )
    if len(active) == 1:
        foremost = f"{who(most)} changes a pixel by {pixels_changed(most['mean_change'])} levels on average."
    other = (
        f"{opening(who(least))} changes it least, by {pixels_changed(least['mean_change'])}. "
        if most is not least
        else ""
    )
    return (foremost, f"{other}In the first epoch {images} of the images were changed.", *idle)


def _finding(rows: Sequence[PreviewRow]) -> str:
    """Which recipes leave this photograph as it is."""
    same = [row.recipe for row in rows if row.changed is None]
    if not same:
        return "Every recipe changes this photograph."
    leave = f"{among(same, 'recipe')} {'leaves' if len(same) == 1 else 'leave'} this photograph as it is"
    others = len(rows) - len(same)
    if not others:
        return f"{leave}."
    return f"{leave}; {counted(others, 'other recipe')} {'changes' if others == 1 else 'change'} it."


def preview_info(
    experiment: Experiment,
    drawn: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8], Sequence[str]]],
    image: str,
    condition: str,
) -> PreviewInfo:
    """The recipes in one picture. drawn: recipe -> (original, draws, captions) of one image."""
    rows = tuple(
        PreviewRow(recipe, recipe_text(experiment, recipe), original, draws, tuple(captions))
        for recipe, (original, draws, captions) in drawn.items()
    )
    side, count = rows[0].original.shape[0], len(rows[0].draws)
    note = (
        f"{image}, {side} × {side} pixels as the network sees it: without augmentation, and as each recipe "
        f"draws it for the first {count} epochs ({condition})."
    )
    return PreviewInfo(f"{experiment.name}: what each recipe does", note, rows)


def _strip(row: PreviewRow) -> Strip:
    alt = plain(f"Under {named(row.recipe)}: the original, {len(row.draws)} draws and a difference")
    return photograph_strip(row.tiles, row.headings, row.words, row.recipe, row.operations, alt)
