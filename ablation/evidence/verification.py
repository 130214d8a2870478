"""Verification: is what the runs folder says still what follows from what training left? No torch, no images.

Every metric is computed anew from the stored logits, every learning curve is held against the journal, the parts are
drawn anew from the data's listing, and every file against its seal. Whatever differs is named with both values. What
it cannot know is whether the logits are those of a network: only training a run again shows that (`ablation verify
--retrain`).
"""

from __future__ import annotations

import platform
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import ablation
from ablation.analysis.metrics import METRICS
from ablation.core.errors import DataError
from ablation.core.text import counted
from ablation.data.split import Parts, Splittable
from ablation.experiment.labels import names_of
from ablation.experiment.record import RECORD_FILE, Arrays, RunRecord, read_arrays, read_with_digest
from ablation.experiment.results import Results
from ablation.experiment.runs import Run, epochs_in, read_spec_id, runs_of
from ablation.experiment.seal import is_marked

CLOSE = 1e-9
"""Relative difference up to which two numbers are the same, where other versions or another machine computed one."""


class Difference(NamedTuple):
    """One value that is not as it was computed anew. words: both values, or what is wrong."""

    where: str
    words: str


@dataclass(frozen=True)
class Check:
    """One kind of comparison. unit: what was counted: number, file or run. notes: what is no difference, sentences."""

    what: str
    unit: str
    count: int
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    omitted: str = ""
    """What could not be compared and carries the result, as a clause."""


@dataclass(frozen=True)
class Compared:
    """What one run, or one group of runs, adds to a check."""

    check: str
    count: int
    differences: Sequence[Difference] = ()
    note: str = ""
    """What is no difference, as the end of a sentence on the run."""


SEAL, DIGEST = "records and arrays, by their seals", "records and arrays, by the records' own digests"
SPEC, METRIC, CURVE = "ids, from spec.json", "metrics, from the stored logits", "learning curves, from the journals"
PART, ARM = "parts and labels, from the listing of the data", "split and first test batch, among runs of a seed"
CHECKS = {
    SEAL: "file",
    DIGEST: "run",
    SPEC: "run",
    METRIC: "number",
    CURVE: "number",
    PART: "run",
    ARM: "run",
}
"""What is checked of runs, and what is counted there, in the order in which it is shown."""

NOT_SEALED = "not sealed: made by an older version"
NO_RECORD = "without a record"
LAST_DIGITS = "in the last digits: computed by other versions, or on another machine"


def check_runs(
    results: Results, data: Splittable, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Check, ...]:
    """Check every run that has a record, also those that are left out as altered.

    data: the listing that the parts are drawn from. progress is called with (done, all) after each run.
    """
    names, runs = names_of(results.cells), runs_of(results.cells, results.root)
    parts: dict[Hashable, Parts] = {}
    every: list[Compared] = []
    records: list[tuple[Run, RunRecord]] = []
    for done, run in enumerate(runs, 1):
        every += _seal(run, names[run.spec.id])
        try:
            record, digest = read_with_digest(run.folder)
            if record is None:
                every.append(Compared(DIGEST, 0, note=NO_RECORD))
            else:
                arrays = read_arrays(run.folder)
                records.append((run, record))
                every += _contents(run, names[run.spec.id], record, str(digest), arrays)
                every.append(_parts(run, names[run.spec.id], record, arrays, data, parts))
        except DataError as error:
            every.append(Compared(DIGEST, 1, [Difference(_called(run, names[run.spec.id]), str(error))]))
        progress(done, len(runs))
    every += [*_arms(records, names)]
    every_of = {what: [one for one in every if one.check == what] for what in CHECKS}
    return tuple(_sum(what, unit, every_of[what], len(runs)) for what, unit in CHECKS.items())


def _sum(what: str, unit: str, compared: Sequence[Compared], runs: int) -> Check:
    differences = tuple(difference for one in compared for difference in one.differences)
    notes = Counter(one.note for one in compared if one.note)
    words = {note: f"{times:,} of {counted(runs, 'run')} {note}" for note, times in notes.items()}
    omitted = words.pop(NO_RECORD, "")
    sentences = tuple(f"{text}." for text in words.values())
    return Check(what, unit, sum(one.count for one in compared), differences, sentences, omitted)


def _called(run: Run, name: str) -> str:
    return f"{name} ({run.spec.id})"


def _seal(run: Run, name: str) -> Iterator[Compared]:
    held = run.held()
    if held.seal is not None or (held.altered and _is_marked(run)):
        yield Compared(SEAL, 2, [Difference(_called(run, name), held.altered)] if held.altered else [])
    elif held.altered or held.record:
        yield Compared(SEAL, 0, note=NOT_SEALED)  # what is wrong with it, its own digest shows


def _is_marked(run: Run) -> bool:
    record = run.folder / RECORD_FILE
    return not record.is_file() or is_marked(record.read_bytes())


def _contents(run: Run, name: str, record: RunRecord, digest: str, arrays: Arrays) -> Iterator[Compared]:
    """The record against its own digest, its spec, its logits, and the journal."""
    called, fits = _called(run, name), record.digest(arrays) == digest
    wrong = "record and arrays are not those that the record's digest was computed of"
    yield Compared(DIGEST, 1, [] if fits else [Difference(called, wrong)])
    ids = {"its spec.json": read_spec_id(run.folder), "its record": record.id, "the folder": run.folder.name}
    other = [f"{what} is of {found}" for what, found in ids.items() if found != run.spec.id]
    yield Compared(SPEC, 1, [Difference(called, "; ".join(other))] if other else [])
    if record.outcome == "finished":
        yield _metrics(called, record, arrays)
    events, lost = run.journal.read()
    if lost:
        yield Compared(CURVE, 0, [Difference(called, f"{counted(lost, 'line')} of its journal cannot be read")])
    if history := epochs_in(events):
        yield _curves(called, record, history)


