"""What does the harness cost, beyond the step? Many runs of one step each, and the way to the first step.

    python benchmarks/overhead.py                       # 200 runs of one step: lenet on one batch of digits
    python benchmarks/overhead.py --photos PHOTOS       # and to the first step on photographs, new and read before
    python benchmarks/overhead.py --runs 40 --rounds 1

A run of one step reads its spec, builds its network, draws its split, trains a batch, validates and tests on 100 images
in all, and leaves a sealed record. "harness a run" is what that takes a worker beyond the step, from the start of its
first run to the end of its last; the step is timed in this process, with one thread. "between two runs" is from the
record of one to the start of the next on the same worker. Read off the journals.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import journals
import measure
import numpy as np
import torch
from grid import source
from measure import Measurement, number, reach
from torch.nn import functional

from ablation.models.networks import build, make_deterministic
from ablation.optim import SGD, build_optimizer

BATCH, SIDE = 25, 12
DIGITS = '''"""Runs of one step."""

from ablation import SGD, Brightness, Contrast, Digits, Experiment, Redrawn

light, sharp = (Brightness(0.4),), (Contrast(0.4),)
experiment = Experiment(
    name="overhead", data=Digits(), model="lenet", image_size=12, cache_size=24, epochs=1, batch_size=120,
    split=Redrawn(train={batch}, val=50, test=50), baseline="none", robustness=False, seeds={seeds},
    recipes={{"none": (), "brightness": light, "contrast": sharp, "both": light + sharp}},
    optimizers={{"sgd": SGD(lr=0.03, momentum=0.9)}},
)
'''
PHOTOGRAPHS = '''"""The first step on photographs."""

from ablation import (
    SGD, Brightness, Contrast, CsvFile, Experiment, Fixed, ImageFolder, ListFile, RandomHorizontalFlip,
    RandomResizedCrop,
)

everything = (RandomResizedCrop((0.35, 1.0)), RandomHorizontalFlip(), Brightness(0.4), Contrast(0.4))
experiment = Experiment(
    name="overhead", data={data!r}, model={model!r}, image_size={side}, epochs=1, batch_size=64,
    split=Fixed(train={images}, val={images}, test={images}), baseline="all", robustness=False, seeds=2,
    recipes={{"all": everything}}, optimizers={{"sgd": SGD(lr=0.01, momentum=0.9)}},
)
'''
STEPS, NEW, KNOWN = "runs of one step", "photographs never read", "photographs read before"


def step_milliseconds(batch: int, count: int = 200) -> float:
    """The median of one step of lenet on a batch that is there."""
    model = build("lenet", 10)
    optimizer = build_optimizer(SGD(lr=0.03, momentum=0.9), model)
    images, targets = torch.randn(batch, 3, SIDE, SIDE), torch.randint(10, (batch,))

    def gradients() -> torch.Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), targets)
        loss.backward()
        return loss.detach()

    model.train()
    return 1000 * float(np.median([measure.timed(lambda: optimizer.step(gradients)) for _ in range(count)]))


def one_step_runs(file: Path, work: Path, step: float) -> dict[str, float]:
    """Train all of them, in fresh folders."""
    runs = measure.emptied(work / "runs")
    where = ["--runs", runs, "--cache", work / "cache", "--no-tracking"]
    ended = measure.ran(measure.ablation("run", file, *where))
    root = runs / "overhead"
    spans, phases = journals.spans(root), journals.phases(root, ended.began, ended.ended)
    workers = len({span.worker for span in spans})
    busy = ended.seconds - phases["before the first run"] - phases["after the last run"]
    between = [1000 * gap for gap in journals.gaps(root)]
    return {
        "seconds": ended.seconds,
        "wall_ms_a_run": 1000 * ended.seconds / len(spans),
        "runs": len(spans),
        "workers": workers,
        "step_ms": step,
        "harness_ms_a_run": 1000 * busy * workers / len(spans) - step,
        "set_up_ms": 1000 * phases["set-up of runs"] * workers / len(spans),
        "epoch_ms": 1000 * phases["epochs"] * workers / len(spans),
        "record_ms": 1000 * phases["tests and records"] * workers / len(spans),
        "between_two_runs_ms": float(np.median(between)),
        "between_two_runs_ms_at_most": max(between),
        "first_step_seconds": journals.first_step(root) - ended.began,
    }


def first_step(file: Path, photos: str, work: Path, fresh: bool) -> dict[str, float]:
    """The seconds from the command to the first step. fresh: with nothing in the cache."""
    runs, cache = measure.emptied(work / "runs"), work / "photographs"
    if fresh:
        measure.emptied(cache)
    where = ["--runs", runs, "--cache", cache, "--data", photos, "--no-tracking"]
    ended = measure.ran(measure.ablation("run", file, *where))
    return {
        "first_step_seconds": journals.first_step(runs / "overhead") - ended.began,
        "seconds": ended.seconds,
        "processor_seconds": ended.processor_seconds,
    }


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=5)
    parser.add_argument("--runs", type=int, default=200, help="of one step each, a multiple of 4 (%(default)s)")
    parser.add_argument("--photos", help="the folder of photographs, or their list")
    parser.add_argument("--model", default="resnet50", help="trained on the photographs (%(default)s)")
    parser.add_argument("--side", type=int, default=64, help="pixels of the photographs (%(default)s)")
    parser.add_argument("--images", type=int, default=60, help="photographs of each part (%(default)s)")
    options = parser.parse_args()
    make_deterministic(torch.device("cpu"))
    settings = {"runs": options.runs, "model": options.model, "side": options.side, "images": options.images}
    measurement = Measurement("overhead", options, settings)
    print(measure.heading(measurement))
    limit = options.minutes / 2 if options.minutes else None
    with measure.scratch() as work:
        file = work / "overhead.py"
        file.write_text(DIGITS.format(batch=BATCH, seeds=options.runs // 4), "utf-8")
        steps = {STEPS: partial(one_step_runs, file, work, step_milliseconds(BATCH))}
        measure.take_turns(measurement, STEPS, steps, options.rounds, limit)
        if options.photos:
            given: Any
            given, where = source(options.photos)
            file = work / "photographs.py"
            sizes = {"model": options.model, "side": options.side, "images": options.images}
            file.write_text(PHOTOGRAPHS.format(data=given, **sizes), "utf-8")
            for name in (NEW, KNOWN):  # in this order: the second finds the cache that the first has left
                arm = {name: partial(first_step, file, where, work, name == NEW)}
                measure.take_turns(measurement, "first step", arm, options.rounds, limit)
    rows = []
    for arms in measurement.content()["results"].values():
        for arm, quantities in arms.items():
            rows += [[f"{arm}: {name}", number(one["median"]), reach(one)] for name, one in quantities.items()]
    print(measure.table(["what", "median", "min-max"], rows))


if __name__ == "__main__":
    main()
