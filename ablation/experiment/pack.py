"""An evidence pack: everything from which a stranger can verify an experiment without its images, and repeat a run.

README.md                  what it is, how to verify it, how to train one of its runs again
pack.json                  which experiment, and the SHA-256 of every other file
experiment.json            the experiment as plain data, its grid, and the spec of each run
experiment.py              the file that its author wrote, for people; nothing here runs it
data.csv                   a row an image: its name, the digest of its content, its class, part and groups
splits.csv                 a column a split, named by its digest as in the records: train, val, test or nothing
environment.txt            the packages where the pack was made; where a run was trained its record says
runs/NAME/                 declared.jsonl (how results were to be judged, and when that was declared), and of each run
                           what is below; beside.json where other variants have results: of what, and under which seed
runs/NAME/ID/              spec.json, journal.jsonl with its seal, record.json and arrays.npz
report/                    the report, if there was one

The same runs give the same pack, byte for byte.
"""

from __future__ import annotations

import csv
import hashlib
import io
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import ablation
from ablation.augment import ImageFunction
from ablation.core.archive import Contents, write_zip
from ablation.core.errors import InputError
from ablation.core.files import json_bytes, write_bytes
from ablation.core.safe import csv_quoted, markdown_code, markdown_text
from ablation.core.text import counted
from ablation.data.contents import Listing
from ablation.data.files import PARTS
from ablation.data.split import Parts, Splittable
from ablation.experiment.experiment import Experiment
from ablation.experiment.form import form_of
from ablation.experiment.labels import names_of
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.preregistration import BESIDE_FILE, PREREGISTRATION_FILE, beside_of
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE
from ablation.experiment.results import Results
from ablation.experiment.runs import SPEC_FILE, Run, runs_of
from ablation.experiment.seal import JOURNAL_FILE, digest_of_file
from ablation.experiment.spec import RunSpec
from ablation.models.own import is_own

FORMAT = 1
PACK_FILE, EXPERIMENT_FILE, SOURCE_FILE = "pack.json", "experiment.json", "experiment.py"
DATA_FILE, SPLITS_FILE, ENVIRONMENT_FILE, README_FILE = "data.csv", "splits.csv", "environment.txt", "README.md"
RUNS, REPORT = "runs", "report"
COLUMNS = ("row", "image", "content", "label", "class", "part", "near", "exact")
"""Of data.csv. content: BLAKE2b (16 bytes) of the file; near, exact: numbers of the groups that stay together."""


def pack_of(results: Results, data: Listing, source: bytes, command: str, report: Mapping[str, Path]) -> Contents:
    """The files of a pack by their names in it.

    source: the experiment's file. command: what trains the runs again, which the report names. report: the files of the
    report by their names within its folder.
    """
    specs = {cell.spec.id: cell.spec for cell in results.cells}
    files: dict[str, bytes | Path] = {
        SOURCE_FILE: source,
        EXPERIMENT_FILE: json_bytes(_experiment(results, specs)),
        DATA_FILE: data_csv(data, data.contents),
        SPLITS_FILE: splits_csv(data, specs),
        ENVIRONMENT_FILE: _environment(),
        README_FILE: _readme(results, data, bool(report)).encode(),
        **dict(_runs(results)),
        **{f"{REPORT}/{name}": path for name, path in report.items()},
    }
    held = {
        "format": FORMAT,
        "program": f"ablation {ablation.__version__}",
        "experiment": results.experiment.name,
        "question": results.experiment.question,
        "command": command,
        "folder": results.folder,
        "data": data.digest,
        "left_out": len(data.left_out),
        "quoted": True,
        "unusable": list(data.unusable),
        "files": {name: _digest(files[name]) for name in sorted(files)},
    }
    return {**files, PACK_FILE: json_bytes(held)}


def write_pack(contents: Contents, target: Path) -> None:
    """Write a pack as a zip, where the name ends so, or into a folder. Raises InputError for one that is not empty."""
    if target.suffix.lower() == ".zip":
        write_zip(target, contents)
        return
    refuse_full(target)
    for name, content in contents.items():
        write_bytes(target / name, content if isinstance(content, bytes) else content.read_bytes())


def refuse_full(target: Path) -> None:
    """Raise InputError where a pack would be written into a folder that is not empty, or over a file."""
    full = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if full and target.suffix.lower() != ".zip":
        raise InputError(f"{target} is there and not empty; name another folder, or a file that ends in .zip")


def _digest(content: bytes | Path) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else digest_of_file(content)


def _experiment(results: Results, specs: Mapping[str, RunSpec]) -> dict[str, object]:
    cells = [{"factors": dict(cell.factors), "seed": cell.seed, "id": cell.spec.id} for cell in results.cells]
    plain_specs = {run_id: spec.to_plain() for run_id, spec in specs.items()}
    return {"experiment": form_of(results.experiment), "cells": cells, "specs": plain_specs}


def _runs(results: Results) -> Iterator[tuple[str, bytes | Path]]:
    """What the runs have left. A record or journal is read at once, so that all is of one moment."""
    root = f"{RUNS}/{results.root.name}"
    if (declared := results.root / PREREGISTRATION_FILE).exists():
        yield f"{root}/{PREREGISTRATION_FILE}", declared.read_bytes()
    if beside := beside_of(results.cells, results.root):
        yield f"{root}/{BESIDE_FILE}", beside
    for run in runs_of(results.cells, results.root):
        for name in _left_by(run):
            path = run.folder / name
            yield f"{root}/{run.spec.id}/{name}", path if name == ARRAYS_FILE else path.read_bytes()


