"""What a sweep leaves, as it must be whatever happened on the way: to be compared between two projects' folders."""

import hashlib
import json
import re
from pathlib import Path

from ablation.core.files import Journal
from ablation.experiment.record import RECORD_FILE, read_arrays, read_with_digest
from ablation.experiment.runs import epochs_in

PASSED_OVER = re.compile(r"worker-\d+\.log|.*\.lock|lock|sweep\.json|published\.json|\.[0-9a-f]{32}\S*\.npz\.\S+\.tmp")
"""Files that hold no results. sweep.json names who holds the lock beside it, and is read only while that is held: a
command that was killed leaves it where the one beside it trains the rest. Of published.json see `store.py`; the last
one is a kill's while it was remembered what a photograph is like, and is never read."""

OF_THE_CLOCK = ("time", "seconds", "images_per_second")
"""What two trainings of the same run may differ in, of an event; of a record, its cost and environment."""

EXPERIMENT = """
from ablation import Adam, Digits, Experiment, Fixed, RandomResizedCrop
experiment = Experiment(
    name="{name}", data=Digits(), model="lenet", image_size=12, cache_size=12, epochs={epochs}, batch_size=32,
    recipes={{"none": (), "crop": (RandomResizedCrop(),)}}, optimizers={{"adam": Adam()}}, dropout=0.1,
    split=Fixed(train=100, val=100, test=200), seeds={seeds}, baseline="none",
)
"""


def write_project(folder: Path, name: str = "tiny", epochs: int = 3, seeds: int = 2) -> Path:
    """A project with one experiment, NAME.py: two recipes, on a hundred digits."""
    folder.mkdir(parents=True)
    (folder / f"{name}.py").write_text(EXPERIMENT.format(name=name, epochs=epochs, seeds=seeds))
    return folder


def outcome(folder: Path) -> dict[str, object]:
    """By its name, what each file in `runs` and `cache` holds, without what is the clock's or the machine's."""
    files = [path for part in ("runs", "cache") for path in sorted((folder / part).rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): content(path) for path in files if not PASSED_OVER.fullmatch(path.name)
    }


def content(path: Path) -> object:
    """What a file holds, without what is the clock's or the machine's. A run is held to its seal and its digest."""
    if path.name == RECORD_FILE:
        assert unsealed(path.parent) == []
        record, digest = read_with_digest(path.parent)
        assert record.digest(read_arrays(path.parent)) == digest
        return {
            name: part for name, part in json.loads(path.read_text()).items() if name not in ("cost", "environment")
        }
    if path.name == "journal.jsonl":
        events = Journal(path).events()
        return [_timeless(epoch) for epoch in epochs_in(events)], bool(events) and events[-1]["event"] == "failed"
    if path.suffix == ".jsonl":
        return list(map(_timeless, Journal(path).events()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unsealed(folder: Path) -> list[str]:
    """The files of a finished run whose SHA-256 is not the one in the last seal of its journal."""
    seals = [event["files"] for event in Journal(folder / "journal.jsonl").events() if event["event"] == "sealed"]
    files = seals[-1] if seals else {RECORD_FILE: ""}
    return [
        name for name, digest in files.items() if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest
    ]


def differing(seen: dict[str, object], expected: dict[str, object]) -> list[str]:
    """The files that are not the same in both."""
    return sorted(name for name in {*seen, *expected} if seen.get(name, "missing") != expected.get(name, "missing"))


def tables(printed: str) -> str:
    """What a command printed below its first empty line: the verdicts."""
    return printed[printed.index("\n\n") :]


def _timeless(event: dict[str, object]) -> dict[str, object]:
    return {name: part for name, part in event.items() if name not in OF_THE_CLOCK}
