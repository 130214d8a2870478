"""Experiment: the question, as its author writes it, and the grid of runs that answers it.

A value without torch, MLflow or files: `cells(data)` multiplies it out, given the digest of the data.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal

from ablation.analysis.comparison import Test
from ablation.analysis.metrics import METRICS
from ablation.augment import Recipe
from ablation.augment.operations.choice import scaled
from ablation.augment.operations.mix import misplaced, mixes
from ablation.core.errors import InputError, did_you_mean
from ablation.core.own_modules import folders_of
from ablation.core.text import alike, controls, listing
from ablation.core.values import (
    BelowOne,
    Count,
    NonNegative,
    OneOf,
    Positive,
    Range,
    Whole,
    file_being_read,
    fit,
    hints,
    label,
    value,
)
from ablation.data.balance import Sampling
from ablation.data.normalization import NormalizationChoice
from ablation.data.sources import Source, Subset
from ablation.data.split import Redrawn, Split, TrainSize
from ablation.experiment.class_weights import ClassWeights, wrong_weights
from ablation.experiment.declared_test import default_test, wrong_test
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.robustness import STRENGTHS
from ablation.experiment.spec import IN_OPTIMIZER, Resolver, RunSpec, resolver
from ablation.models.names import (
    CHOICES,
    Freeze,
    FrozenBatchNorm,
    Stem,
    is_weights_name,
    needs_its_size,
    wrong_choices,
    wrong_model,
)  # fmt: skip
from ablation.models.own import source_digest
from ablation.optim import Constant, Optimizer, Schedule, shortened, with_values

MOST_SEEDS = 10_000
"""More are a slip of the keyboard, and a grid that does not fit into memory."""

POINT = 0.01
"""The margin of equivalence where none is given, of a metric in points."""

Primary = Literal["pooled", "each"]
Metric = Annotated[str, OneOf(METRICS, also=OwnMetric)]
VARIABLE = (
    "model", "stem", "weights", "freeze", "frozen_batch_norm", "dropout", "stochastic_depth",
    *IN_OPTIMIZER, "head_lr_factor", "schedule", "epochs", "batch_size", "label_smoothing", "clip_norm", "ema",
    "class_weights", "sampling", "patience", "image_size", "cache_size", "normalization", "split", "train_size",
)  # fmt: skip
"""What `vary` may name, besides the recipes, optimizers and seeds that have fields of their own."""


def wrong_names(where: str, names: Iterable[str]) -> Iterator[str]:
    """What is wrong with the names of recipes, optimizers or levels: blank, with signs that do not show, or alike.

    A line break is a space to whoever reads the name.
    """
    shown: dict[str, str] = {}
    for name in names:
        wrong = dict.fromkeys(f"U+{ord(one):04X}" for one in controls(name) if one != "\n")
        other = shown.setdefault(alike(name), name)
        if not name.strip():
            yield f"{where}: the name {name!r} says nothing"
        elif wrong:
            yield f"{where}: the name {name!r} has {listing(wrong)}, which cannot be read; leave it out"
        elif other != name:
            yield f"{where}: the names {other!r} and {name!r} look alike; use another one"


@dataclass(frozen=True)
class Cell:
    """One cell of the grid: the level of each factor by its name in the file, the seed, and the resolved spec."""

    factors: Mapping[str, str]
    seed: int
    spec: RunSpec

    @property
    def condition(self) -> tuple[str, ...]:
        """Everything but recipe and seed: the recipes that are compared share it."""
        return tuple(level for factor, level in self.factors.items() if factor != "recipe")


@value
class Experiment:
    """Recipes x optimizers x whatever else varies x seeds, a baseline, a primary metric, and the test to be used.

    recipes, optimizers, vary: name -> value; the names are for people and change no result. vary maps a field of this
    class (see `VARIABLE`) to a tuple of values, or to a dict of name -> value. exclude: dicts of factor -> name; a cell
    that matches all of one is dropped. seeds: how many (0, 1, ...), or which. margin: the difference in the metric
    below which two recipes count as equivalent; by default one point (0.01) of a metric in points, as the accuracy, and
    of any other none, so that nothing is called equivalent. alpha: the family-wise error. question: in words; by
    default the first line of the file's docstring. test: by default `Crossed`, for new seeds (with
    `Redrawn`, new training photographs too) and new test photographs together; `CorrectedResampled` where the test part
    is redrawn for each seed. primary: what is tested first where there are several conditions: each recipe pooled over
    them, or each recipe under each; the rest is tested behind it. robustness: are trained networks tested on changed
    test images as well (see `ablation.experiment.robustness`)? None: where `corrupt` names changes, or where it is less
    than a tenth of the training's work. corrupt: name -> recipe of what is then done to the test images, instead of the
    usual six. file: filled in, that in which it stands.

    model: a classifier of torchvision's, "shallow_cnn", "lenet", or "package.module:function" for one's own (see
    `ablation.models.own`). stem: "small" for images below 64 pixels, on ResNets. weights: to start from, by
    torchvision's name or as a path. freeze: "backbone", or how many layers, are not trained. normalization: by the mean
    and sd of the training part ("data"), of ImageNet, or given. lr, weight_decay: instead of each optimizer's own.
    head_lr_factor: the last layer's learning rate in multiples of the others'. clip_norm: the most that the norm of all
    gradients may be. ema: the decay of an average of the weights over the steps, which is then what is tested.
    class_weights: of the loss, as in torch's `CrossEntropyLoss`, with mixed labels too an average by weight (see
    `ablation.training.step.cross_entropy`): "balanced" (by the training part of each run, as scikit-learn's
    `compute_class_weight`), a number a class in the order of the classes, or a dict by their names; the validation
    loss is without. sampling: "balanced" shows each class equally often in an epoch of as many images.
    patience: training stops when the validation loss has not improved for so many epochs, and the network of the best
    epoch is tested, also where no run stops; schedules follow `epochs` all the same.

    >>> recipes = {"none": (), "brighter": (Brightness(0.4),)}
    >>> experiment = Experiment("light", Digits(), recipes, {"adam": Adam()}, baseline="none", model="lenet", seeds=3)
    >>> len(experiment.cells("digest of the data"))
    6
    """

    name: str
    data: Source
    recipes: Mapping[str, Recipe]
    optimizers: Mapping[str, Optimizer]
    baseline: str
    model: str = "resnet50"
    stem: Stem = "torchvision"
    weights: str | None = None
    freeze: Freeze = 0
    frozen_batch_norm: FrozenBatchNorm = "eval"
    image_size: Count = 224
    cache_size: Count | None = None
    normalization: NormalizationChoice = "data"
    dropout: BelowOne = 0.0
    stochastic_depth: BelowOne = 0.0
    lr: Positive | None = None
    weight_decay: NonNegative | None = None
    head_lr_factor: Positive = 1.0
    schedule: Schedule = Constant()
    epochs: Count = 30
    batch_size: Annotated[int, Range(low=2)] = 64
    label_smoothing: BelowOne = 0.0
    clip_norm: Positive | None = None
    ema: Annotated[float, Range(above=0, below=1)] | None = None
    class_weights: ClassWeights = None
    sampling: Sampling = "shuffle"
    patience: Count | None = None
    split: Split = Redrawn()
    train_size: TrainSize | None = None
    seeds: Count | tuple[Whole, ...] = 5
    vary: Mapping[str, Any] = field(default_factory=dict)
    exclude: tuple[Mapping[str, str], ...] = ()
    metric: Metric = "accuracy"
    test: Test | None = None
    primary: Primary = "pooled"
    margin: Positive | None = None
    alpha: Annotated[float, Range(above=0, below=1)] = 0.05
    robustness: bool | None = None
    corrupt: Mapping[str, Recipe] = field(default_factory=dict)
    question: str = ""
    file: str = field(default_factory=file_being_read, repr=False, compare=False)

    def check(self) -> Iterator[str]:
        """Rules between fields; each broken one is a message."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", self.name):
            yield f"name = {self.name!r}: use at most 200 letters, digits, '-', '_' and '.', as it names a folder"
        levels = [*self._check_levels("recipes", Recipe), *self._check_levels("optimizers", Optimizer)]
        yield from levels
        if self.baseline not in self.recipes:
            yield (
                f"baseline = {self.baseline!r} is not one of the recipes"
                f"{did_you_mean(self.baseline, self.recipes)} ({', '.join(self.recipes)})"
            )
        yield from self._check_seeds()
        yield from self._check_corrupt()
        yield from self._check_weights()
        wrong = [*self._check_vary(), *self._check_exclude()]
        yield from wrong
        if not levels and not wrong:
            yield from self._check_networks()
            yield from self._check_optimizers()
            yield from self._check_schedules()
        if self.test is not None:
            yield from wrong_test(self.test, self.levels("split").values(), self.metric)

    def _check_seeds(self) -> Iterator[str]:
        number = self.seeds if isinstance(self.seeds, int) else len(self.seeds)
        if number > MOST_SEEDS:
            yield f"seeds: expected at most {MOST_SEEDS:,}, got {number:,}; each is a run of every recipe"
        elif isinstance(self.seeds, tuple) and (not self.seeds or len(set(self.seeds)) < number):
            yield f"seeds = {self.seeds}: name at least one seed, and each once"

    def _check_levels(self, name: str, hint: Any) -> Iterator[str]:
        levels = getattr(self, name)
        if not levels:
            yield f"{name} is empty; name at least one"
        yield from wrong_names(name, levels)
        for key, level in levels.items():
            _, wrong = fit(level, hint)
            wrong = wrong or (misplaced(level) if name != "optimizers" else "")
            comma = "" if name == "optimizers" else "; a recipe of one operation needs a comma: (operation,)"
            if wrong.startswith("expected a tuple"):
                yield f"{name}[{key!r}]: {wrong}{comma}"
            elif wrong:
                yield f"{name}[{key!r}]: {wrong if wrong.startswith('expected') else f'{level!r}: {wrong}'}"

    def _check_corrupt(self) -> Iterator[str]:
        """Test conditions are recipes that change an image without another, and at each of their strengths."""
        wrong = [*self._check_levels("corrupt", Recipe)] if self.corrupt else []
        yield from wrong
        for name, recipe in {} if wrong else self.corrupt.items():
            if name == "clean":
                yield "corrupt: 'clean' is what unchanged test images are called; use another name"
            if not recipe:
                yield f"corrupt[{name!r}] is empty: it would change no test image"
            if mixes(tuple(recipe)):
                yield f"corrupt[{name!r}]: {recipe!r} mixes images, and a test image has one label"
            try:
                for strength in STRENGTHS:
                    scaled(tuple(recipe), strength)
            except InputError as error:
                yield f"corrupt[{name!r}]: {error.problems[0].message}"

    def _check_weights(self) -> Iterator[str]:
        """Class weights are finite numbers above 0; how many there must be is known with the data."""
        varied = self.vary.get("class_weights", ())
        levels = varied.values() if isinstance(varied, Mapping) else varied if isinstance(varied, tuple | list) else ()
        for given in (self.class_weights, *levels):
            if wrong := wrong_weights(given):
                yield f"class_weights = {given!r}: {wrong}"

    def _check_vary(self) -> Iterator[str]:
        for factor, levels in self.vary.items():
            if factor not in VARIABLE:
                yield f"vary: {factor!r} cannot vary{did_you_mean(factor, VARIABLE)} ({', '.join(VARIABLE)})"
            elif not isinstance(levels, tuple | list | Mapping) or not levels:
                yield f"vary[{factor!r}] = {levels!r}: expected a tuple of values, or a dict of name -> value"
            elif isinstance(levels, Mapping) and (wrong := fit(dict(levels), dict)[1]):
                yield f"vary[{factor!r}]: {wrong}"
            else:
                yield from wrong_names(f"vary[{factor!r}]", levels if isinstance(levels, Mapping) else ())
                for level in levels.values() if isinstance(levels, Mapping) else levels:
                    _, wrong = fit(level, hints(Experiment)[factor])
                    if wrong:
                        yield f"vary[{factor!r}]: {level!r}: {wrong}"
                if len(set(map(repr, self.levels(factor).values()))) < len(levels):
                    yield f"vary[{factor!r}] = {levels!r}: a value is given twice"

        for model in self.levels("model").values():
            if isinstance(model, str) and (wrong := wrong_model(model, folders_of(self.file))):
                yield wrong

    def _check_networks(self) -> Iterator[str]:
        """What each network of the grid cannot take of the choices for it, each mistake once."""
        choices = {tuple(self._value(name, cell) for name in CHOICES): None for cell in self._grid()}
        yield from dict.fromkeys(wrong for choice in choices for wrong in wrong_choices(*choice))

    def _check_optimizers(self) -> Iterator[str]:
        """Whether each optimizer has the fields that `lr` and `weight_decay` would set."""
        given = {name: max(filter(None, self.levels(name).values()), default=None) for name in IN_OPTIMIZER}
        for name, optimizer in self.optimizers.items():
            try:
                with_values(optimizer, **given)
            except InputError as error:
                yield f"optimizers[{name!r}]: {error.problems[0].message}"

    def _check_schedules(self) -> Iterator[str]:
        """Whether each schedule of the grid comes out of its warm-up."""
        pairs = {(self._value("schedule", cell), self._value("epochs", cell)): None for cell in self._grid()}
        for schedule, epochs in pairs:
            if schedule.warmup >= epochs:
                yield (
                    f"{label(schedule)} with epochs = {epochs}: warm-up takes all epochs, and the learning rate is "
                    f"never reached; expected a warmup below {epochs}"
                )

    def _check_exclude(self) -> Iterator[str]:
        for rule in self.exclude:
            for factor, level in rule.items():
                if factor not in self.factors:
                    suggestion = did_you_mean(factor, self.factors)
                    yield f"exclude: {factor!r} is not a factor{suggestion} ({', '.join(self.factors)})"
                elif level not in tuple(self.factors[factor]):
                    levels = self.factors[factor]
                    suggestion = did_you_mean(str(level), levels)
                    yield f"exclude: {factor} has no level {level!r}{suggestion} ({', '.join(levels)})"
            if not rule:
                yield "exclude: an empty rule would drop every cell"
        dropped = not any(names["recipe"] == self.baseline for names in self._grid()) if self.exclude else False
        if dropped and self.baseline in self.recipes:
            yield f"exclude drops every cell of the baseline {self.baseline!r}: nothing would be compared"

    def levels(self, factor: str) -> dict[str, Any]:
        """The levels of a field by name: those in `vary`, or the one given."""
        levels = self.vary.get(factor, (getattr(self, factor),))
        if not isinstance(levels, Mapping | tuple | list):
            return {}  # a mistake, which `check` reports
        named = dict(levels) if isinstance(levels, Mapping) else {label(level): level for level in levels}
        return {name: fit(level, hints(Experiment)[factor])[0] for name, level in named.items()}

    @cached_property
    def factors(self) -> dict[str, dict[str, Any]]:
        """Every factor of the grid with its levels, name -> value, in the order of the file; without the seeds."""
        recipes = {name: fit(recipe, Recipe)[0] for name, recipe in self.recipes.items()}
        varied = {factor: self.levels(factor) for factor in self.vary if factor in VARIABLE}
        return {"recipe": recipes, "optimizer": dict(self.optimizers), **varied}

    @property
    def weight_files(self) -> tuple[Path, ...]:
        """The files of weights that runs start from."""
        return tuple(
            Path(weights) for weights in self.levels("weights").values() if weights and not is_weights_name(weights)
        )

    def _value(self, field: str, cell: Mapping[str, str]) -> Any:
        """What a field is in one cell of the grid, which is given by the names of its levels."""
        return self.factors[field][cell[field]] if field in cell else getattr(self, field)

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @cached_property
    def declared_test(self) -> Test:
        """The test to be used: the one declared, or the default for the way the parts are made."""
        return self.test or default_test(self.levels("split").values(), self.metric)

    @property
    def declared_margin(self) -> float | None:
        """The margin of equivalence: the one given, or one point; None of a metric that is not in points.

        What 0.01 is worth in euros or nats nobody knows but the author.
        """
        if self.margin is None and METRICS[self.metric].unit == "points":
            return POINT
        return self.margin

    def cells(self, data: str, resolved: Resolver | None = None) -> tuple[Cell, ...]:
        """The grid in order, recipes outermost and seeds innermost, for the data with this digest.

        Two names for the same values give two cells with one spec, hence one run. resolved: what makes a spec's fields
        of those of a cell, by default `resolver()`, which reads files of code and weights. Raises DataError for a file
        of weights that cannot be read.
        """
        resolved = resolved or resolver(partial(source_digest, inside=folders_of(self.file)))
        fixed = {name: getattr(self, name) for name in VARIABLE if name not in self.vary}
        cells = []
        for names in self._grid():
            values = resolved(fixed | {factor: self.factors[factor][name] for factor, name in names.items()})
            cells += [Cell(names, seed, RunSpec(data=data, seed=seed, **values)) for seed in self.seed_numbers]
        return tuple(cells)

    def _grid(self) -> Iterator[dict[str, str]]:
        """The names of the levels, factor -> name, of every cell of the grid that `exclude` leaves; seeds aside."""
        for combination in itertools.product(*self.factors.values()):
            names = dict(zip(self.factors, combination, strict=True))
            if not any(all(names.get(factor) == level for factor, level in rule.items()) for rule in self.exclude):
                yield names

    def smoke(self) -> Experiment:
        """The same experiment made small, under a name of its own: few images, small size, one epoch, two seeds."""
        models = [str(model) for model in self.levels("model").values()]
        warm = {name: shortened(level, 1) for name, level in self.levels("schedule").items()}
        small: dict[str, Any] = {
            "image_size": self.image_size if any(map(needs_its_size, models)) else min(self.image_size, 64),
            "cache_size": None,
            "epochs": 1,
            "batch_size": min(self.batch_size, 16),
            "split": self.split.smoke(),
            "train_size": None,
            "robustness": self.robustness is not False,
        }
        small["vary"] = {factor: levels for factor, levels in self.vary.items() if factor not in small}
        small["vary"] |= {"schedule": warm} if "schedule" in self.vary else {}
        small["schedule"] = shortened(self.schedule, 1)
        small["exclude"] = tuple(rule for rule in self.exclude if not rule.keys() & small.keys())
        data, seeds = Subset(self.data, per_class=10), self.seed_numbers[:2]
        return replace(self, name=f"{self.name}-smoke", data=data, seeds=seeds, **small)
