"""Where a sweep's files lie on the machine of a Dask worker, and how they get there.

Beside the folders of Dask's own workers (`--local-directory`), for all of them on a machine:

    ablation-files/cache/        photographs as squares, and weights, as in the caller's cache
                   code/NAME/    code of one's own, in which the runs' processes work
                   runs/KEY/ID/  runs of a caller with whom no folder is shared, until they are brought home
                   sessions/ID/  which files have been compared with the caller's in this sweep

A file is fetched in parts, each asked for anew where no answer comes, and takes its name when its digest is right.
Caches are compared with the caller's once a sweep and machine. Knows nothing of runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ablation.core.archive import is_safe
from ablation.core.files import sync_folder
from ablation.experiment.seal import digest_of_file
from ablation.training.cluster.session import Item, Session

PART = 8 * 2**20
"""Bytes that go in one message."""

PATIENCE = 30.0
"""Seconds after which something is asked for anew, as a message may be lost."""

ASKED_AT_MOST = 20
"""Times that the same thing is asked for."""

Tell = Callable[[dict[str, Any]], None]
"""Sends a message to the caller."""


class Stopped(Exception):
    """The caller has no use for the task any more, or is gone."""


class NoAnswer(Exception):
    """The caller does not answer, or what it sends is not what it announced."""


_answers: dict[str, queue.SimpleQueue[Any]] = {}
"""What this process waits for, by the number of the question."""


def deliver(number: str, content: Any) -> None:
    """Take an answer of the caller's; one that nobody waits for is dropped."""
    with suppress(KeyError):
        _answers[number].put(content)


@dataclass(frozen=True)
class Machine:
    """One machine, as a task of a session sees it. home: its folder there. check: raises Stopped where it should end.

    tell: to the caller.
    """

    session: Session
    home: Path
    tell: Tell
    check: Callable[[], None]

    @property
    def shares_runs(self) -> bool:
        """Whether the caller's runs folder is this machine's, too, and a lock that one holds stops the other."""
        folder = Path(self.session.runs)
        return self._shares(folder) and os.access(folder, os.W_OK) and _is_locked(folder / f"{self.session.mark}.lock")

    @property
    def shares_cache(self) -> bool:
        return self._shares(Path(self.session.cache))

    def _shares(self, folder: Path) -> bool:
        try:
            return self.session.shared and (folder / self.session.mark).read_text("utf-8") == self.session.id
        except (OSError, ValueError):
            return False

    @property
    def runs(self) -> Path:
        """Where runs are trained here."""
        return Path(self.session.runs) if self.shares_runs else self.scratch

    @property
    def scratch(self) -> Path:
        return self.home / "runs" / self.session.key

    @property
    def cache(self) -> Path:
        return Path(self.session.cache) if self.shares_cache else self.home / "cache"

    def folder_of(self, item: Item) -> Path:
        """Where the files of an item lie, by the names that the caller gives them."""
        return self.home / "code" / item.name if item.kind == "code" else self.home / "cache"

    def provide(self, item: Item) -> None:
        """Have the item's files here, as the caller has them. Raises Stopped, NoAnswer, and OSError."""
        if item.kind != "code" and self.shares_cache:
            return
        compared = self.home / "sessions" / self.session.id / item.label
        if compared.exists():
            return
        compared.parent.mkdir(parents=True, exist_ok=True)
        folder = self.folder_of(item)
        folder.mkdir(parents=True, exist_ok=True)
        with self._alone(folder / f".{item.label}.lock"):
            if not compared.exists():
                for name, size, digest in json.loads(self._ask(item)):
                    self._fetch(item, folder, name, size, digest)
                compared.touch()

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Within the block no other process of this machine is in one of this path."""
        lock = FileLock(path)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=1)
            except Timeout:
                self.check()
        try:
            yield
        finally:
            lock.release()

    def _fetch(self, item: Item, folder: Path, name: str, size: int, digest: str) -> None:
        if not is_safe(name):
            raise NoAnswer(f"{name!r} is no name for a file of a cache")
        path = folder / name
        if path.is_file() and path.stat().st_size == size and digest_of_file(path) == digest:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        arriving, read = path.with_name(f".{path.name}.arriving"), hashlib.sha256()
        with arriving.open("wb") as file:
            while (offset := file.tell()) < size:
                part = self._ask(item, name=name, offset=offset)
                if not part:
                    raise NoAnswer(f"{name} ended after {offset:,} of {size:,} bytes")
                file.write(part)
                read.update(part)
            file.flush()
            os.fsync(file.fileno())
        if read.hexdigest() != digest:
            raise NoAnswer(f"{name} did not arrive as it was sent (its digest is another)")
        os.replace(arriving, path)
        sync_folder(path.parent)

    def _ask(self, item: Item, **which: Any) -> Any:
        """The caller's answer."""
        number = uuid.uuid4().hex
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        _answers[number] = answers
        try:
            for _ in range(ASKED_AT_MOST):
                self.tell({"ask": number, "item": [item.kind, item.name], **which})
                waited = 0.0
                while waited < PATIENCE:
                    with suppress(queue.Empty):
                        return answers.get(timeout=0.5)
                    waited += 0.5
                    self.check()
        finally:
            del _answers[number]
        raise NoAnswer(f"{item.label} was asked for {ASKED_AT_MOST} times, and nothing came")


def _is_locked(path: Path) -> bool:
    """Whether somebody holds the lock."""
    try:
        with FileLock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False
