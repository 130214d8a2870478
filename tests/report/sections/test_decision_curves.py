"""Decision curves: what is claimed of the areas, before and after temperature scaling, and what the figures hold."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from made_decisions import CLASSES, World, study_of
from scipy import stats

from ablation.analysis.comparison import CorrectedResampled, Crossed, Difference, Dunnett, Paired, Welch
from ablation.analysis.crossed import crossed
from ablation.analysis.decision import one_vs_rest_area, probabilities, temperature
from ablation.augment import Brightness
from ablation.cli.sections import fitting
from ablation.core.text import MINUS, NONE, name_spans, plain
from ablation.data import PerSeed
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.experiment.record import RunRecord
from ablation.optim import Adam
from ablation.report.contents import SECTIONS
from ablation.report.section import Section
from ablation.report.sections.decision_curves.compute import Decisions, RecipeAreas, curves_of, decisions_of
from ablation.report.sections.decision_curves.figure import _beside_all, draw_curves, draw_differences
from ablation.report.sections.decision_curves.section import decision_curves
from ablation.report.sections.decision_curves.text import answer, number
from ablation.report.style import styles

KNOWS = World(knows={"bright": 0.7})
HOT = World(heat={"none": 3.0, "contrast": 3.0}, val=400)
"""bright is as good as none, and surer by as much as it should be."""


def section_of(world: World | None = None, **options) -> Section:
    section = decision_curves(study_of(world, **options))
    assert section is not None
    return section


def found_in(study) -> Decisions:
    found = decisions_of(study)
    assert found is not None
    return found


def about(section: Section, recipe: str) -> str:
    """The sentence about a recipe, behind the one with which the section opens."""
    (said,) = (said for said in map(plain, section.answer[1:]) if said.startswith(f"“{recipe}”"))
    return said


def opened(section: Section) -> str:
    return plain(section.answer[0])


def records(study, **evidence):
    told = {"test_images": 150, "train_images": 60, **evidence}
    return {cell.spec.id: RunRecord(cell.spec.id, "finished", (), {}, told) for cell in study.results.cells}


def test_who_knows_more_has_the_larger_area_also_after_scaling():
    section = section_of(KNOWS)
    opening, bright, contrast, ahead, held = map(plain, section.answer)
    assert re.fullmatch(
        r"“bright” has a larger area under the decision curve than “none”, by \d+\.\d\d net true positives per 1,000 "
        r"images\.",
        opening,
    )
    assert re.fullmatch(
        r"“bright” has a larger area than “none” "
        r"\(\+\d+\.\d\d, 95 % interval \+\d+\.\d\d to \+\d+\.\d\d; Holm p < \.001\), also after temperature scaling "
        r"\(\+\d+\.\d\d, 95 % interval \+\d+\.\d\d to \+\d+\.\d\d; Holm p < \.001\)\.",
        bright,
    )
    assert contrast.startswith("“contrast” is not shown to change the area (")
    assert ", nor after temperature scaling (" in contrast
    assert ahead == "The largest area in these runs is that of “bright”; which is largest is not tested."
    assert held.startswith("Areas count net true positives per 1,000 images, over thresholds from 0 to 0.9. ")
    assert held.endswith(" Differences hold for this split, on this data, model and budget.")


def test_what_is_calibration_alone_is_said_to_be():
    section = section_of(HOT)
    assert opened(section).endswith("net true positives per 1,000 images, but only before temperature scaling.")
    bright = about(section, "bright")
    assert bright.startswith("“bright” has a larger area than “none” (")
    assert "but only before temperature scaling. After it no difference is shown (" in bright
    assert bright.endswith("so that it may be one of calibration alone.")


def test_what_is_shown_after_scaling_alone_is_said_to_be():
    section = section_of(World(knows={"bright": 0.5}, heat={"bright": 3.0}, val=400))
    assert re.fullmatch(
        r"“bright” has a larger area under the decision curve than “none”, by 1\d\.\d\d net true positives per 1,000 "
        r"images, but only after temperature scaling\.",
        opened(section),
    )
    assert ". As trained that is not shown (" in about(section, "bright")


def made(raw: float, scaled: float | None) -> tuple[MeasureEffect, MeasureEffect | None]:
    """Areas that are shown to differ by so much from the baseline's; by 0 where that is not shown."""

    def effect(name: str, x: float) -> MeasureEffect:
        p = 0.5 if x == 0 else 0.001
        return MeasureEffect("r", name, 5, 5, 0.07 + x, 0.07, Difference(x, 0.001, 4.0), x - 0.002, x + 0.002, p, p)

    return effect("raw", raw), None if scaled is None else effect("scaled", scaled)


