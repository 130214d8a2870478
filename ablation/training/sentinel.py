"""The sentinel: what each operation of a recipe did to the pictures of the first epoch, as the network saw them.

An operation that is silently off is a known way to publish nothing. Each record says, per operation, by how much it
changed the pixels and how many images; a run whose operation changed nothing is flagged in every table and report.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.core.errors import attempt
from ablation.experiment.spec import RunSpec
from ablation.training.view import Rows, View

VISIBLE = 0.5 / 255
"""The least change of a pixel that counts: half a level of 8 bits. Less is the rounding of what does nothing, as of
making a grey picture grey."""


class Sentinel:
    """Compares the pictures after each operation with those before it, over an epoch.

    What an operation changed is the difference between the recipe up to it and the recipe up to the one before it; the
    last of these are the very pictures that were trained on. It costs no run: where anything goes wrong it reports no
    changes, and `notes` says why.
    """

    def __init__(self, clean: View, spec: RunSpec, aspect: NDArray[np.float32], trained: Rows) -> None:
        self.operations = [type(operation).__name__ for operation in spec.recipe]
        self.notes: list[str] = []
        self.before: list[View] = []
        self.sums: Tensor | None = None
        self.images = 0
        shorter = [spec.recipe[:length] for length in range(1, len(spec.recipe))]
        views = (clean.augmented(recipe, spec.seed, 0, aspect, trained) for recipe in shorter)
        self._attempt(lambda: self.before.extend([clean, *views]))

    def observe(self, rows: Rows, pictures: Tensor, cuts: Sequence[tuple[int, int]] = ()) -> None:
        """Look at pictures (B, 3, S, S) of these rows before normalisation.

        cuts: where each batch begins and ends, where they are those of several batches.
        """
        if self.operations and not self.notes:
            self._attempt(lambda: self._compare(rows, pictures, cuts or [(0, len(rows))]))

    def changes(self) -> list[dict[str, Any]]:
        """For each operation its mean absolute change of a pixel (1 is from black to white) and the share of images
        that it changed visibly; [] where that is not known."""
        changes: list[dict[str, Any]] = []
        if self.operations and not self.notes:
            self._attempt(lambda: changes.extend(self._means()))
        return changes

    def _attempt(self, step: Callable[[], None]) -> None:
        attempt("what each operation changed", step, None, self.notes.append)

    def _compare(self, rows: Rows, pictures: Tensor, cuts: Sequence[tuple[int, int]]) -> None:
        stages = [*(view.pictures(rows) for view in self.before), pictures]
        changes = [(after - before).abs().flatten(1) for before, after in itertools.pairwise(stages)]
        each = [(one.mean(dim=1).double(), (one.amax(dim=1) >= VISIBLE).double()) for one in changes]
        for start, stop in cuts:  # batch by batch: a sum's last bit depends on what is added first
            sums = [torch.stack([mean[start:stop].sum(), changed[start:stop].sum()]) for mean, changed in each]
            self.sums = torch.stack(sums) + (0 if self.sums is None else self.sums)
        self.images += len(rows)

    def _means(self) -> list[dict[str, Any]]:
        sums = [] if self.sums is None else (self.sums / self.images).tolist()
        if not all(math.isfinite(number) for pair in sums for number in pair):
            raise ValueError("pictures of the first epoch hold what is no finite number")
        return [
            {"operation": name, "mean_change": change, "share_changed": share}
            for name, (change, share) in zip(self.operations, sums, strict=True)
        ]
