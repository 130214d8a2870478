"""What a run says when it ends: one screen of verdicts, or whether a smoke run went well; and no word of statistics."""

import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from commands import ablation
from made_up import alike, noise, question, results_of
from project import write_experiment

from ablation.analysis.comparison import CorrectedResampled, Welch
from ablation.augment import Brightness
from ablation.cli import compare, messages
from ablation.cli.console import console
from ablation.cli.context import ExperimentOptions
from ablation.cli.verdicts import LINES, ORDER, show_screen, show_verdicts
from ablation.core.text import plain
from ablation.data import Fixed, KFold
from ablation.evidence.study import Study
from ablation.report.sections.effects.text import lead, need
from ablation.report.text import verdict_text

RUN = ("run", "small", "--no-tracking", "--device", "cpu", "--jobs", "1")
SMOKE = (*RUN, "--smoke")

STATISTICS = re.compile(
    r"Holm|Dunnett|adjusted p|equivalence|partial η|Kendall|Hedges|Bonferroni|gatekeeping|random effects"
    r"|simultaneous|one-sided|Welch|\bt over|family-wise|new photographs"
)
"""What a student of vision cannot be expected to know."""

ALARMS = ("60 of 80 runs failed: in no mean and no test.", "Runs on different devices are compared. " * 9, "A third.")


@cache
def many(recipes: int, **changes) -> Study:
    """So many recipes beside the baseline, every second of which is better."""
    named = {f"brighter by {number:02}": (Brightness(number / 100),) for number in range(1, recipes + 1)}
    experiment = replace(question(), recipes={"none": ()} | named, **changes)
    gains = {name: 0.03 * (number % 2) for number, name in enumerate(named)}
    return Study(results_of(experiment, lambda cell: 0.7 + gains.get(cell.factors["recipe"], 0) + noise(cell)))


@pytest.fixture(params=[60, 80, 120])
def width(request, monkeypatch) -> int:
    monkeypatch.setattr(console, "width", request.param)
    monkeypatch.setattr(messages, "columns_of", lambda stream: request.param)
    return request.param


@pytest.mark.parametrize("alarms", [(), ALARMS[:1], ALARMS, ALARMS * 9], ids=len)
@pytest.mark.parametrize("recipes", [1, 4, 20])
def test_it_is_one_screen_however_many_recipes_and_alarms_there_are(capsys, width, recipes, alarms):
    study = many(recipes)
    show_screen(study, alarms, "ablation compare made-up", "ablation report made-up")
    out, err = capsys.readouterr()
    lines = [line.rstrip() for line in out.strip("\n").splitlines()]
    fewest = len(alarms) > 1 and width < 80  # what a screen must hold takes more
    assert len(lines) + len(err.splitlines()) <= LINES + 4 * fewest
    assert max(map(len, [*out.splitlines(), *err.splitlines()])) <= width
    words = " ".join(out.split())
    assert words.startswith(" ".join(plain(lead(study.experiment, study.effects)).split()))
    assert lines[-1] == "next: ablation report made-up"
    rows = [line for line in lines if line.endswith(("better", "undecided", "equivalent", "worse", "baseline"))]
    assert len(rows) >= min(recipes, 3) + 1
    more = recipes + 1 - len(rows)
    assert (f"{more} more (" in words) == bool(more)
    assert more != 1, "that line would have room for the recipe"
    assert "60 of 80 runs failed" in err or not alarms, "the worst is always said"
    if (said := err.count("warning: ")) < len(alarms):
        assert f"warning: {len(alarms) - said + 1} more warning" in err


