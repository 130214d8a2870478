"""One training photograph as each recipe draws it, and what each operation changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.evidence.study import Choice
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import recipe_text
from ablation.experiment.results import Results
from ablation.report.sections.pictures.strips import PreviewInfo, PreviewRow
from ablation.report.text import changed


def preview_of(results: Results, choice: Choice) -> PreviewInfo:
    """The first training image as each recipe's run drew it."""
    seen = {}
    for recipe, run_id in choice.runs.items():
        arrays, record = results.arrays(run_id), results.run(run_id).record()
        seen[recipe] = (arrays.original, arrays.draws, record.evidence["captions"] if record else ())
    return preview_info(results.experiment, seen, "The first training image", str(choice))


def preview_info(
    experiment: Experiment,
    seen: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8], Sequence[str]]],
    image: str,
    place: str,
) -> PreviewInfo:
    """The recipes in one picture. seen: recipe -> (original, draws, captions) of one image. place: of the draws."""
    rows = tuple(
        PreviewRow(recipe, recipe_text(experiment, recipe), original, draws, tuple(captions))
        for recipe, (original, draws, captions) in seen.items()
    )
    side, count = rows[0].original.shape[0], len(rows[0].draws)
    note = (
        f"{image}, {side} × {side} pixels as the network sees it: without augmentation, and as each recipe "
        f"draws it for the first {count} epochs ({place})."
    )
    return PreviewInfo(f"{experiment.name}: what each recipe does", note, rows)


def changes_of(results: Results) -> tuple[dict[str, str], ...]:
    """What each operation did in the first epoch, as cells of a table: recipe, operation, images, pixels, flag."""
    rows = []
    for told in results.changes().to_dict("records"):
        images, pixels = changed(told["share_changed"], told["mean_change"])
        flag = "changed nothing" if told["idle"] else ""
        rows.append({"recipe": told["recipe"], "operation": told["operation"], "images": images, "pixels": pixels})
        rows[-1]["flag"] = flag
    return tuple(rows)
