"""How do time, memory and disk grow with the number of runs, and with the number of photographs?

    python benchmarks/scale.py                            # all of it: some twenty minutes, 2 GB in a temporary folder
    python benchmarks/scale.py plan runs --json FILE      # only these parts: plan, runs, records, mlflow, near, split,
                                                          # listing, photographs, rows
    python benchmarks/scale.py near --most 1000000        # up to a million photographs (by default 100,000)
    python benchmarks/scale.py photographs near --photos FOLDER   # real photographs: decoding, and hashes like theirs

Each measurement is a process of its own; printed are its processor seconds (its children's too), the seconds that
passed, and the most memory that it held. Processor seconds are what to compare, as other programs do not change them
much. Runs are made up (see `made.py`), so are the traits of photographs: as many as wanted, without a photograph.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

MiB = 2**20

EXPERIMENT = '''"""Which of these strengths of brightness is best?"""

from ablation import SGD, Adam, Brightness, Digits, Experiment, Redrawn

experiment = Experiment(
    name="scale", data=Digits(), baseline="none", seeds={seeds}, model="lenet", image_size=12, cache_size=24,
    epochs=60, batch_size=25, split=Redrawn(train=100, val=97, test=800), robustness=True,
    recipes={{"none": ()}} | {{f"brightness {{step}}": (Brightness(step / 100),) for step in range(1, {recipes})}},
    optimizers={{f"sgd {{step}}": SGD(lr=0.01 * step) for step in range(1, {optimizers} + 1)}},
)
'''
"""As the quickstart keeps it: lenet, 60 epochs, 800 test images of 10 classes, robustness."""

GRIDS = {60: (5, 2, 6), 500: (5, 2, 50), 2000: (5, 2, 200)}
"""Runs -> recipes, optimizers, seeds."""

WIDE = (50, 2, 5)
"""500 runs again, as many recipes with few seeds."""

PLANNED = {60: (5, 3, 4), 500: (10, 2, 25), 2000: (20, 4, 25), 10_000: (50, 4, 50)}


@dataclass(frozen=True)
class Measured:
    """What one measurement took. cpu, wall: seconds. peak: MiB of resident memory. also: what it counted."""

    part: str
    what: str
    size: int
    cpu: float
    wall: float
    peak: float
    also: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        also = ", ".join(f"{name} {number:,.6g}" for name, number in self.also.items())
        spent = f"{self.cpu:9.2f} s cpu {self.wall:9.2f} s wall {self.peak:8,.0f} MiB"
        return f"{self.part:<12} {self.what:<28} {self.size:>9,} {spent}  {also}"


Rows = Iterator[Measured]


@dataclass(frozen=True)
class Options:
    """folder: for what is written. most: photographs. photos: a folder of real ones, or None."""

    folder: Path
    most: int
    photos: Path | None


# --- taking a measurement


def command(part: str, what: str, size: int, *arguments: str | Path) -> Measured:
    """A command of `ablation`, in a process of its own. Raises RuntimeError where it fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "ablation.cli", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"ablation {' '.join(map(str, arguments))}: {said.read().decode()[-2000:]}")
    wall = time.perf_counter() - started
    return Measured(part, what, size, used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def alone(part: str, what: str, size: int, function: Callable[..., Mapping[str, float]], *arguments: Any) -> Measured:
    """A function in a process of its own. What it took is all of it, or what it returns as "cpu" and "wall"."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        also = dict(pool.submit(_timed, function, *arguments).result())
    return Measured(part, what, size, also.pop("cpu"), also.pop("wall"), also.pop("peak"), also)


def _timed(function: Callable[..., Mapping[str, float]], *arguments: Any) -> dict[str, float]:
    with Timer() as timer:
        counted = function(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**timer.taken, "peak": peak, **counted}


class Timer:
    """Processor seconds of all threads of this process, and the seconds that passed."""

    def __enter__(self) -> Timer:
        self.cpu, self.wall = -time.process_time(), -time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu, self.wall = self.cpu + time.process_time(), self.wall + time.perf_counter()

    @property
    def taken(self) -> dict[str, float]:
        return {"cpu": self.cpu, "wall": self.wall}


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --- runs


def experiment_file(folder: Path, recipes: int, optimizers: int, seeds: int) -> Path:
    """Write the experiment of such a grid into a folder of its own."""
    own = folder / f"{recipes}-{optimizers}-{seeds}"
    own.mkdir(parents=True, exist_ok=True)
    (own / "scale.py").write_text(EXPERIMENT.format(recipes=recipes, optimizers=optimizers, seeds=seeds), "utf-8")
    return own / "scale.py"


def plan(options: Options) -> Rows:
    """The cells of a grid, and what `ablation plan` takes before anything has been trained."""
    for runs, grid in PLANNED.items():
        file = experiment_file(options.folder / "plan", *grid)
        yield alone("plan", "Experiment.cells with ids", runs, _cells, file)
        yield command("plan", "ablation plan", runs, "plan", file, *_where(file, options))


def _cells(file: Path) -> dict[str, float]:
    from ablation.experiment.files import read

    experiment = read(file).experiment
    with Timer() as timer:
        ids = {cell.spec.id for cell in experiment.cells("0123456789abcdef")}
    return {"ids": len(ids), **timer.taken}


def runs(options: Options) -> Rows:
    """Commands on finished runs, and what these take on disk."""
    for grid in (*GRIDS.values(), WIDE):
        file, wide = experiment_file(options.folder / "runs", *grid), " (wide)" * (grid == WIDE)
        count, where = grid[0] * grid[1] * grid[2], _where(file, options)
        _make_runs(file, options.folder / "cache")
        held = bytes_in(file.parent / "runs")
        yield Measured("runs", f"on disk{wide}", count, 0, 0, 0, {"MB": held / 1e6, "kB a run": held / count / 1e3})
        for name in ("status", "plan", "compare"):
            yield command("runs", f"{name}{wide}", count, name, file, *where)
        out = file.parent / "report"
        taken = command("runs", f"report --no-pdf{wide}", count, "report", file, *where, "--no-pdf", "--out", out)
        yield Measured(**{**_plain(taken), "also": {"MB": bytes_in(out) / 1e6}})


def mlflow(options: Options) -> Rows:
    """Publishing finished runs to SQLite, and again with nothing new. Prints and judges nothing beside."""
    for grid in GRIDS.values():
        file, count = experiment_file(options.folder / "runs", *grid), grid[0] * grid[1] * grid[2]
        _make_runs(file, options.folder / "cache")
        yield alone("mlflow", "publish", count, _publish, file, options.folder / "cache")
        yield alone("mlflow", "publish, nothing new", count, _publish, file, options.folder / "cache")


def _publish(file: Path, cache: Path) -> dict[str, float]:
    import sqlite3

    from ablation.data import listing
    from ablation.experiment.files import read
    from ablation.tracking.client import Tracker

    experiment = read(file).experiment
    cells = experiment.cells(listing(experiment.data, cache).digest)
    tracker = Tracker(experiment, cells, file.parent / "runs", f"sqlite:///{file.parent / 'mlflow.db'}")
    tracker.publish_all()
    if tracker.off:
        raise RuntimeError("MLflow took nothing")
    with closing(sqlite3.connect(file.parent / "mlflow.db")) as base:
        rows = {name: base.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("metrics", "params")}
        rows["tags"] = base.execute("SELECT COUNT(*) FROM tags").fetchone()[0]
    rows["db MB"] = (file.parent / "mlflow.db").stat().st_size / 1e6
    return rows | {"artifacts MB": bytes_in(file.parent / "mlartifacts") / 1e6}


def _make_runs(file: Path, cache: Path) -> None:
    """Write the records that are missing."""
    from made import Kept, write_made

    from ablation.data import build, listing
    from ablation.experiment.files import read
    from ablation.experiment.runs import folder_of, runs_of

    experiment = read(file).experiment
    data = listing(experiment.data, cache)
    every = runs_of(experiment.cells(data.digest), folder_of(experiment, file.parent / "runs"))
    build(data, every[0].spec.cache_size, cache)
    missing = [run for run in every if run.record() is None]
    write = partial(write_made, file=file, cache=cache, kept=Kept(features=84, map_side=6))
    with ProcessPoolExecutor() as pool:
        list(pool.map(write, missing, chunksize=8))


def _where(file: Path, options: Options) -> tuple[str | Path, ...]:
    return ("--runs", file.parent / "runs", "--cache", options.folder / "cache")


def _plain(measured: Measured) -> dict[str, Any]:
    return asdict(measured)


def records(options: Options) -> Rows:
    """What one run keeps on disk, by test images, classes and features; random numbers, as good as incompressible."""
    for test, classes, features in (
        (540, 12, 2048), (800, 10, 84), (10_000, 10, 512), (10_000, 100, 512), (10_000, 100, 2048),
        (50_000, 1000, 512), (50_000, 1000, 2048),
    ):  # fmt: skip
        what = f"record, {classes} classes, {features} features"
        yield alone("records", what, test, _record, options.folder / "record", test, classes, features)


def _record(folder: Path, test: int, classes: int, features: int) -> dict[str, float]:
    from ablation.core.seeds import stream
    from ablation.experiment.record import Arrays, RunRecord, read_features, read_predictions, write_record

    random = stream(0, "record")
    rows, labels = np.arange(test), random.integers(0, classes, test)
    logits = random.normal(size=(test, classes)).astype(np.float32)
    kept = random.normal(size=(test, features)).astype(np.float32).clip(min=0)
    side = np.zeros((8, 8, 3), np.uint8)
    arrays = Arrays(rows, labels, logits, kept, side, side[None])
    folder.mkdir(parents=True, exist_ok=True)
    with Timer() as writing:
        write_record(folder, RunRecord("0" * 16, "finished", (), {}, {}), arrays)
    with Timer() as reading:
        read_predictions(folder)
    with Timer() as reading_all:
        read_features(folder)
    size = (folder / "arrays.npz").stat().st_size
    (folder / "arrays.npz").unlink()
    return {
        "MB": size / 1e6, "B an image": size / test, "write, s cpu": writing.cpu,
        "read answers, s cpu": reading.cpu, "read features, s cpu": reading_all.cpu,
    }  # fmt: skip


# --- photographs


SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def sizes(options: Options) -> list[int]:
    return [size for size in SIZES if size <= options.most]


def near(options: Options) -> Rows:
    """The search for near-duplicates: among random hashes, and among such as photographs have."""
    kinds: dict[str, Any] = {"random": None}
    if options.photos is not None:
        kinds["like photographs"] = _hashes_of(options.photos, options.folder / "cache")
    for kind, hashes in kinds.items():
        for size in sizes(options):
            yield alone("near", f"near_links, {kind} hashes", size, _near, size, hashes)


def _near(size: int, like: np.ndarray | None) -> dict[str, float]:
    from ablation.data.groups import near_links

    traits = made_traits(size, like)
    with Timer() as timer:
        links = near_links(traits, np.zeros(size, np.int64)).near
    return {"links": len(links), **timer.taken}


def made_traits(size: int, like: np.ndarray | None = None) -> np.ndarray:
    """Traits of as many photographs, one of a hundred a near-duplicate of another; every content differs.

    like: (N, 256) bits of real hashes. Then the bits are signs of normal numbers with the same shares and correlations.
    """
    from ablation.core.seeds import stream
    from ablation.data.traits import TRAITS

    random = stream(0, "traits", size)
    traits = np.zeros(size, TRAITS)
    traits["content"] = traits["pixels"] = [b"%032x" % number for number in random.permutation(size).tolist()]
    traits["width"], traits["height"], traits["hashed"] = 500, 375, True
    traits["hash"] = random.integers(0, 2**64, (size, 4), np.uint64) if like is None else _alike(like, size, random)
    copies = random.permutation(size)[: size // 100]
    traits["hash"][copies] = traits["hash"][random.permutation(size)[: len(copies)]]
    flipped = random.integers(0, 64, (len(copies), 4)).astype(np.uint64)
    traits["hash"][copies] ^= np.uint64(1) << flipped
    return traits


def _alike(bits: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    from scipy.stats import norm

    signs = 2.0 * bits - 1
    correlation = np.sin(np.pi / 2 * np.corrcoef(signs.T + 1e-9 * random.normal(size=signs.T.shape)))
    scale, axes = np.linalg.eigh(correlation)
    root = axes * np.sqrt(scale.clip(min=0))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    threshold = norm.ppf(bits.mean(axis=0).clip(0.001, 0.999))
    parts = [random.normal(size=(min(10_000, size - start), 256)) @ root.T for start in range(0, size, 10_000)]
    packed = np.concatenate([np.packbits(part + threshold > 0, axis=1) for part in parts])
    return np.ascontiguousarray(packed).view("<u8")


def _hashes_of(photos: Path, cache: Path) -> np.ndarray:
    """(N, 256) bits."""
    from ablation.data import listing
    from ablation.data.guess import source_at

    traits = listing(source_at(str(photos)), cache).traits
    return np.unpackbits(traits["hash"][traits["hashed"]].view(np.uint8), axis=1)


def split(options: Options) -> Rows:
    """A draw of the default split among a thousand classes, with one group in a hundred photographs."""
    for size in sizes(options):
        yield alone("split", "Redrawn().draw", size, _split, size)


def _split(size: int) -> dict[str, float]:
    from types import SimpleNamespace

    from ablation.core.seeds import stream
    from ablation.data import Redrawn

    random = stream(0, "split", size)
    groups = np.arange(size)
    groups[1::100] = groups[0::100][: len(groups[1::100])]
    classes = tuple(map(str, range(min(1000, size // 50))))
    labels = np.sort(random.integers(0, len(classes), size))
    data = SimpleNamespace(labels=labels, classes=classes, names=(), parts=np.full(size, -1), near=groups, exact=groups)
    with Timer() as timer:
        Redrawn().draw(data, 0)
    return {"classes": len(classes), **timer.taken}


def listing(options: Options) -> Rows:
    """What is remembered of files, and a listing of them: all but reading them. Real, empty files on disk."""
    for size in sizes(options):
        yield alone("listing", "files, seen before", size, _listing, size, options.folder / "listing")


def _listing(size: int, folder: Path) -> dict[str, float]:
    import shutil

    from ablation.data import ImageFolder
    from ablation.data import contents as home

    source, index = ImageFolder(str(folder / "photos")), folder / "traits.npz"
    for label in range(100):
        (folder / "photos" / f"class{label:03}").mkdir(parents=True, exist_ok=True)
    for number in range(size):
        (folder / "photos" / f"class{number % 100:03}" / f"{number:07}.jpg").touch()
    took = {"cpu": 0.0, "wall": 0.0}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        with Timer() as timer:
            result = function()
        took[f"{name}, s cpu"] = timer.cpu
        took["cpu"], took["wall"] = took["cpu"] + timer.cpu, took["wall"] + timer.wall
        return result

    classes, samples = timed("names", source.samples)
    traits = made_traits(size)
    real = cache(os.path.realpath)
    states = timed("stat", lambda: [home._state(sample, False, None, real) for sample in samples])
    timed("write index", lambda: home._write_index(index, dict(zip(states, traits, strict=True))))
    took["index MB"] = index.stat().st_size / 1e6
    states.clear()
    measured = timed("remembered", lambda: home.remembered_traits(samples, False, index))
    surveyed = home.Survey(source, classes, list(zip(samples, measured, strict=True)), [])
    links = home._remembered_links(folder, traits[:0], np.zeros(0, np.int64))
    search = home._remembered_links
    home._remembered_links = lambda *_: links  # measured by itself, see `near`
    data = timed("listed", lambda: home.listed(surveyed, folder))
    home._remembered_links = search
    assert len(data.labels) == size
    shutil.rmtree(folder)
    return took


def photographs(options: Options) -> Rows:
    """Reading, measuring and caching real photographs; what a square of each size takes."""
    if options.photos is None:
        return
    from ablation.data import listing as listing_of
    from ablation.data.guess import source_at

    fresh = options.folder / "fresh"
    source = source_at(str(options.photos))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with Timer() as timer:
        data = listing_of(source, fresh)
    after, count = resource.getrusage(resource.RUSAGE_CHILDREN), len(data.labels)
    children = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cpu, wall = timer.cpu + children, time.perf_counter() - started
    yield Measured("photographs", "read and measure", count, cpu, wall, 0, {"ms cpu each": 1e3 * cpu / count})
    for size in (64, 128, 224, 256):
        taken = alone("photographs", f"build squares of {size}", count, _build, source, size, fresh)
        also = {"ms cpu each": 1e3 * taken.cpu / count, **taken.also}
        yield Measured(**{**_plain(taken), "also": also})


def _build(source: Any, size: int, cache: Path) -> dict[str, float]:
    from ablation.data import build
    from ablation.data import listing as listing_of

    data = listing_of(source, cache)
    squares = build(data, size, cache)
    return {"bytes each": bytes_in(cache / f"{data.digest}-{size}") / len(squares.labels)}


def rows(options: Options) -> Rows:
    """Random batches out of squares of 256: from the system's own cache, and from a disk that holds what it does not.

    The second stands for a cache that is larger than memory: every page of the file is dropped before each round.
    """
    size, count = 256, 10_000
    file = options.folder / "images.npy"
    noise = np.frombuffer(os.urandom(3 * size * size), np.uint8)
    with file.open("wb") as opened:
        np.lib.format.write_array_header_2_0(
            opened, {"descr": "|u1", "fortran_order": False, "shape": (count, 3, size, size)}
        )
        for row in range(count):
            opened.write(np.roll(noise, row).tobytes())
        os.fsync(opened.fileno())
    for kind in ("in memory", "from disk"):
        for order in ("shuffled", "ascending in a batch"):
            taken = alone("rows", f"batches of 64, {kind}, {order}", count, _read_rows, file, kind, order)
            yield taken
    file.unlink()


def _read_rows(file: Path, kind: str, order: str) -> dict[str, float]:
    from ablation.core.seeds import stream

    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    images = np.load(file, mmap_mode="r")
    if kind == "in memory":
        for start in range(0, len(images), 64):
            np.array(images[start : start + 64])
    chosen = stream(0, "rows").permutation(len(images))[: 64 * 40].reshape(-1, 64)
    chosen = np.sort(chosen, axis=1) if order == "ascending in a batch" else chosen
    with Timer() as timer:
        for batch in chosen:
            np.array(images[batch])
    return {"images/s": chosen.size / timer.wall, "ms cpu an image": 1e3 * timer.cpu / chosen.size}


PARTS: dict[str, Callable[[Options], Rows]] = {
    "plan": plan, "runs": runs, "mlflow": mlflow, "records": records, "near": near, "split": split,
    "listing": listing, "photographs": photographs, "rows": rows,
}  # fmt: skip


def main() -> None:
    """Print a line a measurement; write them as JSON as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    parser.add_argument("--most", type=int, default=100_000, help="photographs, at most")
    parser.add_argument("--photos", type=Path, help="a folder for each class, or a list of path<TAB>label")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))} ({', '.join(PARTS)})")
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        options = Options(Path(temporary), given.most, given.photos)
        for name in given.parts or PARTS:
            for row in PARTS[name](options):
                print(row, flush=True)
                measured.append(asdict(row))
                if given.json:
                    given.json.write_text(json.dumps({"machine": machine(), "measured": measured}, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """What the figures were measured on; `load` is how busy it was with other programs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = f"Python {platform.python_version()}, numpy {np.__version__}"
    return {
        "system": platform.platform(terse=True), "cores": len(os.sched_getaffinity(0)), "memory GiB": round(memory),
        "software": python, "load": os.getloadavg()[0],
    }  # fmt: skip


if __name__ == "__main__":
    main()
