"""What a run trains with: its network, its optimizer, its images and its parts, all on one device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ablation.core.errors import InputError
from ablation.data import Dataset, Parts
from ablation.data.batches import steps
from ablation.data.normalization import moments
from ablation.experiment.runs import Run
from ablation.experiment.spec import RunSpec
from ablation.models.classifier import Classifier
from ablation.models.freezing import freeze
from ablation.models.networks import build, placed, precision_on
from ablation.models.own import is_own, source_digest
from ablation.optim import build_optimizer
from ablation.optim.steps import Stepper, averaged
from ablation.training.view import View


@dataclass(frozen=True)
class Setup:
    """One run on one device, ready for its first step. `clean` shows images without augmentation; labels: (N,)."""

    run: Run
    data: Dataset
    device: torch.device
    parts: Parts
    labels: Tensor
    clean: View
    precision: Callable[[], AbstractContextManager[Any]]
    model: Classifier
    optimizer: Stepper
    average: AveragedModel | None

    @classmethod
    def of(cls, run: Run, data: Dataset, device: torch.device, cache: Path | None = None) -> Setup:
        """Build all of it from the run's spec. cache: the folder that holds the files of weights to start from."""
        spec, parts = run.spec, run.spec.parts(data)
        mean, std = moments(spec.normalization, data, parts.train)
        labels = torch.from_numpy(data.labels).to(device)
        clean = View.clean(data, device, spec.image_size, mean, std)
        model = placed(network(spec, len(data.classes), cache), device)
        optimizer = build_optimizer(spec.optimizer, model, spec.head_lr_factor)
        average = averaged(model, spec.ema) if spec.ema else None
        return cls(run, data, device, parts, labels, clean, precision_on(device), model, optimizer, average)

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
        return parts | {"average": self.average} if self.average else parts


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
