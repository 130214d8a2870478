"""What the other sections claim where nothing is true: operations, doses, train sizes, interaction with conditions.

Scores are drawn as arrays and given to the functions that judge a table of results, after the table has been read. What
is a comparison with the baseline is judged in its own family, which `product` measures, so here it claims nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from claims import Claim, at_least, at_most, row
from made_up import question, results_of
from scipy import stats
from simulator import ALPHA, SEED

from ablation.analysis import student
from ablation.analysis.comparison import Difference, Paired, Welch
from ablation.analysis.factorial import anova
from ablation.analysis.interaction import interactions
from ablation.analysis.multiplicity import holm
from ablation.augment import Brightness, Contrast, Hue, Operation, RandomRotation, Saturation
from ablation.core.seeds import stream
from ablation.data import Fixed
from ablation.evidence.families import Compared, Tested
from ablation.evidence.scores import RecipeScores
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.recipes import leave_one_out, powerset
from ablation.report.sections.attribution import compute as operations
from ablation.report.sections.attribution.designs import plan_of
from ablation.report.sections.dose_response import compute as doses
from ablation.report.sections.dose_response.magnitudes import dose_series
from ablation.report.sections.interaction.compute import conditions as by_condition
from ablation.report.sections.interaction.section import answer as interaction_answer
from ablation.report.sections.train_size import compute as sizes

GRIDS, MOST = 500, 0.0691
"""5 % and 1.96 standard errors of a share of 500: sqrt(.05 x .95 / 500) = 0.97 points."""
TABLES, MOST_OF_TABLES = 200, 0.0802
"""The same for what is asked of whole tables."""

PARTS: dict[str, Operation] = {"bright": Brightness(0.4), "contrast": Contrast(0.4), "hue": Hue(0.2)}
ALONE = {"none": ()} | {name: (part,) for name, part in PARTS.items()} | {"all": tuple(PARTS.values())}
AMOUNTS = (0.2, 0.4, 0.6)
LADDERS = {"none": ()} | {
    f"{kind.__name__} {amount}": (kind(amount),) for kind in (Brightness, Contrast, Saturation) for amount in AMOUNTS
}
LADDERS |= {f"turn {degrees}": (RandomRotation(degrees),) for degrees in (5, 10, 15, 20)}
CONDITIONS = (("adam",), ("sgd",))

Draws = Mapping[tuple[str, ...], np.ndarray]
"""(recipe, level of everything else ...) -> a score a seed."""


def blocks(draws: Draws, recipes: tuple[str, ...], conditions: tuple[tuple[str, ...], ...]) -> list[RecipeScores]:
    """As `ablation.evidence.scores.blocks` reads them from a table: each condition, then pooled."""
    return [over(draws, recipes, (condition,)) for condition in conditions] + [over(draws, recipes, conditions)]


def over(draws: Draws, recipes: tuple[str, ...], conditions: tuple[tuple[str, ...], ...]) -> RecipeScores:
    means = {recipe: np.mean([draws[recipe, *condition] for condition in conditions], axis=0) for recipe in recipes}
    seeds = len(next(iter(means.values())))
    named = {"optimizer": conditions[0][0]} if len(conditions) == 1 else {}
    return RecipeScores(
        named, conditions, {name: dict(enumerate(m.tolist())) for name, m in means.items()}, seeds, 0.0, 0
    )


def idle(name: str, seeds: int, grid: int, recipes: tuple[str, ...], conditions: tuple[tuple[str, ...], ...]) -> Draws:
    """Nothing but luck."""
    random = stream(SEED, "sections", name, seeds, grid)
    return {(recipe, *condition): random.standard_normal(seeds) for condition in conditions for recipe in recipes}


ELSEWHERE = Tested(Difference(0.0, 1.0, 1.0), -1.0, 1.0, p=1.0, p_adjusted=1.0, p_equivalent=1.0)


class Elsewhere(Compared):
    """Every comparison with the baseline has been judged, and found to be nothing."""

    def of(self, recipe, conditions):
        return ELSEWHERE if recipe else None


def any_contribution(seeds: int, recipes: Mapping[str, tuple]) -> float:
    """Share of grids in which an operation, or the remainder, is said to do something, under a condition or pooled."""
    asked = replace(question(), recipes=recipes, seeds=seeds)
    plan = plan_of(asked)
    assert plan is not None
    names, found = tuple(plan.recipes.values()), []
    for grid in range(GRIDS):
        draws = idle(plan.design, seeds, grid, names, CONDITIONS)
        result = operations.design_result(asked, plan, blocks(draws, names, CONDITIONS), Elsewhere({}))
        assert not any(block.note for block in result.blocks)
        gains = [gain for block in result.blocks for gain in block.gains]
        found.append(any(gain.p_adjusted < ALPHA for gain in gains))
    return float(np.mean(found))


def any_dose(seeds: int) -> float:
    """Share of grids in which one of four curves is said to rise, to bend, or to be no quadratic."""
    asked = replace(question(), recipes=LADDERS, seeds=seeds)
    scales, found = dose_series(asked), []
    assert [len(series.doses) for series in scales] == [5, 4, 4, 4]
    for grid in range(GRIDS):
        draws = idle("doses", seeds, grid, tuple(LADDERS), CONDITIONS[:1])
        every = doses.dose_curves(asked, [(one, [over(draws, one.recipes, CONDITIONS[:1])]) for one in scales])
        curves = [curve for one in every for curve in one.curves]
        assert not any(curve.note for curve in curves)
        found.append(any(min(curve.p_slope, curve.p_bend, curve.p_misfit) < ALPHA for curve in curves))
    return float(np.mean(found))


def any_size(seeds: int) -> float:
    """Share of grids in which the gain of one of six recipes is said to depend on the number of images."""
    asked = replace(question(), seeds=seeds)
    recipes, levels = ("none", *map(str, range(6))), tuple(("adam", size) for size in ("50", "100", "200"))
    found = []
    for grid in range(GRIDS):
        draws = idle("sizes", seeds, grid, recipes, levels)
        curves = [
            sizes.size_curve(
                asked,
                recipe,
                [sizes.AtSize(at[1], float(at[1]), over(draws, ("none", recipe), (at,))) for at in levels],
                Elsewhere({}),
            )
            for recipe in recipes[1:]
        ]
        assert not any(curve.note for curve in curves)
        found.append(any(curve.p_slope < ALPHA for curve in sizes.corrected(curves)))
    return float(np.mean(found))


def uncorrected(measure: Callable[[int], float], seeds: int) -> float:
    """The same without Holm's correction."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (operations, doses, sizes):
            patch.setattr(module, "holm", list)
        patch.setattr(student, "holm", np.asarray)
        return measure(seeds)


