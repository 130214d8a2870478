"""How fast this machine trains: a few measured steps, and the costs per step that explain them best.

    seconds of a step = per_step + per_call x modules + per_mac x MACs + per_byte x bytes kept
                        + per_parameter x parameters

Arithmetic bounds a large convolution, memory traffic a normalisation or a depthwise convolution, being asked a small
network on a GPU; reading the weights, and the optimizer's own work, grow with the parameters. Every rate is at least 0.
Knows no experiment.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from ablation.core.files import write_json

FILE, CPU = "rates.json", "cpu"
RATES_VERSION = 2
"""Raised when a change of this program changes what is measured or how it is told; older rates then do not count."""

T = TypeVar("T")


@dataclass(frozen=True)
class Load:
    """What one step asks of the machine, for a whole batch."""

    calls: int
    macs: int
    kept: int
    """Bytes that the forward pass keeps, or would keep, for the backward pass: what is written to memory."""
    parameters: int
    """Those that the optimizer moves; for a step that only looks, those that are read."""

    @property
    def columns(self) -> tuple[float, ...]:
        return (1.0, self.calls, self.macs, self.kept, self.parameters)


@dataclass(frozen=True)
class Point:
    """One network that was measured: a training step, and one that only looks (no backward pass, no optimizer)."""

    network: str
    image_size: int
    batch_size: int
    training: Load
    training_seconds: float
    looking: Load
    looking_seconds: float
    memory: int | None
    """Bytes in use at the peak of a step, on a GPU."""
    memory_expected: int | None
    """The same as `estimate` adds it up."""


@dataclass(frozen=True)
class Rates:
    """Seconds per unit, and how far off they are for a network that they were not fitted to (left out one by one)."""

    per_step: float
    per_call: float
    per_mac: float
    per_byte: float
    per_parameter: float
    typical_error: float
    """The median relative error over the measured points."""
    largest_error: float

    def seconds(self, load: Load) -> float:
        """Of one step."""
        rates = (self.per_step, self.per_call, self.per_mac, self.per_byte, self.per_parameter)
        return sum(rate * amount for rate, amount in zip(rates, load.columns, strict=True))


@dataclass(frozen=True)
class Machine:
    """What was measured, where and when. Other software, precision or number of threads: other rates."""

    host: str
    device: str
    precision: str
    torch: str
    threads: int
    measured: float
    """Seconds since 1970."""
    training: Rates
    looking: Rates
    points: tuple[Point, ...]

    @property
    def key(self) -> str:
        return f"{self.host} | {self.device} | torch {self.torch} | {self.precision} | threads {self.threads}"

    @property
    def memory_factor(self) -> float:
        """What a GPU really used, over what was expected: the median over the points; 1 where none was measured."""
        found = sorted(
            point.memory / point.memory_expected for point in self.points if point.memory and point.memory_expected
        )
        return found[len(found) // 2] if found else 1.0


def fitted(networks: Sequence[str], loads: Sequence[Load], seconds: Sequence[float]) -> Rates:
    """The non-negative rates with the smallest relative errors in the sense of least squares (Lawson and Hanson 1974).

    networks: which network each load is of, for the errors: each network's points by rates fitted to the others'.
    """
    errors = []
    for left_out in dict.fromkeys(networks):
        others = [place for place, network in enumerate(networks) if network != left_out]
        if not others:
            continue
        blind = _least_squares([loads[i] for i in others], [seconds[i] for i in others])
        errors += [
            abs(blind.seconds(loads[place]) / seconds[place] - 1)
            for place, network in enumerate(networks)
            if network == left_out
        ]
    errors.sort()
    typical, largest = 1.0, 1.0  # one network says nothing of others
    if errors:
        typical, largest = errors[len(errors) // 2], errors[-1]
    return replace(_least_squares(loads, seconds), typical_error=typical, largest_error=largest)


def _least_squares(loads: Sequence[Load], seconds: Sequence[float]) -> Rates:
    """Rows are divided by their seconds, so that errors are relative, and columns by their largest, for the solver."""
    import numpy as np
    from scipy.optimize import nnls

    matrix = np.array([load.columns for load in loads], float) / np.array(seconds, float)[:, None]
    scale = np.maximum(matrix.max(axis=0), 1e-300)
    found, _ = nnls(matrix / scale, np.ones(len(loads)))
    per_step, per_call, per_mac, per_byte, per_parameter = (float(rate) for rate in found / scale)
    return Rates(per_step, per_call, per_mac, per_byte, per_parameter, 0.0, 0.0)


def remember(machine: Machine, cache: Path) -> Path:
    """Put what was measured into the cache folder, in place of what was measured before under the same conditions."""
    path = cache / FILE
    write_json(path, {**_read(path), machine.key: {"version": RATES_VERSION, **asdict(machine)}})
    return path


def remembered(cache: Path) -> Machine | None:
    """What `run` would train with: measured on this host, with the installed torch; on a GPU where there is one.

    The newest of several; None where nothing fits. What was measured elsewhere, or with another torch, is left alone.
    """
    here, graphics = [machine for machine in _measured(cache) if machine.torch == version("torch")], gpus()
    fitting = [machine for machine in here if graphics or machine.device == CPU]
    return max(fitting, key=lambda machine: (machine.device != CPU, machine.measured), default=None)


def outdated(cache: Path) -> tuple[str, ...]:
    """The other versions of torch that were measured on this host, whose rates do not count."""
    return tuple(sorted({machine.torch for machine in _measured(cache)} - {version("torch")}))


def gpus() -> int:
    """How many GPUs this process may use, by the driver's files: asking torch would take seconds."""
    there = len(list(Path("/dev").glob("nvidia[0-9]*"))) or int(Path("/dev/dxg").exists())  # dxg: Linux under Windows
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if chosen is None else min(there, sum(name not in ("", "-1") for name in chosen.split(",")))


def _measured(cache: Path) -> list[Machine]:
    """What was measured on this host; an entry that is damaged, or of another version of this program, is no rates."""
    found = []
    for form in _read(cache / FILE).values():
        try:
            machine = _machine(form)
        except Exception:  # whatever a form may raise that is none
            continue
        found += [machine] if machine.host == platform.node() else []
    return found


def _machine(form: dict[str, Any]) -> Machine:
    """Raises one of Python's own errors for what is no such form."""
    texts = [form[name] for name in ("host", "device", "precision", "torch")]
    if form["version"] != RATES_VERSION or not all(isinstance(text, str) for text in texts):
        raise ValueError
    given = {name: part for name, part in form.items() if name != "version"}
    points = tuple(
        Point(**{**point, "training": _numbers(Load, point["training"]), "looking": _numbers(Load, point["looking"])})
        for point in form["points"]
    )
    rates = {name: _numbers(Rates, form[name]) for name in ("training", "looking")}
    return Machine(**{**given, **rates, "measured": float(form["measured"]), "points": points})


def _numbers(cls: type[T], form: dict[str, Any]) -> T:
    """Raises ValueError or OverflowError for what is no finite number that is at least 0."""
    if not all(type(number) in (int, float) and math.isfinite(number) and number >= 0 for number in form.values()):
        raise ValueError
    return cls(**form)


def _read(path: Path) -> dict[str, Any]:
    """{} for a file that is not there, or is damaged: it can be measured again."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # the last for brackets within brackets without end
        return {}
    return content if isinstance(content, dict) else {}
