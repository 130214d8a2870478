"""What a local store was given of an experiment, so that nobody has to import mlflow to learn that it has it all.

A file beside the runs holds the digest of each publication, and how the store's own file stood when that was done. As
long as it stands so, nobody has written to the store. A server may have changed at any time: of it nothing is
remembered. Knows nothing of mlflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ablation.core.files import read_file, write_json

FILE = "published.json"

_SQLITE, _WITH_DRIVER = "sqlite:///", "sqlite+pysqlite:///"
BESIDE = ("", "-wal", "-journal")
"""What SQLite adds to its file's name where it may hold what is not in the file itself yet."""


def remember(root: Path, state: Sequence[Any], digests: Mapping[str, str]) -> None:
    """Note in the experiment's folder `root` that the store has these publications, key -> digest.

    state: of the store, from before that was checked: whatever is written since makes it another.
    """
    write_json(root / FILE, {"store": state, "digests": dict(digests)})


def remembered(root: Path, uri: str) -> dict[str, str] | None:
    """The publications that the store has for certain; None where it may have changed since, or nothing is known."""
    state, known = _noted(root)
    return known if state is not None and state == state_of(uri) else None


def published_before(root: Path, uri: str) -> dict[str, str] | None:
    """The publications that the store was given, key -> digest, whatever was written to it since; None: not known.

    Other experiments that publish to the same file make it another, and take nothing away.
    """
    state, known = _noted(root)
    now = state_of(uri)
    same = state is not None and now is not None and state[:1] == now[:1]
    return known if same else None


def _noted(root: Path) -> tuple[list[Any] | None, dict[str, str] | None]:
    """The store's state and the digests that were noted; None for both without a file, or with a damaged one."""
    try:
        form = json.loads(read_file(root / FILE))
        state, digests = form["store"], form["digests"]
    except (OSError, ValueError, TypeError, KeyError):  # then the store itself is asked
        return None, None
    return (state, digests) if isinstance(state, list) and isinstance(digests, dict) else (None, None)


def address_of(file: Path) -> str:
    """The address of a SQLite file, an absolute path: `sqlite:///` and the path.

    SQLAlchemy 2.1 takes what is behind a '%' for a character's number, and the versions before take no '?' at all. An
    address with the driver's name keeps MLflow from making the folders, which would be called by the numbers.
    """
    path = file.as_posix()
    if {"%", "?"} & set(path) and _reads_escapes():
        return _WITH_DRIVER + quote(path, safe="/ +:@")
    return _SQLITE + path


def file_of(uri: str) -> Path | None:
    """The file of a store in SQLite, absolute; None for any other store."""
    if not uri.startswith((_SQLITE, _WITH_DRIVER)) or "?" in uri or ":memory:" in uri:
        return None
    path = uri.partition(":///")[2]
    return Path(unquote(path) if "%" in path and _reads_escapes() else path).absolute()


def number_of(file: Path | None) -> int | None:
    """By which the system knows the file; another one of the same name has another number. None where it is missing."""
    try:
        return file.stat().st_ino if file is not None else None
    except FileNotFoundError:
        return None


def _reads_escapes() -> bool:
    return tuple(map(int, version("sqlalchemy").split(".")[:2])) >= (2, 1)


def state_of(uri: str) -> list[Any] | None:
    """How a SQLite file stands: its path, and number, size and times of all that belongs to it; None for any other."""
    path = file_of(uri)
    if path is None or not path.is_file():
        return None
    files = [Path(f"{path}{end}") for end in BESIDE]
    states = [(file.stat() if file.exists() else None) for file in files]
    return [str(path), *([one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns] if one else [] for one in states)]
