"""The console shows any text and obeys none, however a command prints it; there is no other way to print."""

import ast
import io
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from terminal import OWN, on_terminal, unseen

import ablation.cli
from ablation.cli import console as on
from ablation.cli.console import PlainTable, Terminal, as_line, say, say_line, table, warn
from ablation.cli.main import COMMANDS
from ablation.report.section import Rows, Section
from ablation.report.section import Table as Shown

EVIL = "crop\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u200b"
SHOWN = r"crop\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u200b"
MARKUP = "[bold red]better[/] [link=http://e.vil]x[/link] [/] :smile:"


@pytest.fixture
def screen(monkeypatch):
    """What the console prints as if on a terminal."""
    file = io.StringIO()
    shown = Terminal(file=file, width=200, force_terminal=True)
    monkeypatch.setattr(on, "console", shown)
    monkeypatch.setattr("ablation.cli.sections.console", shown)
    return file


def grid(cell) -> Table:
    made = PlainTable.grid()
    made.add_row(cell)
    return made


def rich_grid(cell) -> Table:
    made = Table.grid()
    made.add_row(cell)
    return made


def rows(cell) -> Table:
    made = table("recipe")
    made.add_row(cell)
    return made


WAYS = {
    "print a str": lambda text: on.console.print(text),
    "print several": lambda text: on.console.print("a", text),
    "print a Text": lambda text: on.console.print(Text(text, "red")),
    "say": say,
    "say_line": say_line,
    "say_line of a Text": lambda text: say_line(Text.assemble(("a ", "red"), text)),
    "a cell": lambda text: on.console.print(rows(text)),
    "a cell of a grid": lambda text: on.console.print(grid(text)),
    "a Text in a grid": lambda text: on.console.print(grid(Text(text))),
    "a heading": lambda text: on.console.print(table(text)),
    "a panel": lambda text: on.console.print(Panel("", title=Text(text))),
    "a cell of rich's own grid": lambda text: on.console.print(rich_grid(text)),
    "a title of a table": lambda text: on.console.print(Table("a" * 90, title=Text(text))),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_printed_is_only_shown(screen, way):
    WAYS[way](EVIL)
    printed = screen.getvalue()
    assert unseen(printed) == []
    escaped = OWN.sub("", printed)
    assert r"\x1b]0;owned" in escaped
    assert r"\x9b31m\u202e\u200b" in escaped


@pytest.mark.parametrize("way", WAYS)
def test_no_text_is_markup(screen, way):
    WAYS[way](MARKUP)
    assert MARKUP in OWN.sub("", screen.getvalue())


def test_a_section_is_shown_as_its_names_are(screen):
    from ablation.cli.sections import show_section

    made = Shown({"recipe": "recipe", "x": EVIL}, (Rows(({"recipe": EVIL, "x": "1", "note": EVIL},), EVIL),), EVIL)
    show_section(Section("slug", EVIL, EVIL, (EVIL,), tables=(made,), caution=(EVIL,)))
    assert unseen(screen.getvalue()) == []
    assert OWN.sub("", screen.getvalue()).count(SHOWN.replace(r"\x07", "")) >= 3 or SHOWN in screen.getvalue()


def test_a_line_is_a_line_and_keeps_its_style():
    text = as_line(Text.assemble(("a\nb", "red"), " c", ("\td", "blue")))
    assert text.plain == "a b c d"
    assert {(text.plain[span.start : span.end], str(span.style)) for span in text.spans} >= {
        ("a b", "red"),
        (" d", "blue"),
    }


def test_a_warning_is_one_message(capsys):
    warn(f"broken {EVIL}\nerror: all is lost")
    assert capsys.readouterr().err == f"warning: broken {SHOWN}\n  error: all is lost\n"


def test_what_click_quotes_of_a_command_line_is_text(tmp_path, monkeypatch):
    """Whatever click, or a command, puts into the error; versions of click differ in what they quote."""

    @click.command()
    def evil() -> None:
        raise click.UsageError(f"--{EVIL}\nerror: all is lost")

    module = ModuleType("ablation.cli.evil")
    module.evil = evil
    monkeypatch.setitem(sys.modules, "ablation.cli.evil", module)
    monkeypatch.setitem(COMMANDS, "evil", ("evil", ""))
    shown = on_terminal(tmp_path, "evil")
    assert shown.code == 2
    assert f"Error: --{SHOWN}\n  error: all is lost\n" in shown.text
    assert unseen(shown.text) == []


# --- nobody prints past it

PRINTERS = ("click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write", "Console")
MAY = {
    "console.py": {"click.echo"},  # JSON
    "main.py": {"click.echo"},  # that it was stopped
    "new.py": {"click.echo"},  # the file that it would write, and a command to copy, which must not be broken
    "messages.py": {"click.secho"},  # errors and warnings, on standard error; before rich is imported
}


@pytest.mark.parametrize("path", sorted(Path(ablation.cli.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_every_command_prints_on_the_console(path):
    tree = ast.parse(path.read_text("utf-8"))
    used = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    passed = {ast.unparse(one) for node in ast.walk(tree) if isinstance(node, ast.Call) for one in node.args}
    assert not (used | passed) & set(PRINTERS) - MAY.get(path.name, set())


@pytest.mark.parametrize("path", sorted(Path(ablation.cli.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_no_command_writes_markup(path):
    """It would be shown as it stands: style comes by rich's Text."""
    texts = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]
    style = ("[bold", "[dim", "[red", "[green", "[yellow", "[cyan", "[/]")
    wrong = [text for text in texts if isinstance(text, str) and any(one in text for one in style)]
    assert [text for text in wrong if text != "[dim]{task.description}[/]"] == []  # of a bar, whose words are ours
    assert "rich.markup" not in path.read_text("utf-8")
