"""Tables for other programs and for papers: nothing is lost, whatever recipes are called and whatever is missing."""

import io
import json as reader
import math
import re
import shutil
import subprocess
from dataclasses import fields, replace

import pandas as pd
import pytest
from made_up import noise, question, results_of
from markdown_it import MarkdownIt

from ablation.analysis.comparison import Dunnett
from ablation.augment import Brightness
from ablation.evidence.effects import Effect, compare
from ablation.report import wording
from ablation.tables.effects import csv, json, latex, markdown, write_effects
from ablation.tables.paper import sheet

HOSTILE = (
    "none\\_%&#$ {}", "~^\\<b>|x", "\N{MINUS SIGN} ± ≈ × λ é 中 😀", "[a](b) *b* `c`", "*star", "&amp; $x^2$ #1",
    "two\nlines", '--"a_very_long_recipe_name_with_many_parts"', "\\", "}{", "\\end{table}", "# head", "<!-- -->",
    "NA, ;=:'",
)  # fmt: skip


def hostile():
    recipes = {name: (Brightness(0.05 * place),) if place else () for place, name in enumerate(HOSTILE)}
    optimizers = {"ad_am #1": question().optimizers["adam"], "s|g<d>": question().optimizers["sgd"]}
    return replace(question(), name="ho_st.ile", recipes=recipes, baseline=HOSTILE[0], optimizers=optimizers)


def under_one_optimizer(**changes):
    return replace(question(), optimizers={"adam": question().optimizers["adam"]}, **changes)


def some_missing(cell):
    """Contrast diverges once and brightness has one seed, under sgd."""
    if cell.factors["optimizer"] == "sgd" and cell.factors["recipe"] == "contrast" and cell.seed == 2:
        return "diverged"
    if cell.factors["optimizer"] == "sgd" and cell.factors["recipe"] == "bright" and cell.seed:
        return "failed"
    return 0.8 + 0.05 * (cell.factors["recipe"] == "bright") + noise(cell)


def loss(cell):
    return 0.5 - 0.1 * (cell.factors["recipe"] == "bright") + noise(cell)


CASES = {
    "pooled": (question(), None),
    "one condition": (under_one_optimizer(), None),
    "hostile": (hostile(), lambda cell: 0.7 + 0.01 * HOSTILE.index(cell.factors["recipe"]) + noise(cell)),
    "nothing finished": (question(), lambda _: "planned"),
    "some missing": (question(), some_missing),
    "lower is better": (under_one_optimizer(metric="log_loss", margin=0.02), loss),
    "without a unit": (replace(question(), metric="ece", alpha=0.01), loss),
    "Dunnett": (replace(question(), test=Dunnett()), None),
    "alike": (replace(question(), recipes={**question().recipes, "same": ()}), None),
    "a recipe left out": (replace(question(), exclude=({"recipe": "bright", "optimizer": "sgd"},)), None),
}


@pytest.fixture(scope="module")
def found():
    """Name of a case -> experiment and effects, worked out once."""
    kept = {}

    def get(case):
        if case not in kept:
            experiment, score = CASES[case]
            kept[case] = experiment, compare(results_of(experiment, score) if score else results_of(experiment))
        return kept[case]

    return get


def same(given, told):
    """Equal, where an empty cell stands for nan."""
    if isinstance(given, float) and math.isnan(given):
        return told is None or told == "" or (isinstance(told, float) and math.isnan(told))
    return given == told


