"""Names that would do harm where they are shown: every command takes them, and shows them as text alone.

In each of the recipes', optimizers', classes', files' and experiments' names, in the question and in an error of the
author's code stands what some medium obeys. What a name may not have is refused, and the refusal is safe as well.
"""

import csv
import html.parser
import io
import json
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pypdf
import pytest
from faults import record_fault
from markdown_it import MarkdownIt
from PIL import Image
from terminal import OWN, on_terminal, unseen

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
"""A title of the window, a cleared screen, a colour by a C1 control, and text from right to left."""

RECIPES = (
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "$x$ \\frac{$",
    "[link=http://e.vil]x[/link] [/] [bold]",
    "![i](http://e.vil/x.png) `c`",
    "a\nerror: all is lost",
    "zero\u200bwidth",
    "{{ 7 * 7 }} #{1}",
    "sub;=cmd()",
    "L" * 300,
)
CLASSES = (f"=1+1{ESCAPES}", "<script>alert(2)</script>".replace("/", "\u2215") + "$\\frac{$", "@x|y`z")
QUESTION = f"Is it?{ESCAPES} <script>alert(3)</script> **b** $x$"

EXPERIMENT = """'''{question}'''
from ablation import SGD, Experiment, Fixed, ImageFolder, ImageFunction, RandomResizedCrop
experiment = Experiment(
    name="evil", data=ImageFolder("photos"), model="lenet", image_size=12, cache_size=12, epochs=1, batch_size=16,
    recipes={{"none": (), **dict.fromkeys({recipes!r}, ()), "+crop[/]": (RandomResizedCrop(scale=(0.5, 1.0)),),
             "fails": (ImageFunction("evil.py:explode"),)}},
    optimizers={{"@sgd [red]": SGD(lr=0.05)}}, split=Fixed(train=0.5, val=0.2, test=0.3), seeds=3, baseline="none",
    robustness=False, question={question!r},
)
"""
CODE = f"""
def explode(picture, generator):
    raise ValueError("broken {ESCAPES} [bold]" + chr(10) + "error: all is lost")
"""

SECTIONS = ("effects", "class_harm", "decision_curves", "pictures", "learning_curves", "reproduce")
"""Of the report: those that show the names of recipes, conditions, classes and files; a t-SNE map takes longest."""

COMMANDS = (
    *(("list",), ("check", "photos"), ("plan", "evil"), ("plan", "evil", "--all"), ("status", "evil")),
    *(("compare", "evil"), ("compare", "evil", "--all"), ("cache", "ls"), ("doctor",)),
    *(("compare", "evil", f"--{form}", "-") for form in ("csv", "json", "latex", "markdown")),
    *(("verify", "evil.zip"), ("preview", "evil", "--recipe", RECIPES[0])),
)


