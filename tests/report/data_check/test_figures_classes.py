"""The bars of classes: which are shown, in which order, how long; and names of any letters are drawn as they are."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ablation.core.seeds import stream
from ablation.report.data_check.classes import ENDS, MOST, ClassesInfo, draw_classes, named, width_of
from ablation.report.style import svg

HOSTILE = '<script>"$5_a$"</script>'


def words(drawing: bytes) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def info(classes: int, parts: tuple[str, ...] = ("",)) -> ClassesInfo:
    draws = stream(0, "classes", classes)
    return ClassesInfo(
        tuple(f"class {label}" for label in range(classes)),
        {part: draws.integers(1, 2000, size=classes) for part in parts},
    )


def bars(drawn) -> list[list[tuple[float, float]]]:
    """Of each axes with bars: where each begins, and its length."""
    return [[(bar.get_x(), bar.get_width()) for bar in axes.patches] for axes in drawn if axes.containers]


def test_the_largest_class_stands_first_and_equal_ones_as_they_are_numbered():
    sentence = ClassesInfo(("a", "b", "c", "d"), {"": np.array([3, 5, 3, 5])})
    assert sentence.order == (1, 3, 0, 2)
    assert [column.labels for column in sentence.columns] == [(1, 3, 0, 2)]
    assert bars(draw_classes(sentence, {})) == [[(0, 5), (0, 5), (0, 3), (0, 3)]]


@pytest.mark.parametrize("classes", [2, 14, 15, MOST])
def test_up_to_forty_classes_all_have_a_bar(classes):
    sentence = info(classes)
    assert sentence.between == 0
    shown = [label for column in sentence.columns for label in column.labels]
    assert shown == list(sentence.order)
    assert sorted(shown) == list(range(classes))
    observed = words(svg(draw_classes(sentence, {})))
    assert {f"class {label}" for label in range(classes)} <= set(observed)
    assert {f"{count:,}" for count in sentence.totals} <= set(observed)


@pytest.mark.parametrize("classes", [MOST + 1, 300, 1000])
def test_of_more_the_ends_are_shown_and_all_in_a_curve(classes):
    sentence = info(classes)
    largest, smallest = sentence.columns
    totals = sentence.totals
    assert len(largest.labels) == len(smallest.labels) == ENDS
    assert sentence.between == classes - 2 * ENDS
    assert sorted(totals[list(largest.labels)]) == sorted(totals)[-ENDS:]
    assert sorted(totals[list(smallest.labels)]) == sorted(totals)[:ENDS]
    made = draw_classes(sentence, {})
    (curve,) = [patch for axes in made for patch in axes.patches if hasattr(patch, "get_data")]
    assert curve.get_data().values.tolist() == sorted(totals.tolist(), reverse=True)
    observed = words(svg(made))
    assert f"all {classes:,} classes, the largest first" in observed
    assert {f"the {ENDS} largest", f"the {ENDS} smallest"} <= set(observed)


def test_parts_are_stacked_and_told_one_by_one():
    sentence = ClassesInfo(("a", "b"), {"train": np.array([7, 10]), "test": np.array([5, 1])})
    assert sentence.totals.tolist() == [12, 11]
    assert (sentence.number(0), sentence.number(1)) == ("7 + 5", "10 + 1")
    made = draw_classes(sentence, {})
    assert bars(made) == [[(0, 7), (0, 10), (7, 5), (10, 1)]]
    assert len({patch.get_facecolor() for axes in made for patch in axes.patches}) == 2
    assert {"train", "test"} <= set(words(svg(made)))


def test_all_bars_are_of_one_scale():
    made = draw_classes(info(30, ("train", "val", "test")), {})
    assert len({axes.get_xlim() for axes in made}) == 1
    assert len({round(axes.get_position().width, 9) for axes in made}) == 1


def test_names_are_drawn_as_they_are_and_escaped():
    drawing = svg(draw_classes(ClassesInfo((HOSTILE, "b"), {"": np.array([2, 1])}), {}))
    assert HOSTILE in words(drawing)
    assert b"<script>" not in drawing


@pytest.mark.filterwarnings("ignore:Glyph")  # that matplotlib has none does not matter: the reader's font has
def test_names_in_chinese_and_of_emoji_are_shown():
    assert {"花猫 🌸", "b"} <= set(words(svg(draw_classes(ClassesInfo(("花猫 🌸", "b"), {"": np.array([2, 1])}), {}))))


def test_long_names_keep_both_ends_and_wide_letters_count_twice():
    assert named("short") == "short"
    assert named("") == ""
    assert (width_of("abc"), width_of("花猫"), width_of("a🌸")) == (3, 4, 3)
    for name in ("species 001 " * 5 + "end", "花" * 60, "a花" * 40):
        assert width_of(named(name)) <= 28
        assert named(name)[-2:] == name[-2:]


def test_drawing_twice_gives_the_same_bytes():
    assert svg(draw_classes(info(300), {})) == svg(draw_classes(info(300), {}))
