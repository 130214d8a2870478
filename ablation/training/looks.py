"""Looks at the trained network: what a run keeps for analyses of later, besides its test part.

Its answers for the training and validation parts without augmentation; those for test images under the experiment's
test conditions; and where it looks. None of it can cost the run: what cannot be computed is a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.analysis.sampling import stratified_subset
from ablation.augment.apply import on
from ablation.augment.draws import draw
from ablation.core.errors import attempt
from ablation.data import Dataset
from ablation.experiment.record import compact
from ablation.experiment.robustness import MOST_IMAGES, MOST_SHARE, Condition, work_share
from ablation.training.gradcam import GradCam
from ablation.training.kept import KEPT
from ablation.training.setup import Setup
from ablation.training.view import Rows, View, batches, predict

MOST_BYTES = 64_000_000
"""Of all logits of a run. Where they would take more, the training part is kept as far as there is room."""

FEWEST_BYTES = 4_000_000
"""Room for the training part, whatever the others take."""

MOST_MAPS = 200
"""Test images of which it is kept where the network looks."""

AT_ONCE = 64 * 224 * 224
"""Pixels of a batch of these looks, at least as many images as a batch in training: small pictures go many at once."""


def looks(
    setup: Setup,
    conditions: Sequence[Condition],
    always: bool,
    note: Callable[[str], None],
    grad_cam: GradCam | None,
    val_logits: NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """The optional fields of `Arrays`. always: show test conditions whatever they cost, see `robustness.MOST_SHARE`.

    grad_cam: of `grad_cam_of`, after the test. val_logits: (V, C) of the validation part, where they are known.
    """
    kept: dict[str, Any] = {}
    shown = _affordable(setup, conditions, always)
    for what, compute in (
        ("robustness", partial(_corrupted, setup, shown)),
        ("the training and validation parts", partial(_parts, setup, len(shown), val_logits)),
        ("where the network looks", partial(_attention, grad_cam)),
    ):
        nothing: dict[str, Any] = {}
        kept |= attempt(what, compute, nothing, note)
    return kept


def _affordable(setup: Setup, conditions: Sequence[Condition], always: bool) -> Sequence[Condition]:
    """Those that the run is tested under: all, or none where they would cost too much."""
    tested, trained, validated = (len(part) for part in (setup.parts.test, setup.parts.train, setup.parts.val))
    share = work_share(len(conditions), tested, trained, validated, setup.run.spec.epochs)
    return conditions if always or share <= MOST_SHARE else ()


def _parts(setup: Setup, conditions: int, val_logits: NDArray[np.float32] | None) -> dict[str, Any]:
    """The validation part, and of the training part what there is room for, each class in its share."""
    parts, classes = setup.parts, len(setup.data.classes)
    others = 4 * len(parts.test) + 2 * len(parts.val) + 2 * conditions * min(len(parts.test), MOST_IMAGES)
    room = max(MOST_BYTES - classes * others, FEWEST_BYTES) // (2 * classes)
    rows = {"train": _subset(setup, np.sort(parts.train), room), "val": parts.val}
    kept: dict[str, Any] = {}
    for part, own in rows.items():
        if len(own):
            if part == "train":
                logits = _logits(setup, setup.clean, own)
            else:  # in batches as after an epoch, so that bits do not depend on whether they are known
                logits = _finite(_tested(setup, setup.clean, own) if val_logits is None else val_logits)
            kept |= {f"{part}_sample": own, f"{part}_label": setup.data.labels[own], f"{part}_logits": logits}
    return kept


def _corrupted(setup: Setup, conditions: Sequence[Condition]) -> dict[str, Any]:
    if not conditions:
        return {}
    rows = _subset(setup, setup.parts.test, MOST_IMAGES)
    logits = []
    for pictures in _changed(setup, conditions, rows):
        view = setup.clean.of_pixels(partial(_picked, pictures))
        logits.append(_logits(setup, view, np.arange(len(rows))))
    return {
        "corrupted_sample": rows,
        "corrupted_label": setup.data.labels[rows],
        "corrupted_logits": np.stack(logits),
    }


def _changed(setup: Setup, conditions: Sequence[Condition], rows: Rows) -> Iterable[Tensor]:
    """(R, 3, side, side) uint8 for each test condition: these rows under it. The worker's next run finds them kept."""
    side = setup.run.spec.image_size
    each = (_under(setup.data, setup.device, side, condition, rows) for condition in conditions)
    if not KEPT.fits(len(conditions) * len(rows) * 3 * side**2):
        return each
    key = (setup.data, setup.device, side, tuple(conditions), rows.tobytes())
    return KEPT.get(key, lambda: torch.stack(tuple(each)))


def _under(data: Dataset, device: torch.device, side: int, condition: Condition, rows: Rows) -> Tensor:
    drawn = draw(condition.recipe, 0, 0, data.aspect, side)  # of no run: every network answers for the same
    view = View.clean(data, device, side, np.zeros(3), np.ones(3)).through(drawn, rows)
    return torch.cat([(view.pictures(batch) * 255).round().byte() for batch in batches(rows, 64)])


def _picked(pictures: Tensor, rows: Rows) -> Tensor:
    return pictures[on(pictures.device, rows)]


def grad_cam_of(setup: Setup) -> GradCam:
    """What keeps where the network looks while it answers the test part, for at most `MOST_MAPS` of its images."""
    return GradCam(setup.tested, _subset(setup, setup.parts.test, MOST_MAPS))


def _attention(grad_cam: GradCam | None) -> dict[str, Any]:
    kept = grad_cam.maps() if grad_cam else None
    return {} if kept is None else {"attention_sample": kept[0], "attention_maps": kept[1]}


def _subset(setup: Setup, rows: Rows, most: int) -> Rows:
    return rows[stratified_subset(setup.data.labels[rows], most)]


def _logits(setup: Setup, view: Any, rows: Rows) -> Any:
    """(T, C) float16, as `_finite` has them."""
    at_once = max(setup.run.spec.batch_size, AT_ONCE // view.size**2)
    return _finite(_tested(setup, view, rows, min(at_once, 1024)))


def _tested(setup: Setup, view: View, rows: Rows, at_once: int | None = None) -> NDArray[np.float32]:
    """(T, C) the logits, by default in batches as in training."""
    return predict(setup.tested, view, rows, at_once or setup.run.spec.batch_size, setup.precision)[0]


def _finite(logits: NDArray[np.float32]) -> Any:
    """(T, C) float16. Raises ValueError where the network answers with what is no finite number."""
    if not np.isfinite(logits).all():
        raise ValueError("the network answers with what is no finite number")
    return compact(logits)
