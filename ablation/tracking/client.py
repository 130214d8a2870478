"""Tracking: publish records to MLflow. The only home of mlflow, which is imported when there is something to write.

MLflow is where people look; the runs folder is where results live. One process writes, the one the user started, from
what lies in the folder (see `ablation.tracking.runs`). A server that is down costs one warning, and the next
`ablation run` catches up; publishing again changes nothing. Only `MlflowClient` is used: MLflow's active run is global
state, and leaves a run FINISHED after `sys.exit(3)` and RUNNING after a kill.
"""

from __future__ import annotations

import os
import re
import sqlite3
import ssl
import time
import urllib.error
import urllib.request
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.core.errors import attempt
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.runs import Run, folder_of, runs_of
from ablation.tracking.runs import DIGEST, KEY, REPORT, Publication, experiment_tags, of_report, of_run

SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds; MLflow's defaults block each call for minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # it logs each table it makes, and whole tracebacks beside raising them
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
"""What MLflow is told through the environment, unless the user has set it; read at each of its calls."""

MAX_METRICS = 1000
"""Points in one `log_batch`; its other limits, 100 params and 100 tags, no run comes near."""

FIRST_ANSWER = 3.0
"""Seconds that a server has to answer at all."""


@dataclass(frozen=True)
class Store:
    """Where MLflow keeps what it is given: its tracking URI, and a folder for artifacts (a server has its own)."""

    uri: str
    artifacts: Path

    @classmethod
    def beside(cls, root: Path, given: str | None = None) -> Store:
        """The store that was named, by `given` or MLFLOW_TRACKING_URI, or else a SQLite file in the folder `root`."""
        root = root.absolute()
        uri = given or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / 'mlflow.db').as_posix()}"
        return cls(uri, root / "mlartifacts")

    @property
    def remote(self) -> bool:
        return self.uri.startswith(("http://", "https://"))

    @property
    def file(self) -> Path | None:
        """The SQLite file, if it is one."""
        path = self.uri.removeprefix("sqlite:///")
        return None if path == self.uri else Path(path)

    def __str__(self) -> str:
        """For people: without a password."""
        return re.sub(r"//[^/@]*@", "//", self.uri)


class Tracker:
    """Publishes the runs of one experiment. No method raises, whatever MLflow does or a publication holds: `warn` is
    told, once.

    cells: the grid. runs: the folder of runs; beside it lies the store, unless `uri` or MLFLOW_TRACKING_URI names one.
    """

    def __init__(
        self,
        experiment: Experiment,
        cells: tuple[Cell, ...],
        runs: Path,
        uri: str | None = None,
        warn: Callable[[str], None] = warnings.warn,
    ):
        self.experiment, self.warn, self.store = experiment, warn, Store.beside(runs.absolute().parent, uri)
        self.runs = runs_of(cells, folder_of(experiment, runs))
        self.cells: dict[str, tuple[Cell, ...]] = {}
        for cell in cells:
            self.cells[cell.spec.id] = (*self.cells.get(cell.spec.id, ()), cell)
        self.off = False
        self._warned: set[str] = set()
        self._connection: _Connection | None = None
        self._published = peek(self.store, experiment.name)

    def publish(self, run: Run) -> None:
        """Publish this run, if it has ended and MLflow does not have it so already."""
        self._put(f"run {run.spec.id}", lambda: of_run(run, self.cells[run.spec.id], self.experiment.name))

    def publish_all(self) -> None:
        """Publish every run that has ended, and the counts of the experiment's own run."""
        for run in self.runs:
            self.publish(run)
        self.publish_report()

    def publish_report(self, *files: Path) -> None:
        """Publish the experiment's own run: how many runs ended how, and these files and folders as artifacts."""
        self._put("the report", lambda: of_report(self.experiment, self.runs, files, time.time()))

    def _put(self, what: str, made: Callable[[], Publication | None]) -> None:
        publication = attempt(f"what MLflow shall show of {what}", made, None, self._warn_once)
        if publication is None or self.off:
            return
        if publication.is_held(*self._published.get(publication.key, ("", ""))):
            return
        try:
            self._connection = self._connection or _Connection(self.store, self.experiment)
            self._connection.write(publication)
            self._published[publication.key] = (publication.digest, publication.status)
        except Exception as error:  # whatever MLflow, its database or the network may raise: never at a result's cost
            self.off = True
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self.warn(
                f"MLflow at {self.store} does not take the runs: {reason}. "
                "Nothing is lost: the results are in the runs folder, and `ablation run` publishes them when it can."
            )

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self.warn(message)