def write_photographs(folder: Path) -> None:
    rng = np.random.Generator(np.random.Philox(0))
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for index in range(14):
            file = (f"{index}.png", f"=a\n{ESCAPES}{index}.png", os.fsdecode(b"\xff%d.png" % index))[index % 3]
            pixels = rng.integers(0, 120, (12, 12, 3)) + 60 * number
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / file, "PNG")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What a terminal got of each command, in the order in which a user gives them; and the folder that they leave."""
    folder = tmp_path_factory.mktemp("hostile")
    write_photographs(folder / "photos")
    (folder / "experiments").mkdir()
    (folder / "evil.py").write_text(CODE, "utf-8")
    text = EXPERIMENT.format(question=QUESTION, recipes=RECIPES)
    (folder / "experiments" / "evil.py").write_text(text, "utf-8")
    (folder / "experiments" / f"named{ESCAPES}.py").write_text("x = (", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        texts = {("run",): on_terminal(folder, "run", "evil", "-j", "1", "--no-tracking", "--device", "cpu")}
        only = [word for slug in SECTIONS for word in ("--section", slug)]
        texts["report",] = on_terminal(folder, "report", "evil", "--out", "reports/evil", *only)
        texts["export",] = on_terminal(folder, "export", "evil", "--to", "evil.zip")
        shutil.unpack_archive(folder / "evil.zip", folder / "pack")
        texts |= {command: on_terminal(folder, *command) for command in COMMANDS}
    return folder, texts


def test_no_command_lets_a_name_control_the_terminal(shown):
    _, texts = shown
    leaks = {" ".join(command): unseen(one.text)[:3] for command, one in texts.items() if unseen(one.text)}
    assert leaks == {}
    characters = sum(len(one.text) for one in texts.values())
    record_fault(
        "safety",
        "escape sequences in names of recipes, classes, files and experiments, in questions and errors, on a terminal",
        len(texts),
        "each is shown as text",
        f"{sum(map(len, leaks.values()))} of {characters:,} characters from {len(texts)} commands control the terminal",
    )


def test_every_command_does_what_it_does_for_other_names(shown):
    _, texts = shown
    assert {" ".join(command): (one.code, one.text[-600:]) for command, one in texts.items() if one.code} == {
        "run": (1, texts["run",].text[-600:])  # of the recipe that fails
    }
    assert "Isit?\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202e" in words(texts["list",].text).replace(" ", "")
    assert "zero\\u200bwidth" in texts["status", "evil"].text
    assert "[link=http://e.vil]x[/link] [/] [bold]" in texts["status", "evil"].text


def words(text: str) -> str:
    """What stands on a terminal, without its style and its ends of lines."""
    return " ".join(OWN.sub("", text).split())


def test_a_line_break_in_a_name_or_an_error_begins_no_line_of_its_own(shown):
    _, texts = shown
    for command, one in texts.items():
        assert not re.search(r"^\W*error: all is lost", one.text, re.MULTILINE), command
    assert re.search(r"a error: all is\s+lost", texts["status", "evil"].text)


def test_why_a_run_failed_is_text(shown):
    _, texts = shown
    assert "broken \\x1b]0;owned" in words(texts["status", "evil"].text)
    assert "[bold]" in words(texts["status", "evil"].text).partition("broken")[2]


def cells(path_or_text) -> list[str]:
    text = path_or_text.read_text("utf-8") if isinstance(path_or_text, Path) else path_or_text
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


def runs_in_a_spreadsheet(cell: str) -> bool:
    """By OWASP's list; numbers are numbers, whatever their sign. Also behind a semicolon, which may part cells."""
    number = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?( ?%)?")
    parts = [part.lstrip(" ") for part in cell.split(";")]
    return any(
        part[:1] in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") and not number.fullmatch(part) for part in parts if part
    )


def test_no_cell_of_any_table_runs_in_a_spreadsheet(shown):
    folder, texts = shown
    files = sorted((folder / "reports" / "evil").rglob("*.csv"))
    files += sorted((folder / "pack").glob("*.csv"))
    assert {"effects.csv", "data.csv", "splits.csv"} < {file.name for file in files}
    every = {file.name: cells(file) for file in files} | {"--csv -": cells(texts["compare", "evil", "--csv", "-"].text)}
    assert {name: wrong for name, of in every.items() if (wrong := list(filter(runs_in_a_spreadsheet, of)))} == {}
    assert "'=cmd|' /C calc'!A0" in every["effects.csv"]
    assert any(cell.startswith("'=1+1\\x1b") for cell in every["data.csv"])
    assert any(re.fullmatch(r"-\d+\.\d+", cell) for of in every.values() for cell in of), (
        "negative numbers stay numbers"
    )
    record_fault(
        "safety",
        "names that a spreadsheet would run as formulas, in every CSV of a report and a pack",
        len(every),
        "an apostrophe before each; numbers stay",
        f"0 of {sum(map(len, every.values())):,} cells would be run",
    )


