"""Contributions as drawn: every interval and mark within the axis, the sums apart, and colours of the recipes."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo
from ablation.report.sections.attribution.figure import draw_contributions
from ablation.report.style import styles, svg

HOSTILE = '<b>&"crop" costs $5_a$'
LOOK = styles(["none", "hue", HOSTILE], "none")


def info(marked: bool = True, lower: bool = False) -> IntervalsInfo:
    marks = (3.0, -2.0) if marked else ()
    rows = (
        IntervalRow(HOSTILE, 1.0, 0.5, 1.5, "+1.0", "one", *marks),
        IntervalRow("Brightness", 0.0, math.nan, math.nan, "0.0"),
        IntervalRow("all together", 1.0, -4.0, 5.0, "+1.0", "together"),
        IntervalRow("beyond the sum", -2.5, -3.0, -2.0, "-2.5", "beyond"),
    )
    return IntervalsInfo((IntervalGroup("adam", rows), IntervalGroup("pooled", rows, True)), 1.0, "points", lower)


def words(drawing: bytes) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def test_everything_is_within_the_axis():
    low, high = info().limits
    assert low < -4.0
    assert high > 5.0
    narrow = IntervalsInfo((IntervalGroup("adam", info().groups[0].rows[:1]),), 1.0, "points").limits
    assert narrow[0] < -2.0, "the mark of what it does last is further out than its interval"
    assert narrow[1] > 3.0
    bare = IntervalsInfo((IntervalGroup("adam", info(marked=False).groups[0].rows[1:2]),), 1.0, "points").limits
    assert bare == pytest.approx((-1.1, 1.1)), "the band of equivalence"
    assert draw_contributions(info(), LOOK).get_xlim() == pytest.approx(info().limits)


def test_intervals_estimates_and_marks_stand_at_their_numbers():
    lines = draw_contributions(info(), LOOK).lines
    drawn = [(tuple(line.get_xdata()), line.get_marker()) for line in lines]
    assert ((0.5, 1.5), "None") in drawn
    assert ((3.0,), "o") in drawn, "alone"
    assert ((-2.0,), "s") in drawn, "added to all the others"
    assert ((-2.5,), "D") in drawn
    ends = [line for line in lines if tuple(line.get_xdata()) == (1.0,)]
    assert ends[0].get_color() == LOOK[HOSTILE].color, "an operation that is a recipe looks like it"


def test_the_sums_are_filled_and_hollow():
    lines = draw_contributions(info(), LOOK).lines
    total = next(line for line in lines if line.get_marker() == "D" and tuple(line.get_xdata()) == (1.0,))
    beyond = next(line for line in lines if line.get_marker() == "D" and tuple(line.get_xdata()) == (-2.5,))
    assert (total.get_color() == "white", beyond.get_color()) == (False, "#ffffff")


def test_the_key_stands_only_where_there_are_marks():
    assert {"added alone", "added to all the others"} <= set(words(svg(draw_contributions(info(), LOOK))))
    assert "added alone" not in words(svg(draw_contributions(info(marked=False), LOOK)))
    assert not info(marked=False).marked


def test_which_side_is_better():
    for lower in (False, True):
        texts = draw_contributions(info(lower=lower), LOOK).texts
        ends = {text.get_text(): text.xy[0] for text in texts if hasattr(text, "xy")}
        assert next(x for text, x in ends.items() if "better" in text) == (0 if lower else 1)


def test_names_are_drawn_as_they_are():
    drawing = svg(draw_contributions(info(), LOOK))
    assert {HOSTILE, "Brightness", "all together", "adam", "pooled", "+1.0"} <= set(words(drawing))
    assert b"<b>" not in drawing
