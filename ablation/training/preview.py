"""Preview: what a recipe makes of one photograph, as pictures and in words. Computes; `report.sections.pictures` draws.

The same few pictures are made by `ablation preview`, before anything is trained, and by every run, for its record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.augment import Recipe
from ablation.augment.captions import caption
from ablation.augment.draws import draw
from ablation.core.errors import DataError, InputError, Problem, did_you_mean
from ablation.data import build, listing
from ablation.data.decode import Undecodable, open_upright, to_square
from ablation.data.readers import Progress
from ablation.experiment.experiment import Experiment

if TYPE_CHECKING:
    from torch import Tensor

    from ablation.training.view import Rows, View

DRAWS = 5
"""How often a photograph is drawn: as in the first epochs."""


class Preview(NamedTuple):
    """One photograph of side S under one recipe."""

    original: NDArray[np.uint8]
    """(S, S, 3), without augmentation: as test images are shown."""
    draws: NDArray[np.uint8]
    """(D, S, S, 3), as it is drawn for epoch 0, 1, ..., before normalisation."""
    captions: tuple[str, ...]
    """What was drawn, D lines."""


@dataclass(frozen=True)
class Shown:
    """What `ablation preview` shows: a preview for each recipe by name, all of the photograph `name`."""

    previews: dict[str, Preview]
    name: str
    seed: int


def preview(clean: View, recipe: Recipe, seed: int, row: int, aspect: NDArray[np.float32], trained: Rows) -> Preview:
    """The sample `row` through the recipe as it is drawn in the first epochs.

    clean: the view without augmentation. aspect: (N,) of the data set. trained: rows that partners for mixing are of.
    """
    rows, pictures, captions = np.array([row]), [], []
    for epoch in range(DRAWS):
        drawn = draw(recipe, seed, epoch, aspect, clean.size)
        pictures.append(as_bytes(clean.through(drawn, trained).pictures(rows)))
        captions.append(caption(drawn, row))
    return Preview(as_bytes(clean.pictures(rows))[0], np.concatenate(pictures), tuple(captions))


def blank(side: int) -> Preview:
    """What stands for a preview that could not be made: grey pictures that say so."""
    grey = np.full((DRAWS, side, side, 3), 128, np.uint8)
    return Preview(grey[0], grey, ("could not be drawn",) * DRAWS)


def as_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures (B, 3, S, S) in [0, 1] as (B, S, S, 3) uint8."""
    return (pictures * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def previews(
    experiment: Experiment,
    cache: Path,
    recipes: Sequence[str] = (),
    image: Path | None = None,
    progress: Progress | None = None,
) -> Shown:
    """The recipes of these names (by default all) on the first training image of the experiment's first cell.

    That is the picture which the first run keeps too. image: any photograph in its stead; it is drawn as that image
    would be. Raises InputError for a recipe that there is not, DataError for what cannot be read.
    """
    import torch

    from ablation.training.view import View

    names = tuple(dict.fromkeys(recipes)) or tuple(experiment.recipes)
    if unknown := [name for name in names if name not in experiment.recipes]:
        listed = f"({', '.join(experiment.recipes)})"
        wrong = (f"{name!r}{did_you_mean(name, experiment.recipes)} {listed}" for name in unknown)
        raise InputError(Problem(f"{experiment.name} has no recipe {one}") for one in wrong)
    spec = experiment.cells("")[0].spec
    square = None if image is None else _read(image, spec.cache_size)
    data = build(listing(experiment.data, cache), spec.cache_size, cache, progress, check=False)
    trained = spec.parts(data).train
    row, name = int(trained[0]), data.names[trained[0]]
    if square is not None and image is not None:
        name, data = image.name, replace(data, aspect=data.aspect.copy())
        data.aspect[row] = square[1]
    clean = View.clean(data, torch.device("cpu"), spec.image_size, np.zeros(3), np.ones(3))
    if square is not None:
        clean = replace(clean, pixels=_with(torch.from_numpy(square[0].copy()), row, clean.pixels), clean_of=None)
    made = {
        recipe: preview(clean, experiment.factors["recipe"][recipe], spec.seed, row, data.aspect, trained)
        for recipe in names
    }
    return Shown(made, name, spec.seed)


def _read(image: Path, size: int) -> tuple[NDArray[np.uint8], float]:
    """A photograph as it would be cached, (3, size, size), and its width / height."""
    try:
        return to_square(open_upright(image.read_bytes()), size)
    except Undecodable as error:
        raise DataError(Problem(f"cannot be decoded: {error}", str(image))) from None
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror or error}", str(image))) from None


def _with(square: Tensor, row: int, pixels: Callable[[Rows], Tensor]) -> Callable[[Rows], Tensor]:
    """The cached squares (B, 3, R, R) of rows, with another one (3, R, R) at `row`."""

    def replaced(rows: Rows) -> Tensor:
        squares = pixels(rows)
        squares[(rows == row).nonzero()[0]] = square
        return squares

    return replaced