LARGER, SMALLER = (
    "a larger area under the decision curve than “none”",
    "a smaller area under the decision curve than “none”",
)
PER = "net true positives per 1,000 images"


@pytest.mark.parametrize(
    ("areas", "said"),
    [
        ([(0.004, 0.003)], f"“a” has {LARGER}, by 4.00 {PER}."),
        ([(0.004, 0.003), (0.006, 0.005)], f"“b” and “a” have {LARGER}, by up to 6.00 {PER}."),
        ([(0.004, 0.0)], f"“a” has {LARGER}, by 4.00 {PER}, but only before temperature scaling."),
        ([(0.004, -0.003)], f"“a” has {LARGER}, by 4.00 {PER}, but only before temperature scaling."),
        (
            [(0.004, 0.0), (0.006, 0.005)],
            f"“b” and “a” have {LARGER}, by up to 6.00 {PER}, but of “a” only before temperature scaling.",
        ),
        ([(0.004, None), (-0.006, None)], f"“a” has {LARGER}, by 4.00 {PER}; “b” has a smaller one."),
        ([(-0.004, -0.003), (0.0, 0.0)], f"“a” has {SMALLER}, by 4.00 {PER}."),
        ([(0.0, -0.003), (0.0, 0.0)], f"“a” has {SMALLER}, by 3.00 {PER}, but only after temperature scaling."),
        ([(0.0, 0.0)], "“a” is not shown to change the area under the decision curve: the difference is 0.00 "
                       f"{PER}, and its interval includes 0."),
    ],
)  # fmt: skip
def test_it_opens_with_what_is_shown(areas, said):
    recipes = tuple(RecipeAreas(name, *made(*area), {}) for name, area in zip("ab", areas, strict=False))
    found = Decisions(found_in(study_of()).experiment, recipes, 1.0, "", 10)
    assert plain(answer(found)[0]) == said


def test_a_smaller_area_is_said_to_be_smaller():
    section = section_of(World(knows={"bright": -0.7}))
    assert opened(section).startswith("“bright” has a smaller area under the decision curve than “none”, by ")
    assert about(section, "bright").startswith("“bright” has a smaller area than “none” (")
    (row,) = [row for row in section.tables[0].groups[0].rows if row["recipe"] == "bright"]
    assert row["verdict"] == "worse"


def test_where_nothing_differs_nothing_is_claimed():
    section = section_of()
    assert not any(word in " ".join(section.answer[:3]) for word in (" larger ", " smaller "))
    assert re.fullmatch(
        r"No recipe is shown to change the area under the decision curve: the largest difference is .\d\.\d\d net true "
        r"positives per 1,000 images, and its interval includes 0\.",
        opened(section),
    )
    assert section.figures[1].caption.startswith("No area is shown to differ, as trained or temperature-scaled.")
    verdicts = [row["verdict"] for group in section.tables[0].groups for row in group.rows]
    assert verdicts == ["baseline", "undecided", "undecided"] * 2


def test_where_the_baseline_is_ahead_it_is_said_to_be_without_a_claim():
    world = World(knows={"bright": -0.7, "contrast": -0.7})
    section = section_of(world)
    assert "The largest area in these runs is that of “none”; which is largest is not tested." in map(
        plain, section.answer
    )
    assert plain(section.figures[0].caption).startswith("“none”, the baseline, has the largest area in these runs.")


