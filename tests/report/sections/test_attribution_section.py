"""What each operation contributes, in words: each design, either direction, what is unshown, missing or too few."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from balanced import luck
from made_up import question, results_of

from ablation.analysis.comparison import Dunnett
from ablation.augment import Brightness, Contrast, Hue, Saturation
from ablation.core.text import MINUS, p_text
from ablation.data import PerSeed, Redrawn
from ablation.evidence.effects import NOT_REACHED_POOLED
from ablation.evidence.study import compare
from ablation.experiment.experiment import Cell
from ablation.experiment.recipes import leave_one_out, powerset
from ablation.optim import Adam
from ablation.report.section import Told
from ablation.report.sections.attribution.section import MOST_ROWS, operations_told
from ablation.report.sections.effects.answer import answer
from ablation.report.text import interval

PARTS: dict[str, Any] = {"bright": Brightness(0.4), "contrast": Contrast(0.4), "hue": Hue(0.2)}
ALONE = {"none": ()} | {name: (operation,) for name, operation in PARTS.items()} | {"all": tuple(PARTS.values())}
ADAM = {"optimizers": {"adam": Adam()}}


def scoring(worth: dict[str, float], together: float = 0.0) -> Callable[[Cell], float]:
    """A sum of worths, by the recipes' names, and something more where all three meet."""

    def score(cell: Cell) -> float:
        held = [name for name, operation in PARTS.items() if operation in cell.spec.recipe]
        extra = together if len(held) == 3 else 0.0
        return 0.7 + sum(worth.get(name, 0.0) for name in held) + extra + luck(cell, 0.002)

    return score


def told(recipes: dict[str, Any], score: Callable[[Cell], Any], **changes: Any) -> Told:
    found = operations_told(results_of(replace(question(), recipes=recipes, **changes), score))
    assert found is not None
    return found


def words(found: Told) -> str:
    return " ".join(found.sentences)


def test_alone_what_is_shown_what_is_not_and_the_sum():
    found = told(ALONE, scoring({"bright": 0.05}))
    assert found.asks.startswith("Each of bright, contrast and hue was run alone, and all of them together as all.")
    first, second = found.sentences
    assert first.startswith("bright contributes 5.0 points of accuracy (95 % interval 4.")
    assert "; adjusted p < .001; also shown under adam and sgd, each alone); " in first
    assert "contrast and hue are equivalent to none within 1.0 points (contrast 0.0, equivalence p = .00" in first
    assert first.endswith(", pooled over adam and sgd (5 seeds)."), "each of these is a comparison with the baseline"
    assert second.startswith("Together they gain 5.0 points of accuracy (95 % interval ")
    assert "; that this differs from the sum of what each does alone on these test photographs is not shown (" in second


def test_less_than_the_sum_and_more():
    less = words(told(ALONE, scoring({"bright": 0.05, "hue": 0.05}, together=-0.05)))
    assert ", 5.0 points less than the sum of what each does alone on these test photographs (95 % interval " in less
    assert less.endswith("they do the same work twice, or are too much together.")
    more = words(told(ALONE, scoring({"bright": 0.03}, together=0.05)))
    assert "points more than the sum of what each does alone" in more
    assert more.endswith("they help one another.")


def test_of_harm_no_work_is_said_to_be_done():
    harm = words(told(ALONE, scoring({"bright": -0.05, "hue": -0.03}, together=-0.05), **ADAM))
    assert harm.startswith("hue costs 3.0 points of accuracy")
    assert "; bright costs 5." in harm
    assert "Together they lose 13." in harm
    assert harm.endswith(": what one does depends on the others.")
    assert ", under adam (5 seeds)." in harm


def test_of_a_loss_less_is_better():
    score = scoring({"bright": -0.05, "hue": 0.03})
    found = told(ALONE, score, metric="log_loss", **ADAM)
    first, second = found.sentences
    assert first.startswith("bright lowers log loss by 0.050 nats (95 % interval 0.04")
    assert "; hue raises log loss by 0.03" in first
    assert "contrast is equivalent to none within 0.010 nats (0.000, equivalence p = .00" in first
    assert second.startswith("Together they lower log loss by 0.0")
    assert [row["claim"] for row in found.groups[0].rows[:3]] == ["helps", "equivalent", "harms"]
    assert found.scene.info.lower_is_better
    more = words(told(ALONE, scoring({"bright": -0.05}, together=-0.04), metric="log_loss", **ADAM))
    assert "nats lower than by the sum of what each does alone" in more
    assert more.endswith("they help one another.")
    less = words(told(ALONE, scoring({"bright": -0.05}, together=0.04), metric="log_loss", **ADAM))
    assert "nats higher than by the sum of what each does alone" in less


