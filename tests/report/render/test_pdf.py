"""The PDF: tagged and titled, the same numbers as on the page, any name shown as text, the same bytes each time."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
from effect_cases import CASES
from made_fonts import made_font
from made_up import question, results_of
from pages import Page

from ablation import Brightness
from ablation.core.text import bare, first_sentence, plain
from ablation.evidence.study import Study
from ablation.report import contents
from ablation.report.contents import Report, report_of
from ablation.report.fonts import fonts_for, texts_of
from ablation.report.glossary import terms_of
from ablation.report.render import pdf as rendering
from ablation.report.render.drawings import drawings_of
from ablation.report.render.html import html
from ablation.report.render.pdf import pdf_of, report_data
from ablation.report.render.write import write_folder
from ablation.report.section import Rows, Section, Table
from ablation.report.text import SYMBOL

HOSTILE = (
    '#read("/etc/passwd")', "$x^2$ *bold* _it_", "]#[@ref <label> // no", r"\u{1F600} \ #1", "`raw` = head",
    "<script>&amp;", "قطة عربية", "😀 kitten", "= + - * 1", "two\nlines and more",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(complete) -> Report:
    return report_of(Study(complete))


@pytest.fixture(scope="module")
def drawings(report):
    return drawings_of(report, ())


@pytest.fixture(scope="module")
def made(report, drawings) -> bytes:
    return pdf_of(report, drawings)


@pytest.fixture(scope="module")
def document(made) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(made))


@pytest.fixture(scope="module")
def text(made) -> str:
    return text_of(made)


def text_of(made: bytes) -> str:
    """The text of all pages without running titles, which are the first line of all but the first, and page numbers."""
    pages = [page.extract_text().split("\n") for page in pypdf.PdfReader(io.BytesIO(made)).pages]
    return "\n".join("\n".join(lines[bool(number) : -1]) for number, lines in enumerate(pages))


def small(sections: tuple[Section, ...] = (), **changes: str) -> Report:
    """A report of made-up results with these sections alone."""
    made = report_of(Study(results_of(question())), only=["effects"])
    return replace(made, sections=sections, **changes)


def set_small(*sections: Section, **changes: str) -> bytes:
    return pdf_of(small(sections, **changes), {section.slug: () for section in sections})


# What it is


def test_it_is_tagged_for_screen_readers_and_says_so(document):
    root = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en-GB"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()


def elements(node) -> Iterator[Mapping]:
    node = node.get_object()
    if isinstance(node, list):
        for inner in node:
            yield from elements(inner)
    elif isinstance(node, dict):
        yield node
        if "/K" in node:
            yield from elements(node["/K"])


def test_figures_have_words_and_tables_have_heads(document, report):
    found = list(elements(document.trailer["/Root"]["/StructTreeRoot"]))
    kinds = [node.get("/S") for node in found]
    alts = {node["/Alt"] for node in found if "/Alt" in node}
    assert {plain(figure.alt) for section in report.sections for figure in section.figures} <= alts
    assert kinds.count("/TH") > kinds.count("/Table") > 10
    assert {"/H1", "/Caption", "/TOC", "/Link", "/Title"} <= set(kinds)


def test_its_title_author_and_date_are_those_of_the_report(document, report):
    day = re.findall(r"\d{4}-\d\d-\d\d", report.made)[-1].replace("-", "")
    assert document.metadata["/Title"] == plain(f"{report.name}: {report.question}")
    assert document.metadata["/Author"].startswith("ablation ")
    assert document.metadata["/CreationDate"] == f"D:{day}000000Z"


def test_every_section_is_a_bookmark_and_in_the_contents(document, report):
    titles = [bare(section.title) for section in report.sections]
    marks = [re.sub(r"^\d+ ", "", mark.title) for mark in document.outline if not isinstance(mark, list)]
    assert marks[: len(titles)] == titles
    first = " ".join(document.pages[0].extract_text().split())
    assert all(title in first for title in titles)


def test_pages_are_numbered_and_carry_the_title_of_their_section(document, report):
    count = len(document.pages)
    lines = [page.extract_text().split("\n") for page in document.pages]
    assert [one[-1] for one in lines] == [f"{number} / {count}" for number in range(1, count + 1)]
    assert lines[1][0] == f"{report.name} {bare(report.sections[0].title)}"


def test_figures_are_vectors_with_text_and_fonts_are_embedded(document, text):
    assert "validation accuracy (%)" in text
    fonts = {}
    for page in document.pages:
        fonts |= {font["/BaseFont"]: font for font in map(_object, page["/Resources"].get("/Font", {}).values())}
    assert any("DejaVuSans" in name for name in fonts)
    assert any("LibertinusSerif" in name for name in fonts)
    assert {font["/Subtype"] for font in fonts.values()} == {"/Type0"}
    descriptors = [font["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts.values()]
    assert all({"/FontFile2", "/FontFile3"} & set(descriptor) for descriptor in descriptors)


def _object(item):
    return item.get_object()


# The same numbers


def normal(text: str) -> str:
    """Without spaces, hyphens, quotes and what shows as nothing: lines end elsewhere in each form."""
    return re.sub(r"[\s\u00ad\u200b\u2060\u2068\u2069“”`-]", "", text)


def sentences(report: Report) -> Iterator[str]:
    headline = report.headline
    yield from (headline.lead, headline.number, headline.interval, *headline.sure, *report.answer, *report.warnings)
    for section in report.sections:
        yield from section.answer


def rows(report: Report) -> Iterator[list[str]]:
    """The cells of every row that is shown, but for the first, which is a name."""
    if report.headline.forest:
        yield from ([row.difference + row.interval] for row in report.headline.forest.rows)
    for grid in filter(None, [report.verdicts]):
        yield from ([difference for verdict, difference in cells if verdict] for _, cells in grid.rows)
    for section in report.sections:
        for table in section.tables:
            yield from table_rows(table)


def table_rows(table: Table) -> Iterator[list[str]]:
    head, _ = table.head()
    for group in head.groups:
        for row in group.rows:
            yield [
                SYMBOL.get(row.get(key, ""), "") * (key == "verdict") + row.get(key, "")
                for key in list(head.headers)[1:]
            ]


def missing(text: str, report: Report) -> list[str]:
    """The sentences and the cells of the report, each with a number, that a text does not have."""
    text = normal(text)
    every = [bare(sentence) for sentence in sentences(report)] + [cell for row in rows(report) for cell in row]
    return [one for one in every if re.search(r"(?<![\w-])\d", one) and normal(one) not in text]


def test_the_page_and_the_pdf_have_the_numbers_of_the_report(text, report, drawings):
    page = Page(html(report, drawings, "0" * 64)).text
    assert missing(text, report) == []
    assert missing(page, report) == []


def test_the_small_forest_plot_has_its_numbers_beside_each_recipe(document, report):
    first = normal(document.pages[0].extract_text())
    rows = [
        normal(f"{row.recipe}{row.difference}{row.interval}{SYMBOL[row.verdict]}{row.verdict}")
        for row in report.headline.forest.rows
    ]
    assert len(rows) == 4
    assert [first.index(row) for row in rows] == sorted(first.index(row) for row in rows)


def test_rows_of_tables_have_their_cells_side_by_side(text, report):
    """In the order of the columns, so that no number is in another's place; a wide table may be in two."""
    text = normal(text)
    lost = []
    for section in report.sections:
        for table in section.tables:
            parts = [part for part in table.parts() if part]
            for whole, *split in zip(table_rows(table), *map(table_rows, parts), strict=True):
                in_one, in_two = normal("".join(whole)) in text, all(normal("".join(row)) in text for row in split)
                lost += [] if in_one or in_two else [(section.slug, whole)]
    assert not lost


