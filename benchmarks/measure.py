"""What all benchmarks share: the machine, rounds in which arms take turns, medians and spread, a table, a JSON file.

An arm is a function that does its work once and returns what it measured, by name: {"seconds": 1.2}. In each round
every arm has its turn, the first of them another one each time, so that a machine that slows down does so for all;
ratios are taken within a round and then summarised. What was measured is in the JSON file after each turn: a run that
is cut short keeps what it has. Nothing in the file says where or on which host it was made, but for the name given by
--machine.

Knows nothing of what is measured. Needs the standard library and numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
WIDTH = 80
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "Pillow", "lightning", "kornia")
"""Whose versions are written beside each measurement, where they are installed."""

Arm = Callable[[], Mapping[str, float]]
Note = Callable[[str], None]


class Failed(Exception):
    """An arm could not do its work; the reason, in a line or several."""


# --- numbers


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, extremes and quartiles (linear interpolation) of the rounds, and the rounds themselves, in their order.

    >>> spread([3.0, 1.0, 2.0])["median"]
    2.0
    """
    if not values:
        raise ValueError("no round was measured")
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    rounds = [significant(value) for value in values]
    summary = {"median": median, "min": min(values), "max": max(values), "lower_quartile": low, "upper_quartile": high}
    return {name: significant(value) for name, value in summary.items()} | {"rounds": rounds}


def significant(value: float, digits: int = 5) -> float:
    """The number with so many digits that mean something; a measurement has no more."""
    return float(f"{value:.{digits}g}")


def paired(numerator: Sequence[float], denominator: Sequence[float]) -> list[float]:
    """The ratio within each round; rounds that only one of the two has are left out."""
    return [one / other for one, other in zip(numerator, denominator, strict=False)]


# --- the machine


def processor() -> str:
    """What the CPU calls itself."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float | None:
    """The machine's memory, where the system says."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def short_name() -> str:
    """A name for this kind of machine, for where none is given: "xeon-2-cores"."""
    words = re.findall(r"[a-z]+", re.sub(r"\(.*?\)|cpu|processor|intel|amd", "", processor().lower()))
    return f"{words[0] if words else 'cpu'}-{cores()}-cores"


def machine(name: str) -> dict[str, Any]:
    """What a reader needs to know of the machine; neither its host name nor a path."""
    system = f"{platform.system()} {platform.machine()}"
    return {"name": name, "processor": processor(), "cores": cores(), "memory_gib": memory_gib(), "system": system}


def versions() -> dict[str, str]:
    """Of Python, of the packages that matter, and the commit of this program, with a "+" where files differ from it."""
    known = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            known[package.lower()] = version(package)
        except PackageNotFoundError:
            continue
    return known | {"commit": commit(ROOT)}


def commit(tree: Path) -> str:
    """The abbreviated commit of a checkout, with a "+" where tracked files differ from it; "" where git knows none."""

    def git(*words: str) -> str:
        ended = subprocess.run(["git", "-C", str(tree), *words], capture_output=True, text=True, check=False)
        return ended.stdout.strip() if ended.returncode == 0 else ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "ablation")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


# --- processes


@dataclass(frozen=True)
class Ran:
    """A process that has ended: wall and processor seconds (its own children's among them), peak GiB of the largest."""

    seconds: float
    processor_seconds: float
    peak_gib: float
    output: str
    began: float
    """Seconds since the epoch, as journals count them."""

    @property
    def ended(self) -> float:
        return self.began + self.seconds


def ran(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Run a command to its end. env: settings beside those of this process. Raises Failed with its last lines."""
    with tempfile.TemporaryFile() as output:
        began, started = time.time(), time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env=plain(env)
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        last = "\n".join(text.strip().splitlines()[-12:])
        raise Failed(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{last}")
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, KiB on Linux
    return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 2**30, text, began)


def plain(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command: that of this process, without colours or another store of MLflow's."""
    kept = {name: text for name, text in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "FORCE_COLOR")}
    return kept | {"NO_COLOR": "1", "COLUMNS": str(WIDTH)} | dict(settings or {})


def ablation(*words: str | Path) -> list[str]:
    """The command line of `ablation ...` with this Python."""
    return [sys.executable, "-m", "ablation.cli", *map(str, words)]


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="ablation-benchmark-") as folder:
        yield Path(folder)


