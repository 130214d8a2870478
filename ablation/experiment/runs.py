"""The runs folder: where each run of an experiment lives, and how it stands, derived from what lies there.

runs/EXPERIMENT/ID/spec.json      what it is
                   journal.jsonl  what happened, an event a line; of a finished run also its seal
                   lock           held by the worker that trains it (a kernel lock: it cannot go stale)
                   checkpoint.pt  the newest epoch, until the run has finished; checkpoint-before.pt  the one before
                   weights.pt     of the network that was tested, if they are to be kept
                   arrays.npz, record.json   the record; record.json is written last
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from filelock import FileLock

from ablation.core.errors import DataError
from ablation.core.files import Damaged, Journal, is_locked, read_file, write_json
from ablation.data.readers import cores
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.record import (
    ARRAYS_FILE,
    RECORD_FILE,
    Arrays,
    RunRecord,
    parse_arrays,
    parse_record,
    read_record,
)
from ablation.experiment.seal import Sealed, is_marked, journal_of, last_seal, read_seal, why_lost
from ablation.experiment.spec import RunSpec

SPEC_FILE = "spec.json"

Status = Literal["finished", "diverged", "altered", "running", "failed", "interrupted", "planned"]


class Held(NamedTuple):
    """The result in a run's folder, from one reading of its files."""

    altered: str = ""
    """Which file is not as it was sealed, is damaged, or is of another run, in words; '' for none."""
    record: RunRecord | None = None
    """None where the run has not finished, or something was altered."""
    digest: str = ""
    """As it was written with the record."""
    seal: Mapping[str, str] | None = None
    """The digests of the files that training left, file -> SHA-256; None for a run of an older version."""
    arrays: Sealed | None = None
    """How arrays.npz was at that moment; what is read of it later is held to this."""
    lost: int = 0
    """Lines of the run's journal that are not as they were written."""


@dataclass(frozen=True)
class Run:
    """One run of the experiment kept in `root`: its spec and its folder."""

    root: Path
    spec: RunSpec

    @property
    def folder(self) -> Path:
        return self.root / self.spec.id

    @property
    def journal(self) -> Journal:
        return journal_of(self.folder)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def checkpoints(self) -> tuple[Path, Path]:
        """Where the newest one lies, and the one before."""
        return self.checkpoint, self.folder / "checkpoint-before.pt"

    def remove_checkpoints(self) -> None:
        """Remove both, as far as they can be removed: a finished run needs none, and they may be gigabytes.

        A folder with the name of one is none of ours, and is left.
        """
        for path in self.checkpoints:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def weights(self) -> Path:
        return self.folder / "weights.pt"

    def lock(self) -> FileLock:
        """The lock that the worker holds while it trains this run."""
        return FileLock(self._lock)

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    def record(self) -> RunRecord | None:
        return read_record(self.folder)

    def seal(self) -> dict[str, str] | None:
        """The digests of the files that training left, file -> SHA-256; None for a run of an older version."""
        return read_seal(self.folder)

    def held(self) -> Held:
        """The result, held to its seal; that of an older version, which knew none, to its record's own digest."""
        events, lost = self.journal.read()
        try:
            content = read_file(self.folder / RECORD_FILE)
        except (FileNotFoundError, NotADirectoryError):
            return Held(lost=lost)
        except IsADirectoryError:
            return Held(f"{RECORD_FILE} is missing: what has its name is no file", lost=lost)
        seal = last_seal(events)
        if seal is None and is_marked(content):
            return Held(why_lost(self.journal.path), lost=lost)
        try:
            arrays = Sealed.of(self.folder / ARRAYS_FILE)
        except (FileNotFoundError, IsADirectoryError):
            return Held(f"{ARRAYS_FILE} is missing", seal=seal, lost=lost)
        found = {RECORD_FILE: hashlib.sha256(content).hexdigest(), ARRAYS_FILE: arrays.digest}
        wrong = [name for name in found if seal is not None and found[name] != seal.get(name)]
        if wrong:
            return Held(f"{wrong[0]} is not what training left (its seal does not fit)", seal=seal, lost=lost)
        try:
            record, digest = parse_record(content)
        except Damaged as error:
            return Held(f"{RECORD_FILE} cannot be believed ({error})", seal=seal, lost=lost)
        if record.id != self.spec.id:  # as that of a copied folder is
            other = f"{RECORD_FILE} is that of the run {record.id}, and not of {self.spec.id}"
            return Held(other, seal=seal, lost=lost)
        if seal is None and (unlike := _unlike_digest(record, digest, self.folder / ARRAYS_FILE)):
            return Held(unlike, lost=lost)
        return Held("", record, digest, seal, arrays, lost)

    def altered(self) -> str:
        """Which file of the finished run is not as it was left, is damaged, or of another run; '' for none."""
        return self.held().altered

    def status(self) -> Status:
        """How the run stands. An interrupted or failed one goes on from its newest checkpoint when started again.

        An altered one has a record or arrays that are not those which training left: it is neither used nor trained
        again before somebody has removed its folder. Nothing is written for that: the folder may be read-only.
        """
        held = self.held()
        if held.altered:
            return "altered"
        if held.record:
            return held.record.outcome
        if is_locked(self._lock):
            return "running"
        events = self.journal.events()
        if not events:
            return "planned"
        return "failed" if events[-1]["event"] == "failed" else "interrupted"

    def failure(self) -> str:
        """Why the run failed, or what of it was altered, in a line; '' if neither is so."""
        if wrong := self.altered():
            return wrong
        events = self.journal.events()
        return events[-1]["reason"] if events and events[-1]["event"] == "failed" else ""

    def prepare(self) -> None:
        """Make the folder and write the spec into it, unless it is there: a worker trains what that file says."""
        file, form = self.folder / SPEC_FILE, self.spec.to_plain()
        try:
            written = json.loads(read_file(file))
        except (FileNotFoundError, IsADirectoryError, ValueError):
            written = None
        if written == form:
            return
        try:
            write_json(file, form)
        except FileNotFoundError:  # whoever has begun the run meanwhile took the temporary file for what a kill left
            write_json(file, form)


