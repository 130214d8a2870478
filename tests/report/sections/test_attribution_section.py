"""What each operation contributes, in words: each design, either direction, what is unshown, missing or too few."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from balanced import luck
from made_up import question, results_of
from names import unmarked

from ablation.analysis.comparison import Dunnett
from ablation.augment import Brightness, Contrast, Hue, Saturation
from ablation.core.text import MINUS, bare, p_text
from ablation.data import PerSeed, Redrawn
from ablation.evidence.effects import NOT_REACHED_POOLED
from ablation.evidence.study import Study, compare
from ablation.experiment.experiment import Cell
from ablation.experiment.recipes import leave_one_out, powerset
from ablation.optim import Adam
from ablation.report.section import Section
from ablation.report.sections.attribution.section import MOST_ROWS, attribution
from ablation.report.sections.effects.text import answer
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


def section_of(recipes: dict[str, Any], score: Callable[[Cell], Any], **changes: Any) -> Section:
    section = attribution(Study(results_of(replace(question(), recipes=recipes, **changes), score)))
    assert section is not None
    return unmarked(section)


def words(section: Section) -> str:
    return " ".join(section.answer)


def test_alone_what_is_shown_what_is_not_and_the_sum():
    section = section_of(ALONE, scoring({"bright": 0.05}))
    assert section.question.startswith("Each of bright, contrast and hue ")
    foremost, bright, others, together, scope = section.answer
    assert foremost == "bright contributes 5.0 points of accuracy; no other operation is shown to change it."
    assert bright.startswith("bright contributes 5.0 points")
    assert "adjusted p < .001). It is also shown under adam and sgd, each alone." in bright
    assert others.startswith("contrast and hue are equivalent")
    assert together.startswith("Together the operations gain 5.0 points")
    assert "these test photographs is not shown (" in together
    assert scope == "Numbers are pooled over adam and sgd (5 seeds).", "each is a comparison"
    assert section.figures[0].caption.startswith("1 of 3 operations is shown to change accuracy, pooled over 2 ")
    assert section.figures[0].alt.endswith(": “bright” +5.0, “contrast” 0.0 and “hue” 0.0; all together +5.0")


def test_several_that_change_the_score_are_counted():
    two = section_of(ALONE, scoring({"bright": 0.03, "hue": -0.05}))
    assert two.answer[0] == "hue costs 5.0 points of accuracy; 1 other operation changes it, too."
    assert two.answer[1].startswith("bright contributes"), "the best first"
    three = section_of(ALONE, scoring({"bright": 0.03, "contrast": 0.03, "hue": 0.05}))
    assert three.answer[0].endswith("; 2 other operations change it, too.")
    assert three.figures[0].caption.startswith("3 of 3 operations are shown ")


def test_less_than_the_sum_and_more():
    less = words(section_of(ALONE, scoring({"bright": 0.05, "hue": 0.05}, together=-0.05)))
    assert "That is 5.0 points less than the sum " in less
    assert "the same work twice" in less
    more = words(section_of(ALONE, scoring({"bright": 0.03}, together=0.05)))
    assert "points more than the sum" in more
    assert "): they help one another. " in more


def test_of_harm_no_work_is_said_to_be_done():
    harm = words(section_of(ALONE, scoring({"bright": -0.05, "hue": -0.03}, together=-0.05), **ADAM))
    assert harm.startswith(
        "bright costs 5.0 points of accuracy; 1 other operation changes it, too. hue costs 3.0 points"
    )
    assert "). bright costs 5." in harm
    assert "Together the operations lose 13." in harm
    assert " depends on the others. " in harm
    assert harm.endswith(" Numbers are those under adam (5 seeds).")


def test_of_a_loss_less_is_better():
    score = scoring({"bright": -0.05, "hue": 0.03})
    section = section_of(ALONE, score, metric="log_loss", margin=0.01, **ADAM)
    foremost, bright, hue, contrast, together, _ = section.answer
    assert foremost.startswith("bright lowers log loss by 0.050")
    assert bright.startswith("bright lowers log loss by 0.050")
    assert hue.startswith("hue raises log loss by 0.03")
    assert "equivalent to none within 0.010" in contrast
    assert together.startswith("Together the operations lower log loss ")
    assert [row["claim"] for row in section.tables[0].groups[0].rows[:3]] == ["helps", "equivalent", "harms"]
    assert section.figures[0].data.lower_is_better
    more = words(section_of(ALONE, scoring({"bright": -0.05}, together=-0.04), metric="log_loss", **ADAM))
    assert "nats lower than by the sum" in more
    assert "): they help one another. " in more
    less = words(section_of(ALONE, scoring({"bright": -0.05}, together=0.04), metric="log_loss", **ADAM))
    assert "nats higher than by the sum" in less


def test_every_order_says_what_it_hides():
    section = section_of(powerset(PARTS), scoring({"bright": 0.05, "hue": 0.05}, together=-0.05), **ADAM)
    assert section.question.startswith("All 8 combinations of bright, ")
    assert "does not say it all: alone and added" in words(section)
    assert [section.tables[0].headers["alone"], section.tables[0].headers["last"]] == [
        "added alone",
        "added to all others",
    ]
    quiet = section_of(powerset(PARTS), scoring({"bright": 0.05}), **ADAM)
    assert "does not say it all" not in words(quiet)
    assert "alone" in quiet.tables[0].headers
    assert "alone" not in section_of(ALONE, scoring({})).tables[0].headers


def test_left_out_one_by_one():
    section = section_of(leave_one_out(PARTS), scoring({"bright": 0.05, "hue": 0.05}, together=0.04), **ADAM)
    assert " was left out of all" in section.question
    assert " each adds to the others" in words(section)
    assert " more beside the others. " in words(section)
    assert "each does added to the others." in section.figures[0].caption
    makes_up = section_of(leave_one_out(PARTS), scoring({"bright": 0.05, "hue": 0.05}, together=-0.03), **ADAM)
    assert " partly make up for it. " in words(makes_up)


def test_conditions_of_two_factors_are_counted_not_listed():
    """'adam, dropout 0.0, adam, dropout 0.3' is no list that can be read."""
    two = section_of(ALONE, scoring({"bright": 0.05}), vary={"dropout": (0.0, 0.3)})
    assert "under 4 of 4 conditions, each" in two.answer[1]
    assert two.answer[-1].endswith("over 4 conditions (5 seeds).")


def test_the_correction_is_called_by_its_name():
    section = section_of(ALONE, scoring({"bright": 0.05}), test=Dunnett())
    _, bright, _, together, _ = section.answer
    assert "; Dunnett p < .001). It is also" in bright
    assert "; Dunnett p < .001). That " in together
    assert "(remainder " in together
    assert "; Holm p = " in together
    assert section.tables[0].headers["p_adjusted"] == "adjusted p"
    assert "(Dunnett, the interval too)." in section.tables[0].caption


def test_an_interval_beside_a_claim_is_on_the_side_of_the_claim():
    """Bright varies most, so that Welch's interval would hold 0 where Dunnett's test, which pools, is sure."""

    def score(cell: Cell) -> float:
        bright = cell.factors["recipe"] == "bright"
        return 0.7 + 0.009 * bright + (cell.seed - 1) * (0.004 if bright else 0.001)

    section = section_of(ALONE, score, test=Dunnett(), seeds=3, **ADAM)
    bright = section.tables[0].groups[0].rows[0]
    assert bright["claim"] == "helps"
    assert bright["interval"].startswith("+")


def test_what_all_together_do_is_what_the_comparison_says():
    """Uncorrected p = .02 would be a gain; after correction over all comparisons it is none."""
    results = results_of(replace(question(), recipes=ALONE, **ADAM), scoring({"hue": 0.0055}))
    effect = next(effect for effect in compare(results) if effect.recipe == "all")
    assert effect.p < 0.05 < effect.p_adjusted
    section = attribution(Study(results))
    assert "not shown to change accuracy (+0.5; Holm p = .1" in words(section)
    together = section.tables[0].groups[0].rows[3]
    assert (together["operation"], together["claim"]) == ("all together", "not shown")
    assert together["p_adjusted"] == p_text(effect.p_adjusted)


def test_names_are_left_as_they_are():
    recipes = {"none": (), "r0": (Brightness(0.4),), "R0": (Contrast(0.4),)}
    recipes |= {"both": (Brightness(0.4), Contrast(0.4))}
    section = section_of(recipes, lambda cell: 0.7 + luck(cell), **ADAM)
    assert section.answer[1].startswith("r0 and R0 are not shown to ")


def test_nothing_shown():
    """With a margin that nothing could be shown to lie within; every order is judged here, and has an interval."""
    section = section_of(ALONE, scoring({}), margin=0.0001)
    assert section.answer[0] == "No operation is shown to change accuracy."
    assert section.figures[0].caption.startswith("None of 3 operations is shown to change accuracy")
    assert " hue are not shown to change " in section.answer[1]
    assert "(0.0; adjusted p = 1.000)" in section.answer[2]
    assert {row["claim"] for row in section.tables[0].groups[-1].rows} == {"not shown"}
    assert {row["claim"] for row in section.tables[0].groups[0].rows} == {"not tested", "not shown"}
    every = section_of(powerset(PARTS), scoring({}))
    assert f"(bright 0.0, {MINUS}0." in every.answer[1]
    assert every.answer[-1].endswith(" test photographs (5 seeds).")
    assert "equivalent to none " in every.answer[2]
    alike = section_of(ALONE, scoring({}))
    assert alike.answer[0] == "Every operation is equivalent to none within 1.0 points."


def test_what_the_comparison_calls_equivalent_is_not_said_to_be_open():
    """Recipe by recipe the section says what the answer says, and the intervals stand there only."""
    results = results_of(replace(question(), recipes=ALONE), scoring({"hue": 0.05}))
    effects = compare(results)
    verdicts = {effect.recipe: effect.verdict for effect in effects if effect.pooled}
    section = attribution(Study(results))
    assert verdicts == {
        "none": "baseline", "bright": "equivalent", "contrast": "equivalent", "hue": "better", "all": "better",
    }  # fmt: skip
    assert [row["claim"] for row in section.tables[0].groups[-1].rows[:4]] == [
        "equivalent",
        "equivalent",
        "helps",
        "helps",
    ]
    for effect in effects:
        if effect.pooled and effect.verdict == "equivalent":
            span = interval(effect.low, effect.high, "accuracy")
            assert span in " ".join(answer(results.experiment, effects))
            assert span not in words(section)


def test_of_what_is_not_tested_nothing_is_claimed():
    """Pooled comparisons that stand behind those under each condition, and these are undecided."""

    def score(cell: Cell) -> float:
        return scoring({})(cell) + luck(cell, 0.02)

    results = results_of(replace(question(), recipes=ALONE, primary="each"), score)
    notes = {effect.recipe: effect.note for effect in compare(results) if effect.pooled}
    assert notes["bright"] == notes["all"] == NOT_REACHED_POOLED
    section = attribution(Study(results))
    foremost, each, together, _ = map(bare, section.answer)
    assert foremost == "No operation is shown to change accuracy."
    assert " are not tested (bright " in each
    assert " are not tested (" in together
    assert {row["claim"] for row in section.tables[0].groups[-1].rows[:4]} == {"not tested"}


def test_a_redrawn_test_part_is_not_given():
    section = section_of(powerset(PARTS), scoring({"bright": 0.05}), split=PerSeed(), test=None)
    assert "on these test photographs" not in words(section) + section.tables[0].caption
    assert "training and test photographs" in section.tables[0].caption


def test_what_is_judged_over_seeds_says_what_it_holds_for():
    section = section_of(powerset(PARTS), scoring({"bright": 0.05}), split=Redrawn(0.1, 0.1, 0.2), test=None)
    assert "test photographs (5 seeds)." in section.answer[-1]
    assert "new training photographs, on " in section.tables[0].caption


def test_also_shown_under_one_condition_or_none():
    def under_adam(cell: Cell) -> float:
        return scoring({"bright": 0.1 * (cell.factors["optimizer"] == "adam")})(cell)

    assert section_of(ALONE, under_adam).answer[1].endswith(" It is also shown under adam alone.")

    def shared(cell: Cell) -> float:
        """A luck that adam and sgd have against one another, so that it is gone where they are pooled."""
        apart = 0.1 * (cell.seed - 2) * (1 if cell.factors["optimizer"] == "adam" else -1)
        return scoring({"bright": 0.05})(cell) + apart

    assert section_of(ALONE, shared).answer[1].endswith(" It is not shown under any condition alone.")


def test_the_table_has_a_heading_a_condition_and_the_sums_last():
    section = section_of(ALONE, scoring({"bright": 0.05}))
    assert [group.title for group in section.tables[0].groups] == ["adam", "sgd", "pooled over 2 conditions"]
    assert [group.pooled for group in section.tables[0].groups] == [False, False, True]
    for group in section.tables[0].groups:
        assert [row["operation"] for row in group.rows] == [
            "bright",
            "contrast",
            "hue",
            "all together",
            "beyond the sum",
        ]
        assert all(set(section.tables[0].headers) <= set(row) for row in group.rows)
    bright = section.tables[0].groups[-1].rows[0]
    assert (bright["contribution"], bright["p_adjusted"], bright["claim"]) == ("+5.0", "<.001", "helps")
    together, beyond = section.tables[0].groups[-1].rows[3:]
    assert (together["p_adjusted"], together["claim"], beyond["claim"]) == ("<.001", "helps", "not shown")


def test_few_seeds_and_missing_ones_make_no_claim():
    few = section_of(ALONE, scoring({"bright": 0.05}), seeds=2, **ADAM)
    assert few.answer == ("No claim under 3 seeds.", f"So far, in points of accuracy: {_seen(few)}.")
    assert few.figures[0].caption.startswith("No contribution is judged yet: no claim under 3 seeds. ")
    assert {row["claim"] for row in few.tables[0].groups[0].rows[:3]} == {"no claim"}
    lost = section_of(ALONE, lambda cell: "failed" if cell.spec.recipe and cell.seed else 0.8 + luck(cell), **ADAM)
    assert lost.answer[0].startswith("No answer yet: ")
    assert lost.figures == ()
    assert lost.tables[0].groups[0].rows[0]["claim"] == "too few finished seeds"
    assert lost.tables[0].groups[0].title == "adam, at least 1 of 5 seeds"


def _seen(section: Section) -> str:
    one, two, three = ((row["operation"], row["contribution"]) for row in section.tables[0].groups[0].rows[:3])
    return f"{' '.join(one)}, {' '.join(two)} and {' '.join(three)}"


def test_what_takes_no_part_is_named_with_its_reason():
    section = section_of({**ALONE, "other": (Saturation(0.3),), "turned": (Hue(0.2), Brightness(0.4))}, scoring({}))
    assert "Left out: other (it makes no " in section.tables[0].caption
    assert " turned (it has" in section.tables[0].caption


def test_the_figure_shows_the_numbers_of_the_table():
    section = section_of(powerset(PARTS), scoring({"bright": 0.05}, together=-0.03))
    info = section.figures[0].data
    assert info.marked
    for group, rows in zip(info.groups, section.tables[0].groups, strict=True):
        assert (group.title, group.pooled) == (rows.title, rows.pooled)
        for drawn, row in zip(group.rows, rows.rows, strict=True):
            assert drawn.name == row["operation"]
            assert drawn.text.startswith(row["contribution"])
            assert f"{drawn.estimate:+.1f}".replace("-", MINUS).replace("+0.0", "0.0") in (
                row["contribution"], f"{MINUS}{row['contribution']}",
            )  # fmt: skip
    assert [row.kind for row in info.groups[0].rows] == ["one", "one", "one", "together", "beyond"]
    assert not section_of(ALONE, scoring({})).figures[0].data.marked


def test_of_many_conditions_only_the_pooled_are_drawn():
    many = {f"adam {index}": Adam(lr=0.001 * (1 + index)) for index in range(9)}
    section = section_of(ALONE, scoring({"bright": 0.05}), optimizers=many)
    assert sum(len(group.rows) for group in section.tables[0].groups) > MOST_ROWS
    assert [group.pooled for group in section.figures[0].data.groups] == [True]
    assert "Drawn is the last of 10 " in section.figures[0].caption
    assert "under 9 of 9 conditions" in section.answer[1]
    assert "over 9 conditions (5 seeds)" in section.answer[-1]


def test_without_a_design_the_section_is_absent():
    assert attribution(Study(results_of(question()))) is None


@pytest.mark.parametrize("seeds", [3, 5])
def test_seeds_that_are_missing_are_said(seeds):
    section = section_of(
        ALONE,
        lambda cell: "planned" if cell.factors["recipe"] == "hue" and cell.seed >= seeds else scoring({})(cell),
        **ADAM,
    )
    assert section.answer[-1].endswith("under adam (5 seeds)." if seeds == 5 else "under adam (at least 3 of 5 seeds).")