def emptied(folder: Path) -> Path:
    """The folder, made, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def timed(work: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# --- options


def parser(
    description: str | None, rounds: int = 5, measured: bool = True, minutes: float | None = None
) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have. measured: the benchmark has rounds and a JSON file."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--machine", default=short_name(), help="a short name for this machine (%(default)s)")
    made.add_argument("--results", type=Path, default=RESULTS, help="the folder of the JSON file (benchmarks/results)")
    if measured:
        made.add_argument("--rounds", type=int, default=rounds, help="how often each arm has its turn (%(default)s)")
        limit = "begin no turn that would end later than after so many minutes, by how long it took before"
        made.add_argument("--minutes", type=float, default=minutes, help=limit)
    return made


# --- measurements


class Measurement:
    """What one benchmark measured: case -> arm -> quantity -> a number a round. The JSON file has it after each `add`.

    settings: what was asked for (sizes, counts), as JSON holds it, without paths.
    """

    def __init__(self, name: str, options: argparse.Namespace, settings: Mapping[str, Any]):
        self.path = options.results / f"{name}-{options.machine}.json"
        self.values: dict[str, dict[str, dict[str, list[float]]]] = {}
        self.compared: dict[str, dict[str, dict[str, Any]]] = {}
        self.facts: dict[str, Any] = {}
        self.notes: list[str] = []
        self.head = {
            "benchmark": name,
            "machine": machine(options.machine),
            "versions": versions(),
            "measured": date.today().isoformat(),
            "settings": dict(settings),
        }

    def add(self, case: str, arm: str, measured: Mapping[str, float]) -> None:
        """Add a round of an arm, and write the file."""
        quantities = self.values.setdefault(case, {}).setdefault(arm, {})
        for quantity, value in measured.items():
            quantities.setdefault(quantity, []).append(value)
        self.write()

    def note(self, note: str) -> None:
        """Print a line that a reader of the table needs, and keep it in the file."""
        if note not in self.notes:
            self.notes.append(note)
            print(note, flush=True)
            self.write()

    def rounds(self, case: str, arm: str, quantity: str) -> list[float]:
        """What was measured so far, a number a round; [] for what was not."""
        return self.values.get(case, {}).get(arm, {}).get(quantity, [])

    def median(self, case: str, arm: str, quantity: str) -> float:
        """Over the rounds; NaN where there is none."""
        values = self.rounds(case, arm, quantity)
        return float(np.median(values)) if values else float("nan")

    def compare(self, case: str, arm: str, other: str, quantity: str) -> dict[str, Any] | None:
        """The spread of arm / other, taken within each round, kept in the file; None where no round has both."""
        ratios = paired(self.rounds(case, arm, quantity), self.rounds(case, other, quantity))
        if not ratios:
            return None
        ratio = spread(ratios)
        self.compared.setdefault(case, {})[f"{quantity}: {arm} / {other}"] = ratio
        self.write()
        return ratio

    def content(self) -> dict[str, Any]:
        """As the file holds it."""
        results = {
            case: {
                arm: {name: spread(values) for name, values in quantities.items()} for arm, quantities in arms.items()
            }
            for case, arms in self.values.items()
        }
        return {**self.head, "results": results, "ratios": self.compared, "facts": self.facts, "notes": self.notes}

    def write(self) -> None:
        """Write the file whole: whoever reads it meanwhile has the one before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self.content(), indent=1, ensure_ascii=False) + "\n", "utf-8")
        os.replace(unfinished, self.path)


def take_turns(
    measurement: Measurement,
    case: str,
    arms: Mapping[str, Arm],
    rounds: int,
    minutes: float | None = None,
    warm_up: bool = False,
) -> None:
    """Give each arm its turn in each round. An arm that fails is left out from then on, and a note says so.

    minutes: no turn begins that would end later than that after the start, by how long the arm took before; a round
    that is broken off counts for the arms that had their turn. warm_up: a round beforehand that is not counted.
    """
    began, waiting, took = time.perf_counter(), dict(arms), dict.fromkeys(arms, 0.0)
    for turn in range(-1 if warm_up else 0, rounds):
        for name in turned(list(waiting), turn):
            if minutes is not None and time.perf_counter() - began + took[name] > 60 * minutes:
                return measurement.note(f"{case}: stopped before round {turn + 1} of {name}, after {minutes:g} minutes")
            started = time.perf_counter()
            try:
                measured = waiting[name]()
            except Failed as failure:
                measurement.note(f"{case}: {name} failed: {failure}")
                del waiting[name]
                continue
            took[name] = time.perf_counter() - started
            if turn >= 0:
                measurement.add(case, name, measured)
            if sys.stderr.isatty():
                print(f"{case}: round {turn + 1} of {rounds}, {name}: {took[name]:.1f} s", file=sys.stderr)
    return None


def turned(names: list[str], turn: int) -> list[str]:
    """The names in their order, beginning with another one each turn.

    >>> turned(["a", "b", "c"], 1)
    ['b', 'c', 'a']
    """
    first = turn % len(names) if names else 0
    return names[first:] + names[:first]


# --- tables


def heading(measurement: Measurement) -> str:
    """A line on the machine and the versions."""
    machine, known = measurement.head["machine"], measurement.head["versions"]
    parts = [machine["processor"], f"{machine['cores']} cores", f"{machine['memory_gib']} GiB"]
    parts += [f"{name} {known[name]}" for name in ("torch", "commit") if known.get(name)]
    return ", ".join(parts)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their columns, the first to the left, the others to the right, in at most WIDTH columns.

    A first cell that does not fit is cut.
    """
    widths = [max(len(row[column]) for row in (columns, *rows)) for column in range(len(columns))]
    room = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = min(widths[0], room)
    if room < 8:
        raise ValueError(f"{len(columns)} columns do not fit into {WIDTH} signs")
    lines = []
    for first, *others in (columns, *rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first[: widths[0]].ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Three digits that mean something; a dash for what was not measured.

    >>> [number(value) for value in (1234.5, 12.345, 1.2345, 0.012345, None)]
    ['1,234', '12.3', '1.23', '0.0123', '-']
    """
    if value is None or value != value:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.2e}"


def reach(spread: Mapping[str, Any] | None) -> str:
    """The extremes of a spread: "1.2-1.4"."""
    return f"{number(spread['min'])}-{number(spread['max'])}" if spread else "-"
