"""What runs will take, before any is trained: seconds and GPU memory, from a network's counts and the machine's rates.

Time is that of the network and the optimizer. Augmentation, reading images and writing checkpoints are not in it: what
they take is known from runs that have finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.models.counts import Asked, Counts, counted
from ablation.rates import Load, Machine, remembered
from ablation.spec import RunSpec
from ablation.values import label

NUMBER = 4
"""Bytes of a weight, a gradient and an optimizer's number: training holds them in float32."""


@dataclass(frozen=True)
class Images:
    """How many images a run trains on, looks at after each epoch, tests on, and finds in its cache."""

    train: int
    val: int
    test: int
    cached: int


@dataclass(frozen=True)
class Memory:
    """Bytes that training holds on a device; workspaces of single operations and the driver's share come on top."""

    weights: int
    gradients: int
    optimizer: int
    """The optimizer's numbers, and an average of the weights where one is kept."""
    activations: int
    """What a batch keeps for the backward pass."""
    images: int
    """The image cache, which lies on a GPU whole if it fits into half its memory."""

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.images


@dataclass(frozen=True)
class Estimate:
    """One run. seconds, error: None where the machine's rates are not known."""

    memory: Memory
    seconds: float | None
    error: float | None
    """The typical relative error of `seconds` for a network that the rates were not measured on."""


@dataclass(frozen=True)
class Cost:
    """Runs of one grid that cost the same: how they differ from the others, how many there are, and one's estimate."""

    model: str
    image_size: int
    batch_size: int
    epochs: int
    optimizer: str
    runs: int
    counts: Counts
    estimate: Estimate


def asked_of(spec: RunSpec, classes: int) -> Asked:
    """The network that a run asks for."""
    return Asked(
        *(spec.model, classes, spec.image_size),
        stem=spec.stem,
        stochastic_depth=spec.stochastic_depth,
        freeze=spec.freeze,
        frozen_batch_norm=spec.frozen_batch_norm,
    )


def estimate(spec: RunSpec, counts: Counts, images: Images, machine: Machine | None) -> Estimate:
    """What one run takes on that machine; without one, its memory as on a GPU."""
    precision = machine.precision if machine else "bfloat16"
    memory = memory_of(spec.optimizer, spec.batch_size, counts, precision, averaged=spec.ema is not None)
    if precision == "bfloat16":
        memory = replace(memory, images=3 * spec.cache_size**2 * images.cached)
    if machine is None:
        return Estimate(memory, None, None)
    step = machine.training.seconds(training_load(counts, spec.batch_size, precision))
    look = machine.looking.seconds(looking_load(counts, spec.batch_size, precision))
    steps, glances, tests = (-(-part // spec.batch_size) for part in (images.train, images.val, images.test))
    seconds = spec.epochs * (steps * step * passes(spec.optimizer) + glances * look) + tests * look
    return Estimate(memory, seconds, machine.training.typical_error)


def memory_of(optimizer: Any, batch_size: int, counts: Counts, precision: str, averaged: bool = False) -> Memory:
    """What training holds for a batch, without the image cache."""
    extra = counts.parameters if averaged else 0
    copies = counts.copies_bfloat16 if precision == "bfloat16" else 0
    return Memory(
        weights=NUMBER * (counts.parameters + counts.buffers),
        gradients=NUMBER * counts.trainable,
        optimizer=NUMBER * (state_numbers(optimizer, counts) + extra),
        activations=batch_size * counts.kept(precision) + copies,
        images=0,
    )


def training_load(counts: Counts, batch_size: int, precision: str) -> Load:
    """One step forward, backward, and of the optimizer."""
    kept = batch_size * counts.kept(precision)
    return Load(counts.calls, batch_size * counts.training_macs, kept, counts.trainable)


def looking_load(counts: Counts, batch_size: int, precision: str) -> Load:
    """One step forward: predictions of the validation and test parts."""
    kept = batch_size * counts.kept(precision)
    return Load(counts.calls, batch_size * counts.macs, kept, counts.parameters)


def passes(optimizer: Any) -> int:
    """Forward and backward passes in one step: sharpness-aware minimisation (SAM) needs two."""
    inner = getattr(optimizer, "optimizer", None)
    return (2 if type(optimizer).__name__ == "SAM" else 1) * (passes(inner) if inner is not None else 1)


def state_numbers(optimizer: Any, counts: Counts) -> int:
    """How many numbers an optimizer keeps between steps, beside the weights and their gradients."""
    name, weights = type(optimizer).__name__, counts.trainable
    inner = getattr(optimizer, "optimizer", None)
    if inner is not None:  # SAM and Lookahead keep a copy of the weights beside what is inside them
        return weights + state_numbers(inner, counts)
    if name == "Adafactor":
        return counts.factored
    if name == "Muon":  # momentum for matrices, AdamW's two moments for the rest
        return counts.matrices + 2 * (weights - counts.matrices)
    return weights * PER_WEIGHT[name](optimizer)


PER_WEIGHT: dict[str, Callable[[Any], int]] = {
    "SGD": lambda optimizer: int(optimizer.momentum > 0),
    "Adam": lambda optimizer: 2 + optimizer.amsgrad,
    "AdamW": lambda optimizer: 2 + optimizer.amsgrad,
    "NAdam": lambda optimizer: 2,
    "RAdam": lambda optimizer: 2,
    "Adamax": lambda optimizer: 2,
    "Adagrad": lambda optimizer: 1,
    "Adadelta": lambda optimizer: 2,
    "RMSprop": lambda optimizer: 1 + (optimizer.momentum > 0) + optimizer.centered,
    "Rprop": lambda optimizer: 2,
    "ASGD": lambda optimizer: 1,
}
"""Tensors of a weight's own shape that torch's optimizer of that name keeps for it."""


def estimates_of(
    specs: Iterable[RunSpec], classes: int, images_of: Callable[[RunSpec], Images], cache: Path
) -> tuple[Cost, ...]:
    """What a grid costs, one entry for all runs that cost the same, in their order.

    The machine's rates and the networks' counts are those remembered in `cache`; torch is imported only for a network
    that was never counted.
    """
    machine = remembered(cache)
    found: dict[tuple[Any, ...], tuple[RunSpec, Asked, Images, int]] = {}
    for spec in {spec.id: spec for spec in specs}.values():
        asked, images = asked_of(spec, classes), images_of(spec)
        key = (asked, images, spec.batch_size, spec.epochs, label(spec.optimizer), spec.ema is None)
        runs = found[key][3] if key in found else 0
        found[key] = (spec, asked, images, runs + 1)
    counts = {asked: counted(asked, cache) for _, asked, _, _ in found.values()}
    return tuple(
        Cost(
            spec.model,
            spec.image_size,
            spec.batch_size,
            spec.epochs,
            label(spec.optimizer),
            runs,
            counts[asked],
            estimate(spec, counts[asked], images, machine),
        )
        for spec, asked, images, runs in found.values()
    )
