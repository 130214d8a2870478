"""What a page is made of: names, terms, code, tables, its script and its policy, and the variables of its themes."""

import base64
import hashlib
import re
from importlib.resources import files

import pytest
from markupsafe import Markup, escape

from ablation.core.text import first_sentence, named
from ablation.report.glossary import TERMS, term_spans
from ablation.report.render.drawings import Drawing
from ablation.report.render.html import chip, code, inline, layout, linking, names, policy, script
from ablation.report.section import Rows, Table
from ablation.report.style import MARKERS, VARIABLES, styles

LOOK = styles(["none", "crop", '<b>&"'], "none")
CSS = (files("ablation.report.render") / "page.css").read_text("utf-8")


def test_a_recipe_has_the_sign_of_its_figures_and_any_other_name_is_bold():
    crop = chip("crop", LOOK)
    assert f'data-recipe="{LOOK["crop"].index}"' in crop
    assert (
        f'class="sign s{MARKERS.index(LOOK["crop"].marker)}" style="--c:var({VARIABLES[LOOK["crop"].color]})"' in crop
    )
    assert "data-recipe" not in chip("crop", LOOK, marked=False)
    assert chip("adam", LOOK) == '<b class="name">adam</b>'
    assert escape('<b>&"') in chip('<b>&"', LOOK)
    assert chip("<i>", LOOK) == '<b class="name">&lt;i&gt;</b>'


def test_what_is_called_as_a_recipe_is_and_is_none_has_no_sign():
    text = f"{named('crop')} under {named('crop', recipe=False)}"
    for shown in (names(text, LOOK), linking(LOOK, ())(text)):
        assert shown.startswith(chip("crop", LOOK))
        assert shown.endswith(' under <b class="name">crop</b>')


def test_a_sign_stands_for_each_marker():
    assert {int(number) for number in re.findall(r"^\.s(\d) \{", CSS, re.MULTILINE)} == {*range(1, len(MARKERS))}


def test_the_first_of_a_term_is_a_link_and_names_are_none():
    say = linking(LOOK, TERMS)
    first, second = say(f"Two seeds of {named('seed')} & <b>seed</b>"), say("a Seed of the baseline")
    assert first.count("<a ") == 1
    assert '<a class="term" href="#term-seed">seeds</a>' in first
    assert '<b class="name">seed</b>' in first
    assert "&amp; &lt;b&gt;seed&lt;/b&gt;" in first
    assert second == 'a Seed of the <a class="term" href="#term-baseline">baseline</a>'
    assert linking(LOOK, ())("seeds") == "seeds"
    assert "#term-seed" in linking(LOOK, TERMS)("seeds"), "in another section it is one again"


def test_terms_are_found_by_their_words_and_only_whole():
    def found(text):
        return [(part, term.slug) for part, term in term_spans(text) if term]

    assert found("95\N{NO-BREAK SPACE}% interval; Holm p = .004") == [
        ("95\N{NO-BREAK SPACE}% interval", "interval"),
        ("Holm p", "adjusted-p"),
    ]
    assert found("p = .04") == [("p", "p-value")]
    assert found("proceeds, marginal, powerful, step p") == []
    for term in TERMS:
        assert "".join(part for part, _ in term_spans(f"x {term.name}, y")) == f"x {term.name}, y"


def test_every_term_means_itself_and_is_explained_once():
    assert len({term.slug for term in TERMS}) == len({term.name for term in TERMS}) == len(TERMS)
    for term in TERMS:
        found = [other for _, other in term_spans(f"{term.name} = 1") if other]
        assert found[:1] == [term], term.name
        assert re.fullmatch(r"[a-z0-9-]+", term.slug)
        assert term.definition.endswith(".")


