"""Differences to the baseline against the number of training images: a panel a recipe, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.report.charts import ACROSS, CurvePanel, common_limits, draw_curve, name_ticks, signed_ticks
from ablation.report.style import BAND, SOFT, WIDTH, Style, drawing, mark, marked, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class SizesInfo:
    """panels: one a recipe, titled by its name; their axis is log2 of the images. All in shown units.

    margin: half the width of the band of equivalence; 0 without one. unit: what differences count.
    """

    panels: tuple[CurvePanel, ...]
    margin: float
    unit: str
    baseline: str

    @property
    def limits(self) -> tuple[float, float]:
        """One scale for all recipes, with zero and the band of equivalence in it."""
        low, high = common_limits(self.panels)
        return min(low, -1.2 * self.margin), max(high, 1.2 * self.margin)


def draw_sizes(info: SizesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A panel a recipe; zero is the baseline with as many images, the band of equivalence is shaded.

    axes: one a panel, by default new ones.
    """
    with drawing():
        axes = _new_axes(len(info.panels)) if axes is None else axes
        for index, (spot, panel) in enumerate(zip(axes, info.panels, strict=True)):
            spot.axhspan(-info.margin, info.margin, color=BAND, linewidth=0)
            spot.axhline(0, color=SOFT, linewidth=1)
            style = look[panel.title]
            with marked(spot, style):
                draw_curve(spot, panel, style.color)
            mark(spot.set_title(shortened(panel.title, 34), color=style.text), style)
            spot.set_xlabel("training images (logarithmic axis)")
            spot.set_ylim(*info.limits)
            spot.yaxis.set_major_formatter(signed_ticks)
            name_ticks(spot, panel.at, [f"{round(2.0**at):,}" for at in panel.at])
            spot.tick_params(labelleft=index % ACROSS == 0)
            if index % ACROSS == 0:
                spot.set_ylabel(f"difference to {shortened(info.baseline, 20)}, {info.unit}")
    return axes


def _new_axes(panels: int) -> list[Axes]:
    return new_panels([panels], ACROSS, 3.3 if panels <= 2 * ACROSS else 2.8, min(WIDTH, 1.0 + 3.2 * panels))
