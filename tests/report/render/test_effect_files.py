"""Tables as files: nothing is lost and nothing breaks, whatever recipes are called and whatever is missing."""

import io
import json as reader
import math
import re
import shutil
import subprocess
from dataclasses import fields, replace

import pandas as pd
import pytest
from effect_cases import CASES
from made_up import question
from markdown_it import MarkdownIt

from ablation.core.safe import csv_text
from ablation.core.text import plain
from ablation.evidence.effects import Effect
from ablation.report.render.tables import csv, json, latex, markdown, write_effects
from ablation.report.sections.effects.paper import sheet
from ablation.report.sections.effects.table import main_columns
from ablation.report.text import verdict_text

EXACT = {"float_precision": "round_trip"} if pd.__version__ < "3" else {}
"""Of pandas: to read a number to its last digit, as later versions do by themselves."""


def same(given, sentence):
    """Equal, where an empty cell stands for nan."""
    if isinstance(given, float) and math.isnan(given):
        return sentence is None or sentence == "" or (isinstance(sentence, float) and math.isnan(sentence))
    return given == sentence


@pytest.mark.parametrize("case", CASES)
def test_csv_gives_back_every_field(case, worked_out):
    _, effects = worked_out(case)
    table = pd.read_csv(io.StringIO(csv(effects, left_out=2)), keep_default_na=False, na_values={"": []}, **EXACT)
    assert list(table.columns) == [field.name for field in fields(Effect)] + ["left_out"]
    for effect, line in zip(effects, table.to_dict("records"), strict=True):
        for name in (field.name for field in fields(Effect)):
            given, sentence = getattr(effect, name), line[name]
            if name == "condition":
                given = ", ".join(f"{factor}={level}" for factor, level in given.items()) or "pooled"
            elif name == "verdict":
                given = verdict_text(effect)
            elif name == "recipe":
                given = csv_text(given)  # on one line, and nothing that a spreadsheet would compute
            elif isinstance(given, dict):
                sentence = {int(seed): float(score) for seed, score in (pair.split(":") for pair in sentence.split())}
            elif isinstance(given, int | float) and sentence != "":
                sentence = float(sentence)
            assert same(given, sentence), (name, given, sentence)
        assert line["left_out"] == 2


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("case", CASES)
def test_json_gives_back_every_field(case, worked_out):
    _, effects = worked_out(case)
    for effect, sentence in zip(effects, reader.loads(json(effects, 2), parse_constant=refuse), strict=True):
        for name in (field.name for field in fields(Effect)):
            given = getattr(effect, name)
            if name == "condition":
                given = given or "pooled"
            elif name == "verdict":
                given = verdict_text(effect)
            elif isinstance(given, dict):
                given = {str(seed): score for seed, score in given.items()}
            assert same(given, sentence[name]), (name, given, sentence[name])
        assert sentence["left_out"] == 2


def test_what_is_no_number_is_missing_within_scores_too(worked_out):
    effect = replace(worked_out("pooled")[1][1], g=math.inf, scores={0: math.nan, 1: -math.inf, 2: 0.1})
    (sentence,) = reader.loads(json([effect]), parse_constant=refuse)
    assert (sentence["g"], sentence["scores"]) == (None, {"0": None, "1": None, "2": 0.1})
    row = pd.read_csv(io.StringIO(csv([effect]))).iloc[0]
    assert (math.isnan(row["g"]), row["scores"]) == (True, "0: 1: 2:0.1")


def columns_of(row):
    """How many columns a row of LaTeX spans."""
    row = re.sub(r"\\[\\&%#$_{}]", "", row.removesuffix(r"\\"))
    wide = [int(count) - 1 for count in re.findall(r"\\multicolumn{(\d+)}", row)]
    return row.count("&") + 1 + sum(wide)


@pytest.mark.parametrize("case", CASES)
def test_latex_is_well_formed(case, worked_out):
    experiment, effects = worked_out(case)
    text = latex(experiment, effects, left_out=3)
    bare = re.sub(r"\\[{}]", "", text.replace("\\\\", ""))
    depths = [bare[:index].count("{") - bare[:index].count("}") for index in range(len(bare) + 1)]
    assert min(depths) == depths[-1] == 0
    opened = []
    for what, name in re.findall(r"\\(begin|end){([a-z*]+)}", text):
        if what == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    spec = re.search(r"fill}}([lr]+)@", text)[1]
    assert {columns_of(row) for row in rows} == {len(spec)}
    shown = [row for row in rows if r"\emph" not in row]
    assert len(shown) == 2 + len(effects), "two lines of headings, and a row an effect"
    assert text.count(r"\midrule") == len({tuple(effect.condition.items()) for effect in effects})
    assert not re.search(r"\\\\\s*[\[*]|rule\s*[\[(]", text), "taken for an option of the line before"


@pytest.mark.parametrize("case", CASES)
def test_latex_has_no_special_sign_of_its_own_accord(case, worked_out):
    text = latex(*worked_out(case), left_out=3)
    for cell in re.findall(r"\\caption{(.*)}\n", text) + re.split(r" & | \\\\\n", text.partition("midrule")[2]):
        rest = re.sub(r"\\[\\&%#$_{}]|\$[^$]*\$", "", cell.partition("bottomrule")[0])
        assert not set(rest) & set('%#~^_<>|"\N{MINUS SIGN}±≈×λ'), cell


