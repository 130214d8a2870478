"""Interaction plot: every mean and interval is where it should be, beside the others, and gaps stay gaps."""

import math
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ablation.report.charts import ACROSS, MOST_ENDS
from ablation.report.sections.interaction.figure import (
    InteractionInfo,
    Point,
    draw_interaction,
)
from ablation.report.style import styles, svg

HOSTILE = '<b>&"crop" costs $5_a$'
LOOK = styles(["none", "crop", HOSTILE, *(f"r{number}" for number in range(20))], "none")
MEANS = {"none": (Point(80.0, 79.0, 81.0), Point(82.0)), "crop": (Point(84.0, 83.5, 84.5), Point(math.nan))}


def info(lines=MEANS, panels: int = 1, levels=("adam", "sgd")) -> InteractionInfo:
    shown = {f"panel {number}" if panels > 1 else "": lines for number in range(panels)}
    if panels > 1:
        shown["panel 1"] = {"none": (Point(20.0), Point(30.0))}
    return InteractionInfo("optimizer", levels, shown, "mean accuracy (%)")


def words(drawing: bytes) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def test_means_and_intervals_are_drawn_at_their_places():
    drawn, data = draw_interaction(info(), LOOK), info()
    lines = [(line.get_color(), list(line.get_xdata()), list(line.get_ydata())) for line in drawn[0].lines]
    grey, left, right = LOOK["none"].color, data.x("none", 0), data.x("none", 1)
    assert (grey, [left, right], [80.0, 82.0]) in lines
    assert (grey, [left, left], [79.0, 81.0]) in lines
    assert (grey, [left], [80.0]) in lines
    low, high = drawn[0].get_ylim()
    assert low < 79
    assert high > 84.5


def test_a_level_without_a_mean_breaks_the_line():
    drawn = draw_interaction(info(), LOOK)
    line = next(line for line in drawn[0].lines if line.get_color() == LOOK["crop"].color)
    np.testing.assert_array_equal(line.get_ydata(), [84.0, math.nan])


@pytest.mark.parametrize("recipes", [1, 2, 8, 20])
def test_recipes_stand_beside_each_other_within_their_level(recipes):
    data = info({f"r{number}": (Point(1.0), Point(2.0)) for number in range(recipes)})
    xs = [data.x(recipe, 1) for recipe in data.recipes]
    assert np.mean(xs) == pytest.approx(1)
    assert all(after - before == pytest.approx(data.step) for before, after in pairwise(xs))
    assert max(xs) - min(xs) < 0.6, "the next level is 1 away"


@pytest.mark.parametrize("panels", [1, 2, ACROSS + 1])
def test_panels_share_their_scale_and_are_named(panels):
    drawn = draw_interaction(info(panels=panels), LOOK)
    assert len(drawn) == panels
    assert len({axes.get_ylim() for axes in drawn}) == 1
    text = words(svg(drawn))
    assert [name for name in text if name.startswith("panel")] == [f"panel {n}" for n in range(panels) if panels > 1]
    assert {"mean accuracy (%)", "optimizer", "adam", "sgd", "none", "crop"} <= set(text)


def test_it_is_drawn_into_the_axes_that_are_given():
    axes = Figure().subplots(1, 2)
    drawn = draw_interaction(info(panels=2), LOOK, axes)
    assert list(drawn) == list(axes)
    assert all(spot.lines for spot in axes)
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["none", "crop"]


def test_names_are_drawn_as_they_are_and_the_legend_keeps_within_the_page():
    drawing = svg(draw_interaction(info({HOSTILE: (Point(1.0), Point(2.0))}), LOOK))
    assert HOSTILE in words(drawing)
    assert b"<b>" not in drawing
    names = {f"r{number}": f"r{number}" for number in range(MOST_ENDS + 1)}
    long = {f"{name} with a name that is long": (Point(1.0), Point(2.0)) for name in names}
    look = {name: LOOK[name.split()[0]] for name in long}
    made = draw_interaction(info(long), look)[0].figure
    made.draw_without_rendering()
    (legend,) = made.legends
    assert legend.get_window_extent().x1 <= made.bbox.x1


@pytest.mark.parametrize("recipes", [1, 2, MOST_ENDS])
def test_lines_have_their_names_at_their_ends_and_no_two_overlap(recipes):
    look = styles(["none", *(f"r{number}" for number in range(recipes))], "none")
    lines = {f"r{number}": (Point(80.0), Point(80.0 + number / 100)) for number in range(recipes)}
    (axes,) = draw_interaction(info(lines), look)
    made = axes.figure
    made.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == list(lines)
    assert not made.legends
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])
    assert all(axes.bbox.x1 < box.x0 and box.x1 <= made.bbox.x1 for box in boxes)
    assert [text.xy for text in axes.texts] == [(info(lines).x(name, 1), lines[name][1].mean) for name in lines]


def test_drawing_twice_gives_the_same_bytes():
    assert svg(draw_interaction(info(), LOOK)) == svg(draw_interaction(info(), LOOK))
