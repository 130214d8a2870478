"""What comes back from another machine: brought home in parts, and checked before it is believed.

A run's files arrive in a folder within its own. They must have the digests that were announced, the record must be that
of the run, and the seal in its journal must fit. Then they take their names, the record last, under the run's lock,
which the caller holds. Whatever else came is dropped, and the run has failed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ablation.core.errors import DataError
from ablation.core.files import sync_folder, write_bytes
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE
from ablation.experiment.runs import Run
from ablation.experiment.seal import JOURNAL_FILE

ARRIVING = ".arriving"
"""The folder, within that of a run, for what has not been checked yet."""

MOST_BYTES = 64 * 2**30
"""A run that leaves more than this is not brought home."""

FILES = (ARRAYS_FILE, "weights.pt", JOURNAL_FILE, RECORD_FILE)
"""What of a run is brought home; its spec is here already."""

Part = Callable[[str, int], bytes]
"""From a file's name and an offset to bytes of it, some at least."""


class Refused(Exception):
    """What came is not a result of the run, and why."""


def bring_home(run: Run, files: Sequence[Any], part: Part) -> None:
    """Fetch files, each (name, bytes, SHA-256), to where things arrive. Raises Refused, or what `part` does."""
    folder = arriving(run).folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, size, digest in _announced(files):
        read, done = hashlib.sha256(), 0
        with (folder / name).open("xb") as file:
            while done < size:
                content = part(name, done)
                if not isinstance(content, bytes) or not content:
                    raise Refused(f"{name} ended after {done:,} of {size:,} bytes")
                file.write(content)
                read.update(content)
                done += len(content)
            file.flush()
            os.fsync(file.fileno())
        if done != size or read.hexdigest() != digest:
            raise Refused(f"{name} did not arrive as it was sent (its digest is another)")


def _announced(files: Sequence[Any]) -> list[tuple[str, int, str]]:
    try:
        every = [(str(name), int(size), str(digest)) for name, size, digest in files]
    except (TypeError, ValueError):
        raise Refused(f"{files!r:.200} is no list of files") from None
    if not all(name in FILES and size >= 0 for name, size, _ in every):
        raise Refused(f"its files are not {', '.join(FILES)}, but {', '.join(name for name, _, _ in every):.200}")
    if sum(size for _, size, _ in every) > MOST_BYTES:
        raise Refused(f"it is larger than {MOST_BYTES:,} bytes")
    return every


def arriving(run: Run) -> Run:
    """The run, as it arrives."""
    return Run(run.folder / ARRIVING, run.spec)


def check(run: Run, outcome: str) -> None:
    """Raise Refused unless the run that has arrived is this one, whole, and has ended so."""
    arrived = arriving(run)
    try:
        held, seal = arrived.held(), arrived.seal()
    except DataError as error:
        raise Refused(str(error.problems[0].message)) from error
    if held.altered:
        raise Refused(held.altered)
    if held.record is None or seal is None:
        raise Refused(f"it has no {RECORD_FILE}" if held.record is None else "it has no seal")
    if held.record.outcome != outcome:
        raise Refused(f"its record says {held.record.outcome}, and the answer {outcome}")


def take_up(run: Run, before: bytes) -> None:
    """Give what has arrived its names, the record last. before: what stands in the journal before what has come."""
    folder = arriving(run).folder
    journal = folder / JOURNAL_FILE
    if journal.is_file():
        write_bytes(run.folder / JOURNAL_FILE, before + journal.read_bytes())
    names = sorted(path.name for path in folder.iterdir() if path.name != JOURNAL_FILE)
    for name in sorted(names, key=lambda name: name == RECORD_FILE):
        os.replace(folder / name, run.folder / name)
    sync_folder(run.folder)
    drop(run)


def drop(run: Run) -> None:
    """Remove what has arrived."""
    shutil.rmtree(run.folder / ARRIVING, ignore_errors=True)


def journal_of(run: Run) -> bytes:
    """What the run's journal holds here, up to its last whole line."""
    path: Path = run.folder / JOURNAL_FILE
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]