PAGE = r"""\documentclass{article}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed: no table was compiled")
@pytest.mark.parametrize("case", CASES)
def test_latex_compiles_and_fits_the_page(case, worked_out, tmp_path):
    (tmp_path / "page.tex").write_text(PAGE % latex(*worked_out(case), left_out=3), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace")
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull" not in made.stdout


def test_latex_of_a_comparison(worked_out):
    experiment, effects = worked_out("pooled")
    text = latex(experiment, effects)
    better = next(effect for effect in effects if effect.recipe == "bright" and effect.pooled)
    worse = next(effect for effect in effects if effect.recipe == "contrast" and effect.pooled)
    columns = main_columns(experiment, effects)
    (_, mean), (_, difference) = columns["mean"], columns["difference"]
    assert f"bright & {mean(better).replace('±', '$' + chr(92) + 'pm$')} & {difference(better)} & " in text
    assert f"& $-${difference(worse)[1:]} & $-$" in text
    assert text.count(r"\textbf{better}") == sum(effect.verdict == "better" for effect in effects) > 0
    assert text.count(r"\textbf{worse}") == sum(effect.verdict == "worse" for effect in effects) > 0
    assert r"\label{tab:made-up}" in text
    assert re.findall(r"\\emph{(.*?)}", text) == ["adam", "sgd", "pooled over all conditions"]


def test_a_label_has_safe_letters_only(worked_out):
    assert r"\label{tab:ho-st-ile}" in latex(*worked_out("hostile"))


def rendered(text):
    """Cells of the table and paragraphs below it, as a reader of Markdown sees them."""
    rows, below = [], []
    tokens = MarkdownIt().enable(["table", "strikethrough"]).parse(text)
    for before, token in zip([None, *tokens], tokens):  # noqa: B905
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            shown = "".join(child.content for child in token.children)
            assert not {child.type for child in token.children} - {
                "text",
                "text_special",
                "strong_open",
                "strong_close",
            }
            (below if before.type == "paragraph_open" else rows[-1]).append(shown)
        else:
            assert token.type.rpartition("_")[0] in ("table", "thead", "tbody", "tr", "th", "td", "paragraph")
    return rows, below


@pytest.mark.parametrize("case", CASES)
def test_markdown_shows_every_text_literally(case, worked_out):
    experiment, effects = worked_out(case)
    text, made = markdown(experiment, effects, 3), sheet(experiment, effects, 3)
    (heads, *rows), below = rendered(text)
    assert heads == [" ".join(filter(None, head)) for head in made.heads.values()]
    expected = []
    for title, sentence in made.groups:
        expected += [[plain(title)] + [""] * (len(heads) - 1)] if title else []
        expected += [[(row | {"verdict": row["verdict"] + row["mark"]})[key] for key in made.heads] for row in sentence]
    assert rows == [[" ".join(cell.split()) for cell in row] for row in expected]
    assert below == [" ".join(plain(paragraph).split()) for paragraph in (made.caption, *made.notes)]
    assert "$" not in text, "a formula, on GitHub"


def test_markdown_is_aligned_for_those_who_read_it_as_it_is(worked_out):
    lines = markdown(*worked_out("pooled")).split("\n\n")[0].splitlines()
    assert len({len(line) for line in lines}) == 1
    bars = [[index for index, sign in enumerate(line) if sign == "|"] for line in lines]
    assert all(positions == bars[0] for positions in bars)
    assert re.fullmatch(r"\| -+ \|( -+: \|)+ -+ \|", lines[1])
    assert "**better**" in "".join(lines)


@pytest.mark.parametrize("form", ["csv", "json", "latex", "markdown"])
def test_written_to_a_file_or_printed(form, worked_out, tmp_path, capsys):
    experiment, effects = worked_out("hostile")
    path = tmp_path / "deep" / "table"
    write_effects(experiment, effects, path, form, left_out=3)
    assert capsys.readouterr() == ("", f"wrote {path}\n")
    write_effects(experiment, effects, type(path)("-"), form, left_out=3)
    out, err = capsys.readouterr()
    assert (out, err) == (path.read_text("utf-8"), "")
    assert out.endswith("\n")


def test_an_unknown_form_is_refused(worked_out, tmp_path):
    with pytest.raises(ValueError, match="form = 'html': use csv, json, latex or markdown"):
        write_effects(*worked_out("pooled"), tmp_path / "table", "html")


def test_no_effects_give_empty_tables():
    assert csv([]) == ""
    assert reader.loads(json([])) == []
    assert rendered(markdown(question(), []))[0][0][0] == "recipe"
    assert r"\bottomrule" in latex(question(), [])


@pytest.mark.parametrize("case", CASES)
def test_no_mark_of_a_name_reaches_a_file(case, worked_out):
    experiment, effects = worked_out(case)
    for text in (csv(effects, 1), json(effects, 1), latex(experiment, effects, 1), markdown(experiment, effects, 1)):
        assert not set("\u2068\u2069") & set(text)


@pytest.mark.parametrize("case", CASES)
def test_files_for_programs_have_the_verdicts_that_people_read(case, worked_out):
    _, effects = worked_out(case)
    shown = [verdict_text(effect) for effect in effects]
    assert [row["verdict"] for row in reader.loads(json(effects))] == shown
    assert pd.read_csv(io.StringIO(csv(effects)), keep_default_na=False)["verdict"].tolist() == shown
    if case == "failed trainings":
        assert "no verdict" in shown
