"""Tracking: publish records to MLflow. The only home of mlflow, which is imported when there is something to publish.

MLflow is where people look; the runs folder is where results live. One process writes, the one the user started, from
what lies in the folder (see `ablation.tracking.publication`). A server that is down costs one warning, and the next
`ablation run` catches up; publishing again changes nothing. Only `MlflowClient` is used: MLflow's active run is global
state, and leaves a run FINISHED after `sys.exit(3)` and RUNNING after a kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

from filelock import FileLock

from ablation.core.errors import attempt, reason_of
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.runs import Held, Run, folder_of, runs_of
from ablation.tracking.publication import (
    DIGEST,
    FORMAT,
    KEY,
    KIND,
    MAX_DESCRIPTION,
    NOTE,
    REPORT,
    REPORT_DIGEST,
    REPORT_FILES,
    VERDICT,
    Publication,
    Report,
    counts_publication,
    dated,
    experiment_tags,
    run_publication,
)
from ablation.tracking.published import file_of, remember, remembered, state_of

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
"""MLflow's settings in the environment, unless the user has set them; it reads them at each of its calls."""

MAX_METRICS, MAX_RUNS = 1000, 50_000
"""Points that MLflow takes in one `log_batch`, and runs that it gives in one `search_runs`. No run comes near its other
limits, 100 params and 100 tags."""

FIRST_ANSWER = 3.0
"""Seconds that a server has to answer at all."""

_ITSELF = "experiment"
"""Among what is remembered of a store, the key of the experiment's own tags."""


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
        """Whether it is a server."""
        return self.uri.startswith(("http://", "https://"))

    def __str__(self) -> str:
        """The URI without a password."""
        return without_password(self.uri)


def without_password(text: str) -> str:
    """A text without the user and the password of each address in it."""
    return re.sub(r"//[^/@\s]*@", "//", text)


