"""The tidy table: a row a cell, read off the records on disk, with whatever is missing visible."""

from dataclasses import replace

import numpy as np
import pytest
from project import write_experiment

from ablation.core.errors import InputError
from ablation.core.seeds import stream
from ablation.data import Fixed, listing
from ablation.evidence.study import Study, compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.preregistration import preregister
from ablation.experiment.record import Arrays, RunRecord, write_record
from ablation.experiment.results import Results
from ablation.experiment.runs import Run, folder_of


@pytest.fixture
def varied(tiny) -> Experiment:
    """The tiny experiment over two splits as well: 24 runs."""
    return replace(tiny, vary={"split": {"few": Fixed(train=100, val=100, test=200), "more": Fixed(200, 100, 200)}})


@pytest.fixture
def results(varied, cache, tmp_path) -> Results:
    """One run is planned, one failed, one diverged; the others have records as training writes them."""
    cells = varied.cells(listing(varied.data, cache).digest)
    runs = [Run(folder_of(varied, tmp_path), cell.spec) for cell in cells]
    preregister(varied, cells, folder_of(varied, tmp_path))
    runs[1].prepare()
    runs[1].journal.append("failed", reason="OutOfMemoryError: no room")
    write(runs[2], cells[2], "diverged")
    for run, cell in zip(runs[3:], cells[3:], strict=True):
        write(run, cell, "finished")
    return Results.load(varied, tmp_path, cache)


def accuracy(cell: Cell) -> float:
    return 0.5 + 0.1 * bool(cell.spec.recipe) + float(stream(cell.seed, "luck", cell.spec.id).normal(0, 0.004))


def write(run: Run, cell: Cell, outcome: str) -> None:
    metrics = {"accuracy": accuracy(cell), "macro_f1": 0.4} if outcome == "finished" else {}
    evidence = {
        "first_test_batch": "t",
        "split": f"digest of {cell.factors['split']}",
        "train_images": 100 if cell.factors["split"] == "few" else 200,
        "test_images": 200,
    }
    labels, logits = np.zeros(1, np.int64), np.full((1, 10), cell.seed, np.float32)
    arrays = Arrays(labels, labels, logits, logits, np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8))
    history = ({"epoch": 1, "val_accuracy": 0.3}, {"epoch": 2, "val_accuracy": 0.4})
    record = RunRecord(cell.spec.id, outcome, history, metrics, evidence, {"seconds": 1.5}, {"device": "cpu"})
    write_record(run.folder, record, arrays)


def test_every_cell_is_a_row_with_its_levels_whatever_became_of_it(results):
    assert [tuple(row) for row in results.frame[[*results.factors, "seed", "id"]].itertuples(index=False)] == [
        (*cell.factors.values(), cell.seed, cell.spec.id) for cell in results.cells
    ]
    assert list(results.frame["status"]) == ["planned", "failed", "diverged"] + ["finished"] * 21
    assert results.frame["reason"][1] == "OutOfMemoryError: no room"
    assert results.frame["accuracy"].isna().tolist() == [True] * 3 + [False] * 21


def test_a_finished_row_has_metrics_evidence_and_cost(results):
    row, cell = results.finished.iloc[-1], results.cells[-1]
    assert row["accuracy"] == accuracy(cell)
    assert (row["split"], row["split_digest"]) == ("more", "digest of more")
    assert (row["train_images"], row["test_images"], row["seconds"], row["device"]) == (200, 200, 1.5, "cpu")
    assert results.run(row["id"]).spec == cell.spec
    assert (results.arrays(row["id"]).logits == cell.seed).all()


def test_the_history_has_a_row_an_epoch_of_each_record(results):
    history = results.history()
    assert len(history) == 2 * 22  # the diverged run has a record too
    assert history.iloc[-1][["recipe", "optimizer", "split", "seed", "epoch", "val_accuracy"]].tolist() == [
        *results.cells[-1].factors.values(), results.cells[-1].seed, 2, 0.4,
    ]  # fmt: skip


def test_two_names_for_one_run_are_two_rows_with_the_same_figures(results, varied, cache):
    doubled = replace(varied, recipes={**varied.recipes, "again": varied.recipes["crop"]})
    table = Results.load(doubled, results.root.parent, cache).frame
    crop, again = (table[table["recipe"] == recipe].drop(columns="recipe") for recipe in ("crop", "again"))
    assert crop.reset_index(drop=True).equals(again.reset_index(drop=True))


def test_effects_are_read_off_these_rows(results):
    effects = {(effect.recipe, *effect.condition.values()): effect for effect in compare(results)}
    assert effects["crop", "sgd", "more"].estimate == pytest.approx(0.1, abs=0.02)
    assert (effects["none", "adam", "few"].seeds, effects["none", "adam", "few"].planned) == (0, 3)
    assert effects["crop", "adam", "few"].note == "too few finished seeds"
    assert len(effects) == 2 * 4 + 2
    assert len(Study(results).warnings) == 3


def test_results_are_loaded_by_the_name_or_the_file_of_an_experiment(tmp_path, cache, monkeypatch):
    file = write_experiment(tmp_path)
    monkeypatch.chdir(tmp_path)
    for given in ("small", "experiments/small.py", file):
        assert (Results.load(given, cache=cache).frame["status"] == "planned").sum() == 6
    with pytest.raises(InputError, match="there is no experiment 'smal'; did you mean 'small'"):
        Results.load("smal")
    with pytest.raises(TypeError, match=r"^int: expected an Experiment, its name or its file$"):
        Results.load(3)


def test_what_are_no_results_is_refused_with_what_reads_them(varied):
    for given, name in ((varied, "Experiment"), ("small", "str")):
        for made in (compare, Study):
            with pytest.raises(TypeError, match=rf"^{name}: expected Results; Results.load\(experiment\) reads them$"):
                made(given)
