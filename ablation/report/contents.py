"""The contents of the report: every section, in the order in which it is shown. A new section is a new line here.

`ablation compare NAME --section SLUG` shows one of them. The page shows all, below the question, the answer and what to
read with care; it is computed before anything is drawn, and whatever renders it needs no other input than a `Page`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ablation.core.errors import InputError, did_you_mean
from ablation.evidence.study import Study
from ablation.experiment.results import Results
from ablation.report.section import Section
from ablation.report.sections.attribution.section import attribution
from ablation.report.sections.class_harm.section import class_harm
from ablation.report.sections.cost_pareto.section import cost_pareto
from ablation.report.sections.decision_curves.section import decision_curves
from ablation.report.sections.dose_response.section import dose_response
from ablation.report.sections.effects.section import effects
from ablation.report.sections.effects.table import VerdictGrid, verdict_grid
from ablation.report.sections.effects.text import answer, question_of
from ablation.report.sections.embedding.section import embedding
from ablation.report.sections.gradcam.section import gradcam
from ablation.report.sections.interaction.section import interaction
from ablation.report.sections.learning_curves import learning_curves
from ablation.report.sections.pictures.section import pictures
from ablation.report.sections.reproduce import reproduce
from ablation.report.sections.robustness.section import robustness
from ablation.report.sections.split_analysis.section import split_analysis
from ablation.report.sections.train_size.section import train_size
from ablation.report.style import Style, styles

ANSWERS: dict[str, Callable[[Study], Section | None]] = {
    "effects": effects,
    "attribution": attribution,
    "dose_response": dose_response,
    "train_size": train_size,
    "interaction": interaction,
}
"""slug -> what computes a section that answers in sentences, which `ablation compare` and the end of `run` show."""

SECTIONS: dict[str, Callable[[Study], Section | None]] = {
    **ANSWERS,
    "split_analysis": split_analysis,
    "decision_curves": decision_curves,
    "embedding": embedding,
    "class_harm": class_harm,
    "robustness": robustness,
    "gradcam": gradcam,
    "cost_pareto": cost_pareto,
    "learning_curves": learning_curves,
    "pictures": pictures,
    "reproduce": reproduce,
}
"""slug -> what computes a section. It returns None where the experiment does not ask its question."""


def section(results: Results | Study, slug: str) -> Section | None:
    """Compute one section of the report; None where the experiment does not ask its question.

    slug: its name, see `SECTIONS`. Raises InputError for a name that no section has.

    >>> section(results, "split_analysis").title
    'Did it reduce overfitting?'
    """
    if slug not in SECTIONS:
        known = ", ".join(SECTIONS)
        raise InputError(f"there is no section {slug!r}{did_you_mean(slug, SECTIONS)} (sections: {known})")
    return SECTIONS[slug](results if isinstance(results, Study) else Study(results))


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
    sections = tuple(filter(None, (compute(study) for compute in SECTIONS.values())))
    return Page(
        name=experiment.name,
        question=experiment.question or question_of(experiment),
        answer=(*answer(experiment, study.effects), *(text for section in sections for text in section.headline)),
        warnings=study.warnings,
        verdicts=verdict_grid(experiment, study.effects),
        sections=sections,
        look=styles(experiment.recipes, experiment.baseline),
        baseline=experiment.baseline,
    )
