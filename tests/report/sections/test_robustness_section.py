"""Robustness: what is claimed where a network gained an invariance, where it is merely better, and where it is not."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_robustness import NAMES, STRENGTHS, World, every, everywhere, nothing, rotation, study_of
from names import unmarked, wrongly_marked
from scipy import stats

from ablation.analysis.comparison import Paired
from ablation.augment import Brightness, GaussianNoise
from ablation.core.text import MINUS, NONE, named
from ablation.evidence.effects import OWN_RUNS
from ablation.experiment.record import RunRecord
from ablation.experiment.results import Results
from ablation.report.contents import SECTIONS
from ablation.report.section import Section
from ablation.report.sections.robustness.compute import Robustness, robustness_of, scored_runs
from ablation.report.sections.robustness.figure import MapInfo, MapRow, draw_map
from ablation.report.sections.robustness.section import robustness, strength_text
from ablation.report.style import styles


def section_of(world: World | None = None, **options) -> Section:
    section = robustness(study_of(world, **options))
    assert section is not None
    return unmarked(section)


def of_study(study) -> Section:
    return unmarked(robustness(study))


def found_in(study) -> Robustness:
    found = robustness_of(study, scored_runs(study))
    assert found is not None
    return found


def record(study, **changes) -> dict[str, RunRecord]:
    """Old records of all runs of a study: sizes, without test conditions."""
    told = {"test_images": 120, "train_images": 60, "val_images": 20}
    return {
        cell.spec.id: replace(RunRecord(cell.spec.id, "finished", (), {}, told), **changes)
        for cell in study.results.cells
    }


def test_an_invariance_that_was_gained_is_found_and_named():
    section = section_of(World(rotation))
    foremost, bright, contrast, held = section.answer
    assert re.fullmatch(
        r"bright makes the network more robust to rotation: its gain there is \d\d\.\d points larger than on clean "
        r"images\.",
        foremost,
    )
    assert re.match(
        r"bright makes the network more robust to rotation \(\+\d\d\.\d points of accuracy, 95 % interval \+\d+\.\d to "
        r"\+\d+\.\d; adjusted p < \.001; n = 6 seeds; \d\d\.\d points more than on clean images, p [<=] \.\d+\)\. ",
        bright,
    )
    assert "noise" not in bright
    assert ". On clean images it is undecided (" in bright
    larger = re.search(r"is (\d\d\.\d) points larger", foremost)
    assert f"; {larger[1]} points more than on clean images" in bright
    assert contrast.startswith("contrast is not shown to change accuracy under any condition (the surest, ")
    assert held.startswith("Differences under these conditions hold ")
    assert held.endswith(", on this data, model and budget.")
    (figure,) = section.figures
    assert figure.caption.startswith(
        "Of 6 pairs of recipe and condition 1 is shown to differ from none, 1 of them by more than on clean images. "
    )
    assert re.search(r"“bright” under rotation \+\d\d\.\d, noise ", figure.alt)


def test_a_network_that_is_better_everywhere_gained_no_invariance():
    section = section_of(World(everywhere, harder=0.0, images=600))
    foremost, bright, *_ = section.answer
    assert re.fullmatch(
        r"bright does better on changed images, by up to \d+\.\d points of accuracy; that this is more than on clean "
        r"images is not shown\.",
        foremost,
    )
    assert bright.startswith("bright does better under ")
    assert "none of which is shown to be more than on clean images" in bright
    assert "robust" not in foremost + bright
    assert re.search(r"On clean images it gains \d+\.\d points of accuracy\.$", bright)
    frames = {row.recipe: row.frames for row in section.figures[0].data.rows}
    assert frames == {"bright": (1, 1, 1), "contrast": (0, 0, 0)}


def test_where_nothing_differs_nothing_is_claimed():
    section = section_of(World(nothing))
    assert section.answer[0] == "No recipe is shown to change accuracy on changed images."
    assert section.figures[0].caption.startswith(
        "Of 6 pairs of recipe and condition none is shown to differ from none. "
    )
    assert {row["robust"] for row in section.tables[0].groups[0].rows} == {NONE}
    for said, recipe in zip(section.answer[1:3], ("bright", "contrast"), strict=True):
        assert said.startswith(f"{recipe} is not shown to change accuracy under any condition")
    assert not any("*" in row[key] for row in section.tables[0].groups[0].rows for key in row)
    assert not any(any(row.dots) or any(row.frames) for row in section.figures[0].data.rows)


def test_a_loss_of_robustness_is_told():
    def lost(recipe, name):
        return -0.9 * (recipe == "bright" and name == "noise")

    section = section_of(World(lost))
    foremost, bright, *_ = section.answer
    assert re.match(
        r"bright makes the network less robust to noise: its loss there is \d\d\.\d points larger ", foremost
    )
    assert section.tables[0].groups[0].rows[1]["robust"] == "less to noise"
    assert re.match(rf"bright makes the network less robust to noise \({MINUS}\d\d\.\d points of accuracy, ", bright)
    assert re.search(r"; \d\d\.\d points more than on clean images", bright)


def test_a_gain_under_a_condition_that_is_less_than_on_clean_images_is_no_robustness():
    def clean(recipe, name):
        return {"": 1.4, "rotation": 0.2}.get(name, 0.0) * (recipe == "bright")

    study = study_of(World(clean, images=1200))
    foremost, bright, *_ = of_study(study).answer
    assert re.search(r"does better under rotation \(.*\), by \d+\.\d points less than on clean images", bright)
    assert "robust" not in foremost + bright


def test_several_that_are_more_robust_are_counted():
    def gains(recipe, name):
        return 0.9 * ((recipe, name) in (("bright", "rotation"), ("bright", "blur"), ("contrast", "noise")))

    foremost = section_of(World(gains)).answer[0]
    assert re.fullmatch(
        r"(bright makes the network more robust to rotation and blur: its gain there is up to|"
        r"contrast makes the network more robust to noise: its gain there is) \d\d\.\d points larger than on clean "
        r"images; 1 other recipe changes it, too\.",
        foremost,
    )


def test_conditions_that_the_experiment_gave_are_names():
    given = {name: (GaussianNoise(sigma=0.1),) for name in NAMES}
    section = robustness(study_of(World(rotation), corrupt=given))
    assert f"robust to {named('rotation', recipe=False)}: " in section.answer[0]
    assert wrongly_marked(section, ("bright", "contrast", *NAMES)) == []
    usual = robustness(study_of(World(rotation)))
    assert "robust to rotation: " in usual.answer[0]
    assert wrongly_marked(usual, ("bright", "contrast")) == []


def test_of_many_conditions_those_without_a_difference_stand_apart():
    conditions = ("rotation", *(f"n{number}" for number in range(5)))
    table = section_of(World(rotation, lambda cell: every(conditions))).tables[0]
    assert table.spare == tuple(f"under n{number}" for number in range(5))
    assert table.caption.endswith(" Nothing is shown under n0, n1, n2, n3 and n4.")
    assert section_of(World(rotation)).tables[0].spare == ()


def plain(study, recipe, conditions, drop, metric):
    """Seed by seed, image by image, from the stored answers: the differences to the baseline."""
    values = []
    plain_row = np.ndarray.tolist
    for seed in range(6):
        means = {}
        for cell in study.results.cells:
            if cell.seed != seed or cell.factors["recipe"] not in (recipe, "none"):
                continue
            shown = study.results.corrupted(cell.spec.id)
            sample, label, logits = study.results.test_predictions(cell.spec.id)
            total = 0.0
            for image, truth in zip(shown.sample.tolist(), shown.label.tolist(), strict=True):
                row = shown.sample.tolist().index(image)
                for condition in conditions:
                    answers = shown.logits[shown.conditions.index(condition)][row]
                    total += metric(plain_row(answers), truth) / len(conditions)
                if drop:
                    at = sample.tolist().index(image)
                    total -= metric(plain_row(logits[at]), label[at])
            means[cell.factors["recipe"]] = total / len(shown.sample)
        values.append(means[recipe] - means["none"])
    return values


def right(answers, truth):
    return float(max(range(len(answers)), key=lambda one: answers[one]) == truth)


def loss(answers, truth):
    return math.log(sum(math.exp(x) for x in answers)) - answers[truth]


@pytest.mark.parametrize(("metric", "term"), [("accuracy", right), ("log_loss", loss)])
def test_the_numbers_are_those_of_a_plain_program(metric, term):
    study = study_of(World(rotation), test=Paired(), metric=metric)
    found = found_in(study)
    for one in found.recipes:
        for name in one.names:
            all_strengths = [(name.name, strength) for strength in STRENGTHS]
            measured = [(name.mean, all_strengths, False), (name.beyond, all_strengths, True)]
            measured += [
                (effect, [condition], False) for effect, condition in zip(name.strengths, all_strengths, strict=True)
            ]
            for effect, conditions, drop in measured:
                values = plain(study, one.recipe, conditions, drop, term)
                assert effect.estimate == pytest.approx(np.mean(values), abs=1e-9)
                assert effect.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-6)


def test_only_what_is_primary_shares_alpha_at_first():
    found = found_in(study_of(World(rotation), test=Paired()))
    primary = [name.mean for one in found.recipes for name in one.names]
    assert found.comparisons == len(primary) == 6
    smallest = min(primary, key=lambda effect: effect.p)
    assert smallest.p_adjusted == pytest.approx(6 * smallest.p)
    low, high = smallest.difference.interval(0.05 / 6)
    assert (smallest.low, smallest.high) == pytest.approx((low, high))
    for one in found.recipes:
        for name in one.names:
            for effect in (name.beyond, *name.strengths):
                assert effect.p_adjusted >= name.mean.p_adjusted or math.isnan(effect.p_adjusted)


def test_a_loss_that_is_lower_is_better():
    section = section_of(World(rotation), metric="log_loss")
    foremost, bright, *_ = section.answer
    assert re.match(r"bright makes the network more robust to rotation: its gain there is 0\.\d+ nats larger", foremost)
    assert re.match(
        rf"bright makes the network more robust to rotation \({MINUS}0\.\d+ nats of log loss, 95 % interval {MINUS}",
        bright,
    )
    assert section.figures[0].data.lower_is_better
    worse = section_of(World(lambda recipe, name: -rotation(recipe, name)), metric="log_loss").answer[1]
    assert worse.startswith("bright makes the network less robust to rotation (+0.")


def test_a_metric_that_is_no_mean_over_images_gives_way_to_accuracy():
    section = section_of(World(rotation), metric="balanced_accuracy")
    assert "points of accuracy" in section.answer[1]
    assert section.answer[1].count("points of balanced accuracy") == 1
    assert section.caution == ("Balanced accuracy is no mean over images: what is compared here is accuracy.",)
    assert all(math.isnan(row.values[0]) for row in section.figures[0].data.rows)


def test_the_clean_verdict_is_that_of_the_comparison():
    study = study_of(World(everywhere, harder=0.0, images=600))
    (effect,) = (effect for effect in study.effects if effect.recipe == "bright")
    assert effect.verdict == "better"
    section = of_study(study)
    said = f"On clean images it gains {100 * effect.estimate:.1f} points of accuracy."
    assert section.answer[1].endswith(said)
    row = section.tables[0].groups[0].rows[1]
    assert row["clean"] == f"+{100 * effect.estimate:.1f}*"


def test_too_few_seeds_and_a_failed_run_give_no_verdict():
    foremost, *each = section_of(World(rotation), seeds=2).answer
    assert foremost == "bright and contrast cannot be judged: no verdict under 3 seeds."
    for said in each:
        assert re.match(f"(bright|contrast): no verdict under 3 seeds; so far at most (\\+|{MINUS})?\\d", said)
    answer = section_of(World(rotation), lost=lambda cell: cell.factors["recipe"] == "bright" and cell.seed == 1).answer
    (said,) = (text for text in answer if text.startswith("bright: "))
    assert "1 run failed or diverged here" in said
    assert "robust" not in said


def test_the_same_recipe_under_two_names_and_one_recipe_alone():
    section = section_of(World(rotation), recipes={"none": (), "nothing": (), "bright": (Brightness(0.4),)})
    assert f"nothing is {OWN_RUNS}." in section.answer
    assert any(text.startswith("bright makes the network more robust to rotation") for text in section.answer)
    assert robustness(study_of(recipes={"none": ()})) is None
    assert robustness(study_of(lost=lambda cell: True)) is None


def test_old_records_say_what_to_do():
    world = World(conditions=lambda cell: None)
    why, what = section_of(world).answer
    assert why == (
        "No run was tested on changed test images: an older version trained them, or --no-robustness was given."
    )
    assert what.endswith("train them anew with `ablation run made-up`.")
    assert not section_of(world).tables


def test_an_experiment_that_refuses_says_so():
    why, what = section_of(World(conditions=lambda cell: None), robustness=False).answer
    assert why.endswith(": the experiment says robustness=False.")
    assert "set robustness=True in the experiment or train with `ablation run made-up --robustness`" in what


def test_what_it_would_have_cost_is_told():
    world = World(conditions=lambda cell: None)
    study = study_of(world)
    study = study_of(world, records=record(study))
    epochs = study.results.cells[0].spec.epochs
    cost = 18 * 120 / (epochs * (3 * 60 + 20))
    assert cost > 0.1
    said = f"{round(100 * cost):d} %" if cost < 1 else f"{round(10 * cost) * 10:d} %"
    why, what = robustness(study).answer
    assert why == f"No run was tested on changed test images: this would have taken {said} of the work of training."
    assert "--robustness`" in what
    cheap = study_of(world, records=record(study), epochs=1000)
    assert "an older version" in robustness(cheap).answer[0]


def test_what_went_wrong_in_the_runs_is_told():
    world = World(conditions=lambda cell: None)
    noted = record(study_of(world), notes=("robustness: not known (MemoryError: no room)",), evidence={})
    study = study_of(world, records=noted)
    assert "robustness: not known (MemoryError: no room)" in robustness(study).answer[0]


def test_some_runs_without_conditions_leave_no_verdict_for_theirs():
    def conditions(cell):
        return None if cell.factors["recipe"] == "bright" and cell.seed < 2 else every()

    section = section_of(World(rotation, conditions))
    (bright,) = (text for text in section.answer if text.startswith("bright: "))
    assert bright.startswith("bright: runs of 2 seeds were not tested on changed images; so far at most +")
    assert section.caution[0].startswith("2 of 18 finished runs were not tested on changed test images: ")


def test_only_conditions_that_all_runs_have_are_compared():
    def conditions(cell):
        own = "fog" if cell.seed else "blur"
        return (*every(("rotation",)), ("noise", 1.0), *((("noise", 0.5),) if cell.seed else ()), (own, 1.0))

    section = section_of(World(rotation, conditions))
    assert section.figures[0].data.conditions == (("rotation", ("1/3", "2/3", "1")), ("noise", ("1",)))
    assert section.answer[0].startswith("bright makes the network more robust to rotation: ")
    (note,) = section.caution
    assert note.startswith("Left out, as not every run was tested under it with the same operations and strengths: ")
    assert {"noise", "fog", "blur"} == set(re.findall("noise|fog|blur", note))

    apart = section_of(World(rotation, lambda cell: ((str(cell.seed % 2), 1.0),)))
    assert apart.answer[0] == "The runs have no test condition in common: each lacks some of 0 and 1."
    assert not apart.figures


def test_one_name_for_other_operations_is_not_one_condition():
    study = study_of(World(rotation))
    plain = study.results.corrupted

    def corrupted(run):
        shown = plain(run)
        later = next(cell.seed for cell in study.results.cells if cell.spec.id == run) > 2
        done = [f"{name} by {2 if later and name == 'noise' else 1}" for name, _ in shown.conditions]
        return shown._replace(operations=tuple(done))

    object.__setattr__(study.results, "corrupted", corrupted)
    section = robustness(study)
    assert set(NAMES) - {name for name, _ in section.figures[0].data.conditions} == {"noise"}
    assert section.caution[0].startswith("Left out, as not every run was tested under it with the same operations ")


def test_many_recipes_are_counted_and_not_all_drawn():
    recipes = {"none": (), "bright": (Brightness(0.99),)} | {f"b{i}": (Brightness(0.05 * i),) for i in range(1, 15)}
    world = World(rotation, conditions=lambda cell: every(("rotation",)), images=200)
    section = section_of(world, recipes=recipes, seeds=6)
    assert "Of 14 other recipes it is not shown that accuracy changes under any condition." in section.answer
    assert len(section.figures[0].data.rows) == 12
    assert "bright" in {row.recipe for row in section.figures[0].data.rows}
    assert "Drawn are 12 of 15 recipes" in section.figures[0].caption
    assert len(section.tables[0].groups[0].rows) == 16


def test_the_tables_hold_what_the_sentences_say():
    section = section_of(World(rotation))
    short, long = section.tables
    none, bright, _ = short.groups[0].rows
    found = found_in(study_of(World(rotation)))
    assert none["under rotation"] == f"{100 * np.mean([found.baseline['rotation', one] for one in STRENGTHS]):.1f}"
    assert bright["under rotation"].endswith("**")
    assert bright["robust"] == "rotation"
    assert bright["under rotation"].strip("*") in section.answer[1]
    assert long.folded
    assert [group.title for group in long.groups] == ["bright", "contrast"]
    assert [row["strength"] for row in long.groups[0].rows][:5] == ["mean", "drop", "1/3", "2/3", "1"]
    assert len(long.groups[0].rows) == 5 * len(NAMES)
    unreached = [row["p"] for row in long.groups[1].rows if row["strength"] != "mean"]
    assert set(unreached) == {NONE}
    assert "robustness" in SECTIONS


def test_strengths_in_words():
    assert [strength_text(x) for x in (1 / 3, 2 / 3, 1.0, 0.5, 0.37)] == ["1/3", "2/3", "1", "1/2", "0.37"]


def test_the_figure_draws_every_cell_and_marks_what_is_shown():
    rows = (
        MapRow("bright", (0.2, 3.0, 4.0, -0.0), (False, True, False, False), (2, 0)),
        MapRow("contrast", (math.nan, -1.0, 0.5, 0.1), (False,) * 4, (0, 1)),
    )
    info = MapInfo(rows, (("rotation", ("1/2", "1")), ("fog", ("1",))), (90, 85, 70, 88), "none", "accuracy (%)", "d")
    bars, cells = draw_map(info, styles(("none", "bright", "contrast"), "none"))
    assert [bar.get_height() for bar in bars.patches] == [90, 85, 70, 88]
    texts = [text.get_text() for text in cells.texts]
    assert {"+3.0", "+4.0", f"{MINUS}1.0", "0.0", "rotation", "fog", "clean"} <= set(texts)
    frames = [patch for patch in cells.patches if not patch.get_fill()]
    assert [frame.get_linewidth() for frame in frames] == [1.5, 1.0]
    assert frames[0].get_linestyle() == "-" != frames[1].get_linestyle()
    dots = [line for line in cells.lines if line.get_marker() == "o"]
    assert len(dots) == 1
    assert np.diff(info.at).tolist() == pytest.approx([1.35, 1.0, 1.35])


def test_the_advice_is_true(tiny, tmp_path: Path, cache: Path):
    """Runs without conditions, removed and trained anew as the section says, have them."""
    import shutil

    from ablation import sweep
    from ablation.evidence.study import Study

    small = replace(tiny, optimizers={"adam": tiny.optimizers["adam"]}, corrupt={"fog": (GaussianNoise(sigma=0.3),)})

    def trained(experiment):
        sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu")
        return robustness(Study(Results.load(experiment, tmp_path / "runs", cache)))

    why, what = trained(replace(small, robustness=False)).answer
    assert "robustness=False" in why
    folder = Path(re.search(r"remove the folders of finished ones from (.+) first\.", what).group(1))
    assert folder.is_dir()
    willing = replace(small, robustness=True)
    assert len(trained(willing).answer) == 2  # finished runs are not trained again
    for run in folder.iterdir():
        shutil.rmtree(run) if run.is_dir() else run.unlink()
    section = trained(willing)
    assert section.figures[0].data.conditions == (("fog", ("1/3", "2/3", "1")),)
    too_much = trained(replace(small, robustness=None))
    assert too_much.figures
