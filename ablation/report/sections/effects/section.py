"""Which recipes are better than the baseline, as a section: a sentence each, the forest plot, heat map and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ablation.analysis.metrics import METRICS
from ablation.core.text import named, plain
from ablation.evidence.effects import OWN_RUNS, Effect
from ablation.evidence.study import Study
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_named
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo, Kind, draw_intervals
from ablation.report.section import Figure, Section
from ablation.report.sections.effects.figure import HeatCell, HeatInfo, draw_heat
from ablation.report.sections.effects.table import by_recipe, column_of, details_table, main_table
from ablation.report.sections.effects.text import deciding, lead, sentences, short_answer, sources_text
from ablation.report.style import shortened
from ablation.report.text import (
    about_intervals,
    difference_text,
    digits_of,
    gain,
    points,
    possible,
    shaded,
    shown,
    unit_text,
    value_text,
)


def effects(study: Study) -> Section:
    """Every experiment asks this question: there is always such a section."""
    experiment, compared = study.experiment, study.effects
    table = main_table(experiment, compared)
    if study.sources is not None:
        table = replace(table, caption=f"{table.caption} {sources_text(study.sources, experiment)}")
    return Section(
        "effects",
        "Which recipes help?",
        f"Each recipe against {named(experiment.baseline)}: its difference in {unit_text(experiment.metric)} on test "
        "images.",
        _answer(experiment, compared),
        tuple(filter(None, (forest(experiment, compared), heat(experiment, compared)))),
        (table, details_table(experiment, compared)),
    )


def _answer(experiment: Experiment, compared: Sequence[Effect]) -> tuple[str, ...]:
    """In one line, then a sentence for each recipe; of one recipe that alone."""
    every = sentences(experiment, compared)
    if len(deciding(compared)) == 1:
        return every
    return (lead(experiment, compared), *every)


def forest(experiment: Experiment, compared: Sequence[Effect]) -> Figure | None:
    """Differences to the baseline; None where there is none."""
    groups: dict[tuple[str, bool], list[IntervalRow]] = {}
    for effect in compared:
        if effect.verdict != "baseline":
            kind: Kind = "pooled" if effect.pooled else "one"
            numbers = effect.estimate, *possible(effect.low, effect.high, effect.metric)
            row = IntervalRow.of(
                effect.recipe,
                *numbers,
                kind,
                effect.metric,
                digits=digits_of(effect),
                seeds=by_seed(effect, experiment),
            )
            groups.setdefault((column_of(effect, experiment), effect.pooled), []).append(row)
    if all(math.isnan(row.estimate) for rows in groups.values() for row in rows):
        return None
    info = IntervalsInfo.of(
        (IntervalGroup(title, tuple(rows), pooled) for (title, pooled), rows in groups.items()),
        experiment,
        plain(f"difference to {named(shortened(experiment.baseline, 30))}"),
    )
    side = "left" if info.lower_is_better else "right"
    caption = (
        f"{short_answer(experiment, compared)} Each mark is a recipe's difference to {named(experiment.baseline)}, "
        f"with its interval. Better is to the {side}. Dots below are those of single seeds{_unpaired(experiment)}. "
        f"{shaded(experiment)} {about_intervals(experiment)} Differences and intervals are {target_of(experiment)}."
    ).strip()
    alt = plain(f"Forest plot of differences to {named(experiment.baseline)}")
    return Figure(info, draw_intervals, alt, caption, remarks=IntervalsInfo.left_out)


def by_seed(effect: Effect, experiment: Experiment) -> tuple[float, ...]:
    """What each seed gave: its difference to the baseline's run of that seed, in the metric's own unit.

    To the baseline's mean where the declared test does not pair them. Nothing of runs with two names, which are one.
    """
    own, baseline = effect.scores, effect.baseline_scores
    if math.isnan(effect.estimate) or effect.note == OWN_RUNS:
        return ()
    if experiment.declared_test.paired:
        return tuple(own[seed] - baseline[seed] for seed in own if seed in baseline)
    mean = sum(baseline.values()) / len(baseline)
    return tuple(score - mean for score in own.values())


def _unpaired(experiment: Experiment) -> str:
    return "" if experiment.declared_test.paired else ", to the baseline's mean"


def heat(experiment: Experiment, compared: Sequence[Effect]) -> Figure | None:
    """Mean scores of recipes by conditions; None where there is one condition, or no score."""
    rows = by_recipe(experiment, (effect for effect in compared if not effect.pooled))
    conditions = tuple(dict.fromkeys(name for row in rows.values() for name in row))
    if len(conditions) < 2 or not any(effect.seeds for effect in compared):
        return None
    metric = METRICS[experiment.metric]
    cells = tuple(tuple(_heat_cell(row.get(name)) for name in conditions) for row in rows.values())
    unit = " in percent" if metric.unit == "points" else f" in {metric.unit}" if metric.unit else ""
    caption = (
        f"{_highest(experiment, compared)} Each cell has the mean {metric.title}{unit} over seeds, and below it the "
        f"difference to {named(experiment.baseline)} under the same condition. Darker is better."
    )
    return Figure(
        HeatInfo(tuple(rows), conditions, cells, metric.lower_is_better),
        draw_heat,
        f"Heat map of mean {metric.title} by recipe and condition",
        caption,
        remarks=HeatInfo.left_out,
    )


def _highest(experiment: Experiment, compared: Sequence[Effect]) -> str:
    """Which recipe has the best mean: under each condition, or where that differs, in the whole map."""
    metric = METRICS[experiment.metric]
    best: dict[str, Effect] = {}
    for effect in compared:
        if not effect.pooled and not math.isnan(effect.mean):
            under = condition_named(effect.condition, experiment)
            best[under] = max(best.get(under, effect), effect, key=lambda one: gain(one.mean, one.metric))
    under, top = max(best.items(), key=lambda item: gain(item[1].mean, item[1].metric))
    has = f"has the {'lowest' if metric.lower_is_better else 'highest'} mean {metric.title}"
    claimed = {effect.recipe for effect in compared if effect.verdict in ("baseline", "better")}
    but = "" if top.recipe in claimed else f", but is not shown to be better than {named(experiment.baseline)}"
    if len({effect.recipe for effect in best.values()}) == 1:
        return f"{named(top.recipe)} {has} {'under each condition' if len(best) > 1 else f'under {under}'}{but}."
    return f"{named(top.recipe)} under {under} {has}, {value_text(top.mean, top.metric)}{but}."


def _heat_cell(effect: Effect | None) -> HeatCell:
    if effect is None or math.isnan(effect.mean):
        return HeatCell(math.nan, "", "")
    under = "baseline" if effect.verdict == "baseline" else difference_text(effect)
    return HeatCell(shown(effect.mean, effect.metric), points(effect.mean, effect.metric), under)
