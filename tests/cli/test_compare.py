"""`ablation compare` and the end of `run`: which sections, in which order, at any width, and as files."""

import itertools
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from balanced import luck
from made_up import question, results_of, usual

from ablation import Welch
from ablation.augment import Brightness, Contrast, RandomResizedCrop
from ablation.cli import compare as compare_command
from ablation.cli import verdicts
from ablation.cli.compare import show_results
from ablation.cli.console import console
from ablation.cli.context import ExperimentOptions
from ablation.core.errors import InputError
from ablation.core.text import plain
from ablation.data import Fixed, TrainSize
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.experiment.recipes import dose, powerset
from ablation.optim import Adam
from ablation.report.contents import ANSWERS

PARTS = {"bright": Brightness(0.4), "contrast": Contrast(0.4)}
DOSES = {name: recipe for name, recipe in dose(RandomResizedCrop(), (0.5, 1)).items() if recipe}
LONG = "[bold]a rather long name of an optimizer that nobody would give[/]"


def score(cell: Cell) -> float:
    return 0.8 + 0.05 * bool(cell.spec.recipe) + luck(cell)


def study_of(**changes: Any) -> Study:
    return Study(results_of(replace(question(), **changes), score))


@cache
def everything() -> Study:
    """Two operations together and apart, three doses, two train sizes, two optimizers."""
    study = study_of(recipes=powerset(PARTS) | DOSES, vary={"train_size": (TrainSize(10), TrainSize(20))})
    images = [10 * cell.spec.train_size.per_class for cell in study.results.cells]
    return Study(replace(study.results, frame=study.results.frame.assign(train_images=images)))


@cache
def named(name: str) -> Study:
    """Under an optimizer of this name, and with a recipe that is called like it."""
    recipes = powerset(PARTS) | DOSES | {f"{name} recipe": (Contrast(0.1),)}
    return study_of(recipes=recipes, optimizers={name: Adam(), "sgd": Adam(lr=0.1)})


def test_every_section_with_an_answer_is_printed_in_the_order_of_the_contents(capsys):
    study = everything()
    show_results(study)
    out = " ".join(capsys.readouterr().out.split())
    answered = [compute(study) for compute in ANSWERS.values()]
    positions = [out.index(plain(section.title)) for section in answered]
    assert positions == sorted(positions)
    for section in answered:
        for sentence in section.answer:
            assert " ".join(plain(sentence).split()) in out


def test_what_is_not_asked_is_not_printed(capsys):
    show_results(study_of(optimizers={"adam": Adam()}))
    titles = [line for line in capsys.readouterr().out.splitlines() if line.endswith("?")]
    assert titles == ["Which recipes help?"]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("name", ["adam", LONG], ids=["short names", "long names"])
def test_recipe_difference_interval_and_verdict_are_whole_at_any_width(capsys, monkeypatch, name, width):
    monkeypatch.setattr(console, "width", width)
    study = named(name)
    show_results(study)
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= width
    assert "…" not in out
    words, lines = " ".join(out.split()), out.splitlines()
    pairs = [(line, line + below) for line, below in itertools.pairwise(lines)]
    for group in ANSWERS["effects"](study).tables[0].groups:
        assert plain(group.title) in words
        for row in group.rows:
            for key in ("difference", "interval", "verdict"):
                assert row[key] in words
            if " " not in row["recipe"]:  # which may be broken there
                kept = [row[key] for key in ("difference", "interval", "verdict")]
                beside = [both for line, both in pairs if line.startswith(f"{row['recipe']} ")]
                assert any(all(text in both for text in kept) for both in beside)


def test_the_interaction_is_printed_whole(capsys):
    experiment = replace(question(), split=Fixed(), test=Welch(), vary={"batch_size": (16, 32), "dropout": (0.0, 0.3)})
    study = Study(results_of(experiment, lambda cell: "failed" if cell.seed == 4 else usual(cell)))
    show_results(study)
    text, section = " ".join(capsys.readouterr().out.split()), ANSWERS["interaction"](study)
    for words in (section.title, *section.answer, *section.caution, *(table.caption for table in section.tables)):
        assert " ".join(plain(words).split()) in text
    for table in section.tables:
        for row in table.groups[0].rows:
            assert " ".join(filter(None, (row[key] for key in table.headers))) in text


def test_an_answer_that_fails_costs_a_run_nothing(capsys, monkeypatch):
    def broken(*given: Any) -> None:
        raise ZeroDivisionError("a mistake in the answer")

    monkeypatch.setattr(verdicts, "lead", broken)
    study = study_of()
    with pytest.raises(ZeroDivisionError):
        verdicts.show_verdicts(study)
    verdicts.show_screen(study, ("a run failed",), "ablation compare made-up", "ablation report made-up")
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "next: ablation report made-up"
    assert "what the runs mean: not known (ZeroDivisionError: a mistake in the answer)" in err
    assert err.endswith("warning: a run failed\n")


class Options(ExperimentOptions):
    """What `compare` is given, of made-up results."""

    def results(self):
        return everything().results


OPTIONS = Options("made-up", None, False, Path("runs"), Path("cache"))


def comparing(slug: str | None = None, every: bool = False, **files: Any) -> None:
    compare_command.show(OPTIONS, every, slug, files)


def test_one_section_is_shown_alone(capsys):
    comparing("dose_response")
    out = capsys.readouterr().out
    assert "How strong should it be?" in out
    assert "Which recipes help?" not in out
    assert "In the report: " in out, "what is drawn there is said"


@pytest.mark.parametrize(
    ("slug", "words"),
    [("dose_respnse", ("did you mean 'dose_response'?", "effects, attribution")), ("x", ("there is no section 'x'",))],
)
def test_an_unknown_section_is_an_error_with_the_list(slug, words):
    with pytest.raises(InputError) as error:
        comparing(slug)
    assert all(part in str(error.value) for part in words)


def test_a_printed_table_stands_alone(capsys, tmp_path):
    comparing(json="-", csv=tmp_path / "effects.csv")
    out = capsys.readouterr().out
    assert {effect["recipe"] for effect in json.loads(out)} >= {"bright", "contrast"}
    assert (tmp_path / "effects.csv").read_text().startswith("recipe,")