def test_the_numbers_are_those_of_a_plain_program():
    study = study_of(KNOWS)
    tables = {}
    for recipe in ("bright", "none"):
        rows = study.results.frame
        ids = rows[rows["recipe"] == recipe].sort_values("seed")["id"]
        for kind in ("raw", "scaled"):
            table = []
            for run in ids:
                _, labels, logits = study.results.test_predictions(run)
                val = study.results.part(run, "val")
                p = probabilities(logits, 1.0 if kind == "raw" else temperature(val.logits, val.label))
                table.append(one_vs_rest_area(p, labels))
            tables[recipe, kind] = np.array(table)
    bright = found_in(study).recipes[0]
    for kind, effect in (("raw", bright.raw), ("scaled", bright.scaled)):
        known = crossed(tables["bright", kind], tables["none", kind], paired=True)
        assert effect.estimate == pytest.approx(known.estimate, abs=1e-12)
        assert effect.p == pytest.approx(known.p_value(), rel=1e-9)
        assert (effect.low, effect.high) == pytest.approx(known.interval(0.05 / 4), abs=1e-12)


def test_holm_is_over_recipes_raw_and_scaled():
    found = found_in(study_of(KNOWS))
    family = [one.raw for one in found.recipes] + [one.scaled for one in found.recipes]
    order, running = np.argsort([effect.p for effect in family]), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(family) - rank) * family[index].p))
        assert family[index].p_adjusted == pytest.approx(running)


def test_paired_judges_over_seeds_alone():
    found = found_in(study_of(KNOWS, test=Paired()))
    raw = found.recipes[0].raw
    assert not raw.over_images
    study = study_of(KNOWS, test=Paired())
    runs = study.results.frame.sort_values("seed")
    areas: dict[str, list[float]] = {recipe: [] for recipe in runs["recipe"].unique()}
    for recipe, run in zip(runs["recipe"], runs["id"], strict=True):
        _, label, logits = study.results.test_predictions(run)
        areas[recipe].append(one_vs_rest_area(probabilities(logits), label).mean())
    assert raw.p == pytest.approx(stats.ttest_rel(areas["bright"], areas["none"]).pvalue)
    assert "on these test photographs" in section_of(KNOWS, test=Paired()).answer[-1]


@pytest.mark.parametrize("test", [Crossed(), Paired(), Welch(), Dunnett(), CorrectedResampled()], ids=str)
def test_every_test_that_can_be_declared_gives_a_section(test):
    changes = {"split": PerSeed()} if isinstance(test, CorrectedResampled) else {}
    study = study_of(KNOWS, test=test, **changes)
    section = decision_curves(study)
    info = section.figures[1].data()
    assert [panel.recipe for panel in info.panels] == ["bright", "contrast"]
    assert (info.panels[0].raw.both is not None) == isinstance(test, Crossed)


def test_bands_are_the_intervals_at_each_threshold():
    study = study_of(KNOWS)
    info = curves_of(study, ["bright", "contrast"])
    panel, at = info.panels[0], 20
    tables = []
    for recipe in ("bright", "none"):
        rows = study.results.frame
        table = []
        for run in rows[rows["recipe"] == recipe].sort_values("seed")["id"]:
            _, labels, logits = study.results.test_predictions(run)
            p, t = probabilities(logits), info.at[at]
            one_hot = np.eye(CLASSES)[labels]
            table.append(np.where(p >= t, one_hot - (1 - one_hot) * t / (1 - t), 0).mean(axis=1))
        tables.append(np.array(table))
    known = crossed(*tables, paired=True)
    assert panel.raw.value[at] == pytest.approx(known.estimate, abs=1e-12)
    assert known.estimate + panel.raw.both[at] == pytest.approx(known.interval(0.05)[1], abs=1e-12)
    over_seeds = stats.ttest_rel(*(table.mean(axis=1) for table in tables)).confidence_interval(0.95)
    assert panel.raw.seeds[at] == pytest.approx((over_seeds.high - over_seeds.low) / 2)
    assert panel.scaled is not None


def test_photographs_of_one_group_count_as_one_in_the_bands_as_well():
    groups = np.arange(4000) // 2
    study, alone = study_of(KNOWS, groups=groups), study_of(KNOWS)
    own, single = (curves_of(one, ["bright"]).panels[0].raw for one in (study, alone))
    assert own.value == pytest.approx(single.value)
    assert not np.allclose(own.both[20], single.both[20], rtol=1e-6)
    assert decisions_of(study).recipes[0].raw.estimate == pytest.approx(decisions_of(alone).recipes[0].raw.estimate)


