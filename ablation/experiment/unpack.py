"""Reading an evidence pack of a stranger: checked before it is believed, and none of it is ever run.

Names are held to folders, sizes to bounds, every file to its digest; the digest of the data is computed anew from
`data.csv`, and ids from the specs. Values are made without their rules (`ablation.core.values.unchecked`), some of
which load code.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from ablation.core.archive import is_as_written, is_safe, unpack
from ablation.core.errors import AblationError, DataError, Problem
from ablation.core.files import Damaged, undamaged
from ablation.core.safe import csv_unquoted
from ablation.core.text import counted
from ablation.core.values import Whole, fit, unchecked
from ablation.data.contents import listing_digest
from ablation.data.files import PARTS
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.form import experiment_of
from ablation.experiment.pack import (
    COLUMNS,
    DATA_FILE,
    EXPERIMENT_FILE,
    FORMAT,
    PACK_FILE,
    REPORT,
    RUNS,
    SPLITS_FILE,
    data_csv,
    splits_csv,
)
from ablation.experiment.record import ARRAYS_FILE
from ablation.experiment.results import Results
from ablation.experiment.seal import digest_of_file
from ablation.experiment.spec import RunSpec, resolver
from ablation.models.names import is_weights_name
from ablation.models.own import is_own
from ablation.models.weights_file import PREFIX, resolved

MOST_UNPACKED = 4 << 30
"""Bytes that the arrays of one run may take in memory."""

MOST_CELLS = 1_000_000
"""Cells that a grid may have."""

_HELD: dict[str, Any] = {"format": int, "experiment": str, "question": str, "command": str, "folder": str}
_HELD |= {"data": str, "left_out": Whole, "unusable": tuple[str, ...], "files": dict}


@dataclass(frozen=True, eq=False)
class PackedData:
    """The listing of a pack, as splits look at it: N images in canonical order."""

    digest: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    contents: tuple[str, ...]
    labels: NDArray[np.int64]
    parts: NDArray[np.int8]
    near: NDArray[np.int64]
    exact: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pack:
    """A pack in the folder `root`. wrong: every file that is not what pack.json says, and why."""

    root: Path
    held: Mapping[str, Any]
    experiment: Experiment
    cells: tuple[Cell, ...]
    data: PackedData
    files: int
    wrong: tuple[tuple[str, str], ...]

    @property
    def command(self) -> str:
        return str(self.held["command"])

    @property
    def report(self) -> Path:
        """The folder of its report, which need not be there."""
        return self.root / REPORT

    @cached_property
    def results(self) -> Results:
        """What its runs have left; without images, so nothing that needs these."""
        root, left_out = self.root / RUNS / self.experiment.name, self.held["left_out"]
        results = Results.read(self.experiment, self.cells, self.data, root, left_out, self.root / "no images")
        return replace(results, folder=self.held["folder"])


@contextmanager
def opened(path: Path) -> Iterator[Pack]:
    """The pack in a zip or a folder, for as long as the block lasts. No value that is made in it runs code.

    Raises DataError for what is no pack, is damaged, or could do harm.
    """
    with unchecked(), TemporaryDirectory() as temporary:
        if path.is_dir():
            yield _read(path, ())
            return
        names = unpack(path, Path(temporary))
        altered = () if is_as_written(path, Path(temporary), names) else ((path.name, "is not as it was packed"),)
        yield _read(Path(temporary), altered)


def _read(root: Path, wrong: tuple[tuple[str, str], ...]) -> Pack:
    _refuse_what_is_no_file(root)
    held = _held(root)
    if not is_safe(held["experiment"]):
        raise DataError(f"{PACK_FILE} names the experiment {held['experiment']!r}, which is no name of a folder")
    form, data = _json(root / EXPERIMENT_FILE), _data(root, held)
    experiment = experiment_of(form.get("experiment"))
    if experiment.name != held["experiment"]:
        raise DataError(f"{PACK_FILE} is of {held['experiment']!r}, and {EXPERIMENT_FILE} of {experiment.name!r}")
    specs = _specs(form)
    cells = _cells(form, specs)
    _hold_to_grid(experiment, cells)
    wrong = (*wrong, *_wrong_files(root, held["files"]), *_wrong_data(root, held, data, specs))
    for arrays in root.glob(f"{RUNS}/*/*/{ARRAYS_FILE}"):
        _refuse_large(arrays)
    return Pack(root, held, experiment, cells, data, 1 + len(held["files"]), wrong)


def _json(path: Path) -> dict[str, Any]:
    try:
        with undamaged():
            form = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"there is no {path.name} in {path.parent}: it is no evidence pack") from None
    except Damaged as error:
        raise DataError(f"{path.name} of the pack cannot be read ({error})") from None
    if not isinstance(form, dict):
        raise DataError(f"{path.name} of the pack holds no dict")
    return form


def _held(root: Path) -> dict[str, Any]:
    held = _json(root / PACK_FILE)
    if held.get("format") != FORMAT:
        version = "it is of another version of this program"
        raise DataError(f"{PACK_FILE} has the format {held.get('format')!r}, and {FORMAT} is known: {version}")
    wrong = [f"{name}: {message}" for name, kind in _HELD.items() if (message := fit(held.get(name), kind)[1])]
    wrong += [f"files: {name!r} is no name of a file in a pack" for name in held.get("files", ()) if not is_safe(name)]
    if wrong:
        raise DataError(f"{PACK_FILE} cannot be believed: {'; '.join(wrong[:5])}")
    return held


def _specs(form: Mapping[str, Any]) -> dict[str, RunSpec]:
    """Every spec by its id, each of which is its hash."""
    try:
        specs = {run_id: RunSpec.from_plain(spec) for run_id, spec in form["specs"].items()}
        other = [run_id for run_id, spec in specs.items() if spec.id != run_id]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"a spec in {EXPERIMENT_FILE} cannot be read ({error})") from error
    if other:
        raise DataError(f"{EXPERIMENT_FILE}: the spec called {other[0]!r} has another id by its content")
    return specs


def _cells(form: Mapping[str, Any], specs: Mapping[str, RunSpec]) -> tuple[Cell, ...]:
    try:
        cells = tuple(Cell(dict(cell["factors"]), int(cell["seed"]), specs[cell["id"]]) for cell in form["cells"])
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"the grid in {EXPERIMENT_FILE} cannot be read ({error})") from error
    if not cells:
        raise DataError(f"{EXPERIMENT_FILE} has no cell")
    return cells


def _hold_to_grid(experiment: Experiment, cells: Sequence[Cell]) -> None:
    """Raise DataError unless the cells are those that the experiment gives, in its order, each with its spec.

    What only files say that are not in the pack, the code of networks and weights, is believed, but one for each.
    """
    if experiment.baseline not in experiment.recipes:
        raise DataError(f"{EXPERIMENT_FILE}: the baseline {experiment.baseline!r} is none of its recipes")
    seeds = experiment.seeds if isinstance(experiment.seeds, int) else len(experiment.seeds)
    if prod(map(len, experiment.factors.values())) * seeds > MOST_CELLS:
        raise DataError(f"{EXPERIMENT_FILE}: its grid has more than {MOST_CELLS:,} cells")
    try:
        grid = experiment.cells("", resolver(lambda model: "", _weights))
    except (AblationError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"the grid of {EXPERIMENT_FILE} cannot be made ({error})") from error
    if len(grid) != len(cells):
        raise DataError(f"{EXPERIMENT_FILE} has {counted(len(cells), 'cell')}, and its experiment {len(grid):,}")
    read: dict[str, str | None] = {}
    for number, (cell, own) in enumerate(zip(cells, grid, strict=True), 1):
        known: dict[str, Any] = {"data": cell.spec.data}
        if is_own(own.spec.model):
            known["model_source"] = read.setdefault(own.spec.model, cell.spec.model_source)
        if own.spec.weights and not _is_known(own.spec.weights):
            known["weights"] = read.setdefault(own.spec.weights, cell.spec.weights)
        if (cell.factors, cell.seed, cell.spec.id) != (own.factors, own.seed, replace(own.spec, **known).id):
            raise DataError(f"{EXPERIMENT_FILE}: cell {number} ({_words(cell)}) is not what its experiment gives there")


def _words(cell: Cell) -> str:
    return ", ".join([*cell.factors.values(), f"seed {cell.seed}"])


def _weights(weights: str | None, model: str) -> str | None:
    """As in a spec, but for the name of a file, which is not here."""
    return resolved(weights, model) if weights is None or _is_known(weights) else weights


def _is_known(weights: str) -> bool:
    return is_weights_name(weights) or weights.startswith(PREFIX)


def _data(root: Path, held: Mapping[str, Any]) -> PackedData:
    path = root / DATA_FILE
    try:
        with undamaged():
            text = path.read_bytes().decode("utf-8", "surrogatepass")
            header, *rows = csv.reader(io.StringIO(text, newline=""))
            columns = dict(zip(header, zip(*rows, strict=True), strict=True))
            if tuple(columns) != COLUMNS:
                raise ValueError(f"its columns are {', '.join(header)}")
            read = csv_unquoted if _is_quoted(held) else str
            labels = np.array(columns["label"], np.int64)
            classes = dict(zip(labels.tolist(), map(read, columns["class"]), strict=True))
            return PackedData(
                digest=held["data"],
                classes=tuple(classes[label] for label in range(len(classes))),
                names=tuple(map(read, columns["image"])),
                contents=columns["content"],
                labels=labels,
                parts=np.array([PARTS.index(part) if part else -1 for part in columns["part"]], np.int8),
                near=np.array(columns["near"], np.int64),
                exact=np.array(columns["exact"], np.int64),
            )
    except (FileNotFoundError, Damaged) as error:
        raise DataError(f"{DATA_FILE} of the pack cannot be read ({error})") from None


def _is_quoted(held: Mapping[str, Any]) -> bool:
    """Do the pack's tables have apostrophes where a spreadsheet would run a name? Not those of before."""
    return held.get("quoted") is True


