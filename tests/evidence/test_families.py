"""Correction for the number of comparisons: what is primary, what stands behind it, intervals that agree with verdicts;
Dunnett's within a condition, and Bonferroni's over conditions.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from made_up import GAIN, noise, question, results_of, usual
from scipy import stats

from ablation import Dunnett
from ablation.analysis.comparison import Difference
from ablation.augment import Brightness, Contrast, Hue
from ablation.core.seeds import stream
from ablation.evidence import families
from ablation.evidence.effects import NOT_REACHED, NOT_REACHED_POOLED, Effect
from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Pair
from ablation.evidence.study import Study, compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam


@pytest.fixture
def experiment() -> Experiment:
    return replace(question(), test=Dunnett())


def by_spec(cell: Cell) -> float:
    return 0.8 + 0.01 * len(cell.spec.recipe) + noise(cell, 0.01)


def small(cell: Cell) -> float:
    """Gains of twice the sd; the luck of five seeds adds up to nothing."""
    luck = stream(0, "luck", *cell.factors.values()).permutation([-1.26, -0.63, 0.0, 0.63, 1.26])
    return 0.8 + 0.3 * GAIN.get(cell.factors["recipe"], 0.0) + 0.0075 * float(luck[cell.seed])


def under(effects, optimizer: str | None) -> dict[str, Effect]:
    condition = {"optimizer": optimizer} if optimizer else {}
    return {effect.recipe: effect for effect in effects if effect.tested and effect.condition == condition}


@pytest.mark.parametrize("families", [1, 3])
def test_dunnetts_test_is_scipys_with_bonferronis_share_of_each_condition(experiment, families):
    """Two optimizers and the pooled comparisons are three families; one optimizer alone is one."""
    asked = experiment if families == 3 else replace(experiment, optimizers={"adam": Adam()})
    effects = under(compare(results_of(asked, small)), "adam")
    arms = [list(effects[recipe].scores.values()) for recipe in ("bright", "contrast")]
    baseline = list(effects["bright"].baseline_scores.values())
    scipys = stats.dunnett(*arms, control=baseline, rng=stream(0, "scipy"))
    interval = scipys.confidence_interval(1 - 0.05 / families)
    for place, effect in enumerate(effects.values()):
        assert effect.p_adjusted == pytest.approx(min(1.0, families * scipys.pvalue[place]), abs=2e-3)
        assert (effect.low, effect.high) == pytest.approx((interval.low[place], interval.high[place]), abs=2e-5)
        assert effect.p == pytest.approx(stats.t.sf(abs(_t(arms, baseline, place)), 12) * 2)


def _t(arms, baseline, place) -> float:
    """Student's, with the variance of all three groups of five."""
    spread = sum(stats.tvar(group) for group in (*arms, baseline)) / 3
    return (stats.tmean(arms[place]) - stats.tmean(baseline)) / math.sqrt(spread * 2 / 5)


def test_verdicts_come_from_it(experiment):
    verdicts = [effect.verdict for effect in compare(results_of(experiment))]
    assert verdicts == ["baseline", "better", "worse"] * 3


def test_a_recipe_without_scores_still_counts_in_its_family(experiment):
    """Whether it failed may depend on what it would have shown."""
    lost = results_of(experiment, lambda cell: "failed" if cell.factors["recipe"] == "contrast" else small(cell))
    alone = results_of(replace(experiment, recipes={"none": (), "bright": (Brightness(0.4),)}), small)
    waiting, judged = (under(compare(results), "adam")["bright"] for results in (lost, alone))
    assert waiting.p == pytest.approx(judged.p)
    assert waiting.p_adjusted > judged.p_adjusted
    assert waiting.high - waiting.low > judged.high - judged.low


def test_runs_with_two_names_count_once_in_the_variance(experiment):
    """And the baseline's own runs under another name differ from it by exactly nothing."""
    twice = {**experiment.recipes, "same": (Contrast(0.4),), "nothing": ()}
    effects = under(compare(results_of(replace(experiment, recipes=twice), by_spec)), "adam")
    once = under(compare(results_of(experiment, by_spec)), "adam")
    assert effects["same"].p == effects["contrast"].p == pytest.approx(once["contrast"].p)
    assert effects["same"].p_adjusted == effects["contrast"].p_adjusted > once["contrast"].p_adjusted
    assert effects["nothing"].estimate == 0.0
    assert math.isnan(effects["nothing"].p_adjusted)
    assert effects["nothing"].note == "the baseline's own runs under another name"