def read_spec_id(folder: Path) -> str:
    """The id of the spec that is written in a run's folder; '' where there is none that can be read."""
    try:
        return RunSpec.from_plain(json.loads(read_file(folder / SPEC_FILE))).id
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _unlike_digest(record: RunRecord, digest: str, arrays: Path) -> str:
    """Why record and arrays are not those of which the record's digest was computed, in words; '' where they are."""
    try:
        found = Arrays(**parse_arrays(arrays))
    except Damaged as error:
        return f"{arrays.name} cannot be believed ({error})"
    if record.digest(found) != digest:
        return f"{RECORD_FILE} and {arrays.name} are not those that the record's digest was computed of"
    return f"{arrays.name} holds no test image" if record.outcome == "finished" and not len(found.label) else ""


def folder_of(experiment: Experiment, runs: Path) -> Path:
    """Where the runs of this experiment live."""
    return runs / experiment.name


def runs_of(cells: tuple[Cell, ...], root: Path) -> tuple[Run, ...]:
    """The distinct runs behind the cells, in grid order: two names for the same values share one run."""
    return tuple(Run(root, spec) for spec in {cell.spec.id: cell.spec for cell in cells}.values())


def held_of(runs: Iterable[Run]) -> dict[str, Held]:
    """The results of these runs by their ids, each read once."""
    every = tuple(runs)
    with ThreadPoolExecutor(cores()) as pool:
        return dict(zip((run.spec.id for run in every), pool.map(Run.held, every), strict=True))


def strays(root: Path, ids: set[str]) -> list[tuple[Path, str]]:
    """Folders in `root` under another name that hold a result of one of these runs, with its id: copies, as a rule."""
    copies = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name in ids or not folder.is_dir():
            continue
        with suppress(DataError):  # what cannot be read is no second result for anything
            record = read_record(folder)
            if record is not None and record.id in ids:
                copies.append((folder, record.id))
    return copies


def history_of(run: Run) -> list[dict[str, Any]]:
    """The epochs in the run's journal, see `epochs_in`."""
    return epochs_in(run.journal.events())


def epochs_in(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs among the events of a journal, an event each; of one that was repeated after a kill there is one.

    Those before a restart are of a training that was given up.
    """
    epochs: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "restarted":
            epochs.clear()
        elif event["event"] == "epoch":
            epochs.setdefault(event["epoch"], event)
    return [epochs[epoch] for epoch in sorted(epochs)]
