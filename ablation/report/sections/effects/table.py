"""The main table of effects: its columns and rows, the details behind each verdict, and the grid of verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ablation.analysis.metrics import METRICS
from ablation.core.text import MINUS, NONE, named, opening, p_text, percent
from ablation.evidence.effects import Effect, comparisons, primaries
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.section import Column, Rows, Table, headings
from ablation.report.sections.effects.text import by_condition, chance_text
from ablation.report.text import (
    NO_MARGIN,
    TESTS,
    about_intervals,
    bounds,
    corrected_by,
    correction,
    counting,
    difference_interval,
    difference_text,
    heading,
    interval_text,
    measure,
    points,
    pooled_over,
    signed,
    verdict_text,
)

DETAILS = (
    "What stands behind each verdict: intervals by themselves, seeds won, effect sizes, new seeds to decide, "
    "every score"
)  # fmt: skip
ABOUT_DETAILS = (
    "Interval by itself: as if it were the only comparison. Seeds won: the share of seeds in which the recipe is "
    "better than the baseline, ties counting half, with the interval of the chance that it is in a new seed (Clopper "
    "and Pearson 1934). Hedges' g: the difference in standard deviations over seeds (Hedges 1981). New seeds to "
    "decide: of a new experiment, for each recipe, for 80 % power after correction, if the difference really is what "
    "was observed. Scores are in the order of the seeds; pooled, each is a mean over the conditions."
)


def main_table(experiment: Experiment, effects: Sequence[Effect]) -> Table:
    """Scores, differences and verdicts, a group of rows a condition, the pooled ones last."""

    def note(effect: Effect) -> str:
        return opening("; ".join(filter(None, (pooled_over(effect, effects), effect.flag, effect.note))))

    columns = main_columns(experiment, effects)
    return Table(
        headings(columns),
        _groups(experiment, effects, {**columns, "note": ("", note)}),
        about(experiment, effects),
        keep=("recipe", "difference", "interval", "verdict"),
        spare=("p_equivalent", "p", "macro_f1", "seeds"),
        short={"mean": "mean ± sd", "difference": "difference", "macro_f1": "F1 diff.", "failed": "failed"},
    )


def main_columns(experiment: Experiment, effects: Iterable[Effect] = ()) -> dict[str, Column]:
    """Of an effect, in order; failed trainings only where there are some, macro F1 where it is not the metric."""
    metric, alpha = experiment.metric, experiment.alpha

    def mean(effect: Effect) -> str:
        return points(effect.mean, metric) + ("" if math.isnan(effect.sd) else f" ± {points(effect.sd, metric)}")

    def p_adjusted(effect: Effect) -> str:
        untested = verdict_text(effect) in ("not tested", "no verdict")
        return NONE if untested else p_text(effect.p_adjusted, alpha)

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda effect: effect.recipe),
        "seeds": ("seeds", lambda effect: f"{effect.seeds} of {effect.planned}"),
        "mean": (measure(metric, f"{METRICS[metric].title} ± sd"), mean),
        "difference": (counting("difference", metric), difference_text),
        "interval": (f"{percent(1 - alpha)} interval", interval_text),
        "p": ("p", lambda effect: p_text(effect.p, alpha)),
        "p_adjusted": (f"{correction(experiment)} p", p_adjusted),
        "p_equivalent": ("equivalence p", lambda effect: p_text(effect.p_equivalent, alpha)),
        "macro_f1": ("macro-F1 difference", lambda effect: signed(effect.macro_f1_difference, "macro_f1")),
        "failed": ("failed trainings", lambda effect: f"{effect.failed} of {effect.trained}"),
        "verdict": ("verdict", verdict_text),
    }
    if metric == "macro_f1":
        del columns["macro_f1"]
    if not any(effect.failed for effect in effects):
        del columns["failed"]
    return columns


def about(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """What the main table shows; then its scores, test, correction and intervals, and what its verdicts are of."""
    first, every = primaries(effects), comparisons(effects)
    return (
        f"{by_condition(experiment, effects)} Scores are of the test images. Each difference is to "
        f"{named(experiment.baseline)}, by {TESTS[type(experiment.declared_test).__name__]}. "
        f"{opening(corrected_by(experiment, first, every - first))}. {_equivalence(experiment)} "
        f"{about_intervals(experiment)} Every verdict holds {bounds(experiment)}."
    ).strip()


def _equivalence(experiment: Experiment) -> str:
    if experiment.declared_margin is None:
        return f"{opening(NO_MARGIN)}."
    return "Equivalence is two one-sided tests within the margin, corrected likewise."


def details_table(experiment: Experiment, effects: Sequence[Effect]) -> Table:
    """What stands behind each verdict: chances, effect sizes, what is lacking, each seed's score."""
    columns = detail_columns(experiment)
    return Table(
        headings(columns),
        _groups(experiment, effects, columns),
        ABOUT_DETAILS,
        words=frozenset({"scores"}),
        keep=("recipe", "alone", "scores"),
        spare=("g", "needed", "chance", "new"),
        folded=DETAILS,
    )