@pytest.mark.parametrize("case", CASES)
def test_csv_gives_back_every_field(case, found):
    _, effects = found(case)
    table = pd.read_csv(io.StringIO(csv(effects, left_out=2)), keep_default_na=False, na_values={"": []})
    assert list(table.columns) == [field.name for field in fields(Effect)] + ["left_out"]
    for effect, row in zip(effects, table.to_dict("records"), strict=True):
        for name in (field.name for field in fields(Effect)):
            given, told = getattr(effect, name), row[name]
            if name == "condition":
                given = ", ".join(f"{factor}={level}" for factor, level in given.items()) or "pooled"
            elif isinstance(given, dict):
                told = {int(seed): float(score) for seed, score in (pair.split(":") for pair in told.split())}
            elif isinstance(given, int | float) and told != "":
                told = float(told)
            assert same(given, told), (name, given, told)
        assert row["left_out"] == 2


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("case", CASES)
def test_json_gives_back_every_field(case, found):
    _, effects = found(case)
    for effect, told in zip(effects, reader.loads(json(effects, 2), parse_constant=refuse), strict=True):
        for name in (field.name for field in fields(Effect)):
            given = getattr(effect, name)
            if name == "condition":
                given = given or "pooled"
            elif isinstance(given, dict):
                given = {str(seed): score for seed, score in given.items()}
            assert same(given, told[name]), (name, given, told[name])
        assert told["left_out"] == 2


def test_what_is_no_number_is_missing_within_scores_too(found):
    effect = replace(found("pooled")[1][1], g=math.inf, scores={0: math.nan, 1: -math.inf, 2: 0.1})
    (told,) = reader.loads(json([effect]), parse_constant=refuse)
    assert (told["g"], told["scores"]) == (None, {"0": None, "1": None, "2": 0.1})
    row = pd.read_csv(io.StringIO(csv([effect]))).iloc[0]
    assert (math.isnan(row["g"]), row["scores"]) == (True, "0: 1: 2:0.1")


def columns_of(row):
    """How many columns a row of LaTeX spans."""
    row = re.sub(r"\\[\\&%#$_{}]", "", row.removesuffix(r"\\"))
    wide = [int(count) - 1 for count in re.findall(r"\\multicolumn{(\d+)}", row)]
    return row.count("&") + 1 + sum(wide)


