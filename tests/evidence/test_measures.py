"""Any measure, judged as the metric is: each declared test beside a plain program, and each reason to claim nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from holms import holms
from made_up import GAIN, noise, question, results_of
from scipy import stats

from ablation import Adam, Brightness, Contrast, CorrectedResampled, Crossed, Dunnett, Fixed, Paired, PerSeed, Welch
from ablation.analysis.comparison import Difference
from ablation.core.seeds import stream
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.families import OTHER_IMAGES
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.study import Study

IMAGES = 40
TESTS = {"welch": Welch(), "paired": Paired(), "dunnett": Dunnett(), "crossed": Crossed()}
RECIPES = question().recipes


def study_of(test, score=None, results=None, **changes) -> Study:
    experiment = replace(question(), test=test, **changes)
    found = results_of(experiment, score or (lambda cell: 0.8 + noise(cell)), IMAGES)
    return Study(results(found) if results else found)


def values(study: Study) -> dict[str, float]:
    """Run id -> a made-up measure: the recipe's gain, the luck of the seed and of the run."""
    every = {}
    for cell in study.results.cells:
        luck = stream(cell.seed, "shared").normal(0, 0.01) + stream(cell.seed, "own", *cell.factors.values()).normal(
            0, 0.02
        )
        every[cell.spec.id] = 3 + GAIN.get(cell.factors["recipe"], 0.0) + float(luck)
    return every


def by_seed(study: Study, known: dict[str, float], recipe: str) -> list[float]:
    """By loops: of each seed the mean over its runs."""
    means = []
    for seed in study.experiment.seed_numbers:
        own = [known[c.spec.id] for c in study.results.cells if (c.factors["recipe"], c.seed) == (recipe, seed)]
        means.append(sum(own) / len(own))
    return means


def judged(study: Study, known: dict[str, float]) -> dict[str, MeasureEffect]:
    effects = measure_effects(study, "gap", lambda run: RunMeasure(known[run]))
    return {effect.recipe: effect for effect in corrected(effects, 0.05)}


@pytest.mark.parametrize("name", ["paired", "crossed"])
def test_a_measure_of_runs_is_judged_by_the_paired_t_test_over_seeds(name):
    """Crossed, too, where it is no mean over test images: then the claim is about those given."""
    study = study_of(TESTS[name])
    known = values(study)
    effects = judged(study, known)
    assert list(effects) == ["bright", "contrast"]
    for recipe, effect in effects.items():
        own, baseline = by_seed(study, known, recipe), by_seed(study, known, "none")
        expected = stats.ttest_rel(own, baseline)
        assert effect.estimate == pytest.approx(np.mean(own) - np.mean(baseline))
        assert (effect.mean, effect.baseline_mean) == pytest.approx((np.mean(own), np.mean(baseline)))
        assert effect.p == pytest.approx(expected.pvalue)
        low, high = expected.confidence_interval(1 - 0.05 / 2)
        assert (effect.low, effect.high) == pytest.approx((low, high)), "of two comparisons"
        assert (effect.seeds, effect.planned, effect.over_images, effect.note) == (5, 5, False, "")


def test_welch_is_never_bolder_than_scipys_and_has_its_error():
    study = study_of(Welch())
    known = values(study)
    for recipe, effect in judged(study, known).items():
        own, baseline = by_seed(study, known, recipe), by_seed(study, known, "none")
        expected = stats.ttest_ind(own, baseline, equal_var=False)
        assert effect.difference.error == pytest.approx(
            math.sqrt(np.var(own, ddof=1) / 5 + np.var(baseline, ddof=1) / 5)
        )
        assert expected.pvalue <= effect.p <= 1.6 * expected.pvalue + 0.01


def test_dunnetts_is_students_pooled_t_of_each_recipe_and_holms_correction():
    study = study_of(Dunnett())
    known = values(study)
    effects = judged(study, known)
    plain = [
        stats.ttest_ind(by_seed(study, known, recipe), by_seed(study, known, "none")).pvalue
        for recipe in ("bright", "contrast")
    ]
    assert [effect.p for effect in effects.values()] == pytest.approx(plain)
    assert [effect.p_adjusted for effect in effects.values()] == pytest.approx(holms(plain))


def test_a_redrawn_test_part_is_judged_by_the_corrected_resampled_t_test():
    study = study_of(CorrectedResampled(), split=PerSeed())
    known = values(study)
    for recipe, effect in judged(study, known).items():
        gaps = [a - b for a, b in zip(by_seed(study, known, recipe), by_seed(study, known, "none"), strict=True)]
        mean = sum(gaps) / 5
        variance = sum((gap - mean) ** 2 for gap in gaps) / 4
        t = mean / math.sqrt(variance * (1 / 5 + 40 / 60))
        assert effect.p == pytest.approx(2 * stats.t.sf(abs(t), 4))
        assert not effect.over_images


