"""What the other sections claim where nothing is true: operations, doses, train sizes, interplay with conditions.

Scores are drawn as arrays and given to the functions that judge a table of results, after the table has been read. What
is a comparison with the baseline is judged in its own family, which `product` measures, so here it claims nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from claims import Claim, at_most, row
from made_up import question, results_of
from simulator import ALPHA, SEED

from ablation.analysis.comparison import Difference
from ablation.augment import Brightness, Contrast, Hue, Operation, RandomRotation, Saturation
from ablation.evidence import doses, operations, sizes
from ablation.evidence.compared import Compared
from ablation.evidence.designs import plan_of
from ablation.evidence.families import Tested
from ablation.evidence.interplay import interplay
from ablation.evidence.ladders import ladders
from ablation.evidence.scores import Scores
from ablation.recipes import leave_one_out, powerset
from ablation.report.interplay_wording import sentence
from ablation.seeds import stream

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


def blocks(draws: Draws, recipes: tuple[str, ...], conditions: tuple[tuple[str, ...], ...]) -> list[Scores]:
    """As `ablation.evidence.scores.blocks` reads them from a table: each condition, then pooled."""
    return [over(draws, recipes, (condition,)) for condition in conditions] + [over(draws, recipes, conditions)]


def over(draws: Draws, recipes: tuple[str, ...], conditions: tuple[tuple[str, ...], ...]) -> Scores:
    means = {recipe: np.mean([draws[recipe, *condition] for condition in conditions], axis=0) for recipe in recipes}
    seeds = len(next(iter(means.values())))
    named = {"optimizer": conditions[0][0]} if len(conditions) == 1 else {}
    return Scores(named, conditions, {name: dict(enumerate(m.tolist())) for name, m in means.items()}, seeds, 0.0, 0)


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
        told = operations.operations(asked, plan, blocks(draws, names, CONDITIONS), Elsewhere({}))
        assert not any(one.note for one in told.found)
        gains = [gain for one in told.found for gain in (*one.each, *one.sums)]
        found.append(any(gain.p_adjusted < ALPHA for gain in gains))
    return float(np.mean(found))


def any_dose(seeds: int) -> float:
    """Share of grids in which one of four curves is said to rise, to bend, or to be no quadratic."""
    asked = replace(question(), recipes=LADDERS, seeds=seeds)
    scales, found = ladders(asked), []
    assert [len(ladder.doses) for ladder in scales] == [5, 4, 4, 4]
    for grid in range(GRIDS):
        draws = idle("doses", seeds, grid, tuple(LADDERS), CONDITIONS[:1])
        told = doses.curves(asked, [(one, [over(draws, one.recipes, CONDITIONS[:1])]) for one in scales])
        curves = [curve for one in told for curve in one.found]
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
            sizes.curve(
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
        return measure(seeds)


@cache
def interplays(seeds: int) -> tuple[float, float]:
    """Shares of tables, three recipes under two optimizers: effects are said to depend on it; a winner to be beaten."""
    asked = replace(question(), seeds=seeds, metric="ece")
    results, depends, beaten = results_of(asked, lambda cell: 0.5), [], []
    for grid in range(TABLES):
        scores = 0.5 + 0.01 * stream(SEED, "sections", "interplay", seeds, grid).standard_normal(len(results.table))
        told = interplay(replace(results, table=results.table.assign(ece=scores)))
        assert told is not None
        said = sentence(told, asked)
        depends.append("how much a recipe helps depends on" in said)
        beaten.append(" beats it " in said)
    return float(np.mean(depends)), float(np.mean(beaten))


one_by_one = partial(any_contribution, recipes=leave_one_out(PARTS))
every_order = partial(any_contribution, recipes=powerset(PARTS))
added = partial(any_contribution, recipes=ALONE)
TOO_MANY = "> .0691"

SECTIONS = (
    Claim("operations, left out one by one", one_by_one, "≤ .0691", at_most(MOST)),
    Claim("operations, all combinations", every_order, "≤ .0691", at_most(MOST)),
    Claim("operations, added one by one: beyond the sum", added, "≤ .0691", at_most(MOST)),
    Claim("doses, four ladders", any_dose, "≤ .0691", at_most(MOST)),
    Claim("sizes, six recipes", any_size, "≤ .0691", at_most(MOST)),
    Claim(
        "effects depend on the optimizer", lambda seeds: interplays(seeds)[0], "≤ .0802", at_most(MOST_OF_TABLES, (5,))
    ),
    Claim("the winner is beaten", lambda seeds: interplays(seeds)[1], "≤ .0802", at_most(MOST_OF_TABLES, (5,))),
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
