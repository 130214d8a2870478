"""The open connection to MLflow: what it holds of one experiment, and how a publication is written there.

Whatever MLflow raises passes; nothing here knows what to do about it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ablation.core.errors import attempt, reason_of
from ablation.experiment.experiment import Experiment
from ablation.tracking.picture import strip
from ablation.tracking.publication import (
    DIGEST,
    FORMAT,
    KEY,
    KIND,
    MAX_DESCRIPTION,
    NOTE,
    PREVIEW,
    REPORT,
    REPORT_DIGEST,
    REPORT_FILES,
    VERDICT,
    Point,
    Publication,
    Report,
    dated,
    described,
)
from ablation.tracking.published import file_of, number_of
from ablation.tracking.store import Store, without_password
from ablation.tracking.view import experiment_tags

MAX_METRICS, MAX_RUNS = 1000, 50_000
"""Points that MLflow takes in one `log_batch`, and runs that it gives in one `search_runs`. No run comes near its other
limits, 100 params and 100 tags."""

_SHOWN = 40
"""Characters of a value that somebody changed, at most, where it is reported."""

Written = Literal["published", "repaired", "as it was"]
"""What became of a publication: it was new or newer, what MLflow had by its digest was another, or nothing was due."""


def _hold(holder: object, file: Path) -> None:
    """Keep the system from giving the file's number to another one as long as the holder lives (on Linux).

    By a descriptor that opens nothing: to close an open one would take SQLite's locks away.
    """
    if opens_nothing := getattr(os, "O_PATH", 0):
        weakref.finalize(holder, os.close, os.open(file, opens_nothing | os.O_CLOEXEC))


class Connection:
    """What MLflow holds of the experiment, in `runs`: key -> MLflow's run.

    client: an MlflowClient. warn: is given a line on what may stay behind in MLflow.
    """

    def __init__(self, client: Any, store: Store, experiment: Experiment, warn: Callable[[str], None]):
        self.client, self.experiment, self.warn = client, experiment, warn
        self._file = file_of(store.uri)
        self._number = number_of(self._file)
        if self._file is not None:
            _hold(self, self._file)
        self.experiment_id = self._experiment_id(store)
        self.runs: dict[str, Any] = {}
        self._sent: dict[str, set[Point]] = {}
        """The points that MLflow has of a run, where that is known."""
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

    def is_current(self) -> bool:
        """Whether the file of a local store is still the one that was opened: it may be removed, or replaced."""
        return self._number == number_of(self._file)

    def close(self) -> None:
        """Close the database: MLflow keeps it open, and would go on writing to a file that has gone."""
        store = getattr(getattr(self.client, "_tracking_client", None), "store", None)
        if engine := getattr(store, "engine", None):
            engine.dispose()

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

    def shows(self, publication: Publication) -> bool:
        """Whether MLflow had this publication by its digest and status, when that was last read."""
        old = self.runs.get(publication.key)
        return old is not None and publication.equals(old.data.tags.get(DIGEST, ""), old.info.status)

    def write(self, publication: Publication, changed: Callable[[str], None] | None = None) -> Written:
        """Make MLflow's run what the publication says; digest and status go last, so what breaks off is done again.

        changed: with it, what MLflow shows is compared as well, as somebody may have changed it there; it is given a
        line on that.
        """
        if publication.key not in self.runs:
            self._look_up(publication.key)
        old = self.runs.get(publication.key)
        wrong = self._wrong(publication, old) if changed is not None and self.shows(publication) else ""
        if changed is not None and wrong:
            changed(f"{publication.name}: {_difference(publication, old)}")
        if self.shows(publication) and not wrong:
            return "as it was"
        run_id = self._log(publication, wrong)
        for path in publication.files:
            self.client.log_artifact(run_id, str(path))
        if publication.pictures is not None:
            attempt("its preview", partial(self._log_picture, run_id, publication.pictures), None, self.warn)
        self.client.set_tag(run_id, DIGEST, publication.digest)
        self.client.set_terminated(run_id, publication.status, publication.end)
        self.runs[publication.key] = self.client.get_run(run_id)
        self._sent.pop(publication.key, None)
        return "repaired" if wrong else "published"

    def follow(self, publication: Publication) -> None:
        """Show a run in training as it is so far. Without a digest: it is written as a whole when it has ended."""
        if publication.key not in self.runs:
            self._look_up(publication.key)
        run_id = self._log(publication)
        shown = self.client.get_run(run_id)
        if DIGEST in shown.data.tags or shown.info.status != publication.status:  # it was interrupted, or had failed
            if DIGEST in shown.data.tags:
                self.client.delete_tag(run_id, DIGEST)
            self.client.update_run(run_id, publication.status)
            shown = self.client.get_run(run_id)
        self.runs[publication.key] = shown

    def kill(self, key: str) -> None:
        """Show a run as killed that is shown as running."""
        shown = self.runs.get(key)
        if shown is not None and shown.info.status == "RUNNING":
            self.client.set_terminated(shown.info.run_id, "KILLED")
            self.client.set_tag(shown.info.run_id, "ablation.outcome", "interrupted")

    def _log_picture(self, run_id: str, pictures: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / PREVIEW
            file.write_bytes(strip(pictures))
            self.client.log_artifact(run_id, str(file))

    def _look_up(self, key: str) -> None:
        """Another process may have published it since this one has read what there is."""
        for run in self.client.search_runs([self.experiment_id], f"tags.`{KEY}` = '{key}'", max_results=1):
            self.runs[key] = run

    def _wrong(self, publication: Publication, run: Any) -> Literal["", "values", "points"]:
        """What of MLflow's run is not as published: values, which can be set, or points, which cannot be taken back."""
        own = publication.key == REPORT
        if not own and self._points(publication, run) != _by_key(publication.points):
            return "points"
        # the counts of the experiment's own run bear the time of publishing, and its description is the report's
        latest = {point.key: point.value for point in publication.points} if own else {}
        tags = _tags(publication, run.info.run_id)
        written = {name: text for name, text in tags.items() if not (own and name == NOTE)}
        same = latest.items() <= run.data.metrics.items() and written.items() <= run.data.tags.items()
        same = same and publication.params.items() <= run.data.params.items()
        times = (publication.start if not own else run.info.start_time, publication.end)
        return "" if same and times == (run.info.start_time, run.info.end_time) else "values"

    def _points(self, publication: Publication, run: Any) -> dict[str, set[Point]]:
        """All points that MLflow holds of the published metrics. Where the newest differ, the others are not asked."""
        latest = {
            key: max(points, key=lambda point: point.step).value for key, points in _by_key(publication.points).items()
        }
        if not latest.items() <= run.data.metrics.items():
            return {}
        history = {key: self.client.get_metric_history(run.info.run_id, key) for key in latest}
        return {
            key: {Point(key, one.value, one.timestamp, one.step) for one in points} for key, points in history.items()
        }

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
                _remove_here(own.info.artifact_uri, name)
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

    def _create(self, publication: Publication, tags: dict[str, str]) -> str:
        """tags: that it has beside its own."""
        tags = {**tags, KEY: publication.key, FORMAT: publication.tags[FORMAT]}
        tags |= {"mlflow.source.name": "ablation", "mlflow.source.type": "LOCAL"}
        run = self.client.create_run(self.experiment_id, publication.start, tags, publication.name)
        return str(run.info.run_id)

    def _log(self, publication: Publication, wrong: Literal["", "values", "points"] = "") -> str:
        """Write what is to be shown but files, digest and status, and return the id of MLflow's run.

        What cannot become this is replaced. wrong: what of it somebody has changed there.
        """
        from mlflow.entities import Metric, Param, RunTag

        old, tags_of_others = self.runs.get(publication.key), {}
        if old is not None and (wrong == "points" or _contradicts(old, publication) or self._has_others(publication)):
            self.client.delete_run(old.info.run_id)
            tags_of_others = _of_others(old) if wrong else {}
            self._sent.pop(publication.key, None)
            old = None
        run_id = str(old.info.run_id) if old is not None else self._create(publication, tags_of_others)
        sent = self._sent.setdefault(publication.key, set())
        points, written = tuple(point for point in publication.points if point not in sent), _tags(publication, run_id)
        if publication.key == REPORT and old is not None:
            # its counts bear the time of publishing: only those that changed; a report has a description of its own
            points = tuple(
                point._replace(time=self._later(run_id, point))
                for point in points
                if old.data.metrics.get(point.key) != point.value
            )
            if REPORT_DIGEST in old.data.tags:
                del written[NOTE]
        metrics = [Metric(*point) for point in points]
        for start in range(0, len(metrics), MAX_METRICS):
            self.client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
        sent.update(points)
        there = old.data.params if old is not None else {}
        params = [Param(key, value) for key, value in publication.params.items() if key not in there]
        tags = [RunTag(key, value) for key, value in written.items()]
        self.client.log_batch(run_id, params=params, tags=tags)
        return run_id

    def _has_others(self, publication: Publication) -> bool:
        """Whether MLflow has points of a run that has not ended there which are not its own: it was started anew.

        Those that it has are not sent again.
        """
        key = publication.key
        old = self.runs[key]
        if key == REPORT or old.info.status == "FINISHED":
            return False
        if key not in self._sent:
            known = [name for name in old.data.metrics if name in {point.key for point in publication.points}]
            history = [(name, self.client.get_metric_history(old.info.run_id, name)) for name in known]
            self._sent[key] = {
                Point(name, one.value, one.timestamp, one.step) for name, points in history for one in points
            }
        return not self._sent[key] <= set(publication.points)

    def _later(self, run_id: str, point: Point) -> int:
        """The time of the point, or the next after those of the points before: a clock may have been set back."""
        times = [int(one.timestamp) for one in self.client.get_metric_history(run_id, point.key)]
        return max(point.time, *(time + 1 for time in times)) if times else point.time


