"""How fast a machine trains: a few real steps of several networks, as `train` takes them, on pictures of noise."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ablation.training.cost.rates import Machine, Point, fitted

if TYPE_CHECKING:
    import torch

    from ablation.training.cost.counts import Asked, Counts


@dataclass(frozen=True)
class Trial:
    """A network to be measured, on images (batch, 3, size, size)."""

    network: str
    image_size: int
    batch_size: int


ON_CPU = (
    *(Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 64), Trial("shallow_cnn", 64, 32)),
    *(
        Trial("resnet18", 16, 8),
        Trial("mobilenet_v3_small", 32, 8),
        Trial("resnet18", 32, 32),
        Trial("resnet18", 64, 16),
        Trial("resnet18", 128, 4),
    ),
    *(Trial("resnet50", 64, 8), Trial("resnet50", 128, 4)),
    *(Trial("mobilenet_v3_large", 64, 16), Trial("mobilenet_v3_large", 128, 8)),
    *(Trial("efficientnet_b0", 64, 8), Trial("convnext_tiny", 64, 8), Trial("alexnet", 96, 8)),
)
ON_CUDA = (
    *(Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 256), Trial("shallow_cnn", 224, 64)),
    *(Trial("resnet18", 64, 64), Trial("resnet18", 224, 64), Trial("resnet18", 224, 16)),
    *(Trial("resnet50", 128, 64), Trial("resnet50", 224, 64), Trial("resnet101", 224, 32)),
    *(Trial("mobilenet_v3_large", 224, 64), Trial("efficientnet_b0", 224, 32), Trial("convnext_tiny", 224, 32)),
    *(Trial("alexnet", 224, 64), Trial("vgg11_bn", 224, 32), Trial("vit_b_16", 224, 32)),
)
CLASSES = 10


def measure(
    device: str,
    trials: Sequence[Trial] = (),
    rounds: int = 3,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Machine:
    """Train and look with each network, and fit the machine's rates. Leaves the process settled, as for training.

    device: "cpu" or "cuda:N". trials: by default those for that kind of device. rounds: measured after one that is
    thrown away; the fastest counts.
    """
    import torch

    from ablation.models.networks import settle

    where = torch.device(device)
    settle(where)
    cuda = where.type == "cuda"
    chosen = trials or (ON_CUDA if cuda else ON_CPU)
    points = []
    for done, trial in enumerate(chosen):
        progress(done, len(chosen))
        points.append(_point(trial, where, rounds))
    progress(len(chosen), len(chosen))
    networks = [point.network for point in points]
    return Machine(
        host=platform.node(),
        device=torch.cuda.get_device_name(where) if cuda else "cpu",
        precision="bfloat16" if cuda else "float32",
        torch=version("torch"),
        threads=torch.get_num_threads(),
        measured=round(time.time(), 3),
        training=fitted(networks, [p.training for p in points], [p.training_seconds for p in points]),
        looking=fitted(networks, [p.looking for p in points], [p.looking_seconds for p in points]),
        points=tuple(points),
    )


def _point(trial: Trial, device: torch.device, rounds: int) -> Point:
    import torch

    from ablation.optim import AdamW
    from ablation.training.cost.counts import Asked, count
    from ablation.training.cost.estimate import looking_load, memory_of, training_load

    cuda = device.type == "cuda"
    precision = "bfloat16" if cuda else "float32"
    asked = Asked(trial.network, CLASSES, trial.image_size)
    counts: Counts = count(asked)
    bench = Bench(asked, trial.batch_size, device)
    steps = 10 if cuda else 1  # a GPU is asked ahead of what it does: single steps say nothing
    training = _fastest(bench.step, rounds, steps, bench)
    memory = torch.cuda.max_memory_allocated(device) if cuda else None
    expected = memory_of(AdamW(), trial.batch_size, counts, precision).total if cuda else None
    return Point(
        trial.network,
        trial.image_size,
        trial.batch_size,
        training_load(counts, trial.batch_size, precision),
        training,
        looking_load(counts, trial.batch_size, precision),
        _fastest(bench.look, rounds, steps, bench),
        memory,
        expected,
    )


def _fastest(act: Callable[[], Any], rounds: int, steps: int, bench: Bench) -> float:
    """Seconds of one `act`: the fastest round, each the mean over steps; what else the machine does slows the others.

    On a CPU this process's own time counts, for the same reason: with one thread it is that of a core to itself.
    """
    clock = time.perf_counter if bench.device.type == "cuda" else time.process_time
    found = []
    for _ in range(rounds + 1):
        bench.wait()
        started = clock()
        for _ in range(steps):
            act()
        bench.wait()
        found.append((clock() - started) / steps)
    return min(found[1:])  # the first round pays for what is set up once


class Bench:
    """A network that trains on one batch of noise, set up as in training."""

    def __init__(self, asked: Asked, batch: int, device: torch.device):
        import torch

        from ablation.core.seeds import stream
        from ablation.models.networks import build, placed, precision_on, settle
        from ablation.optim import AdamW, build_optimizer

        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as workers have it: else CUDA may not repeat
        settle(device)
        self.device = device
        self.model = placed(build(asked.model, asked.classes, image_size=asked.image_size), device)
        side = (batch, 3, asked.image_size, asked.image_size)
        self.images = torch.from_numpy(stream(0, "noise").standard_normal(side, "float32")).to(device)
        self.labels = torch.arange(batch, device=device) % asked.classes
        self.precision = precision_on(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        self.optimizer = build_optimizer(AdamW(), self.model)
        self.model.train()

    def step(self) -> None:
        self.optimizer.step(self._loss)

    def _loss(self) -> Any:
        from torch.nn import functional

        with self.precision():
            loss = functional.cross_entropy(self.model(self.images).float(), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        return loss.detach()

    def look(self) -> None:
        import torch

        self.model.eval()
        with torch.no_grad(), self.precision():
            self.model.logits_and_features(self.images)

    def wait(self) -> None:
        """Until the device has done what it was asked."""
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self.device)
