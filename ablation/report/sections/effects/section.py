"""Which recipes are better than the baseline, as a section: a sentence each, the forest plot, heat map and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablation.analysis.metrics import METRICS
from ablation.evidence.effects import Effect
from ablation.evidence.study import Study
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Experiment
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo, Kind, draw_intervals
from ablation.report.section import Figure, Section
from ablation.report.sections.effects.table import by_recipe, column_of, details_table, main_table
from ablation.report.sections.effects.text import answer, sentences, sources_text
from ablation.report.style import INK, SOFT, Style, drawing, figure, shortened
from ablation.report.text import about_intervals, points, shown, signed, size, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        tuple(filter(None, (forest(experiment, compared), heat(experiment, compared)))),
        (table, details_table(experiment, compared)),
    )


def forest(experiment: Experiment, compared: Sequence[Effect]) -> Figure | None:
    """Differences to the baseline; None where there is none."""
    groups: dict[tuple[str, bool], list[IntervalRow]] = {}
    for effect in compared:
        if effect.verdict != "baseline":
            kind: Kind = "pooled" if effect.pooled else "one"
            row = IntervalRow.of(effect.recipe, effect.estimate, effect.low, effect.high, kind, effect.metric)
            groups.setdefault((column_of(effect, experiment), effect.pooled), []).append(row)
    if all(math.isnan(row.estimate) for rows in groups.values() for row in rows):
        return None
    info = IntervalsInfo.of(
        (IntervalGroup(title, tuple(rows), pooled) for (title, pooled), rows in groups.items()),
        experiment,
        f"difference to {shortened(experiment.baseline, 30)}",
    )
    caption = (
        f"Difference to {experiment.baseline}, {target_of(experiment)}. {about_intervals(experiment)} The shaded band "
        f"is the margin within which recipes count as equivalent (±{size(experiment.margin, experiment.metric)}). "
        f"Positive is {'worse' if info.lower_is_better else 'better'}."
    )
    return Figure(info, draw_intervals, f"Forest plot of differences to {experiment.baseline}", caption)


def heat(experiment: Experiment, compared: Sequence[Effect]) -> Figure | None:
    """Mean scores of recipes by conditions; None where there is one condition, or no score."""
    rows = by_recipe(experiment, (effect for effect in compared if not effect.pooled))
    conditions = tuple(dict.fromkeys(name for row in rows.values() for name in row))
    if len(conditions) < 2 or not any(effect.seeds for effect in compared):
        return None
    metric = METRICS[experiment.metric]
    cells = tuple(tuple(_heat_cell(row.get(name)) for name in conditions) for row in rows.values())
    caption = (
        f"Mean {metric.title}{' (%)' * (metric.unit == 'points')} over seeds, and under it the difference to "
        f"{experiment.baseline} under the same condition. Darker is better."
    )
    return Figure(
        HeatInfo(tuple(rows), conditions, cells, metric.lower_is_better),
        draw_heat,
        f"Heat map of mean {metric.title} by recipe and condition",
        caption,
    )


def _heat_cell(effect: Effect | None) -> HeatCell:
    if effect is None or math.isnan(effect.mean):
        return HeatCell(math.nan, "", "")
    under = "baseline" if effect.verdict == "baseline" else signed(effect.estimate, effect.metric)
    return HeatCell(shown(effect.mean, effect.metric), points(effect.mean, effect.metric), under)


@dataclass(frozen=True)
class HeatCell:
    """A mean in shown units, nan where no run finished; `text` and `under` are what stands in the cell."""

    mean: float
    text: str
    under: str


@dataclass(frozen=True)
class HeatInfo:
    """cells: a tuple for each recipe, with a cell for each condition."""

    recipes: tuple[str, ...]
    conditions: tuple[str, ...]
    cells: tuple[tuple[HeatCell, ...], ...]
    lower_is_better: bool = False

    def shade(self, cell: HeatCell) -> float:
        """0 for the worst mean of the map, 1 for the best; nan without one, 0.5 where all are alike."""
        means = [other.mean for cells in self.cells for other in cells if not math.isnan(other.mean)]
        if math.isnan(cell.mean):
            return math.nan
        if max(means) == min(means):
            return 0.5
        share = (cell.mean - min(means)) / (max(means) - min(means))
        return 1 - share if self.lower_is_better else share


def draw_heat(info: HeatInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """Recipes by conditions, darker is better. Numbers are written into the cells, so that nothing rests on the shade.

    axes: by default new ones.
    """
    with drawing():
        room = 84 // max(len(info.conditions), 1)
        names = [_lines(name, room) for name in info.conditions]
        height = 0.47 * len(info.recipes) + 0.25 + 0.17 * max(name.count("\n") + 1 for name in names)
        axes = figure(height).add_subplot() if axes is None else axes
        for row, cells in enumerate(info.cells):
            for column, cell in enumerate(cells):
                _draw_cell(axes, column, row, cell, info.shade(cell))
        axes.set(xlim=(-0.5, len(info.conditions) - 0.5), ylim=(len(info.recipes) - 0.5, -0.5))
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(info.recipes)), [shortened(name, 28) for name in info.recipes])
        axes.tick_params(length=0, labelcolor=INK, labeltop=True, labelbottom=False, labelsize=9)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return axes


def _lines(name: str, room: int) -> str:
    """A condition's name on one line where it fits `room` characters, else a line for each of its levels."""
    return name if len(name) <= room else "\n".join(shortened(level, room) for level in name.split(", "))


def _draw_cell(axes: Axes, column: int, row: int, cell: HeatCell, shade: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    blues = LinearSegmentedColormap.from_list("ablation", ("#f4f7fa", "#cfe0ee", "#8fb9d8", "#3f83b5", "#0f5480"))
    box = Rectangle((column - 0.485, row - 0.46), 0.97, 0.92, linewidth=0)
    axes.add_patch(box)
    if math.isnan(shade):
        box.set(facecolor="white", edgecolor="#c9d0d7", hatch="////")
        axes.text(column, row, "no finished run", ha="center", va="center", color=SOFT, backgroundcolor="white")
        return
    fill = blues(shade * 0.9)
    box.set_facecolor(fill)
    color = "white" if sum(fill[:3]) / 3 < 0.55 else INK
    axes.text(column, row - 0.02, cell.text, ha="center", va="bottom", color=color, weight="bold")
    axes.text(column, row + 0.06, cell.under, ha="center", va="top", color=color, fontsize=8)
