"""Effects as tables: the main one, what stands behind each verdict, and the grid of verdicts over conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ablation.analysis.metrics import METRICS
from ablation.core.text import MINUS, NONE, opening, p_text, percent
from ablation.evidence.effects import Effect, comparisons, primaries
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.section import Rows, Table
from ablation.report.sections.effects.text import bounds, chance_text
from ablation.report.text import (
    TESTS,
    about_intervals,
    corrected_by,
    correction,
    heading,
    interval,
    points,
    pooled_over,
    verdict_text,
)

DETAILS = (
    "What stands behind each verdict: intervals by themselves, seeds won, effect sizes, new seeds to decide, "
    "every score"
)  # fmt: skip
ABOUT_DETAILS = (
    "Interval by itself: as if nothing else were asked. Seeds won: the share of seeds in which the recipe is better "
    "than the baseline, ties counting half, with the interval of the chance that it is in a new seed (Clopper and "
    "Pearson 1934). Hedges' g: the difference in standard deviations over seeds (Hedges 1981). New seeds to decide: of "
    "a new experiment, for each recipe, for 80 % power after correction, if the difference really is what was "
    "observed. Scores are in the order of the seeds; pooled, each is a mean over the conditions."
)


def main_table(experiment: Experiment, effects: Sequence[Effect]) -> Table:
    """Scores, differences and verdicts, a group of rows a condition, the pooled ones last."""

    def cells(effect: Effect) -> dict[str, str]:
        note = filter(None, (pooled_over(effect, effects), effect.flag, effect.note))
        return row(effect, experiment.alpha) | {"note": "; ".join(note)}

    return Table(
        headers(experiment, effects),
        groups_of(experiment, effects, cells),
        about(experiment, effects),
        keep=("recipe", "difference", "interval", "verdict"),
        spare=("p_equivalent", "p", "macro_f1", "seeds"),
        short={"mean": "mean ± sd", "difference": "difference", "macro_f1": "F1 diff.", "failed": "failed"},
    )


def headers(experiment: Experiment, effects: Iterable[Effect]) -> dict[str, str]:
    """The columns to show of `row`, key -> heading, in order; failed trainings only where there are some."""
    metric = METRICS[experiment.metric]
    about_mean = ", ".join(
        filter(None, (metric.unit.replace("points", "%"), "lower is better" * metric.lower_is_better))
    )
    heads = {
        "recipe": "recipe",
        "seeds": "seeds",
        "mean": f"{metric.title} ± sd{f' ({about_mean})' if about_mean else ''}",
        "difference": f"difference{f' ({metric.unit})' if metric.unit else ''}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p": "p",
        "p_adjusted": f"{correction(experiment)} p",
        "p_equivalent": "equivalence p",
        "macro_f1": "macro-F1 difference",
        "failed": "failed trainings",
        "verdict": "verdict",
    }
    hidden = {"macro_f1"} if experiment.metric == "macro_f1" else set[str]()
    hidden |= set() if any(effect.failed for effect in effects) else {"failed"}
    return {key: head for key, head in heads.items() if key not in hidden}


def row(effect: Effect, alpha: float = 0.05) -> dict[str, str]:
    """One effect as the cells of a table, under the keys of `headers`. alpha: at which its p-values are judged."""
    metric, verdict = effect.metric, verdict_text(effect)
    sd = f" ± {points(effect.sd, metric)}" if not math.isnan(effect.sd) else ""
    return {
        "recipe": effect.recipe,
        "seeds": f"{effect.seeds} of {effect.planned}",
        "mean": points(effect.mean, metric) + sd,
        "difference": points(effect.estimate, metric, sign=True),
        "interval": interval(effect.low, effect.high, metric),
        "p": p_text(effect.p, alpha),
        "p_adjusted": NONE if verdict in ("not tested", "no verdict") else p_text(effect.p_adjusted, alpha),
        "p_equivalent": p_text(effect.p_equivalent, alpha),
        "macro_f1": points(effect.macro_f1_difference, "macro_f1", sign=True),
        "failed": f"{effect.failed} of {effect.trained}",
        "verdict": verdict,
    }


def about(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """What the main table holds: its scores, test, correction and intervals, and what its verdicts are of."""
    first, every = primaries(effects), comparisons(effects)
    return (
        f"Scores on the test part. Differences to {experiment.baseline} by "
        f"{TESTS[type(experiment.declared_test).__name__]}. {opening(corrected_by(experiment, first, every - first))}; "
        f"equivalence is two one-sided tests within the margin, corrected likewise. {about_intervals(experiment)} "
        f"Every verdict holds {bounds(experiment)}."
    )


def details_table(experiment: Experiment, effects: Sequence[Effect]) -> Table:
    """What stands behind each verdict: chances, effect sizes, what is lacking, each seed's score."""
    return Table(
        detail_headers(experiment),
        groups_of(experiment, effects, details),
        ABOUT_DETAILS,
        words=frozenset({"scores"}),
        keep=("recipe", "alone", "scores"),
        spare=("g", "needed", "chance", "new"),
        folded=DETAILS,
    )