def test_equivalence_is_corrected_by_holm(experiment):
    """Four comparisons of the same spread; the smallest p of the two one-sided tests counts six times."""
    effects = [
        effect for effect in compare(results_of(experiment, lambda cell: 0.8 + noise(cell, 0.002))) if effect.tested
    ]
    smallest = min(effects, key=lambda effect: effect.p_equivalent)
    groups = [list(effect.scores.values()) for effect in effects if effect.condition == smallest.condition]
    groups.append(list(smallest.baseline_scores.values()))
    error = math.sqrt(sum(map(stats.tvar, groups)) / len(groups) * 2 / 5)
    one_sided = stats.t.sf((0.01 - abs(smallest.estimate)) / error, 12)
    assert smallest.p_equivalent == pytest.approx(6 * one_sided)
    assert smallest.verdict == "equivalent"


def test_without_the_baseline_there_is_no_family(experiment):
    rules = ({"recipe": "none", "optimizer": "sgd"},)
    effects = compare(results_of(replace(experiment, exclude=rules), usual))
    assert {effect.note for effect in effects if effect.condition == {"optimizer": "sgd"}} == {
        "nowhere beside the baseline"
    }
    assert [effect.verdict for effect in effects if effect.pooled] == ["baseline", "better", "worse"]


# --- what comes first, and what stands behind it


RECIPES = {"none": (), "bright": (Brightness(0.4),), "contrast": (Contrast(0.4),), "hue": (Hue(0.2),)}


def asked(primary: str = "pooled", **changes) -> Experiment:
    """Three recipes beside the baseline, under two optimizers."""
    return replace(question(), recipes=RECIPES, primary=primary, margin=1.0, **changes)


def small_luck(gains: dict[str, float]):
    """Scores around .5 with these gains, by recipe, or by recipe and optimizer; the luck adds up to nothing."""

    def score(cell: Cell) -> float:
        recipe, optimizer = cell.factors["recipe"], cell.factors["optimizer"]
        luck = stream(0, "small", recipe, optimizer).permutation([-1.26, -0.63, 0.0, 0.63, 1.26])
        return 0.5 + gains.get(f"{recipe} {optimizer}", gains.get(recipe, 0.0)) + 0.01 * float(luck[cell.seed])

    return score


@pytest.mark.parametrize(("primary", "first", "count"), [("pooled", True, 3), ("each", False, 6)])
def test_the_primary_comparisons_have_alpha_to_themselves(primary, first, count):
    effects = [one for one in compare(results_of(asked(primary), small_luck({"bright": 0.03}))) if one.tested]
    primary_ones = [effect for effect in effects if effect.primary]
    assert [effect.pooled for effect in primary_ones] == [first] * count
    best = min(primary_ones, key=lambda effect: effect.p)
    assert best.recipe == "bright"
    assert best.p_adjusted == pytest.approx(count * best.p)
    assert best.verdict == "better"


def test_behind_a_pooled_comparison_that_is_undecided_nothing_is_tested():
    """Even where it helps under one optimizer what it costs under the other; with "each" that is what is asked."""
    opposite = small_luck({"bright adam": 0.1, "bright sgd": -0.1})
    for primary, verdicts, note in (
        ("pooled", {"adam": "undecided", "sgd": "undecided"}, NOT_REACHED),
        ("each", {"adam": "better", "sgd": "worse"}, ""),
    ):
        effects = compare(results_of(replace(asked(primary), margin=0.001), opposite))
        told = {
            effect.condition["optimizer"]: effect
            for effect in effects
            if effect.recipe == "bright" and effect.condition
        }
        assert {name: effect.verdict for name, effect in told.items()} == verdicts
        assert {effect.note for effect in told.values()} == {note}
        assert max(effect.p for effect in told.values()) < 0.001
        assert {effect.p_adjusted for effect in told.values()} == {1.0} or primary == "each"


def test_pooled_is_not_reached_where_nothing_under_a_condition_is():
    effects = compare(results_of(replace(asked("each"), margin=0.001), small_luck({"bright": 0.02})))
    nothing = [effect for effect in effects if effect.pooled and effect.recipe in ("contrast", "hue")]
    assert {(effect.verdict, effect.note) for effect in nothing} == {("undecided", NOT_REACHED_POOLED)}


def test_what_stands_behind_is_tested_once_its_pooled_comparison_is_decided():
    effects = compare(results_of(asked(), small_luck({"bright": 0.08, "bright sgd": 0.09})))
    assert [one.verdict for one in effects if one.recipe == "bright"] == ["better"] * 3
    adam, sgd, pooled = (one for one in effects if one.recipe == "bright")
    assert pooled.p_adjusted == pytest.approx(3 * pooled.p)
    # 1/3, of which half goes behind, to two
    assert min(adam.p_adjusted, sgd.p_adjusted) == pytest.approx(max(3 * pooled.p, 12 * min(adam.p, sgd.p)))


