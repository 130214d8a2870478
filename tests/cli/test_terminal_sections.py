"""Any section on a terminal of any width: what is kept, what goes first, and that nothing is cut."""

from collections.abc import Iterator

import pytest

from ablation.cli.console import console
from ablation.cli.sections import fitting, show_section, show_table
from ablation.core.text import named
from ablation.report.section import Rows, Section, Table

HEADERS = {"recipe": "recipe", "mean": "accuracy ± sd (%)", "difference": "difference", "p": "p", "verdict": "verdict"}


def row(recipe: str, verdict: str = "better", **cells: str) -> dict[str, str]:
    return {"recipe": recipe, "mean": "88.4 ± 2.3", "difference": "+2.7", "p": ".004", "verdict": verdict} | cells


def table(*rows: dict[str, str], **changes) -> Table:
    given = {"keep": ("recipe", "difference", "verdict"), "spare": ("p",), "short": {"mean": "mean ± sd"}}
    return Table(HEADERS, (Rows(rows or (row("crop"), row("none", "baseline"))),), **given | changes)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(console, "width", 30)


def columns(room: int, shown: Table) -> list[str]:
    return list(fitting(shown, [row for group in shown.groups for row in group.rows], room))


def test_what_is_spare_goes_first_then_what_stands_on_the_right():
    assert columns(80, table()) == list(HEADERS)
    assert columns(45, table()) == ["recipe", "mean", "difference", "verdict"]
    assert columns(34, table()) == ["recipe", "difference", "verdict"]
    assert columns(35, table(keep=("difference",), spare=())) == ["recipe", "mean", "difference"]


def test_words_are_broken_before_a_column_goes():
    texts = table(row("crop", p="a claim of many words that takes several lines"), words=frozenset({"p"}))
    widths = fitting(texts, texts.groups[0].rows, 70)
    assert list(widths) == list(HEADERS)
    assert 16 <= widths["p"] < 30
    assert sum(widths.values()) + 2 * (len(widths) - 1) <= 70


def test_a_name_is_broken_at_spaces_where_nothing_else_may_go(capsys, narrow):
    show_table(table(row("crop and blur and contrast")))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 30
    (first,) = (line for line in lines if "+2.7" in line)
    assert first.startswith("crop")
    assert first.endswith("better")
    assert {"crop", "and", "blur", "contrast"} <= set(" ".join(lines).split())


def test_where_even_that_does_not_fit_a_row_takes_two_lines(capsys, narrow):
    show_table(table(row("a_name_without_spaces_"), row("none", "baseline")))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 30
    assert [line for line in lines if line] == [
        *("a_name_without_spaces_  better", "  difference +2.7", "none  baseline", "  difference +2.7"),
        *("left out at this width: mean ±", "sd, p; see a wider terminal"),
    ]


def test_nothing_is_cut_however_long_a_name_is(capsys, narrow):
    name = "x" * 70
    show_table(table(row(name)))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 30
    assert name in "".join(out.split())
    assert "…" not in out


def test_a_note_stands_below_the_table_once_with_the_names_of_its_rows(capsys):
    note = {"note": "one run failed"}
    show_table(table(row("crop", **note), row("none"), row("blur", **note), caption="Means over seeds."))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["One run failed (“crop” and “blur”).", "Means over seeds."]


def test_names_and_verdicts_with_brackets_are_shown_as_they_are(capsys):
    show_table(table(row("[red]x[/]", note="[bold]y")))
    out = capsys.readouterr().out
    assert "[red]x[/]" in out
    assert "[bold]y" in out


def test_of_many_rows_the_pooled_ones_are_shown_and_where_the_others_are(capsys):
    one = tuple(row(f"recipe {index}") for index in range(20))
    many = Table(HEADERS, tuple(Rows(one, title, title == "pooled") for title in ("adam", "sgd", "lamb", "pooled")))
    show_table(many, most=60)
    out = capsys.readouterr().out
    assert "adam" not in out
    assert "3 conditions more with --all" in out
    assert out.count("recipe 7 ") == 1
    show_table(many)
    assert capsys.readouterr().out.count("recipe 7 ") == 4


def test_a_table_without_rows_is_not_shown_and_one_without_headings_has_no_line(capsys):
    show_table(Table(HEADERS, ()))
    assert capsys.readouterr().out == ""
    show_table(Table({"term": "", "text": ""}, (Rows(({"term": "seeds", "text": "5"},), "Question"),)))
    assert capsys.readouterr().out.split() == ["Question", "seeds", "5"]


def test_a_folded_table_is_for_those_who_ask_for_all(capsys):
    section = Section("s", "Title", "Question?", ("One.", "Two."), (), (table(folded="Details"),), ("Careful.",))
    show_section(section)
    assert capsys.readouterr().out.splitlines() == ["", "Title", "Question?", "• One.", "• Two.", "Careful."]
    show_section(section, every=True)
    assert "crop" in capsys.readouterr().out


@pytest.mark.parametrize("width", [30, 80])
def test_names_stand_in_quotes_wherever_they_are_marked(capsys, monkeypatch, width):
    """Beside whatever a name is said of; alone, as over a group of rows, it needs none."""
    monkeypatch.setattr(console, "width", width)
    crop, adam = named("crop"), named("adam", recipe=False)
    rows = Rows((row("crop", p=f"beats {adam}", note=f"not under {adam}"),), adam)
    under = Rows((row("none"),), f"{adam}, dropout 0.3")
    one = Table(HEADERS | {"difference": f"to {crop}"}, (rows, under), f"All of {crop}.", words=frozenset({"p"}))
    show_section(Section("s", f"Is {crop} better?", f"Of {crop}.", (f"{crop} helps.",), (), (one,), (f"Only {adam}.",)))
    out = capsys.readouterr().out
    assert not set("\u2068\u2069") & set(out)
    words = " ".join(out.split())
    for text in ("Is “crop” better?", "Of “crop”.", "“crop” helps.", "All of “crop”.", "Only “adam”."):
        assert text in words
    assert ("beats “adam”" in words) == (width == 80)
    assert "Not under “adam” (“crop”)." in words
    assert {"adam", "“adam”, dropout 0.3"} <= {line.strip() for line in out.splitlines()}
    assert max(map(len, out.splitlines())) <= width