@pytest.mark.parametrize("place", ["headline", "interval", "forest", "answer", "section", "table"])
def test_a_number_that_differs_is_noticed(text, report, place):
    """The comparison above fails when one number of the report is another one."""
    headline, section = report.headline, report.sections[0]
    table = section.tables[0]
    changed = {
        "headline": lambda: replace(report, headline=replace(headline, number="+98.7")),
        "interval": lambda: replace(report, headline=replace(headline, interval=digit(headline.interval))),
        "forest": lambda: replace(report, headline=replace(headline, forest=digit_of_forest(headline.forest))),
        "answer": lambda: replace(report, answer=(digit(report.answer[0]), *report.answer[1:])),
        "section": lambda: with_section(
            report, replace(section, answer=(*section.answer[:1], digit(section.answer[1])))
        ),
        "table": lambda: with_section(report, replace(section, tables=(digit_of_table(table),))),
    }[place]()
    assert missing(text, report) == []
    assert len(missing(text, changed)) == 1


def digit(text: str) -> str:
    """The text with its first decimal number made larger."""
    return re.sub(r"\d\.\d", "987.6", text, count=1)


def digit_of_forest(forest):
    first, *others = forest.rows
    return replace(forest, rows=(replace(first, difference="+98.7"), *others))


def digit_of_table(table: Table) -> Table:
    first, *others = table.groups
    rows = (first.rows[0], {**first.rows[1], "mean": "98.7 ± 0.1"}, *first.rows[2:])
    return replace(table, groups=(replace(first, rows=rows), *others))