def terms(study: Study) -> dict[str, np.ndarray]:
    """Run id -> what each test image gives: its difficulty, the run's luck, and their own."""
    hard = stream(0, "images").normal(0, 0.3, IMAGES)
    every = {}
    for cell in study.results.cells:
        own = stream(cell.seed, "terms", *cell.factors.values())
        gain = 4 * GAIN.get(cell.factors["recipe"], 0.0)
        every[cell.spec.id] = hard + gain + own.normal(0, 0.05) + own.normal(0, 0.2, IMAGES)
    return every


def crossed_by_loops(own, baseline, more=0.0):
    """Searle et al. 1992, chapter 4, and Banerjee's interval, in sums: (estimate, half width at a level)."""
    seeds, images = len(own), len(own[0])
    table = [[own[i][j] - baseline[i][j] for j in range(images)] for i in range(seeds)]
    rows = [sum(row) / images for row in table]
    columns = [sum(table[i][j] for i in range(seeds)) / seeds for j in range(images)]
    mean = sum(rows) / seeds
    count = seeds * images
    by_seeds = images * sum((row - mean) ** 2 for row in rows) / (seeds - 1) / count
    by_images = seeds * sum((column - mean) ** 2 for column in columns) / (images - 1) / count
    rest = sum((table[i][j] - rows[i] - columns[j] + mean) ** 2 for i in range(seeds) for j in range(images))
    rest /= (seeds - 1) * (images - 1) * count

    def half(alpha):
        t_seeds, t_images = (stats.t.isf(alpha / 2, df) for df in (seeds - 1, images - 1))
        both = t_seeds**2 * by_seeds + t_images**2 * (max(by_images - rest, 0) + more)
        return math.sqrt(max(both, t_images**2 * (by_images + more)))

    return mean, half


def test_a_mean_over_test_images_is_judged_over_new_images_as_well():
    study = study_of(Crossed())
    known = terms(study)
    sample = np.arange(IMAGES)
    effects = corrected(measure_effects(study, "loss", lambda run: RunMeasure.mean(known[run], sample)), 0.05)
    for effect in effects:
        tables = []
        for recipe in (effect.recipe, "none"):
            rows = []
            for seed in range(5):
                own = [known[c.spec.id] for c in study.results.cells if (c.factors["recipe"], c.seed) == (recipe, seed)]
                rows.append(np.mean(own, axis=0).tolist())
            tables.append(rows)
        mean, half = crossed_by_loops(*tables)
        assert effect.over_images
        assert effect.estimate == pytest.approx(mean)
        assert (effect.low, effect.high) == pytest.approx((mean - half(0.025), mean + half(0.025)))
        assert half(effect.p) == pytest.approx(abs(mean), rel=1e-6), "p is the level whose interval ends at 0"
        assert effect.shown(0.05)


def test_the_metric_itself_is_judged_as_compare_judges_it():
    """One condition, Holm: to the last figures the same p-values, intervals and verdicts."""
    study = study_of(
        Crossed(),
        lambda cell: 0.8 + GAIN[cell.factors["recipe"]] + 0.03 * noise(cell) / 0.004,
        optimizers={"a": Adam()},
    )

    def accuracy(run):
        sample, labels, logits = study.results.test_predictions(run)
        return RunMeasure.mean((logits.argmax(axis=1) == labels).astype(float), sample, share=True)

    mine = corrected(measure_effects(study, "accuracy", accuracy), study.experiment.alpha)
    theirs = [effect for effect in study.effects if effect.tested]
    assert [effect.recipe for effect in mine] == [effect.recipe for effect in theirs]
    for one, other in zip(mine, theirs, strict=True):
        assert (one.estimate, one.low, one.high) == pytest.approx((other.estimate, other.low, other.high))
        assert (one.p, one.p_adjusted) == pytest.approx((other.p, other.p_adjusted))
        assert one.note == other.note == ""


def test_photographs_of_one_group_count_as_one():
    groups = np.arange(200) // 2
    study = study_of(Crossed(), results=lambda found: replace(found, groups=groups))
    known = terms(study)
    alone, sample = study_of(Crossed()), np.arange(IMAGES)
    halves = {run: row.reshape(-1, 2).mean(axis=1) for run, row in known.items()}
    grouped = measure_effects(study, "loss", lambda run: RunMeasure.mean(known[run], sample))
    plain = measure_effects(alone, "loss", lambda run: RunMeasure.mean(halves[run], sample[::2]))
    assert [effect.p for effect in grouped] == pytest.approx([effect.p for effect in plain])