class Tracker:
    """Publishes the runs of one experiment. No method raises, whatever MLflow does or a publication holds: each problem
    is reported to `warn`, once.

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
        self.experiment, self.warn, self.store = experiment, cache(warn), Store.beside(runs.absolute().parent, uri)
        self.root = folder_of(experiment, runs)
        self.runs = runs_of(cells, self.root)
        self.cells: dict[str, tuple[Cell, ...]] = {}
        for cell in cells:
            self.cells[cell.spec.id] = (*self.cells.get(cell.spec.id, ()), cell)
        self.off = False
        self._connection: _Connection | None = None

    def publish(self, run: Run) -> None:
        """Publish this run, if it has ended and MLflow does not show it so already."""
        if publication := self._compute(run):
            self._send(lambda connection: connection.write(publication))

    def publish_report(self, *files: Path, description: str = "", verdicts: Mapping[str, str] | None = None) -> None:
        """Publish everything, and put a report on the experiment's own run.

        files: its artifacts; a folder goes in under its name. description: Markdown, of which `MAX_DESCRIPTION`
        characters are shown. verdicts: the id of each run that the report is of -> the verdict on its arm, a tag there.
        """
        self.publish_all(Report(files, description, verdicts or {}))

    def publish_all(self, report: Report | None = None, held: Mapping[str, Held] | None = None) -> None:
        """Publish every run that has ended, and the experiment's own run with its counts.

        report: what that run is to carry, too. Without one it keeps the report that it has, and the runs their
        verdicts; where the report lacks runs that have ended since, its description says so. held: what was read of the
        runs just now, by id. Where a local store is known to have all that, mlflow is not imported.
        """
        if report is None and self._connection is None and self._has_all(held):
            return
        given = {_ITSELF: _digest_of_tags(self.experiment)}
        for publication in self._publications(held):
            self._send(lambda connection, one=publication: connection.write(one))  # type: ignore[misc]
            given[publication.key] = publication.digest
        if self._connection is not None:  # nothing has started else
            self._send(lambda connection: connection.attach(report, self.cells))
        if self._connection is not None and not self.off:
            attempt("what MLflow has", partial(self._remember, self._connection, given), None, self.warn)

    def _remember(self, connection: _Connection, given: Mapping[str, str]) -> None:
        """Note what a local store was given; nothing where another process has published the same meanwhile."""
        state = state_of(self.store.uri)
        if state is not None and connection.is_alone():
            remember(self.root, state, given)

    def _has_all(self, held: Mapping[str, Held] | None) -> bool:
        """Whether the store is known to have every publication."""
        known = remembered(self.root, self.store.uri)
        if known is None or known.pop(_ITSELF, "") != _digest_of_tags(self.experiment):
            return False
        return all(known.pop(one.key, "") == one.digest for one in self._publications(held)) and not known

    def _publications(self, held: Mapping[str, Held] | None) -> Iterator[Publication]:
        """Of every run that has ended, then of the experiment; of none any more once MLflow does not take them."""
        for run in self.runs:
            if one := self._compute(run, held[run.spec.id] if held else None):
                yield one
        if not self.off:
            what = "what MLflow shall show of the experiment"
            counts = partial(counts_publication, self.experiment, self.runs, time.time(), held)
            if one := attempt(what, counts, None, self.warn):
                yield one

    def _compute(self, run: Run, held: Held | None = None) -> Publication | None:
        def compute() -> Publication | None:
            return run_publication(run, self.cells[run.spec.id], self.experiment, held)

        what = f"what MLflow shall show of run {run.spec.id}"
        return None if self.off else attempt(what, compute, None, self.warn)

    def _send(self, write: Callable[[_Connection], None]) -> None:
        if self.off:
            return
        try:
            self._connection = self._connection or _Connection(self.store, self.experiment, self.warn)
            write(self._connection)
        except Exception as error:  # whatever MLflow, its database or the network may raise: never at a result's cost
            self.off = True
            reason = without_password(str(error) or type(error).__name__).splitlines()[0]
            self.warn(
                f"MLflow at {self.store} does not take the runs: {reason}. "
                "Nothing is lost: the results are in the runs folder, and `ablation run` publishes them when it can."
            )


def _digest_of_tags(experiment: Experiment) -> str:
    return hashlib.sha256(json.dumps(experiment_tags(experiment), sort_keys=True).encode()).hexdigest()


class _Connection:
    """The open connection to MLflow, and what it holds of the experiment: key -> MLflow's run."""

    def __init__(self, store: Store, experiment: Experiment, warn: Callable[[str], None]):
        self.warn, self.experiment = warn, experiment
        self.client = connect(store)
        self.experiment_id = self._experiment_id(store)
        self.runs: dict[str, Any] = {}
        # whole ones first, and with a report before those without
        for run in sorted(
            self._held(), key=lambda run: (DIGEST not in run.data.tags, REPORT_DIGEST not in run.data.tags)
        ):
            key = run.data.tags.get(KEY)
            if key in self.runs:  # a request that was sent twice, or two processes at once: one too many
                self.client.delete_run(run.info.run_id)
            elif key is not None:
                self.runs[key] = run
        self._describe()

    def _held(self) -> list[Any]:
        """MLflow's runs of the experiment, as they are now."""
        return list(self.client.search_runs([self.experiment_id], max_results=MAX_RUNS))

    def is_alone(self) -> bool:
        """Whether every run of ours that MLflow has now is one of `runs`, as it was written or read here."""
        mine = {run.info.run_id: run.data.tags.get(DIGEST) for run in self.runs.values()}
        now = {run.info.run_id: run.data.tags.get(DIGEST) for run in self._held() if KEY in run.data.tags}
        return mine == now

    def _experiment_id(self, store: Store) -> str:
        name = self.experiment.name
        held = self.client.get_experiment_by_name(name)
        if held is None:
            # a SQLite store would put artifacts into the working directory if it were not given one
            location = None if store.remote else (store.artifacts / name).as_uri()
            return str(self.client.create_experiment(name, location, experiment_tags(self.experiment)))
        if held.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"its experiment {name!r} was deleted "
                f"(`mlflow experiments restore -x {held.experiment_id}` brings it back, `mlflow gc` ends it)"
            )
        return str(held.experiment_id)

    def _describe(self) -> None:
        """Set those tags of the experiment that differ; its description links to its own run once there is one."""
        own = self.runs.get(REPORT)
        page = f"#/experiments/{self.experiment_id}/runs/{own.info.run_id}?{KIND}" if own is not None else ""
        tags, held = experiment_tags(self.experiment, page), self.client.get_experiment(self.experiment_id).tags
        for key in (key for key in tags if held.get(key) != tags[key]):
            self.client.set_experiment_tag(self.experiment_id, key, tags[key])

    def write(self, publication: Publication) -> None:
        """Make MLflow's run what the publication says; digest and status go last, so what breaks off is done again."""
        old = self.runs.get(publication.key)
        if old is not None and publication.equals(old.data.tags.get(DIGEST, ""), old.info.status):
            return
        if old is not None and _contradicts(old, publication):
            self.client.delete_run(old.info.run_id)
            old = None
        run_id = old.info.run_id if old is not None else self._create(publication)
        self._log(run_id, publication, old)
        for path in publication.files:
            self.client.log_artifact(run_id, str(path))
        self.client.set_tag(run_id, DIGEST, publication.digest)
        self.client.set_terminated(run_id, publication.status, publication.end)
        self.runs[publication.key] = self.client.get_run(run_id)

    def attach(self, report: Report | None, grid: Collection[str]) -> None:
        """Put the report on the experiment's own run, unless it is there, and the verdicts on the others.

        grid: the ids of the runs that a report made now would be of, once they have ended.
        """
        self._describe()
        own = self.runs.get(REPORT)
        if own is None:  # what it shall show was not known, and that was reported
            return
        if report is not None and own.data.tags.get(REPORT_DIGEST) != report.digest:
            self._put(own, report)
        tags = self.runs[REPORT].data.tags
        if REPORT_DIGEST in tags:
            ended = [run.data.tags for key, run in self.runs.items() if key in grid and _has_record(run)]
            self._tag(REPORT, {NOTE: dated(tags.get(NOTE, ""), sum(VERDICT in one for one in ended), len(ended))})

    def _put(self, own: Any, report: Report) -> None:
        """Verdicts, artifacts, description; the digest last, so what breaks off is done again."""
        for key, run in list(self.runs.items()):
            if key in report.verdicts:
                self._tag(key, {VERDICT: report.verdicts[key]})
            elif VERDICT in run.data.tags:
                self.client.delete_tag(run.info.run_id, VERDICT)
                self.runs[key] = self.client.get_run(run.info.run_id)
        before = own.data.tags.get(REPORT_FILES, "").split("/")
        self._remove(own, set(filter(None, before)) - {path.name for path in report.files if path.is_file()})
        self._tag(REPORT, {REPORT_FILES: "/".join(path.name for path in report.files)})
        for path in report.files:
            if path.is_dir():
                self.client.log_artifacts(own.info.run_id, str(path), path.name)
            else:
                self.client.log_artifact(own.info.run_id, str(path))
        self._tag(REPORT, {NOTE: report.description[:MAX_DESCRIPTION]})
        self._tag(REPORT, {REPORT_DIGEST: report.digest})

    def _remove(self, own: Any, names: set[str]) -> None:
        """Remove artifacts of an earlier report. MlflowClient has no call for it, and not every store can."""
        try:
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            repository = get_artifact_repository(own.info.artifact_uri, tracking_uri=self.client.tracking_uri)
            for name in sorted(names):
                repository.delete_artifacts(name)
        except Exception as error:  # whatever a store raises that may not, or cannot
            reason = without_password(reason_of(error))
            self.warn(f"MLflow may still show files of an earlier report beside those of this one: {reason}")

    def _tag(self, key: str, tags: dict[str, str]) -> None:
        """Set those tags of a run that differ."""
        run = self.runs[key]
        changed = {name: value for name, value in tags.items() if run.data.tags.get(name) != value}
        for name, value in changed.items():
            self.client.set_tag(run.info.run_id, name, value)
        if changed:
            self.runs[key] = self.client.get_run(run.info.run_id)

    def _create(self, publication: Publication) -> str:
        tags = {KEY: publication.key, FORMAT: publication.tags[FORMAT]}
        tags |= {"mlflow.source.name": "ablation", "mlflow.source.type": "LOCAL"}
        run = self.client.create_run(self.experiment_id, publication.start, tags, publication.name)
        return str(run.info.run_id)

    def _log(self, run_id: str, publication: Publication, old: Any) -> None:
        """old: MLflow's run as it is, or None for a new one."""
        from mlflow.entities import Metric, Param, RunTag

        points, written = publication.points, dict(publication.tags)
        if publication.key == REPORT and old is not None:
            # its counts bear the time of publishing: only those that changed; a report has a description of its own
            points = tuple(point for point in points if old.data.metrics.get(point.key) != point.value)
            if REPORT_DIGEST in old.data.tags:
                del written[NOTE]
        metrics = [Metric(*point) for point in points]
        for start in range(0, len(metrics), MAX_METRICS):
            self.client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
        params = [Param(key, value) for key, value in publication.params.items()]
        tags = [RunTag(key, value) for key, value in written.items()]
        self.client.log_batch(run_id, params=params, tags=tags)