def with_section(report: Report, section: Section) -> Report:
    return replace(report, sections=(section, *report.sections[1:]))


# Names, long tables, letters


@pytest.fixture(scope="module")
def with_hostile_names() -> Report:
    recipes = {"none": (), **{name: (Brightness(0.05 * number),) for number, name in enumerate(HOSTILE, 1)}}
    return report_of(Study(results_of(replace(question(), name="ho_st.ile", recipes=recipes))), only=["effects"])


@pytest.fixture(scope="module")
def hostile(with_hostile_names) -> str:
    """The text of all but the figures."""
    (section,) = with_hostile_names.sections
    return text_of(pdf_of(with_section(with_hostile_names, replace(section, figures=())), {"effects": ()}))


def test_figures_show_hostile_names_too(with_hostile_names, hostile):
    text = text_of(pdf_of(with_hostile_names, drawings_of(with_hostile_names, ())))
    assert text.count(HOSTILE[2]) > hostile.count(HOSTILE[2]) + 2


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_text(hostile, name):
    assert normal(name) in normal(hostile) or is_from_the_right(name)
    assert "root:" not in hostile


def is_from_the_right(name: str) -> bool:
    """Its letters come out in the order in which they stand; see below."""
    return "قطة" in name


def test_arabic_is_shaped_and_runs_from_the_right(hostile):
    """The letters come as they are written, or from left to right as they stand; within their own words only."""
    assert re.search(r"(قطة|ةطق)", hostile)
    assert re.search(r"(عربية|ةيبرع)", hostile)


@pytest.mark.parametrize("case", CASES)
def test_whatever_the_results_are_there_is_a_pdf_of_them(case, tmp_path):
    """Nothing finished, one condition, other metrics and tests, odd names: each is set, and says its answer."""
    experiment, score = CASES[case]
    study = Study(results_of(experiment, score) if score else results_of(experiment))
    report = report_of(study, only=[slug for slug in ("effects", "interaction") if contents.section(study, slug)])
    fonts = fonts_for(texts_of(report), [made_font(tmp_path / "made.ttf", "中", "Made For Cases")], system=False)
    text = normal(text_of(pdf_of(report, drawings_of(report, ()), fonts)))
    assert all(normal(bare(sentence)) in text for sentence in report.answer)


def long_table(count: int) -> Table:
    columns = {"recipe": "recipe", "value": "value (points)"}
    return Table(columns, (Rows(tuple({"recipe": f"r{n}", "value": f"{n}.5"} for n in range(count))),), "It is long.")