def test_old_records_are_compared_as_trained_alone():
    section = section_of(replace(KNOWS, val=None))
    assert about(section, "bright").startswith("“bright” has a larger area than “none” (")
    assert "temperature" not in " ".join(section.answer[:2])
    assert section.answer[-2].startswith("Only areas as trained are compared: the records of these runs lack ")
    assert "`ablation run made-up`" in section.answer[-2]
    assert len(section.tables[0].groups) == 1
    assert "Holm's correction over 2 comparisons" in section.tables[0].caption
    assert section.figures[1].data().panels[0].scaled is None


def test_without_a_validation_part_that_is_what_is_said():
    study = study_of(replace(KNOWS, val=None))
    study = study_of(replace(KNOWS, val=None), records=records(study, val_images=0))
    answer = decision_curves(study).answer
    assert "Only areas as trained are compared: there is no validation part to take a temperature from." in answer


def test_under_three_seeds_nothing_is_claimed():
    section = section_of(KNOWS, seeds=2)
    assert opened(section) == "“bright” and “contrast” cannot be judged: no verdict under 3 seeds."
    assert about(section, "bright").startswith("“bright”: no verdict under 3 seeds; so far +")
    assert {row["verdict"] for group in section.tables[0].groups for row in group.rows} == {"baseline", "no verdict"}
    one = section_of(KNOWS, seeds=1)
    assert about(one, "bright").startswith("“bright”: too few finished seeds; 1 seed")
    assert one.figures == ()


def test_a_failed_run_takes_the_verdict_away():
    section = section_of(KNOWS, lost=lambda cell: cell.factors["recipe"] == "bright" and cell.seed == 0)
    assert "1 run failed or diverged here: no verdict on those that are left; so far +" in about(section, "bright")
    assert opened(section).startswith("“contrast” is not shown to change the area under the decision curve: ")


def test_without_a_finished_run_or_another_recipe_there_is_no_section():
    assert decision_curves(study_of(lost=lambda cell: True)) is None
    assert decision_curves(study_of(recipes={"none": ()})) is None


def test_the_baseline_under_another_name_is_said_to_be_that():
    recipes = {"none": (), "same": (), "bright": (Brightness(0.4),)}
    assert about(section_of(KNOWS, recipes=recipes), "same") == f"“same” is {OWN_RUNS}."
    section = section_of(KNOWS, recipes={"none": (), "same": ()})
    assert opened(section) == f"There is nothing to compare: “same” is {OWN_RUNS}."


def test_two_recipes_that_are_the_same_runs_have_the_same_numbers():
    recipes = {"none": (), "bright": (Brightness(0.4),), "again": (Brightness(0.4),)}
    one, other = found_in(study_of(KNOWS, recipes=recipes)).recipes
    assert one.raw.estimate == other.raw.estimate


def test_a_metric_where_lower_is_better_changes_nothing_here():
    areas = [found_in(study_of(KNOWS, metric=metric)).recipes[0].raw.estimate for metric in ("accuracy", "log_loss")]
    assert areas[0] == areas[1] > 0


def test_answers_that_are_not_finite_are_left_out():
    class Broken(World):
        def answers(self, cell, part, images):
            known = super().answers(cell, part, images)
            bad = part == "val" and cell.factors["recipe"] == "bright" and cell.seed == 0
            return known._replace(logits=known.logits * math.inf) if bad else known

    with np.errstate(invalid="ignore"):
        one = found_in(study_of(Broken(knows={"bright": 0.7}))).recipes[0]
    assert one.raw.seeds == 6
    assert one.scaled.seeds == 5
    assert one.scaled.note.startswith("the records of 1 seed lack what this is computed from")


def test_of_many_recipes_six_are_named():
    recipes = {"none": ()} | {f"b{index}": (Brightness(0.1 + 0.05 * index),) for index in range(9)}
    section = section_of(World(knows={f"b{index}": 0.8 for index in range(8)}), recipes=recipes)
    assert opened(section).startswith(
        "8 of 9 recipes have a larger area under the decision curve than “none”, by up to "
    )
    assert sum(bool(re.match("“b\\d” has ", plain(said))) for said in section.answer) == 6
    assert "2 more differ in their area; the table has their numbers." in section.answer
    assert any(plain(said).startswith("Of “b8” it is not shown") for said in section.answer)
    assert len(section.figures[1].data().panels) == 6
    assert "6 recipes of 9" in section.figures[0].caption


