"""The contents of the report: every section, in the order in which it is shown. A new section is a new line here.

`ablation compare NAME --section SLUG` shows one. The report shows all, below the question, the answer and what to
read with care; it is computed before anything is drawn, and whatever renders it needs no other input than a `Report`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ablation
from ablation.core.errors import InputError, did_you_mean
from ablation.core.safe import terminal
from ablation.core.text import named, out_of
from ablation.evidence.study import Study
from ablation.experiment.results import Results
from ablation.experiment.runs import runs_of
from ablation.report.section import Section
from ablation.report.sections.attribution.section import attribution
from ablation.report.sections.class_harm.section import class_harm
from ablation.report.sections.cost_pareto.section import cost_pareto
from ablation.report.sections.decision_curves.section import decision_curves
from ablation.report.sections.dose_response.section import dose_response
from ablation.report.sections.effects.headline import Headline, headline_of
from ablation.report.sections.effects.section import effects
from ablation.report.sections.effects.several import several
from ablation.report.sections.effects.table import VerdictGrid, verdict_grid
from ablation.report.sections.effects.text import answer, question_of
from ablation.report.sections.embedding.section import embedding, embedding_parts
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

PARTS: dict[str, Callable[[Study], Sequence[Callable[[], Any]]]] = {"embedding": embedding_parts}
"""slug -> parts of its figures (`Figure.parts`) that are known before the section is computed."""


def parts_ahead(studies: Sequence[Study], only: Collection[str] = ()) -> list[Callable[[], Any]]:
    """What of a report's figures takes seconds, and can be computed by another process while its sections are."""
    if len(studies) > 1:
        return []
    return [part for slug, parts in PARTS.items() if not only or slug in only for part in parts(studies[0])]


def section(results: Results | Study, slug: str) -> Section | None:
    """Compute one section of the report; None where the experiment does not ask its question.

    It shows itself in a notebook, with its figures and tables as in the report. slug: its name: "effects",
    "attribution", "dose_response", "train_size", "interaction", "split_analysis", "decision_curves", "embedding",
    "class_harm", "robustness", "gradcam", "cost_pareto", "learning_curves", "pictures" or "reproduce". Raises
    InputError for a name that no section has.

    >>> section(results, "split_analysis").title
    'Did it reduce overfitting?'
    """
    known(slug)
    study = results if isinstance(results, Study) else Study(results)
    found = SECTIONS[slug](study)
    return found and replace(found, look=styles(study.experiment.recipes, study.experiment.baseline))


def absent(study: Study, slug: str) -> InputError:
    """Why an experiment has no section of this name, for whoever asks for it alone."""
    runs = study.results.frame.drop_duplicates("id")
    finished = int((runs["status"] == "finished").sum())
    why = "its grid does not ask that question"
    if not finished:
        why = f"no run has finished; {study.command} trains them"
    elif finished < len(runs):
        why += f", or too few runs have finished ({out_of(finished, len(runs), 'run')})"
    return InputError(f"{study.experiment.name} has no section {slug!r}: {why}")


def known(*slugs: str) -> None:
    """Raise InputError for the first of the slugs that no section has."""
    for slug in slugs:
        if slug not in SECTIONS:
            every = ", ".join(SECTIONS)
            raise InputError(f"there is no section {slug!r}{did_you_mean(slug, SECTIONS)} (sections: {every})")


@dataclass(frozen=True)
class Report:
    """What is shown, in the order in which it is shown; computed whole before anything is drawn."""

    name: str
    made: str
    """What the report is made from, in a line: how many runs, when they were trained, by which version."""
    question: str
    headline: Headline
    answer: tuple[str, ...]
    warnings: tuple[str, ...]
    verdicts: VerdictGrid | None
    """None under one condition, or without a difference."""
    sections: tuple[Section, ...]
    look: Mapping[str, Style]
    """How each recipe is drawn."""
    baseline: str


def report_of(*studies: Study, only: Collection[str] = ()) -> Report:
    """Compute the report of one experiment, or of several that stand in one table (`ablation.evidence.agreement`).

    Reads the records of all runs, and the arrays that its sections need.

    only: the slugs of the sections that it shall have, by default all. Raises InputError for one that no section has,
    or not this experiment, and for experiments that cannot stand in one table.
    """
    known(*only)
    return _report(studies[0], only) if len(studies) == 1 else _joint_report(studies)


def _report(study: Study, only: Collection[str]) -> Report:
    experiment = study.experiment
    chosen = {slug: compute(study) for slug, compute in SECTIONS.items() if not only or slug in only}
    sections = tuple(filter(None, chosen.values()))
    for slug in only:
        if chosen[slug] is None:
            raise absent(study, slug)
    return Report(
        name=experiment.name,
        made=_made([study]),
        question=terminal(experiment.question) or question_of(experiment),
        headline=headline_of(experiment, study.effects),
        answer=(*answer(experiment, study.effects), *(text for section in sections for text in section.headline)),
        warnings=study.warnings,
        verdicts=verdict_grid(experiment, study.effects),
        sections=sections,
        look=styles(experiment.recipes, experiment.baseline),
        baseline=experiment.baseline,
    )


def _joint_report(studies: Sequence[Study]) -> Report:
    """The common table, then the effects of each; a recipe has one colour, by its name."""
    experiments = [study.experiment for study in studies]
    joint = several(studies)
    names = [study.experiment.name for study in studies]
    marked = [named(name, recipe=False) for name in names]
    own = (
        replace(effects(study), slug=f"effects-{name}", title=f"{shown} by itself")
        for study, name, shown in zip(studies, names, marked, strict=True)
    )
    recipes = dict.fromkeys(recipe for experiment in experiments for recipe in experiment.recipes)
    return Report(
        name=" + ".join(names),
        made=_made(studies),
        question=joint.title,
        headline=Headline(joint.answer[0]),
        answer=joint.answer,
        warnings=tuple(f"{shown}: {text}" for one, shown in zip(studies, marked, strict=True) for text in one.warnings),
        verdicts=None,
        sections=(joint, *own),
        look=styles(recipes, experiments[0].baseline),
        baseline=experiments[0].baseline,
    )


def _made(studies: Sequence[Study]) -> str:
    """'80 runs, trained 2026-11-28 to 2026-11-29; ablation 0.1.0': from the journals, never from today's date."""
    every = [(study, run) for study in studies for run in runs_of(study.results.cells, study.results.root)]
    finished = [run for study, run in every if run.spec.id in set(study.results.finished["id"])]
    ends = [run.journal.events()[-1:] for run in finished]
    days = sorted({time.strftime("%Y-%m-%d", time.gmtime(event["time"])) for last in ends for event in last})
    trained = f", trained {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""
    return f"{out_of(len(finished), len(every), 'run')}{trained}; ablation {ablation.__version__}"
