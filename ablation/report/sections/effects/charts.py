"""What the charts of effects show, computed from effects."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.metrics import METRICS
from ablation.evidence.effects import Effect
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.section import Scene
from ablation.report.sections.effects.forest import ForestGroup, ForestInfo, ForestRow
from ablation.report.sections.effects.heat import HeatCell, HeatInfo
from ablation.report.text import about_intervals, interval, points, shown, unit_text


def forest_scene(experiment: Experiment, effects: Sequence[Effect]) -> Scene | None:
    """Differences to the baseline; None where there is none."""
    groups: dict[tuple[str, bool], list[ForestRow]] = {}
    for effect in effects:
        if effect.verdict != "baseline":
            title = "pooled" if effect.pooled else condition_text(effect.condition, experiment)
            groups.setdefault((title, effect.pooled), []).append(_forest_row(effect))
    if all(math.isnan(row.estimate) for rows in groups.values() for row in rows):
        return None
    info = ForestInfo(
        tuple(ForestGroup(title, tuple(rows), pooled) for (title, pooled), rows in groups.items()),
        shown(experiment.margin, experiment.metric),
        unit_text(experiment.metric),
        experiment.baseline,
        METRICS[experiment.metric].lower_is_better,
    )
    margin = f"{points(experiment.margin, experiment.metric)} {METRICS[experiment.metric].unit}".strip()
    caption = (
        f"Difference to {experiment.baseline}, {target_of(experiment)}. {about_intervals(experiment)} "
        "The shaded band is the margin within "
        f"which recipes count as equivalent (±{margin}). "
        f"Positive is {'worse' if info.lower_is_better else 'better'}."
    )
    return Scene(info, f"Forest plot of differences to {experiment.baseline}", caption)


def _forest_row(effect: Effect) -> ForestRow:
    estimate, low, high = (shown(x, effect.metric) for x in (effect.estimate, effect.low, effect.high))
    text = points(effect.estimate, effect.metric, sign=True)
    if not math.isnan(effect.low):
        text += f"  [{interval(effect.low, effect.high, effect.metric)}]"
    return ForestRow(effect.recipe, estimate, low, high, text, effect.verdict)


def heat_scene(experiment: Experiment, effects: Sequence[Effect]) -> Scene | None:
    """Recipes by conditions; None where there is one condition, or no score."""
    found: dict[str, dict[str, Effect]] = {}
    for effect in effects:
        if not effect.pooled:
            found.setdefault(effect.recipe, {})[condition_text(effect.condition, experiment)] = effect
    conditions = tuple(dict.fromkeys(name for cells in found.values() for name in cells))
    if len(conditions) < 2 or not any(effect.seeds for effect in effects):
        return None
    cells = tuple(tuple(_heat_cell(row.get(name)) for name in conditions) for row in found.values())
    info = HeatInfo(tuple(found), conditions, cells, METRICS[experiment.metric].lower_is_better)
    unit = " (%)" if METRICS[experiment.metric].unit == "points" else ""
    caption = (
        f"Mean {METRICS[experiment.metric].title}{unit} over seeds, and under it the difference to "
        f"{experiment.baseline} under the same condition. Darker is better."
    )
    return Scene(info, f"Heat map of mean {METRICS[experiment.metric].title} by recipe and condition", caption)


def _heat_cell(effect: Effect | None) -> HeatCell:
    if effect is None or math.isnan(effect.mean):
        return HeatCell(math.nan, "", "")
    under = "baseline" if effect.verdict == "baseline" else points(effect.estimate, effect.metric, sign=True)
    return HeatCell(shown(effect.mean, effect.metric), points(effect.mean, effect.metric), under)
