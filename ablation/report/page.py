"""The page: the question, the answer, what to read with care, and every section. Computed before anything is drawn.

Whatever renders it (HTML, later PDF) needs no other input than a `Page`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ablation.evidence.study import Study
from ablation.report.contents import sections
from ablation.report.section import Section
from ablation.report.sections.effects.table import VerdictGrid, verdict_grid
from ablation.report.sections.effects.text import answer, question_of
from ablation.report.style import Style, styles


@dataclass(frozen=True)
class Page:
    """What is shown, in the order in which it is shown."""

    name: str
    question: str
    answer: tuple[str, ...]
    warnings: tuple[str, ...]
    verdicts: VerdictGrid | None
    """None under one condition, or without a difference."""
    sections: tuple[Section, ...]
    look: Mapping[str, Style]
    """How each recipe is drawn."""
    baseline: str


def page_of(study: Study) -> Page:
    """Compute the page. Reads the records of all runs, and the arrays of one run a recipe."""
    experiment = study.experiment
    return Page(
        name=experiment.name,
        question=experiment.question or question_of(experiment),
        answer=answer(experiment, study.effects),
        warnings=study.warnings,
        verdicts=verdict_grid(experiment, study.effects),
        sections=tuple(sections(study)),
        look=styles(experiment.recipes, experiment.baseline),
        baseline=experiment.baseline,
    )
