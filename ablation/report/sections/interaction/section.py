"""Does the winner survive a change of optimizer? The sentences, contrasts, shares of variance and interaction plot."""

from __future__ import annotations

import math

import numpy as np

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.factorial import Term
from ablation.analysis.interaction import Interaction
from ablation.analysis.metrics import METRICS
from ablation.analysis.student import paired_contrast, reach
from ablation.core.text import NONE, counted, listing, opening, p_text, percent
from ablation.evidence.study import Study
from ablation.evidence.warnings import UNFINISHED
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.section import Figure, Rows, Section, Table
from ablation.report.sections.interaction.compute import CellMean, Conditions, conditions
from ablation.report.sections.interaction.figure import InteractionInfo, InteractionPanel, Point, draw_interaction
from ablation.report.sections.interaction.text import others_text, ranks, sentence, title, under
from ablation.report.text import interval, measure, points, seeds_bounds, shown

MOST_CONTRASTS = 12
"""Rows of contrasts; of more, those with the smallest p."""

MOST_LINES, MOST_LEVELS, MOST_PANELS = 8, 8, 6
"""Of one drawing that can still be read."""


def interaction(study: Study) -> Section | None:
    """None where fewer than two recipes, or fewer than two conditions, have a finished run."""
    result = conditions(study)
    if result is None:
        return None
    drawn, bounds = figure(result), seeds_bounds(study.experiment)
    return Section(
        "interaction",
        title(result),
        f"Comparisons with the baseline hold as above; all else here holds {bounds}.",
        tuple(filter(None, (sentence(result), ranks(result)))),
        (drawn,) if drawn else (),
        tuple(filter(None, (contrasts(result), shares(result)))),
        notes(result),
    )


def contrasts(result: Conditions) -> Table | None:
    """A row a contrast; None where nothing is to be concluded."""
    if not result.conclusive or not result.contrasts:
        return None
    unit, every = METRICS[result.experiment.metric].unit, result.contrasts
    headers = {
        "recipe": "recipe",
        "level": "level",
        "effect": "effect",
        "others": "other levels",
        "elsewhere": "effect there",
        "difference": f"difference ({unit})" if unit else "difference",
        "interval": f"{percent(1 - result.experiment.alpha)} interval",
        "p_holm": "Holm p",
    }
    if len(every) > MOST_CONTRASTS:
        every = tuple(sorted(every, key=lambda one: (math.isnan(one.p), one.p)))[:MOST_CONTRASTS]
    rows = tuple(_contrast(one, result) for one in every)
    keep = ("level", "others", "difference", "interval", "p_holm")
    return Table(headers, (Rows(rows),), _contrasts_caption(result), frozenset({"level", "others"}), keep)


def _contrast(one: Interaction, result: Conditions) -> dict[str, str]:
    metric = result.experiment.metric
    return {
        "recipe": one.recipe,
        "level": condition_text({one.factor: one.level}, result.experiment),
        "effect": points(one.effect, metric, sign=True),
        "others": others_text(one, result) if one.others else NONE,
        "elsewhere": points(one.elsewhere, metric, sign=True),
        "difference": points(one.difference.estimate, metric, sign=True),
        "interval": interval(one.low, one.high, metric),
        "p_holm": p_text(one.p_adjusted, result.experiment.alpha),
    }


def _contrasts_caption(result: Conditions) -> str:
    """What a contrast is, and how it was judged."""
    experiment, metric, number = result.experiment, METRICS[result.experiment.metric], len(result.contrasts)
    rows = f"Shown are the {MOST_CONTRASTS} contrasts with the smallest p. " if number > MOST_CONTRASTS else ""
    same = " where the other factors are the same, averaged over them" if len(result.factors) > 1 else ""
    how = "Welch's t of its own cells"
    if experiment.declared_test.paired:
        overlap = ", wide enough for training parts that overlap" if result.overlap else ""
        how = f"Student's t over the seeds that its cells share{overlap}"
    return (
        f"{rows}A contrast is the effect of a recipe (its mean {metric.title} less that of {experiment.baseline}) at "
        f"one level, less its mean effect at the others{same}. Each is judged by {how}: cells may vary differently. "
        f"Holm's correction is over {counted(number, 'contrast')}. Cells with fewer than {MIN_SEEDS} seeds, or with a "
        f"run that diverged or failed to train, take no part.{' Lower is better.' if metric.lower_is_better else ''}"
    )