def test_a_long_table_has_its_first_rows_and_says_where_the_others_are():
    text = " ".join(text_of(set_small(Section("effects", "Long", tables=(long_table(80),)))).split())
    assert "r29 29.5" in text
    assert "r30 30.5" not in text
    assert "The other 50 rows are in tables/effects-1.csv." in text


def test_the_head_of_a_table_stands_on_every_page_that_it_is_on():
    table = replace(long_table(120), most=120)
    pages = pypdf.PdfReader(io.BytesIO(set_small(Section("effects", "Long", tables=(table,))))).pages
    with_rows = [page.extract_text() for page in pages if re.search(r"r\d+ \d+\.5", page.extract_text())]
    assert len(with_rows) >= 2
    assert all("value (points)" in text for text in with_rows)


def test_what_is_peculiar_about_rows_is_said_once_below_the_table():
    rows = ({"recipe": "a", "value": "1.5", "note": "one seed"}, {"recipe": "b", "value": "2.5", "note": "one seed"})
    table = Table({"recipe": "recipe", "value": "value"}, (Rows(rows),), "About. More.")
    text = text_of(set_small(Section("effects", "Notes", tables=(table,))))
    assert text.count("one seed") == 1
    assert "aa 1.5" in text
    assert "ba 2.5" in text


def test_details_stand_behind_the_sections_which_name_them():
    table = replace(long_table(3), folded="Every single number")
    text = " ".join(text_of(set_small(Section("effects", "Question", answer=("An answer.",), tables=(table,)))).split())
    assert "An answer. Details: Table 2, Every single number." in text
    assert text.index("Detailed tables", text.index("An answer.")) < text.index("Table 2 Every single number")


def test_the_glossary_explains_every_term_that_the_report_uses(text, report):
    terms = terms_of(report)
    glossary = normal(text[text.rindex("Glossary") :])
    assert len(terms) > 10
    assert all(normal(term.name + term.definition) in glossary for term in terms)


def marked_terms(item) -> Iterator[str]:
    if isinstance(item, dict):
        yield from [item["term"]] if "term" in item else marked_terms(list(item.values()))
    elif isinstance(item, list):
        for inner in item:
            yield from marked_terms(inner)


def test_the_first_time_that_a_section_uses_a_term_it_is_a_link(document, report, drawings):
    known = {term.slug for term in terms_of(report)}
    linked = [list(marked_terms(section)) for section in report_data(report, drawings)["sections"]]
    assert all(len(set(one)) == len(one) and set(one) <= known for one in linked)
    assert {"seed", "adjusted-p", "interval"} <= set(linked[0])
    glossary = max(number for number, page in enumerate(document.pages) if "Glossary" in page.extract_text())
    pages = {page.indirect_reference.idnum: number for number, page in enumerate(document.pages)}
    links = [note.get_object() for page in document.pages for note in page.get("/Annots", [])]
    to_it = [link for link in links if pages[link["/Dest"][0].idnum] >= glossary - 1]
    assert len(to_it) >= sum(map(len, linked))


def test_commands_are_set_as_code():
    text = text_of(set_small(Section("effects", "Code", answer=("Say `ablation run` twice.",))))
    assert "Say ablation run twice." in text


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("By tests (Searle et al. 1992). More.", "By tests (Searle et al. 1992)."),
        ("Only 0.5 points. “crop” helps.", "Only 0.5 points."),
        ("Is it? Yes.", "Is it?"),
        ("No end", "No end"),
        ("It is crop vs. none. End.", "It is crop vs. none."),
    ],
)
def test_the_first_sentence(text, first):
    assert first_sentence(text) == (first, text[len(first) :].strip())


def test_a_letter_that_no_font_has_stops_typst_and_is_never_a_box():
    with pytest.raises(rendering.InputError, match=r"typst cannot set it: .*猫.* could not be displayed"):
        set_small(question="猫?")


# Written


