"""What a run trains with: its network, its optimizer, its images and its parts, all on one device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ablation.core.errors import InputError, Problem
from ablation.data import Dataset, Parts
from ablation.data.balance import balanced_weights
from ablation.data.batches import steps
from ablation.data.normalization import moments
from ablation.experiment.class_weights import misfits, weights_of
from ablation.experiment.runs import Run
from ablation.experiment.spec import RunSpec
from ablation.models.classifier import Classifier
from ablation.models.freezing import freeze
from ablation.models.networks import build, placed, precision_on
from ablation.models.own import is_own, source_digest
from ablation.optim import build_optimizer
from ablation.optim.steps import Stepper, averaged
from ablation.training.execution import AS_USUAL, Execution
from ablation.training.step import Passes, cuda_graphs, passes_of
from ablation.training.view import View

SHAPE = (
    *("model", "stem", "weights", "freeze", "frozen_batch_norm", "stochastic_depth", "dropout", "image_size"),
    *("batch_size", "label_smoothing"),
)
"""The fields of a spec that decide what a recorded or compiled pass does."""


@dataclass(frozen=True)
class Setup:
    """One run on one device, ready for its first step. `clean` shows images without augmentation; labels: (N,)."""

    run: Run
    data: Dataset
    device: torch.device
    parts: Parts
    labels: Tensor
    clean: View
    passes: Passes
    optimizer: Stepper
    average: AveragedModel | None
    best: Classifier | None = None
    """The network of the best epoch so far, where training may stop early: what is tested in the end."""

    @classmethod
    def of(
        cls, run: Run, data: Dataset, device: torch.device, cache: Path | None = None, execution: Execution = AS_USUAL
    ) -> Setup:
        """Build all of it from the run's spec. cache: the folder that holds the files of weights to start from.

        The network may be that of a run before, made what this run's is: one run at a time.
        """
        spec, parts = run.spec, run.spec.parts(data)
        mean, std = moments(spec.normalization, data, parts.train)
        labels = torch.from_numpy(data.labels).to(device)
        clean = View.clean(data, device, spec.image_size, mean, std)
        chosen = execution.on(str(device), spec.model)
        fresh = network(spec, len(data.classes), cache)
        passes = _passes(spec, fresh, device, chosen, is_own(spec.model) and execution.step == "auto")
        passes.weigh(_class_weights(spec, data, parts, device))
        clean = replace(clean, channels_last=chosen.channels_last(spec.model))
        optimizer = build_optimizer(spec.optimizer, passes.model, spec.head_lr_factor)
        average = averaged(passes.model, spec.ema) if spec.ema else None
        setup = cls(run, data, device, parts, labels, clean, passes, optimizer, average)
        return replace(setup, best=_copied(setup.tested)) if spec.patience else setup

    @property
    def model(self) -> Classifier:
        """The network in training."""
        return self.passes.model

    @property
    def precision(self) -> Callable[[], AbstractContextManager[Any]]:
        """What the network runs within."""
        return self.passes.precision

    @property
    def tested(self) -> Classifier:
        """The network that is validated, tested and kept: the average of the weights where there is one."""
        return cast(Classifier, self.average.module) if self.average else self.model

    @property
    def steps_per_epoch(self) -> int:
        return steps(len(self.parts.train), self.run.spec.batch_size)

    @property
    def learned(self) -> dict[str, Any]:
        """What training changes, by the name that it has in a checkpoint."""
        parts = {"model": self.model, "optimizer": self.optimizer}
        parts |= {"average": self.average} if self.average else {}
        return parts | ({"best": self.best} if self.best else {})


def _copied(model: Classifier) -> Classifier:
    """A network of the same weights that is not trained."""
    return copy.deepcopy(model).requires_grad_(False).eval()


def _class_weights(spec: RunSpec, data: Dataset, parts: Parts, device: torch.device) -> Tensor | None:
    """(C,) float32 on the device, those that are computed from the training part; None where classes weigh alike."""
    if spec.class_weights is None:
        return None
    if wrong := [*misfits(spec.class_weights, data.classes)]:
        raise InputError(map(Problem, wrong))
    given = weights_of(spec.class_weights, data.classes)
    balanced = balanced_weights(data.labels[parts.train], len(data.classes))
    weights = [given[name] for name in data.classes] if given else balanced
    return torch.as_tensor(weights, dtype=torch.float32, device=device)


def _passes(spec: RunSpec, fresh: Classifier, device: torch.device, chosen: Execution, unrecorded: bool) -> Passes:
    """Passes of the network `fresh`, in its memory format on its device.

    unrecorded: for a network of the user's own, where no step was chosen: what it does in Python is not in a graph. Nor
    is such a network ever used for another run.
    """
    compiled = chosen.step == "compile"
    recorded = not unrecorded and (chosen.step == "graph" or (compiled and device.type == "cuda"))

    def make(model: Classifier) -> Passes:
        there = placed(model, device, chosen.channels_last(spec.model))
        capture = cuda_graphs(device) if recorded else None
        return Passes(there, precision_on(device), spec.batch_size, spec.label_smoothing, compiled, capture)

    weighted = spec.class_weights is not None
    shape = (str(device), chosen, fresh.head.out_features, weighted, *(getattr(spec, name) for name in SHAPE))
    return passes_of(fresh, None if is_own(spec.model) or not (compiled or recorded) else shape, make)


def network(spec: RunSpec, classes: int, cache: Path | None = None) -> Classifier:
    """The network of a spec, with the weights that it starts from; what does not learn is frozen.

    Raises InputError where the source of a network of one's own is another than when the run was planned: what was
    trained would not be what the id says.
    """
    options: dict[str, Any] = {"stem": spec.stem, "weights": spec.weights, "stochastic_depth": spec.stochastic_depth}
    model = build(spec.model, classes, spec.dropout, spec.seed, image_size=spec.image_size, cache=cache, **options)
    if is_own(spec.model) and source_digest(spec.model) != spec.model_source:
        raise InputError(f"the source of {spec.model} has changed since the run was planned; give the command again")
    freeze(model, spec.freeze, spec.frozen_batch_norm)
    return model