def detail_headers(experiment: Experiment) -> dict[str, str]:
    """The columns of `details`, key -> heading, in order."""
    metric = METRICS[experiment.metric]
    unit = " (%)" if metric.unit == "points" else ", lower is better" if metric.lower_is_better else ""
    return {
        "recipe": "recipe",
        "alone": f"{percent(1 - experiment.alpha)} interval by itself",
        **({} if experiment.declared_test.new_images else {"new": "for new photographs"}),
        "chance": "seeds won, chance (%)",
        "g": "Hedges' g",
        "needed": "new seeds to decide",
        "scores": f"{metric.title} of each seed{unit}",
    }


def details(effect: Effect) -> dict[str, str]:
    """One effect as the cells of a row, under the keys of `detail_headers`."""
    g, low, high = (f"{x:.1f}".replace("-", MINUS) for x in (effect.g, effect.g_low, effect.g_high))
    return {
        "recipe": effect.recipe,
        "alone": interval(effect.alone_low, effect.alone_high, effect.metric),
        "new": interval(effect.new_low, effect.new_high, effect.metric),
        "chance": chance_text(effect),
        "g": NONE if math.isnan(effect.g) else f"{g} ({low} to {high})",
        "needed": _needed(effect),
        "scores": "  ".join(points(score, effect.metric) for score in effect.scores.values()) or NONE,
    }


def _needed(effect: Effect) -> str:
    """'23, as different' or '> 1,000'; a dash where nothing is lacking."""
    if not effect.decided_as:
        return NONE
    if effect.decided_as == "neither":
        return "> 1,000"
    return f"{effect.seeds_needed:.0f}, as {effect.decided_as}"


def groups_of(
    experiment: Experiment, effects: Sequence[Effect], cells: Callable[[Effect], Mapping[str, str]]
) -> tuple[Rows, ...]:
    """The cells of each effect, a group a condition in the order of the experiment, the pooled ones last."""
    conditions = len({tuple(effect.condition.items()) for effect in effects if not effect.pooled})
    groups: dict[tuple[str, bool], list[Mapping[str, str]]] = {}
    for effect in effects:
        title = heading(effect.condition, conditions, experiment)
        groups.setdefault((title, effect.pooled), []).append(cells(effect))
    return tuple(Rows(tuple(rows), title, pooled) for (title, pooled), rows in groups.items())


@dataclass(frozen=True)
class VerdictGrid:
    """recipe -> for each column (verdict, difference); recipes by conditions, the last column pooled."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def verdict_grid(experiment: Experiment, effects: Sequence[Effect]) -> VerdictGrid | None:
    """Does a verdict hold under each condition? None under one condition, or without a difference."""
    cells: dict[str, dict[str, tuple[str, str]]] = {}
    columns: dict[str, None] = {}
    for effect in effects:
        column = "pooled" if effect.pooled else condition_text(effect.condition, experiment)
        columns[column] = None
        if effect.verdict != "baseline":
            cell = (verdict_text(effect), points(effect.estimate, effect.metric, sign=True))
            cells.setdefault(effect.recipe, {})[column] = cell
    if len(columns) < 2 or all(math.isnan(effect.estimate) for effect in effects):
        return None
    rows = tuple((recipe, tuple(own.get(column, ("", "")) for column in columns)) for recipe, own in cells.items())
    return VerdictGrid(tuple(columns), rows)
