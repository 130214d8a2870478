"""How the arithmetic of runs is carried out on a device. Says nothing of what is computed: that is the spec's.

What changes the last bits (compiled kernels, the memory format) is part of a record's environment; a graph replays the
kernels of the eager step and changes none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, get_args

from ablation.core.errors import InputError, Problem
from ablation.models.own import is_own

Step = Literal["auto", "eager", "graph", "compile"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]

STEPS: tuple[str, ...] = get_args(Step)
MEMORY_FORMATS: tuple[str, ...] = get_args(MemoryFormat)


@dataclass(frozen=True)
class Execution:
    """How runs are trained: changes how long they take, and with "compile" or another memory format their last bits.

    step: "eager", operation by operation; "graph", a CUDA graph of the forward and backward pass (the same bits);
    "compile", by torch.compile; "auto": "graph" on CUDA, else "eager". memory_format: of images and weights; "auto":
    "channels_last", with which most convolutions are faster, but "contiguous" for a network of one's own, whose code
    may depend on it (as `view` does). per_device: workers on each GPU, or "auto", by measurement.

    >>> Execution().on("cpu", "resnet50")
    Execution(step='eager', memory_format='channels_last', per_device=1)
    """

    step: Step = "auto"
    memory_format: MemoryFormat = "auto"
    per_device: int | Literal["auto"] = 1

    def check(self, device: str) -> None:
        """Raises InputError for what a device ("cpu", "cuda:1") cannot do."""
        cuda = device.startswith("cuda")
        if wrong := [problem for problem in (self._wrong_step(cuda), *self._wrong_choices(cuda)) if problem]:
            raise InputError(map(Problem, wrong))

    def on(self, device: str, model: str) -> Execution:
        """The same with "auto" decided, for a device and the network that a spec calls `model`; raises as `check`."""
        self.check(device)
        step = self.step if self.step != "auto" else "graph" if device.startswith("cuda") else "eager"
        return Execution(step, "channels_last" if self.channels_last(model) else "contiguous", self.per_device)

    def channels_last(self, model: str) -> bool:
        """Have images, and the weights of the network that a spec calls `model`, their channels last in memory?"""
        return self.memory_format == "channels_last" or (self.memory_format == "auto" and not is_own(model))

    @property
    def environment(self) -> dict[str, str]:
        """Of what `on` decided: what changes bits, for the record."""
        compiled = {"step": "compile"} if self.step == "compile" else {}
        return compiled | {"memory_format": self.memory_format}

    def _wrong_step(self, cuda: bool) -> str:
        allowed = ", ".join(step for step in STEPS if cuda or step != "graph")
        if self.step not in STEPS or (self.step == "graph" and not cuda):
            return f"step = {self.step!r} (--step): {'a GPU' if cuda else 'the CPU'} has {allowed}"
        if self.step == "compile" and not cuda and not _compiler():
            return "step = 'compile': needs a C++ compiler, and there is none: install g++, or name yours in CXX"
        if self.step == "compile" and cuda and find_spec("triton") is None:
            return "step = 'compile': needs Triton, which is not installed: pip install triton"
        return ""

    def _wrong_choices(self, cuda: bool) -> tuple[str, str]:
        formats, workers = ", ".join(MEMORY_FORMATS), self.per_device
        layout = "" if self.memory_format in MEMORY_FORMATS else f"memory_format = {self.memory_format!r}: {formats}"
        if workers != "auto" and (not isinstance(workers, int) or workers < 1):
            return layout, f"per_device = {workers!r}: a number from 1, or 'auto'"
        several = workers != 1 and not cuda
        return (
            layout,
            "per_device (--per-device) is for GPUs: of a CPU, jobs (--jobs) gives the workers" if several else "",
        )

    @classmethod
    def of(cls, environment: Mapping[str, Any]) -> Execution:
        """That of a run, by its record's environment."""
        return cls(environment.get("step", "auto"), environment.get("memory_format", "auto"))


AS_USUAL = Execution()
"""What is done where nothing is chosen."""


def _compiler() -> str | None:
    """The C++ compiler that torch.compile would use."""
    return shutil.which(os.environ.get("CXX", "g++"))
