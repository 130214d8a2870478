"""The store that MLflow writes to: a SQLite file on this machine, which is made here, or a server. Knows no experiment.

A local store is made, and its schema renewed, under a kernel lock in a file of another name, which takes the store's
name when it is whole: a kill leaves the store that was there, or none. A server's store is its own affair.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sqlite3
import ssl
import tempfile
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from glob import escape
from http.client import HTTPException
from pathlib import Path
from typing import Any

from filelock import FileLock

from ablation.core.errors import reason_of
from ablation.core.files import sync_folder
from ablation.core.text import counted
from ablation.tracking.published import BESIDE, address_of, file_of

PATIENCE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
"""The variable of the environment that says for how many seconds an answer is awaited."""

SETTINGS = {
    PATIENCE: "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # MLflow's default blocks each call for many minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a connection that is kept stays with a file that was moved away
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # it logs each table it makes, and whole tracebacks beside raising them
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
"""MLflow's settings in the environment, unless the user has set them; it reads them at each of its calls."""

_OF_ITSELF = ("alembic_version", "experiments", "workspaces")
"""Tables with rows in a store that nobody has used; of experiments it has one."""


@dataclass(frozen=True)
class Store:
    """Where MLflow keeps what it is given: its tracking URI, and a folder for artifacts (a server has its own)."""

    uri: str
    artifacts: Path

    @classmethod
    def beside(cls, root: Path, given: str | None = None) -> Store:
        """The store that was named, by `given` or MLFLOW_TRACKING_URI, or else a SQLite file in the folder `root`."""
        root = root.absolute()
        uri = given or os.environ.get("MLFLOW_TRACKING_URI") or address_of(root / "mlflow.db")
        return cls(uri, root / "mlartifacts")

    @property
    def remote(self) -> bool:
        """Whether it is a server."""
        return self.uri.startswith(("http://", "https://"))

    def __str__(self) -> str:
        """The URI without a password."""
        return without_password(self.uri)


class StoreBroken(Exception):
    """A store that MLflow cannot use, and that holds what cannot be made anew; the text says what to do."""


def without_password(text: str) -> str:
    """A text without the user and the password of each address in it."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def quiet_environment() -> None:
    """Give MLflow its settings, where the user has not."""
    for name, setting in SETTINGS.items():
        os.environ.setdefault(name, setting)


def connect(store: Store) -> Any:
    """An MlflowClient; a local store is made where there is none.

    Raises OSError if a server does not answer, what `make_whole` raises, and whatever MLflow does.
    """
    if store.remote:
        await_answer(store.uri)
    make_whole(store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated calls inside MLflow: nothing that our users could mend
        from mlflow import MlflowClient

        return MlflowClient(store.uri)


def make_whole(store: Store, note: Callable[[str], None] = warnings.warn) -> None:
    """Give MLflow its settings; and a local store, where it is none by the schema of this MLflow, its tables.

    note: is given a line where a file that could not be used, and held nothing, was set aside. Raises StoreBroken for
    one that has to be mended by hand, sqlite3.OperationalError for one that is locked or may not be opened.
    """
    quiet_environment()
    file = file_of(store.uri)
    if file is None:
        return
    with warnings.catch_warnings(), alone_at(str(file)):
        warnings.simplefilter("ignore")
        aside = _prepare(file, store)
    if aside is not None:
        note(f"{file} could not be used and held no runs: it was made anew, and the old one is now {aside.name}")


@contextmanager
def alone_at(what: str) -> Iterator[None]:
    """A kernel lock that one process of this user on this machine holds at a time; it leaves nothing beside the runs.

    what: that which is locked, by its absolute path.
    """
    name = hashlib.sha256(f"{Path.home()} {what}".encode()).hexdigest()[:16]
    with FileLock(f"{tempfile.gettempdir()}/ablation-{name}.lock"):
        yield


def _prepare(file: Path, store: Store) -> Path | None:
    """See to it that the file, which is held alone, is a store by today's schema; where one that is not has gone."""
    for leftover in file.parent.glob(f"{escape(_making(file))}*"):  # by a kill, before or behind its renaming
        shutil.rmtree(leftover, ignore_errors=True)
    if not _has_content(file):
        _make(file, store)
        return None
    try:
        if _revision(file) != _newest_revision():
            _make(file, store, file)
        return None
    except sqlite3.OperationalError:  # locked, or not to be opened: nothing is known of what is in it
        raise
    except Exception as error:  # whatever SQLite, SQLAlchemy, Alembic or MLflow may raise for tables that are odd
        if held := _held_by(file):
            raise StoreBroken(_advice(file, reason_of(error), held)) from error
    aside = _set_aside(file)
    _make(file, store)
    return aside


