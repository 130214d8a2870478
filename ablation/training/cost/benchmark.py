"""How fast a machine trains: a few real steps of several networks, as `train` takes them, on pictures of noise."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from ablation.training.cost.counts import ModelConfig, count
from ablation.training.cost.estimate import evaluation_load, memory_of, training_load
from ablation.training.cost.rates import CPU, Machine, Point, fitted

if TYPE_CHECKING:
    import torch


class Trial(NamedTuple):
    """A network to be measured, on images (batch_size, 3, image_size, image_size)."""

    network: str
    image_size: int
    batch_size: int


# fmt: off
ON_CPU = (
    Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 64), Trial("shallow_cnn", 64, 32),
    Trial("resnet18", 16, 8), Trial("mobilenet_v3_small", 32, 8), Trial("resnet18", 32, 32), Trial("resnet18", 64, 16),
    Trial("resnet18", 128, 4), Trial("resnet50", 64, 8), Trial("resnet50", 128, 4),
    Trial("mobilenet_v3_large", 64, 16), Trial("mobilenet_v3_large", 128, 8),
    Trial("efficientnet_b0", 64, 8), Trial("convnext_tiny", 64, 8), Trial("alexnet", 96, 8),
)
ON_CUDA = (
    Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 256), Trial("shallow_cnn", 224, 64),
    Trial("resnet18", 64, 64), Trial("resnet18", 224, 64), Trial("resnet18", 224, 16),
    Trial("resnet50", 128, 64), Trial("resnet50", 224, 64), Trial("resnet101", 224, 32),
    Trial("mobilenet_v3_large", 224, 64), Trial("efficientnet_b0", 224, 32), Trial("convnext_tiny", 224, 32),
    Trial("alexnet", 224, 64), Trial("vgg11_bn", 224, 32), Trial("vit_b_16", 224, 32),
)
FIRST_ON_CPU = (
    Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 32), Trial("resnet18", 16, 4), Trial("resnet18", 64, 16),
)
FIRST_ON_CUDA = (
    Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 256), Trial("resnet18", 64, 64), Trial("resnet18", 224, 64),
)
# fmt: on
CLASSES = 10


def measure(
    device: str,
    trials: Sequence[Trial] = (),
    rounds: int = 3,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Machine:
    """Train and evaluate each network, and fit the machine's rates. Leaves the process deterministic, as for training.

    device: "cpu" or "cuda:N". trials: by default those for that kind of device. rounds: measured after one that is
    thrown away; the fastest counts.
    """
    import torch

    where = torch.device(device)
    cuda = where.type == "cuda"
    trials = trials or (ON_CUDA if cuda else ON_CPU)
    points = []
    for done, trial in enumerate(trials):
        progress(done, len(trials))
        points.append(_point(trial, where, rounds))
    progress(len(trials), len(trials))
    networks = [point.network for point in points]
    return Machine(
        host=platform.node(),
        device=torch.cuda.get_device_name(where) if cuda else CPU,
        precision="bfloat16" if cuda else "float32",
        torch=version("torch"),
        threads=torch.get_num_threads(),
        measured=round(time.time(), 3),
        training=fitted(networks, [p.training for p in points], [p.training_seconds for p in points]),
        evaluation=fitted(networks, [p.evaluation for p in points], [p.evaluation_seconds for p in points]),
        points=tuple(points),
    )


def first_guess(device: str, progress: Callable[[int, int], None] = lambda done, total: None) -> Machine:
    """The same from four small networks and one round, in about three seconds: right within a factor of about 2."""
    trials = FIRST_ON_CPU if device == CPU else FIRST_ON_CUDA
    return replace(measure(device, trials, rounds=1, progress=progress), guessed=True)


def _point(trial: Trial, device: torch.device, rounds: int) -> Point:
    import torch

    from ablation.optim import AdamW

    cuda = device.type == "cuda"
    precision, batch_size = "bfloat16" if cuda else "float32", trial.batch_size
    config = ModelConfig(trial.network, CLASSES, trial.image_size)
    counts, workload = count(config), Workload(config, batch_size, device)
    steps = 10 if cuda else 1  # kernels are launched ahead of what a GPU does: single steps say nothing
    training = _fastest(workload, workload.train, rounds, steps)
    return Point(
        *trial,
        training=training_load(counts, batch_size, precision),
        training_seconds=training,
        memory=torch.cuda.max_memory_allocated(device) if cuda else None,  # of training: read before the evaluation
        evaluation=evaluation_load(counts, batch_size, precision),
        evaluation_seconds=_fastest(workload, workload.evaluate, rounds, steps),
        memory_expected=memory_of(AdamW(), batch_size, counts, precision).total if cuda else None,
    )


def _fastest(workload: Workload, step: Callable[[], None], rounds: int, steps: int) -> float:
    """Seconds of one step: the fastest round, each the mean over steps; what else the machine does slows the others.

    On a CPU this process's own time counts, for the same reason: with one thread it is that of a core to itself.
    """
    clock = time.perf_counter if workload.device.type == "cuda" else time.process_time
    seconds = []
    for _ in range(rounds + 1):
        workload.synchronize()
        started = clock()
        for _ in range(steps):
            step()
        workload.synchronize()
        seconds.append((clock() - started) / steps)
    return min(seconds[1:])  # the first round pays for what is set up once


class Workload:
    """A network that trains on one batch of noise, set up as in training."""

    def __init__(self, config: ModelConfig, batch_size: int, device: torch.device):
        import torch

        from ablation.core.seeds import stream
        from ablation.models.networks import build, make_deterministic, placed, precision_on
        from ablation.optim import AdamW, build_optimizer
        from ablation.training.execution import AS_USUAL

        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as workers have it: else CUDA may not repeat
        make_deterministic(device)
        self.device = device
        network = build(config.model, config.classes, image_size=config.image_size)
        last = AS_USUAL.channels_last(config.model)
        self.model = placed(network, device, last)
        shape = (batch_size, 3, config.image_size, config.image_size)
        self.images = torch.from_numpy(stream(0, "noise").standard_normal(shape, "float32")).to(device)
        self.labels = torch.arange(batch_size, device=device) % config.classes
        self.precision = precision_on(device)
        if last:
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self.optimizer = build_optimizer(AdamW(), self.model)
        self.model.train()

    def train(self) -> None:
        """One step forward, backward, and of the optimizer."""
        self.optimizer.step(self._loss)

    def _loss(self) -> Any:
        from torch.nn import functional

        with self.precision():
            loss = functional.cross_entropy(self.model(self.images).float(), self.labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def evaluate(self) -> None:
        """One step forward; the network stays in evaluation."""
        import torch

        self.model.eval()
        with torch.no_grad(), self.precision():
            self.model.logits_and_features(self.images)

    def synchronize(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self.device)
