"""Is a page up to date? A digest of everything that it depends on, kept in the page itself. No drawing libraries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ablation
from ablation.declaration import DECLARED_FILE
from ablation.experiment import Experiment
from ablation.record import RECORD_FILE

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.results import Results

META = "ablation-inputs"
HEAD = 4096  # bytes at the start of a page, within which the tag stands


def input_digest(experiment: Experiment, results: Results, effects: Sequence[Effect], command: str = "") -> str:
    """SHA-256, in hexadecimal, over every run's status and record, the effects, and this program."""
    digest = hashlib.sha256(
        json.dumps([ablation.__version__, command, repr(experiment), results.classes, results.left_out]).encode()
    )
    for run_id, status, reason in results.table[["id", "status", "reason"]].itertuples(index=False):
        digest.update(f"{run_id} {status} {reason}\n".encode())
    for run_id in sorted(set(results.table["id"])):
        digest.update(_content(results.root / run_id / RECORD_FILE))
    digest.update(_content(results.root / DECLARED_FILE))
    digest.update(json.dumps([asdict(effect) for effect in effects], default=repr).encode())
    for file in _own_files():
        digest.update(_content(file))
    return digest.hexdigest()


def check_digest(told: Mapping[str, Any]) -> str:
    """The same for the page of a check; told: what was found, as JSON holds it."""
    digest = hashlib.sha256(json.dumps([ablation.__version__, told]).encode())
    for file in _own_files():
        digest.update(_content(file))
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


def _own_files() -> list[Path]:
    """The code and templates that tell: another version of them makes another page."""
    package = Path(ablation.__file__).parent
    folders = [package / "report", package / "figures", package / "analysis"]
    return sorted(file for folder in folders for file in folder.iterdir() if file.suffix in (".py", ".html", ".css"))