def _has_record(run: Any) -> bool:
    return run.data.tags.get("ablation.outcome") in ("finished", "diverged")


def _contradicts(old: Any, publication: Publication) -> bool:
    """Whether MLflow's run cannot become this one: params cannot be changed there, nor points taken back.

    So it is when a recipe was renamed, when a run was deleted and trained again, and with metrics by older names. The
    experiment's own run always can: a report on it would go with it.
    """
    if publication.key == REPORT:
        return False
    same_names = old.data.tags.get(FORMAT, "") == publication.tags[FORMAT]
    same_start = old.info.start_time == publication.start
    return not (same_names and same_start and old.data.params.items() <= publication.params.items())


def quiet_environment() -> None:
    """Give MLflow its settings, where the user has not."""
    for name, setting in SETTINGS.items():
        os.environ.setdefault(name, setting)


def connect(store: Store) -> Any:
    """An MlflowClient. Raises OSError, within seconds, if a server does not answer."""
    if store.remote:
        await_answer(store.uri)
    quiet_environment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated calls inside MLflow: nothing that our users could mend
        from mlflow import MlflowClient

        with _alone_at(store):
            return MlflowClient(store.uri)


def _alone_at(store: Store) -> AbstractContextManager[Any]:
    """A lock for a SQLite file: two processes that make its tables at the same time leave one that nobody can use.

    MLflow's own lock lets the second one begin anew when the first is done. As that one, it leaves nothing beside the
    runs; it is for the processes of one user.
    """
    file = file_of(store.uri)
    if file is None:
        return nullcontext()
    name = hashlib.sha256(f"{Path.home()} {file}".encode()).hexdigest()[:16]
    return FileLock(f"{tempfile.gettempdir()}/ablation-{name}.lock")


def await_answer(uri: str, *handlers: urllib.request.BaseHandler) -> None:
    """Ask a server for a sign of life, as importing mlflow takes seconds more; any answer is one.

    handlers: instead of the usual ones. Raises ConnectionError where nothing answers.
    """
    try:
        opener = urllib.request.build_opener(*handlers)
        # urllib takes a password for a part of the host's name
        opener.open(f"{without_password(uri).rstrip('/')}/health", timeout=FIRST_ANSWER).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # MLflow has its own settings for certificates
            raise ConnectionError(f"no answer ({reason})") from error
