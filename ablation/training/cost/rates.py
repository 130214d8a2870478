"""How fast this machine trains: a few measured steps, and the costs per step that explain them best.

    seconds of a step = per_step + per_call x modules + per_mac x MACs + per_byte x bytes kept
                        + per_parameter x parameters

Arithmetic bounds a large convolution, memory traffic a normalisation or a depthwise convolution, launching kernels a
small network on a GPU; reading the weights, and the optimizer's own work, grow with the parameters. Every rate is at
least 0. Knows no experiment.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from ablation.core.values import NonNegative, Positive, Whole, plain, restore, value
from ablation.training.cost.entries import read_entries, write_entry

FILE, CPU = "rates.json", "cpu"
RATES_VERSION = 4
"""Raised when a change of this program changes what is measured or how it is written; older rates then do not count."""


@value
class Load:
    """What one step takes, for a whole batch."""

    calls: Whole
    macs: Whole
    kept: Whole
    """Bytes that the forward pass keeps, or would keep, for the backward pass: what is written to memory."""
    parameters: Whole
    """Those that the optimizer moves; in evaluation, those that are read."""

    @property
    def columns(self) -> tuple[float, ...]:
        """The factors of the rates, in the order of `Rates`."""
        return (1.0, self.calls, self.macs, self.kept, self.parameters)


@value
class Point:
    """One network that was measured: a training step, and one of evaluation (no backward pass, no optimizer)."""

    network: str
    image_size: Whole
    batch_size: Whole
    training: Load
    training_seconds: Positive
    evaluation: Load
    evaluation_seconds: Positive
    memory: int | None
    """Bytes in use at the peak of a step, on a GPU."""
    memory_expected: int | None
    """The same as `estimate` adds it up."""


@value
class Rates:
    """Seconds per unit, and how far off they are for a network that they were not fitted to (left out one by one)."""

    per_step: NonNegative
    per_call: NonNegative
    per_mac: NonNegative
    per_byte: NonNegative
    per_parameter: NonNegative
    typical_error: NonNegative
    """The median relative error over the measured points."""
    largest_error: NonNegative

    def seconds(self, load: Load) -> float:
        """Of one step."""
        rates = (self.per_step, self.per_call, self.per_mac, self.per_byte, self.per_parameter)
        return sum(rate * amount for rate, amount in zip(rates, load.columns, strict=True))


@value
class Machine:
    """What was measured, where and when. Other software, precision or number of threads: other rates."""

    host: str
    device: str
    precision: str
    torch: str
    threads: Whole
    measured: NonNegative
    """Seconds since 1970."""
    training: Rates
    evaluation: Rates
    points: tuple[Point, ...]
    version: int = RATES_VERSION
    guessed: bool = False
    """Measured in a few seconds, by `benchmark.first_guess`: right within a factor of about 2."""

    @property
    def key(self) -> str:
        """What is measured anew replaces what has the same key."""
        conditions = f"{self.host} | {self.device} | torch {self.torch} | {self.precision} | threads {self.threads}"
        return f"{conditions} | first guess" if self.guessed else conditions

    @property
    def memory_factor(self) -> float:
        """What a GPU really used, over what was expected: the median over the points; 1 where none was measured."""
        ratios = [
            point.memory / point.memory_expected for point in self.points if point.memory and point.memory_expected
        ]
        return median(ratios or [1.0])


def fitted(networks: Sequence[str], loads: Sequence[Load], seconds: Sequence[float]) -> Rates:
    """The non-negative rates with the smallest relative errors in the sense of least squares (Lawson and Hanson 1974).

    networks: which network each load is of, for the errors: each network's points by rates fitted to the others'; of a
    single network nothing is known about others: errors of 1.
    """
    import numpy as np
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    # rows are divided by their seconds, so that errors are relative, and columns by their largest, for the solver
    matrix = np.array([load.columns for load in loads], float) / np.array(seconds, float)[:, None]
    scale = np.maximum(matrix.max(axis=0), 1e-300)
    model, ones, errors = LinearRegression(fit_intercept=False, positive=True), np.ones(len(loads)), np.ones(1)
    if len(set(networks)) > 1:
        unseen = cross_val_predict(model, matrix / scale, ones, groups=list(networks), cv=LeaveOneGroupOut())
        errors = np.abs(unseen - 1)
    per_step, per_call, per_mac, per_byte, per_parameter = map(float, model.fit(matrix / scale, ones).coef_ / scale)
    typical, largest = float(np.median(errors)), float(errors.max())
    return Rates(per_step, per_call, per_mac, per_byte, per_parameter, typical, largest)


def remember(machine: Machine, cache: Path) -> Path:
    """Put what was measured into the cache folder, replacing what was measured before under the same conditions."""
    path = cache / FILE
    write_entry(path, machine.key, plain(machine))
    return path


def remembered(cache: Path) -> Machine | None:
    """What `run` would train with: measured on this host, with the installed torch; on a GPU where there is one.

    The newest of several, and a first guess only where there is nothing better; None where nothing fits. What was
    measured elsewhere, or with another torch, is left alone.
    """
    here, graphics = [machine for machine in _measured(cache) if machine.torch == version("torch")], gpus()
    fitting = [machine for machine in here if graphics or machine.device == CPU]
    return max(fitting, key=_worth, default=None)


def _worth(machine: Machine) -> tuple[bool, bool, float]:
    return machine.device != CPU, not machine.guessed, machine.measured


def outdated(cache: Path) -> tuple[str, ...]:
    """The other software that was measured on this host, whose rates do not count: "2.9.0", a version of torch, or
    "2.9.0, by an older version of ablation".
    """
    others = {machine.torch for machine in _measured(cache)} - {version("torch")}
    return tuple(sorted(others | set(read_entries(cache / FILE, _older).values())))


def gpus() -> int:
    """How many GPUs this process may use, by the driver's files: importing torch to ask it would take seconds."""
    there = len(list(Path("/dev").glob("nvidia[0-9]*"))) or int(Path("/dev/dxg").exists())  # dxg: Linux under Windows
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if chosen is None else min(there, sum(name not in ("", "-1") for name in chosen.split(",")))


def _measured(cache: Path) -> list[Machine]:
    """What was measured on this host; an entry that is damaged, or of another version of this program, is no rates."""
    return [machine for machine in read_entries(cache / FILE, _machine).values() if machine.host == platform.node()]


def _older(form: Any) -> str:
    """Raises an error of any kind for what was not measured on this host by an older version of this program."""
    if form["host"] != platform.node() or not 0 < form["version"] < RATES_VERSION:
        raise ValueError("not measured here, or not before")
    return f"{form['torch']}, by an older version of ablation"


def _machine(form: Any) -> Machine:
    """Raises an error of any kind for what is no machine of this version."""
    machine = restore(form, {cls.__name__: cls for cls in (Machine, Rates, Point, Load)})
    if not isinstance(machine, Machine) or form["version"] != RATES_VERSION:
        raise ValueError(f"no rates of version {RATES_VERSION}")
    return machine