def test_every_order_tells_what_it_hides():
    found = told(powerset(PARTS), scoring({"bright": 0.05, "hue": 0.05}, together=-0.05), **ADAM)
    assert found.asks.startswith("All 8 combinations of bright, contrast and hue were run.")
    assert "An average over every order does not say it all: alone and added to all the others, bright +" in words(
        found
    )
    assert [found.headers["alone"], found.headers["last"]] == ["added alone", "added to all others"]
    quiet = told(powerset(PARTS), scoring({"bright": 0.05}), **ADAM)
    assert "does not say it all" not in words(quiet)
    assert "alone" in quiet.headers
    assert "alone" not in told(ALONE, scoring({})).headers


def test_left_out_one_by_one():
    found = told(leave_one_out(PARTS), scoring({"bright": 0.05, "hue": 0.05}, together=0.04), **ADAM)
    assert found.asks.startswith("Each of bright, contrast and hue was left out of all, which has them all.")
    assert "less than the sum of what each adds to the others" in words(found)
    assert words(found).endswith("each does more beside the others.")
    assert "of what each does added to the others." in found.scene.caption
    makes_up = told(leave_one_out(PARTS), scoring({"bright": 0.05, "hue": 0.05}, together=-0.03), **ADAM)
    assert words(makes_up).endswith("where one is left out, the others partly make up for it.")


def test_conditions_of_two_factors_are_counted_not_listed():
    """'adam, dropout 0.0, adam, dropout 0.3' is no list that can be read."""
    two = told(ALONE, scoring({"bright": 0.05}), vary={"dropout": (0.0, 0.3)})
    assert "; also shown under 4 of 4 conditions, each alone)" in two.sentences[0]
    assert two.sentences[0].endswith(", pooled over 4 conditions (5 seeds).")


def test_the_correction_is_called_by_its_name():
    found = told(ALONE, scoring({"bright": 0.05}), test=Dunnett())
    assert "; Dunnett p < .001; also shown under adam and sgd, each alone)" in found.sentences[0]
    assert "; Dunnett p < .001); that this differs" in found.sentences[1]
    assert "(remainder " in found.sentences[1]
    assert "; Holm p = " in found.sentences[1]
    assert found.headers["p_adjusted"] == "adjusted p"
    assert "corrected over all comparisons of the experiment (Dunnett, the interval too)." in found.caption


def test_an_interval_beside_a_claim_is_on_the_side_of_the_claim():
    """Bright varies most, so that Welch's interval would hold 0 where Dunnett's test, which pools, is sure."""

    def score(cell: Cell) -> float:
        bright = cell.factors["recipe"] == "bright"
        return 0.7 + 0.009 * bright + (cell.seed - 1) * (0.004 if bright else 0.001)

    found = told(ALONE, score, test=Dunnett(), seeds=3, **ADAM)
    bright = found.groups[0].rows[0]
    assert bright["claim"] == "helps"
    assert bright["interval"].startswith("+")


def test_what_all_together_do_is_what_the_comparison_says():
    """Uncorrected p = .02 would be a gain; after correction over all comparisons it is none."""
    results = results_of(replace(question(), recipes=ALONE, **ADAM), scoring({"hue": 0.0055}))
    effect = next(effect for effect in compare(results) if effect.recipe == "all")
    assert effect.p < 0.05 < effect.p_adjusted
    found = operations_told(results)
    assert found.sentences[1].startswith("Together they are not shown to change accuracy (+0.5; Holm p = .1")
    together = found.groups[0].rows[3]
    assert (together["operation"], together["claim"]) == ("all together", "not shown")
    assert together["p_adjusted"] == p_text(effect.p_adjusted)


