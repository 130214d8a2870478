"""Every table of a report in three forms: read back, whatever a name holds, and no cell a formula."""

import io
import shutil
import subprocess

import pandas as pd
import pytest

from ablation.core.safe import csv_text
from ablation.core.text import MINUS, NONE, named
from ablation.report.render.files import csv, latex, markdown
from ablation.report.section import Rows, Section, Table

NAMES = (
    "crop",
    '=cmd|" /C calc"!A0',
    "@SUM(1)",
    "猫 <script>",
    "a,b;c\td",
    "\\end{table} & #1 $x$ _",
    "إشراق",
    "😀 | *b*",
)
HEADERS = {"recipe": "recipe", "difference": "difference (points)", "interval": "95 % interval", "verdict": "verdict"}


def table(**changes) -> Table:
    rows = tuple(
        {"recipe": name, "difference": f"{MINUS}1.{index}", "interval": f"{MINUS}2.0 to +{index}.5", "verdict": "worse"}
        for index, name in enumerate(NAMES)
    )
    baseline = {"recipe": "none", "difference": NONE, "interval": NONE, "verdict": "baseline", "note": "as it is"}
    groups = Rows((baseline, *rows), named("=adam")), Rows(rows, f"pooled over {named('adam')} and {named('sgd')}")
    return Table(HEADERS, groups, f"The difference to {named('none')}.", **changes)


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False)


def test_csv_has_every_row_and_programs_read_its_numbers():
    frame = read(csv(table(most=2)))
    assert list(frame) == [
        *("group", "recipe", "difference (points)", "95 % interval, low", "95 % interval, high", "verdict", "note")
    ]
    assert len(frame) == 1 + 2 * len(NAMES)
    worse = frame[frame["verdict"] == "worse"]
    assert worse["difference (points)"].astype(float).tolist() == [-1 - index / 10 for index in range(len(NAMES))] * 2
    assert (worse["95 % interval, low"].astype(float) == -2).all()
    assert worse["95 % interval, high"].astype(float).tolist() == [index + 0.5 for index in range(len(NAMES))] * 2
    assert frame["difference (points)"][0] == frame["95 % interval, low"][0] == ""
    assert frame["note"][0] == "as it is"
    assert set(frame["group"]) == {"'=adam", "pooled over “adam” and “sgd”"}


def test_no_cell_of_a_csv_is_a_formula():
    cells = [str(cell) for cell in read(csv(table())).to_numpy().ravel()]
    suspect = [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]
    assert suspect, "numbers begin with a sign"
    for cell in suspect:
        float(cell)
    assert '\'=cmd|" /C calc"!A0' in cells
    assert "'@SUM(1)" in cells


@pytest.mark.parametrize("text", ["=1", " =1", "@x", "-cmd", "+a1", "-1+cmd()", "\uff1dx", "--1"])
def test_a_formula_gets_an_apostrophe(text):
    assert csv_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["crop", "-0.3", "+1,200", "-5 %", "1e-3", "-1.2e-05", "", "a=b", "95 % = x"])
def test_whatever_is_no_formula_stays(text):
    assert csv_text(text) == text


def test_a_column_with_anything_else_than_intervals_stays_one():
    mixed = Table({"a": "a", "b": "b"}, (Rows(({"a": "x", "b": "1 to 2"}, {"a": "y", "b": "unknown"})),))
    assert list(read(csv(mixed))) == ["a", "b"]


def test_markdown_has_a_line_a_row_and_as_many_cells_in_each():
    lines = [line for line in markdown(table()).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 2 + 1 + 2 * len(NAMES)
    assert {line.replace("\\|", "").count("|") for line in lines} == {5}
    assert "\\<script\\>" in markdown(table())
    assert "\u2068" not in markdown(table()) + csv(table()) + latex(table(), Section("s", "S"), 1)


def test_a_table_without_headings_has_its_keys():
    assert csv(Table({"term": "", "text": ""}, (Rows(({"term": "a", "text": "b"},)),))) == "term,text\na,b\n"


PAGE = r"""\documentclass{article}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed: no table was compiled")
def test_latex_compiles_whatever_a_name_holds(tmp_path):
    (tmp_path / "page.tex").write_text(PAGE % latex(table(), Section("a_b", "A_b"), 1), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace")
    assert made.returncode == 0, made.stdout[-2000:]