class _Connection:
    """The open connection to MLflow, and what it holds of the experiment: key -> MLflow's run."""

    def __init__(self, store: Store, experiment: Experiment):
        self.client = connect(store)
        self.experiment_id = self._experiment_id(store, experiment)
        self.runs: dict[str, Any] = {}
        for run in sorted(self._search(), key=lambda run: DIGEST not in run.data.tags):  # whole ones first
            self._enter(run)

    def _search(self) -> Iterator[Any]:
        """Every run of the experiment, page by page."""
        token = None
        while token != "":
            page = self.client.search_runs([self.experiment_id], page_token=token)
            token = page.token or ""
            yield from page

    def _experiment_id(self, store: Store, experiment: Experiment) -> str:
        tags = experiment_tags(experiment)
        found = self.client.get_experiment_by_name(experiment.name)
        if found is None:
            # a SQLite store would put artifacts into the working directory if it were not told where
            location = None if store.remote else (store.artifacts / experiment.name).as_uri()
            return self.client.create_experiment(experiment.name, location, tags)
        if found.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"its experiment {experiment.name!r} was deleted "
                f"(`mlflow experiments restore -x {found.experiment_id}` brings it back, `mlflow gc` ends it)"
            )
        for key in (key for key in tags if found.tags.get(key) != tags[key]):
            self.client.set_experiment_tag(found.experiment_id, key, tags[key])
        return found.experiment_id

    def _enter(self, run: Any) -> None:
        key = run.data.tags.get(KEY)
        if key in self.runs:  # a request that was sent twice, or two processes at once: one too many
            self.client.delete_run(run.info.run_id)
        elif key is not None:
            self.runs[key] = run

    def write(self, publication: Publication) -> None:
        """Make MLflow's run what the publication says; digest and status go last, so what breaks off is done again."""
        old = self.runs.get(publication.key)
        if old is not None and publication.is_held(old.data.tags.get(DIGEST, ""), old.info.status):
            return
        if old is not None and _contradicts(old, publication):
            self.client.delete_run(old.info.run_id)
            old = None
        run_id = old.info.run_id if old is not None else self._create(publication)
        self._log(run_id, publication, old.data.metrics if old is not None else {})
        for path in publication.files:
            upload = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
            upload(run_id, str(path), *([path.name] if path.is_dir() else []))
        self.client.set_tag(run_id, DIGEST, publication.digest)
        self.client.set_terminated(run_id, publication.status, publication.end)
        self.runs[publication.key] = self.client.get_run(run_id)

    def _create(self, publication: Publication) -> str:
        tags = {KEY: publication.key, "mlflow.source.name": "ablation", "mlflow.source.type": "LOCAL"}
        run = self.client.create_run(self.experiment_id, publication.start, tags, publication.name)
        return run.info.run_id

    def _log(self, run_id: str, publication: Publication, held: dict[str, float]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        points = publication.points
        if publication.key == REPORT:  # its counts bear the time of publishing: only those that changed
            points = tuple(point for point in points if held.get(point.key) != point.value)
        metrics = [Metric(*point) for point in points]
        for start in range(0, len(metrics), MAX_METRICS):
            self.client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
        params = [Param(key, value) for key, value in publication.params.items()]
        tags = [RunTag(key, value) for key, value in publication.tags.items()]
        self.client.log_batch(run_id, params=params, tags=tags)


def _contradicts(old: Any, publication: Publication) -> bool:
    """Whether MLflow's run cannot become this one: params cannot be changed there, nor points taken back.

    So it is when a recipe was renamed, and when a run was deleted and trained again.
    """
    return old.info.start_time != publication.start or not old.data.params.items() <= publication.params.items()


def quiet_environment() -> None:
    """Give MLflow its settings, where the user has not."""
    for name, setting in SETTINGS.items():
        os.environ.setdefault(name, setting)


def connect(store: Store) -> Any:
    """An MlflowClient. Raises OSError, within seconds, if a server does not answer."""
    if store.remote:
        _await_answer(store.uri)
    quiet_environment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated calls inside MLflow: nothing that our users could mend
        from mlflow import MlflowClient

        return MlflowClient(store.uri)


def _await_answer(uri: str) -> None:
    """Ask the server for a sign of life before the seconds of importing mlflow; any answer is one."""
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=FIRST_ANSWER).close()
    except urllib.error.HTTPError:
        pass
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # MLflow has its own settings for certificates
            raise ConnectionError(f"no answer ({error.reason})") from error


def peek(store: Store, experiment: str) -> dict[str, tuple[str, str]]:
    """What a SQLite store holds, key -> (digest, status), without the 3 s of importing mlflow; {} where that fails.

    It reads MLflow's tables, which are not its interface. So this only ever spares work: what it does not find so is
    looked up again through MLflow.
    """
    if store.file is None or not store.file.exists():
        return {}
    query = """
        SELECT key.value, digest.value, runs.status FROM experiments JOIN runs USING (experiment_id)
        JOIN tags AS key ON key.run_uuid = runs.run_uuid AND key.key = ?
        LEFT JOIN tags AS digest ON digest.run_uuid = runs.run_uuid AND digest.key = ?
        WHERE experiments.name = ? AND experiments.lifecycle_stage = 'active' AND runs.lifecycle_stage = 'active'
    """
    try:
        with closing(sqlite3.connect(f"{store.file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute(query, (KEY, DIGEST, experiment)).fetchall()
    except sqlite3.Error:
        return {}
    often = Counter(key for key, _, _ in rows)
    return {key: (digest or "", status) for key, digest, status in rows if often[key] == 1}
