"""Tracking: publish records to MLflow. The only home of mlflow, which is imported when there is something to publish.

MLflow is where people look; the runs folder is where results live. One process writes, the one the user started, from
what lies in the folder (see `ablation.tracking.publication`), also while runs are trained. A server that is down costs
one warning, and the next `ablation run` or `ablation sync` catches up; publishing again changes nothing. Only
`MlflowClient` is used: MLflow's active run is global state, and leaves a run FINISHED after `sys.exit(3)` and RUNNING
after a kill.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from ablation.core.errors import attempt
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.runs import Held, Run, folder_of, runs_of
from ablation.tracking.connection import Connection
from ablation.tracking.publication import (
    DIGEST,
    REPORT,
    Begun,
    Publication,
    Report,
    counts_publication,
    run_publication,
)
from ablation.tracking.published import file_of, published_before, remember, remembered, state_of
from ablation.tracking.store import Store, StoreBroken, alone_at, connect, make_whole, without_password
from ablation.tracking.view import experiment_tags

_ITSELF = "experiment"
"""Among what is remembered of a store, the key of the experiment's own tags."""

T = TypeVar("T")

_REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS")
"""What MLflow answers where it does not take one publication, and may well take the next."""

_REFUSALS = 3
"""So many publications that are not taken, and no other is tried."""


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
        self.chosen = frozenset(self.cells)
        """The ids of the runs that are published; the experiment's own run counts all."""
        self.off = False
        """Whether MLflow did not take something since `again`."""
        self.repaired: list[str] = []
        """Of each run that `sync` repaired, its name and a value that was changed there."""
        self.left = 0
        """Publications that MLflow lacks yet, of the last `publish_all` that reached it."""
        self._away = self._warned = False
        self._refusals = 0
        self._connection: Connection | None = None

    def publish(self, run: Run) -> None:
        """Publish this run, if it has ended and MLflow does not show it so already."""
        if publication := self._compute(run):
            self._send(lambda connection: connection.write(publication))

    def follow(self, run: Run) -> None:
        """Show the epochs so far of a run that is being trained; nothing of one that is not, or not any more."""

        def write(connection: Connection) -> None:  # read when the store is ours: nobody has published its end since
            if run.status() == "running" and (publication := self._compute(run, begun="running")):
                connection.follow(publication)

        self._send(write)

    def leave(self, runs: Iterable[Run]) -> None:
        """Show these runs as interrupted where they have not ended: nobody trains them any more."""
        for run in runs:
            if publication := self._compute(run, begun="interrupted"):
                self._send(lambda connection, one=publication: connection.write(one))  # type: ignore[misc]

    def abandon(self, runs: Iterable[Run]) -> None:
        """Show these runs as killed, in two short requests each; the next `publish_all` writes the rest of `leave`."""
        for run in runs:
            self._send(lambda connection, key=run.spec.id: connection.kill(key))  # type: ignore[misc]

    def again(self) -> None:
        """Try MLflow anew, by a new connection, after it did not take something."""
        self.off = self._away = False
        self._refusals = 0
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

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
        self._publish(report, held)

    def sync(self, progress: Callable[[int, int], None] = lambda done, total: None) -> Counter[str]:
        """As `publish_all`, and what MLflow shows is compared with the runs: what somebody changed there is repaired.

        progress: is called with (done, all). Returns how many runs were "published", "repaired", or are "as it was",
        as far as MLflow took them (`off`).
        """
        return self._publish(None, None, True, progress)

    def would_sync(self) -> Counter[str]:
        """How many runs `sync` would publish ("new"), or compare with what was published ("known").

        By what a local store was given: MLflow is not asked, and nothing is written. Where that is not known, they are
        "either".
        """
        known = published_before(self.root, self.store.uri)
        publications = [one for one in self._publications(None) if one.key != REPORT]
        if known is None:
            return Counter({self._without_note(): len(publications)})
        return Counter("known" if known.get(one.key) == one.digest else "new" for one in publications)

    def _without_note(self) -> str:
        """What runs are to a store of which nothing was noted: "new" where a local one is not there at all."""
        file = file_of(self.store.uri)
        return "new" if file is not None and not file.exists() else "either"

    def _publish(
        self,
        report: Report | None,
        held: Mapping[str, Held] | None,
        thorough: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Counter[str]:
        given, counts = {_ITSELF: _digest_of_tags(self.experiment)}, Counter[str]()
        publications = list(self._publications(held))
        if publications:
            self._send(lambda connection: None)  # so that it is known what MLflow lacks
        due = [one for one in publications if thorough or not self._shows(one)]
        given |= {one.key: one.digest for one in publications}
        counts["as it was"] += sum(one.key != REPORT for one in publications) - sum(one.key != REPORT for one in due)
        self.left = len(due) if self._connection is not None else 0
        self.leave(run for run in self.runs if self._is_left(run))
        changed = self.repaired.append if thorough else None
        for number, publication in enumerate(due):
            written = self._send(lambda connection, one=publication: connection.write(one, changed))  # type: ignore[misc]
            counts[written or "not taken"] += publication.key != REPORT
            self.left -= written is not None
            progress(number + 1, len(due))
        if publications:  # nothing has started else
            self._send(lambda connection: connection.attach(report, self.cells))
        if self._connection is not None and not self.off:
            attempt("what MLflow has", partial(self._remember, self._connection, given), None, self.warn)
        return counts

    def _is_left(self, run: Run) -> bool:
        """Whether MLflow shows the run as being trained, and it is not: a kill, or a machine that is gone."""
        shown = self._connection.runs.get(run.spec.id) if self._connection is not None else None
        if shown is None or shown.info.status not in ("RUNNING", "KILLED"):
            return False
        whole = shown.info.status == "KILLED" and DIGEST in shown.data.tags
        return not whole and run.status() == "interrupted"

    def _shows(self, publication: Publication) -> bool:
        return self._connection is not None and self._connection.shows(publication)

    def _remember(self, connection: Connection, given: Mapping[str, str]) -> None:
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
        for run in (one for one in self.runs if one.spec.id in self.chosen):
            if one := self._compute(run, held[run.spec.id] if held else None):
                yield one
        if not self._away:
            what = "what MLflow shall show of the experiment"
            counts = partial(counts_publication, self.experiment, self.runs, time.time(), held)
            if one := attempt(what, counts, None, self.warn):
                yield one

    def _compute(self, run: Run, held: Held | None = None, begun: Begun | None = None) -> Publication | None:
        def compute() -> Publication | None:
            return run_publication(run, self.cells[run.spec.id], self.experiment, held, begun)

        what = f"what MLflow shall show of run {run.spec.id}"
        return None if self._away else attempt(what, compute, None, self.warn)

    def _send(self, write: Callable[[Connection], T]) -> T | None:
        """What `write` returns, alone at the store; None where MLflow does not take it, or did not before."""
        if self._away:
            return None
        try:
            with alone_at(f"{self.root.absolute()} in {self.store.uri}"):
                return write(self._connected())
        except Exception as error:  # whatever MLflow, its database or the network may raise: never at a result's cost
            self.off = True
            self._refusals += 1
            self._away = getattr(error, "error_code", "") not in _REFUSED or self._refusals >= _REFUSALS
            self._close()
            self._report(error)
            return None

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.is_current():
            self._close()
        if self._connection is None:
            make_whole(self.store, self.warn)
            client = connect(self.store)
            try:
                self._connection = Connection(client, self.store, self.experiment, self.warn)
            except Exception:
                self._refusals = _REFUSALS  # of the experiment itself
                raise
        return self._connection

    def _report(self, error: Exception) -> None:
        """Warn of the first problem; whatever follows until MLflow takes everything is of the same kind."""
        if self._warned:
            return
        self._warned = True
        reason = without_password(str(error) or type(error).__name__).splitlines()[0]
        lost = "Nothing is lost: the results are in the runs folder, and `ablation sync` publishes them when it can."
        file = file_of(self.store.uri)
        if file is not None and "malformed" in reason:
            lost += f" If the file is damaged, move it away first: {file}"
        self.warn(
            reason
            if isinstance(error, StoreBroken)
            else f"MLflow at {self.store} does not take the runs: {reason}. {lost}"
        )


def _digest_of_tags(experiment: Experiment) -> str:
    return hashlib.sha256(json.dumps(experiment_tags(experiment), sort_keys=True).encode()).hexdigest()
