"""Interplay on the page: the sentence, contrasts, the analysis of variance, and the interaction plot with caption."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.analysis.student import Estimate, paired_contrast, reach
from ablation.core.text import percent
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.section import Figure, Rows, Section, Table
from ablation.report.sections.interaction import table
from ablation.report.sections.interaction.compute import Interplay, Standing, interplay
from ablation.report.sections.interaction.figure import InteractionInfo, InteractionPanel, Point, draw_interaction
from ablation.report.sections.interaction.text import holds, sentence, title
from ablation.report.text import measure, shown

MOST_LINES, MOST_LEVELS, MOST_PANELS = 8, 8, 6
"""Of one drawing that can still be read."""


def interaction(study: Study) -> Section | None:
    """None where fewer than two recipes, or fewer than two conditions, have a finished run."""
    told, experiment = interplay(study.results), study.experiment
    if told is None:
        return None
    drawn = figure(told, experiment)
    return Section(
        "interaction",
        title(told),
        holds(experiment),
        tuple(filter(None, (sentence(told, experiment), table.ranks(told, experiment)))),
        (drawn,) if drawn else (),
        tuple(filter(None, (_contrasts(told, experiment), _shares(told, experiment)))),
        table.notes(told, experiment),
    )


def _contrasts(told: Interplay, experiment: Experiment) -> Table | None:
    """None where none is judged."""
    rows = table.contrasts(told, experiment)
    return Table(
        table.contrast_headers(told), (Rows(rows),), table.contrasts_method(told, experiment),
        frozenset({"level", "others"}), keep=("level", "others", "difference", "interval", "p_holm"),
    ) if rows else None  # fmt: skip


def _shares(told: Interplay, experiment: Experiment) -> Table | None:
    """None without an analysis of variance."""
    rows = table.rows(told)
    caption = f"{table.method(told, experiment)} {table.reading(told)}"
    return Table(table.headers(told), (Rows(rows),), caption, folded="Analysis of variance") if rows else None


def figure(told: Interplay, experiment: Experiment) -> Figure | None:
    """Means by level, a line a recipe; None where there are too many levels for one drawing."""
    factor = _across(told)
    if factor is None:
        return None
    recipes = _drawn(told, experiment)
    levels = tuple(dict.fromkeys(levels[factor] for levels in told.conditions.values()))
    panels: dict[str, dict[str, list[Point]]] = {}
    for key, condition in told.conditions.items():
        rest = {name: level for name, level in condition.items() if name != factor and name in told.factors}
        panel = panels.setdefault(condition_text(rest, experiment) if rest else "", {})
        for recipe in recipes:
            line = panel.setdefault(recipe, [Point(math.nan)] * len(levels))
            line[levels.index(condition[factor])] = _point(told, told.standings[recipe].get(key))
    info = InteractionInfo(
        factor.replace("_", " "),
        levels,
        tuple(InteractionPanel(name, {r: tuple(line) for r, line in lines.items()}) for name, lines in panels.items()),
        f"mean {measure(told.metric)}",
    )
    what = f"mean {METRICS[told.metric].title} of each recipe by {info.factor}"
    return Figure(
        info, draw_interaction, f"Interaction plot: {what}, a line a recipe", _caption(told, experiment, info)
    )


def _across(told: Interplay) -> str | None:
    """The factor along the axis: the first that leaves few enough panels for the others."""
    sizes = {factor: len({levels[factor] for levels in told.conditions.values()}) for factor in told.factors}
    for factor, size in sizes.items():
        panels = {
            tuple(levels[other] for other in told.factors if other != factor) for levels in told.conditions.values()
        }
        if size <= MOST_LEVELS and len(panels) <= MOST_PANELS:
            return factor
    return None


def _drawn(told: Interplay, experiment: Experiment) -> list[str]:
    """The recipes that have a line: all, or the baseline, the best under each condition, and then the best overall."""
    recipes = [recipe for recipe, own in told.standings.items() if any(standing.scores for standing in own.values())]
    sign = 1 if METRICS[told.metric].lower_is_better else -1
    means = {recipe: _means(told, recipe) for recipe in recipes}
    best = [
        min((recipe for recipe in recipes if key in means[recipe]), key=lambda recipe: sign * means[recipe][key])
        for key in told.conditions
    ]
    overall = sorted(recipes, key=lambda recipe: sign * float(np.mean(list(means[recipe].values()))))
    kept = list(dict.fromkeys([experiment.baseline, *best, *overall]))
    return [recipe for recipe in recipes if recipe in [name for name in kept if name in recipes][:MOST_LINES]]


def _means(told: Interplay, recipe: str) -> dict[str, float]:
    return {key: standing.mean for key, standing in told.standings[recipe].items() if standing.scores}


def _point(told: Interplay, standing: Standing | None) -> Point:
    """The mean over seeds with its t interval, which allows for a split that is redrawn; none under `MIN_SEEDS`."""
    if standing is None or not standing.scores:
        return Point(math.nan)
    if len(standing.scores) < MIN_SEEDS:
        return Point(shown(standing.mean, told.metric))
    found: Estimate = paired_contrast([list(standing.scores.values())], [1], told.overlap)
    half = float(reach(found, told.alpha))
    return Point(*(shown(float(found.value) + end, told.metric) for end in (0, -half, half)))


def _caption(told: Interplay, experiment: Experiment, info: InteractionInfo) -> str:
    few = any(len(standing.scores) < MIN_SEEDS for standing in _all(told, info.recipes))
    parts = [
        f"Mean {METRICS[told.metric].title} over seeds with the {percent(1 - told.alpha)} interval of each mean, "
        "not corrected"
        f"{', wide enough for a split that is redrawn' if told.overlap else ''}"
        f"{f'; none under {MIN_SEEDS} seeds' if few else ''}.",
        f"Where lines are parallel, recipes differ by as much under one {info.factor} as under another; where they "
        "cross, their order changes. Whether they differ is for the tests to say, not for intervals that overlap.",
    ]
    left = sum(any(standing.scores for standing in own.values()) for own in told.standings.values()) - len(info.recipes)
    if left:
        parts.append(f"Drawn are {experiment.baseline} and the best recipes, {left} others are not.")
    return " ".join(parts)


def _all(told: Interplay, recipes: Sequence[str]) -> list[Standing]:
    return [standing for recipe in recipes for standing in told.standings[recipe].values()]
