"""RunSpec: one cell of the grid, as resolved values only, and the id that names its result.

The id is a hash of what can change the result: the data's digest stands for the photographs, and no name given in the
experiment file takes part. Renaming a recipe changes no id; changing a magnitude does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from typing import Any, get_args

from ablation.augment import Operation, Recipe
from ablation.core.errors import DataError
from ablation.core.values import label, plain, restore
from ablation.data.balance import Sampling
from ablation.data.normalization import IMAGENET, Normalization, NormalizationChoice
from ablation.data.split import Parts, Split, Splittable, TrainSize
from ablation.experiment.class_weights import ResolvedWeights, class_weights_of
from ablation.models.names import Freeze, FrozenBatchNorm, Stem, is_weights_name
from ablation.models.own import is_own, source_digest
from ablation.models.weights_file import resolved as resolved_weights
from ablation.optim import Cosine, OneCycle, Optimizer, Polynomial, Schedule, with_values

RESULTS_VERSION = 4
"""Raised when a change of this program changes what the same spec measures; old runs then count as missing."""


@dataclass(frozen=True)
class RunSpec:
    """Everything that one training depends on.

    data: the digest of the images, their labels and groups. model_source: that of the code of a network of one's own,
    else "". weights: a name of torchvision's, or "sha256:" and the digest of a file. The other fields mean what they
    mean in `Experiment`; those with a default came later, and take part in the id where they are something else.

    >>> spec = experiment.cells("0123456789abcdef")[0].spec
    >>> RunSpec.from_plain(spec.to_plain()).id == spec.id
    True
    """

    data: str
    split: Split
    train_size: TrainSize | None
    image_size: int
    cache_size: int
    normalization: NormalizationChoice
    recipe: Recipe
    model: str
    model_source: str
    stem: Stem
    weights: str | None
    freeze: Freeze
    frozen_batch_norm: FrozenBatchNorm
    dropout: float
    stochastic_depth: float
    optimizer: Optimizer
    head_lr_factor: float
    schedule: Schedule
    epochs: int
    batch_size: int
    label_smoothing: float
    clip_norm: float | None
    ema: float | None
    seed: int
    class_weights: ResolvedWeights = None
    sampling: Sampling = "shuffle"
    patience: int | None = None

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of a SHA-256 over the resolved values."""
        text = json.dumps([RESULTS_VERSION, self.to_plain()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def may_stop_early(self) -> bool:
        """Whether training may end before its last epoch."""
        return self.patience is not None and self.patience < self.epochs

    def parts(self, data: Splittable) -> Parts:
        """The images to train on, to validate on and to test on. Raises DataError where the data cannot give that."""
        parts = self.split.draw(data, self.seed)
        if self.patience and not len(parts.val):
            raise DataError(f"patience = {self.patience}: there is no validation part to stop by; give the split one")
        if self.train_size is None:
            return parts
        return parts._replace(train=self.train_size.kept(data, parts.train, self.split.drawn_from(self.seed)))

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            field.name: plain(getattr(self, field.name))
            for field in fields(self)
            if field.default is MISSING or getattr(self, field.name) != field.default
        }

    @classmethod
    def from_plain(cls, form: Mapping[str, Any]) -> RunSpec:
        return cls(**{name: restore(item, CLASSES) for name, item in form.items()})


CLASSES: dict[str, type] = {
    member.__name__: member
    for union in (Operation, Optimizer, Schedule, Split)
    for member in (*get_args(union), TrainSize, Normalization)
}
"""Every class whose plain form may stand in a spec."""

IN_OPTIMIZER = ("lr", "weight_decay")
"""Fields of an experiment that stand in the run's optimizer, where they are given."""


Resolver = Callable[[Mapping[str, Any]], dict[str, Any]]
"""A function from an experiment's fields in one cell of the grid to those of a spec, but for data and seed."""


def resolver(
    source: Callable[[str], str] | None = None, weights: Callable[[str | None, str], str | None] | None = None
) -> Resolver:
    """What reads the code of networks of one's own, and files of weights, each once.

    source: from such a network's name to the digest of its code. weights: from an experiment's to a spec's, given the
    network. By default both are read. Raises DataError for a file of weights that cannot be.
    """
    source, weights = cache(source or source_digest), cache(weights or resolved_weights)

    def resolved(given: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: given[name] for name in IN_OPTIMIZER}
        values = {name: value for name, value in given.items() if name not in own}
        values["optimizer"] = with_values(given["optimizer"], **own)
        values["cache_size"] = given["cache_size"] or default_cache_size(given["image_size"])
        values["model_source"] = source(given["model"]) if is_own(given["model"]) else ""
        values["weights"] = weights(given["weights"], given["model"])
        values["class_weights"] = class_weights_of(given["class_weights"])
        if not given["freeze"]:  # no batch norm is frozen then: whatever one should do makes no other run
            values["frozen_batch_norm"] = "eval"
        if given["normalization"] == IMAGENET:
            values["normalization"] = "imagenet"
        return values

    return resolved


def default_cache_size(image_size: int) -> int:
    """The side of the cached squares for images of this size: 8/7 of it (256 for 224), in whole steps of 8."""
    return -(-image_size * 8 // 7 // 8) * 8


def cautions(spec: RunSpec, images: int) -> Iterator[str]:
    """What is allowed and seldom meant, in a run that trains on so many images: sentences for `ablation plan`."""
    if spec.freeze and spec.weights is None:
        yield f"freeze = {spec.freeze!r} without weights: what is frozen stays as it was drawn, and has learned nothing"
    if spec.weights and is_weights_name(spec.weights) and spec.normalization == "data":
        yield (
            f"weights = {spec.weights!r} were trained on pictures normalised by ImageNet's mean and sd, and here they "
            "are normalised by the data's own; normalization='imagenet' gives the weights what they know"
        )
    if spec.patience and spec.patience >= spec.epochs:
        yield f"patience = {spec.patience} with epochs = {spec.epochs}: training never stops early"
    if spec.patience and isinstance(spec.schedule, Cosine | OneCycle | Polynomial):
        yield (
            f"patience = {spec.patience} with {label(spec.schedule)}: the learning rate follows all {spec.epochs} "
            "epochs, and is still high where training stops early; Constant() and Plateau() do not look ahead"
        )
    if spec.class_weights == "balanced" and spec.sampling == "balanced":
        yield "class_weights='balanced' with sampling='balanced' makes up for small classes twice; one is enough"
    if spec.batch_size > images:
        yield f"batch_size = {spec.batch_size} is more than the {images:,} images to train on: an epoch is one step"
