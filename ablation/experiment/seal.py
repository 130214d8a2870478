"""The seal: digests of what a run has left, kept in its journal, where editing a result does not change them.

A line of the journal holds the SHA-256 of the bytes of `record.json` and of `arrays.npz`. It is written before the
record gets its final name: a kill between the two leaves a run that has not finished, goes on, and is sealed anew; none
ever finishes without a seal. The last seal counts. Holds against mistakes and edits, not against whoever seals anew.

Records of versions that knew no seal have none. Newer ones carry a mark, so that a seal that was removed is missed.
Knows files and bytes, and not what they mean.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ablation.core.files import Journal

JOURNAL_FILE = "journal.jsonl"
EVENT = "sealed"
MARK = "sealed"
"""The entry of a record which says that its run has a seal."""


def write_seal(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Append to the run's journal the digests of what these files hold, or will hold at the next moment."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    Journal(folder / JOURNAL_FILE).append(EVENT, files=files)


def read_seal(folder: Path) -> dict[str, str] | None:
    """The last seal in the run's journal, file -> 64 hexadecimal digits; None where there is none."""
    for event in reversed(Journal(folder / JOURNAL_FILE).events()):
        files = event.get("files")
        if event.get("event") == EVENT and isinstance(files, dict):
            return files
    return None


def broken(folder: Path, files: Iterable[str]) -> str:
    """Which of a finished run's files is not as it was sealed, in words; '' where all are, and without a seal.

    files: those that the seal must name; the first of them is the record.
    """
    names = tuple(files)
    seal = read_seal(folder)
    if seal is None:
        return _lost(folder) if _is_marked(folder / names[0]) else ""
    for name in names:
        if not (folder / name).is_file():
            return f"{name} is missing"
        if digest_of_file(folder / name) != seal.get(name):
            return f"{name} is not what training left (its seal does not fit)"
    return ""


def _lost(folder: Path) -> str:
    """Why the journal has no seal that can be read."""
    journal = folder / JOURNAL_FILE
    if journal.is_file() and b"\r\n" in journal.read_bytes():
        git = "set core.autocrlf to false and check the runs out again"
        return f"the line ends of {JOURNAL_FILE} were changed to CRLF, as git does it; {git}"
    return f"{JOURNAL_FILE} has lost the seal of the run"


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_marked(record: Path) -> bool:
    try:
        form = json.loads(record.read_bytes())
    except (OSError, ValueError):  # a record that cannot be read is an error of its own
        return False
    return isinstance(form, dict) and bool(form.get(MARK))
