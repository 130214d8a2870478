"""Text is safe in the medium that it is made safe for, whatever it is, and stays what it was where it can."""

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from terminal import UNSEEN

from ablation.core import safe
from ablation.core.text import named

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
TURNS = [*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
NOTHING = [*"\u00ad\u180e\u200b\u2060\u2064\ufeff\ufff9\U000e0001"]
HALVES = ["\ud800", "\udcff", "\udfff"]
BREAKS = ["\u2028", "\u2029", "\x85"]
HOSTILE = st.text(
    st.one_of(
        st.sampled_from([*CONTROLS, *TURNS, *NOTHING, *HALVES, *BREAKS]),
        st.sampled_from([*"=+-@;,'\"<>&$#*_`~|\\[](){}!:/.0123456789 \t\r\n"]),
        st.characters(),
    ),
    max_size=30,
)
IDEMPOTENT = (safe.visible, safe.terminal, safe.one_line, safe.csv_text, safe.file_name, safe.mlflow_key)


@pytest.mark.parametrize("sign", [*CONTROLS, *TURNS, *NOTHING, *HALVES, *BREAKS], ids=lambda sign: f"{ord(sign):x}")
def test_whatever_is_not_seen_is_an_escape(sign):
    for shown in (safe.visible(f"a{sign}b"), safe.terminal(f"a{sign}b"), safe.one_line(f"a{sign}b")):
        rest = shown.replace("\n", "")
        assert not UNSEEN.search(rest)
        rest.encode()
    assert safe.visible(f"a{sign}b") == f"a{safe.visible(sign)}b"
    assert safe.visible(sign).startswith("\\")


SEEN = (
    *("crop", "café ß", "猫 🐈", "\u0625\u0634\u0631", "🐈\u200d⬛", "\u0645\u06cc\u200c\u062e", "a  b", ""),
    *(r"back\slash", "—\N{MINUS SIGN}±"),
)


@pytest.mark.parametrize("text", SEEN)
def test_whatever_is_seen_stays(text):
    for change in (safe.visible, safe.terminal, safe.one_line, safe.csv_text):
        assert change(text) == text


def test_a_joiner_that_joins_nothing_is_an_escape():
    assert safe.visible("cr\u200dop") == r"cr\u200dop"
    assert safe.visible("\u200c猫") == r"\u200c猫"


def test_the_marks_of_a_name_are_quotes():
    assert safe.terminal(f"{named('crop')} beats {named('none')}") == "“crop” beats “none”"


@pytest.mark.parametrize("change", IDEMPOTENT, ids=lambda change: getattr(change, "__name__", "safe_key"))
@settings(max_examples=300)
@given(text=HOSTILE)
def test_what_is_safe_stays_as_it_is(change, text):
    once = change(text)
    assert change(once) == once
    once.encode()


@settings(max_examples=500)
@given(HOSTILE)
def test_a_line_is_a_line(text):
    shown = safe.one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not UNSEEN.search(shown)
    assert not [one for one in shown if unicodedata.category(one) in ("Cc", "Cs")]


@settings(max_examples=500)
@given(HOSTILE)
def test_only_the_first_line_of_a_message_begins_at_the_margin(text):
    first, *others = safe.message_lines(f"error: {text}").split("\n")
    assert first.startswith("error: ")
    assert all(line.startswith("  ") for line in others)


NUMBER = re.compile(r"\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*%?\s*")


@settings(max_examples=1000)
@given(HOSTILE)
def test_no_cell_is_a_formula_in_any_country(text):
    """The file is read as it was written, and with a semicolon or a tab between cells, as some spreadsheets do."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow([safe.csv_text(text)])
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter):
            for cell in row:
                begins = cell.lstrip()[:1]
                assert begins not in tuple("=@\uff1d\uff20") or not begins
                assert begins not in tuple("+-\uff0b\uff0d") or not begins or NUMBER.fullmatch(cell)
                assert cell[:1] not in ("\t", "\r", "\n")


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", " \t@x", "a;=1", "a;  -cmd"])
def test_a_formula_behind_what_parts_cells_gets_an_apostrophe(text):
    assert re.search("' *[=@-]", safe.csv_text(text)), safe.csv_text(text)


@settings(max_examples=500)
@given(HOSTILE)
def test_what_is_quoted_for_a_table_comes_back(text):
    quoted = safe.csv_quoted(text)
    assert safe.csv_unquoted(quoted) == text
    assert quoted.lstrip()[:1] not in tuple("=@")


@settings(max_examples=500)
@given(HOSTILE)
def test_json_is_the_same_json_and_shows_no_more_than_text(text):
    shown = safe.json_text({text: [text]}, indent=1)
    assert not UNSEEN.search(shown)
    assert json.loads(shown) == {text: [text]}
    assert json.loads(safe.json_text(text)) == text


ACTIVE = {
    "html_block",
    "html_inline",
    "link_open",
    "image",
    "em_open",
    "strong_open",
    "code_inline",
    "heading_open",
    "hr",
} | {
    *("bullet_list_open", "ordered_list_open", "blockquote_open", "fence", "code_block", "table_open", "s_open"),
}


@settings(max_examples=500)
@given(HOSTILE)
@example("\x1b\r#")
@example("\u200b 1. ")
def test_a_paragraph_of_markdown_is_a_paragraph_of_text(text):
    """By itself, and as the second line of one; with GitHub's tables and strikethrough."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for page in (safe.markdown_text(text), f"words\n{safe.markdown_text(text)}"):
        tokens = [token for block in parser.parse(page) for token in (block, *(block.children or ()))]
        assert not {token.type for token in tokens} & ACTIVE, page


@pytest.mark.parametrize("text", ["http://e.vil", "www.e.vil/x", "WWW.e.vil", "ftp://e.vil", "see https://e.vil."])
def test_an_address_becomes_no_link_by_itself(text):
    """GitHub's Markdown (spec, 6.9) looks for these in what was written; an entity is none of them, and is shown so."""
    shown = safe.markdown_text(text)
    assert "://" not in shown
    assert not re.search(r"(?i)www\.", shown)
    (token,) = MarkdownIt().parseInline(shown)
    assert "".join(child.content for child in token.children) == text


@settings(max_examples=300)
@given(HOSTILE)
def test_code_in_markdown_is_code_whatever_it_holds(text):
    if not text.strip() or not safe.one_line(text).strip(" `"):
        return
    (token,) = MarkdownIt("commonmark").parseInline(safe.markdown_code(text))
    assert [child.type for child in token.children] == ["code_inline"]


@settings(max_examples=300)
@given(HOSTILE)
def test_a_file_name_stays_in_its_folder(text):
    name = safe.file_name(text)
    assert Path("folder", name).parent == Path("folder")
    assert not re.search(r'[\\/:*?"<>|]', name)
    assert name not in ("", ".", "..")
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert len(name.encode()) <= 202