def _tags(publication: Publication, run_id: str) -> dict[str, str]:
    """The tags of MLflow's run of this id."""
    tags = dict(publication.tags)
    return {**tags, NOTE: described(tags[NOTE], run_id)} if NOTE in tags else tags


def _by_key(points: Collection[Point]) -> dict[str, set[Point]]:
    sets: dict[str, set[Point]] = defaultdict(set)
    for point in points:
        sets[point.key].add(point)
    return dict(sets)


def _difference(publication: Publication, run: Any) -> str:
    """The first value that MLflow shows otherwise than it was written, as 'test/accuracy 0.99, was written as 0.93'."""
    latest = {point.key: point.value for point in sorted(publication.points, key=lambda point: point.step)}
    note = _tags(publication, run.info.run_id).get(NOTE)
    tags = {name: text for name, text in publication.tags.items() if name != NOTE}
    for shown, written in (
        (run.data.metrics, latest),
        (run.data.params, publication.params),
        (run.data.tags, tags),
    ):
        for name, value in written.items():
            if name not in shown:
                return f"{name} was removed, was written as {_short(value)}"
            if shown[name] != value:
                return f"{name} {_short(shown[name])}, was written as {_short(value)}"
    if note != run.data.tags.get(NOTE):
        return "its description"
    times = (publication.start, publication.end) != (run.info.start_time, run.info.end_time)
    return "when it started or ended" if times else "an earlier point of a metric"


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _of_others(run: Any) -> dict[str, str]:
    """The tags of a run that no publication writes: of the report's verdict, and of people."""
    ours = {DIGEST, NOTE}
    return {
        name: text
        for name, text in run.data.tags.items()
        if name not in ours and not name.startswith(("mlflow.", "environment."))
    }


def _remove_here(artifacts: str, name: str) -> None:
    """Remove a file or a folder where the artifacts lie on this machine: MLflow misses those below a '%20' or '%3F'."""
    if not artifacts.startswith("file:"):
        return
    path = Path(url2pathname(urlsplit(artifacts).path)) / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