def shares(result: Conditions) -> Table | None:
    """How much of the variance goes with each term; None where there is no analysis of variance."""
    if result.anova is None or not result.conclusive:
        return None
    runs = counted(result.statuses["finished"], "finished run")
    blocks = ", seeds as blocks" if result.experiment.declared_test.paired and result.seeds > 1 else ""
    caption = (
        f"Analysis of variance of {runs}{blocks}; sums of squares of type II. "
        "Share explained (partial η²) is the part of the variance between runs, from 0 to 1, that goes with a term "
        "when the others are set aside. Shares describe these runs and prove nothing: whether a recipe helps is for "
        "the comparisons with the baseline to say, and whether its effect depends on conditions for the contrasts. "
        "With few runs a share is too large."
    )
    headers = {"term": "term", "df": "df", "eta": "share explained"}
    rest = {"term": "rest (seeds)", "df": str(result.anova.df), "eta": ""}
    rows = (*map(_term, result.anova.terms), rest)
    return Table(headers, (Rows(rows),), caption, folded="Analysis of variance: what goes with which factor")


def _term(term: Term) -> dict[str, str]:
    """'recipe × batch size', and its share."""
    return {
        "term": " × ".join(factor.replace("_", " ") for factor in term.factors),
        "df": str(term.df),
        "eta": NONE if math.isnan(term.partial_eta2) else f"{term.partial_eta2:.2f}",
    }


def notes(result: Conditions) -> tuple[str, ...]:
    """What is missing from all this, and why; a sentence each."""
    every = []
    if result.left_out:
        who = (f"{recipe} ({_lack(recipe, key, result)})" for recipe, key in result.left_out.items())
        every.append(f"Without enough scores under every condition, and so not ranked: {listing(who)}.")
    if result.silent:
        where = conditions_text([condition_text(levels, result.experiment) for levels in result.silent])
        every.append(f"No run has finished under {where}.")
    if result.anova is None and result.conclusive:
        every.append(f"There is no analysis of variance, as {result.no_anova}.")
    missing = {status: runs for status, runs in result.statuses.items() if status != "finished"}
    if missing:
        each = listing(f"{runs} {UNFINISHED.get(status, status)}" for status, runs in missing.items())
        runs = f"{result.statuses['finished']} of {sum(result.statuses.values())} runs"
        every.append(f"Counted are {runs}; {each}. That a run is missing may have to do with its recipe.")
    for (factor, name), kept in result.duplicates.items():
        every.append(f"{opening(factor.replace('_', ' '))} {name} names the same runs as {kept}: they count once.")
    return tuple(every)


def _lack(recipe: str, key: str, result: Conditions) -> str:
    """Why a recipe is not ranked: 'not in the grid under sgd', '2 of 5 seeds finished under sgd'."""
    cell = result.cells[recipe].get(key)
    if cell is None:
        lack = "not in the grid"
    elif cell.diverged:
        lack = f"{cell.diverged} of {counted(cell.planned, 'run')} diverged or failed"
    else:
        lack = f"{len(cell.scores)} of {counted(cell.planned, 'seed')} finished"
    return f"{lack} {under(result, key)}"