def test_a_share_of_images_has_two_images_added():
    study, sample = study_of(Crossed()), np.arange(IMAGES)
    known = {run: (row > 0).astype(float) for run, row in terms(study).items()}
    with_share, without = (
        measure_effects(study, "right", lambda run, share=share: RunMeasure.mean(known[run], sample, share))
        for share in (True, False)
    )
    for one, other in zip(with_share, without, strict=True):
        assert one.difference.error**2 - other.difference.error**2 == pytest.approx(2 / (IMAGES + 2) ** 2)


# --- reasons to claim nothing


def large(study: Study):
    """A measure in which every recipe is far from the baseline, seed by seed, with little noise."""
    known = values(study)
    recipes = {cell.spec.id: cell.factors["recipe"] for cell in study.results.cells}
    return {run: known[run] + 10 * (recipes[run] != "none") for run in known}


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_a_record_without_the_measure_leaves_no_verdict(test):
    study = study_of(test)
    known = large(study)
    without = next(c.spec.id for c in study.results.cells if (c.factors["recipe"], c.seed) == ("bright", 2))
    effects = corrected(
        measure_effects(study, "gap", lambda run: None if run == without else RunMeasure(known[run])), 0.05
    )
    bright, contrast = effects
    assert bright.note == "the records of 1 seed lack what this is computed from"
    assert not bright.shown(0.05)
    assert math.isnan(bright.p)
    assert bright.estimate == pytest.approx(10, abs=0.1), "what there is can still be said"
    assert bright.seeds == 4
    assert contrast.shown(0.05)
    assert contrast.p_adjusted == pytest.approx(2 * contrast.p), "what cannot be tested counts in the family"
    assert contrast.low < contrast.estimate < contrast.high


def test_no_record_has_it_and_none_claims():
    study = study_of(Paired())
    for effect in corrected(measure_effects(study, "gap", lambda run: None), 0.05):
        assert effect.note == "the records of 10 seeds lack what this is computed from"
        assert effect.difference is None
        assert effect.seeds == 0
        assert not effect.shown(0.05)


def test_a_measure_that_is_no_finite_number_says_so():
    study = study_of(Paired())
    known = large(study)
    for run in known:
        known[run] = math.nan if run == next(iter(known)) else known[run]
    effects = measure_effects(study, "gap", lambda run: RunMeasure(known[run]))
    assert {effect.note for effect in effects} == {"it is no finite number in 1 seed"}, "the baseline's first run"
    empty = RunMeasure.mean(np.array([]), np.array([], int))
    assert math.isnan(empty.value)


@pytest.mark.parametrize("fate", ["failed", "diverged"])
def test_a_failed_run_leaves_no_verdict(fate):
    def score(cell):
        return fate if (cell.factors["recipe"], cell.seed) == ("bright", 1) else 0.8 + noise(cell)

    study = study_of(Paired(), score)
    bright, contrast = corrected(measure_effects(study, "gap", lambda run: RunMeasure(large(study)[run])), 0.05)
    assert bright.note == "2 runs failed or diverged here: no verdict on those that are left"
    assert (bright.seeds, bright.shown(0.05), contrast.shown(0.05)) == (4, False, True)


def test_two_names_of_the_baseline_are_no_comparison_and_two_of_a_recipe_are_judged_alike():
    recipes = {"none": (), "nothing": (), "bright": (Brightness(0.4),), "brighter": (Brightness(0.4),)}
    study = study_of(Paired(), recipes=recipes)
    known = values(study)
    nothing, bright, brighter = judged(study, known).values()
    assert (nothing.note, nothing.estimate, nothing.shown(0.05)) == (OWN_RUNS, 0.0, False)
    assert replace(bright, recipe="brighter") == brighter


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds(seeds):
    study = study_of(Paired(), seeds=seeds)
    known = large(study)
    for effect in corrected(measure_effects(study, "gap", lambda run: RunMeasure(known[run])), 0.05):
        assert effect.note == ("too few finished seeds" if seeds == 1 else "no verdict under 3 seeds")
        assert not effect.shown(0.05)


def test_no_spread_is_no_proof():
    study = study_of(Paired())
    recipes = {cell.spec.id: cell.factors["recipe"] for cell in study.results.cells}
    for effect in measure_effects(study, "gap", lambda run: RunMeasure(float(recipes[run] == "bright"))):
        assert effect.note == "no spread over seeds: the test cannot judge"
        assert math.isnan(effect.p)


