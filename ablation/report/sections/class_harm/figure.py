"""Heat map: the change of recall of each class under each recipe, signs where it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import MINUS, NONE
from ablation.report.style import (
    BAND,
    INK,
    ON_DARK,
    ON_LIGHT,
    PAPER,
    SOFT,
    WIDTH,
    Style,
    drawing,
    figure,
    mark,
    shortened,
)
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

LINE, TOP, FOOT = 0.27, 0.36, 0.72
"""Inches of a class, of the recipes' names above and of the scale of colours below."""
LONGEST = 28
"""Characters of a class's name."""
BROADEST = 1.1
"""Inches of a cell, at most."""
SCALE = 3.2
"""Inches of the scale of colours, at most."""
COLUMN = 0.72
"""Inches of each column of numbers beside the names."""


@dataclass(frozen=True, eq=False)
class HarmInfo:
    """recall (C,) of the baseline in percent; change (C, R) in points; shown (C, R): is the change shown? nan: none.

    images (C,): how many test images the class has.
    """

    classes: tuple[str, ...]
    recipes: tuple[str, ...]
    baseline: str
    images: tuple[int, ...]
    recall: Floats
    change: Floats
    shown: NDArray[np.bool_]

    @property
    def most(self) -> float:
        """The end of the scale of colours, alike on both sides of 0; five points at least, so that luck stays pale."""
        return max(5.0, float(np.nanmax(np.abs(self.change), initial=0.0)))


def draw_harm(info: HarmInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """A line a class, a column a recipe; what is shown has a sign and is bold."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    with drawing():
        colors = LinearSegmentedColormap.from_list("change", colormaps["RdBu"](np.linspace(0.1, 0.9, 201)))
        axes = _new_axes(info) if axes is None else axes
        mesh = axes.pcolormesh(
            info.change, cmap=colors, vmin=-info.most, vmax=info.most, edgecolors=PAPER, linewidth=1.5
        )
        mesh.set_rasterized(False)
        for (line, column), change in np.ndenumerate(info.change):
            strong = abs(change) > 0.62 * info.most
            text = axes.text(
                column + 0.5, line + 0.5, cell_text(change, bool(info.shown[line, column])), ha="center", va="center",
                color=ON_DARK if strong else ON_LIGHT, weight="bold" if info.shown[line, column] else "normal",
                size=8.5,
            )  # fmt: skip
            if info.recipes[column] in look:
                mark(text, look[info.recipes[column]])
        axes.set(xlim=(0, len(info.recipes)), ylim=(len(info.classes), 0), facecolor=BAND)
        axes.spines[:].set_visible(False)
        _name_recipes(axes, info, look)
        _name_classes(axes, info)
        _draw_scale(axes, mesh)
    return axes


def cell_text(change: float, shown: bool) -> str:
    """'▼ 6.2' with its sign where the change is shown, the number alone where not, a dash for nan."""
    if math.isnan(change):
        return NONE
    rounded = f"{abs(change):.1f}"
    text = f"{(MINUS if change < 0 else '+') if float(rounded) else ''}{rounded}"
    return f"{SYMBOL['worse' if change < 0 else 'better']} {text}" if shown else text


def name_inches(info: HarmInfo) -> float:
    """How wide the names of the classes are, about."""
    return 0.1 + 0.078 * max(len("class"), *(len(shortened(name, LONGEST)) for name in info.classes))


def _new_axes(info: HarmInfo) -> Axes:
    left = name_inches(info) + 2 * COLUMN
    cell = min(BROADEST, (WIDTH - left - 0.1) / len(info.recipes))
    tilted = _tilted(info, cell)
    cell = min(cell, (WIDTH - left - BROADEST) / len(info.recipes)) if tilted else cell
    inner = cell * len(info.recipes)
    width = left + max(inner + (BROADEST if tilted else 0.1), SCALE)
    height = TOP + 0.55 * tilted + LINE * len(info.classes) + FOOT
    made = figure(height, width)
    made.set_layout_engine("none")
    return made.add_axes((left / width, FOOT / height, inner / width, LINE * len(info.classes) / height))


def _tilted(info: HarmInfo, cell: float) -> bool:
    """Do the names of the recipes not fit side by side?"""
    return max(len(_recipe_name(name)) for name in info.recipes) * 0.085 > cell


def _recipe_name(name: str) -> str:
    return shortened(name, 18)


def _inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    made = axes.get_figure(root=True)
    assert made is not None
    box, (width, height) = axes.get_position(), made.get_size_inches()
    return float(box.width * width), float(box.height * height)


def _name_recipes(axes: Axes, info: HarmInfo, look: Mapping[str, Style]) -> None:
    names = [_recipe_name(name) for name in info.recipes]
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(names)) + 0.5, names)
    axes.tick_params(axis="x", length=0, pad=4, labelsize=9, labelcolor=INK)
    for label, name in zip(axes.get_xticklabels(), info.recipes, strict=True):
        label.set(color=look[name].text if name in look else INK, weight="bold")
        if name in look:
            mark(label, look[name])
    if _tilted(info, _inches(axes)[0] / len(names)):
        for label in axes.get_xticklabels():
            label.set(rotation=28, ha="left", rotation_mode="anchor")


def _name_classes(axes: Axes, info: HarmInfo) -> None:
    """To the left the name, how many images, and the recall under the baseline."""
    axes.set_yticks([])
    points, width = 72.0, name_inches(info) + 2 * COLUMN
    recalls = [NONE if math.isnan(x) else f"{x:.1f}" for x in info.recall]
    columns: Sequence[tuple[str, Sequence[str], float, str]] = (
        ("class", [shortened(name, LONGEST) for name in info.classes], -(width - 0.05) * points, "left"),
        ("images", [f"{count:,}" for count in info.images], -(COLUMN + 0.12) * points, "right"),
        ("recall, %", recalls, -0.12 * points, "right"),
    )
    for heading, texts, x, side in columns:
        axes.annotate(heading, (0, 1), (x, 5), "axes fraction", "offset points", color=SOFT, size=8.5, ha=side)
        for line, text in enumerate(texts):
            color = INK if heading == "class" else SOFT
            axes.annotate(
                text, (0, line + 0.5), (x, 0), ("axes fraction", "data"), "offset points", color=color, size=8.5,
                ha=side, va="center",
            )  # fmt: skip


def _draw_scale(axes: Axes, mesh: object) -> None:
    """The colours and what they mean, under the cells."""
    made = axes.get_figure(root=True)
    assert made is not None
    width, height = _inches(axes)
    bar = axes.inset_axes((0, -0.3 / height, min(1.0, SCALE / width), 0.1 / height))
    made.colorbar(mesh, cax=bar, orientation="horizontal")  # type: ignore[arg-type]
    bar.tick_params(length=2, labelsize=8)
    bar.set_xlabel("change of recall (points)", size=8.5, color=SOFT, labelpad=2)
    for spine in bar.spines.values():
        spine.set_visible(False)
