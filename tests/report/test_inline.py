"""Figures within a page: hostile names stay text, ids are unique, references hold, colours follow a theme."""

import re
import xml.etree.ElementTree as ElementTree
from importlib.resources import files

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from pages import Page

from ablation.core.text import named
from ablation.report.inline import inlined
from ablation.report.style import (
    COLORS,
    INK,
    ON_DARK,
    PAPER,
    SOFT,
    VARIABLES,
    drawing,
    inline_svg,
    marked,
    shortened,
    styles,
    svg,
)

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b < c", "]]> --> &lt; 'x'", "$x_1$ #fff"]
LOOK = styles(["none", *HOSTILE], "none")


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """The ratio of WCAG 2, of two colours."""
    light, dark = sorted(
        (
            float(
                np.dot(
                    [0.2126, 0.7152, 0.0722], [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in rgb]
                )
            )
            for rgb in (one, other)
        ),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


def figure():
    """Lines, markers, a band, a scatter, a heat map, a hatch, and text, of recipes with hostile names."""
    with drawing():
        axes = Figure().add_subplot()
        for height, name in enumerate(HOSTILE):
            with marked(axes, LOOK[name]):
                axes.plot([0, 1], [height, height + 0.5], "o-", color=LOOK[name].color, label=name)
                axes.text(0, height, shortened(named(name), 60), color=LOOK[name].text)
        axes.fill_between([0, 1], [0, 0], [1, 1.123456], color=SOFT, hatch="//", facecolor=PAPER)
        axes.scatter([0.123456, 0.5, 0.75], [1, 2, 3], c=COLORS[0])
        axes.pcolormesh(np.array([[0.0, 1.0], [2.0, 3.0]]), edgecolors=PAPER)
        axes.text(0.5, 0.5, "on dark", color=ON_DARK)
        axes.set_title(HOSTILE[0], color=INK)
        axes.legend()
    return axes


@pytest.fixture(scope="module")
def made() -> str:
    return inline_svg(figure(), "slug-1", f"alt {HOSTILE[1]}")


def texts(document: bytes | str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(document).iter() if node.tag.endswith("text")]


def test_it_is_one_element_both_for_xml_and_for_html(made):
    assert made.startswith("<svg ")
    assert "<?xml" not in made
    assert "<!DOCTYPE" not in made
    assert "metadata" not in made
    page = Page(f"<main>{made}</main>")
    assert page.open == []
    tags = {node.tag for node in ElementTree.fromstring(made).iter()}
    assert {tag.lower() for tag in tags} == {tag for tag, _ in page.tags} - {"main"}
    assert tags <= {"svg", "g", "path", "use", "text", "defs", "clipPath", "rect", "pattern", "image"}


def test_hostile_names_are_text_and_nothing_else(made):
    assert set(HOSTILE) <= set(texts(made))
    tags = Page(made).tags
    assert not {"script", "img"} & {tag for tag, _ in tags}
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert dict(tags)["svg"]["aria-label"] == f"alt {HOSTILE[1]}"
    assert "\u2068" not in made


def test_no_text_is_lost(made):
    assert sorted(texts(made)) == sorted(texts(svg(figure())))


def test_ids_begin_with_the_prefix_and_every_reference_holds(made):
    ids = re.findall(r' id="([^"]+)"', made)
    assert ids
    assert all(name.startswith("slug-1-") for name in ids)
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:url\(#|href="#)([^)"]+)', made)
    assert set(references) == set(ids), "no id is lost, and none is there for nothing"
    assert not set(ids) & set(re.findall(r' id="([^"]+)"', inline_svg(figure(), "slug-10")))


def test_the_drawing_has_the_size_of_its_place(made):
    root = ElementTree.fromstring(made)
    assert not {"width", "height", "style"} & set(root.attrib)
    assert root.get("viewBox") == "0 0 460.8 345.6"


def test_colours_are_variables_that_a_theme_may_set(made):
    assert f"var(--ink,{INK})" in made
    assert f"var(--soft,{SOFT})" in made
    assert f"var(--paper,{PAPER})" in made
    assert f"var(--color-1,{COLORS[0]})" in made
    on_dark = next(node for node in ElementTree.fromstring(made).iter("text") if node.text == "on dark")
    assert on_dark.get("fill") == ON_DARK, "it stands on a cell, which stays as it is"
    assert f"var(--color-1,{COLORS[0]})" in made
    assert f"var(--name-2,{LOOK[HOSTILE[1]].text})" in made
    assert len(set(VARIABLES.values())) == len(VARIABLES)


def test_every_colour_can_be_seen_in_the_dark_theme():
    css = (files("ablation.report.render") / "page.css").read_text("utf-8")
    dark = dict(re.findall(r"(--[\w-]+): (#\w{6})", css[: css.index("{% endset %}")]))
    paper = to_rgb(dark["--paper"])
    for color, variable in VARIABLES.items():
        assert variable in dark or variable.startswith("--class-"), variable
        if variable.startswith(("--color-", "--name-", "--class-", "--ink", "--soft", "--grey")):
            assert contrast(to_rgb(dark.get(variable, color)), paper) >= 3, f"{variable} on the dark page"


def test_what_is_drawn_of_a_recipe_is_marked(made):
    root = ElementTree.fromstring(made)
    for name in HOSTILE:
        groups = root.findall(f".//*[@data-recipe='{LOOK[name].index}']")
        within = [node for group in groups for node in group.iter()]
        assert name in [node.text for node in within]
        assert any(node.tag == "path" for node in within)
    assert not root.findall(f".//*[@data-recipe='{LOOK['none'].index}']")
    assert b'id="recipe' not in svg(figure()), "an id stands once in a document"


def test_it_is_small_and_numbers_are_rounded_no_further_than_the_eye(made):
    document = svg(figure())
    assert len(made) < 0.6 * len(document)
    assert not re.search(r"\d\.\d{3}", re.sub(r'href="data:[^"]+"', "", made))

    def places(text: str) -> list[float]:
        root = ElementTree.fromstring(text)
        return sorted(float(node.get("x")) for node in root.iter() if node.tag.endswith("text"))

    assert places(made) == pytest.approx(places(document), abs=0.006)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("M 0 10.126 \nL 5 -3 \nL 6 7.5 \nz\n", "M0 10.13 5-3 6 7.5z"),
        ("M 1 1 \nL 2 2 \nM 3 3 \nL 4 4 ", "M1 1 2 2M3 3 4 4"),
        ("M 0 0 C 1 2 3 4 5 6 C 7 8 9 10 11 12 L 1 1", "M0 0C1 2 3 4 5 6 7 8 9 10 11 12L1 1"),
        ("M 0.004 -0.004 Q 1 1 2 2", "M0 0Q1 1 2 2"),
    ],
)
def test_paths_keep_their_points(path, expected):
    assert inlined(f'<svg viewBox="0 0 1 1"><path d="{path}"/></svg>'.encode(), "a", {}).split('"')[7] == expected


def test_groups_that_share_a_style_have_it_once():
    document = b'<svg viewBox="0 0 1 1"><g><g><rect style="fill: red"/></g><rect style="fill: red; x: 1"/></g></svg>'
    made = inlined(document, "a", {})
    assert made.count('fill="red"') == 1
    apart = inlined(document.replace(b"red;", b"blue;"), "a", {})
    assert apart.count('fill="red"') == apart.count('fill="blue"') == 1


def test_neighbours_of_one_recipe_are_one_group():
    recipes = "".join(f'<g data-recipe="{number}"><rect/></g>' for number in (1, 1, 2, 1))
    made = inlined(f'<svg viewBox="0 0 1 1"><g><g>{recipes}</g></g></svg>'.encode(), "a", {})
    groups = re.findall(r'<g data-recipe="(\d)">((?:<rect/>)+)</g>', made)
    assert [(number, rects.count("rect")) for number, rects in groups] == [("1", 2), ("2", 1), ("1", 1)]


@pytest.mark.parametrize("prefix", ["", "1a", 'a"b', "a b", "ä"])
def test_a_prefix_that_is_no_name_is_refused(prefix):
    with pytest.raises(ValueError, match="letters, digits"):
        inline_svg(figure(), prefix)
