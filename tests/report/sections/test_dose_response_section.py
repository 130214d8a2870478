"""How strong an operation should be, in words: every shape of a curve, and no more than is shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from balanced import luck
from made_up import question, results_of

from ablation.augment import Brightness, RandomResizedCrop
from ablation.core.text import NONE
from ablation.data import KFold
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.recipes import dose
from ablation.optim import Adam
from ablation.report.section import Told
from ablation.report.sections.dose_response.section import MOST_PANELS, doses_told

AMOUNTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
ADAM = {"optimizers": {"adam": Adam()}}


def asking(**changes: Any) -> Experiment:
    recipes = {"none": (), **{f"b{amount}": (Brightness(amount),) for amount in AMOUNTS}}
    return replace(question(), recipes=recipes, **changes)


def along(curve: Callable[[float], float], size: float = 0.002) -> Callable[[Cell], float]:
    return lambda cell: 0.8 + curve(cell.spec.recipe[0].brightness if cell.spec.recipe else 0.0) + luck(cell, size)


def told(score: Callable[[Cell], Any], **changes: Any) -> Told:
    found = doses_told(results_of(asking(**ADAM | changes), score))
    assert found is not None
    return found


def says(score: Callable[[Cell], Any], **changes: Any) -> str:
    (sentence,) = told(score, **changes).sentences
    return sentence


def hump(x: float) -> float:
    return 0.6 * x - x**2


def test_rises_and_then_falls():
    found = told(along(hump), optimizers=question().optimizers)
    (sentence,) = found.sentences
    assert sentence.startswith("With the amount of Brightness accuracy rises and then falls (bend Holm p < .001): ")
    assert "the fitted curve is highest at 0.3 (95 % interval 0.29" in sentence
    assert ". Accuracy is 80.0 % at 0, 89.0 % at 0.3 (the highest mean) and 80.0 % at 0.6, " in sentence
    assert sentence.endswith(", pooled over adam and sgd, on these test photographs (5 seeds).")
    assert found.asks.startswith("7 doses of the amount of Brightness, 0 to 0.6 (0 is none).")


def test_of_a_loss_it_falls_and_then_rises():
    sentence = says(along(lambda x: -hump(x)), metric="log_loss")
    assert "log loss falls and then rises (bend Holm p < .001): the fitted curve is lowest at 0." in sentence
    assert "Log loss is 0.800 nats at 0, 0.710 nats at 0.3 (the lowest mean)" in sentence


def test_a_slope_without_a_bend():
    sentence = says(along(lambda x: 0.1 * x))
    assert "accuracy rises (Holm p < .001); a bend is not shown (Holm p = " in sentence
    assert "accuracy falls (Holm p" in says(along(lambda x: -0.1 * x))


def test_nothing_shown():
    assert "accuracy is not shown to change (slope Holm p = " in says(along(lambda x: 0.0))


def test_a_bend_whose_best_dose_is_an_end():
    falling = says(along(lambda x: -0.1 * x - 0.3 * x**2))
    assert "falls (Holm p < .001) and bends (Holm p " in falling
    assert "the fitted curve is highest at 0, an end of what was tried" in falling
    rising = says(along(lambda x: 0.6 * x - 0.4 * x**2, size=0.0005))
    assert "rises (Holm p < .001) and bends" in rising
    assert "highest at 0.6, an end of what was tried" in rising
    loss = says(along(lambda x: 0.1 * x + 0.3 * x**2), metric="log_loss")
    assert "rises (Holm p < .001) and bends (Holm p " in loss
    assert "lowest at 0, an end of what was tried" in loss


def test_a_bend_the_other_way_says_where_it_is_worst():
    valley = told(along(lambda x: -hump(x)))
    assert "accuracy falls and then rises (bend Holm p < .001): the fitted curve is lowest at 0." in valley.sentences[0]
    assert valley.groups[0].rows[0]["best"] == NONE
    assert valley.scene.info.rows[0].panels[0].best is None
    loss = told(along(hump), metric="log_loss")
    assert "log loss rises and then falls (bend Holm p < .001): the fitted curve is highest at 0." in loss.sentences[0]
    assert loss.groups[0].rows[0]["best"] == NONE
    rising = says(along(lambda x: 0.1 * x + 0.3 * x**2))
    assert "rises (Holm p < .001) and bends (Holm p " in rising
    assert "lowest at 0, an end of what was tried" in rising
    falling = says(along(lambda x: -0.6 * x + 0.4 * x**2, size=0.0005))
    assert "falls (Holm p < .001) and bends (Holm p " in falling
    assert "lowest at 0.6, an end of what was tried" in falling


def tilted(low: float, high: float) -> Callable[[Cell], float]:
    """A hump whose slope differs between seeds, so that its best dose is known from `low` to `high` only."""

    def score(cell: Cell) -> float:
        x = cell.spec.recipe[0].brightness if cell.spec.recipe else 0.0
        top = low + (high - low) * cell.seed / 4
        return 0.8 - 0.2 * (x - top) ** 2 + luck(cell, 0.00006)

    return score


def test_an_end_within_the_interval_is_not_said_to_be_left_behind():
    early = says(tilted(-0.3, 0.5))
    assert "bends (Holm p < .001) and falls in the end: the fitted curve is highest at " in early
    assert "and that it rises at first is not shown" in early
    late = says(tilted(0.2, 0.9))
    assert "rises and bends (Holm p < .001): " in late
    assert "and that it falls in the end is not shown" in late
    assert "but where it is highest these data do not bound" in says(tilted(-0.6, 1.2))


def test_what_a_quadratic_cannot_follow_is_not_read_off_it():
    found = told(along(lambda x: 0.1 * (0.25 < x < 0.45), size=0.001))
    assert "a quadratic does not follow the means (Holm p < .001), so read them, not the curve" in found.sentences[0]
    assert "the fitted curve" not in found.sentences[0]
    assert found.groups[0].rows[0]["best"] == NONE
    assert found.scene.info.rows[0].panels[0].best is None
    assert "(the highest mean)" in found.sentences[0]


def test_few_seeds_make_no_claim():
    sentence = says(along(hump), seeds=2)
    assert sentence.startswith("Amount of Brightness: no claim under 3 seeds; so far accuracy is 8")
    assert told(along(hump), seeds=2).scene.info.rows[0].panels[0].best is None
    nothing = told(lambda cell: "planned")
    assert nothing.sentences == ("Amount of Brightness: no answer yet, 0 seeds finished at all doses.",)
    assert (nothing.scene, nothing.groups[0].rows[0]["best"]) == (None, "too few finished seeds")


def test_the_caption_says_how_many_are_corrected_together():
    assert "All 3 of these p-values, of every ladder and row, are one family" in told(along(hump)).caption
    both = told(along(hump), optimizers=question().optimizers)
    assert "All 9 of these p-values, of every ladder and row, are one family" in both.caption


def test_the_table_has_a_row_a_condition():
    found = told(along(hump), optimizers=question().optimizers)
    (group,) = found.groups
    assert group.title == "amount of Brightness"
    assert [row["condition"] for row in group.rows] == ["adam", "sgd", "pooled over 2 conditions"]
    for row in group.rows:
        assert set(row) == set(found.headers)
        assert (row["p_slope"] == NONE, row["p_bend"]) == (False, "<.001")
        assert row["measured"].startswith("0.3 (8")
        assert row["best"].startswith("0.")
    lost = told(lambda cell: "planned" if cell.seed == 4 else along(hump)(cell))
    assert lost.groups[0].rows[0]["condition"] == "adam, 4 of 5 seeds"
    assert lost.sentences[0].endswith("under adam, on these test photographs (4 of 5 seeds).")


def test_failed_runs_and_failed_trainings_leave_no_claim():
    for fate in ("failed", 0.1):
        one = told(lambda cell, fate=fate: fate if cell.seed == 4 and not cell.spec.recipe else along(hump)(cell))
        assert one.sentences[0].startswith("Amount of Brightness: 1 failed or diverged here: no claim on those that")


def test_the_caption_says_what_it_holds_for():
    assert told(along(hump)).caption.endswith(
        "for this split, on these test photographs, on this data, model and budget."
    )
    redrawn = told(along(hump), split=KFold(), test=None)
    assert redrawn.caption.endswith("for new training and test photographs, on this data, model and budget.")
    assert "on these test photographs" not in redrawn.sentences[0]


def test_the_picture_shows_percent_and_the_recipe_without():
    found = told(along(hump))
    row = found.scene.info.rows[0]
    assert (row.magnitude, row.nothing) == ("amount of Brightness", ("none", 0))
    (panel,) = row.panels
    assert panel.curve.scores.shape == (5, 7)
    np.testing.assert_allclose(panel.curve.mean, panel.curve.scores.mean(axis=0))
    assert 79 < panel.curve.mean.min() < panel.curve.mean.max() < 90
    assert panel.best[1] < panel.best[0] < panel.best[2]
    assert panel.best_text.startswith("highest at 0.3")
    assert panel.best_text.removeprefix("highest at ") in found.sentences[0]
    assert found.scene.info.measure == "accuracy (%)"
    losses = told(along(lambda x: -hump(x)), metric="log_loss").scene
    assert losses.info.measure == "log loss (nats, lower is better)"
    assert losses.info.rows[0].panels[0].best_text.startswith("lowest at 0.")
    assert losses.info.rows[0].panels[0].curve.mean[0] == pytest.approx(0.8, abs=0.01)


def test_strengths_say_what_one_is():
    crop = RandomResizedCrop(scale=(0.6, 1.0))
    results = results_of(replace(question(), recipes=dose(crop, (0.5, 1, 2))), lambda cell: 0.8 + luck(cell))
    found = doses_told(results)
    told = "4 doses of the strength of RandomResizedCrop, 0 to 2 (0 is none, 1 is RandomResizedCrop(scale=(0.6, 1.0)))."
    assert found.asks.startswith(told)


def test_several_ladders_have_a_sentence_and_rows_of_panels_each():
    recipes = {"none": (), "a": (Brightness(0.2),), "b": (Brightness(0.4),), **dose(RandomResizedCrop(), (0.5, 1))}
    found = doses_told(results_of(replace(question(), recipes=recipes), lambda cell: 0.8 + luck(cell)))
    assert len(found.sentences) == len(found.groups) == len(found.scene.info.rows) == 2


def test_of_many_conditions_only_the_pooled_curve_is_drawn():
    many = {f"adam {place}": Adam(lr=0.001 * (1 + place)) for place in range(MOST_PANELS)}
    found = told(along(hump), optimizers=many)
    (panel,) = found.scene.info.rows[0].panels
    assert panel.pooled
    assert "Drawn are the pooled curves." in found.scene.caption
    assert len(found.groups[0].rows) == MOST_PANELS + 1


def test_digits_follow_the_range():
    found = doses_told(
        results_of(
            replace(question(), recipes=dose(RandomResizedCrop(scale=(0.9, 1.0)), (1, 2, 3, 4, 5))),
            lambda cell: 0.8 + luck(cell),
        )
    )
    assert "0 to 5 (" in found.asks


def test_without_a_ladder_the_section_is_absent():
    assert doses_told(results_of(question())) is None