def test_texts_are_escaped_and_code_is_code():
    assert code("run `ablation run <x>` now") == "run <code>ablation run &lt;x&gt;</code> now"
    assert code("a ` b") == "a ` b"
    assert names(f"1 < 2, {named('crop')} by 95 %", LOOK) == Markup("1 &lt; 2, {} by 95\N{NO-BREAK SPACE}%").format(
        chip("crop", LOOK)
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            "Better by 1.5 points (Holm et al. 1979). The band is the margin.",
            "Better by 1.5 points (Holm et al. 1979).",
        ),
        (f"{named('a. B')} helps. {named('c')} does not.", f"{named('a. B')} helps."),
        ("Which one? Crop.", "Which one?"),
        ("One sentence alone", "One sentence alone"),
        ("Compared vs. Crop, e.g. Here. Then", "Compared vs. Crop, e.g. Here."),
    ],
)
def test_the_first_sentence(text, first):
    given, rest = first_sentence(text)
    assert given == first
    assert " ".join(filter(None, (given, rest))) == text


def test_a_drawing_is_as_wide_as_it_was_drawn_and_its_ids_hold_whatever_its_name_is():
    """An experiment may have a dot in its name, and a section be named after it."""
    document = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 90">
        <defs><path id="m" d="M0 0 L1 1"/></defs><use href="#m"/></svg>"""
    one, other = (
        inline(Drawing(name, {"svg": document}), f"of {named('x')}") for name in ("effects-a.b-1", "effects-a-b-1")
    )
    assert one.width == 960
    assert 'aria-label="of “x”"' in one.element
    ids = [re.findall(r'(?:id|href)="#?([^"]+)"', drawn.element) for drawn in (one, other)]
    assert ids[0][0] == ids[0][1] != ids[1][0]


def table_of(columns: int, **options) -> Table:
    keys = [f"k{number}" for number in range(columns)]
    rows = tuple({key: f"{key} {row}" for key in keys} | {"note": "why"} for row in range(40))
    return Table({key: key.upper() for key in keys}, (Rows(rows),), **options)


def test_a_wide_table_has_its_spare_columns_a_click_below():
    made = layout(table_of(9, spare=("k3", "k7"), keep=("k1", "k2")))
    assert list(made.table.headers) == ["k0", "k1", "k2", "k4", "k5", "k6", "k8"]
    assert list(made.statistics.headers) == ["k0", "k3", "k4", "k5", "k6", "k7", "k8"], "in the order of the table"
    assert made.aside == {"k4", "k5", "k6", "k8"}, "what a phone has no room for"
    assert not made.narrow
    assert made.left_out == 10
    assert all(row["note"] == "" for group in made.statistics.groups for row in group.rows)
    assert {row["note"] for group in made.table.groups for row in group.rows} == {"why"}


def test_a_small_table_has_statistics_for_phones_alone_or_none():
    phone = layout(table_of(5, keep=("k1",)))
    assert (phone.narrow, phone.aside) == (True, {"k2", "k3", "k4"})
    assert list(phone.statistics.headers) == ["k0", "k2", "k3", "k4"]
    whole = layout(table_of(3))
    assert (whole.statistics, whole.aside) == (None, frozenset())


def test_the_verdict_is_shown_at_every_width():
    table = Table({"recipe": "", "p": "p", "verdict": "verdict"}, (Rows(()),), keep=("recipe",))
    assert layout(table).aside == {"p"}


def test_the_script_is_small_keeps_nothing_and_is_the_only_one_that_runs():
    own = script()
    assert len(own.encode()) <= 20_000
    for word in ("localStorage", "sessionStorage", "cookie", "fetch(", "XMLHttpRequest", "innerHTML", "eval(", "http"):
        assert word not in own
    assert "</" not in own, "nothing in it ends the element in which it stands"
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy(own)
    assert "script-src 'none';" in policy()
    assert policy(own).startswith("default-src 'none'; img-src data:;")


def test_both_themes_have_every_variable_of_the_page():
    """Those of figures alone have a colour to fall back to."""
    parts = CSS.split("{% endset %}")[0], *CSS.split("{% endset %}")[1].split("@media screen", 1)
    dark, light, elsewhere = (set(re.findall(r"(--[\w-]+):", part)) for part in parts)
    of_elements = {"--c", "--width", "--columns", "--zero", "--low", "--high"} | elsewhere
    used = set(re.findall(r"var\((--[\w-]+)\)", CSS)) - of_elements
    assert used <= dark & light
    assert {VARIABLES[style.color] for style in LOOK.values()} <= dark & light
    assert dark - light <= set(VARIABLES.values())
