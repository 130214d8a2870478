"""Decision curves: what is claimed of the areas, before and after temperature scaling, and what the figures hold."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from made_decisions import CLASSES, World, study_of
from scipy import stats

from ablation.analysis.comparison import CorrectedResampled, Crossed, Dunnett, Paired, Welch
from ablation.analysis.crossed import crossed
from ablation.analysis.decision import one_vs_rest_area, probabilities, temperature
from ablation.augment import Brightness
from ablation.cli.sections import fitting
from ablation.core.text import NONE
from ablation.data import PerSeed
from ablation.evidence.effects import OWN_RUNS
from ablation.experiment.record import RunRecord
from ablation.optim import Adam
from ablation.report.contents import SECTIONS
from ablation.report.section import Section
from ablation.report.sections.decision_curves.compute import Decisions, curves_of, decisions_of
from ablation.report.sections.decision_curves.figure import draw_curves, draw_differences
from ablation.report.sections.decision_curves.section import decision_curves
from ablation.report.sections.decision_curves.text import number
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


def records(study, **evidence):
    told = {"test_images": 150, "train_images": 60, **evidence}
    return {cell.spec.id: RunRecord(cell.spec.id, "finished", (), {}, told) for cell in study.results.cells}


def test_who_knows_more_has_the_larger_area_also_after_scaling():
    section = section_of(KNOWS)
    bright, contrast, held = section.answer
    assert re.fullmatch(
        r"bright has the largest area under the decision curve in these runs, and it is larger than that of none "
        r"\(\+\d+\.\d\d, 95 % interval \+\d+\.\d\d to \+\d+\.\d\d; Holm p < \.001\), also after temperature scaling "
        r"\(\+\d+\.\d\d, 95 % interval \+\d+\.\d\d to \+\d+\.\d\d; Holm p < \.001\)\.",
        bright,
    )
    assert contrast.startswith("contrast is not shown to have another area under the decision curve than none (")
    assert ", nor after temperature scaling (" in contrast
    assert held.startswith("Areas count net true positives per 1,000 images, over thresholds from 0 to 0.9; ")
    assert held.endswith("; differences hold for this split, on this data, model and budget.")


def test_what_is_calibration_alone_is_said_to_be():
    bright = section_of(HOT).answer[0]
    assert "it is larger than that of none (" in bright
    assert "but only before temperature scaling: after temperature scaling none is shown (" in bright
    assert bright.endswith("so that it may be one of calibration alone.")


def test_a_smaller_area_is_said_to_be_smaller():
    bright = section_of(World(knows={"bright": -0.7})).answer
    assert any(said.startswith("bright has a smaller area under the decision curve than none (") for said in bright)
    (row,) = [
        row for row in section_of(World(knows={"bright": -0.7})).tables[0].groups[0].rows if row["recipe"] == "bright"
    ]
    assert row["verdict"] == "worse"


def test_where_nothing_differs_nothing_is_claimed():
    section = section_of()
    assert not any(word in " ".join(section.answer[:2]) for word in (" larger ", " smaller "))
    verdicts = [row["verdict"] for group in section.tables[0].groups for row in group.rows]
    assert verdicts == ["baseline", "undecided", "undecided"] * 2


def test_where_the_baseline_is_ahead_it_is_said_to_be_without_a_claim():
    world = World(knows={"bright": -0.7, "contrast": -0.7})
    assert "none, the baseline, has the largest area in these runs." in section_of(world).answer


def test_the_numbers_are_those_of_a_plain_program():
    study = study_of(KNOWS)
    tables = {}
    for recipe in ("bright", "none"):
        rows = study.results.table
        ids = rows[rows["recipe"] == recipe].sort_values("seed")["id"]
        for kind in ("raw", "scaled"):
            table = []
            for run in ids:
                _, labels, logits = study.results.predictions(run)
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
    areas = {
        recipe: [
            one_vs_rest_area(probabilities(study.results.predictions(run).logits), study.results.predictions(run).label)
            .mean()
            for run in study.results.table.query("recipe == @recipe").sort_values("seed")["id"]
        ]
        for recipe in ("bright", "none")
    }  # fmt: skip
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
        rows = study.results.table
        table = []
        for run in rows[rows["recipe"] == recipe].sort_values("seed")["id"]:
            _, labels, logits = study.results.predictions(run)
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
    assert section.answer[0].startswith("bright has the largest area under the decision curve in these runs, and ")
    assert "temperature" not in section.answer[0]
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
    assert section.answer[0].startswith("bright: no verdict under 3 seeds; so far +")
    assert {row["verdict"] for group in section.tables[0].groups for row in group.rows} == {"baseline", "no verdict"}
    one = section_of(KNOWS, seeds=1)
    assert one.answer[0].startswith("bright: too few finished seeds; 1 seed")
    assert one.figures == ()


def test_a_failed_run_takes_the_verdict_away():
    section = section_of(KNOWS, lost=lambda cell: cell.factors["recipe"] == "bright" and cell.seed == 0)
    said = next(said for said in section.answer if said.startswith("bright"))
    assert "1 run failed or diverged here: no verdict on those that are left; so far +" in said


def test_without_a_finished_run_or_another_recipe_there_is_no_section():
    assert decision_curves(study_of(lost=lambda cell: True)) is None
    assert decision_curves(study_of(recipes={"none": ()})) is None


def test_the_baseline_under_another_name_is_said_to_be_that():
    recipes = {"none": (), "same": (), "bright": (Brightness(0.4),)}
    answer = section_of(KNOWS, recipes=recipes).answer
    assert f"same is {OWN_RUNS}." in answer
    section = section_of(KNOWS, recipes={"none": (), "same": ()})
    assert section.answer[0] == f"same is {OWN_RUNS}."


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
    named = [said for said in section.answer if re.match(r"b\d has ", said)]
    assert len(named) == 6
    assert "2 more differ in their area; the table has their numbers." in section.answer
    assert any(said.startswith("Of b8 it is not shown") for said in section.answer)
    assert len(section.figures[1].data().panels) == 6
    assert "6 recipes of 9" in section.figures[0].caption


def test_the_table_fits_a_terminal_of_eighty_columns():
    table = section_of(KNOWS).tables[0]
    widths = fitting(table, [row for group in table.groups for row in group.rows], 80)
    assert {"recipe", "difference", "interval", "p_holm", "verdict"} <= set(widths)


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


def test_the_section_is_in_the_report():
    assert SECTIONS["decision_curves"] is decision_curves
    assert "Vickers et al. 2023" in " ".join(section_of(KNOWS).caution)


def test_pooled_over_two_optimizers():
    section = section_of(KNOWS, optimizers={"adam": Adam(), "adam slow": Adam(lr=1e-4)})
    assert "it is larger than that of none (" in section.answer[0]


def test_numbers_are_shown_per_thousand_images():
    assert [number(x) for x in (0.00312, -0.0005, math.nan, 1e-9)] == ["3.12", "\N{MINUS SIGN}0.50", NONE, "0.00"]