def _metrics(called: str, record: RunRecord, arrays: Arrays) -> Compared:
    exact, differences, close = _same_program(record.environment), [], False
    for name, stored in record.metrics.items():
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of logits that are no numbers
            anew = METRICS[name](arrays.logits, arrays.label) if name in METRICS else stored
        if anew == stored:
            continue
        if exact or not np.isclose(anew, stored, rtol=CLOSE, atol=CLOSE):
            differences.append(Difference(f"{called}: {name}", f"{stored!r} in the record, {anew!r} from the logits"))
        else:
            close = True
    return Compared(METRIC, len(record.metrics), differences, f"differ {LAST_DIGITS}" if close else "")


def _same_program(environment: Mapping[str, Any]) -> bool:
    """Were the metrics computed on this machine, by these versions? Then they repeat to the last bit."""
    here = {
        "host": platform.node(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "ablation": ablation.__version__,
    }
    return all(environment.get(name) == item for name, item in here.items())


def _curves(called: str, record: RunRecord, history: Sequence[Mapping[str, Any]]) -> Compared:
    """Each epoch as it was written into the journal while the run was trained."""
    journal = {event["epoch"]: event for event in history}
    values = [(epoch["epoch"], name, item) for epoch in record.history for name, item in epoch.items()]
    differences = [
        Difference(f"{called}: {name} of epoch {epoch}", f"{item!r} in the record, {there!r} in the journal")
        for epoch, name, item in values
        if (there := journal.get(epoch, {}).get(name)) != item
    ]
    return Compared(CURVE, len(values), differences)


def _parts(
    run: Run, name: str, record: RunRecord, arrays: Arrays, data: Splittable, drawn: dict[Hashable, Parts]
) -> Compared:
    """Draw the parts anew, and hold the rows and labels of the predictions against them. drawn: those so far."""
    spec = run.spec
    key = (repr(spec.split), repr(spec.train_size), spec.seed)
    try:
        parts = drawn.setdefault(key, drawn.get(key) or spec.parts(data))
    except DataError as error:
        return Compared(PART, 1, [Difference(_called(run, name), f"the parts cannot be drawn: {error}")])
    wrong = [*_wrong_parts(record, arrays, parts), *_wrong_labels(arrays, data)]
    return Compared(PART, 1, [Difference(_called(run, name), text) for text in wrong])


def _wrong_parts(record: RunRecord, arrays: Arrays, parts: Parts) -> Iterator[str]:
    if record.evidence.get("split", parts.digest) != parts.digest:
        yield f"its split is {record.evidence['split']}, and that of the data {parts.digest}"
    if record.outcome == "finished" and not np.array_equal(arrays.sample, parts.test):
        yield "the images that were tested are not those of the test part"
    shown = {"training": (arrays.train_sample, parts.train), "validation": (arrays.val_sample, parts.val)}
    for part, (rows, allowed) in shown.items():
        if rows is not None and not np.isin(rows, allowed).all():
            yield f"images of another part are among those of the {part} part"


def _wrong_labels(arrays: Arrays, data: Splittable) -> Iterator[str]:
    pairs = {
        "test": (arrays.sample, arrays.label),
        "training": (arrays.train_sample, arrays.train_label),
        "validation": (arrays.val_sample, arrays.val_label),
        "changed test": (arrays.corrupted_sample, arrays.corrupted_label),
    }
    for part, (rows, labels) in pairs.items():
        if rows is None or labels is None or not len(rows):
            continue
        if rows.min() < 0 or rows.max() >= len(data.labels):
            yield f"the {part} images are not in the data"
        elif wrong := int((data.labels[rows] != labels).sum()):
            yield f"{counted(wrong, 'label')} of {part} images {'is' if wrong == 1 else 'are'} not that of the data"


def _arms(records: Iterable[tuple[Run, RunRecord]], names: Mapping[str, str]) -> Iterator[Compared]:
    """Runs of one seed share their split, and runs of one split the first batch of test images."""
    splits: dict[Hashable, list[tuple[Run, Any]]] = {}
    batches: dict[Hashable, list[tuple[Run, Any]]] = {}
    for run, record in records:
        spec, digest = run.spec, record.evidence.get("split")
        split = repr(spec.split), repr(spec.train_size), spec.split.drawn_from(spec.seed)
        sizes = digest, spec.image_size, spec.cache_size, spec.batch_size
        splits.setdefault(split, []).append((run, digest))
        batches.setdefault(sizes, []).append((run, record.evidence.get("first_test_batch")))
    for what, groups in (("split", splits), ("first test batch", batches)):
        for group in groups.values():
            usual = Counter(item for _, item in group).most_common(1)[0][0]
            differences = [
                Difference(_called(run, names[run.spec.id]), f"its {what} is {item}, and that of its seed {usual}")
                for run, item in group
                if item != usual
            ]
            yield Compared(ARM, len(group) if what == "split" else 0, differences)
