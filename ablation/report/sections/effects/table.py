"""The effects as tables: a group a condition, and the grid of verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, p_text, percent
from ablation.evidence.effects import Effect
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.sections.effects.details import details
from ablation.report.text import correction, interval, points, pooled_over, verdict_text


def headers(experiment: Experiment, effects: Iterable[Effect]) -> dict[str, str]:
    """The columns to show of `row`, key -> heading, in order; failed trainings only where there are some."""
    metric = experiment.metric
    unit = "%" if METRICS[metric].unit == "points" else METRICS[metric].unit
    lower = ", lower is better" if METRICS[metric].lower_is_better else ""
    heads = {
        "recipe": "recipe",
        "seeds": "seeds",
        "mean": f"{METRICS[metric].title} ± sd{f' ({unit}{lower})' if unit or lower else ''}".replace("(, ", "("),
        "difference": f"difference{f' ({METRICS[metric].unit})' if METRICS[metric].unit else ''}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p": "p",
        "p_adjusted": f"{correction(experiment)} p",
        "p_equivalent": "equivalence p",
        "macro_f1": "macro-F1 difference",
        "failed": "failed trainings",
        "verdict": "verdict",
        "note": "note",
    }
    hidden = {"macro_f1"} if metric == "macro_f1" else set[str]()
    hidden |= set() if any(effect.failed for effect in effects) else {"failed"}
    return {key: head for key, head in heads.items() if key not in hidden}


def row(effect: Effect, alpha: float = 0.05) -> dict[str, str]:
    """One effect as the cells of a table, under the keys of `headers`. alpha: at which its p-values are judged."""
    metric = effect.metric
    sd = f" ± {points(effect.sd, metric)}" if not math.isnan(effect.sd) else ""
    return {
        "recipe": effect.recipe,
        "seeds": f"{effect.seeds} of {effect.planned}",
        "mean": points(effect.mean, metric) + sd,
        "difference": points(effect.estimate, metric, sign=True),
        "interval": interval(effect.low, effect.high, metric),
        "p": p_text(effect.p, alpha),
        "p_adjusted": NONE
        if verdict_text(effect) in ("not tested", "no verdict")
        else p_text(effect.p_adjusted, alpha),
        "p_equivalent": p_text(effect.p_equivalent, alpha),
        "macro_f1": points(effect.macro_f1_difference, "macro_f1", sign=True),
        "failed": f"{effect.failed} of {effect.trained}",
        "verdict": verdict_text(effect),
        "note": "; ".join(filter(None, (effect.flag, effect.note))),
    }


@dataclass(frozen=True)
class Group:
    """The table's rows of one condition, or pooled over all."""

    title: str
    pooled: bool
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class VerdictGrid:
    """recipe -> for each column (verdict, difference); recipes by conditions, the last column pooled."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def groups_of(experiment: Experiment, effects: Sequence[Effect]) -> tuple[Group, ...]:
    """The effects as tables, a group a condition in the order of the experiment, the pooled ones last."""
    by_title: dict[tuple[str, bool], list[Any]] = {}
    for effect in effects:
        told = row(effect, experiment.alpha)
        told["note"] = "; ".join(filter(None, (pooled_over(effect, effects), told["note"])))
        by_title.setdefault((title_of(effect, effects, experiment), effect.pooled), []).append(told)
    return tuple(Group(title, pooled, tuple(rows)) for (title, pooled), rows in by_title.items())


def detail_groups_of(experiment: Experiment, effects: Sequence[Effect]) -> tuple[Group, ...]:
    """The same with what stands behind each verdict."""
    by_title: dict[tuple[str, bool], list[Mapping[str, str]]] = {}
    for effect in effects:
        by_title.setdefault((title_of(effect, effects, experiment), effect.pooled), []).append(details(effect))
    return tuple(Group(title, pooled, tuple(rows)) for (title, pooled), rows in by_title.items())


def title_of(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """A condition as a heading: 'adam', or 'pooled over 3 conditions'."""
    if not effect.pooled:
        return condition_text(effect.condition, experiment)
    return f"pooled over {len({tuple(other.condition.items()) for other in effects if not other.pooled})} conditions"


def verdict_grid(experiment: Experiment, effects: Sequence[Effect]) -> VerdictGrid | None:
    """Does a verdict hold under each condition? None under one condition, or without a difference."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    columns: dict[str, None] = {}
    for effect in effects:
        column = "pooled" if effect.pooled else condition_text(effect.condition, experiment)
        columns[column] = None
        if effect.verdict != "baseline":
            told = (verdict_text(effect), points(effect.estimate, effect.metric, sign=True))
            found.setdefault(effect.recipe, {})[column] = told
    if len(columns) < 2 or all(math.isnan(effect.estimate) for effect in effects):
        return None
    rows = tuple((recipe, tuple(told.get(column, ("", "")) for column in columns)) for recipe, told in found.items())
    return VerdictGrid(tuple(columns), rows)
