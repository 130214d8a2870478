"""Made-up grids for the section on the interaction of recipes and conditions."""

from dataclasses import replace

from made_up import question, results_of, usual
from names import unmarked

from ablation import Welch
from ablation.core.seeds import stream
from ablation.core.text import bare
from ablation.data import Fixed
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import SGD, Adam, AdamW, RMSprop
from ablation.report.section import Section
from ablation.report.sections.interaction.compute import Conditions, conditions
from ablation.report.sections.interaction.section import answer, interaction

FOUR = {"adam": Adam(), "adamw": AdamW(), "rms": RMSprop(lr=0.01), "sgd": SGD(lr=0.1)}


def grid(**changes) -> Experiment:
    """3 recipes x 2 optimizers x 5 seeds on one split, whose seeds are independent."""
    return replace(question(), split=Fixed(), test=Welch(), **changes)


def scores(adam: dict[str, float], sgd: dict[str, float] | None = None, size: float = 0.004):
    """The score of each run: the gain of its recipe under its optimizer over 0.8, and the luck of its seed.

    That luck adds up to 0 over the five seeds of a cell, so that means are what they should be.
    """

    def score(cell: Cell) -> float:
        gains = adam if sgd is None or cell.factors["optimizer"] == "adam" else sgd
        luck = stream(0, "luck", *cell.factors.values()).permutation([-1.0, -0.5, 0.0, 0.5, 1.0])
        return 0.8 + gains.get(cell.factors["recipe"], 0.0) + size * luck[cell.seed]

    return score


def but(score, **fates: str):
    """The scores, but 'contrast_adam_0="failed"' and so on for the runs named."""
    return lambda cell: fates.get(f"{cell.factors['recipe']}_{cell.factors['optimizer']}_{cell.seed}", score(cell))


def result_of(experiment: Experiment, score=usual) -> Conditions | None:
    return conditions(Study(results_of(experiment, score)))


def section_of(experiment: Experiment, score=usual) -> Section | None:
    section = interaction(Study(results_of(experiment, score)))
    return None if section is None else unmarked(section)


def said(result: Conditions) -> str:
    """The answer without ranks, as it is read."""
    return bare(" ".join(answer(result)))
