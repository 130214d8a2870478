"""What the charts show, computed from effects and records: the info values of `ablation.figures`, with captions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.evidence.effects import Effect
from ablation.evidence.target import target_of
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.figures.curves import Curve, CurvesInfo, Panel, mean_and_sd
from ablation.figures.forest import ForestGroup, ForestInfo, ForestRow
from ablation.figures.heat import HeatCell, HeatInfo
from ablation.record import RunRecord
from ablation.report.wording import NAME, UNIT, about_intervals, condition_text, interval, points
from ablation.results import Results


@dataclass(frozen=True)
class Scene:
    """A figure to be drawn: its info, what it shows in a few words (for those who cannot see it), and its caption."""

    info: Any
    alt: str
    caption: str


def shown(x: float, metric: str) -> float:
    """A score in the unit that it is shown in."""
    return 100 * x if UNIT[metric] == "points" else x


def unit_text(metric: str) -> str:
    """'points of accuracy', 'nats of log loss', 'Brier score'."""
    return f"{UNIT[metric]} of {NAME[metric]}" if UNIT[metric] else NAME[metric]


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
        experiment.metric in LOWER_IS_BETTER,
    )
    margin = f"{points(experiment.margin, experiment.metric)} {UNIT[experiment.metric]}".strip()
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
    info = HeatInfo(tuple(found), conditions, cells, experiment.metric in LOWER_IS_BETTER)
    unit = " (%)" if UNIT[experiment.metric] == "points" else ""
    caption = (
        f"Mean {NAME[experiment.metric]}{unit} over seeds, and under it the difference to {experiment.baseline} under "
        "the same condition. Darker is better."
    )
    return Scene(info, f"Heat map of mean {NAME[experiment.metric]} by recipe and condition", caption)


def _heat_cell(effect: Effect | None) -> HeatCell:
    if effect is None or math.isnan(effect.mean):
        return HeatCell(math.nan, "", "")
    under = "baseline" if effect.verdict == "baseline" else points(effect.estimate, effect.metric, sign=True)
    return HeatCell(shown(effect.mean, effect.metric), points(effect.mean, effect.metric), under)


def curves_scene(results: Results, records: Mapping[str, RunRecord]) -> Scene | None:
    """Learning curves of the finished runs; None where there is none."""
    experiment = results.experiment
    panels: dict[str, dict[str, list[RunRecord]]] = {}
    for cell in results.cells:
        record = records.get(cell.spec.id)
        if record is not None and record.outcome == "finished":
            others = {factor: level for factor, level in cell.factors.items() if factor != "recipe"}
            arms = panels.setdefault(condition_text(others, experiment), {})
            arms.setdefault(cell.factors["recipe"], []).append(record)
    if not panels:
        return None
    seen = {recipe for arms in panels.values() for recipe in arms}
    info = CurvesInfo(
        tuple(
            Panel(title, _curves(arms, "val_accuracy", 100), _curves(arms, "train_loss", 1))
            for title, arms in panels.items()
        ),
        tuple(recipe for recipe in experiment.recipes if recipe in seen),
    )
    caption = (
        "Validation accuracy and training loss over the epochs: mean over the seeds that finished, band ± 1 sd over "
        "seeds. Training loss is measured on augmented images, so a recipe that makes training harder lies higher."
    )
    return Scene(info, "Learning curves by recipe and condition", caption)


def _curves(arms: Mapping[str, list[RunRecord]], column: str, scale: float) -> tuple[Curve, ...]:
    told = []
    for recipe, runs in arms.items():
        scores = [[(e["epoch"], scale * e[column]) for e in run.history if e.get(column) is not None] for run in runs]
        told.append(mean_and_sd(recipe, scores))
    return tuple(told)
