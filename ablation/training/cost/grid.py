"""How long a grid takes on this machine, as a number and as a sentence; what is not known is None.

The machine's rates are those that `ablation doctor --measure` left in the cache folder, or a first guess, which is
measured once, in about three seconds, and kept there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ablation.core.text import duration
from ablation.data import Listing
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.experiment.spec import RunSpec
from ablation.training.cost.estimate import Cost, Images, calibration, estimates_of
from ablation.training.cost.rates import CPU, Machine, gpus, remember, remembered
from ablation.training.crew import choose_devices, cpu_count

START_SECONDS = 5.0
"""From the command to its first run, and from its last run to the verdicts (docs/speed.md)."""

RUN_SECONDS = 0.17
"""Of a worker, for each run beside its epochs: tests, pictures, the record (docs/speed.md)."""


@dataclass(frozen=True)
class GridTime:
    """What the runs of a grid that are still to be trained take on this machine, from the command to its end.

    seconds: with so many workers. runs: those that are counted; left_out: those whose time is not known. basis: "as 3
    finished runs took", and whatever else the time is computed from. at_most: whether some may stop early.
    """

    seconds: float
    runs: int
    left_out: int
    workers: int
    basis: str
    at_most: bool = False

    def __str__(self) -> str:
        """'about 5 h 20 min here with 2 workers (a first guess, right within a factor of about 2)'."""
        workers = f" with {self.workers} workers" if self.workers > 1 else ""
        left_out = f", {self.left_out:,} runs not counted" if self.left_out else ""
        most = "at most " if self.at_most else ""
        return f"{most}about {duration(self.seconds)} here{workers}{left_out} ({self.basis})"


def grid_time(
    cells: Sequence[Cell],
    data: Listing,
    cache: Path,
    finished: Mapping[str, RunRecord] | None = None,
    jobs: int | None = None,
) -> GridTime | None:
    """How long the missing runs of a grid take here; None where there are none, or nothing is known of any.

    finished: records by the run's id. jobs: workers; by default as many as `ablation run` starts. Imports torch where
    a network was never counted, or this machine never measured. Raises InputError where a network cannot be built.
    """
    machine = machine_of(cache)
    return time_of(estimates_of(cells, len(data.classes), images_of(data), cache, machine, finished), machine, jobs)


def time_of(costs: Sequence[Cost], machine: Machine, jobs: int | None = None) -> GridTime | None:
    """The same of a grid whose costs are known, by the rates of that machine."""
    scale, known = calibration(costs)
    timed = [(cost.runs, cost.seconds) for cost in costs if cost.seconds is not None and cost.runs]
    runs, every = sum(count for count, _ in timed), sum(cost.runs for cost in costs)
    if not runs:
        return None
    workers = min(jobs, every) if jobs else workers_for(machine, every)
    trained = scale * sum(count * seconds for count, seconds in timed) + RUN_SECONDS * runs
    at_most, basis = any(cost.at_most for cost in costs), basis_of(machine, known)
    return GridTime(START_SECONDS + trained / workers, runs, every - runs, workers, basis, at_most)


def basis_of(machine: Machine, known: int) -> str:
    """What a time is computed from, in a clause. known: how many finished runs it was held against."""
    if known:
        return f"as {known:,} finished run{'s' * (known > 1)} took"
    if machine.guessed:
        return "a first guess, right within a factor of about 2"
    return f"by measured rates, typically within {machine.training.typical_error:.0%}"


def machine_of(cache: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Machine:
    """This machine's rates as remembered in `cache`; else a first guess, remembered where the folder can be written.

    Imports torch for a guess alone.
    """
    machine = remembered(cache)
    if machine is None:
        from ablation.training.cost.benchmark import first_guess

        machine = first_guess(choose_devices("auto", 1, 1)[0], progress)
        with suppress(OSError):  # a full disk, or a folder that may not be written: it is measured again next time
            remember(machine, cache)
    return machine


def workers_for(machine: Machine | None, runs: int) -> int:
    """How many `ablation run` would start by itself: one for a GPU, or for a core, and no more than there are runs."""
    devices = gpus() if machine is not None and machine.device != CPU else cpu_count()
    return max(1, min(devices, runs))


def images_of(data: Listing) -> Callable[[RunSpec], Images]:
    """How many images the parts of a run have; each kind of split is drawn once."""
    drawn: dict[str, Images] = {}

    def images(spec: RunSpec) -> Images:
        kind = repr((spec.split, spec.train_size))
        if kind not in drawn:
            train, val, test = map(len, spec.parts(data))
            drawn[kind] = Images(train, val, test, cached=len(data.labels))
        return drawn[kind]

    return images