def _left_by(run: Run) -> list[str]:
    ended = (run.folder / RECORD_FILE).exists()
    names = (RECORD_FILE, ARRAYS_FILE, SPEC_FILE, JOURNAL_FILE) if ended else (SPEC_FILE, JOURNAL_FILE)
    return [name for name in names if (run.folder / name).is_file()]


def data_csv(data: Splittable, contents: tuple[str, ...], quoted: bool = True) -> bytes:
    """The listing as a table, see `COLUMNS`. quoted: are names safe in a spreadsheet (not in packs of before)?"""
    columns = zip(data.names, contents, data.labels, data.parts, data.near, data.exact, strict=True)
    rows = (
        (row, name, content, label, data.classes[label], PARTS[part] if part >= 0 else "", near, exact)
        for row, (name, content, label, part, near, exact) in enumerate(columns)
    )
    return _csv([COLUMNS, *rows], quoted)


def splits_csv(data: Splittable, specs: Mapping[str, RunSpec], quoted: bool = True) -> bytes:
    """Which image is in which part, a column for each split that any of the runs has. quoted: as in `data_csv`."""
    drawn: dict[tuple[str, str, int], Parts] = {}
    for spec in specs.values():
        key = (repr(spec.split), repr(spec.train_size), spec.seed)
        if key not in drawn:
            drawn[key] = spec.parts(data)
    columns = {}
    for parts in drawn.values():
        columns[parts.digest] = [""] * len(data.labels)
        for name, rows in zip(PARTS, parts, strict=True):
            for row in rows.tolist():
                columns[parts.digest][row] = name
    table = [("row", "image", *columns)]
    lines = ((row, name, *(of_split[row] for of_split in columns.values())) for row, name in enumerate(data.names))
    return _csv([*table, *lines], quoted)


def _csv(rows: list[tuple[object, ...]], quoted: bool) -> bytes:
    text = io.StringIO()
    safe = ([csv_quoted(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(safe if quoted else rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _environment() -> bytes:
    packages = sorted({f"{one.metadata['Name']}=={one.version}".lower() for one in distributions()})
    machine = f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return "\n".join([machine, *packages, ""]).encode()


def own_code(experiment: Experiment, specs: Iterable[RunSpec]) -> tuple[str, ...]:
    """The functions, networks and metric of the author's own that the experiment and these runs name."""
    specs = tuple(specs)
    models = [*experiment.levels("model").values(), *(spec.model for spec in specs)]
    names = {model for model in models if is_own(model)}
    names |= {experiment.metric} if isinstance(experiment.metric, OwnMetric) else set()
    for form in (form_of(experiment), *(spec.to_plain() for spec in specs)):
        names |= set(_functions(form))
    return tuple(sorted(names))


def _functions(form: Any) -> Iterator[str]:
    """Those of every `ImageFunction` in an experiment's form or a spec's plain one, however deep it stands."""
    if isinstance(form, dict):
        if form.get("value") == ImageFunction.__name__:
            yield form["fields"]["function"]
        elif form.get("type") == ImageFunction.__name__:
            yield form["function"]
        form = list(form.values())
    for item in form if isinstance(form, list) else ():
        yield from _functions(item)


README = """# Evidence: {name}

{question}

{count}. Verify them without the images, and without PyTorch:

    pip install augmentation-ablation
    ablation verify PACK

PACK is this folder, or the zip that it came in. It computes every metric anew from the stored predictions, every entry
of the report from the runs, the parts from `data.csv`, and holds every file to its digest. Nothing that is written here
is run.

Train one run again, with the images, and compare it bit for bit:

    ablation verify PACK --retrain any --data WHERE/THE/IMAGES/LIE

`any` is the run that takes least time; instead of it write the id of another, which is the name of its folder in
`runs/{name}/`. The same bits are to be expected on a device of the same name with the same versions: `environment` in
`record.json` has them. The images are those whose content `data.csv` names; the data as a whole is {digest}.
{code}
| file | what |
| --- | --- |
| `experiment.py` | the experiment as its author wrote it |
| `experiment.json` | the same as plain data, with every run of its grid |
| `data.csv` | every image: the digest of its content, its class, its groups; an apostrophe stands before = + - @ ' |
| `splits.csv` | which image is in which part; a column is named as `evidence.split` in `record.json` |
| `runs/{name}/declared.jsonl` | how results were to be judged, declared before the first of them |
| `runs/{name}/ID/spec.json` | everything that the run depends on; the id is its hash |
| `runs/{name}/ID/journal.jsonl` | what happened, and the seal: the digests of record and arrays when training ended |
| `runs/{name}/ID/record.json` | metrics, learning curves, cost, environment |
| `runs/{name}/ID/arrays.npz` | predictions and features, for `numpy.load` |
| `environment.txt` | the packages where this was packed |
| `report/` | the report, if one was written; `evidence.json` has every number |
| `pack.json` | the SHA-256 of every file |
"""


def _readme(results: Results, data: Listing, report: bool) -> str:
    table = results.frame.drop_duplicates("id")
    done = int(table["status"].isin(["finished", "diverged"]).sum())
    code = own_code(results.experiment, (cell.spec for cell in results.cells))
    needs = "\nIts runs need code of the author's that is not in here, and that `--trust` lets run: {}.\n"
    question = results.experiment.question or f"Which recipe is better than {results.experiment.baseline}?"
    count = f"{counted(len(names_of(results.cells)), 'run')}, {done:,} of them with a result"
    count += ", and the report" if report else ""
    return README.format(
        name=results.experiment.name,
        question=markdown_text(question),
        count=count,
        digest=data.digest,
        code=needs.format(", ".join(map(markdown_code, code))) if code else "",
    )
