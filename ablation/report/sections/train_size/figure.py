"""Train-size curves: each recipe's difference to the baseline against the number of training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.report.charts import ACROSS, CurvePanel, common_limits, draw_curve, name_ticks
from ablation.report.style import SOFT, Style, drawing, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        low, high = common_limits(self.panels)
        return min(low, -1.2 * self.margin), max(high, 1.2 * self.margin)


def draw_sizes(info: SizesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A panel a recipe; zero is the baseline with as many images, the band of equivalence is shaded.

    axes: one a panel, by default new ones.
    """
    with drawing():
        axes = new_panels([len(info.panels)], ACROSS) if axes is None else axes
        for index, (spot, panel) in enumerate(zip(axes, info.panels, strict=True)):
            spot.axhspan(-info.margin, info.margin, color="#eef1f4", linewidth=0)
            spot.axhline(0, color=SOFT, linewidth=1)
            draw_curve(spot, panel, look[panel.title].color)
            spot.set_xlabel("training images (logarithmic axis)")
            spot.set_ylim(*info.limits)
            name_ticks(spot, panel.at, [f"{round(2.0**at):,}" for at in panel.at])
            spot.tick_params(labelleft=index % ACROSS == 0)
            if index % ACROSS == 0:
                spot.set_ylabel(f"difference to {shortened(info.baseline, 20)}, {info.unit}")
    return axes