def by_condition(study: Study, known):
    """The first half of the images under one optimizer, the second under the other."""
    of = {cell.spec.id: cell.factors["optimizer"] == "adam" for cell in study.results.cells}
    return lambda run: RunMeasure.mean(known[run], np.arange(IMAGES) + (0 if of[run] else IMAGES))


def test_images_that_runs_do_not_share_give_no_verdict():
    study = study_of(Crossed())
    known = terms(study)
    for effect in corrected(measure_effects(study, "loss", by_condition(study, known)), 0.05):
        assert effect.note == OTHER_IMAGES
        assert not effect.shown(0.05)
        assert math.isnan(effect.low), "an interval over seeds alone would be of something else"
    one = measure_effects(study, "loss", lambda run: RunMeasure.mean(known[run][:1], np.arange(1)))
    assert {effect.note for effect in one} == {OTHER_IMAGES}
    with_two = replace(study.experiment, test=Paired())
    paired = Study(replace(study.results, experiment=with_two))
    assert {effect.note for effect in measure_effects(paired, "loss", by_condition(paired, known))} == {""}


# --- conditions and families


def test_it_is_pooled_over_all_conditions_that_have_both():
    study = study_of(Paired(), exclude=({"recipe": "bright", "optimizer": "sgd"},))
    pairs = pooled_pairs(study)
    assert [pair.own.recipe for pair in pairs] == ["bright", "contrast"]
    assert [len(pair.shared) for pair in pairs] == [1, 2]
    known = values(study)
    effects = judged(study, known)
    adam = {cell.spec.id for cell in study.results.cells if cell.factors["optimizer"] == "adam"}
    only = {
        recipe: [known[c.spec.id] for c in study.results.cells if c.spec.id in adam and c.factors["recipe"] == recipe]
        for recipe in ("bright", "none")
    }
    assert effects["bright"].p == pytest.approx(stats.ttest_rel(only["bright"], only["none"]).pvalue)


def test_each_run_is_read_once():
    study, reads = study_of(Paired()), []
    known = values(study)

    def of(run):
        reads.append(run)
        return RunMeasure(known[run])

    measure_effects(study, "gap", of)
    assert sorted(reads) == sorted({cell.spec.id for cell in study.results.cells})


def made(p_values) -> list[MeasureEffect]:
    """Effects with these p-values: differences of df 4."""
    return [
        MeasureEffect(str(index), "x", 5, 5, difference=Difference(1.0, 0.4, 4), p=p)
        for index, p in enumerate(p_values)
    ]


def test_the_correction_is_holms():
    draws = stream(0, "p")
    for count in (1, 2, 5, 12):
        p_values = draws.uniform(0, 0.2, count)
        adjusted = [effect.p_adjusted for effect in corrected(made(p_values), 0.05)]
        assert adjusted == pytest.approx(holms(p_values))
    assert corrected([], 0.05) == ()


def test_what_cannot_be_tested_counts_in_the_family():
    first, second, third = corrected(made([0.01, math.nan, 0.2]), 0.05)
    assert first.p_adjusted == pytest.approx(0.03)
    assert math.isnan(second.p_adjusted)
    assert third.p_adjusted == pytest.approx(0.4)


def test_what_stands_behind_is_tested_only_once_its_parent_is_shown():
    """Two primary ones with one secondary each: half of a parent's share goes to its own, by hand."""
    parents = [(), (), (0,), (1,)]
    open_, shut, child, orphan = corrected(made([0.001, 0.9, 0.001, 1e-9]), 0.05, parents)
    assert open_.p_adjusted == pytest.approx(0.002)
    assert shut.p_adjusted == pytest.approx(0.9), "all of alpha has come to it by then"
    assert child.p_adjusted == pytest.approx(0.001 / 0.25), "half of the parent's half"
    assert (child.reached, child.shown(0.05)) == (True, True)
    assert (orphan.reached, orphan.shown(0.05)) == (False, False), "however small its own p is"
    reach = stats.t.isf(0.05 * 0.25 / 2, 4) * 0.4
    assert (child.low, child.high) == pytest.approx((1 - reach, 1 + reach))


def test_recipes_are_those_of_the_experiment():
    study = study_of(Welch(), recipes={"none": (), "contrast": (Contrast(0.4),)}, split=Fixed())
    assert set(judged(study, values(study))) == {"contrast"}
    alone = study_of(Welch(), recipes={"none": ()})
    assert measure_effects(alone, "gap", lambda run: RunMeasure(0.0)) == ()
