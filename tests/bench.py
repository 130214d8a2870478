"""Made-up runs of a small experiment, in real folders beside a real store: for the tests of what MLflow is told."""

from pathlib import Path
from typing import Any

import numpy as np

from ablation import Adam, Brightness, Cosine, Digits, Experiment, RandomResizedCrop
from ablation.experiment.record import Arrays, RunRecord, write_record
from ablation.experiment.runs import Run, folder_of, runs_of
from ablation.tracking.client import Tracker
from ablation.tracking.store import Store, connect

DATA = "0123456789abcdef"
CROP = RandomResizedCrop(scale=(0.35, 1.0))
BORN = 1_790_000_000.25


def question(name: str, **changes: Any) -> Experiment:
    """Two recipes x one optimizer x two seeds, two epochs."""
    fields = {
        "recipes": {"none": (), "crop": (CROP, Brightness(0.4))},
        "optimizers": {"adam": Adam(lr=0.002)},
        "seeds": 2,
        "epochs": 2,
        "baseline": "none",
        "schedule": Cosine(warmup=1),
    }
    return Experiment(name=name, data=Digits(), **(fields | changes))


def train(run: Run, outcome: str = "finished", born: float = BORN) -> None:
    """What a worker leaves behind. A second epoch after a failure goes on with the same journal."""
    run.prepare()
    journal = run.journal
    ticks = iter(range(1000))
    begun = len(journal.events())
    journal.clock = lambda: born + begun + next(ticks)
    journal.append("started", device="cpu")
    epochs = [
        {"epoch": epoch, "lr": 0.002 / epoch, "train_loss": 2.0 / epoch, "val_loss": None, "val_accuracy": 0.3 * epoch}
        for epoch in range(1, run.spec.epochs + 1)
    ]
    if begun:
        epochs = epochs[1:]
    for epoch in epochs if outcome == "finished" else epochs[:1]:
        journal.append("epoch", **epoch, seconds=1.5, images_per_second=float("inf"))
    if outcome == "failed":
        journal.append("failed", reason="RuntimeError: out of memory")
        return
    metrics = {"accuracy": 0.75 + run.spec.seed / 100, "macro_f1": 0.5} if outcome == "finished" else {}
    evidence = {"parameters": 1234, "diverged_step": None if metrics else 7}
    record = RunRecord(run.spec.id, outcome, tuple(epochs), metrics, evidence, {"seconds": 3.0}, {"device": "cpu"})
    whole, single = np.zeros(2, np.int64), np.zeros((2, 3), np.float32)
    picture = np.zeros((2, 2, 3), np.uint8)
    write_record(run.folder, record, Arrays(whole, whole, single, single, picture, picture[None]))
    journal.append(outcome)


class Bench:
    """One experiment beside a store that all tests share, as making MLflow's tables takes seconds."""

    def __init__(self, home: Path, experiment: Experiment, uri: str | None = None):
        self.home, self.experiment, self.uri = home, experiment, uri
        self.store = Store.beside(home, uri)
        self.cells = experiment.cells(DATA)
        self.runs = runs_of(self.cells, folder_of(experiment, home / "runs"))
        self.warnings: list[str] = []

    def tracker(self) -> Tracker:
        return Tracker(self.experiment, self.cells, self.home / "runs", self.uri, self.warnings.append)

    def publish(self) -> None:
        self.tracker().publish_all()
        assert not self.warnings, self.warnings

    def search(self, filter_string: str = "tags.`ablation.kind` = 'run'") -> list[Any]:
        return list(connect(self.store).search_runs([self.find_experiment()], filter_string))

    def find_experiment(self) -> str:
        return connect(self.store).get_experiment_by_name(self.experiment.name).experiment_id

    def find(self, run: Run) -> Any:
        [found] = self.search(f"tags.`ablation.run_id` = '{run.spec.id}'")
        return found

    def report(self) -> Any:
        [found] = self.search("tags.`ablation.kind` = 'report'")
        return found

    def artifacts(self) -> set[str]:
        """The files on the experiment's own run."""
        folder = self.folder()
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    def artifact(self, name: str) -> str:
        return (self.folder() / name).read_text()

    def folder(self) -> Path:
        return self.home / "mlartifacts" / self.experiment.name / self.report().info.run_id / "artifacts"

    def points(self, run: Run, metric: str) -> list[tuple[int, int, float]]:
        history = connect(self.store).get_metric_history(self.find(run).info.run_id, metric)
        return [(point.step, point.timestamp, point.value) for point in history]