def test_the_table_fits_a_terminal_of_eighty_columns():
    table = section_of(KNOWS).tables[0]
    widths = fitting(table, [row for group in table.groups for row in group.rows], 80)
    assert {"recipe", "difference", "interval", "p_holm", "verdict"} <= set(widths)


def test_of_more_recipes_than_a_page_shows_those_that_differ_most_come_first():
    recipes = {"none": ()} | {f"b{index}": (Brightness(0.01 * (index + 1)),) for index in range(32)}
    section = section_of(World(knows={f"b{index}": 0.03 * index for index in range(32)}), recipes=recipes)
    for group in section.tables[0].groups:
        assert group.rows[0]["recipe"] == "none"
        assert {row["recipe"] for row in group.rows} == set(recipes)
        order = [
            (row["verdict"] == "undecided", -abs(float(row["difference"].replace(MINUS, "-"))))
            for row in group.rows[1:]
        ]
        assert order == sorted(order)
        assert {undecided for undecided, _ in order} == {True, False}


def test_names_are_marked_in_sentences_and_nowhere_else():
    section = section_of(KNOWS)
    texts = [*section.answer, section.question, *section.caution, *(one.caption for one in section.figures)]
    texts += [table.caption for table in section.tables]
    for recipe in ("none", "bright", "contrast"):
        assert any((recipe, True) in name_spans(text) for text in texts), recipe
    assert not any(re.search(rf"\b{recipe}\b", part) for text in texts for part, is_name in name_spans(text)
                   if not is_name for recipe in ("bright", "contrast"))  # fmt: skip
    cells = [cell for table in section.tables for group in table.groups for row in group.rows for cell in row.values()]
    for text in [*cells, *(head for table in section.tables for head in table.headers.values())]:
        assert plain(text) == text
    assert all(plain(figure.alt) == figure.alt for figure in section.figures)


def test_the_figures_draw_what_they_are_given():
    section, look = section_of(KNOWS), styles(("none", "bright", "contrast"), "none")
    info = section.figures[0].data()
    macro, confident = draw_curves(info, look)
    drawn = {line.get_label(): line.get_ydata() for line in macro.lines}
    assert list(drawn) == ["treat all", "treat none", "none", "bright", "contrast"]
    assert drawn["bright"] == pytest.approx(1000 * info.curves[1].macro)
    assert drawn["treat all"][0] == pytest.approx(1000 / CLASSES)
    assert info.curves[1].macro[0] == pytest.approx(1 / CLASSES)
    assert confident.lines[2].get_ydata()[0] == pytest.approx(1000 * info.curves[0].confident[0])
    panels = draw_differences(info, look)
    assert [panel.get_title(loc="left") for panel in panels] == ["bright", "contrast"]
    low, high = panels[0].get_ylim()
    assert low < 0 < 1000 * (info.panels[0].raw.value + info.panels[0].raw.both).max() < high


def test_treat_all_is_written_where_no_curve_runs():
    at = np.linspace(0, 0.9, 46)
    everyone = 500 - 1000 * at
    above = np.maximum(500 - 900 * at, 10)
    limits = (-60.0, 500.0)
    where, side = _beside_all(at, everyone, [above, np.zeros_like(at)], limits)
    assert side == -1
    assert 0 < everyone[where] < 250
    alone, right = _beside_all(at, everyone, [np.zeros_like(at)], limits)
    assert (right, abs(alone - int(np.argmax(everyone < 125))) <= 1) == (1, True)


def test_the_section_is_in_the_report():
    assert SECTIONS["decision_curves"] is decision_curves
    assert "Vickers et al. 2023" in " ".join(section_of(KNOWS).caution)


def test_pooled_over_two_optimizers():
    section = section_of(KNOWS, optimizers={"adam": Adam(), "adam slow": Adam(lr=1e-4)})
    assert about(section, "bright").startswith("“bright” has a larger area than “none” (")


def test_numbers_are_shown_per_thousand_images():
    assert [number(x) for x in (0.00312, -0.0005, math.nan, 1e-9)] == ["3.12", "\N{MINUS SIGN}0.50", NONE, "0.00"]