def test_without_typst_the_page_is_written_and_how_to_get_the_pdf_is_said(complete, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    written = write_folder([Study(complete)], tmp_path, only=["effects"])
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "report.pdf").exists()
    (message,) = written.without
    assert message.startswith("no report.pdf: typst cannot be imported")
    assert "`pip install typst`" in message


def test_where_typst_fails_the_page_is_written_and_the_reason_is_said(complete, tmp_path, monkeypatch):
    (tmp_path / "report.typ").write_text("#panic()")
    monkeypatch.setattr(rendering, "files", lambda _: tmp_path)
    written = write_folder([Study(complete)], tmp_path / "out", only=["effects"])
    assert (tmp_path / "out" / "report.html").exists()
    assert not (tmp_path / "out" / "report.pdf").exists()
    assert [message.partition(":")[0] for message in written.without] == ["no report.pdf"]
    assert "panicked" in written.without[0]


def named_in(letters: str, build, fake, folder: Path) -> Study:
    experiment = build(recipes={"none": (), letters: (Brightness(0.4),)}, seeds=3)
    return Study(fake(experiment, folder, images=20))


def test_letters_without_a_font_are_named_and_the_page_has_them(build, fake, tmp_path):
    letters = "\U000f0001\U000f0002"
    written = write_folder([named_in(letters, build, fake, tmp_path / "runs")], tmp_path / "out", only=["effects"])
    (message,) = written.without
    assert message.startswith("no report.pdf, and figures as SVG alone: no font here shows 2 characters: ")
    assert letters in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert not (tmp_path / "out" / "report.pdf").exists()
    assert {file.suffix for file in (tmp_path / "out" / "figures").iterdir()} == {".svg"}


def test_with_a_font_for_them_everything_is_written(build, fake, tmp_path):
    letters = "\U000f0001\U000f0002"
    font = made_font(tmp_path / "made.ttf", letters, "Made For Report")
    study = named_in(letters, build, fake, tmp_path / "runs")
    written = write_folder([study], tmp_path / "out", only=["effects"], fonts=[font])
    assert written.without == ()
    assert letters in text_of((tmp_path / "out" / "report.pdf").read_bytes())
    assert {file.suffix for file in (tmp_path / "out" / "figures").iterdir()} == {".svg", ".png", ".pdf"}
    assert b"'DejaVu Sans', 'Made For Report'" in (tmp_path / "out" / "figures" / "effects-1.svg").read_bytes()


SCRIPT = """
import hashlib, time
from made_up import question, results_of
from ablation.evidence.study import Study
from ablation.report.contents import report_of
from ablation.report.render.drawings import drawings_of
from ablation.report.render.pdf import pdf_of
report = report_of(Study(results_of(question())), only=["effects", "interaction"])
print(hashlib.sha256(pdf_of(report, drawings_of(report, ()))).hexdigest())
"""


def test_two_processes_make_the_same_bytes(environment):
    tests = Path(__file__).parents[2]
    made = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={
                **environment,
                "PYTHONPATH": f"{environment['PYTHONPATH']}:{tests}",
                "PYTHONHASHSEED": seed,
                "TZ": zone,
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(made) == 1


@pytest.mark.parametrize(("verdict", "size"), [("better", 30.0), ("undecided", 15.0)])
def test_the_number_of_the_first_page_has_its_recipe_before_it_and_is_large_only_where_something_is_shown(
    verdict, size
):
    report = small()
    recipe = next(name for name in report.look if name != "none")
    report = replace(report, headline=replace(report.headline, recipe=recipe, number="+7.7", verdict=verdict))
    page = pypdf.PdfReader(io.BytesIO(pdf_of(report, {}))).pages[0]
    sizes = []

    def see(text, matrix, of_text, font, of_font):
        sizes.extend([abs(of_font * of_text[0] * matrix[0])] if "+7.7" in text else [])

    text = page.extract_text(visitor_text=see)
    assert re.search(rf"{recipe}\s*\+7\.7", text), text
    assert sizes == [pytest.approx(size)]
