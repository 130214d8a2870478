"""How long a grid takes on this machine, as a number and as a sentence; what is not known is None.

The machine's rates are those that `ablation doctor --measure` left in the cache folder, or a first guess, which is
measured once, in about three seconds, and kept there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ablation.core.errors import DataError
from ablation.core.files import read_file
from ablation.core.text import duration
from ablation.data import Listing
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord, read_record
from ablation.experiment.runs import SPEC_FILE
from ablation.experiment.spec import RunSpec
from ablation.training.cost.estimate import Calibration, Cost, Ended, Images, calibration, estimates_of
from ablation.training.cost.rates import CPU, Machine, gpus, remember, remembered
from ablation.training.crew import choose_devices, cpu_count

START_SECONDS = 5.0
"""From the command to its first run, and from its last run to the verdicts (docs/speed.md)."""

RUN_SECONDS = 0.17
"""Of a worker, for each run beside its epochs: tests, pictures, the record (docs/speed.md)."""

MOST_OTHERS, MOST_FOLDERS = 50, 1000
"""Of runs that are no part of a grid so many are read, in so many folders: a sample, as folders have digests' names."""


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
        """'about 5 h 20 min here with 2 workers (as 3 finished runs took)'."""
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
    root: Path | None = None,
) -> GridTime | None:
    """How long the missing runs of a grid take here; None where there are none, or nothing is known of any.

    finished: records by the run's id. jobs: workers; by default as many as `ablation run` starts. root: where other
    runs of the experiment lie, which show how long runs take where no finished one does. Imports torch where
    a network was never counted, or this machine never measured. Raises InputError where a network cannot be built.
    """
    machine, others = machine_of(cache), others_of(cells, root, finished or {})
    costs = estimates_of(cells, len(data.classes), images_of(data), cache, machine, finished, others)
    return time_of(costs, machine, jobs)


def others_of(cells: Sequence[Cell], root: Path | None, finished: Collection[str]) -> list[Ended]:
    """Finished runs in `root` of other grids than this, as of a variant, on the same data with one of its networks.

    None where a run of the grid has `finished` itself, which says more.
    """
    ours = {cell.spec.id for cell in cells}
    if root is None or not ours.isdisjoint(finished) or not root.is_dir():
        return []
    wanted = {_kind_of(cell.spec) for cell in cells}
    folders = (folder for folder in sorted(root.iterdir()) if folder.name not in ours and folder.is_dir())
    return list(islice(_ended(islice(folders, MOST_FOLDERS), wanted), MOST_OTHERS))


def _kind_of(spec: RunSpec) -> tuple[object, ...]:
    return spec.data, spec.model, spec.model_source, spec.image_size


def _ended(folders: Iterator[Path], wanted: Collection[object]) -> Iterator[Ended]:
    for folder in folders:
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, DataError):  # it shows no time then
            spec = RunSpec.from_plain(json.loads(read_file(folder / SPEC_FILE)))
            record = read_record(folder) if _kind_of(spec) in wanted else None
            if record is not None and record.id == spec.id == folder.name:
                yield Ended(spec, record)


def time_of(costs: Sequence[Cost], machine: Machine, jobs: int | None = None) -> GridTime | None:
    """The same of a grid whose costs are known, by the rates of that machine."""
    measured = calibration(costs)
    timed = [(cost.runs, cost.seconds) for cost in costs if cost.seconds is not None and cost.runs]
    runs, every = sum(count for count, _ in timed), sum(cost.runs for cost in costs)
    if not runs:
        return None
    workers = min(jobs, every) if jobs else workers_for(machine, every)
    trained = measured.scale * sum(count * seconds for count, seconds in timed) + RUN_SECONDS * runs
    at_most, basis = any(cost.at_most for cost in costs), basis_of(machine, measured)
    return GridTime(START_SECONDS + trained / workers, runs, every - runs, workers, basis, at_most)


def basis_of(machine: Machine, measured: Calibration) -> str:
    """What a time is computed from, in a clause. measured: what finished runs took."""
    if measured.known:
        variants = " of the same network" if measured.alike else ""
        return f"as {measured.known:,} finished run{'s' * (measured.known > 1)}{variants} took"
    if machine.guessed:
        return "a first guess, right within a factor of about 2 where nothing else runs"
    return f"by measured rates, typically within {machine.training.typical_error:.0%} where nothing else runs"


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
