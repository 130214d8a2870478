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
import os
from collections.abc import Iterable, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from ablation.core.files import Journal, open_file

JOURNAL_FILE = "journal.jsonl"
EVENT = "sealed"
MARK = "sealed"
"""The entry of a record which says that its run has a seal."""


def journal_of(folder: Path) -> Journal:
    """The journal of the run in this folder; a line without what its readers take from it is damaged."""
    return Journal(folder / JOURNAL_FILE, fits=_fits)


def _fits(event: dict[str, Any]) -> bool:
    kind = event["event"]
    if kind == "epoch":
        numbers = all(item is None or type(item) in (int, float) for name, item in event.items() if name != "event")
        return type(event.get("epoch")) is int and event["epoch"] > 0 and numbers
    if kind == "failed":
        return isinstance(event.get("reason"), str)
    if kind == EVENT:
        files = event.get("files")
        return isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values())
    return True


def write_seal(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Append to the run's journal the digests of what these files hold, or will hold at the next moment."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    journal_of(folder).append(EVENT, files=files)


def read_seal(folder: Path) -> dict[str, str] | None:
    """The last seal in the run's journal, file -> 64 hexadecimal digits; None where there is none."""
    return last_seal(journal_of(folder).events())


def last_seal(events: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """The last seal among the events of a journal, as `read_seal`."""
    seals = [event["files"] for event in events if event["event"] == EVENT]
    return dict(seals[-1]) if seals else None


def is_marked(record: bytes) -> bool:
    """Whether the run whose record.json holds this was sealed; False where that cannot be read."""
    try:
        form = json.loads(record)
    except (ValueError, RecursionError):  # a record that cannot be read is an error of its own
        return False
    return isinstance(form, dict) and bool(form.get(MARK))


def why_lost(journal: Path) -> str:
    """Why this journal has no line that can be read where there must be one, in words."""
    if has_crlf(journal):
        return f"the line ends of {journal.name} were changed to CRLF, as git does it; {CRLF_REMEDY}"
    return f"{journal.name} has lost the seal of the run"


CRLF_REMEDY = "set core.autocrlf to false and check the runs out again"


def has_crlf(journal: Path) -> bool:
    """Whether its line ends were changed, by which every line is lost."""
    return journal.is_file() and b"\r\n" in journal.read_bytes()


class Sealed(NamedTuple):
    """A file as it was when it was held to its seal: by digest, and by what changes whenever anybody writes to it."""

    digest: str
    """SHA-256 of its bytes, 64 hexadecimal digits."""
    state: tuple[int, ...]

    @classmethod
    def of(cls, path: Path) -> Sealed:
        """Read a file. Raises OSError where there is none."""
        with open_file(path) as file:
            state = _state(file)
            return cls(hashlib.file_digest(file, "sha256").hexdigest(), state)

    def is_still(self, file: BufferedReader) -> bool:
        """Whether nobody has written to this open file since; True also where the same bytes were written again."""
        if _state(file) == self.state:
            return True
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest() == self.digest


def _state(file: BufferedReader) -> tuple[int, ...]:
    stat = os.fstat(file.fileno())
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
