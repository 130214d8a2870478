"""One look for every figure: how each recipe is drawn, matplotlib's settings while drawing, and how it becomes bytes.

matplotlib is imported when something is drawn, here and in every figure, never when a section is imported. The same
figure gives the same bytes.

Colours are those of Okabe and Ito (2008), safe for the colour-blind; the baseline is grey. From the seventh recipe on
they come back with another marker and dash.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT = "#1f2933", "#52606d", "#d5dae0"
WIDTH = 10.0  # inches of a figure over the full width of the page, at 96 px an inch

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
CLASS_COLORS = (
    *("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#aa4499"),
    *("#44aa99", "#999933", "#882255", "#777777", "#ee7733", "#0077bb"),
)  # Tol (2021), "muted", and two of "vibrant"


@dataclass(frozen=True)
class Style:
    """How a recipe is drawn, in every figure."""

    color: str
    marker: str = "o"
    dash: Any = "-"


def styles(recipes: Iterable[str], baseline: str) -> dict[str, Style]:
    """The style of each recipe, by its index in the experiment; the baseline's is grey."""
    look = {baseline: Style("#6b7580")}
    for index, recipe in enumerate(recipe for recipe in recipes if recipe != baseline):
        turn, color = divmod(index, len(COLORS))
        look[recipe] = Style(COLORS[color], MARKERS[turn % len(MARKERS)], DASHES[turn % len(DASHES)])
    return look


def class_style(label: int) -> Style:
    """How the images of a class are drawn on a map: twelve colours, then the same with another marker."""
    turn, color = divmod(label, len(CLASS_COLORS))
    return Style(CLASS_COLORS[color], MARKERS[turn % len(MARKERS)])


SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "grid.color": "#eceff2",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "ablation",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Within the block matplotlib draws in this style, whatever the user's own settings; afterwards as before."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of this size in inches that keeps its parts from overlapping."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_panels(blocks: Sequence[int], across: int, height: float = 3.5) -> list[Axes]:
    """New axes in a new figure: a block of so many panels under another, at most `across` of them side by side."""
    rows = [count for block in blocks for count in (across,) * (block // across) + (block % across,) if count]
    across = max(rows)
    made = figure(height * len(rows))
    made.get_layout_engine().set(hspace=0.06, h_pad=0.07)  # type: ignore[union-attr, call-arg]
    grid = made.subplots(len(rows), across, squeeze=False)
    for line, count in zip(grid, rows, strict=True):
        for empty in line[count:]:
            empty.set_visible(False)
    return [axes for line, count in zip(grid, rows, strict=True) for axes in line[:count]]


def shortened(text: str, most: int) -> str:
    """At most `most` characters: an ellipsis stands for the middle, as names often differ at their ends.

    Names within the text have no marks any more, but quotes: see `ablation.core.text.plain`.
    """
    text = plain(text)
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


FONTS = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', system-ui, sans-serif"


def svg(axes: Axes | Sequence[Axes]) -> bytes:
    """What was drawn into these axes as an SVG document. Text stays text, set in the reader's own font."""
    made = (axes[0] if isinstance(axes, Sequence) else axes).get_figure(root=True)
    assert made is not None
    buffer = io.BytesIO()
    with drawing(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")  # names in Chinese: the reader's font has them
        made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(rb"(?<=font-family: )'DejaVu Sans'(?=[;\"])", FONTS.encode(), buffer.getvalue())


def fractions(axes: Axes, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where points (N, 2) of these axes lie: (N, 2) fractions of the drawing's width and height, from its upper left.

    Known once it has been drawn, as by `svg`: until then the parts of a figure have not found their places.
    """
    made = axes.get_figure(root=True)
    assert made is not None
    at = axes.transData.transform(points) / (made.bbox.width, made.bbox.height)
    return np.asarray(at * (1, -1) + (0, 1))


def data_uri(content: bytes, kind: str) -> str:
    """An address that carries its content: for `src` of an image. kind: 'svg+xml', 'png' or 'jpeg'."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