def test_the_best_stand_first_and_the_baseline_last(capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 80)
    study = many(6)
    show_screen(study, (), "ablation compare made-up", "ablation report made-up")
    lines = capsys.readouterr().out.splitlines()
    effects = {effect.recipe: effect for effect in study.effects if effect.pooled and effect.verdict != "baseline"}
    rows = [line for line in lines if line[:1] in "▲▼≈?○" and line]
    shown = [name for line in rows for name in effects if name in line and verdict_text(effects[name]) in line]
    ranks = [(ORDER.index(verdict_text(effects[name])), -effects[name].estimate) for name in shown]
    assert sorted(shown) == sorted(effects)
    assert ranks == sorted(ranks)
    assert rows[-1].startswith("○ none")
    for name in shown:
        (row,) = [line for line in lines if f" {name} " in line]
        assert (
            f"{100 * effects[name].estimate:.1f}".replace("-", "\N{MINUS SIGN}").replace("\N{MINUS SIGN}0.0", "0.0")
            in row
        )
        assert row[0] == {"better": "▲", "undecided": "?", "equivalent": "≈"}[verdict_text(effects[name])]


def test_two_seeds_have_no_verdict_and_a_run_that_is_missing_is_said(capsys):
    show_screen(many(2, seeds=2), (), "ablation compare made-up", "ablation report made-up")
    out = capsys.readouterr().out
    assert "No verdict yet: it takes 3 finished seeds, and there are 2." in out
    assert "Holds for" not in out
    experiment = replace(question(), seeds=4)
    study = Study(results_of(experiment, lambda cell: "failed" if cell.seed == 3 else alike(cell)))
    show_screen(study, (), "ablation compare made-up", "ablation report made-up")
    assert "3 of 4 seeds" in " ".join(capsys.readouterr().out.split())


def test_a_verdict_that_is_sharper_than_its_interval_says_so(capsys):
    """Else "better" beside an interval that holds 0 reads as a mistake."""
    study = many(2)
    assert not any(effect.low <= 0 <= effect.high for effect in study.effects if effect.verdict == "better")
    show_verdicts(study)
    assert "sharper" not in capsys.readouterr().out
    better = next(effect.recipe for effect in study.effects if effect.pooled and effect.verdict == "better")
    wider = [replace(one, low=-0.001) if one.recipe == better and one.pooled else one for one in study.effects]
    show_verdicts(Study(study.results, wider))
    said = " ".join(capsys.readouterr().out.split())
    assert f"“{better}”: the test decides, which is sharper than the simultaneous interval." in said


def test_what_is_all_undecided_says_what_would_decide_it(capsys, monkeypatch):
    """In one sentence, of the recipe with the most gain; where something is decided, nothing."""
    monkeypatch.setattr(console, "width", 80)
    split, test = KFold(), CorrectedResampled()
    experiment = replace(many(4).experiment, margin=0.0001, split=split, test=test)
    study = Study(results_of(experiment, lambda cell: 0.7 + noise(cell, 0.05)))
    assert {effect.verdict for effect in study.effects} == {"baseline", "undecided"}
    show_screen(study, (), "ablation compare made-up", "ablation report made-up")
    lines = capsys.readouterr().out.strip("\n").splitlines()
    assert len(lines) <= LINES
    best = max((one for one in study.effects if one.pooled and one.tested), key=lambda one: one.estimate)
    assert need(best, experiment).startswith("more seeds alone would hardly show")
    assert (
        "What next: more photographs, or smaller training parts that share none, as of Redrawn(); more seeds alone "
        f"would hardly decide “{best.recipe}”."
    ) in " ".join(lines)
    few = Study(results_of(replace(experiment, split=Fixed(), test=Welch()), alike))
    show_verdicts(few)
    best = max((one for one in few.effects if one.pooled and one.tested), key=lambda one: one.estimate)
    said = " ".join(capsys.readouterr().out.split())
    assert f"What next, for “{best.recipe}”: with " in said
    assert plain(need(best, few.experiment)) in said
    show_screen(many(4), (), "ablation compare made-up", "ablation report made-up")
    assert "What next" not in capsys.readouterr().out


