"""The look of figures: a style for each recipe, fonts by name, and the same bytes in every process."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ablation.core.seeds import stream
from ablation.core.text import MINUS, named
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo, draw_intervals, label_ends, spread
from ablation.report.sections.effects.figure import MOST, HeatCell, HeatInfo, draw_heat
from ablation.report.style import COLORS, DASHES, HIGHEST, MARKERS, drawing, pdf, png, shortened, styles, svg

BYTES = """
import hashlib, sys
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo, draw_intervals
from ablation.report.style import pdf, png, styles, svg
rows = tuple(IntervalRow(name, 1.0, 0.0, 2.0, "+1.0  [0.0 to +2.0]") for name in ("crop", "hue"))
info = IntervalsInfo((IntervalGroup("adam", rows),), 1.0, "difference")
axes = draw_intervals(info, styles(["none", "crop", "hue"], "none"))
print(*(hashlib.sha256(kind(axes)).hexdigest() for kind in (svg, png, pdf)))
"""


def intervals(recipes: int, groups: int = 1) -> IntervalsInfo:
    rows = tuple(
        IntervalRow(f"r{number}", float(number % 7 - 3), -4.0, 4.0, f"+1.0  [{MINUS}4.0 to +4.0]")
        for number in range(recipes)
    )
    return IntervalsInfo(tuple(IntervalGroup(f"group {number}", rows) for number in range(groups)), 1.0, "difference")


def test_the_same_figure_is_the_same_bytes_in_every_process():
    made = {
        subprocess.run(
            [sys.executable, "-c", BYTES], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1
    assert len(set(made.pop().split())) == 3


def test_files_hold_no_date_and_no_program():
    axes = draw_intervals(intervals(2), styles(["none", "r0", "r1"], "none"))
    assert b"<dc:date>" not in svg(axes)
    assert b"Software" not in png(axes)
    assert not any(word in pdf(axes) for word in (b"CreationDate", b"/Creator", b"/Producer"))


def test_a_picture_has_as_many_pixels_as_it_should():
    axes = draw_intervals(intervals(2), styles(["none", "r0", "r1"], "none"))
    width, height = axes.figure.get_size_inches()
    size = np.frombuffer(png(axes, dpi=150)[16:24], ">u4")
    assert list(size) == [int(150 * width), int(150 * height)]


def test_fonts_are_a_list_of_families_within_the_block_and_as_before_after_it():
    look = styles(["none", "r0"], "none")
    with drawing(["DejaVu Serif", "DejaVu Sans"]):
        serif = svg(draw_intervals(intervals(1), look))
    assert b"font-family: 'DejaVu Serif', 'DejaVu Sans', -apple-system" in serif
    assert b"Serif" not in svg(draw_intervals(intervals(1), look))


def test_every_recipe_differs_from_its_neighbours_in_colour_marker_and_dash():
    look = list(styles(["none", *(f"r{number}" for number in range(41))], "none").values())
    assert len({(style.color, style.marker) for style in look}) == 42
    for one, other in pairwise(look):
        assert one.color != other.color
        assert one.marker != other.marker
        assert one.dash != other.dash
    assert [style.index for style in look] == list(range(42))
    assert len({look[number].dash for number in range(len(DASHES))}) == len(DASHES)
    assert "D" not in MARKERS, "what stands for several recipes is a diamond"


@pytest.mark.parametrize("color", COLORS)
def test_names_can_be_read_on_white(color):
    style = next(
        style for style in styles([f"r{number}" for number in range(7)], "r6").values() if style.color == color
    )
    channels = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(style.text)]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], channels))
    assert 1.05 / (luminance + 0.05) >= 4.5, "the contrast that WCAG 2 asks of text"


def test_a_name_in_a_figure_has_neither_marks_nor_quotes():
    assert shortened(f"difference to {named('none')}", 40) == "difference to none"
    assert shortened(named("قص"), 40) == "قص"
    assert shortened(named("x" * 50), 11) == "xxxxx…xxxxx"


def test_names_at_ends_are_spread_as_little_as_can_be():
    assert spread(np.array([5.0, 50.0, 90.0]), 10, 0, 100) == pytest.approx([5, 50, 90])
    assert spread(np.array([50.0, 50.0]), 10, 0, 100) == pytest.approx([45, 55])
    assert spread(np.array([52.0, 50.0, 99.0]), 10, 0, 100) == pytest.approx([56, 46, 99])
    assert spread(np.array([1.0, 1.0, 1.0]), 10, 0, 100) == pytest.approx([0, 10, 20])
    for number in range(20):
        at = stream(0, "ends", number).uniform(0, 100, 8)
        places = spread(at, 9, 0, 100)
        assert (np.diff(places[np.argsort(at, kind="stable")]) >= 9 - 1e-9).all()
        assert places.min() >= -1e-9
        assert places.max() <= 100 + 1e-9


def test_names_at_ends_stand_beside_the_axes_at_the_height_of_their_lines():
    look = styles(["none", "crop"], "none")
    with drawing():
        axes = Figure().add_subplot()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        label_ends(axes, [(1.0, 0.2, "none", look["none"]), (1.0, 0.8, "crop", look["crop"])])
    assert [text.get_text() for text in axes.texts] == ["none", "crop"]
    assert [text.get_position()[1] for text in axes.texts] == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize(("recipes", "groups"), [(1, 1), (5, 3), (20, 3), (60, 1), (60, 3)])
def test_no_chart_of_intervals_is_higher_than_a_screen_and_says_what_it_leaves_out(recipes, groups):
    info = intervals(recipes, groups)
    look = styles(["none", *(f"r{number}" for number in range(recipes))], "none")
    axes = draw_intervals(info, look)
    assert axes.figure.get_figheight() <= HIGHEST
    drawn = [text.get_text() for text in axes.texts if text.get_text().startswith("r")]
    rows = [row.name for group in info.drawn.groups for row in group.rows]
    assert drawn == rows
    assert bool(info.left_out()) == (len(rows) < recipes * groups)
    if recipes == 60:
        assert f"the {len(rows)} of 60 rows with the largest estimates" in info.left_out()[0]
        least = min(abs(row.estimate) for row in info.drawn.groups[0].rows)
        assert least >= max(abs(row.estimate) for row in info.groups[0].rows if row.name not in rows)


@pytest.mark.parametrize("recipes", [2, 5, 60])
def test_no_heat_map_is_higher_than_a_screen_and_the_best_are_drawn(recipes):
    names = tuple(f"r{number}" for number in range(recipes))
    cells = tuple((HeatCell(80.0 + number, "80", "+1"), HeatCell(70.0, "70", "+1")) for number in range(recipes))
    info = HeatInfo(names, ("adam", "sgd"), cells)
    axes = draw_heat(info, styles(["none", *names], "none"))
    assert axes.figure.get_figheight() <= HIGHEST
    assert [text.get_text() for text in axes.get_yticklabels()] == list(names[-MOST:])
    assert bool(info.left_out()) == (recipes > MOST)


def test_digits_of_intervals_stand_in_columns():
    info = intervals(3)
    made = draw_intervals(info, styles(["none", "r0", "r1", "r2"], "none"))
    estimates = [text for text in made.texts if text.get_text() == "+1.0"]
    assert len(estimates) == 3
    assert {text.get_ha() for text in estimates} == {"right"}
    assert len({text.get_position()[0] for text in estimates}) == 1
