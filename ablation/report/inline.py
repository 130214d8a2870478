"""The one place where a picture becomes bytes: SVG or PNG for a page that fetches nothing. Same input, same bytes."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ablation.report.section import Figure as SectionFigure
from ablation.report.style import Style, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONTS = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', system-ui, sans-serif"


def drawn(shown: SectionFigure, look: Mapping[str, Style]) -> Figure:
    """A section's figure, drawn into a new one."""
    axes = shown.draw(shown.data() if callable(shown.data) else shown.data, look)
    first = axes[0] if isinstance(axes, Sequence) else axes
    made = first.get_figure(root=True)
    assert made is not None
    return made


def svg(figure: Figure) -> bytes:
    """The figure as an SVG document. Text stays text, set in the reader's own font, as the page around it is."""
    buffer = io.BytesIO()
    with drawing(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")  # names in Chinese: the reader's font has them
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(rb"(?<=font-family: )'DejaVu Sans'(?=[;\"])", FONTS.encode(), buffer.getvalue())


def png(figure: Figure, dpi: int = 200) -> bytes:
    """The figure as a PNG picture."""
    buffer = io.BytesIO()
    with drawing():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """An address that carries its content: for `src` of an image. kind: 'svg+xml', 'png' or 'jpeg'."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