def test_names_are_left_as_they_are():
    recipes = {"none": (), "r0": (Brightness(0.4),), "R0": (Contrast(0.4),)}
    recipes |= {"both": (Brightness(0.4), Contrast(0.4))}
    found = told(recipes, lambda cell: 0.7 + luck(cell), **ADAM)
    assert found.sentences[0].startswith("r0 and R0 are not shown to ")


def test_nothing_shown():
    """With a margin that nothing could be shown to lie within; every order is judged here, and has an interval."""
    found = told(ALONE, scoring({}), margin=0.0001)
    assert found.sentences[0].startswith("bright, contrast and hue are not shown to change accuracy (bright 0.0; ")
    assert found.sentences[1].startswith("Together they are not shown to change accuracy (0.0; adjusted p = 1.000)")
    assert {row["claim"] for row in found.groups[-1].rows} == {"not shown"}
    assert {row["claim"] for row in found.groups[0].rows} == {"not tested", "not shown"}
    every = told(powerset(PARTS), scoring({}))
    assert f"not shown to change accuracy (bright 0.0, {MINUS}0." in every.sentences[0]
    assert every.sentences[0].endswith(", pooled over adam and sgd, on these test photographs (5 seeds).")
    assert "Together they are equivalent to none within 1.0 points (0.0, equivalence p = .0" in every.sentences[1]


def test_what_the_comparison_calls_equivalent_is_not_said_to_be_open():
    """Recipe by recipe the section says what the answer says, and the intervals stand there only."""
    results = results_of(replace(question(), recipes=ALONE), scoring({"hue": 0.05}))
    effects = compare(results)
    verdicts = {effect.recipe: effect.verdict for effect in effects if effect.pooled}
    found = operations_told(results)
    assert verdicts == {
        "none": "baseline", "bright": "equivalent", "contrast": "equivalent", "hue": "better", "all": "better",
    }  # fmt: skip
    assert [row["claim"] for row in found.groups[-1].rows[:4]] == ["equivalent", "equivalent", "helps", "helps"]
    for effect in effects:
        if effect.pooled and effect.verdict == "equivalent":
            span = interval(effect.low, effect.high, "accuracy")
            assert span in " ".join(answer(results.experiment, effects))
            assert span not in words(found)


def test_of_what_is_not_tested_nothing_is_claimed():
    """Pooled comparisons that stand behind those under each condition, and these are undecided."""

    def score(cell: Cell) -> float:
        return scoring({})(cell) + luck(cell, 0.02)

    results = results_of(replace(question(), recipes=ALONE, primary="each"), score)
    notes = {effect.recipe: effect.note for effect in compare(results) if effect.pooled}
    assert notes["bright"] == notes["all"] == NOT_REACHED_POOLED
    found = operations_told(results)
    assert found.sentences[0].startswith("bright, contrast and hue are not tested (bright ")
    assert found.sentences[1].startswith("Together they are not tested (")
    assert {row["claim"] for row in found.groups[-1].rows[:4]} == {"not tested"}


def test_a_redrawn_test_part_is_not_given():
    found = told(powerset(PARTS), scoring({"bright": 0.05}), split=PerSeed(), test=None)
    assert "on these test photographs" not in words(found) + found.caption
    assert "holds for new training and test photographs, on this data, model and budget." in found.caption


def test_what_is_judged_over_seeds_says_what_it_holds_for():
    found = told(powerset(PARTS), scoring({"bright": 0.05}), split=Redrawn(0.1, 0.1, 0.2), test=None)
    assert "on these test photographs (5 seeds)." in found.sentences[0]
    assert "The rest holds for new training photographs, on these test photographs, on this data," in found.caption


def test_also_shown_under_one_condition_or_none():
    def under_adam(cell: Cell) -> float:
        return scoring({"bright": 0.1 * (cell.factors["optimizer"] == "adam")})(cell)

    assert "; also shown under adam alone)" in told(ALONE, under_adam).sentences[0]

    def shared(cell: Cell) -> float:
        """A luck that adam and sgd have against one another, so that it is gone where they are pooled."""
        apart = 0.1 * (cell.seed - 2) * (1 if cell.factors["optimizer"] == "adam" else -1)
        return scoring({"bright": 0.05})(cell) + apart

    assert "; not shown under any condition alone); " in told(ALONE, shared).sentences[0]


