"""Names that a user gave are marked as such in every sentence of a section, once, and in no cell or label."""

from dataclasses import replace

import pytest
from balanced import luck
from made_up import question, results_of
from names import wrongly_marked

from ablation.augment import Brightness, Contrast
from ablation.data import TrainSize
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.optim import SGD, Adam
from ablation.report.sections.attribution.section import attribution
from ablation.report.sections.dose_response.section import dose_response
from ablation.report.sections.interaction.section import interaction
from ablation.report.sections.train_size.section import train_size

RECIPES = {
    "b0": (),
    "r1": (Brightness(0.2),),
    "r2": (Brightness(0.4),),
    "r3": (Contrast(0.4),),
    "r23": (Brightness(0.4), Contrast(0.4)),
}
NAMES = (*RECIPES, "o1", "o2", "s1", "s2")
SECTIONS = {one.__name__: one for one in (attribution, dose_response, interaction, train_size)}
GAINS = {
    "nothing": {},
    "one": {"r2": 0.05, "r23": 0.05},
    "something": {"r1": 0.02, "r2": 0.05, "r3": -0.03, "r23": 0.09},
}


def study_of(gains: dict[str, float], **changes: object) -> Study:
    given = {
        "baseline": "b0",
        "recipes": RECIPES,
        "optimizers": {"o1": Adam(), "o2": SGD(lr=0.1)},
        "vary": {"train_size": {"s1": TrainSize(50), "s2": TrainSize(100)}},
    }
    experiment = replace(question(), **given | changes)

    def score(cell: Cell) -> float:
        gain = gains.get(cell.factors["recipe"], 0.0)
        turned = "r1" in gains and cell.factors["recipe"] == "r2" and cell.factors["optimizer"] == "o2"
        less = 0.5 if cell.factors["train_size"] == "s2" else 1.0
        return 0.7 + less * (-gain if turned else gain) + luck(cell, 0.002)

    results = results_of(experiment, score)
    images = results.frame["train_size"].map({"s1": 500, "s2": 1000})
    return Study(replace(results, frame=results.frame.assign(train_images=images)))


@pytest.mark.parametrize("changes", [{}, {"seeds": 2}, {"metric": "log_loss"}], ids=["five", "two seeds", "a loss"])
@pytest.mark.parametrize("gains", GAINS)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_name_is_marked_once_in_sentences_and_in_no_cell(section, gains, changes):
    made = SECTIONS[section](study_of(GAINS[gains], **changes))
    assert made is not None
    assert wrongly_marked(made, NAMES) == []


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_asks_and_answers_first_in_a_sentence(section):
    for gains in GAINS.values():
        made = SECTIONS[section](study_of(gains))
        assert made.title.endswith("?")
        foremost = made.answer[0]
        assert foremost.endswith(".")
        assert len(foremost) < 160
        assert "interval" not in foremost
        assert " p " not in foremost
        assert all(set(table.spare) <= set(table.headers) for table in made.tables)
        assert all(set(table.keep) <= set(table.headers) - set(table.spare) for table in made.tables)
        assert all(1 < len(table.keep) < 5 for table in made.tables if not table.folded)