class Elements(html.parser.HTMLParser):
    """The elements of a page by name, and the texts of its scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.names: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names[tag] = self.names.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.scripts and self.cdata_elem == "script":
            self.scripts[-1] += data


def test_a_page_has_no_element_of_a_name(shown):
    folder, _ = shown
    pages = [folder / "reports" / "evil" / "report.html", folder / "reports" / "photos" / "check.html"]
    for page in pages:
        text = page.read_text("utf-8")
        found = Elements(text)
        assert not [script for script in found.scripts if "alert(" in script]
        assert not {name for name in found.attributes if name.startswith("on")}
        assert "e.vil" not in re.sub(r"\[link=http://e\.vil\]|\(http://e\.vil/x\.png\)", "", text)
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0].read_text("utf-8")
    assert "7 * 7" in pages[0].read_text("utf-8")
    record_fault(
        "safety",
        "markup in names, on the pages of a report and a check",
        len(pages),
        "no element of a name",
        "0 elements",
    )


def test_no_markdown_is_obeyed(shown):
    folder, texts = shown
    files = {str(file): file.read_text("utf-8") for file in (folder / "reports" / "evil").rglob("*.md")}
    files["README.md"] = (folder / "pack" / "README.md").read_text("utf-8")
    files["--markdown -"] = texts["compare", "evil", "--markdown", "-"].text
    active = {"html_block", "html_inline", "link_open", "image", "em_open", "heading_open:e"}
    for name, text in files.items():
        tokens = [
            token
            for block in MarkdownIt("commonmark").enable("table").parse(text)
            for token in (block, *(block.children or ()))
        ]
        assert not [token.content for token in tokens if token.type in active], name
        assert not [token.content for token in tokens if token.type == "code_inline" and token.content == "c"], name
    record_fault(
        "safety",
        "Markdown and HTML in names, in every Markdown file",
        len(files),
        "no markup of a name",
        "0 tokens of markup",
    )


def test_the_pdf_has_the_names_as_text(shown):
    folder, _ = shown
    document = pypdf.PdfReader(folder / "reports" / "evil" / "report.pdf")
    text = " ".join(" ".join(page.extract_text().split()) for page in document.pages)
    assert "=cmd|" in text
    assert "{{ 7 * 7 }} #{1}" in text
    assert "e.vil" not in {
        str(item.get("/A")) for page in document.pages for item in (one.get_object() for one in page.get("/Annots", ()))
    }


def test_pictures_are_well_formed_and_have_names_as_text(shown):
    folder, _ = shown
    figures = sorted((folder / "reports" / "evil" / "figures").glob("*.svg"))
    assert figures
    texts = [" ".join(ElementTree.parse(file).getroot().itertext()) for file in figures]
    tags = {element.tag.rpartition("}")[2] for file in figures for element in ElementTree.parse(file).iter()}
    assert "script" not in tags
    assert any("$x$ \\frac{$" in text for text in texts), "not typeset as mathematics"


def test_json_is_json(shown):
    folder, texts = shown
    printed = OWN.sub("", texts["compare", "evil", "--json", "-"].text)
    rows, _ = json.JSONDecoder().raw_decode(printed, printed.index("[\n"))  # a bar may stand above, warnings below
    assert {row["recipe"] for row in rows} >= {"zero\u200bwidth", "a\nerror: all is lost"}
    evidence = json.loads((folder / "reports" / "evil" / "evidence.json").read_text("utf-8"))
    assert evidence["question"].startswith("Is it?\\x1b]0;owned")


@pytest.mark.parametrize(
    "names",
    [{"a\x1b[31m": ()}, {"b\x9b": ()}, {"c\u202e": ()}, {"d\ud800": ()}, {"e\t": ()}, {"f\x00": ()}],
    ids=["ESC", "C1", "bidi", "surrogate", "tab", "zero"],
)
def test_what_a_name_may_not_have_is_refused_safely(tmp_path, names):
    (tmp_path / "experiments").mkdir()
    recipes = ", ".join(f"{name!r}: ()" for name in names)
    text = f"from ablation import *\nexperiment = Experiment('x', Digits(), {{{recipes}}}, {{'a': SGD()}}, 'gone')\n"
    (tmp_path / "experiments" / "x.py").write_text(text)
    refused = on_terminal(tmp_path, "plan", "x")
    assert refused.code == 2
    assert "which cannot be read; leave it out" in " ".join(refused.text.split())
    assert unseen(refused.text) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (f"li{ESCAPES}st",),
        ("list", f"--x{ESCAPES}"),
        ("plan", f"none{ESCAPES}"),
        ("check", f"nowhere{ESCAPES}"),
        ("plan", f"no\nerror: all is lost{ESCAPES}.py"),
        ("compare", "quickstart", "--runs", f"x{ESCAPES}"),
        ("summary", f"resnet{ESCAPES}"),
        ("report", "x", "--section", f"y{ESCAPES}"),
        ("check", "digits", "--root", f"r{ESCAPES}", "--classes", f"c{ESCAPES}"),
    ],
    ids=lambda arguments: arguments[0][:2],
)
def test_what_was_typed_is_quoted_as_text(tmp_path, arguments):
    refused = on_terminal(tmp_path, *arguments)
    assert refused.code in (2, 3)
    assert unseen(refused.text) == []
    assert not re.search(r"^error: all is lost", refused.text, re.MULTILINE)
