"""What this machine has, and whether it is fit for training: software, devices, memory, disk.

How fast it trains is measured in `benchmark`. Works where MLflow is not installed.
"""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.core.text import counted
from ablation.training.crew import cpu_count

if TYPE_CHECKING:
    import torch

LITTLE_DISK, LITTLE_MEMORY = 5e9, 4e9
"""Bytes below which a sweep is likely to end early."""


@dataclass(frozen=True)
class Fact:
    """One line on the machine. advice: what to do where something is wrong, else ''."""

    name: str
    value: str
    advice: str = ""


def examine(runs: Path) -> tuple[Fact, ...]:
    """Software, devices, memory, disk of the runs folder, and whether a GPU does what training asks of it."""
    facts = [Fact("Python", platform.python_version()), *_packages(), *_devices()]
    cores = counted(cpu_count(), "core")
    facts.append(Fact("CPU", f"{platform.machine()}, {cores} for this process: as many workers of one thread each"))
    return (*facts, *_memory(), _disk(runs))


def _packages() -> list[Fact]:
    needs = {"torch": "train", "torchvision": "train", "mlflow": "publish: use --no-tracking, or pip install mlflow"}
    facts = []
    for package, need in needs.items():
        try:
            facts.append(Fact(package, version(package)))
        except PackageNotFoundError:
            facts.append(Fact(package, "not installed", f"needed to {need}"))
    return facts


def _devices() -> list[Fact]:
    try:
        import torch
    except ImportError as error:
        return [Fact("devices", "unknown", f"torch cannot be imported: {error}")]
    if count := torch.cuda.device_count():
        return [_gpu(torch.device("cuda", index)) for index in range(count)]
    built = torch.version.cuda if shutil.which("nvidia-smi") else None
    advice = f"torch is built for CUDA {built} and finds no GPU: see nvidia-smi" if built else ""
    return [Fact("GPU", "none: runs train on the CPU", advice)]


def _gpu(device: torch.device) -> Fact:
    """Name and memory of a GPU, and whether one deterministic step in bfloat16 works on it."""
    import torch

    properties = torch.cuda.get_device_properties(device)
    free, total = torch.cuda.mem_get_info(device)
    memory = f"{properties.name}, {total / 1e9:.0f} GB, {free / 1e9:.0f} GB free"
    advice = ""
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        advice = "no bfloat16 in hardware: training works, slowly"
    if free < total / 2:
        advice = "more than half of its memory is taken by others: see nvidia-smi"
    return Fact(str(device), memory, advice or _step_fails(device))


def _step_fails(device: torch.device) -> str:
    """'' if a small network trains one deterministic step there, else why not."""
    from ablation.training.cost.benchmark import Workload
    from ablation.training.cost.counts import ModelConfig

    try:
        Workload(ModelConfig("shallow_cnn", 10, 32), 8, device).train()
    except RuntimeError as error:
        return f"a training step fails: {str(error).strip().splitlines()[0]}"
    return ""


def _memory() -> list[Fact]:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return []
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    advice = "little for one worker: use -j 1 and a small cache_size" if total < LITTLE_MEMORY else ""
    return [Fact("RAM", f"{total / 1e9:.1f} GB", advice)]


def _disk(runs: Path) -> Fact:
    """Free bytes where the runs folder is, or will be made."""
    nearest = next(folder for folder in (runs.absolute(), *runs.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(nearest).free
    advice = ""
    if free < LITTLE_DISK:
        advice = "little for checkpoints and caches: make room, or name another folder with --runs"
    if not os.access(nearest, os.W_OK):
        advice = f"{nearest} may not be written: name another folder with --runs"
    return Fact(f"disk of {runs}", f"{free / 1e9:.0f} GB free", advice)
