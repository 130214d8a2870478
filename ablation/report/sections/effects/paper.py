"""What a table of effects says in a paper: rows, headings, a caption that stands alone, and notes.

Cells are plain text; in titles, caption and notes names are marked as names (`ablation.core.text.named`).
Numbers are written by `ablation.report.text`, as in the report. Knows neither LaTeX nor Markdown.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, named, opening, p_text, percent
from ablation.data.contents import left_out_words
from ablation.evidence.effects import comparisons, primaries
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_named
from ablation.report import text as wording
from ablation.report.section import Column, cells
from ablation.report.sections.effects.table import main_columns
from ablation.report.sections.effects.text import chance_text

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect

MARKS = "†‡§¶‖"


@dataclass(frozen=True)
class Sheet:
    """What a paper's table says.

    heads: key -> its heading in two lines. groups: a title and its rows, key -> cell; the titles are '' where there is
    only one. A row's "mark" points to notes and has no heading.
    """

    heads: dict[str, tuple[str, str]]
    groups: tuple[tuple[str, tuple[dict[str, str], ...]], ...]
    caption: str
    notes: tuple[str, ...]


def sheet(experiment: Experiment, effects: Sequence[Effect], left_out: int = 0) -> Sheet:
    """The table of a paper, a group of rows for each condition, then the pooled ones."""
    marks: dict[str, str] = {}
    columns = main_columns(experiment, effects)
    groups = [
        (_title(held[0], experiment), tuple(_row(effect, effects, marks, columns) for effect in held))
        for held in (list(held) for _, held in itertools.groupby(effects, key=lambda effect: effect.condition))
    ]
    notes = [f"{mark} {opening(note)}." for note, mark in marks.items()]
    notes += [f"Equivalence p: {p_values}."] if (p_values := _equivalences(experiment, effects)) else []
    notes += [f"{opening(left_out_words(left_out))}."] if left_out else []
    return Sheet(
        _heads(experiment, effects),
        tuple(groups) if len(groups) > 1 else tuple(("", rows) for _, rows in groups),
        " ".join(_caption(experiment, effects)),
        tuple(notes),
    )


def _title(effect: Effect, experiment: Experiment) -> str:
    return f"{'pooled over ' if effect.pooled else ''}{condition_named(effect.condition, experiment)}"


def _row(
    effect: Effect, effects: Sequence[Effect], marks: dict[str, str], columns: Mapping[str, Column]
) -> dict[str, str]:
    """The cells of one effect; `marks` grows by the notes that are new."""
    notes = [note for note in (effect.flag, effect.note, wording.pooled_over(effect, effects)) if note]
    for note in notes:
        marks.setdefault(note, MARKS[len(marks) % len(MARKS)] * (len(marks) // len(MARKS) + 1))
    return cells(columns, effect) | {
        "seeds": str(effect.seeds),
        "interval": wording.interval_text(effect, sign=False),
        "new": wording.difference_interval(effect.new_low, effect.new_high, effect.metric, sign=False),
        "p_better": chance_text(effect).replace(" to ", "\N{EN DASH}"),
        "mark": ",".join(marks[note] for note in notes),
    }


def _equivalences(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """The p-values that verdicts of equivalence rest on: 'flip .012 (adam), .034 (sgd)', with names marked as such."""
    by_recipe: dict[str, list[str]] = {}
    for effect in effects:
        if effect.verdict == "equivalent" and not effect.note:
            p = p_text(effect.p_equivalent, experiment.alpha)
            by_recipe.setdefault(effect.recipe, []).append(f"{p} ({_title(effect, experiment)})")
    return "; ".join(f"{named(recipe)} {', '.join(p_values)}" for recipe, p_values in by_recipe.items())


def _heads(experiment: Experiment, effects: Sequence[Effect]) -> dict[str, tuple[str, str]]:
    """The columns to show. Seeds only where rows differ in them, new photographs only where something is known."""
    unit = METRICS[experiment.metric].unit
    share = unit.replace("points", "%")
    span = f"{percent(1 - experiment.alpha)} interval"
    heads = {
        "recipe": ("", "recipe"),
        "seeds": ("", "n"),
        "mean": (METRICS[experiment.metric].title, f"± sd in {share}" if unit else "± sd"),
        "difference": ("difference", f"in {unit}" if unit else ""),
        "interval": (span, "simultaneous"),
        "new": (span, "new photos"),
        "p_adjusted": (wording.correction(experiment), "p"),
        "p_better": ("P(better)", "in %"),
        "failed": ("failed", "trainings"),
        "verdict": ("", "verdict"),
    }
    hidden = {"seeds"} if _same_seeds(effects) else set[str]()
    hidden |= set() if any(effect.failed for effect in effects) else {"failed"}
    hidden |= {"new"} if all(math.isnan(effect.new_low) for effect in effects) else set()
    return {key: head for key, head in heads.items() if key not in hidden}


def _same_seeds(effects: Sequence[Effect]) -> bool:
    counts = {(effect.seeds, effect.planned) for effect in effects}
    beside = {(effect.baseline_seeds, effect.planned) for effect in effects if effect.tested}
    return len(counts | beside) <= 1


def _caption(experiment: Experiment, effects: Sequence[Effect]) -> list[str]:
    """What a reviewer asks of such a table, a sentence each."""
    metric, test = experiment.metric, experiment.declared_test
    planned = counted(len(experiment.seed_numbers), "seed")
    seeds = wording.seeds_text(effects[0], experiment) if effects and _same_seeds(effects) else f"n of {planned}"
    seeds += " (those that the recipe shares with the baseline)" if test.paired and not _same_seeds(effects) else ""
    titles = {_title(effect, experiment) for effect in effects}
    where = f", under {titles.pop()}" if len(titles) == 1 else ""
    every, first = comparisons(effects), primaries(effects)
    compared = counted(every, "comparison")
    margin = wording.margin_text(experiment)
    no_interval = all(math.isnan(effect.new_low) for effect in effects)
    likewise = "corrected likewise" if wording.correction(experiment) == "adjusted" else "with Holm's correction"
    tost = f", equivalent within ±{margin} by two one-sided tests (Schuirmann 1987) {likewise}" if margin else ""
    each = " for each kind" if margin else f"; {wording.NO_MARGIN}"
    return [
        f"{opening(METRICS[metric].title)} on test images{' (lower is better)' * (METRICS[metric].lower_is_better)}, "
        f"mean ± sd over {seeds}, and its difference to the baseline {named(experiment.baseline)}{where}.",
        wording.about_intervals(experiment),
        *([] if no_interval else ["New photos: as if tested on other photographs too, not corrected."]),
        f"{opening(wording.correction(experiment))} p: two-sided, {wording.TESTS[type(test).__name__]}; {compared}, "
        f"{wording.corrected_by(experiment, first, every - first)}.",
        "P(better): the share of seeds in which the recipe is better than the baseline, with the interval of the "
        "chance that it is in a new seed.",
        f"Verdicts: better or worse by this p{tost}; family-wise error {percent(experiment.alpha)}{each}.",
        *(["Pooled: the mean over the conditions, by seed."] if any(effect.pooled for effect in effects) else []),
        f"All of this holds {wording.bounds(experiment)}.",
    ]
