"""What does a training step cost on this GPU, and which of our levers pay? All of it in one short visit.

    python benchmarks/gpu.py --minutes 9              # on a machine with a CUDA device; made-up photographs
    python benchmarks/gpu.py --photos data/cats12     # the same with real ones
    python benchmarks/gpu.py --dry                    # every part once, tiny, on a CPU: does the script run?

In order of importance, each part within its share of the minutes, the file written after each turn:

  levers        ResNet-50, 196 pixels, batches of 64: memory filled, eager, graph, compiled, not deterministic
  batch 256     the same at 224 pixels, batches of 256
  loop          epochs as `ablation run` trains them, with crop, flip, brightness and contrast, beside the ceiling: the
                same steps on a random batch that is already there
  small         ResNet-50 with the small stem at 32 pixels, batches of 128
  several       8 runs by `ablation run` with 1, 2 and 4 workers on the device, start-up included
  augmentation  pictures of 256 pixels to 224, without a network; "fused" where that kernel can be used
  profile       where the time of a step goes, by the kernels that ran, and the share of two limits of the device:
                products in bfloat16 and copies in memory, both measured here

Where there is no CUDA device it says so and ends.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from grid import source
from measure import Failed, Measurement, number, reach
from torch.utils._python_dispatch import TorchDispatchMode

from ablation import (
    SGD,
    Brightness,
    Contrast,
    Digits,
    Execution,
    Experiment,
    Fixed,
    RandomHorizontalFlip,
    RandomResizedCrop,
)
from ablation.augment.apply import apply
from ablation.data import Dataset, build, listing
from ablation.experiment.runs import Run
from ablation.models.networks import make_deterministic
from ablation.training.cost.counts import ModelConfig, count
from ablation.training.loop import train_epoch
from ablation.training.setup import Setup

SETTINGS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "TORCHINDUCTOR_DETERMINISTIC": "1"}
"""Those of a worker, read when CUDA or the compiler is first used."""
FULL = (RandomResizedCrop((0.35, 1.0)), RandomHorizontalFlip(), Brightness(0.4), Contrast(0.4))
SHARES = {"levers": 0.28, "batch 256": 0.2, "loop": 0.12, "small": 0.12, "several": 0.18, "augmentation": 0.05}
"""Of the minutes; the profile has what is left."""
LEAST = 0.25
"""Minutes that a part has for its turns, however long its arms took to be ready."""
TURN = 1.0
"""Seconds of steps in a turn."""
KINDS = {
    "batch norm": r"batch_?norm|bn_(fw|bw)|welford",
    "convolution": r"conv|xmma|cutlass|gemm|wgrad|dgrad|nvjet|implicit|cudnn",
    "optimizer": r"multi_tensor|foreach|fused_(adam|sgd)",
}
"""What a kernel does, by its name; the first that fits. What runs beside the training is augmentation."""


@dataclass(frozen=True)
class Case:
    """A network and the size of its batches."""

    network: str
    side: int
    batch: int
    stem: str = "torchvision"


@dataclass(frozen=True)
class Bench:
    """The device, the photographs, and whether this is a dry run, in which everything is small."""

    device: torch.device
    data: Dataset
    dry: bool

    def case(self, case: Case) -> Case:
        return Case("shallow_cnn", 8, 4) if self.dry else case

    def setup(self, case: Case, execution: Execution, recipe: Any = ()) -> Setup:
        """A run of the case, ready for its first step."""
        experiment = Experiment(
            name="gpu", data=Digits(), model=case.network, image_size=case.side, cache_size=self.data.size, epochs=1000,
            stem=case.stem, batch_size=case.batch, split=Fixed(train=len(self.data.labels) - 32, val=16, test=16),
            recipes={"r": recipe}, optimizers={"sgd": SGD(lr=0.01, momentum=0.9)}, baseline="r", seeds=1,
        )  # fmt: skip
        run = Run(Path(), experiment.cells(self.data.digest)[0].spec)
        chosen = Execution() if self.dry else execution
        return Setup.of(run, self.data, self.device, execution=chosen)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass
class Steps:
    """Steps on one random batch that is on the device: the ceiling. It is built at its first turn."""

    bench: Bench
    case: Case
    execution: Execution
    filled: bool = False
    deterministic: bool = True
    ready: list[Callable[[], Any]] = field(default_factory=list)

    def turn(self) -> dict[str, float]:
        """Take steps for a second."""
        torch.use_deterministic_algorithms(self.deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = self.filled
        if not self.ready:
            self.ready.append(self.step())
        return self.bench_of(self.ready[0])

    def step(self) -> Callable[[], Any]:
        """A function that takes one step, after a few of them."""
        setup = self.bench.setup(case := self.bench.case(self.case), self.execution)
        setup.model.train()
        shape, device = (case.batch, 3, case.side, case.side), self.bench.device
        images = setup.clean.normalized(torch.rand(shape, device=device))
        targets = torch.arange(case.batch, device=device) % len(self.bench.data.classes)
        step = partial(setup.optimizer.step, lambda: setup.passes(images, targets)[0])
        for _ in range(2 if self.bench.dry else 10):
            step()
        if setup.passes.notes:
            raise Failed("; ".join(setup.passes.notes))
        return step

    def bench_of(self, step: Callable[[], Any]) -> dict[str, float]:
        self.bench.wait()
        started, steps = time.perf_counter(), 0
        while steps == 0 or (time.perf_counter() - started < TURN and not self.bench.dry):
            for _ in range(1 if self.bench.dry else 10):
                step()
                steps += 1
            self.bench.wait()
        seconds = (time.perf_counter() - started) / steps
        return {"images_per_second": self.bench.case(self.case).batch / seconds, "milliseconds": 1000 * seconds}


@dataclass
class Loop:
    """Epochs of a run with full augmentation, the first of them not counted."""

    bench: Bench
    case: Case
    execution: Execution
    ready: list[Setup] = field(default_factory=list)

    def turn(self) -> dict[str, float]:
        """Train an epoch."""
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        if not self.ready:
            self.ready.append(self.bench.setup(self.bench.case(self.case), self.execution, FULL))
            self.epoch()
        started = time.perf_counter()
        self.epoch()
        return {"images_per_second": len(self.ready[0].parts.train) / (time.perf_counter() - started)}

    def epoch(self) -> None:
        train_epoch(self.ready[0], 0, (), None)
        self.bench.wait()


def arm(turn: Callable[[], dict[str, float]]) -> measure.Arm:
    """A turn whose failure, whatever it is (out of memory, a kernel that this device has not), ends that arm alone."""

    def guarded() -> dict[str, float]:
        try:
            return turn()
        except Failed:
            raise
        except Exception as error:
            raise Failed(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error

    return guarded


def steps(bench: Bench, case: Case, **changes: dict[str, Any]) -> dict[str, measure.Arm]:
    """The levers on one case, those that take long to start last."""
    levers: dict[str, tuple[Execution, dict[str, Any]]] = {
        "eager": (Execution("eager"), {}),
        "graph": (Execution("graph"), {}),
        "compile": (Execution("compile"), {}),
        **{name: (Execution("eager"), settings) for name, settings in changes.items()},
    }
    if bench.dry:
        del levers["compile"]  # a minute of compiling
    return {name: arm(Steps(bench, case, how, **more).turn) for name, (how, more) in levers.items()}


def augmenting(bench: Bench) -> dict[str, measure.Arm]:
    """Pictures through the full chain without a network."""
    side, batch = (8, 4) if bench.dry else (224, 256)
    setup = bench.setup(Case("shallow_cnn", side, batch), Execution("eager"), FULL)
    view = setup.clean.augmented(FULL, 0, 0, bench.data.aspect, setup.parts.train)
    rows = setup.parts.train[:batch]
    pixels = view.pixels(rows)

    def measured(work: Callable[[], Any]) -> measure.Arm:
        steps = Steps(bench, Case("", side, batch), Execution("eager"), ready=[work])
        return arm(steps.turn)

    arms = {"general": measured(lambda: view.normalized(apply(view.steps, pixels, rows, side)))}
    if bench.device.type == "cuda" and find_spec("triton") and find_spec("ablation.augment.fused"):
        from ablation.augment.fused import fused

        kernel = fused(view.steps, bench.data.size, side, bench.device)
        at, which = torch.arange(batch, device=bench.device), torch.from_numpy(rows).to(bench.device)
        if kernel is not None:
            arms["fused"] = measured(lambda: kernel(pixels, which, view.mean, view.std, at=at))
    return arms


GRID = """
from ablation import Digits, Experiment, Fixed, RandomResizedCrop, SGD
experiment = Experiment(
    name="several", data=Digits(), model={model!r}, stem={stem!r}, image_size={side}, cache_size={side},
    epochs={epochs}, batch_size={batch}, recipes={{"none": (), "crop": (RandomResizedCrop(),)}}, baseline="none",
    optimizers={{"sgd": SGD(lr=0.05, momentum=0.9)}}, split=Fixed(train={train}, val=100, test=100), seeds={seeds},
)
"""


def several(bench: Bench, work: Path) -> dict[str, measure.Arm]:
    """A grid of short runs by the command, with so many workers on the device."""
    grid = {"model": "resnet50", "stem": "small", "side": 32, "epochs": 10, "batch": 64, "train": 1280, "seeds": 4}
    if bench.dry:
        grid |= {"model": "shallow_cnn", "stem": "torchvision", "side": 8, "epochs": 1, "train": 100, "seeds": 1}
    (work / "several.py").write_text(GRID.format(**grid), "utf-8")
    images = 2 * int(grid["seeds"]) * int(grid["epochs"]) * int(grid["train"])

    def run(workers: int) -> dict[str, float]:
        runs = measure.emptied(work / "runs")
        device = ["--device", "cpu", "-j", "1"] if bench.dry else ["--device", "cuda", "--per-device", str(workers)]
        words = measure.ablation("run", "several.py", "--no-tracking", "--no-robustness", *device, "--runs", runs)
        seconds = measure.ran(words, work, measure.plain()).seconds
        return {"images_per_second": images / seconds, "seconds": seconds}

    return {f"{workers} workers": arm(partial(run, workers)) for workers in ((1,) if bench.dry else (1, 2, 4))}


# --- where the time goes


@dataclass(frozen=True)
class Kernel:
    """What ran on the device: its name, the stream, when it began and how long it took, in microseconds."""

    name: str
    stream: int
    began: float
    took: float


def kernels(trace: Path) -> list[Kernel]:
    """Those of a trace that torch's profiler wrote."""
    events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    return [
        Kernel(event["name"], int(event["args"].get("stream", 0)), float(event["ts"]), float(event["dur"]))
        for event in events
        if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")
    ]