def detail_columns(experiment: Experiment) -> dict[str, Column]:
    """Of an effect, in order; for new photographs only where the declared test is not for them anyway."""
    name, metric = experiment.metric, METRICS[experiment.metric]
    unit = " (%)" if metric.unit == "points" else ", lower is better" if metric.lower_is_better else ""

    def g(effect: Effect) -> str:
        g, low, high = (f"{x:.1f}".replace("-", MINUS) for x in (effect.g, effect.g_low, effect.g_high))
        return NONE if math.isnan(effect.g) else f"{g} ({low} to {high})"

    def scores(effect: Effect) -> str:
        return "  ".join(points(score, name) for score in effect.scores.values()) or NONE

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda effect: effect.recipe),
        "alone": (
            f"{percent(1 - experiment.alpha)} interval by itself",
            lambda effect: difference_interval(effect.alone_low, effect.alone_high, name),
        ),
        "new": ("for new photographs", lambda effect: difference_interval(effect.new_low, effect.new_high, name)),
        "chance": ("seeds won, chance (%)", chance_text),
        "g": ("Hedges' g", g),
        "needed": ("new seeds to decide", _needed),
        "scores": (f"{metric.title} of each seed{unit}", scores),
    }
    if experiment.declared_test.new_images:
        del columns["new"]
    return columns


def _needed(effect: Effect) -> str:
    """'23, as different' or '> 1,000'; a dash where nothing is lacking."""
    if not effect.decided_as:
        return NONE
    if effect.decided_as == "neither":
        return "> 1,000"
    return f"{effect.seeds_needed:.0f}, as {effect.decided_as}"


def _groups(experiment: Experiment, effects: Sequence[Effect], columns: Mapping[str, Column]) -> tuple[Rows, ...]:
    """A row an effect, a group a condition in the order of the experiment, the pooled ones last."""
    conditions = len({tuple(effect.condition.items()) for effect in effects if not effect.pooled})
    groups: dict[tuple[str, bool], list[Effect]] = {}
    for effect in effects:
        groups.setdefault((heading(effect.condition, conditions, experiment), effect.pooled), []).append(effect)
    return tuple(Rows.of(columns, own, title, pooled) for (title, pooled), own in groups.items())


@dataclass(frozen=True)
class VerdictGrid:
    """recipe -> for each column (verdict, difference); recipes by conditions, the last column pooled."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def verdict_grid(experiment: Experiment, effects: Sequence[Effect]) -> VerdictGrid | None:
    """Does a verdict hold under each condition? None under one condition, or without a difference."""
    columns = tuple(dict.fromkeys(column_of(effect, experiment) for effect in effects))
    if len(columns) < 2 or all(math.isnan(effect.estimate) for effect in effects):
        return None
    rows = {
        recipe: tuple(
            (verdict_text(own[column]), difference_text(own[column])) if column in own else ("", "")
            for column in columns
        )
        for recipe, own in by_recipe(experiment, effects).items()
        if any(effect.verdict != "baseline" for effect in own.values())
    }
    return VerdictGrid(columns, tuple(rows.items()))


def column_of(effect: Effect, experiment: Experiment) -> str:
    """The name of its condition, or 'pooled'."""
    return "pooled" if effect.pooled else condition_text(effect.condition, experiment)


def by_recipe(experiment: Experiment, effects: Iterable[Effect]) -> dict[str, dict[str, Effect]]:
    """recipe -> column -> effect."""
    rows: dict[str, dict[str, Effect]] = {}
    for effect in effects:
        rows.setdefault(effect.recipe, {})[column_of(effect, experiment)] = effect
    return rows