def _making(file: Path) -> str:
    """How the names of folders begin in which this machine makes a store: another one may be making its own."""
    return f".{file.name}.making-{platform.node()}-"


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _advice(file: Path, reason: str, held: str) -> str:
    away = f"move it away, and `ablation sync` puts all runs into a new {file.name}"
    if "Can't locate revision" in reason:
        return f"{file} is of a newer MLflow and {held}. It stays as it is: install that version, or {away}"
    return f"{file} is broken ({reason}) and {held}. It stays as it is: restore a copy of it, or {away}"


def _make(file: Path, store: Store, old: Path | None = None) -> None:
    """Make a store with MLflow's tables, or upgrade one to today's schema; it takes its name when it is whole."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=_making(file)) as folder:
        made = Path(folder) / file.name
        if old is not None:
            with _opened(old) as source, closing(sqlite3.connect(made)) as target:
                source.backup(target)
            utils._upgrade_db(utils.create_sqlalchemy_engine(address_of(made)))  # what `mlflow db upgrade` does
        SqlAlchemyStore(address_of(made), store.artifacts.as_uri()).engine.dispose()
        with made.open("rb") as whole:
            os.fsync(whole.fileno())
        _put(made, file, old)
    sync_folder(file.parent)


def _put(made: Path, file: Path, old: Path | None) -> None:
    """Give the file its name. A store that another machine has made meanwhile is not replaced by an empty one."""
    if old is None and _has_content(file):
        return
    if old is None and not file.exists():
        try:
            os.link(made, file)
            return
        except FileExistsError:
            return
        except OSError:  # a file system without links
            pass
    os.replace(made, file)


def _set_aside(file: Path) -> Path:
    """Rename the store and what SQLite keeps beside it to the first name that is free."""
    number = next(number for number in range(1, 1_000_000) if not Path(f"{file}.broken-{number}").exists())
    aside = Path(f"{file}.broken-{number}")
    for end in reversed(BESIDE):
        with suppress(FileNotFoundError):
            os.rename(f"{file}{end}", f"{aside}{end}")
    return aside


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """The file in SQLite, which must be there. MLflow itself would try a file that cannot be opened for 100 seconds."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=20)) as opened:
        yield opened


def _revision(file: Path) -> str | None:
    """The revision of the store's schema; None for one without. Raises sqlite3.Error for what is no database."""
    with _opened(file) as opened:
        if "alembic_version" not in _tables(opened):
            return None
        revisions = opened.execute("SELECT version_num FROM alembic_version").fetchall()
        return str(revisions[0][0]) if len(revisions) == 1 else None


@cache
def _newest_revision() -> str:
    """That of the schema of the MLflow which is installed."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())


def _tables(opened: sqlite3.Connection) -> list[str]:
    return [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _held_by(file: Path) -> str:
    """What the store holds that somebody put there, in words; '' for nothing. A table that cannot be read holds some.

    Where MLflow's making of its tables broke off, rows may be in tables of other names.
    """
    try:
        with _opened(file) as opened:
            rows = {name: _count(opened, name) for name in _tables(opened)}
    except sqlite3.Error as error:
        return f"cannot be read ({error}), so that nobody knows what it holds"
    ours = {name: count for name, count in rows.items() if name.removeprefix("_alembic_tmp_") not in _OF_ITSELF}
    runs = max(ours.get("runs", 0), ours.get("_alembic_tmp_runs", 0))
    experiments = max(rows.get("experiments", 0), rows.get("_alembic_tmp_experiments", 0))
    if not any(ours.values()) and experiments <= 1:
        return ""
    return f"holds {counted(runs, 'run')}" if runs else "holds what somebody put there"


def _count(opened: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    return int(opened.execute(f'SELECT COUNT(*) FROM "{quoted}"').fetchone()[0])


def await_answer(uri: str, *handlers: urllib.request.BaseHandler) -> None:
    """Ask a server for a sign of life, as importing mlflow takes seconds more; any answer is one.

    handlers: instead of the usual ones. Raises ConnectionError where nothing answers in MLFLOW_HTTP_REQUEST_TIMEOUT.
    """
    patience = float(os.environ.get(PATIENCE) or SETTINGS[PATIENCE])
    try:
        opener = urllib.request.build_opener(*handlers)
        # urllib takes a password for a part of the host's name
        opener.open(f"{without_password(uri).rstrip('/')}/health", timeout=patience).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # MLflow has its own settings for certificates
            raise ConnectionError(f"no answer ({reason})") from error
