"""Train-size curves: each recipe's difference to the baseline against the number of training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from ablation.report.charts import ACROSS, CurvePanel, draw_curve, ticks, together
from ablation.report.style import SOFT, WIDTH, Style, drawing, figure, shortened


@dataclass(frozen=True)
class SizesInfo:
    """panels: one a recipe, titled by its name; their axis is log2 of the images. All in shown units.

    margin: half the width of the band of equivalence. unit: what differences count.
    """

    panels: tuple[CurvePanel, ...]
    margin: float
    unit: str
    baseline: str
    lower_is_better: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """One scale for all recipes, with zero and the band of equivalence in it."""
        low, high = together(self.panels)
        return min(low, -1.2 * self.margin), max(high, 1.2 * self.margin)


def draw_sizes(info: SizesInfo, look: Mapping[str, Style]) -> Figure:
    """A panel a recipe; zero is the baseline with as many images, the band of equivalence is shaded."""
    down, across = -(-len(info.panels) // ACROSS), min(ACROSS, len(info.panels))
    with drawing():
        made = figure(3.5 * down, WIDTH)
        made.get_layout_engine().set(hspace=0.06, h_pad=0.07)  # type: ignore[union-attr, call-arg]
        grid = made.subplots(down, across, squeeze=False)
        for place, axes in enumerate(grid.flat):
            axes.set_visible(place < len(info.panels))
            if place >= len(info.panels):
                continue
            panel = info.panels[place]
            axes.axhspan(-info.margin, info.margin, color="#eef1f4", linewidth=0)
            axes.axhline(0, color=SOFT, linewidth=1)
            draw_curve(axes, panel, look[panel.title].color)
            axes.set_title(shortened(panel.title, 44))
            axes.set_xlabel("training images (logarithmic axis)")
            axes.set_ylim(*info.limits)
            ticks(axes, panel.at, [f"{round(2.0**at):,}" for at in panel.at])
            axes.tick_params(labelleft=place % across == 0)
            if place % across == 0:
                axes.set_ylabel(f"difference to {shortened(info.baseline, 20)}, {info.unit}")
    return made