def test_the_table_has_a_heading_a_condition_and_the_sums_last():
    found = told(ALONE, scoring({"bright": 0.05}))
    assert [group.title for group in found.groups] == ["adam", "sgd", "pooled over 2 conditions"]
    assert [group.pooled for group in found.groups] == [False, False, True]
    for group in found.groups:
        assert [row["operation"] for row in group.rows] == [
            "bright",
            "contrast",
            "hue",
            "all together",
            "beyond the sum",
        ]
        assert all(set(found.headers) <= set(row) for row in group.rows)
    bright = found.groups[-1].rows[0]
    assert (bright["contribution"], bright["p_adjusted"], bright["claim"]) == ("+5.0", "<.001", "helps")
    together, beyond = found.groups[-1].rows[3:]
    assert (together["p_adjusted"], together["claim"], beyond["claim"]) == ("<.001", "helps", "not shown")


def test_few_seeds_and_missing_ones_make_no_claim():
    few = told(ALONE, scoring({"bright": 0.05}), seeds=2, **ADAM)
    assert few.sentences == (f"No claim under 3 seeds; so far, in points of accuracy: {_seen(few)}.",)
    assert {row["claim"] for row in few.groups[0].rows[:3]} == {"no claim"}
    lost = told(ALONE, lambda cell: "failed" if cell.spec.recipe and cell.seed else 0.8 + luck(cell), **ADAM)
    assert lost.sentences == ("No answer yet: a recipe of the design has 1 finished seed.",)
    assert lost.scene is None
    assert lost.groups[0].rows[0]["claim"] == "too few finished seeds"
    assert lost.groups[0].title == "adam, at least 1 of 5 seeds"


def _seen(found: Told) -> str:
    one, two, three = ((row["operation"], row["contribution"]) for row in found.groups[0].rows[:3])
    return f"{' '.join(one)}, {' '.join(two)} and {' '.join(three)}"


def test_what_takes_no_part_is_told_with_its_reason():
    found = told({**ALONE, "other": (Saturation(0.3),), "turned": (Hue(0.2), Brightness(0.4))}, scoring({}))
    assert "Left out: other (it makes no complete design with the others)." in found.caption
    assert "Left out: turned (it has its operations in another order)." in found.caption


def test_the_picture_shows_the_numbers_of_the_table():
    found = told(powerset(PARTS), scoring({"bright": 0.05}, together=-0.03))
    info = found.scene.info
    assert info.marked
    for group, rows in zip(info.groups, found.groups, strict=True):
        assert (group.title, group.pooled) == (rows.title, rows.pooled)
        for drawn, row in zip(group.rows, rows.rows, strict=True):
            assert drawn.name == row["operation"]
            assert drawn.text.startswith(row["contribution"])
            assert f"{drawn.estimate:+.1f}".replace("-", MINUS).replace("+0.0", "0.0") in (
                row["contribution"], f"{MINUS}{row['contribution']}",
            )  # fmt: skip
    assert [row.kind for row in info.groups[0].rows] == ["one", "one", "one", "all", "beyond"]
    assert not told(ALONE, scoring({})).scene.info.marked


def test_of_many_conditions_only_the_pooled_are_drawn():
    many = {f"adam {place}": Adam(lr=0.001 * (1 + place)) for place in range(9)}
    found = told(ALONE, scoring({"bright": 0.05}), optimizers=many)
    assert sum(len(group.rows) for group in found.groups) > MOST_ROWS
    assert [group.pooled for group in found.scene.info.groups] == [True]
    assert "Drawn is the last of 10 headings of the table." in found.scene.caption
    assert "; also shown under 9 of 9 conditions, each alone)" in found.sentences[0]
    assert "pooled over 9 conditions (5 seeds)" in found.sentences[0]


def test_without_a_design_the_section_is_absent():
    assert operations_told(results_of(question())) is None


@pytest.mark.parametrize("seeds", [3, 5])
def test_seeds_that_are_missing_are_said(seeds):
    found = told(
        ALONE,
        lambda cell: "planned" if cell.factors["recipe"] == "hue" and cell.seed >= seeds else scoring({})(cell),
        **ADAM,
    )
    assert found.sentences[0].endswith("under adam (5 seeds)." if seeds == 5 else "under adam (at least 3 of 5 seeds).")