def test_nothing_finished_is_said_and_nothing_else(capsys):
    show_screen(
        Study(results_of(question(), lambda cell: "failed")), (), "ablation compare made-up", "ablation status made-up"
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "next: ablation status made-up"
    assert lines[1].startswith("No answer yet")
    assert not any("verdict" in line for line in lines)


class Options(ExperimentOptions):
    """What `compare` is given, of made-up results."""

    def results(self):
        return many(4).results


def test_words_of_statistics_are_for_those_who_ask_for_all(capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 200)
    options = Options("made-up", None, False, Path("runs"), Path("cache"))
    compare.show(options, False, None, {})
    out = capsys.readouterr().out
    assert STATISTICS.findall(out) == []
    assert {"p", "verdict", "interval"} <= set(out.split())
    compare.show(options, True, None, {})
    every = capsys.readouterr().out
    assert {"Holm", "Hedges", "Kendall"} <= set(STATISTICS.findall(every))
    assert every.rstrip().endswith("what the words mean: docs/glossary.md, and the end of each report")


# --- smoke


@pytest.fixture
def project(tmp_path):
    write_experiment(tmp_path)
    return tmp_path


def test_a_smoke_run_says_that_all_is_well_what_comes_next_and_nothing_of_scores(project, inside):
    ended = ablation(project, *SMOKE)
    assert (ended.code, ended.err) == (0, "")
    well, full, now = re.split(r"\n(?=the full|now:)", ended.out.rpartition("\n\n")[2].rstrip())
    assert re.fullmatch(r"all is well: 4 runs(?: in .+ s)?", well)
    assert re.fullmatch(
        r"the full experiment has 6 runs, about \S.* here with \d+ workers? \(.+\)", " ".join(full.split())
    )
    assert now == "now: ablation run small"
    assert not re.search("verdict|interval|better|worse|undecided", ended.out)


def test_what_the_full_experiment_takes_can_cost_no_run(project, inside, monkeypatch):
    def broken(*given):
        raise ZeroDivisionError

    monkeypatch.setattr("ablation.training.cost.grid.grid_time", broken)
    ended = ablation(project, *SMOKE)
    assert (ended.code, ended.err) == (0, "")
    assert "\nthe full experiment has 6 runs\nnow: " in ended.out


def test_a_smoke_run_that_fails_says_how_many_and_where_the_reason_is(project, inside):
    file = project / "experiments" / "small.py"
    (project / "own.py").write_text(
        "from torch import nn\n\ndef network(classes):\n    return Bad(nn.Flatten(), nn.LazyLinear(classes))\n\n\n"
        "class Bad(nn.Sequential):\n    def forward(self, images):\n        if len(images) == 16:\n"
        '            raise RuntimeError("a bad day")\n        return super().forward(images)\n'
    )
    file.write_text(file.read_text().replace('"shallow_cnn"', '"own:network"').replace("LazyLinear", "Linear"))
    text = (project / "own.py").read_text().replace("nn.LazyLinear(classes)", "nn.Linear(192, classes)")
    (project / "own.py").write_text(text)
    ended = ablation(project, *SMOKE)
    assert ended.code == 1
    assert re.search(
        r"[1-4] of 4 runs did not finish(?: in .+ s)?: ablation status small --smoke says why\n$", ended.out
    )
    assert "all is well" not in ended.out
    why = ablation(project, "status", "small", "--smoke")
    assert "a bad day" in why.out


@pytest.mark.slow
def test_a_smoke_run_with_a_warning_is_not_called_well(project, inside):
    file = project / "experiments" / "small.py"
    text = file.read_text().replace('{"none": (), ', '{"none": (), "still": (RandomResizedCrop(scale=(1.0, 1.0)),), ')
    file.write_text(text)
    ended = ablation(project, *SMOKE)
    assert ended.code == 0
    assert "all is well" not in ended.out
    assert re.search(r"6 runs(?: in .+ s)?, with \d warnings? above\n", ended.out)
    assert "changed no picture" in ended.err
    shutil.rmtree(project / "runs")