MAIN = {"none": 0.0, "bright": 3.0, "contrast": -2.0, "hue": 5.0, "all": 1.0}
OPTIMIZERS = {"adam": 0.0, "sgd": 4.0}
"""What each recipe and each optimizer does, in sd of a run: much, and the same beside whatever else."""

Spread = Mapping[str, float]
"""Recipe, or recipe and optimizer -> its sd over seeds; 1 where it is not named."""
ALIKE: Spread = {}
WILD_CELL, WILDER_CELL, WILD_RECIPE = {"bright sgd": 3.0}, {"bright sgd": 5.0}, {"bright": 4.0}


def cells(seeds: int, grid: int, spread: Spread, planted: float, paired: bool) -> dict[str, dict[str, np.ndarray]]:
    """optimizer -> recipe -> (seeds,) scores. planted: what bright gains more under sgd. paired: runs share a luck."""
    random = stream(SEED, "sections", "interaction", seeds, grid)
    luck = 2 * paired * random.standard_normal(seeds)
    return {
        optimizer: {
            recipe: gain
            + more
            + planted * (f"{recipe} {optimizer}" == "bright sgd")
            + luck
            + spread.get(f"{recipe} {optimizer}", spread.get(recipe, 1.0)) * random.standard_normal(seeds)
            for recipe, gain in MAIN.items()
        }
        for optimizer, more in OPTIMIZERS.items()
    }


def any_interaction(seeds: int, spread: Spread = ALIKE, planted: float = 0.0, paired: bool = False) -> float:
    """Share of grids in which the effect of a recipe, or of bright where it is planted, depends on the optimizer."""
    levels, found = {name: {"optimizer": name} for name in OPTIMIZERS}, []
    for grid in range(GRIDS):
        asked = interactions(cells(seeds, grid, spread, planted, paired), levels, "none", paired)
        assert len(asked) == 4
        found.append(any(one.p_adjusted < ALPHA for one in asked if not planted or one.recipe == "bright"))
    return float(np.mean(found))


def any_interaction_by_f(seeds: int, spread: Spread) -> float:
    """The same by the F test of the interaction, which supposes one sd for all cells."""
    found = []
    for grid in range(GRIDS):
        drawn = cells(seeds, grid, spread, 0.0, False)
        runs = [(score, recipe, where) for where, own in drawn.items() for recipe, s in own.items() for score in s]
        scores, recipes, optimizers = zip(*runs, strict=True)
        made = anova(scores, {"recipe": recipes, "optimizer": optimizers})
        odds = [term.partial_eta2 / (1 - term.partial_eta2) for term in made.terms]
        p = [stats.f.sf(odd * made.df / term.df, term.df, made.df) for odd, term in zip(odds, made.terms, strict=True)]
        found.append(holm(p)[-1] < ALPHA)
    return float(np.mean(found))


