"""Is a page up to date? A digest of everything that it depends on, kept in the page itself. No drawing libraries.

What it depends on is what was found (records, effects, alarms) and whatever makes a page of that: this whole package,
since a number or a word may come from any of its files, and the libraries that compute and draw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ablation
from ablation.experiment.experiment import Experiment
from ablation.experiment.preregistration import DECLARED_FILE
from ablation.experiment.record import RECORD_FILE

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.experiment.results import Results

META = "ablation-inputs"
HEAD = 4096  # bytes at the start of a page, within which the tag stands
LIBRARIES = (
    *("numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "threadpoolctl"),
    *("matplotlib", "pillow", "jinja2", "markupsafe"),
)
"""By their names as packages: what computes the numbers of a page, and draws it."""


def input_digest(experiment: Experiment, results: Results, effects: Sequence[Effect], command: str = "") -> str:
    """SHA-256, in hexadecimal, over every run's status and record, the effects, the alarms, and this program."""
    from ablation.evidence.warnings import alarms  # which needs pandas: the page of a check does not

    told = [program_digest(), command, repr(experiment), results.classes, results.left_out, alarms(results)]
    digest = hashlib.sha256(json.dumps(told).encode())
    for run_id, status, reason in results.table[["id", "status", "reason"]].itertuples(index=False):
        digest.update(f"{run_id} {status} {reason}\n".encode())
    for run_id in sorted(set(results.table["id"])):
        digest.update(_content(results.root / run_id / RECORD_FILE))
    digest.update(_content(results.root / DECLARED_FILE))
    digest.update(json.dumps([asdict(effect) for effect in effects], default=repr).encode())
    return digest.hexdigest()


def check_digest(told: Mapping[str, Any]) -> str:
    """The same for the page of a check; told: what was found, as JSON holds it."""
    return hashlib.sha256(json.dumps([program_digest(), told]).encode()).hexdigest()


@cache
def program_digest() -> str:
    """Of what makes a page, as it stands when this process first asks: this package, and the libraries' versions."""
    versions = [ablation.__version__, *map(_version, LIBRARIES)]
    return hashlib.sha256(json.dumps([versions, folder_digest(Path(ablation.__file__).parent)]).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Over the name and the content of every file in a folder and those within it; what Python compiled is no file."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        digest.update(f"{file.relative_to(folder).as_posix()}\n".encode() + _content(file))
    return digest.hexdigest()


def is_current(path: Path, digest: str) -> bool:
    """Does the page at `path` exist and carry this digest?"""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return f'<meta name="{META}" content="{digest}">'.encode() in file.read(HEAD)


def _content(path: Path) -> bytes:
    """The file's digest, so that contents cannot run into each other; b"" where there is no file."""
    return hashlib.sha256(path.read_bytes()).digest() if path.exists() else b""


def _version(package: str) -> str:
    """'' for a package that is not installed: no page is made with it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