def spent(ran: Sequence[Kernel]) -> dict[str, float]:
    """Share of the time from the first kernel to the last: by kind, with augmentation what ran on other streams than
    the training; "gaps" is when nothing ran. More than 1 in all where streams overlap.
    """
    if not ran:
        return {}
    streams: dict[int, float] = {}
    for one in ran:
        streams[one.stream] = streams.get(one.stream, 0) + one.took
    training = max(streams, key=lambda stream: streams[stream])
    ends = max(one.began + one.took for one in ran)
    whole = ends - min(one.began for one in ran)
    shares = dict.fromkeys([*KINDS, "augmentation", "other", "gaps"], 0.0)
    until = min(one.began for one in ran)
    for one in sorted(ran, key=lambda one: one.began):
        kind = "augmentation" if one.stream != training else kind_of(one.name)
        shares[kind] += one.took / whole
        shares["gaps"] += max(0.0, one.began - until) / whole
        until = max(until, one.began + one.took)
    return {kind: measure.significant(share, 3) for kind, share in shares.items()}


def kind_of(name: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, name, re.I)), "other")


class Traffic(TorchDispatchMode):
    """Sums the bytes that eager operations read and write: each its own, as if no cache held anything."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given, made = list(tensors([args, kwargs])), list(tensors(out))
        memories = {one.untyped_storage().data_ptr() for one in given}
        views = (
            made and all(one.untyped_storage().data_ptr() in memories for one in made) and not func._schema.is_mutable
        )
        self.bytes += 0 if views else sum(one.nbytes for one in (*given, *made))
        return out


def tensors(value: Any) -> Iterable[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors(one)


def limits(bench: Bench, case: Case) -> dict[str, float]:
    """Images a second of a step that only multiplied, and of one that only moved what eager operations move."""
    size = 256 if bench.dry else 8192
    one = torch.rand(size, size, device=bench.device, dtype=torch.bfloat16)
    other = torch.empty_like(one)
    products = 2 * size**3 / seconds_of(bench, lambda: torch.mm(one, one, out=other))
    moved = 2 * one.nbytes / seconds_of(bench, lambda: other.copy_(one))
    case = bench.case(case)
    counts = count(ModelConfig(case.network, len(bench.data.classes), case.side))
    setup = bench.setup(case, Execution("eager"))
    setup.model.train()
    images = setup.clean.normalized(torch.rand((case.batch, 3, case.side, case.side), device=bench.device))
    with Traffic() as traffic:
        setup.optimizer.step(
            lambda: setup.passes(images, torch.zeros(case.batch, dtype=torch.long, device=bench.device))[0]
        )
    return {
        "bfloat16_tflops": products / 1e12,
        "memory_tb_per_second": moved / 1e12,
        "images_per_second_by_products": products / (2 * counts.training_macs),
        "images_per_second_by_memory": moved / (traffic.bytes / case.batch),
    }


def seconds_of(bench: Bench, work: Callable[[], Any], times: int = 20) -> float:
    work()
    bench.wait()
    started = time.perf_counter()
    for _ in range(times):
        work()
    bench.wait()
    return (time.perf_counter() - started) / times


def profiled(bench: Bench, case: Case, execution: Execution) -> dict[str, float]:
    """Where the time of an epoch with full augmentation goes."""
    from torch.profiler import ProfilerActivity, profile

    loop = Loop(bench, case, execution)
    loop.turn()
    cuda = [ProfilerActivity.CUDA] if bench.device.type == "cuda" else []
    with profile(activities=[ProfilerActivity.CPU, *cuda]) as profiler:
        loop.epoch()
    with tempfile.TemporaryDirectory() as folder:
        profiler.export_chrome_trace(str(Path(folder) / "trace.json"))
        return spent(kernels(Path(folder) / "trace.json"))


# --- all of it


def made_up(count: int, side: int, classes: int = 12) -> Dataset:
    """Photographs of noise: what is done to pixels takes as long whatever they show."""
    noise = np.random.Generator(np.random.Philox(0))
    images: Any = noise.integers(0, 256, (count, 3, side, side), np.uint8)
    rows = np.arange(count)
    aspect, given = noise.uniform(0.7, 1.4, count).astype(np.float32), np.full(count, -1, np.int8)
    names = tuple(map(str, range(classes)))
    return Dataset("0" * 64, side, names, tuple(map(str, rows)), rows % classes, aspect, given, rows, rows, images)


def photographs(photos: str | None, dry: bool, work: Path) -> Dataset:
    """Real ones where they are named, at 256 pixels; else made up."""
    if photos is None:
        return made_up(96, 16) if dry else made_up(5152, 256)
    return build(listing(source(photos)[0], work / "cache"), 16 if dry else 256, work / "cache")


def table(measurement: Measurement) -> str:
    rows = [
        [case, name, number(one["images_per_second"]["median"]), reach(one["images_per_second"])]
        for case, arms in measurement.content()["results"].items()
        for name, one in arms.items()
    ]
    return measure.table(["part", "arm", "images/s", "min-max"], rows)


def parts(bench: Bench, work: Path) -> dict[str, Callable[[], dict[str, measure.Arm]]]:
    """The measured parts in order of importance; each is set up when its turn has come."""
    usual, large = Case("resnet50", 196, 64), Case("resnet50", 224, 256)
    best = Execution("graph")
    return {
        "levers": lambda: steps(bench, usual, filled={"filled": True}, anyhow={"deterministic": False}),
        "batch 256": lambda: steps(bench, large, anyhow={"deterministic": False}),
        "loop": lambda: {
            "loop, 196 px, 64": arm(Loop(bench, usual, best).turn),
            "ceiling, 196 px, 64": arm(Steps(bench, usual, best).turn),
            "loop, 224 px, 256": arm(Loop(bench, large, best).turn),
            "ceiling, 224 px, 256": arm(Steps(bench, large, best).turn),
        },
        "small": lambda: steps(bench, Case("resnet50", 32, 128, "small")),
        "several": lambda: several(bench, work),
        "augmentation": lambda: augmenting(bench),
    }


def prepare(measurement: Measurement, part: str, arms: dict[str, measure.Arm]) -> None:
    """Give each arm a turn that is not counted: it records or compiles its step. The seconds are kept as facts."""
    for name in list(arms):
        started = time.perf_counter()
        try:
            arms[name]()
        except Failed as failure:
            measurement.note(f"{part}: {name} failed: {failure}")
            del arms[name]
        measurement.facts[f"{part}, {name}: seconds until ready"] = round(time.perf_counter() - started, 1)


def main() -> None:
    """Measure part after part; print the table."""
    parser = measure.parser(__doc__, rounds=5, minutes=9)
    parser.add_argument("--photos", help="the folder of photographs, or their list; by default made-up ones")
    parser.add_argument("--dry", action="store_true", help="tiny, on a CPU")
    options = parser.parse_args()
    if not options.dry and not torch.cuda.is_available():
        print("NOT MEASURED: there is no CUDA device here; --dry only shows whether the script runs")
        return
    began, device = time.perf_counter(), torch.device("cpu" if options.dry else "cuda")
    os.environ.update(SETTINGS)
    make_deterministic(device)
    measurement = Measurement(
        "gpu", options, {"dry": options.dry, "photographs": "real" if options.photos else "noise"}
    )
    measurement.facts["device"] = "cpu" if options.dry else torch.cuda.get_device_name(device)
    print(measure.heading(measurement))
    with measure.scratch() as work:
        bench = Bench(device, photographs(options.photos, options.dry, work), options.dry)
        for name, made in parts(bench, work).items():
            rounds = 1 if options.dry or name == "several" else options.rounds
            ends = began + 60 * options.minutes
            share = min(SHARES[name] * options.minutes, (ends - time.perf_counter()) / 60)
            if share < SHARES[name] * options.minutes / 2:
                measurement.note(f"{name}: no time was left")
                continue
            arms, started = made(), time.perf_counter()
            if name != "several":
                prepare(measurement, name, arms)
            rest = share - (time.perf_counter() - started) / 60
            measure.take_turns(measurement, name, arms, rounds, max(rest, LEAST))
            arms.clear()
            gc.collect()
        where = Case("resnet50", 224, 256)
        for fact, work_of in {
            "limits": partial(limits, bench, where),
            "profile": partial(profiled, bench, where, Execution("graph")),
        }.items():
            try:
                measurement.facts[fact] = work_of()
            except Exception as error:
                measurement.note(f"{fact} failed: {type(error).__name__}: {error}")
            measurement.write()
    for one, other in (("graph", "eager"), ("compile", "eager"), ("eager", "filled"), ("anyhow", "eager")):
        for case in ("levers", "batch 256", "small"):
            measurement.compare(case, one, other, "images_per_second")
    for sizes in ("196 px, 64", "224 px, 256"):
        measurement.compare("loop", f"loop, {sizes}", f"ceiling, {sizes}", "images_per_second")
    print(table(measurement), *(f"{fact}: {value}" for fact, value in measurement.facts.items()), sep="\n")
    sys.exit(0)


if __name__ == "__main__":
    main()
