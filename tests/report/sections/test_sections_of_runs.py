"""Learning curves, maps, photographs and facts: what they hold of the runs, and that there are none without a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from names import wrongly_marked

from ablation import Constant, Cosine, Exponential, OneCycle, Plateau, Step
from ablation.analysis.separability import Separability
from ablation.core.seeds import stream
from ablation.core.text import NONE, named
from ablation.evidence.study import Study
from ablation.experiment.record import RunRecord
from ablation.optim.schedules import Schedule
from ablation.report.sections.embedding.compute import Map, MapsInfo
from ablation.report.sections.embedding.figure import draw_maps
from ablation.report.sections.embedding.section import embedding
from ablation.report.sections.learning_curves import CurvesInfo, curves_of, draw_curves, learning_curves
from ablation.report.sections.pictures.section import answer as pictures_answer
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
    accuracy, loss = draw_curves(CurvesInfo(curves), styles(["none", "crop"], "none"))
    assert [list(line.get_xdata()) for line in accuracy.lines] == [[1, 3]]
    assert [list(line.get_xdata()) for line in loss.lines] == [[1, 2, 3]]


def rising(*last: float) -> list[float | None]:
    """Ten epochs: up by four points each to 60 %, and then these."""
    return [*(0.28 + 0.04 * epoch for epoch in range(10 - len(last))), *last]


def under(study: Study, schedule: Schedule) -> Study:
    """The study as if its runs had been trained with this schedule, for ten epochs."""
    return Study(replace(study.results, experiment=replace(study.experiment, schedule=schedule, epochs=10)))


def answer_of(study: Study) -> tuple[str, ...]:
    section = learning_curves(study)
    assert section is not None
    return section.answer


def test_it_is_said_after_which_epoch_validation_accuracy_hardly_rose(study):
    """Within a point of 64.8 % for the first time at epoch 10, where it is 64.0 %."""
    study = under(study, Constant())
    held = with_history(study, {0: [*rising(), 0.648, 0.645], 1: [*rising(), 0.648, 0.645]})
    foremost, rest = answer_of(held)
    assert foremost == "Validation accuracy hardly rose after epoch 10 of 12."
    flat = with_history(study, {0: rising(0.5, 0.505, 0.495, 0.509, 0.5, 0.505)})
    assert answer_of(flat)[0] == "Validation accuracy hardly rose after epoch 5 of 10."
    assert f"{named('crop')} under {named('adam', recipe=False)} was the last" in rest
    section = learning_curves(flat)
    where = f"{named('crop')} under {named('adam', recipe=False)}"
    assert section.figures[0].caption.startswith(f"At the last epoch {where} has a mean validation accuracy of 50.5 %.")
    assert section.figures[0].alt.endswith("validation accuracy at the last epoch: “crop” under “adam” 50.5 %")
    assert wrongly_marked(section, ("crop", "adam")) == []


def test_curves_that_flatten_under_a_falling_learning_rate_are_not_said_to_have_had_enough(study):
    flat = with_history(study, {0: rising(0.5, 0.505, 0.495, 0.509, 0.5, 0.505)})
    for schedule, falling in (
        (Cosine(), "Cosine"), (Exponential(0.9), "Exponential"), (OneCycle(), "OneCycle"), (Plateau(), "Plateau"),
        (Step(every=1), "Step"), (Step(every=100), ""), (Constant(), ""), (Exponential(1.0), ""),
    ):  # fmt: skip
        foremost, rest = answer_of(under(flat, schedule))
        assert foremost.startswith("Validation accuracy hardly rose after epoch 5 of 10")
        assert (f"while the learning rate was falling ({falling})" in foremost) == bool(falling)
        assert ("--set epochs=20" in rest) == bool(falling)


def test_what_still_rises_at_the_end_is_said_to(study):
    foremost, rest = answer_of(with_history(study, {0: rising()}))
    assert foremost == (
        "Validation accuracy may still have been rising at the end of training: for "
        f"{named('crop')} under {named('adam', recipe=False)} until epoch 10 of 10."
    )
    assert "More epochs might change the order of recipes." in rest


def test_one_epoch_or_no_validation_part_say_nothing_of_convergence(study):
    assert answer_of(with_history(study, {0: [0.5]})) == (
        "Training took one epoch: whether it had converged cannot be seen.",
    )
    unknown = with_history(study, {0: [None, None]})
    assert answer_of(unknown)[0].startswith("No validation accuracy was recorded")
    assert learning_curves(unknown).figures[0].caption.startswith("No validation accuracy was recorded. ")


def test_of_several_conditions_the_curve_is_named_with_its_own(complete):
    study = Study(complete)
    names = {cell.factors["optimizer"] for cell in complete.cells}
    (foremost, rest), caption = answer_of(study), learning_curves(study).figures[0].caption
    assert len(names) > 1
    assert any(f" under {named(name, recipe=False)}" in foremost + rest for name in names)
    assert " % (" in caption
    assert wrongly_marked(learning_curves(study), (*names, *study.experiment.recipes)) == []


def changed(recipe: str, operation: str, mean: float, share: float = 1.0, idle: bool = False) -> dict[str, object]:
    return {"recipe": recipe, "operation": operation, "mean_change": mean, "share_changed": share, "idle": idle}


def test_what_a_recipe_does_to_a_picture_is_said_by_its_pixels():
    crop, hue, bright = changed("crop", "Crop", 0.1), changed("both", "Hue", 0.02, 0.5), changed("both", "Bright", 0.04)
    assert pictures_answer([crop, hue, bright]) == (
        f"{named('crop')} changes a picture most: a pixel by 25.5 of 255 levels on average.",
        f"Hue of {named('both')} changes it least, by 5.1 of 255. In the first epoch 50 to 100 % of the images were "
        "changed.",
    )
    assert pictures_answer([crop]) == (
        f"{named('crop')} changes a pixel by 25.5 of 255 levels on average.",
        "In the first epoch 100 % of the images were changed.",
    )
    idle = changed("flat", "Contrast", 0.0, 0.0, idle=True)
    assert pictures_answer([crop, idle])[-1] == f"Contrast of {named('flat')} changed nothing."
    assert pictures_answer([idle]) == (f"Contrast of {named('flat')} changed nothing.",)
    assert pictures_answer([]) == ("How much recipes change is not recorded.",)


def test_recipes_that_leave_the_photograph_as_it_is_are_named_first(study):
    section = pictures(study)
    (strips,) = section.figures
    assert strips.caption.startswith(f"{named('none')} leaves this photograph as it is; ")
    assert wrongly_marked(section, study.experiment.recipes) == []


def test_the_command_is_the_answer_to_how_it_is_reproduced(study):
    foremost, *_ = reproduce(study).answer
    runs = study.results.frame["id"].nunique()
    assert foremost == f"One command trains all {runs} runs: `{study.command}`."
    assert wrongly_marked(reproduce(study), ["none", "crop"]) == []


def test_curves_and_maps_are_drawn_into_axes_that_are_given(study):
    given = list(Figure().subplots(1, 2))
    curves = curves_of(with_history(study, {0: [0.1, 0.2]}))
    assert draw_curves(CurvesInfo(curves), styles(["none", "crop"], "none"), given) is given
    assert [len(axes.lines) for axes in given] == [1, 1]
    points, labels = stream(0, "map").normal(size=(20, 2)), np.arange(20) % 2
    info = MapsInfo(
        tuple(Map(name, points, 0.9, 30, Separability(), labels) for name in ("none", "crop")), labels, ("cat", "dog")
    )
    given = list(Figure().subplots(1, 2))
    assert draw_maps(info, styles(["none", "crop"], "none"), given) is given
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
    assert [row["run"] for row in rows] == list(complete.frame["id"])
    assert rows[0]["score"] == f"{100 * complete.frame['accuracy'][0]:.1f}"
    assert str(len(rows)) in runs.folded
    assert complete.root.as_posix() in runs.folded


def test_without_a_finished_run_there_are_facts_alone(build, fake, tmp_path):
    study = Study(fake(build(), tmp_path, fate=lambda cell: "failed" if cell.seed else "planned"), command="make it")
    assert [section(study) for section in (learning_curves, embedding, pictures)] == [None] * 3
    section = reproduce(study)
    assert "`make it`" in section.answer[0]
    (runs,) = (table.groups[0].rows for table in section.tables if table.folded)
    assert {row["status"].partition(":")[0] for row in runs} == {"planned", "failed"}
    assert {row["score"] for row in runs} == {NONE}