def test_a_condition_without_spread_says_so_and_not_that_it_was_not_reached():
    def score(cell: Cell) -> float:
        return 0.5 if cell.factors["optimizer"] == "adam" else small_luck({})(cell)

    adam = under(compare(results_of(replace(asked(), margin=0.001), score)), "adam")
    assert {effect.note for effect in adam.values()} == {"no spread over seeds: the test cannot judge"}


# --- intervals


@pytest.fixture(scope="module")
def nine() -> Study:
    """Of nine comparisons: bright, contrast, hue under adam, sgd, and pooled."""
    return Study(results_of(asked(), usual))


def differences(truth: np.ndarray, name: str, tables: int) -> Iterator[list[Difference]]:
    """truth (2, 3): of each recipe under each condition, in standard errors of a single comparison.

    Differences of recipes to one baseline, with its luck in common; pooled is the mean over conditions. Eight degrees
    of freedom.
    """
    random = stream(0, "families", name)
    for _ in range(tables):
        single = truth + random.standard_normal(truth.shape) * math.sqrt(0.5)
        single += random.standard_normal((len(truth), 1)) * math.sqrt(0.5)
        spread = np.sqrt(random.chisquare(8, 9) / 8)
        value = [*single.ravel(), *single.mean(axis=0)]
        error = np.array([1.0] * 6 + [math.sqrt(0.5)] * 3) * spread
        yield [Difference(*pair, 8.0) for pair in zip(map(float, value), map(float, error), strict=True)]


def judged_of(nine: Study, each: list[Difference], **changes) -> list[tuple[families.Tested, bool]]:
    """What is said of these differences, as if the declared test had found them; and whether it is primary."""
    experiment, waiting = replace(nine.experiment, **changes), iter(each)

    def tested(experiment: Experiment, pair: Pair, scores: ImageScores) -> families.Tested:
        one = next(waiting)
        return families.Tested(one, *one.interval(0.05), one.p_value(), math.nan, math.nan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "_tested", tested)
        compared = families.compare_pairs(experiment, nine.pairs, nine.image_scores)
    assert not list(waiting)
    return [(one, question in compared.primary) for question, one in compared.tested.items() if one]


@pytest.mark.parametrize("tables", [300, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("primary", ["pooled", "each"])
def test_no_interval_gainsays_its_verdict_whatever_was_drawn(nine, primary, tables):
    """Tables of nine comparisons each, effects from nothing to beyond doubt. What is undecided has an
    interval that holds 0; a primary one that does not is different, on that side."""
    said = Counter[str]()
    random = stream(0, "truths")
    for table in range(tables):
        margin = float(random.choice([0.5, 3.0, 8.0]))
        (found,) = differences(random.normal(0, random.choice([0, 2, 6]), (2, 3)), f"{primary} {table}", 1)
        for one, first in judged_of(nine, found, primary=primary, margin=margin):
            estimate, holds = one.difference.estimate, one.low <= 0 <= one.high
            assert one.low <= estimate <= one.high
            if one.p_adjusted < 0.05:
                said["different"] += 1
                assert holds or np.sign(one.low) == np.sign(estimate)
            elif one.p_equivalent < 0.05:
                said["equivalent"] += 1
                assert abs(estimate) < margin
                assert holds or not first
            else:
                said["undecided" if one.reached else "not tested"] += 1
                assert holds or not one.reached
    assert min(said.values()) > tables / 10
    assert len(said) == 4


TRUTHS = {
    "nothing is there": np.zeros((2, 3)),
    "one recipe helps": np.array([[4.0, 0, 0], [4.0, 0, 0]]),
    "all help, more or less": np.array([[1.0, 3.0, 6.0], [2.0, 3.0, 4.0]]),
    "it depends on the optimizer": np.array([[3.0, -4.0, 0], [-3.0, 4.0, 0]]),
    "next to nothing beside two beyond doubt": np.array([[60.0, 60.0, -0.001]] * 2),
}


@pytest.mark.parametrize("tables", [200, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("primary", ["pooled", "each"])
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_all_primary_intervals_hold_together_and_so_do_the_others(nine, truth, primary, tables):
    """In 95 % of tables, and no verdict on a comparison is false in more than 5 %."""
    true = [*truth.ravel(), *truth.mean(axis=0)]
    held, false = [], []
    for found in differences(truth, str(truth.ravel()), tables):
        judged, first = zip(*judged_of(nine, found, primary=primary, margin=0.2), strict=True)
        inside = [one.low <= t <= one.high for one, t in zip(judged, true, strict=True)]
        held.append([all(i for i, f in zip(inside, first, strict=True) if f == p) for p in (True, False)])
        false.append(any(one.p_adjusted < 0.05 and not t for one, t in zip(judged, true, strict=True)))
    error = 1.96 * math.sqrt(0.05 * 0.95 / tables)
    assert (np.mean(held, axis=0) >= 0.95 - error).all()
    assert np.mean(false) <= 0.05 + error
