"""What the version before wrote is found and believed: `old_run` holds two runs that it trained, 36 kB in all."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ablation import SGD, Brightness, Cosine, Digits, Experiment, Fixed, RandomResizedCrop, Results, sweep
from ablation.analysis.metrics import METRICS, Metric, classification_metrics
from ablation.core.errors import InputError
from ablation.data import listing
from ablation.experiment.preregistration import beforehand, preregistration_of
from ablation.experiment.record import read_arrays, read_digest, read_record
from ablation.experiment.runs import runs_of
from ablation.training.watch import Silent

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _the_results_version_of_then(monkeypatch):
    """Runs of another one count as missing; what they are like on disk has not changed."""
    monkeypatch.setattr("ablation.experiment.spec.RESULTS_VERSION", 3)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """As it was given to the version before."""
    return Experiment(
        name="old_run", data=Digits(), model="lenet", image_size=8, cache_size=8, epochs=2, batch_size=32,
        recipes={"none": (), "crop": (RandomResizedCrop(scale=(0.5, 1.0)), Brightness(0.3))},
        optimizers={"sgd": SGD(lr=0.05, momentum=0.9)}, schedule=Cosine(warmup=1),
        split=Fixed(train=100, val=50, test=60), seeds=(3,), baseline="none",
    )  # fmt: skip


@pytest.fixture
def runs(experiment, cache):
    return runs_of(experiment.cells(listing(experiment.data, cache).digest), HERE / "old_run")


def test_its_ids_are_those_of_todays_specs_and_its_runs_are_finished(experiment, cache, runs):
    assert {run.spec.id for run in runs} == {path.name for path in (HERE / "old_run").iterdir() if path.is_dir()}
    for run in runs:
        assert run.status() == "finished"
        assert run.spec.to_plain() == json.loads((run.folder / "spec.json").read_text("utf-8"))

    class Nothing(Silent):
        def planned(self, missing, finished, workers):
            assert (missing, finished) == ((), 2)

    assert sweep(experiment, HERE, cache, watch=Nothing()) == runs


def test_its_metrics_are_believed_and_are_those_of_its_logits(experiment, cache, runs):
    results = Results.load(experiment, HERE, cache)
    assert list(results.finished["recipe"]) == ["none", "crop"]
    for run, (_, row) in zip(runs, results.frame.iterrows(), strict=True):
        record, arrays = read_record(run.folder), read_arrays(run.folder)
        assert record.digest(arrays) == read_digest(run.folder)
        metrics = classification_metrics(arrays.logits, arrays.label)
        assert record.metrics == pytest.approx(metrics, rel=1e-12), "other processors have other last bits"
        assert row[list(record.metrics)].to_dict() == record.metrics


def test_its_plan_counts_as_preregistered(experiment, runs):
    before = beforehand(HERE / "old_run")
    assert before is not None
    assert before.plan == preregistration_of(experiment, experiment.cells(runs[0].spec.data))


def test_a_metric_that_is_added_later_exists_for_it_too(experiment, cache, runs, monkeypatch):
    """One row: it may be an experiment's metric, and is computed from the logits that were stored."""
    error = Metric("error", "points", lower_is_better=True, per_image=lambda logits, labels: logits.argmax(1) != labels)
    monkeypatch.setitem(METRICS, "error", error)
    results = Results.load(replace(experiment, metric="error"), HERE, cache)
    assert "error" not in runs[0].record().metrics
    assert results.frame["error"].tolist() == pytest.approx((1 - results.frame["accuracy"]).tolist())


def test_a_metric_that_cannot_be_computed_is_named_with_the_run(experiment, cache, runs, monkeypatch):
    monkeypatch.setitem(METRICS, "top", Metric("top", whole=lambda logits, labels: logits[:, 10].mean()))
    with pytest.raises(InputError) as raised:
        Results.load(replace(experiment, metric="top"), HERE, cache)
    assert f"metric 'top' cannot be computed of {runs[0].folder}: IndexError: index 10" in str(raised.value)
    assert isinstance(raised.value.__cause__, IndexError), "with its own line for whoever wrote it"


def test_only_a_missing_metric_is_computed(experiment, cache, monkeypatch):
    """Reading stays fast: no arrays are read where the record has the metric that is asked for."""
    monkeypatch.setattr("ablation.experiment.stored_metrics.read_predictions", None)
    assert len(Results.load(experiment, HERE, cache).finished) == 2
    with pytest.raises(TypeError):
        Results.load(replace(experiment, metric="auroc"), HERE, cache)


def test_a_copy_elsewhere_is_the_same_result(experiment, cache, tmp_path):
    shutil.copytree(HERE / "old_run", tmp_path / "old_run")
    moved = Results.load(experiment, tmp_path, cache)
    assert moved.frame.equals(Results.load(experiment, HERE, cache).frame)