@pytest.mark.parametrize("case", CASES)
def test_latex_is_well_formed(case, found):
    experiment, effects = found(case)
    text = latex(experiment, effects, left_out=3)
    bare = re.sub(r"\\[{}]", "", text.replace("\\\\", ""))
    depths = [bare[:place].count("{") - bare[:place].count("}") for place in range(len(bare) + 1)]
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
def test_latex_has_no_special_sign_of_its_own_accord(case, found):
    text = latex(*found(case), left_out=3)
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
def test_latex_compiles_and_fits_the_page(case, found, tmp_path):
    (tmp_path / "page.tex").write_text(PAGE % latex(*found(case), left_out=3), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace")
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull" not in made.stdout


def test_latex_of_a_comparison(found):
    experiment, effects = found("pooled")
    text = latex(experiment, effects)
    better = next(effect for effect in effects if effect.recipe == "bright" and effect.pooled)
    worse = next(effect for effect in effects if effect.recipe == "contrast" and effect.pooled)
    cells = wording.row(better)
    assert f"bright & {cells['mean'].replace('±', '$' + chr(92) + 'pm$')} & {cells['difference']} & " in text
    assert f"& $-${wording.row(worse)['difference'][1:]} & $-$" in text
    assert text.count(r"\textbf{better}") == sum(effect.verdict == "better" for effect in effects) > 0
    assert text.count(r"\textbf{worse}") == sum(effect.verdict == "worse" for effect in effects) > 0
    assert r"\label{tab:made-up}" in text
    assert re.findall(r"\\emph{(.*?)}", text) == ["adam", "sgd", "pooled over all conditions"]


def test_a_label_has_safe_letters_only(found):
    assert r"\label{tab:ho-st-ile}" in latex(*found("hostile"))


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
def test_markdown_shows_every_text_literally(case, found):
    experiment, effects = found(case)
    text, made = markdown(experiment, effects, 3), sheet(experiment, effects, 3)
    (heads, *rows), below = rendered(text)
    assert heads == [" ".join(filter(None, head)) for head in made.heads.values()]
    expected = []
    for title, told in made.groups:
        expected += [[title] + [""] * (len(heads) - 1)] if title else []
        expected += [[(row | {"verdict": row["verdict"] + row["mark"]})[key] for key in made.heads] for row in told]
    assert rows == [[" ".join(cell.split()) for cell in row] for row in expected]
    assert below == [" ".join(paragraph.split()) for paragraph in (made.caption, *made.notes)]
    assert "$" not in text, "a formula, on GitHub"


def test_markdown_is_aligned_for_those_who_read_it_as_it_is(found):
    lines = markdown(*found("pooled")).split("\n\n")[0].splitlines()
    assert len({len(line) for line in lines}) == 1
    bars = [[place for place, sign in enumerate(line) if sign == "|"] for line in lines]
    assert all(places == bars[0] for places in bars)
    assert re.fullmatch(r"\| -+ \|( -+: \|)+ -+ \|", lines[1])
    assert "**better**" in "".join(lines)


def heads(experiment, effects):
    return list(sheet(experiment, effects).heads)


def test_columns_are_there_where_they_say_something(found):
    always = ["recipe", "mean", "difference", "interval", "p_adjusted", "p_better", "verdict"]
    assert heads(*found("pooled")) == [*always[:4], "new", *always[4:]]
    assert heads(*found("some missing")) == ["recipe", "seeds", *always[1:4], "new", *always[4:]]
    assert heads(*found("nothing finished")) == always
    assert heads(*found("without a unit")) == always


def test_numbers_are_those_of_the_effects(found):
    experiment, effects = found("some missing")
    rows = [row for _, rows in sheet(experiment, effects).groups for row in rows]
    for effect, row in zip(effects, rows, strict=True):
        assert row["recipe"] == effect.recipe
        assert row["seeds"] == str(effect.seeds)
        assert row["difference"] == wording.points(effect.estimate, "accuracy", sign=True)
        assert row["interval"] == wording.interval(effect.low, effect.high, "accuracy", sign=False)
        assert row["new"] == wording.interval(effect.new_low, effect.new_high, "accuracy", sign=False)
        assert row["p_adjusted"] == wording.p_text(effect.p_adjusted)
    chances = replace(effects[1], p_better=0.92, p_better_low=0.581, p_better_high=0.994)
    assert sheet(experiment, [chances]).groups[0][1][0]["p_better"] == "92 (58\N{EN DASH}99)"


def test_the_caption_tells_what_a_reviewer_asks(found):
    assert sheet(*found("pooled")).caption == (
        "Accuracy on test images, mean ± sd over 5 seeds, and its difference to the baseline “none”. "
        "95 % intervals of the difference, not corrected for their number: over seeds, as if trained again; new "
        "photos, as if tested on other photographs too. Holm p: two-sided, Welch's t on the scores per seed (Welch "
        f"1947); 6 comparisons, {wording.corrected_by(question())}. P(better): the share of pairs of runs in "
        "which the recipe's is better, with the interval of the chance that a new run beats a new run of the baseline. "
        "Verdicts: better or worse by this p, equivalent within ±1.0 points by two one-sided tests (Schuirmann 1987) "
        "with Holm's correction; family-wise error 5 % for each kind. Pooled: the mean over the conditions, by seed. "
        "All of this holds on this data, model and budget."
    )


def test_the_caption_follows_the_experiment(found):
    one = sheet(*found("one condition")).caption
    assert "to the baseline “none”, under adam. " in one
    assert "Pooled" not in one
    lower = sheet(*found("lower is better")).caption
    assert lower.startswith("Log loss on test images (lower is better), mean ± sd over 5 seeds")
    assert "within ±0.020 nats" in lower
    assert "99 % intervals" in sheet(*found("without a unit")).caption
    assert "within ±0.010 by" in sheet(*found("without a unit")).caption
    assert "mean ± sd over n of 5 seeds" in sheet(*found("some missing")).caption
    assert "mean ± sd over 0 of 5 seeds" in sheet(*found("nothing finished")).caption


def test_dunnett_is_told_as_such(found):
    made = sheet(*found("Dunnett"))
    assert made.heads["p_adjusted"] == ("Dunnett", "p")
    assert "Dunnett p: two-sided, Dunnett's test" in made.caption
    assert "trained again (simultaneous over all comparisons); new photos" in made.caption
    assert "Holm p" not in made.caption


def test_lower_is_better_keeps_its_sign_and_its_verdict(found):
    experiment, effects = found("lower is better")
    bright = next(line for line in latex(experiment, effects).splitlines() if line.startswith("bright"))
    assert re.search(r"& \$-\$0\.\d{3} & \$-\$0\.\d{3} to \$-\$0\.\d{3} & .*textbf{better}", bright)
    assert sheet(experiment, effects).heads["mean"] == ("log loss", "± sd in nats")


def test_notes_say_why_there_is_no_verdict(found):
    experiment, effects = found("some missing")
    made = sheet(experiment, effects, left_out=1)
    assert made.notes[0] == "† too few finished seeds."
    assert made.notes[1] == "‡ 1 diverged here: no verdict on those that are left."
    assert made.notes[-1] == "1 file of the data cannot be used and is left out."
    marks = {(title, row["recipe"]): row["mark"] for title, rows in made.groups for row in rows}
    assert marks["adam", "bright"] == ""
    assert marks["sgd", "bright"] == marks["pooled over all conditions", "bright"] == "†"
    assert marks["sgd", "contrast"] == "‡"
    assert r"no verdict\textsuperscript{\dag{}}" in latex(experiment, effects)
    assert "| no verdict† |" in markdown(experiment, effects)


def test_notes_tell_what_an_equivalence_rests_on(found):
    experiment, effects = found("alike")
    bright = next(effect for effect in effects if effect.recipe == "bright")
    alike = [replace(bright, verdict="equivalent", p_equivalent=0.0123), *effects[2:]]
    made = sheet(experiment, alike)
    assert made.notes[-1].startswith("Equivalence p: bright .012 (adam)")
    assert "† the baseline's own runs under another name." in made.notes
    assert "same" not in made.notes[-1], "its verdict rests on no test"


def test_notes_have_marks_of_their_own_however_many_there_are(found):
    experiment, effects = found("pooled")
    many = [replace(effects[1], flag=f"operation {place} changed no picture", note="why") for place in range(12)]
    marks = [note.split()[0] for note in sheet(experiment, many).notes]
    assert len(set(marks)) == 13
    assert [marks[place] for place in (0, 4, 5, 10)] == ["†", "‖", "††", "†††"]


def test_a_recipe_left_out_somewhere_says_so(found):
    notes = sheet(*found("a recipe left out")).notes
    assert any(note.endswith("over 1 of 2 conditions.") for note in notes)


@pytest.mark.parametrize("form", ["csv", "json", "latex", "markdown"])
def test_written_to_a_file_or_printed(form, found, tmp_path, capsys):
    experiment, effects = found("hostile")
    path = tmp_path / "deep" / "table"
    write_effects(experiment, effects, path, form, left_out=3)
    assert capsys.readouterr() == ("", f"wrote {path}\n")
    write_effects(experiment, effects, type(path)("-"), form, left_out=3)
    out, err = capsys.readouterr()
    assert (out, err) == (path.read_text("utf-8"), "")
    assert out.endswith("\n")


def test_an_unknown_form_is_refused(found, tmp_path):
    with pytest.raises(ValueError, match="form = 'html': use csv, json, latex or markdown"):
        write_effects(*found("pooled"), tmp_path / "table", "html")


def test_no_effects_give_empty_tables():
    assert csv([]) == ""
    assert reader.loads(json([])) == []
    assert rendered(markdown(question(), []))[0][0][0] == "recipe"
    assert r"\bottomrule" in latex(question(), [])
