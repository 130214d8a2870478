"""Is a page up to date? A digest of everything that it depends on, kept in the page itself. No drawing libraries.

It depends on the records, effects and warnings, and on whatever makes a page of them: this whole package, since a
number or a word may come from any of its files, and the libraries that compute and draw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ablation
from ablation.core.errors import DataError
from ablation.experiment.preregistration import declared_for, preregistered, preregistration_of
from ablation.experiment.record import RECORD_FILE
from ablation.report.fonts import faces_of

if TYPE_CHECKING:
    from ablation.evidence.study import Study
    from ablation.experiment.preregistration import Preregistered
    from ablation.experiment.results import Results

META = "ablation-inputs"
HEAD = 4096  # bytes at the start of a page, within which the tag stands
LIBRARIES = (
    *("numpy", "scipy", "pandas", "scikit-learn", "threadpoolctl"),
    *("matplotlib", "fonttools", "pillow", "jinja2", "markupsafe", "typst"),
)
"""By their names as packages: what computes the numbers of a page, and draws it."""


def input_digest(studies: Sequence[Study], only: Collection[str] = (), fonts: Sequence[str] = ()) -> str:
    """SHA-256, in hexadecimal, over every run's status and record, the effects, the warnings, and this program.

    only: the sections that were chosen. fonts: the digests of the files of fonts that were, see `font_digests`.
    """
    chosen = [program_digest(), sorted(only), list(fonts)]
    digest = hashlib.sha256(json.dumps(chosen).encode())
    for study in studies:
        for content in _inputs(study):
            digest.update(content)
    return digest.hexdigest()


def font_digests(fonts: Sequence[Path]) -> list[str]:
    """SHA-256 of each file, in hexadecimal. Raises InputError for one that is no font that can be used."""
    for font in fonts:
        faces_of(font, strict=True)
    return [hashlib.sha256(font.read_bytes()).hexdigest() for font in fonts]


def _inputs(study: Study) -> Iterator[bytes]:
    results = study.results
    named = [
        study.command,
        repr(study.experiment),
        results.classes,
        results.left_out,
        study.warnings,
        _has_photographs(results),
    ]
    yield json.dumps(named).encode()
    for run_id, status, reason in results.frame[["id", "status", "reason"]].itertuples(index=False):
        yield f"{run_id} {status} {reason}\n".encode()
    for run_id in sorted(set(results.frame["id"])):
        yield _content(results.root / run_id / RECORD_FILE)
    yield json.dumps([asdict(entry) for entry in _declared(results)]).encode()
    yield json.dumps([asdict(effect) for effect in study.effects], default=repr).encode()


def _declared(results: Results) -> list[Preregistered]:
    """The plans that a page speaks of: those of the experiment's file, and what its own runs are held to.

    Variants that lie in the same folder (`--set`) are no part of it, unless a warning names them.
    """
    own = declared_for(preregistration_of(results.experiment, results.cells), results.root)
    of_file = [entry for entry in preregistered(results.root) if not entry.overrides]
    return [*of_file, *([own] if own is not None else [])]


def _has_photographs(results: Results) -> bool:
    """Is the image cache there? A page that was made without it lacks photographs, and is made anew with it."""
    try:
        results.photographs(np.zeros(1, np.int64), 1)
    except DataError:
        return False
    return True


def check_digest(findings: Mapping[str, Any]) -> str:
    """The same for the page of a check; findings: as JSON holds them."""
    return hashlib.sha256(json.dumps([program_digest(), findings]).encode()).hexdigest()


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
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""


def _version(package: str) -> str:
    """'' for a package that is not installed: no page is made with it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
