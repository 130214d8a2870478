"""What share of the ceiling does our training loop reach, with full augmentation?

    python benchmarks/loop.py PHOTOS                          # ResNet-50 at 64 pixels, shallow_cnn at 32
    python benchmarks/loop.py PHOTOS --networks shallow_cnn --rounds 20

The loop: an epoch as `ablation run` trains it (photographs from the cache through crop, flip, brightness, contrast and
normalisation, the step, loss and accuracy kept). The ceiling: the same network's and optimizer's steps, as many and of
the same sizes, on a random batch that is already there; nothing else. Both in this process, with one thread as a worker
has on a CPU, taking turns; the first epoch, in which the loop also watches what each operation does, is not counted.
--clean adds the loop without augmentation, so that its share and the rest of the loop can be told apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import measure
import torch
from grid import source
from measure import Measurement, number, reach

from ablation import SGD, Brightness, Contrast, Experiment, RandomHorizontalFlip, RandomResizedCrop, Redrawn
from ablation.data import Dataset, build, listing
from ablation.data.batches import bounds
from ablation.experiment.runs import Run
from ablation.models.networks import make_deterministic
from ablation.training.loop import train_epoch
from ablation.training.setup import Setup

FULL = (RandomResizedCrop((0.35, 1.0)), RandomHorizontalFlip(), Brightness(0.4), Contrast(0.4))
SIDES = {"resnet50": 64, "shallow_cnn": 32}
EPOCHS = {"resnet50": 1, "shallow_cnn": 8}
"""Of a turn: those of a small network are short."""
LOOP, CLEAN, CEILING = "loop, augmented", "loop, clean", "ceiling"


def rate(setup: Setup, epoch: Callable[[], None]) -> dict[str, float]:
    """Images in a second of wall clock, and in one of the processor, which others on the machine disturb less."""
    count = EPOCHS[setup.run.spec.model]
    started, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        epoch()
    images = count * len(setup.parts.train)
    return {
        "images_per_second": images / (time.perf_counter() - started),
        "images_per_processor_second": images / (time.process_time() - processor),
    }


@dataclass
class Loop:
    """Epochs of a run, one after the other."""

    setup: Setup
    epochs: list[int] = field(default_factory=lambda: [0])

    def turn(self) -> dict[str, float]:
        """Train the next epochs."""
        return rate(self.setup, self._epoch)

    def _epoch(self) -> None:
        self.epochs.append(self.epochs[-1] + 1)
        train_epoch(self.setup, self.epochs[-1], [], None)


@dataclass
class Ceiling:
    """The steps of an epoch on random batches; batches: images and targets."""

    setup: Setup
    batches: list[tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def of(cls, setup: Setup) -> Ceiling:
        side, classes = setup.run.spec.image_size, len(setup.data.classes)
        made = {}
        for start, stop in bounds(len(setup.parts.train), setup.run.spec.batch_size):
            made[start] = (
                setup.clean.normalized(torch.rand(stop - start, 3, side, side)),
                torch.randint(classes, (stop - start,)),
            )
        return cls(setup, [*made.values()])

    def turn(self) -> dict[str, float]:
        """Take the steps of as many epochs."""
        self.setup.model.train()
        return rate(self.setup, self._epoch)

    def _epoch(self) -> None:
        for images, targets in self.batches:
            self.setup.optimizer.step(partial(self._loss, images, targets))

    def _loss(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.setup.passes(images, targets)[0]


def setup_of(data: Dataset, experiment: Experiment, recipe: str, work: Path) -> Setup:
    """One run of the experiment, ready for its first step, in a model and an optimizer of its own."""
    cell = next(cell for cell in experiment.cells(data.digest) if cell.factors["recipe"] == recipe)
    run = Run(work / "runs", cell.spec)
    run.prepare()
    return Setup.of(run, data, torch.device("cpu"))


def arms(network: str, options: argparse.Namespace, work: Path) -> dict[str, measure.Arm]:
    """The loop, maybe that without augmentation, and the ceiling, for this network."""
    photographs: Any = source(options.photos)[0]
    experiment = Experiment(
        name="loop", data=photographs, model=network, image_size=SIDES[network], epochs=1000, batch_size=options.batch,
        split=Redrawn(train=options.images, val=options.val, test=options.val), seeds=1,
        recipes={"clean": (), "full": FULL}, optimizers={"sgd": SGD(lr=0.01, momentum=0.9)}, baseline="clean",
    )  # fmt: skip
    listed = listing(photographs, work / "cache")
    data = build(listed, experiment.cells(listed.digest)[0].spec.cache_size, work / "cache")
    turns = {LOOP: Loop(setup_of(data, experiment, "full", work)).turn}
    if options.clean:
        turns[CLEAN] = Loop(setup_of(data, experiment, "clean", work)).turn
    return turns | {CEILING: Ceiling.of(setup_of(data, experiment, "clean", work)).turn}


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=7)
    parser.add_argument("photos", help="the folder of the photographs, or their list")
    parser.add_argument("--networks", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--images", type=int, default=192, help="of an epoch (%(default)s)")
    parser.add_argument("--val", type=int, default=48, help="images of the parts not trained on (%(default)s)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--clean", action="store_true", help="the loop without augmentation, too")
    options = parser.parse_args()
    make_deterministic(torch.device("cpu"))  # and one thread, as in a worker
    settings = {"images": options.images, "batch": options.batch, "threads": torch.get_num_threads(), "sides": SIDES}
    measurement = Measurement("loop", options, settings)
    print(measure.heading(measurement))
    rows = []
    with measure.scratch() as work:
        for network in options.networks:
            case = f"{network}, {SIDES[network]} px"
            limit = options.minutes / len(options.networks) if options.minutes else None
            measure.take_turns(measurement, case, arms(network, options, work), options.rounds, limit, warm_up=True)
            for arm in measurement.values.get(case, {}):
                rate = measurement.content()["results"][case][arm]["images_per_second"]
                share = measurement.compare(case, arm, CEILING, "images_per_second") if arm != CEILING else None
                measurement.compare(case, arm, CEILING, "images_per_processor_second")
                part = f"{share['median']:.1%}" if share else ""
                reached = f"{share['min']:.1%}-{share['max']:.1%}" if share else ""
                rows.append([f"{network}: {arm}", number(rate["median"]), reach(rate), part, reached])
    print(measure.table(["network, arm", "images/s", "min-max", "share", "min-max"], rows))


if __name__ == "__main__":
    main()