def _wrong_files(root: Path, files: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Files that are missing, changed, or not of the pack."""
    there = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if not path.is_dir()}
    for name, digest in files.items():
        path = there.pop(name, None)
        if path is None:
            yield name, "is missing"
        elif not path.resolve().is_relative_to(root.resolve()):
            yield name, "is a link out of the pack"
        elif digest_of_file(path) != digest:
            yield name, f"is not what {PACK_FILE} says"
    there.pop(PACK_FILE, None)
    yield from ((name, f"is not in {PACK_FILE}") for name in there)


def _wrong_data(
    root: Path, held: Mapping[str, Any], data: PackedData, specs: Mapping[str, RunSpec]
) -> Iterator[tuple[str, str]]:
    """Is the data of the table that of the specs, and are the splits those that it gives?"""
    digest = listing_digest(data, data.contents, held["unusable"])
    if {digest} != {held["data"], *(spec.data for spec in specs.values())}:
        yield DATA_FILE, f"is of the data {digest}, and runs are of {held['data']}"
    elif data_csv(data, data.contents, _is_quoted(held)) != (root / DATA_FILE).read_bytes():
        yield DATA_FILE, "is not as it was packed"
    if (root / SPLITS_FILE).exists():
        try:
            same = splits_csv(data, specs, _is_quoted(held)) == (root / SPLITS_FILE).read_bytes()
        except DataError:  # the data cannot give them
            same = False
        if not same:
            yield SPLITS_FILE, f"is not what {DATA_FILE} and the specs give"


def _refuse_what_is_no_file(root: Path) -> None:
    """Raise DataError for pipes and devices in a folder, and links to them: they would be waited for."""
    others = [path for path in root.rglob("*") if path.exists() and not path.is_file() and not path.is_dir()]
    if others:
        raise DataError(Problem("is no file, and a pack has nothing else", str(path)) for path in sorted(others)[:10])


def _refuse_large(arrays: Path) -> None:
    """Raise DataError where arrays would take more memory than any run's, be it by a trick of compression."""
    try:
        with undamaged(), ZipFile(arrays) as archive:
            size = sum(info.file_size for info in archive.infolist())
    except Damaged:
        return  # reading it says so
    if size > MOST_UNPACKED:
        raise DataError(f"{arrays.parent.name}/{arrays.name} would take {size:,} bytes; at most {MOST_UNPACKED:,}")
