"""A figure as PNG and PDF, set from its SVG: the drawing that matplotlib would make, without drawing it again."""

import io
import sys

import numpy as np
import pypdf
import pytest
from PIL import Image

from ablation.evidence.study import Study
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo, draw_intervals
from ablation.report.render.pdf import set_figure
from ablation.report.render.write import write_folder
from ablation.report.style import png, styles, svg


@pytest.fixture(scope="module")
def axes():
    rows = tuple(IntervalRow(name, 1.0, 0.0, 2.0, "+1.0  [0.0 to +2.0]") for name in ("crop", "hue"))
    info = IntervalsInfo((IntervalGroup("adam", rows),), 1.0, "difference")
    return draw_intervals(info, styles(["none", "crop", "hue"], "none"))


@pytest.fixture(scope="module")
def made(axes) -> dict[str, bytes]:
    files = set_figure(svg(axes), "what it shows")
    assert files is not None
    return files


def test_the_page_has_the_size_of_the_figure_its_text_and_no_date(axes, made):
    document = pypdf.PdfReader(io.BytesIO(made["pdf"]))
    (page,) = document.pages
    assert [float(side) for side in page.mediabox[2:]] == pytest.approx([72 * x for x in axes.figure.get_size_inches()])
    assert "crop" in page.extract_text()
    assert "/CreationDate" not in (document.metadata or {})


def test_every_font_of_the_page_is_in_it(made):
    page = pypdf.PdfReader(io.BytesIO(made["pdf"])).pages[0]
    fonts = [font.get_object()["/DescendantFonts"][0].get_object() for font in all_fonts(page["/Resources"])]
    assert fonts
    assert all("/FontFile2" in font["/FontDescriptor"].get_object() for font in fonts)


def all_fonts(resources) -> list:
    """Those of the page and of the forms within it."""
    resources = resources.get_object()
    forms = [form.get_object() for form in resources.get("/XObject", {}).values()]
    within = [font for form in forms if "/Resources" in form for font in all_fonts(form["/Resources"])]
    return [*resources.get("/Font", {}).values(), *within]


def test_the_picture_is_that_which_matplotlib_draws(axes, made):
    with Image.open(io.BytesIO(made["png"])) as picture, Image.open(io.BytesIO(png(axes))) as other:
        assert picture.size == pytest.approx(other.size, abs=1), "a part of a pixel is rounded to either side"
        drawn, expected = (
            np.asarray(one.convert("RGB").resize(other.size), float).reshape(-1) for one in (picture, other)
        )
    assert np.abs(drawn - 255).mean() > 3, "it is not empty"
    assert np.abs(drawn - expected).mean() < 3, "of 255: the edges of letters and lines"
    assert np.corrcoef(drawn, expected)[0, 1] > 0.9


def test_the_same_figure_is_the_same_bytes(axes, made):
    assert set_figure(svg(axes), "what it shows") == made


def test_where_typst_fails_or_is_missing_matplotlib_draws_every_file(complete, tmp_path, monkeypatch):
    assert set_figure(b"no drawing", "nothing") is None
    monkeypatch.setitem(sys.modules, "typst", None)
    assert set_figure(b"", "") is None
    written = write_folder([Study(complete)], tmp_path, pdf=False, only=["effects"])
    assert written.without == ()
    assert {file.suffix for file in (tmp_path / "figures").iterdir()} == {".svg", ".png", ".pdf"}
    assert b"DejaVuSans" in (tmp_path / "figures" / "effects-1.pdf").read_bytes()
