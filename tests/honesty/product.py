"""The product's own path, from a table of results to verdicts, in worlds in which the truth is known.

What `simulator` asks of arrays is asked here of `compare`, with fewer experiments: a comparison costs some hundredths
of a second. `made_up` holds tables without files.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from claims import Claim, at_most
from made_up import question, results_of
from simulator import SEED, scores

from ablation.analysis import student
from ablation.analysis.comparison import CorrectedResampled, Crossed, Dunnett, Paired, Test, Welch
from ablation.analysis.crossed import crossed
from ablation.analysis.multiplicity import holm
from ablation.augment import Brightness
from ablation.core.seeds import stream
from ablation.evidence.effects import Effect
from ablation.evidence.study import compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam

GRIDS = 200
MOST = 0.0802
"""5 % and 1.96 standard errors of a share of 200: sqrt(.05 x .95 / 200) = 1.54 points."""

TESTS: tuple[Test, ...] = (Crossed(), Welch(), Paired(), CorrectedResampled(), Dunnett())


def idle_recipes(count: int, seeds: int) -> Experiment:
    """So many recipes beside the baseline, under one optimizer, that are to get the same scores but for luck."""
    names = {f"idle {place}": (Brightness(0.1 + place / 100),) for place in range(count)}
    return replace(question(), recipes={"none": (), **names}, optimizers={"adam": Adam()}, seeds=seeds, metric="ece")


def luck(name: str) -> Callable[[Cell], float]:
    """Scores that depend on nothing but the run and this name."""
    return lambda cell: 0.5 + float(stream(SEED, "luck", name, cell.seed, *cell.factors.values()).normal(0, 0.01))


def verdicts(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.verdict for effect in effects if effect.tested]


def any_false_verdict(seeds: int) -> float:
    """Share of 200 experiments with four idle recipes in which at least one is called better or worse."""
    asked = idle_recipes(4, seeds)
    found = [verdicts(compare(results_of(asked, luck(str(grid))))) for grid in range(GRIDS)]
    return float(np.mean([bool({"better", "worse"} & set(told)) for told in found]))


def idle_recipes_called_different(seeds: int) -> float:
    """Share of 40 idle recipes, in two experiments, that are called better or worse."""
    asked = idle_recipes(20, seeds)
    found = [told for name in ("one", "two") for told in verdicts(compare(results_of(asked, luck(name))))]
    return float(np.mean([told in ("better", "worse") for told in found]))


def on_the_true_side(seeds: int) -> float:
    """Share of recipes of which everything that is said points the way they were made to go, ten points up or down.

    By every test, for a metric where higher is better and one where lower is. There are so many test photographs that
    these can show it too; few where the test supposes that all are drawn anew, and pays for it.
    """
    asked = replace(question(), optimizers={"adam": Adam()}, seeds=seeds)
    gains, found = {"none": 0.0, "bright": 0.1, "contrast": -0.1}, []
    for metric, sign in (("accuracy", 1), ("log_loss", -1)):
        for test in TESTS[metric == "log_loss" :]:  # made-up logits have an accuracy, and no loss of their own
            effects = compare(
                results_of(
                    replace(asked, metric=metric, test=test),
                    lambda cell, sign=sign: luck("sides")(cell) + sign * gains[cell.factors["recipe"]],
                    test_images=40 if isinstance(test, CorrectedResampled) else 2000,
                )
            )
            beside = metric == "accuracy" and not test.new_images
            found += [_points(effect, gains[effect.recipe], sign, beside) for effect in effects if effect.tested]
    return float(np.mean(found))


def _points(effect: Effect, gain: float, sign: int, beside: bool) -> bool:
    """beside: has it an interval for new photographs beside that of its test?"""
    way = sign * np.sign(gain)
    numbers = (effect.estimate, effect.low, effect.high, effect.alone_low, effect.alone_high, effect.g)
    images = (effect.new_low, effect.new_high) if beside else ()
    verdict, chance = ("better", effect.p_better > 0.5) if gain > 0 else ("worse", effect.p_better < 0.5)
    return effect.verdict == verdict and chance and all(way * number > 0 for number in (*numbers, *images))


def seed_parts_of_the_declared_test(seeds: int) -> float:
    """Share of tables whose interval for new photographs takes from seeds exactly what the declared test does."""
    draws, found = stream(SEED, "tables", seeds), []
    for paired, contrast in ((False, student.contrast), (True, student.paired_contrast)):
        for _ in range(20):
            arms = draws.normal(size=(2, seeds, 1)) + draws.normal(size=(2, seeds, 30))
            told = crossed(*arms, paired)
            test = contrast(arms.mean(axis=2), (1, -1))
            found.append(np.allclose((told.estimate, told.seed_error), (test.value, test.error), rtol=1e-9))
    return float(np.mean(found))


def same_as_arrays(seeds: int) -> float:
    """Share of 20 recipes whose p-values `compare` gives as the arrays do that the simulator judges by."""
    treatments, baseline = (drawn[0] / 100 for drawn in scores(seeds, (1.0,) * 21))
    asked = idle_recipes(20, seeds)
    given = dict(zip(asked.recipes, np.concatenate([baseline, treatments]), strict=True))
    told = compare(results_of(asked, lambda cell: given[cell.factors["recipe"]][cell.seed]))
    p_values = student.two_sided(student.contrast((treatments, baseline), (1, -1)))
    expected = np.stack([p_values, holm(p_values)], axis=1)
    found = np.array([(effect.p, effect.p_adjusted) for effect in told if effect.tested])
    return float(np.isclose(found, expected, rtol=1e-9).all(axis=1).mean())


def exactly(share: float) -> dict[int, tuple[float, float]]:
    return dict.fromkeys((3, 5, 10), (share, share))


PRODUCT = (
    Claim("A/A, through compare", any_false_verdict, "≤ .0802", at_most(MOST)),
    Claim("40 idle recipes called different", idle_recipes_called_different, "0", exactly(0.0)),
    Claim("all that is said is on the true side", on_the_true_side, "1", exactly(1.0)),
    Claim("compare as the simulated arrays", same_as_arrays, "1", exactly(1.0)),
    Claim("seed part as the declared test's", seed_parts_of_the_declared_test, "1", exactly(1.0)),
)
