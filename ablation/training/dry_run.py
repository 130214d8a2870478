"""The dry run: before a sweep, each network of the grid is built once with its weights and trained on two images.

What cannot work (weights that do not fit or cannot be fetched, images too small for a network, an optimizer that has
nothing to step) would otherwise fail in the workers, run after run. Knows nothing of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ablation.core.errors import AblationError, DataError, InputError, reason_of
from ablation.experiment.spec import RunSpec
from ablation.models.own import is_own
from ablation.training.execution import AS_USUAL, Execution

NETWORK = ("model", "model_source", "stem", "weights", "freeze", "frozen_batch_norm", "stochastic_depth", "image_size")
"""The fields of a spec that decide what is built and whether images fit it."""


def networks_of(specs: Iterable[RunSpec]) -> tuple[tuple[RunSpec, ...], ...]:
    """What has to be tried out: for each network a spec with each kind of optimizer."""
    networks: dict[tuple[Any, ...], dict[tuple[type, ...], RunSpec]] = {}
    for spec in specs:
        kinds = networks.setdefault(tuple(getattr(spec, name) for name in NETWORK), {})
        kinds.setdefault(_kinds(spec.optimizer), spec)
    return tuple(tuple(kinds.values()) for kinds in networks.values())


def dry_run(specs: Iterable[RunSpec], classes: int, cache: Path, execution: Execution = AS_USUAL) -> None:
    """Raises InputError with all that is wrong, each thing once; DataError where only files of weights are.

    On the CPU, in the memory format in which the networks will be trained.
    """
    refuse([error for network in networks_of(specs) for error in _errors(network, classes, cache, execution)])


def refuse(errors: Sequence[AblationError]) -> None:
    """Raise all of these as one, each problem once; nothing where there are none."""
    if errors:
        problems = {problem.message: problem for error in errors for problem in error.problems}
        raise (DataError if all(isinstance(error, DataError) for error in errors) else InputError)(problems.values())


def _kinds(optimizer: Any) -> tuple[type, ...]:
    """The class of an optimizer, and of those within it."""
    return () if optimizer is None else (type(optimizer), *_kinds(getattr(optimizer, "optimizer", None)))


def _errors(specs: tuple[RunSpec, ...], classes: int, cache: Path, execution: Execution) -> Iterator[AblationError]:
    """What is wrong with one network, and with each kind of optimizer for it."""
    from ablation.optim import build_optimizer
    from ablation.training.setup import network

    try:
        model = network(specs[0], classes, cache)
    except AblationError as error:
        yield error
        return
    for spec in specs:
        try:
            build_optimizer(spec.optimizer, model, spec.head_lr_factor)
        except AblationError as error:
            yield error
    try:
        _train(model, specs[0], classes, execution)
    except AblationError as error:
        yield error


def _train(model: Any, spec: RunSpec, classes: int, execution: Execution) -> None:
    """Two images forward and backward. Raises InputError where the network cannot take them or gives other shapes."""
    import torch

    from ablation.core.seeds import torch_stream
    from ablation.models.networks import placed

    side, images = spec.image_size, torch.zeros(2, 3, spec.image_size, spec.image_size)
    last = execution.channels_last(spec.model)
    try:
        with torch_stream(spec.seed, "dry run"):
            model = placed(model, images.device, last)
            images = images.contiguous(memory_format=torch.channels_last) if last else images
            logits = model.train()(images)
            features = model.eval().logits_and_features(images)[1]
            logits.sum().backward()
    except Exception as error:  # whatever a network raises for pictures that it cannot take
        refused = f"{spec.model} cannot be trained on images of {side} x {side} pixels"
        raise InputError(f"{refused}: {reason_of(error)}{_larger(spec)}") from error
    if logits.shape != (2, classes) or features.ndim != 2:
        shapes = " and ".join(" x ".join(map(str, tensor.shape)) for tensor in (logits, features))
        expected = f"expected 2 x {classes} and 2 x any"
        raise InputError(f"{spec.model} gives logits and features of {shapes} for 2 images; {expected}")


def _larger(spec: RunSpec) -> str:
    """'; give image_size 32 or more', where a network of torchvision's needs larger images than it gets."""
    from ablation.training.cost.smallest_size import smallest_size

    if is_own(spec.model) or (least := smallest_size(spec.model, stem=spec.stem)) <= spec.image_size:
        return ""
    return f"; give image_size {least} or more"
