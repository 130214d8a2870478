"""How strong an operation should be, in words: every shape of a curve, and no more than is shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from balanced import luck
from made_up import question, results_of
from names import unmarked

from ablation.augment import Brightness, RandomResizedCrop
from ablation.core.text import NONE, plain
from ablation.data import KFold
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.recipes import dose
from ablation.optim import Adam
from ablation.report.section import Section
from ablation.report.sections.dose_response.section import MOST_PANELS, dose_response

AMOUNTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
ADAM = {"optimizers": {"adam": Adam()}}


def asking(**changes: Any) -> Experiment:
    recipes = {"none": (), **{f"b{amount}": (Brightness(amount),) for amount in AMOUNTS}}
    return replace(question(), recipes=recipes, **changes)


def along(curve: Callable[[float], float], size: float = 0.002) -> Callable[[Cell], float]:
    return lambda cell: 0.8 + curve(cell.spec.recipe[0].brightness if cell.spec.recipe else 0.0) + luck(cell, size)


def section_of(score: Callable[[Cell], Any], **changes: Any) -> Section:
    section = dose_response(Study(results_of(asking(**ADAM | changes), score)))
    assert section is not None
    return unmarked(section)


def says(score: Callable[[Cell], Any], **changes: Any) -> str:
    return in_numbers(section_of(score, **changes))


def in_numbers(section: Section) -> str:
    """What stands behind the first sentence."""
    return " ".join(section.answer[1:])


def hump(x: float) -> float:
    return 0.6 * x - x**2


def test_rises_and_then_falls():
    section = section_of(along(hump), optimizers=question().optimizers)
    assert section.answer[0] == (
        "With the amount of Brightness, accuracy rises and then falls: the fitted curve is highest at 0.3."
    )
    sentence = in_numbers(section)
    assert " rises and then falls (bend Holm p < .001): " in sentence
    assert "is highest at 0.3 (95 % " in sentence
    assert "89.0 % at 0.3 (the highest" in sentence
    assert sentence.endswith(" test photographs (5 seeds).")
    assert section.question.startswith("7 doses of the amount of ")
    assert section.figures[0].caption.startswith("The highest mean is 89.0 % at 0.3. ")
    assert section.figures[0].alt.startswith(
        "Accuracy against the dose, in 3 panels: amount of Brightness, 80.0 % at 0, "
    )


def test_of_a_loss_it_falls_and_then_rises():
    sentence = says(along(lambda x: -hump(x)), metric="log_loss")
    assert "falls and then rises" in sentence
    assert "0.710 nats at 0.3 (the lowest" in sentence


def test_a_slope_without_a_bend():
    section = section_of(along(lambda x: 0.1 * x))
    assert section.answer[0] == "With the amount of Brightness, accuracy rises."
    assert section.tables[0].groups[0].rows[0]["claim"] == "rises"
    sentence = in_numbers(section)
    assert "accuracy rises (Holm p < .001); a bend is not shown (Holm p = " in sentence
    assert "accuracy falls (Holm p" in says(along(lambda x: -0.1 * x))


def test_nothing_shown():
    section = section_of(along(lambda x: 0.0))
    assert section.answer[0] == "With the amount of Brightness, accuracy is not shown to change."
    assert "not shown to change (slope" in in_numbers(section)
    assert section.tables[0].groups[0].rows[0]["claim"] == "not shown"


def test_a_bend_whose_best_dose_is_an_end():
    falling = says(along(lambda x: -0.1 * x - 0.3 * x**2))
    assert "falls (Holm p < .001) and bends" in falling
    assert "is highest at 0, an end of" in falling
    rising = says(along(lambda x: 0.6 * x - 0.4 * x**2, size=0.0005))
    assert "rises (Holm p < .001) and bends" in rising
    assert "highest at 0.6, an end of" in rising
    loss = says(along(lambda x: 0.1 * x + 0.3 * x**2), metric="log_loss")
    assert "rises (Holm p < .001) and bends" in loss
    assert "lowest at 0, an end of" in loss


def test_a_bend_the_other_way_says_where_it_is_worst():
    valley = section_of(along(lambda x: -hump(x)))
    assert "the fitted curve is lowest at" in valley.answer[0]
    assert "the fitted curve is lowest at" in valley.answer[1]
    assert valley.tables[0].groups[0].rows[0]["best"] == NONE
    assert valley.figures[0].data[0].panels[0].best is None
    loss = section_of(along(hump), metric="log_loss")
    assert "fitted curve is highest at 0." in loss.answer[0]
    assert loss.tables[0].groups[0].rows[0]["best"] == NONE
    rising = says(along(lambda x: 0.1 * x + 0.3 * x**2))
    assert "rises (Holm p < .001) and bends" in rising
    assert "lowest at 0, an end of" in rising
    falling = says(along(lambda x: -0.6 * x + 0.4 * x**2, size=0.0005))
    assert "falls (Holm p < .001) and bends" in falling
    assert "lowest at 0.6, an end of" in falling


def tilted(low: float, high: float) -> Callable[[Cell], float]:
    """A hump whose slope differs between seeds, so that its best dose is known from `low` to `high` only."""

    def score(cell: Cell) -> float:
        x = cell.spec.recipe[0].brightness if cell.spec.recipe else 0.0
        top = low + (high - low) * cell.seed / 4
        return 0.8 - 0.2 * (x - top) ** 2 + luck(cell, 0.00006)

    return score


def test_an_end_within_the_interval_is_not_said_to_be_left_behind():
    early = says(tilted(-0.3, 0.5))
    assert "and falls in the end: the " in early
    assert "rises at first is not shown" in early
    late = says(tilted(0.2, 0.9))
    assert "rises and bends (Holm p < " in late
    assert "falls in the end is not shown" in late
    assert "these data do not bound" in says(tilted(-0.6, 1.2))


def test_what_a_quadratic_cannot_follow_is_not_read_off_it():
    section = section_of(along(lambda x: 0.1 * (0.25 < x < 0.45), size=0.001))
    assert section.answer[0].endswith(": the means follow no quadratic, so read them, not the curve.")
    assert "a quadratic does not follow the means (Holm p < .001)." in section.answer[1]
    assert "the fitted curve" not in in_numbers(section)
    assert section.tables[0].groups[0].rows[0]["claim"] == "no quadratic"
    assert section.tables[0].groups[0].rows[0]["best"] == NONE
    assert section.figures[0].data[0].panels[0].best is None
    assert "(the highest mean)" in section.answer[2]


def test_few_seeds_make_no_claim():
    sentence = says(along(hump), seeds=2)
    assert ": no claim under 3 seeds. So far accuracy is " in sentence
    assert section_of(along(hump), seeds=2).figures[0].data[0].panels[0].best is None
    nothing = section_of(lambda cell: "planned")
    assert ": no answer yet, 0 seeds " in nothing.answer[0]
    assert (nothing.figures, nothing.tables[0].groups[0].rows[0]["claim"]) == ((), "too few finished seeds")


def test_the_caption_says_how_many_are_corrected_together():
    assert "All 3 of these p-values, " in section_of(along(hump)).tables[0].caption
    both = section_of(along(hump), optimizers=question().optimizers)
    assert "All 9 of these p-values, " in both.tables[0].caption


def test_the_table_has_a_row_a_condition():
    section = section_of(along(hump), optimizers=question().optimizers)
    (group,) = section.tables[0].groups
    assert group.title == "Amount of Brightness"
    assert [row["condition"] for row in group.rows] == ["adam", "sgd", "pooled over 2 conditions"]
    for row in group.rows:
        assert set(row) == set(section.tables[0].headers)
        assert (row["p_slope"] == NONE, row["p_bend"]) == (False, "<.001")
        assert row["measured"].startswith("0.3 (8")
        assert row["best"].startswith("0.")
        assert row["claim"] == "bends"
    lost = section_of(lambda cell: "planned" if cell.seed == 4 else along(hump)(cell))
    assert lost.tables[0].groups[0].rows[0]["condition"] == "adam, 4 of 5 seeds"
    assert lost.answer[-1].endswith(" (4 of 5 seeds).")


def test_failed_runs_and_failed_trainings_leave_no_claim():
    for fate in ("failed", 0.1):
        one = section_of(lambda cell, fate=fate: fate if cell.seed == 4 and not cell.spec.recipe else along(hump)(cell))
        assert ": 1 failed or diverged here: " in one.answer[0]
        assert one.tables[0].groups[0].rows[0]["claim"] == "no claim"


def test_the_caption_says_what_it_holds_for():
    assert (
        section_of(along(hump))
        .tables[0]
        .caption.endswith("for this split, on these test photographs, on this data, model and budget.")
    )
    redrawn = section_of(along(hump), split=KFold(), test=None)
    assert " for new training and test " in redrawn.tables[0].caption
    assert "on these test photographs" not in in_numbers(redrawn)


def test_the_figure_shows_percent_and_the_recipe_without():
    section = section_of(along(hump))
    row = section.figures[0].data[0]
    assert (row.magnitude, row.nothing) == ("amount of Brightness", ("none", 0))
    (panel,) = row.panels
    assert panel.curve.scores.shape == (5, 7)
    np.testing.assert_allclose(panel.curve.mean, panel.curve.scores.mean(axis=0))
    assert 79 < panel.curve.mean.min() < panel.curve.mean.max() < 90
    assert panel.best[1] < panel.best[0] < panel.best[2]
    assert panel.best_text.startswith("highest at 0.3")
    assert panel.best_text.removeprefix("highest at ") in section.answer[0]
    assert panel.best_text.removeprefix("highest at ") in section.answer[1]
    assert section.figures[0].data[0].measure == "accuracy (%)"
    losses = section_of(along(lambda x: -hump(x)), metric="log_loss").figures[0]
    assert losses.data[0].measure == "log loss (nats, lower is better)"
    assert losses.data[0].panels[0].best_text.startswith("lowest at 0.")
    assert losses.data[0].panels[0].curve.mean[0] == pytest.approx(0.8, abs=0.01)


def test_strengths_say_what_one_is():
    crop = RandomResizedCrop(scale=(0.6, 1.0))
    results = results_of(replace(question(), recipes=dose(crop, (0.5, 1, 2))), lambda cell: 0.8 + luck(cell))
    section = dose_response(Study(results))
    assert ", 0 to 2 (0 is “none”, 1 is Random" in plain(section.question)


def test_several_series_have_a_sentence_and_rows_of_panels_each():
    recipes = {"none": (), "a": (Brightness(0.2),), "b": (Brightness(0.4),), **dose(RandomResizedCrop(), (0.5, 1))}
    section = dose_response(Study(results_of(replace(question(), recipes=recipes), lambda cell: 0.8 + luck(cell))))
    assert len(section.tables[0].groups) == len(section.figures[0].data) == 2
    assert section.answer[0] == "Accuracy is shown to change with the dose in none of 2 series."
    assert len(section.answer) == 1 + 2 * 2
    assert section.figures[0].caption.startswith("The highest means are 8")
    rising = dose_response(
        Study(
            results_of(
                replace(question(), recipes=recipes),
                lambda cell: 0.8 + 0.1 * (cell.factors["recipe"] in "ab") + luck(cell),
            )
        )
    )
    assert rising.answer[0] == "Accuracy is shown to change with the dose in 1 of 2 series."
    few = dose_response(Study(results_of(replace(question(), recipes=recipes, seeds=2), lambda cell: 0.8 + luck(cell))))
    assert few.answer[0] == "No answer yet in any of 2 series of doses."


def test_of_many_conditions_only_the_pooled_curve_is_drawn():
    many = {f"adam {index}": Adam(lr=0.001 * (1 + index)) for index in range(MOST_PANELS)}
    section = section_of(along(hump), optimizers=many)
    (panel,) = section.figures[0].data[0].panels
    assert panel.pooled
    assert "Drawn are the pooled curves." in section.figures[0].caption
    assert len(section.tables[0].groups[0].rows) == MOST_PANELS + 1


def test_digits_follow_the_range():
    recipes = dose(RandomResizedCrop(scale=(0.9, 1.0)), (1, 2, 3, 4, 5))
    section = dose_response(Study(results_of(replace(question(), recipes=recipes), lambda cell: 0.8 + luck(cell))))
    assert "0 to 5 (" in section.question


def test_without_a_series_the_section_is_absent():
    assert dose_response(Study(results_of(question()))) is None
