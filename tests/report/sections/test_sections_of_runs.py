"""Learning curves, maps, photographs and facts: what they hold of the runs, and that there are none without a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from ablation.analysis.separability import Separability
from ablation.core.seeds import stream
from ablation.core.text import NONE
from ablation.evidence.study import Study
from ablation.experiment.record import RunRecord
from ablation.report.sections.embedding.compute import Map, MapsInfo
from ablation.report.sections.embedding.figure import draw_maps
from ablation.report.sections.embedding.section import embedding
from ablation.report.sections.learning_curves import curves_of, draw_curves, learning_curves
from ablation.report.sections.pictures.section import pictures
from ablation.report.sections.reproduce import reproduce
from ablation.report.style import styles


def with_history(study: Study, accuracies: dict[int, list[float | None]]) -> Study:
    """The study with these accuracies, by seed, for crop under adam, and no other run."""
    records = {}
    for cell in study.results.cells:
        if cell.factors["recipe"] == "crop" and cell.factors["optimizer"] == "adam" and cell.seed in accuracies:
            epochs = [
                {"epoch": epoch + 1, "val_accuracy": accuracy, "train_loss": 2.0 - epoch}
                for epoch, accuracy in enumerate(accuracies[cell.seed])
            ]
            records[cell.spec.id] = RunRecord(cell.spec.id, "finished", tuple(epochs), {}, {}, {}, {})
    return Study(replace(study.results, records=records))


@pytest.fixture(scope="module")
def study(complete) -> Study:
    return Study(complete)


def test_a_curve_is_mean_and_sd_over_the_runs_that_got_so_far(study):
    curves = curves_of(with_history(study, {0: [0.1, 0.2, 0.4], 1: [0.14]}))
    assert set(curves["condition"]) == {"adam"}
    assert set(curves["recipe"]) == {"crop"}
    np.testing.assert_allclose(curves["val_accuracy"], [12.0, 20.0, 40.0])
    np.testing.assert_allclose(curves["val_accuracy_sd"], [math.sqrt(8), math.nan, math.nan])
    np.testing.assert_allclose(curves["train_loss"], [2.0, 1.0, 0.0])


def test_an_epoch_that_was_not_measured_leaves_no_gap_in_the_line(study):
    curves = curves_of(with_history(study, {0: [0.1, None, 0.3]}))
    accuracy, loss = draw_curves(curves, styles(["none", "crop"], "none"))
    assert [list(line.get_xdata()) for line in accuracy.lines] == [[1, 3]]
    assert [list(line.get_xdata()) for line in loss.lines] == [[1, 2, 3]]


def test_curves_and_maps_are_drawn_into_axes_that_are_given(study):
    given = list(Figure().subplots(1, 2))
    curves = curves_of(with_history(study, {0: [0.1, 0.2]}))
    assert draw_curves(curves, styles(["none", "crop"], "none"), given) is given
    assert [len(axes.lines) for axes in given] == [1, 1]
    points, labels = stream(0, "map").normal(size=(20, 2)), np.arange(20) % 2
    info = MapsInfo(
        tuple(Map(name, points, 0.9, 30, Separability(), labels) for name in ("none", "crop")), labels, ("cat", "dog")
    )
    given = list(Figure().subplots(1, 2))
    assert draw_maps(info, {}, given) is given
    assert [axes.get_title(loc="left") or axes.get_title() for axes in given] == ["none", "crop"]


def test_facts_are_a_table_a_part_and_every_run_is_listed(complete, study):
    *facts, runs = reproduce(study).tables
    assert [table.groups[0].title for table in facts] == ["Question", "Data", "Training", "Machine", "Cost"]
    terms = {row["term"]: row["text"] for table in facts for row in table.groups[0].rows}
    assert terms["baseline"] == "none"
    assert terms["parameters"] == "1 234 567"
    assert terms["runs"] == "50 with a record, of 50 planned"
    assert terms["training"] == "55 min in all, 1 min 06 s a run"
    assert "dropout" in terms
    assert "stochastic depth" not in terms, "left as it is"
    rows = runs.groups[0].rows
    assert [row["run"] for row in rows] == list(complete.table["id"])
    assert rows[0]["score"] == f"{100 * complete.table['accuracy'][0]:.1f}"
    assert str(len(rows)) in runs.folded
    assert complete.root.as_posix() in runs.folded


def test_without_a_finished_run_there_are_facts_alone(build, fake, tmp_path):
    study = Study(fake(build(), tmp_path, fate=lambda cell: "failed" if cell.seed else "planned"), command="make it")
    assert [section(study) for section in (learning_curves, embedding, pictures)] == [None] * 3
    section = reproduce(study)
    assert "make it" in section.question
    (runs,) = (table.groups[0].rows for table in section.tables if table.folded)
    assert {row["status"].partition(":")[0] for row in runs} == {"planned", "failed"}
    assert {row["score"] for row in runs} == {NONE}
