"""What a tracking server says of an experiment and of its runs."""

import re

import pytest
from effect_cases import CASES
from made_up import results_of
from markdown_it import MarkdownIt

from ablation.analysis.comparison import Welch
from ablation.core.text import plain
from ablation.data import Fixed
from ablation.evidence.study import Study
from ablation.report.render.description import description, verdicts
from ablation.report.sections.effects.text import answer
from ablation.report.text import verdict_text

MOST = 7700


@pytest.fixture(scope="module")
def studies():
    """Name of a case -> its study, made once."""
    kept = {}

    def get(case):
        experiment, score = CASES[case]
        if case not in kept:
            kept[case] = Study(results_of(experiment, score) if score else results_of(experiment))
        return kept[case]

    return get


def shown(markdown):
    """The text of Markdown, and its kinds of block, as a renderer that knows HTML and tables shows them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *inline]}
    return " ".join(child.content for child in inline if child.type in ("text", "text_special", "code_inline")), kinds


@pytest.mark.parametrize("case", CASES)
def test_a_description_has_the_answer_and_every_recipe_and_no_markup_of_a_name(studies, case):
    study = studies(case)
    made = description(study, MOST)
    text, kinds = shown(made)
    assert len(made) <= MOST
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "hr", "heading_open", "fence", "em_open"}
    assert not re.search("[\u2066-\u2069]", made)
    squeezed = re.sub(r"\s", "", text)
    for sentence in answer(study.experiment, study.effects):
        assert re.sub(r"\s", "", plain(sentence)) in squeezed
    for recipe in study.experiment.recipes:
        assert re.sub(r"\s", "", recipe) in squeezed


def test_a_description_opens_with_the_number_that_answers(studies):
    first = description(studies("pooled"), MOST).splitlines()[0]
    assert first.startswith(
        "**“bright” is better than “none”, and “contrast” is worse, pooled over “adam” and “sgd”.** "
    )
    assert "** “bright”: +4.7 points of accuracy (95 % interval +" in first


@pytest.mark.parametrize(("most", "rows"), [(MOST, 9), (2000, 3), (900, 0)])
def test_a_description_that_is_too_long_has_a_smaller_table_or_none(studies, most, rows):
    made = description(studies("pooled"), most)
    assert len(made) <= most
    assert len(re.findall(r"^\| (?:none|bright|contrast) ", made, re.M)) == rows
    assert "“bright” beats “none”" in made


def test_what_no_description_has_room_for_is_cut(studies):
    assert len(description(studies("hostile"), 100)) == 100


def test_each_run_has_the_verdict_on_its_recipe_under_its_condition(fake, build, tmp_path):
    fates = {("brightness", 0): "failed", ("brightness", 1): "diverged"}
    recipes = {name: build().recipes[name] for name in ("none", "brightness", "all")} | {"same": ()}
    results = fake(build(recipes=recipes, test=Welch(), split=Fixed()), tmp_path, fate=lambda cell: _fate(cell, fates))
    study, expected = Study(results), {}
    for _, row in results.frame.iterrows():
        (effect,) = [
            one
            for one in study.effects
            if (one.recipe, one.condition) == (row["recipe"], {"optimizer": row["optimizer"]})
        ]
        if row["status"] in ("finished", "diverged"):
            expected.setdefault(row["id"], []).append(verdict_text(effect))
    assert verdicts(study) == {run_id: ", ".join(words) for run_id, words in expected.items()}
    assert len(expected) == len(set(results.frame["id"])) - 2, "a failed run has none"
    assert {*verdicts(study).values()} >= {"better", "baseline, no verdict"}


def _fate(cell, fates):
    return fates.get((cell.factors["recipe"], cell.seed), "finished")
