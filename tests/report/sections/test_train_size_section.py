"""Whether a recipe helps only when data are few, in words: gains and losses that fade, grow, turn or stay."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from balanced import luck
from made_up import question, results_of
from names import unmarked
from scipy import stats

from ablation.analysis.comparison import Dunnett
from ablation.augment import Brightness, Contrast
from ablation.core.text import MINUS, NONE, plain
from ablation.data import PerSeed, TrainSize
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.optim import Adam
from ablation.report.section import Section
from ablation.report.sections.train_size.section import MOST_PANELS, train_size

SIZES = (50, 100, 200, 400)


def section_of(gain: Callable[[int], float], recipes: Any = None, size: float = 0.002, **changes: Any) -> Section:
    """gain: of bright over none, given the images (100 to 800). Under adam alone, if nothing else is asked."""
    changes = {"optimizers": {"adam": Adam()}} | changes
    recipes = recipes or {"none": (), "bright": (Brightness(0.4),)}
    levels = {str(2 * each): TrainSize(each) for each in SIZES}
    experiment = replace(question(), recipes=recipes, vary={"train_size": levels}, **changes)

    def score(cell: Cell) -> float:
        images = 2 * cell.spec.train_size.per_class
        return 0.8 + gain(images) * (cell.factors["recipe"] == "bright") + luck(cell, size)

    results = results_of(experiment, score)
    images = [2 * cell.spec.train_size.per_class for cell in results.cells]
    section = train_size(Study(replace(results, frame=results.frame.assign(train_images=images))))
    assert section is not None
    return unmarked(section)


def fading(start: float, step: float) -> Callable[[int], float]:
    return lambda images: start + step * math.log2(images / 100)


def test_a_gain_that_shrinks():
    section = section_of(fading(0.05, -0.014))
    foremost, sentence = section.answer
    assert foremost == "The gain of bright shrinks by 1.4 points for each doubling of the training images."
    assert sentence.startswith("bright helps by 5.0 points ")
    assert "p < .001) and by 0.8 points" in sentence
    assert "). The gain shrinks by 1.4 " in sentence
    assert sentence.endswith("; Holm p < .001) (5 seeds).")
    assert section.tables[0].groups[0].rows[0]["claim"] == "gain shrinks"
    (figure,) = section.figures
    assert figure.caption.startswith("The difference to none is shown to change with the number of images for 1 of 1 ")
    assert figure.alt.endswith(": “bright” +5.0 with 100 images and +0.8 with 800")


@pytest.mark.parametrize(
    ("start", "step", "metric", "said"),
    [
        (0.01, 0.014, "accuracy", ("helps by", "and by", "The gain grows by 1.4 points")),
        (-0.05, 0.014, "accuracy", ("hurts by", "and by", "The loss shrinks by 1.4 points")),
        (-0.01, -0.014, "accuracy", ("hurts by", "and by", "The loss grows by 1.4 points")),
        (0.03, -0.02, "accuracy", ("helps by", "and hurts by", "The difference falls by 2.0 points")),
        (-0.03, 0.02, "accuracy", ("hurts by", "and helps by", "The difference rises by 2.0 points")),
        (-0.05, 0.014, "log_loss", ("helps by 0.050 nats", "and by 0.008 nats", "The gain shrinks by 0.014 nats")),
        (
            0.03,
            -0.02,
            "log_loss",
            ("hurts by 0.030 nats", "and helps by 0.030 nats", "The difference falls by 0.020 nats"),
        ),
    ],
)
def test_every_way_in_which_a_difference_changes(start, step, metric, said):
    foremost, sentence = section_of(fading(start, step), metric=metric, primary="each").answer
    difference, changes = said[-1].split(" by ")[0].rsplit(" ", 1)
    of = "between bright and none" if difference == "The difference" else "of bright"
    assert foremost.startswith(f"{difference} {of} {changes} by ")
    positions = [sentence.index(words) for words in said]
    assert positions == sorted(positions)


def test_what_is_not_shown_is_not_claimed():
    section = section_of(lambda images: 0.0, margin=0.0001, primary="each")
    foremost, sentence = section.answer
    assert foremost == "bright is not shown to help more or less with more training images."
    assert section.tables[0].groups[0].rows[0]["claim"] == "not shown"
    assert section.figures[0].caption.startswith("The difference to none is shown to change with the number of images ")
    assert " for none of 1 recipe." in section.figures[0].caption
    assert sentence.startswith("bright is not shown to help or")
    assert ") or with 800 (" in sentence
    assert "on their number is not shown" in sentence
    _, mixed = section_of(fading(0.0, 0.01), margin=0.0001).answer
    assert "is not shown to help or hurt" in mixed
    assert ") and helps by 3." in mixed
    assert "points with 800 (" in mixed


def test_a_size_where_it_is_equivalent_or_not_tested_says_so():
    _, alike = section_of(lambda images: 0.0).answer
    assert alike.startswith("bright is equivalent to none ")
    assert "; equivalence p = .00" in alike
    _, crossing = section_of(fading(0.03, -0.02)).answer
    assert crossing.startswith("bright is not tested with 100 "), "pooled nothing is shown"
    assert f") or with 800 ({MINUS}3.0, " in crossing
    assert ". The difference falls by 2.0" in crossing
    redrawn = section_of(lambda images: 0.0, split=PerSeed(), test=None)
    assert "on these test photographs" not in " ".join(redrawn.answer) + redrawn.tables[0].caption


BOTH = {"optimizers": question().optimizers}


def test_one_size_over_several_conditions_has_numbers_and_no_verdict():
    """`compare` judges adam, sgd, and all of it pooled, but not both with 100 images: so nothing is claimed of that."""
    section = section_of(fading(0.05, -0.014), **BOTH)
    foremost, sentence = section.answer
    assert foremost == (
        "The difference between bright and none falls by 1.4 points for each doubling of the training images."
    )
    assert sentence.startswith("bright has a difference of +5.0")
    assert ") and +0.8 points with 800 (+0." in sentence
    assert ". The difference falls by 1.4" in sentence
    assert not {"helps", "hurts", "gain", "loss"} & set(sentence.split())
    assert "all sizes at once (Bonferroni)" in section.tables[0].caption
    scores = section.figures[0].data.panels[0].scores[:, 0]
    half = stats.t.ppf(1 - 0.05 / 4 / 2, 4) * scores.std(ddof=1) / math.sqrt(5)
    low, high = (f"{x:+.1f}" for x in (scores.mean() - half, scores.mean() + half))
    assert f"({low} to {high})" in sentence


def test_where_compare_is_undecided_nothing_is_claimed_of_a_size():
    """Eight recipes at four sizes: what one comparison by itself would show, 36 together do not."""
    others = {f"b{number}": (Brightness(0.01 * (1 + number)),) for number in range(4)}
    changes = {"optimizers": {"adam": Adam()}, "seeds": 5, "primary": "each"}
    recipes = {"none": (), "bright": (Brightness(0.4),), **others}
    section = section_of(lambda images: 0.006, recipes=recipes, size=0.003, **changes)
    sentence = section.answer[1]
    assert "is not shown to help or hurt" in sentence
    assert "; adjusted p = " in sentence
    assert "comparison with the baseline" in section.tables[0].caption


def test_dunnetts_correction_is_called_so():
    _, sentence = section_of(fading(0.05, -0.014), test=Dunnett()).answer
    assert "; Dunnett p < .001) and by " in sentence
    assert sentence.endswith("; Holm p < .001) (5 seeds).")


def uneven(cell: Cell) -> int:
    """Folds differ by an image, and a run is missing."""
    return 2 * cell.spec.train_size.per_class + (cell.seed == 4)


def test_a_size_has_one_column_however_many_images_its_folds_have():
    recipes = {"none": (), "bright": (Brightness(0.4),), "contrast": (Contrast(0.4),)}
    levels = {str(2 * each): TrainSize(each) for each in SIZES}
    requested = replace(question(), recipes=recipes, vary={"train_size": levels}, optimizers={"adam": Adam()})
    results = results_of(
        requested, lambda cell: "failed" if (cell.factors["recipe"], cell.seed) == ("bright", 4) else 0.8 + luck(cell)
    )
    section = train_size(
        Study(replace(results, frame=results.frame.assign(train_images=[*map(uneven, results.cells)])))
    )
    heads = [head for key, head in section.tables[0].headers.items() if key.startswith("at ")]
    assert heads == ["100 images", "200 images", "400 images", "800 images"]
    assert all(row[key] != NONE for row in section.tables[0].groups[0].rows for key in section.tables[0].headers)


def test_sizes_that_look_alike_are_told_apart_by_name():
    requested = replace(question(), vary={"train_size": {"a": TrainSize(50), "b": TrainSize(51), "c": TrainSize(99)}})
    results = results_of(requested, lambda cell: 0.8 + luck(cell))
    images = {"a": 1_000_000.2, "b": 1_000_000.4, "c": 1_000_001}
    table = results.frame.assign(train_images=results.frame["train_size"].map(images))
    section = train_size(Study(replace(results, frame=table)))
    heads = [head for key, head in section.tables[0].headers.items() if key.startswith("at ")]
    assert heads == ["1,000,000 images (a)", "1,000,000 images (b)", "1,000,001 images"]
    nothing = replace(results, frame=results_of(requested, lambda cell: "planned").frame.assign(train_images=math.nan))
    assert [head for key, head in train_size(Study(nothing)).tables[0].headers.items() if key.startswith("at ")] == [
        "a",
        "b",
        "c",
    ]


def test_few_seeds_and_missing_ones():
    foremost, few = section_of(fading(0.05, -0.014), seeds=2).answer
    assert foremost == "bright cannot be judged: no claim under 3 seeds."
    assert few.startswith("bright: no claim under 3 seeds")
    assert " points with 100 images, +" in few
    one = section_of(fading(0.05, -0.014), seeds=1)
    assert ": too few finished seeds, 1 " in one.answer[1]
    assert one.figures == ()
    row = one.tables[0].groups[0].rows[0]
    assert (row["seeds"], row["slope"], row["at 100"]) == ("1 of 1", NONE, NONE)


def test_the_table_has_a_column_a_size_and_the_slope():
    section = section_of(fading(0.05, -0.014))
    row = section.tables[0].groups[0].rows[0]
    assert list(section.tables[0].headers) == [
        "recipe",
        "claim",
        "slope",
        "at 100",
        "at 200",
        "at 400",
        "at 800",
        "interval",
        "p_holm",
        "seeds",
    ]
    assert [section.tables[0].headers[f"at {size}"] for size in (100, 800)] == ["100 images", "800 images"]
    assert set(row) == set(section.tables[0].headers)
    assert (row["at 100"], row["at 800"]) == ("+5.0", "+0.8")
    assert (row["slope"], row["p_holm"]) == (f"{MINUS}1.4", "<.001")
    assert "each a mean over 2 conditions" in section_of(fading(0.05, -0.014), **BOTH).tables[0].caption
    assert "also updated less often" in section.tables[0].caption


def test_the_figure_stands_on_doublings_and_in_points():
    info = section_of(fading(0.05, -0.014)).figures[0].data
    (panel,) = info.panels
    assert panel.title == "bright"
    np.testing.assert_allclose(panel.at, np.log2([100, 200, 400, 800]))
    assert panel.mean == pytest.approx([5.0, 3.6, 2.2, 0.8])
    assert (info.margin, info.unit, info.baseline) == (1.0, "points of accuracy", "none")
    assert info.limits[0] <= -1.2
    loss = section_of(fading(0.05, -0.014), metric="log_loss").figures[0]
    assert loss.data.panels[0].mean[0] == pytest.approx(0.05)
    assert "; below 0 the recipe is better" in loss.caption


def test_of_many_recipes_those_that_change_are_named_and_the_surest_drawn():
    others = {f"b{number}": (Brightness(0.01 * (1 + number)),) for number in range(MOST_PANELS + 2)}
    section = section_of(fading(0.05, -0.014), recipes={"none": (), "bright": (Brightness(0.4),), **others})
    assert section.answer[0].startswith("The gain of bright shrinks by 1.4 points ")
    assert section.answer[1].startswith("bright helps by")
    assert section.answer[-1].startswith(f"Of {len(others)} other recipes it is not shown ")
    assert len(section.tables[0].groups[0].rows) == len(others) + 1
    assert len(section.figures[0].data.panels) == MOST_PANELS
    assert section.figures[0].data.panels[0].title == "bright"
    assert f" {MOST_PANELS} recipes of {len(others) + 1}" in section.figures[0].caption


def test_several_that_change_are_named_with_the_largest():
    recipes = {"none": (), "bright": (Brightness(0.4),), "bright again": (Brightness(0.5),)}
    levels = {str(2 * each): TrainSize(each) for each in (*SIZES, 800)}
    changes = {"vary": {"train_size": levels}, "optimizers": {"adam": Adam()}}

    def score(cell: Cell) -> float:
        doublings = math.log2(cell.spec.train_size.per_class / 50)
        slope = {"bright": -0.01, "bright again": 0.02}.get(cell.factors["recipe"], 0.0)
        return 0.7 + slope * doublings + luck(cell, 0.002)

    results = results_of(replace(question(), recipes=recipes, **changes), score)
    images = [2 * cell.spec.train_size.per_class for cell in results.cells]
    section = train_size(Study(replace(results, frame=results.frame.assign(train_images=images))))
    assert plain(section.answer[0]) == (
        "The effects of “bright” and “bright again” change by up to 2.0 points for each doubling of the training "
        "images."
    )
    assert set(section.tables[0].spare) >= {"at 200", "at 400", "at 800"}, "of many sizes the ends are shown"
    assert not {"at 100", "at 1600"} & set(section.tables[0].spare)


def test_where_the_train_size_does_not_vary_the_section_is_absent():
    assert train_size(Study(results_of(question()))) is None
