"""The rehearsal: before a sweep, each network of the grid is built once, given its weights, and shown an image.

What cannot work (weights that do not fit or cannot be fetched, images too small for a network, an optimizer that has
nothing to step) would otherwise be found by the workers, run after run. Knows nothing of workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablation.errors import AblationError, InputError, Problem
from ablation.spec import RunSpec

NETWORK = ("model", "model_source", "stem", "weights", "freeze", "frozen_batch_norm", "stochastic_depth", "image_size")
"""The fields of a spec that decide what is built and whether images fit it."""


def rehearse(specs: Iterable[RunSpec], classes: int, cache: Path) -> None:
    """Raises InputError with all that is wrong, each thing once."""
    problems: dict[str, Problem] = {}
    tried: set[Any] = set()
    for spec in specs:
        key = (*(getattr(spec, name) for name in NETWORK), *_kinds(spec.optimizer))
        if key not in tried:
            tried.add(key)
            problems |= {problem.message: problem for problem in _wrong(spec, classes, cache)}
    if problems:
        raise InputError(problems.values())


def _kinds(optimizer: Any) -> tuple[type, ...]:
    """The class of an optimizer, and of those within it."""
    return () if optimizer is None else (type(optimizer), *_kinds(getattr(optimizer, "optimizer", None)))


def _wrong(spec: RunSpec, classes: int, cache: Path) -> tuple[Problem, ...]:
    import torch

    from ablation.optim import build_optimizer
    from ablation.train import network

    try:
        model = network(spec, classes, cache)
        build_optimizer(spec.optimizer, model, spec.head_lr_factor)
    except AblationError as error:
        return tuple(error.problems)
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(2, 3, spec.image_size, spec.image_size))
    except Exception as error:  # whatever a network says of a picture that it cannot take
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return (Problem(f"{spec.model} cannot take images of {spec.image_size} x {spec.image_size} pixels: {reason}"),)
    return ()
