"""Results: one tidy table, a row a cell of the grid, beside the predictions. pandas; no torch.

Between what happened (the records on disk) and what it means (`ablation.evidence`). A cell whose run is missing, failed
or diverged is a row too, with its status and without metrics; so is one whose files are not as they were sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation.core.errors import AblationError, InputError, Problem
from ablation.core.kept import Kept
from ablation.data import listing, load
from ablation.data.readers import Progress
from ablation.data.split import Splittable
from ablation.experiment.classes import wrong_metric
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.files import as_experiment
from ablation.experiment.record import (
    Arrays,
    Attention,
    Corrupted,
    Part,
    Predictions,
    RunRecord,
    idle_operations,
    read_arrays,
    read_attention,
    read_corrupted,
    read_features,
    read_part,
    read_predictions,
)
from ablation.experiment.runs import Held, Run, folder_of, held_of, runs_of
from ablation.experiment.seal import Sealed
from ablation.experiment.spec import RunSpec
from ablation.experiment.stored_metrics import stored_metrics
from ablation.experiment.tidy import tidy_predictions, tidy_runs

KEPT_BYTES = 256_000_000
"""Of predictions: those of 2,000 runs for 1,000 test images of 20 classes each."""

NO_SCORE = "without a finite score"
"""The status of a run that finished, where the experiment's metric is not a number: it is in no mean and no test."""


