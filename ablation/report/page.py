"""The report model: everything that will be told, computed, before anything is drawn or formatted.

Whatever draws it (HTML, later PDF) needs no other input than a `Report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.core.text import opening
from ablation.evidence.effects import Effect, comparisons, primaries
from ablation.evidence.study import Choice, chosen_runs
from ablation.evidence.variance_sources import sources
from ablation.evidence.warnings import alarms
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import RunRecord
from ablation.experiment.results import Results
from ablation.report.section import Scene, Told
from ablation.report.sections.attribution.section import operations_told
from ablation.report.sections.dose_response.section import doses_told
from ablation.report.sections.effects.answer import answer, question_of, sentences
from ablation.report.sections.effects.charts import forest_scene, heat_scene
from ablation.report.sections.effects.details import detail_headers
from ablation.report.sections.effects.table import (
    Group,
    VerdictGrid,
    detail_groups_of,
    groups_of,
    headers,
    verdict_grid,
)
from ablation.report.sections.effects.text import bounds
from ablation.report.sections.effects.variance_text import sources_text
from ablation.report.sections.embedding.section import maps_scene
from ablation.report.sections.interaction.compute import interplay
from ablation.report.sections.interaction.section import InterplayView, interaction_scene, interplay_view
from ablation.report.sections.learning_curves.section import curves_scene
from ablation.report.sections.pictures.section import changes_of, preview_of
from ablation.report.sections.pictures.strips import PreviewInfo
from ablation.report.sections.reproduce.section import Facts, RunsTable, facts_of, runs_table
from ablation.report.sections.train_size.section import sizes_told
from ablation.report.style import Style, styles
from ablation.report.text import TESTS, about_intervals, corrected_by


@dataclass(frozen=True)
class Report:
    """What is told, in the order in which it is told; None where there is nothing to show."""

    name: str
    question: str
    command: str
    answer: tuple[str, ...]
    alarms: tuple[str, ...]
    verdicts: VerdictGrid | None
    sentences: tuple[str, ...]
    headers: Mapping[str, str]
    groups: tuple[Group, ...]
    detail_headers: Mapping[str, str]
    detail_groups: tuple[Group, ...]
    forest: Scene | None
    operations: Told | None
    doses: Told | None
    sizes: Told | None
    curves: Scene | None
    heat: Scene | None
    interplay: InterplayView | None
    interaction: Scene | None
    about: str
    sources: str
    maps: Scene | None
    preview: PreviewInfo | None
    changes: tuple[Mapping[str, str], ...]
    choice: Choice | None
    facts: tuple[Facts, ...]
    runs: RunsTable
    look: Mapping[str, Style]
    experiment: Experiment


def tell(experiment: Experiment, results: Results, effects: Sequence[Effect], command: str = "") -> Report:
    """Compute the report. Reads the records of all runs, and the arrays of one run a recipe."""
    records = read_records(results)
    choice = chosen_runs(results)
    between = interplay(results)
    return Report(
        name=experiment.name,
        question=experiment.question or question_of(experiment),
        command=command or f"ablation run {experiment.name}",
        answer=answer(experiment, effects),
        alarms=tuple(alarms(results)),
        verdicts=verdict_grid(experiment, effects),
        sentences=sentences(experiment, effects),
        headers=headers(experiment, effects),
        about=about(experiment, effects),
        sources=sources_text(spread, experiment) if (spread := sources(results)) else "",
        groups=groups_of(experiment, effects),
        detail_headers=detail_headers(experiment),
        detail_groups=detail_groups_of(experiment, effects),
        forest=forest_scene(experiment, effects),
        operations=operations_told(results),
        doses=doses_told(results),
        sizes=sizes_told(results),
        curves=curves_scene(results, records),
        heat=heat_scene(experiment, effects),
        interplay=interplay_view(between, experiment) if between else None,
        interaction=interaction_scene(between, experiment) if between else None,
        maps=maps_scene(results, choice) if choice else None,
        preview=preview_of(results, choice) if choice else None,
        changes=changes_of(results),
        choice=choice,
        facts=facts_of(experiment, results, records),
        runs=runs_table(results),
        look=styles(experiment.recipes, experiment.baseline),
        experiment=experiment,
    )


def about(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """What the main table holds: its scores, test, correction and intervals, and what its verdicts are of."""
    first, every = primaries(effects), comparisons(effects)
    return (
        f"Scores on the test part. Differences to {experiment.baseline} by "
        f"{TESTS[type(experiment.declared_test).__name__]}. {opening(corrected_by(experiment, first, every - first))}; "
        f"equivalence is two one-sided tests within the margin, corrected likewise. {about_intervals(experiment)} "
        f"Every verdict holds {bounds(experiment)}."
    )


def read_records(results: Results) -> dict[str, RunRecord]:
    """Every record there is, by run id."""
    found = {cell.spec.id: results.run(cell.spec.id).record() for cell in results.cells}
    return {run_id: record for run_id, record in found.items() if record is not None}
