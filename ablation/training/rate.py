"""How fast this process trains a spec, augmentation and all: nothing is validated, recorded or written."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch

from ablation.data import Dataset
from ablation.experiment.runs import Run
from ablation.experiment.spec import RunSpec
from ablation.training.execution import AS_USUAL, Execution
from ablation.training.loop import train_epoch
from ablation.training.setup import Setup
from ablation.training.sharing import Rate

STEPS = 10
"""Steps from one look at the clock to the next."""


def rate(
    spec: RunSpec,
    data: Dataset,
    device: torch.device,
    cache: Path | None = None,
    execution: Execution = AS_USUAL,
    seconds: float = 3.0,
) -> Rate:
    """Train for so many seconds, after the first steps, on the images of the first batches."""
    setup = Setup.of(Run(Path(), spec), data, device, cache, execution)
    rows = setup.parts.train[: STEPS * spec.batch_size]
    few = replace(setup, parts=setup.parts._replace(train=rows))
    train_epoch(few, 0, (), None)
    images, started = 0, time.perf_counter()
    while images == 0 or time.perf_counter() - started < seconds:
        _, right, _ = train_epoch(few, 0, (), None)
        float(right)  # waits for the device
        images += len(rows)
    speed = images / (time.perf_counter() - started)
    if device.type != "cuda":
        return Rate(speed, 0, 0)
    return Rate(speed, torch.cuda.max_memory_reserved(device), torch.cuda.mem_get_info(device)[0])