@dataclass(frozen=True, eq=False)
class Results:
    """The runs of an experiment, finished or not: `table` is a tidy frame of them, `predictions` of what they answer.

    It shows itself in five lines, and as a table in a notebook. `frame` holds all that is known of each cell of the
    grid, and is what tests and reports are made from: do not change it.

    >>> results = Results.load(experiment)
    >>> results.table()[["recipe", "seed", "accuracy"]].shape
    (6, 3)
    """

    experiment: Experiment
    cells: tuple[Cell, ...]
    classes: tuple[str, ...]
    root: Path
    frame: pd.DataFrame
    left_out: int = 0
    """Files of the data that cannot be used, and were left out by `SkipBad`."""
    images: int = 0
    """Of the data, all parts together."""
    groups: NDArray[np.int64] | None = None
    """(images,) the number of each image's group: near-duplicates, and what the data says belongs together."""
    records: Mapping[str, RunRecord] = field(default_factory=dict)
    """Every record that there is, by run id."""
    cache: Path = Path("cache")
    """The folder of the image cache, for what shows photographs."""
    held: Mapping[str, Held] = field(default_factory=dict, repr=False)
    """What each run's folder held when it was read, by run id; all that is read of it later is held to that."""
    class_counts: tuple[int, ...] = ()
    """Images of each class, all parts together."""
    folder: str = ""
    """What people are told of where the runs are: `root`, but of a pack the folder that it was made from."""

    kept_predictions: Kept = field(default_factory=lambda: Kept(KEPT_BYTES), repr=False)
    """Those that were read, which several sections of a report look at."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder or self.root.as_posix())
        if self.experiment.metric in self.frame:
            scores = np.asarray(self.frame[self.experiment.metric], float)
            lost = (self.frame["status"] == "finished") & ~np.isfinite(scores)
            if lost.any():
                frame = self.frame.assign(status=self.frame["status"].mask(lost, NO_SCORE))
                object.__setattr__(self, "frame", frame)

    @classmethod
    def load(
        cls,
        experiment: Experiment | str | Path,
        runs: Path | str = "runs",
        cache: Path | str = "cache",
        progress: Progress | None = None,
    ) -> Results:
        """Read the records of every cell of the experiment from the folders `runs` and `cache`.

        experiment: itself, or its name or file as commands take them ("quickstart", "experiments/quickstart.py").
        progress: notified of files that have to be read first, see `ablation.data.listing`. Raises InputError
        where there is none of that name.
        """
        experiment = as_experiment(experiment)
        data = listing(experiment.data, Path(cache), progress)
        cells, root = experiment.cells(data.digest), folder_of(experiment, Path(runs))
        return cls.read(experiment, cells, data, root, len(data.left_out), Path(cache))

    @classmethod
    def read(
        cls,
        experiment: Experiment,
        cells: tuple[Cell, ...],
        data: Splittable,
        root: Path,
        left_out: int = 0,
        cache: Path = Path("cache"),
        held: Mapping[str, Held] | None = None,
    ) -> Results:
        """Read the records of these cells from their folder `root`, and hold each to its seal.

        held: what was read of them just now, by run id.
        """
        if wrong := [*wrong_metric(experiment, data.classes)]:
            raise InputError(map(Problem, wrong))
        runs = runs_of(cells, root)
        held = held_of(runs) if held is None else held
        rows = {run.spec.id: _row(run, held[run.spec.id], experiment.metric) for run in runs}
        table = pd.DataFrame(
            [{**cell.factors, "seed": cell.seed, "id": cell.spec.id, **rows[cell.spec.id]} for cell in cells]
        )
        known = {run.spec.id: record for run in runs if (record := held[run.spec.id].record) is not None}
        images, counts = len(data.labels), np.bincount(data.labels, minlength=len(data.classes))
        read = cls(experiment, cells, data.classes, root, table, left_out, images, data.near, known, cache, held)
        return replace(read, class_counts=tuple(counts.tolist()))

    def __repr__(self) -> str:
        """Five lines: how many runs have finished, the grid, the metric, where the runs are, and what is missing."""
        import ablation  # the public names: results know nothing of how they are shown

        return ablation.text_of(self)

    def _repr_html_(self) -> str:
        import ablation

        return ablation.html_of(self)

    def table(self) -> pd.DataFrame:
        """A row a cell of the grid, in its order, whatever became of its run; a copy, yours to change.

        a column a factor (categories)
            recipe, optimizer, then what else varies, by the names in the experiment's file.
        seed (int), id (str)
            Of the run. Two names for the same recipe have one run, and so a row each with one id.
        status (category), reason (str)
            finished, diverged, failed, running, planned, altered, or finished without a finite score; and why.
        a column a metric (float)
            On the test part, in its own unit: accuracy in [0, 1], log_loss in nats; that of the experiment first. nan
            where the run has not finished, or is of a version that did not measure it.
        train_images, test_images (int)
            Of its parts; missing where it has not finished.
        seconds, images_per_second, gpu_memory_mib, evaluation_seconds (float)
            What training took, in seconds and in MiB at its peak (nan on a CPU), and what testing took after it.
        device (category)
            What it was trained on.

        >>> results.table().groupby("recipe", observed=True)["accuracy"].count().to_dict()
        {'none': 3, 'crop': 3}
        """
        return tidy_runs(self.frame, self.experiment)

    def predictions(self) -> pd.DataFrame:
        """A row a test image of each finished run, in the order of `table`.

        a column a factor, seed (int), id (category)
            Of the run, as in `table`.
        image (int32), file (category)
            The row of the image in the data set, and its file, relative to the data; missing where the data cannot be
            listed any more.
        label, predicted (categories)
            Its class, and what the network takes it for.
        probability (float32)
            Of the true class, by softmax.
        correct (bool)
            Is `predicted` the `label`?

        It takes about 26 bytes a row, and twice that while it is made: 80 runs with 800 test images are 64,000 rows and
        1.6 MB, 1,000 runs with 10,000 are 10 million rows and 0.3 GB. For one run see `test_predictions`.

        >>> results.predictions().groupby("recipe", observed=True)["correct"].mean().round(1).index.tolist()
        ['none', 'crop']
        """
        return tidy_predictions(self.finished, self.experiment, self.classes, self.names, self.test_predictions)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The file of each image of the data, relative to it; () where it cannot be listed any more, or has changed."""
        try:
            data = listing(self.experiment.data, self.cache)
        except (AblationError, OSError):
            return ()
        return data.names if all(cell.spec.data == data.digest for cell in self.cells) else ()

    @property
    def factors(self) -> list[str]:
        return list(self.experiment.factors)

    @property
    def finished(self) -> pd.DataFrame:
        """The rows with test metrics."""
        return self.frame[self.frame["status"] == "finished"]

    def run(self, run_id: str) -> Run:
        return Run(self.root, self._specs[run_id])

    @cached_property
    def _specs(self) -> dict[str, RunSpec]:
        return {cell.spec.id: cell.spec for cell in self.cells}

    def seal(self, run_id: str) -> dict[str, str] | None:
        """The digests of a finished run's files, as it was sealed; None for a run of an older version."""
        if run_id not in self.held:
            return self.run(run_id).seal()
        seal = self.held[run_id].seal
        return None if seal is None else dict(seal)

    def _sealed(self, run_id: str) -> Sealed | None:
        """How the arrays of the run were when they were held to their seal."""
        return self.held[run_id].arrays if run_id in self.held else None

    def arrays(self, run_id: str) -> Arrays:
        """The predictions, features and first pictures of a finished run."""
        return read_arrays(self.root / run_id, self._sealed(run_id))

    def test_predictions(self, run_id: str) -> Predictions:
        """What the network of a finished run answers for its test images; they are read-only, as those of `part`."""
        return self.kept_predictions.get(
            (self.root, run_id, "test"), lambda: read_predictions(self.root / run_id, self._sealed(run_id))
        )

    def part(self, run_id: str, part: Part) -> Predictions | None:
        """The same for its training, validation or test part; None where the record of an older version lacks it."""
        if part == "test":
            return self.test_predictions(run_id)
        return self.kept_predictions.get(
            (self.root, run_id, part), lambda: read_part(self.root / run_id, part, self._sealed(run_id))
        )

    def corrupted(self, run_id: str) -> Corrupted | None:
        """What it answers for test images under test conditions; None where it was not tested under any."""
        return read_corrupted(self.root / run_id, self.records.get(run_id), self._sealed(run_id))

    def attention(self, run_id: str) -> Attention | None:
        """Where it looks; None where that was not kept."""
        return read_attention(self.root / run_id, self._sealed(run_id))

    def features(self, run_id: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Of a finished run: (T,) rows of its test images, (T,) their classes, (T, F) what goes into the last layer."""
        return read_features(self.root / run_id, self._sealed(run_id))

    def photographs(self, rows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
        """(K, side, side, 3): these rows of the data set as test images are shown, the centre crop.

        Raises DataError where the image cache is not there any more.
        """
        spec = max((cell.spec for cell in self.cells), key=lambda spec: spec.cache_size)
        return load(self.cache, spec.data, spec.cache_size).center_crops(rows, side)

    def changes(self) -> pd.DataFrame:
        """What each operation did to the pictures of the first epoch: a row an operation of each recipe, in order.

        Columns: recipe, operation, share_changed (of the images) and mean_change (of a pixel, in [0, 1]), both as means
        over the runs that have a record, and idle: whether in some run no picture was changed.
        """
        rows: list[dict[str, Any]] = []
        for cell in self.cells:
            record = self.records.get(cell.spec.id)
            if record is None:
                continue
            idle = idle_operations(record)
            for index, change in enumerate(record.evidence.get("changes", ())):
                nothing = change["operation"] in idle and not change["share_changed"]
                rows.append({"recipe": cell.factors["recipe"], "index": index, **change, "idle": nothing})
        columns = ["recipe", "index", "operation", "share_changed", "mean_change", "idle"]
        grouped = pd.DataFrame(rows, columns=columns).groupby(columns[:3], sort=False)
        return grouped.agg({"share_changed": "mean", "mean_change": "mean", "idle": "max"}).reset_index()

    def history(self) -> pd.DataFrame:
        """A row an epoch of each run that has a record, with the run's factors and seed beside the epoch's figures."""
        rows: list[dict[str, Any]] = []
        for cell in self.cells:
            record = self.records.get(cell.spec.id)
            rows += [{**cell.factors, "seed": cell.seed, **epoch} for epoch in (record.history if record else ())]
        return pd.DataFrame(rows)


def _row(run: Run, held: Held, metric: str) -> dict[str, Any]:
    """Status, metrics, evidence that recipes are compared by, and cost of one run."""
    record = held.record
    if held.altered:
        return {"status": "altered", "reason": held.altered}
    if record is None:
        status = run.status()
        just_ended = status in ("finished", "diverged")  # since its record was looked for
        return {"status": "running" if just_ended else status, "reason": run.failure()}
    names = ("first_test_batch", "train_images", "test_images", "diverged_step")
    shared = {name: record.evidence.get(name) for name in names}
    shared["split_digest"] = record.evidence.get("split")  # "split" may be a factor of the grid
    where = {name: record.environment.get(name) for name in ("device", "precision", "torch", "torchvision", "numpy")}
    idle = ", ".join(idle_operations(record))
    own = {
        "status": record.outcome,
        "reason": "",
        "idle": idle,
        "notes": "; ".join(record.notes),
    }
    return {**own, **stored_metrics(run, record, held.arrays, metric), **shared, **where, **record.cost}
