"""One look for every figure: how each recipe is drawn, matplotlib's settings while drawing, and how it becomes bytes.

matplotlib is imported when something is drawn, here and in every figure, never when a section is imported. The same
figure gives the same bytes.

Colours are those of Okabe and Ito (2008), safe for the colour-blind; the baseline is grey. Each recipe has a marker and
a dash of its own beside its colour, for print in grey, and for the seventh recipe, which has the colour of the first.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import name_spans
from ablation.report.fonts import font_manager
from ablation.report.inline import inlined

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT, GRID, BAND, PAPER = "#1f2933", "#52606d", "#d5dae0", "#eceff2", "#eef1f4", "#ffffff"
"""Text, its lesser kinds, lines, gridlines, shaded bands, and what all is drawn on: a dark page turns these."""

ON_DARK, ON_LIGHT = "#fffffe", "#1e2832"
"""Text on a cell that has a colour of its own, which stays as it is on a dark page."""

WIDTH, HIGHEST = 10.0, 12.0
"""Inches of a figure over the full width of the page, at 96 px an inch, and of the highest, a screen and a bit."""

GREY = "#6b7580"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
TEXT = {"#d55e00": "#c15400", "#009e73": "#008561", "#cc79a7": "#a25f84", "#e69f00": "#9c6b00", "#56b4e9": "#387aa0"}
"""Colour -> the same, dark enough for text on white (4.6 to 1)."""
MARKERS = ("o", "s", "^", "v", "p", "X", ">")  # `render/page.css` draws each as the class s0, s1, ...
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (2.5, 1.2)), (0, (7, 1.5, 1.5, 1.5)), (0, (1, 1)))
CLASS_COLORS = (
    *("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#aa4499"),
    *("#44aa99", "#999933", "#882255", "#777777", "#ee7733", "#0077bb"),
)  # Tol (2021), "muted", and two of "vibrant"


VARIABLES = {
    **{INK: "--ink", SOFT: "--soft", FAINT: "--line", GRID: "--grid", BAND: "--band", PAPER: "--paper", GREY: "--grey"},
    **{color: f"--color-{number}" for number, color in enumerate(COLORS, 1)},
    **{TEXT[color]: f"--name-{number}" for number, color in enumerate(COLORS, 1) if color in TEXT},
    **{color: f"--class-{number}" for number, color in enumerate(CLASS_COLORS, 1)},
}
"""Colour -> the CSS variable in which a page may hold another in its stead."""


@dataclass(frozen=True)
class Style:
    """How a recipe is drawn, in every figure. index: its place in the look of all, None where it is of no recipe."""

    color: str
    marker: str = "o"
    dash: Any = "-"
    index: int | None = None

    @property
    def text(self) -> str:
        """The colour of its name."""
        return TEXT.get(self.color, self.color)


def styles(recipes: Iterable[str], baseline: str) -> dict[str, Style]:
    """The style of each recipe, by its index in the experiment; the baseline comes first and is grey."""
    look = {baseline: Style(GREY, index=0)}
    for index, recipe in enumerate((recipe for recipe in recipes if recipe != baseline), 1):
        marker, dash = MARKERS[index % len(MARKERS)], DASHES[index % len(DASHES)]
        look[recipe] = Style(COLORS[(index - 1) % len(COLORS)], marker, dash, index)
    return look


def mark(artists: Artist | Iterable[Artist], style: Style) -> None:
    """Mark what is drawn of a recipe, so that a page can light all of it: `data-recipe`, the index, in an SVG."""
    if style.index is not None:
        for artist in artists if isinstance(artists, Iterable) else (artists,):
            artist.set_gid(f"recipe-{style.index}")


@contextmanager
def marked(axes: Axes, style: Style) -> Iterator[None]:
    """Whatever is drawn into the axes within the block is marked as of this recipe."""
    before = set(axes.get_children())
    yield
    mark((artist for artist in axes.get_children() if artist not in before), style)


def class_style(label: int) -> Style:
    """How the images of a class are drawn on a map: twelve colours, each with one of seven markers."""
    turn, color = divmod(label, len(CLASS_COLORS))
    return Style(CLASS_COLORS[color], MARKERS[(label + turn) % len(MARKERS)])


SETTINGS: Any = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": SOFT,
    "axes.axisbelow": True,
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
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "axes.facecolor": "none",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "ablation",
}


_families: ContextVar[tuple[str, ...]] = ContextVar("families", default=("DejaVu Sans",))


@contextmanager
def drawing(families: Sequence[str] = ()) -> Iterator[None]:
    """Within the block matplotlib draws in this style, whatever the user's own settings; afterwards as before.

    families: of fonts that matplotlib knows; a letter that the first lacks is taken from the next. By default those of
    the block around this one, and without any that which comes with matplotlib.
    """
    import matplotlib

    font_manager()
    before = _families.set(tuple(families) or _families.get())
    try:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(SETTINGS | {"font.family": list(_families.get())})
            yield
    finally:
        _families.reset(before)


def figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of this size in inches that keeps its parts from overlapping."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_panels(blocks: Sequence[int], across: int, height: float = 3.5, width: float = WIDTH) -> list[Axes]:
    """New axes in a new figure: a block of so many panels under another, at most `across` of them side by side.

    height: of a row of panels; width: of the figure; in inches.
    """
    rows = [count for block in blocks for count in (across,) * (block // across) + (block % across,) if count]
    across = max(rows)
    made = figure(height * len(rows), width)
    made.get_layout_engine().set(hspace=0.06, h_pad=0.07)  # type: ignore[union-attr, call-arg]
    grid = made.subplots(len(rows), across, squeeze=False)
    for line, count in zip(grid, rows, strict=True):
        for empty in line[count:]:
            empty.set_visible(False)
    return [axes for line, count in zip(grid, rows, strict=True) for axes in line[:count]]


def shortened(text: str, most: int) -> str:
    """As a figure shows it: at most `most` characters, an ellipsis for the middle, as names often differ at their ends.

    Names within the text have no marks any more (`ablation.core.text.named`), and no quotes.
    """
    text = "".join(part for part, _ in name_spans(text))
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


FONTS = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', system-ui, sans-serif"
"""Of a reader of an SVG who has not those that it was drawn with."""


def svg(axes: Axes | Sequence[Axes]) -> bytes:
    """What was drawn into these axes as an SVG document. Text stays text."""
    document = _saved(axes, "svg", {"Date": None, "Creator": None})
    document = re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", document)  # XML has none of them, a name may
    document = re.sub(rb'<g id="recipe-(\d+)">', rb'<g data-recipe="\1">', document)
    return re.sub(rb'(?<=font-family: )([^;"]+)(?=[;"])', rb"\1, " + FONTS.encode(), document)


def png(axes: Axes | Sequence[Axes], dpi: float = 200) -> bytes:
    """What was drawn into these axes as a picture of `dpi` pixels an inch."""
    return _saved(axes, "png", {"Software": None}, dpi=dpi)


def pdf(axes: Axes | Sequence[Axes]) -> bytes:
    """What was drawn into these axes as a page of PDF of its size, with the fonts that it needs."""
    return _saved(axes, "pdf", {"Creator": None, "Producer": None, "CreationDate": None})


def _saved(axes: Axes | Sequence[Axes], kind: str, metadata: Mapping[str, None], dpi: Any = "figure") -> bytes:
    """The same figure gives the same bytes."""
    made = (axes[0] if isinstance(axes, Sequence) else axes).get_figure(root=True)
    assert made is not None
    buffer = io.BytesIO()
    with drawing(), warnings.catch_warnings():
        if kind == "svg":  # whose text stays text: the reader's font may have what these lack
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
        with _arranged(made, kind, made.dpi if dpi == "figure" else dpi):
            made.savefig(buffer, format=kind, metadata=dict(metadata), dpi=dpi)
    return buffer.getvalue()


@contextmanager
def _arranged(made: Figure, kind: str, dpi: float) -> Iterator[None]:
    """Within the block the parts of the figure stand where its layout puts them in this kind of file, and stay there.

    `savefig` would draw the whole figure once for nothing to find these places, and then once more.
    """
    from matplotlib.backend_bases import get_registered_canvas_class

    engine = made.get_layout_engine()
    if engine is None:
        yield
        return
    canvas, before = made.canvas, made.dpi
    try:
        get_registered_canvas_class(kind)(made)  # becomes the figure's: it is what measures texts
        made.dpi = dpi
        with suppress(ValueError):  # as `Figure.draw` does for a figure without room for its parts
            engine.execute(made)
        made.set_canvas(canvas)
        made.dpi = before
        made.set_layout_engine(None)
        yield
    finally:
        made.set_canvas(canvas)
        made.dpi = before
        made.set_layout_engine(engine)


def inline_svg(drawn: bytes | Axes | Sequence[Axes], prefix: str, alt: str = "") -> str:
    """What was drawn, or the document that `svg` made of it, as an `<svg>` element to stand within a page.

    prefix: of its ids, other than that of any other drawing in the page. alt: what it shows, in a few words.
    """
    return inlined(drawn if isinstance(drawn, bytes) else svg(drawn), prefix, VARIABLES, alt)


def settle(made: Figure) -> None:
    """Put the parts of a figure where its layout has them, so that names can be put beside them."""
    engine = made.get_layout_engine()
    if engine is None:
        made.draw_without_rendering()
    else:  # a third of what drawing without rendering takes
        engine.execute(made)


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
