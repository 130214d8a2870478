"""The report model: everything that will be told, computed, before anything is drawn or formatted.

Whatever draws it (HTML, later PDF) needs no other input than a `Report`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.evidence.alarms import alarms
from ablation.evidence.effects import Effect, comparisons, primaries
from ablation.evidence.interplay import interplay
from ablation.evidence.sources import sources
from ablation.experiment import Experiment
from ablation.figures.preview import PreviewInfo
from ablation.figures.style import Style, styles
from ablation.record import RunRecord
from ablation.report.answer import answer, question_of, sentences
from ablation.report.details import detail_headers, details
from ablation.report.doses_view import doses_told
from ablation.report.facts import TESTS, Facts, RunsTable, facts_of, runs_table
from ablation.report.interplay_view import InterplayView, interaction_scene, interplay_view
from ablation.report.operations_view import operations_told
from ablation.report.scenes import Scene, curves_scene, forest_scene, heat_scene
from ablation.report.sentences import bounds
from ablation.report.sizes_view import sizes_told
from ablation.report.sources_wording import sources_text
from ablation.report.told import Told
from ablation.report.views import Choice, changes_of, chosen_runs, maps_scene, preview_of
from ablation.report.wording import (
    about_intervals,
    condition_text,
    corrected_by,
    headers,
    opening,
    points,
    pooled_over,
    row,
    verdict_text,
)
from ablation.results import Results


@dataclass(frozen=True)
class Group:
    """The table's rows of one condition, or pooled over all."""

    title: str
    pooled: bool
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class VerdictGrid:
    """recipe -> for each column (verdict, difference); recipes by conditions, the last column pooled."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


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


def groups_of(experiment: Experiment, effects: Sequence[Effect]) -> tuple[Group, ...]:
    """The effects as tables, a group a condition in the order of the experiment, the pooled ones last."""
    by_title: dict[tuple[str, bool], list[Any]] = {}
    for effect in effects:
        told = row(effect, experiment.alpha)
        told["note"] = "; ".join(filter(None, (pooled_over(effect, effects), told["note"])))
        by_title.setdefault((title_of(effect, effects, experiment), effect.pooled), []).append(told)
    return tuple(Group(title, pooled, tuple(rows)) for (title, pooled), rows in by_title.items())


def detail_groups_of(experiment: Experiment, effects: Sequence[Effect]) -> tuple[Group, ...]:
    """The same with what stands behind each verdict."""
    by_title: dict[tuple[str, bool], list[Mapping[str, str]]] = {}
    for effect in effects:
        by_title.setdefault((title_of(effect, effects, experiment), effect.pooled), []).append(details(effect))
    return tuple(Group(title, pooled, tuple(rows)) for (title, pooled), rows in by_title.items())


def title_of(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """A condition as a heading: 'adam', or 'pooled over 3 conditions'."""
    if not effect.pooled:
        return condition_text(effect.condition, experiment)
    return f"pooled over {len({tuple(other.condition.items()) for other in effects if not other.pooled})} conditions"


def verdict_grid(experiment: Experiment, effects: Sequence[Effect]) -> VerdictGrid | None:
    """Does a verdict hold under each condition? None under one condition, or without a difference."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    columns: dict[str, None] = {}
    for effect in effects:
        column = "pooled" if effect.pooled else condition_text(effect.condition, experiment)
        columns[column] = None
        if effect.verdict != "baseline":
            told = (verdict_text(effect), points(effect.estimate, effect.metric, sign=True))
            found.setdefault(effect.recipe, {})[column] = told
    if len(columns) < 2 or all(math.isnan(effect.estimate) for effect in effects):
        return None
    rows = tuple((recipe, tuple(told.get(column, ("", "")) for column in columns)) for recipe, told in found.items())
    return VerdictGrid(tuple(columns), rows)
