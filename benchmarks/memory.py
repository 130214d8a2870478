"""How much memory does a sweep hold, and do its workers share the image cache?

    python benchmarks/memory.py                      # digits as squares of 256 pixels: a cache of 0.35 GB
    python benchmarks/memory.py --square 480 --workers 1 2 4

While `ablation run` trains, /proc is read several times a second (Linux only): of each process RSS (what it maps), PSS
(the same, with what several share divided among them) and USS (what it alone holds). And of the image cache alone, the
file images.npy: what each worker maps of it and what is counted to it. If they share it, the PSS of all together grows
with a second worker by what that worker holds for itself, and the cache is counted once.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import measure
from measure import Failed, Measurement, number, reach

FILE = '''"""Digits, much enlarged."""

from ablation import SGD, Contrast, Digits, Experiment, Fixed

experiment = Experiment(
    name="memory", data=Digits(), model="lenet", image_size=24, cache_size={square}, epochs={epochs}, batch_size=64,
    split=Fixed(train=1200, val=97, test=500), robustness=False, baseline="none", seeds={seeds},
    recipes={{"none": (), "contrast": (Contrast(0.4),)}}, optimizers={{"sgd": SGD(lr=0.03, momentum=0.9)}},
)
'''
KINDS = {"Rss": "rss", "Pss": "pss", "Private_Clean": "uss", "Private_Dirty": "uss"}
CACHE_FILE = "images.npy"


@dataclass
class Peaks:
    """The most MiB of each kind, of the parent, of any worker, of all processes at once, and of the cache alone."""

    parent: dict[str, float] = field(default_factory=dict)
    worker: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    cache: dict[str, float] = field(default_factory=dict)
    cache_total: dict[str, float] = field(default_factory=dict)
    workers: int = 0

    def add(self, parent: dict[str, float], workers: list[dict[str, float]], caches: list[dict[str, float]]) -> None:
        """One look at all of them."""
        self.workers = max(self.workers, len(workers))
        raise_to(self.parent, parent)
        for one in workers:
            raise_to(self.worker, one)
        raise_to(self.total, summed([parent, *workers]))
        for one in caches:
            raise_to(self.cache, one)
        raise_to(self.cache_total, summed(caches))

    def measured(self) -> dict[str, float]:
        """By name: "worker_pss_mib"."""
        whose = ("parent", "worker", "total", "cache", "cache_total")
        return {f"{who}_{kind}_mib": mib for who in whose for kind, mib in getattr(self, who).items()}


def raise_to(peak: dict[str, float], now: dict[str, float]) -> None:
    """Let each kind be the larger of both."""
    peak |= {kind: max(mib, peak.get(kind, 0.0)) for kind, mib in now.items()}


def summed(several: Iterable[dict[str, float]]) -> dict[str, float]:
    """Each kind over all of them."""
    total = dict.fromkeys(KINDS.values(), 0.0)
    for one in several:
        for kind, mib in one.items():
            total[kind] += mib
    return total


def memory_of(lines: Iterable[str]) -> dict[str, float]:
    """MiB of each kind, over the lines of a smaps or a smaps_rollup."""
    held = dict.fromkeys(KINDS.values(), 0.0)
    for line in lines:
        name, _, rest = line.partition(":")
        if name in KINDS:
            held[KINDS[name]] += int(rest.split()[0]) / 1024
    return held


def mapped(lines: Iterable[str], file: str) -> list[str]:
    """Of a smaps, the lines on the mappings of a file of this name."""
    kept, inside = [], False
    for line in lines:
        if "-" in line.split(" ", 1)[0]:  # the head of a mapping begins with its addresses
            inside = line.rstrip().endswith("/" + file)
        elif inside:
            kept.append(line)
    return kept


def children(process: int) -> list[int]:
    """The processes that a process has started and that live."""
    found = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        found += [int(word) for word in file.read_text().split()]
    return found


def look(process: int, peaks: Peaks) -> None:
    """Read the memory of a process and of its workers; one that ends meanwhile is left out."""
    try:
        parent = memory_of(Path(f"/proc/{process}/smaps_rollup").read_text().splitlines())
    except OSError:
        return
    workers, caches = [], []
    for child in children(process):
        try:
            if b"ablation.training.worker" not in Path(f"/proc/{child}/cmdline").read_bytes():
                continue
            workers.append(memory_of(Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()))
            caches.append(memory_of(mapped(Path(f"/proc/{child}/smaps").read_text().splitlines(), CACHE_FILE)))
        except OSError:
            continue
    peaks.add(parent, workers, caches)


def watched(file: Path, work: Path, workers: int, every: float) -> dict[str, float]:
    """Train with so many workers, and return the peaks."""
    runs, peaks = measure.emptied(work / "runs"), Peaks()
    where = ["--runs", runs, "--cache", work / "cache", "--no-tracking", "-j", str(workers)]
    with (work / "output.txt").open("w+") as output:
        command = measure.ablation("run", file, *where)
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=measure.plain())
        try:
            while process.poll() is None:
                look(process.pid, peaks)
                time.sleep(every)
        finally:
            process.terminate()
            process.wait()
        output.seek(0)
        if process.returncode:
            raise Failed("\n".join(output.read().strip().splitlines()[-12:]))
    if peaks.workers != workers:
        raise Failed(f"{peaks.workers} of {workers} workers were there at once; use more --epochs or --seeds")
    return peaks.measured()


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--square", type=int, default=256, help="pixels of the cached squares' side (%(default)s)")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2, help="half of the runs (%(default)s)")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between two looks (%(default)s)")
    options = parser.parse_args()
    if platform.system() != "Linux":
        sys.exit("left out: it reads /proc, which only Linux has")
    settings = {name: getattr(options, name) for name in ("workers", "square", "epochs", "seeds")}
    measurement = Measurement("memory", options, settings)
    print(measure.heading(measurement))
    with measure.scratch() as work:
        file = work / "memory.py"
        text = FILE.format(square=options.square, epochs=options.epochs, seeds=max(options.seeds, *options.workers))
        file.write_text(text, "utf-8")
        names = {count: f"{count} worker{'s' * (count > 1)}" for count in options.workers}
        arms = {name: partial(watched, file, work, count, options.every) for count, name in names.items()}
        measure.take_turns(measurement, "memory", arms, options.rounds, options.minutes)
        cache = sum(file.stat().st_size for file in (work / "cache").rglob(CACHE_FILE)) / 2**20
        measurement.facts["cache_mib"] = cache
        measurement.write()
    rows = []
    results = measurement.content()["results"].get("memory", {})
    for whose, kinds in {
        "parent": ("pss",),
        "worker": ("rss", "pss", "uss"),
        "total": ("pss",),
        "cache": ("rss", "pss"),
        "cache_total": ("pss",),
    }.items():
        for kind in kinds:
            cells = [arm.get(f"{whose}_{kind}_mib") for arm in results.values()]
            shown = [f"{number(one['median'])} ({reach(one)})" for one in cells]
            rows.append([f"{whose.replace('_', ', ')}: {kind.upper()}", *shown])
    print(f"peaks in MiB, median (min-max); the image cache has {number(cache)} MiB on disk")
    print("worker: the largest one; total: all processes at once; cache, total: of all workers")
    print(measure.table(["", *results], rows))


if __name__ == "__main__":
    main()
