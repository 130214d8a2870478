"""How often classes are said to be better or worse separated, where they are not and where they are.

Features are Gaussian clouds, drawn anew for each run: so are the six measures of it.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from made_up import MadeUp, alike, question, results_of

from ablation.analysis.comparison import Paired, Test, Welch
from ablation.core.seeds import stream
from ablation.evidence.study import Study
from ablation.report.sections.embedding.compute import Separation, separations

GRIDS, IMAGES, WIDTH, CLASSES = 150, 60, 8, 3
MOST = 0.05 + 2 * math.sqrt(0.05 * 0.95 / GRIDS)
"""alpha and 2 standard errors of a share of so many grids."""
LABELS = np.arange(IMAGES) % CLASSES
CENTRES = stream(0, "honest centres").normal(size=(CLASSES, WIDTH))


def found(test: Test, more: float) -> Iterator[tuple[Separation, ...]]:
    """Of made-up experiments, 3 recipes x 2 optimizers x 5 seeds. more: how much further apart classes are in bright.

    Runs of one seed share a part of their noise, as they do their test images.
    """

    class Spaces(MadeUp):
        grid = 0

        def features(self, run_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            recipe, optimizer, seed = cells[run_id]
            own = stream(seed, "honest", self.grid, recipe, optimizer).normal(size=(IMAGES, WIDTH))
            shared = stream(seed, "honest images", self.grid).normal(size=(IMAGES, WIDTH))
            distance = 1 + more * (recipe == "bright")
            return np.arange(IMAGES), LABELS, (distance * CENTRES[LABELS] + own + 0.5 * shared).astype(np.float32)

    made = results_of(replace(question(), test=test), alike, test_images=IMAGES)
    rows = made.frame[["id", "recipe", "optimizer", "seed"]].itertuples(index=False, name=None)
    cells = {run_id: (recipe, optimizer, seed) for run_id, recipe, optimizer, seed in rows}
    results = Spaces(**vars(made))
    effects = Study(results).effects
    for grid in range(GRIDS):
        Spaces.grid = grid
        measured = separations(Study(results, effects))
        assert measured is not None
        assert not any(effect.note for row in measured.recipes for effect in row.effects)
        yield measured.recipes


@pytest.mark.slow
@pytest.mark.parametrize("test", [Paired(), Welch()], ids=str)
def test_equal_spaces_are_seldom_said_to_differ(test):
    claimed = [any(row.differs(0.05) for row in rows) for rows in found(test, 0.0)]
    print(f"{type(test).__name__}: {sum(claimed) / GRIDS:.3f} of {MOST:.3f}")
    assert sum(claimed) / GRIDS <= MOST


@pytest.mark.slow
def test_classes_that_are_a_quarter_further_apart_are_found():
    better = [bool(bright.shown(0.05, True)) and not bright.shown(0.05, False) for bright, _ in found(Welch(), 0.25)]
    print(f"found: {sum(better) / GRIDS:.3f}")
    assert sum(better) / GRIDS >= 0.8
