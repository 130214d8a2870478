"""One training photograph as each recipe draws it, and what each operation changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import recipe_text
from ablation.report.photographs import photograph_strip
from ablation.report.section import Column, Section, Strip, Strips, Table
from ablation.report.sections.pictures.strips import EXPLAINED, PreviewInfo, PreviewRow
from ablation.report.text import images_changed, pixels_changed

COLUMNS: dict[str, Column] = {
    "recipe": ("recipe", itemgetter("recipe")),
    "operation": ("operation", lambda row: f"{row['operation']}{': changed nothing' * row['idle']}"),
    "images": ("images changed", lambda row: images_changed(row["share_changed"])),
    "pixels": ("mean change of a pixel", lambda row: pixels_changed(row["mean_change"])),
}
CAPTION = (
    "What each operation did to the pictures of the first epoch, mean over all runs of the recipe: the share of images "
    "in which a pixel changed by half a level of 256 or more, and the mean absolute change of a pixel. Each is "
    "compared with the same recipe without that operation and those after it."
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
        tuple(map(_strip, preview.rows)), f"{preview.note} {EXPLAINED}", "Photographs as each recipe draws them"
    )
    changes = study.results.changes().to_dict("records")
    tables = (Table.of(COLUMNS, changes, CAPTION, words=frozenset({"operation"})),) if changes else ()
    return Section("pictures", "What the network is trained on", figures=(strips,), tables=tables)


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
    alt = f"Under {row.recipe}: the original, {len(row.draws)} draws and a difference"
    return photograph_strip(row.tiles, row.headings, row.words, row.recipe, row.operations, alt)