def figure(result: Conditions) -> Figure | None:
    """Means by level, a line a recipe; None where there are too many levels for one drawing."""
    factor = _across(result)
    if factor is None:
        return None
    experiment, recipes = result.experiment, _drawn(result)
    levels = tuple(dict.fromkeys(levels[factor] for levels in result.levels.values()))
    panels: dict[str, dict[str, list[Point]]] = {}
    for key, condition in result.levels.items():
        rest = {name: level for name, level in condition.items() if name != factor and name in result.factors}
        panel = panels.setdefault(condition_text(rest, experiment) if rest else "", {})
        for recipe in recipes:
            line = panel.setdefault(recipe, [Point(math.nan)] * len(levels))
            line[levels.index(condition[factor])] = _point(result.cells[recipe].get(key), result)
    info = InteractionInfo(
        factor.replace("_", " "),
        levels,
        tuple(InteractionPanel(name, {r: tuple(line) for r, line in lines.items()}) for name, lines in panels.items()),
        f"mean {measure(experiment.metric)}",
    )
    what = f"mean {METRICS[experiment.metric].title} of each recipe by {info.factor}"
    alt = f"Interaction plot: {what}, a line a recipe"
    return Figure(info, draw_interaction, alt, _plot_caption(result, info))


def _across(result: Conditions) -> str | None:
    """The factor along the axis: the first that leaves few enough panels for the others."""
    every = list(result.levels.values())
    for factor in result.factors:
        panels = {tuple(levels[other] for other in result.factors if other != factor) for levels in every}
        if len({levels[factor] for levels in every}) <= MOST_LEVELS and len(panels) <= MOST_PANELS:
            return factor
    return None


def _drawn(result: Conditions) -> list[str]:
    """The recipes that have a line: all, or the baseline, the best under each condition, and then the best overall."""
    sign = 1 if METRICS[result.experiment.metric].lower_is_better else -1
    means = {
        recipe: {key: sign * cell.mean for key, cell in own.items() if cell.scores}
        for recipe, own in result.cells.items()
    }
    recipes = [recipe for recipe in means if means[recipe]]
    best = [min((name for name in recipes if key in means[name]), key=lambda n: means[n][key]) for key in result.levels]
    overall = sorted(recipes, key=lambda recipe: float(np.mean(list(means[recipe].values()))))
    kept = [name for name in dict.fromkeys([result.experiment.baseline, *best, *overall]) if name in recipes]
    return [recipe for recipe in recipes if recipe in kept[:MOST_LINES]]


def _point(cell: CellMean | None, result: Conditions) -> Point:
    """The mean over seeds with its t interval, which allows for a split that is redrawn; none under `MIN_SEEDS`."""
    metric = result.experiment.metric
    if cell is None or not cell.scores:
        return Point(math.nan)
    if len(cell.scores) < MIN_SEEDS:
        return Point(shown(cell.mean, metric))
    mean = paired_contrast([list(cell.scores.values())], [1], result.overlap)
    half = float(reach(mean, result.experiment.alpha))
    return Point(*(shown(float(mean.value) + end, metric) for end in (0, -half, half)))


def _plot_caption(result: Conditions, info: InteractionInfo) -> str:
    experiment = result.experiment
    few = any(len(cell.scores) < MIN_SEEDS for recipe in info.recipes for cell in result.cells[recipe].values())
    caption = (
        f"Mean {METRICS[experiment.metric].title} over seeds with the {percent(1 - experiment.alpha)} interval of each "
        f"mean, not corrected{', wide enough for a split that is redrawn' if result.overlap else ''}"
        f"{f'; none under {MIN_SEEDS} seeds' if few else ''}. Where lines are parallel, recipes differ by as much "
        f"under one {info.factor} as under another; where they cross, their order changes. Whether they differ is for "
        "the tests to say, not for intervals that overlap."
    )
    left = sum(any(cell.scores for cell in own.values()) for own in result.cells.values()) - len(info.recipes)
    drawn = f" Drawn are {experiment.baseline} and the best recipes, {left} others are not." if left else ""
    return caption + drawn
