"""What MLflow shall show, as values: no MLflow needed to say it."""

from dataclasses import replace

import pytest
from bench import DATA, question, train

from ablation import SAM, SGD, Lookahead
from ablation.core.safe import mlflow_key
from ablation.experiment.early_stopping import early_stopping
from ablation.experiment.runs import Run
from ablation.tracking import publication


def test_params_reach_into_an_optimizer_around_another():
    cells = replace(question("around"), optimizers={"look": Lookahead(SAM(SGD(0.1)), k=3)}).cells("0" * 16)
    params = publication._params(cells[:1])
    assert params["optimizer.lr"] == "0.1"
    assert params["optimizer.k"] == "3"
    assert params["optimizer.optimizer.type"] == "SAM"
    assert params["optimizer.optimizer.optimizer.lr"] == "0.1"
    assert params["freeze"] == "0"


@pytest.mark.parametrize("name", ["<lr>", "a@b", "../up", "..", "a//b", "/root", "naïve", "x" * 300])
def test_safe_keys_are_taken_by_mlflow(name: str):
    from mlflow.utils.validation import _validate_param_name

    _validate_param_name(mlflow_key(name))
    assert len(mlflow_key(name)) <= 250
    assert mlflow_key("optimizer.lr") == "optimizer.lr"


def test_a_run_that_ends_while_it_is_published_waits_for_the_next_time(tmp_path, monkeypatch):
    """Outcome, metrics and digest are of one reading: a record that comes between two would be half shown."""
    experiment = question("ends")
    cells = experiment.cells(DATA)
    run = Run(tmp_path, cells[0].spec)
    readings, held = [], Run.held

    def reading(one):
        readings.append(held(one))
        if len(readings) == 1:
            train(run)  # another process, at the worst moment
        return readings[-1]

    monkeypatch.setattr(Run, "held", reading)
    assert publication.run_publication(run, cells[:1], experiment) is None
    readings.clear()
    made = publication.run_publication(run, cells[:1], experiment)
    assert made is not None
    assert (made.status, made.tags["ablation.outcome"]) == ("FINISHED", "finished")
    assert len(readings) == 1


def test_the_epoch_at_which_a_run_stopped_is_a_metric(tmp_path):
    cells = replace(question("stops"), patience=2).cells(DATA)
    run = Run(tmp_path, cells[0].spec)
    train(run)
    held = run.held()
    history = [{"val_loss": loss} for loss in (0.9, 0.5, 0.6, 0.7)]

    def once(evidence):
        known = held._replace(record=replace(held.record, evidence=held.record.evidence | evidence))
        made = publication.run_publication(run, cells[:1], question("stops"), known)
        return {point.key: point.value for point in made.points if point.step == 0}

    stopped = once({"early_stopping": early_stopping(history, 2, 30)})
    assert (stopped["train/epochs"], stopped["train/best_epoch"]) == (4, 2)
    for nothing in ({}, {"early_stopping": "x"}, {"early_stopping": {"epochs": "many"}}):
        assert not {"train/epochs", "train/best_epoch"} & once(nothing).keys()