def said_to_depend(seeds: int) -> float:
    """Share of tables, five recipes under two optimizers, whose sentence says that effects depend on the optimizer."""
    asked = of_losses(seeds, recipes=ALONE, test=Paired())
    results, found = results_of(asked, lambda cell: 0.5), []
    assert tuple(asked.recipes) == tuple(MAIN)
    for grid in range(TABLES):
        drawn = cells(seeds, grid, WILDER_CELL, 0.0, True)
        rows = results.frame[["recipe", "optimizer", "seed"]].itertuples(index=False, name=None)
        scores = [0.5 + 0.01 * drawn[optimizer][recipe][seed] for recipe, optimizer, seed in rows]
        result = by_condition(Study(replace(results, frame=results.frame.assign(ece=scores))))
        assert result is not None
        found.append(any("How much a recipe helps depends on" in said for said in interaction_answer(result)))
    return float(np.mean(found))


def said_to_be_beaten(seeds: int) -> float:
    """Share of tables, three recipes that do nothing under two optimizers, whose winner is said to be beaten."""
    asked = of_losses(seeds, test=Welch())
    results, found = results_of(asked, lambda cell: 0.5), []
    for grid in range(TABLES):
        scores = 0.5 + 0.01 * stream(SEED, "sections", "interplay", seeds, grid).standard_normal(len(results.frame))
        result = by_condition(Study(replace(results, frame=results.frame.assign(ece=scores))))
        assert result is not None
        found.append(any(" beats it " in said for said in interaction_answer(result)))
    return float(np.mean(found))


def of_losses(seeds: int, **changes) -> Experiment:
    return replace(question(), seeds=seeds, metric="ece", split=Fixed(), **changes)


one_by_one = partial(any_contribution, recipes=leave_one_out(PARTS))
every_order = partial(any_contribution, recipes=powerset(PARTS))
added = partial(any_contribution, recipes=ALONE)
TOO_MANY = "> .0691"

depends, paired = any_interaction, partial(any_interaction, paired=True)
INTERACTIONS = (
    Claim("effects depend on the optimizer", depends, "≤ .0691", at_most(MOST)),
    Claim("effects depend on it, one cell's sd × 3", partial(depends, spread=WILD_CELL), "≤ .0691", at_most(MOST)),
    Claim("effects depend on it, one cell's sd × 5", partial(depends, spread=WILDER_CELL), "≤ .0691", at_most(MOST)),
    Claim("effects depend on it, one recipe's sd × 4", partial(depends, spread=WILD_RECIPE), "≤ .0691", at_most(MOST)),
    Claim("effects depend on it, paired", paired, "≤ .0691", at_most(MOST)),
    Claim(
        "effects depend on it, paired, one cell's sd × 5", partial(paired, spread=WILDER_CELL), "≤ .0691", at_most(MOST)
    ),
    Claim(
        "effects depend on it, paired, one recipe's sd × 4",
        partial(paired, spread=WILD_RECIPE),
        "≤ .0691",
        at_most(MOST),
    ),
    Claim("effects depend on it, in the sentence", said_to_depend, "≤ .0802", at_most(MOST_OF_TABLES, (3, 5))),
    Claim(
        "there, by the F test",
        partial(any_interaction_by_f, spread=WILDER_CELL),
        TOO_MANY,
        at_least(MOST),
    ),
    Claim("effects depend on it, paired, without Holm", partial(uncorrected, paired), TOO_MANY, at_least(MOST)),
    Claim("an effect that differs by 5 sd is found", partial(depends, planted=5.0), "≥ .70", at_least(0.7, (5, 10))),
    Claim(
        "an effect that differs by 5 sd is found, paired", partial(paired, planted=5.0), "≥ .70", at_least(0.7, (5, 10))
    ),
)

SECTIONS = (
    Claim("operations, left out one by one", one_by_one, "≤ .0691", at_most(MOST)),
    Claim("operations, all combinations", every_order, "≤ .0691", at_most(MOST)),
    Claim("operations, added one by one: beyond the sum", added, "≤ .0691", at_most(MOST)),
    Claim("doses, four series", any_dose, "≤ .0691", at_most(MOST)),
    Claim("sizes, six recipes", any_size, "≤ .0691", at_most(MOST)),
    *INTERACTIONS,
    Claim("the winner is beaten", said_to_be_beaten, "≤ .0802", at_most(MOST_OF_TABLES, (5,))),
    Claim("operations, left out, without Holm", partial(uncorrected, one_by_one), TOO_MANY, {5: (MOST, 1.0)}),
    Claim("doses without Holm", partial(uncorrected, any_dose), TOO_MANY, {5: (MOST, 1.0)}),
    Claim("sizes without Holm", partial(uncorrected, any_size), TOO_MANY, {5: (MOST, 1.0)}),
)


def rows() -> list[str]:
    """The table in docs/honesty.md."""
    head = ["| what | 3 seeds | 5 seeds | 10 seeds | bound | kept |", "| --- | ---: | ---: | ---: | --- | --- |"]
    return head + [row(claim) for claim in SECTIONS]


if __name__ == "__main__":
    print("\n".join(rows()))
