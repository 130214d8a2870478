"""Dose and train-size curves as drawn: shared scales, the band, each seed, the best dose, and nothing left out."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ablation.report.charts import CurvePanel
from ablation.report.sections.dose_response.figure import DosePanel, DoseRow, draw_doses, left_out
from ablation.report.sections.train_size.figure import SizesInfo, draw_sizes
from ablation.report.style import HIGHEST, styles, svg

HOSTILE = '<b>&"crop" costs $5_a$'
LOOK = styles(["none", "hue", HOSTILE], "none")
AT = np.array([0.0, 1.0, 2.0, 4.0])


def curve(title: str = "adam", shift: float = 0.0, width: float = 1.0) -> CurvePanel:
    scores = shift + np.array([[80.0, 82.0, 83.0, 81.0], [81.0, 83.0, 84.0, 80.0]])
    grid = np.linspace(0, 4, 9)
    fit = shift + 82 + 0 * grid
    return CurvePanel(title, AT, scores, scores.mean(axis=0), grid, fit, fit - width, fit + width)


def words(drawing: bytes) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def doses(*panels: DosePanel) -> tuple[DoseRow, ...]:
    return (DoseRow("degrees of RandomRotation", "accuracy (%)", panels, ("none", 0)),)


def test_limits_hold_every_score_but_not_a_band_without_bounds():
    low, high = curve().limits
    assert low < 80.0
    assert high > 84.0
    assert curve(width=1e6).limits == pytest.approx((80 - 4 - 0.24, 84 + 4 + 0.24)), "as much again on either side"
    lost = curve()
    unknown = CurvePanel(
        "adam", AT, lost.scores, lost.mean, lost.curve_at, lost.curve, lost.low * math.nan, lost.high * math.nan
    )
    assert unknown.limits == pytest.approx((80 - 0.24, 84 + 0.24))


@pytest.mark.parametrize("panels", [1, 2, 4, 6])
def test_the_panels_of_a_series_share_their_scale(panels):
    drawn = draw_doses(doses(*(DosePanel(curve(f"condition {index}", shift=index)) for index in range(panels))), LOOK)
    assert len(drawn) == panels
    assert len({axes.get_ylim() for axes in drawn}) == 1
    low, high = drawn[0].get_ylim()
    assert low < 80
    assert high > 84 + panels - 1


def test_series_have_scales_of_their_own():
    rows = tuple(
        DoseRow(name, "accuracy (%)", (DosePanel(curve(shift=shift)),)) for name, shift in (("a", 0.0), ("b", -30.0))
    )
    drawn = draw_doses(rows, LOOK)
    assert len({axes.get_ylim() for axes in drawn}) == 2


@pytest.mark.parametrize(("series", "panels"), [(1, 6), (2, 3), (6, 1), (6, 4), (3, 6)])
def test_many_series_are_drawn_pooled_on_a_screen_and_it_is_said(series, panels):
    every = [
        DoseRow(f"amount {one}", "accuracy (%)", tuple(DosePanel(curve(f"c{index}")) for index in range(panels)))
        for one in range(series)
    ]
    axes = draw_doses(every, LOOK)
    assert axes[0].figure.get_figheight() <= HIGHEST
    pooled = series * -(-panels // 3) > 4 and panels > 1
    assert len(axes) == (series if pooled else series * panels)
    assert bool(left_out(every)) == pooled
    assert {spot.get_xlabel() for spot in axes} == {row.magnitude for row in every}
    if pooled:
        assert {spot.get_title("left") for spot in axes} == {f"c{panels - 1}"}


def test_a_panel_shows_each_seed_the_means_the_band_and_the_fit():
    (axes,) = draw_doses(doses(DosePanel(curve())), LOOK)
    drawn = [tuple(line.get_ydata()) for line in axes.lines]
    for row in (*curve().scores, curve().mean, curve().curve):
        assert tuple(row) in drawn
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (81.0, 83.0)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2", "4"]


def test_the_best_dose_is_drawn_where_it_is_claimed():
    claimed = DosePanel(curve(), (1.5, 1.0, 2.5), "highest at 1.5")
    (axes,) = draw_doses(doses(claimed), LOOK)
    xs = [tuple(line.get_xdata()) for line in axes.lines]
    assert (1.0, 2.5) in xs
    assert (1.5,) in xs
    assert "highest at 1.5" in words(svg(draw_doses(doses(claimed), LOOK)))
    (without,) = draw_doses(doses(DosePanel(curve())), LOOK)
    assert (1.5,) not in [tuple(line.get_xdata()) for line in without.lines]


def test_the_recipe_without_stands_as_a_line_at_its_mean():
    (axes,) = draw_doses(doses(DosePanel(curve())), LOOK)
    assert [80.5, 80.5] in [list(line.get_ydata()) for line in axes.lines]
    assert "none" in words(svg(draw_doses(doses(DosePanel(curve())), LOOK)))
    (bare,) = draw_doses([DoseRow("amount", "accuracy (%)", (DosePanel(curve()),))], LOOK)
    assert [80.5, 80.5] not in [list(line.get_ydata()) for line in bare.lines]


def test_ticks_that_would_run_into_each_other_have_one_name():
    close = curve()
    at = np.array([0.0, 0.001, 2.0, 4.0])
    panel = CurvePanel("adam", at, close.scores, close.mean, close.curve_at, close.curve, close.low, close.high)
    (axes,) = draw_doses(doses(DosePanel(panel)), LOOK)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "", "2", "4"]
    assert list(axes.get_xticks()) == list(at)


def sizes(*titles: str) -> SizesInfo:
    panels = []
    for title in titles:
        apart, grid = np.array([[4.0, 2.0, 1.0], [3.0, 2.0, 0.5]]), np.linspace(6, 8, 5)
        fit = 5 - 0.5 * grid
        panels.append(
            CurvePanel(title, np.array([6.0, 7.0, 8.0]), apart, apart.mean(axis=0), grid, fit, fit - 1, fit + 1)
        )
    return SizesInfo(tuple(panels), 1.0, "points of accuracy", "none")


@pytest.mark.parametrize("recipes", [("hue",), ("hue", HOSTILE), ("hue", HOSTILE, "none", "hue")])
def test_a_panel_a_recipe_on_one_scale_with_zero_and_the_margin(recipes):
    info = sizes(*recipes)
    drawn = draw_sizes(info, LOOK)
    assert len(drawn) == len(recipes)
    for axes, name in zip(drawn, recipes, strict=True):
        assert axes.get_title(loc="left") == name
        assert axes.get_ylim() == pytest.approx(info.limits)
        assert [0, 0] in [list(line.get_ydata()) for line in axes.lines], "the baseline"
        assert axes.patches[0].get_height() == 2.0, "the band of equivalence"
        assert [text.get_text() for text in axes.get_xticklabels()] == ["64", "128", "256"]
    assert info.limits[0] <= -1.2


def test_sizes_are_in_the_colour_of_the_recipe_and_names_as_they_are():
    info = sizes(HOSTILE)
    (axes,) = draw_sizes(info, LOOK)
    means = next(line for line in axes.lines if tuple(line.get_ydata()) == (3.5, 2.0, 0.75))
    assert means.get_color() == LOOK[HOSTILE].color
    drawing = svg(draw_sizes(info, LOOK))
    assert HOSTILE in words(drawing)
    assert "difference to none, points of accuracy" in words(drawing)
    assert svg(draw_sizes(info, LOOK)) == drawing
