"""Which recipes are better than the baseline, as a section: a sentence each, the forest plot, heat map and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ablation.analysis.metrics import METRICS
from ablation.evidence.effects import Effect
from ablation.evidence.study import Study
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo, Kind, draw_intervals
from ablation.report.section import Figure, Section
from ablation.report.sections.effects.answer import answer, sentences
from ablation.report.sections.effects.figure import HeatCell, HeatInfo, draw_heat
from ablation.report.sections.effects.table import details_table, main_table
from ablation.report.sections.effects.text import sources_text
from ablation.report.style import shortened
from ablation.report.text import about_intervals, points, shown, size, unit_text


def effects(study: Study) -> Section:
    """Every experiment asks this question: there is always such a section."""
    experiment, compared = study.experiment, study.effects
    table = main_table(experiment, compared)
    if study.sources is not None:
        table = replace(table, caption=f"{table.caption} {sources_text(study.sources, experiment)}")
    return Section(
        "effects",
        "Results",
        f"Each recipe against {experiment.baseline}: its difference in {unit_text(experiment.metric)} on test images.",
        sentences(experiment, compared) or answer(experiment, compared),
        tuple(figure for figure in (forest(experiment, compared), heat(experiment, compared)) if figure),
        (table, details_table(experiment, compared)),
    )


def forest(experiment: Experiment, compared: Sequence[Effect]) -> Figure | None:
    """Differences to the baseline; None where there is none."""
    groups: dict[tuple[str, bool], list[IntervalRow]] = {}
    for effect in compared:
        if effect.verdict != "baseline":
            title = "pooled" if effect.pooled else condition_text(effect.condition, experiment)
            kind: Kind = "pooled" if effect.pooled else "one"
            row = IntervalRow.of(effect.recipe, effect.estimate, effect.low, effect.high, kind, effect.metric)
            groups.setdefault((title, effect.pooled), []).append(row)
    if all(math.isnan(row.estimate) for rows in groups.values() for row in rows):
        return None
    lower = METRICS[experiment.metric].lower_is_better
    info = IntervalsInfo(
        tuple(IntervalGroup(title, tuple(rows), pooled) for (title, pooled), rows in groups.items()),
        shown(experiment.margin, experiment.metric),
        f"difference to {shortened(experiment.baseline, 30)}, {unit_text(experiment.metric)}",
        lower,
    )
    caption = (
        f"Difference to {experiment.baseline}, {target_of(experiment)}. {about_intervals(experiment)} The shaded band "
        f"is the margin within which recipes count as equivalent (±{size(experiment.margin, experiment.metric)}). "
        f"Positive is {'worse' if lower else 'better'}."
    )
    return Figure(info, draw_intervals, f"Forest plot of differences to {experiment.baseline}", caption)


def heat(experiment: Experiment, compared: Sequence[Effect]) -> Figure | None:
    """Mean scores of recipes by conditions; None where there is one condition, or no score."""
    by_recipe: dict[str, dict[str, Effect]] = {}
    for effect in compared:
        if not effect.pooled:
            by_recipe.setdefault(effect.recipe, {})[condition_text(effect.condition, experiment)] = effect
    conditions = tuple(dict.fromkeys(name for row in by_recipe.values() for name in row))
    if len(conditions) < 2 or not any(effect.seeds for effect in compared):
        return None
    metric = METRICS[experiment.metric]
    cells = tuple(tuple(_heat_cell(row.get(name)) for name in conditions) for row in by_recipe.values())
    caption = (
        f"Mean {metric.title}{' (%)' * (metric.unit == 'points')} over seeds, and under it the difference to "
        f"{experiment.baseline} under the same condition. Darker is better."
    )
    return Figure(
        HeatInfo(tuple(by_recipe), conditions, cells, metric.lower_is_better),
        draw_heat,
        f"Heat map of mean {metric.title} by recipe and condition",
        caption,
    )


def _heat_cell(effect: Effect | None) -> HeatCell:
    if effect is None or math.isnan(effect.mean):
        return HeatCell(math.nan, "", "")
    under = "baseline" if effect.verdict == "baseline" else points(effect.estimate, effect.metric, sign=True)
    return HeatCell(shown(effect.mean, effect.metric), points(effect.mean, effect.metric), under)
