"""Did it reduce overfitting? As a section: sentences, the scores on every part, and what is confused more or less."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablation.analysis.confusion import confused_order
from ablation.analysis.metrics import METRICS, reported
from ablation.core.text import NONE, counted, named, p_text, plain
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.study import Study
from ablation.experiment.record import Part
from ablation.report.section import Column, Figure, Rows, Section, Table, cells, headings
from ablation.report.sections.split_analysis.compute import RecipeParts, SplitAnalysis, largest, split_analysis_of
from ablation.report.sections.split_analysis.figure import ConfusionInfo, GapInfo, GapRow, draw_confusion, draw_gaps
from ablation.report.sections.split_analysis.text import PART_NAMES, answer, caution, question, reach, value_of
from ablation.report.style import shortened
from ablation.report.text import MOST_NAMED, among, amount, counting, interval, measure, points, shown, signed

MOST_PANELS, MOST_CLASSES, MOST_LINES = 6, 30, 30
"""Of the picture of what is confused, and recipes of that of the gaps."""

LONGEST = 40
"""Characters of a class's name in a sentence."""


def split_analysis(study: Study) -> Section | None:
    """None without a finished run of the baseline."""
    split = split_analysis_of(study)
    if split is None:
        return None
    gaps, pictures = _gap_figures(split), _confusion_figures(split)
    return Section(
        "split_analysis",
        "Did it reduce overfitting?",
        question(split),
        answer(split, study.command),
        (*gaps, *pictures),
        (*([table(split)] if "train" in split.parts else []), every_metric(split)),
        caution(split),
    )


def _largest_first(split: SplitAnalysis, most: int) -> list[RecipeParts]:
    """The baseline, then the recipes as in the experiment.

    Where they are more, those with a gap that is shown to differ come first, then those whose gap differs most.
    """
    if len(split.recipes) <= most:
        return list(split.rows)
    alpha = split.experiment.alpha
    return [split.baseline, *sorted(split.recipes, key=lambda row: (not row.shown(alpha), -reach(row)))]


def table(split: SplitAnalysis) -> Table:
    """A row a recipe: its score on each part, the gap, and the difference to the baseline's."""
    metric, experiment = split.metric, split.experiment

    def score(part: Part) -> Column:
        return PART_NAMES[part], lambda row: points(value_of(row.values, part, metric), metric)

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda row: row.recipe),
        "verdict": ("gap is", lambda row: verdict(row, experiment.alpha)),
        "difference": (
            counting("difference", metric), lambda row: signed(row.effect.estimate, metric) if row.effect else NONE
        ),
        "gap": ("gap", lambda row: points(row.gap(metric), metric)),
    }  # fmt: skip
    columns |= {part: score(part) for part in sorted(split.parts, key=lambda part: part == "val")}
    columns |= {
        "interval": ("interval", lambda row: _interval(row, metric)),
        "p": ("Holm p", lambda row: _p(row, experiment.alpha)),
    }
    family = counted(len(split.recipes), "recipe")
    caption = (
        f"Mean {measure(metric)} over runs, and the gap. Difference: of the gap to that of "
        f"{named(experiment.baseline)}, below 0 where it is smaller. Intervals are simultaneous (Bonferroni); p is "
        f"after Holm's correction over {family}, and may be sharper than the interval."
    )
    short = {"train": "train", "val": "val.", "difference": "diff."}
    rows = []
    for row in _largest_first(split, MOST_LINES):
        note = row.effect.note if row.effect else ""
        rows.append(cells(columns, row) | ({"note": note} if note else {}))
    return Table(
        headings(columns), (Rows(tuple(rows)),), caption,
        keep=("verdict", "difference", "gap"), spare=("val", "interval", "p"), short=short,
    )  # fmt: skip


def verdict(row: RecipeParts, alpha: float) -> str:
    """'smaller' or 'wider' where a difference of the gap is shown; else as verdicts are called everywhere."""
    if row.effect is None or row.effect.note == OWN_RUNS:
        return "baseline"
    if row.effect.note:
        return "no verdict"
    if not row.shown(alpha):
        return "undecided"
    return "smaller" if row.effect.estimate < 0 else "wider"


def _interval(row: RecipeParts, metric: str) -> str:
    return NONE if row.effect is None or row.effect.note else interval(row.effect.low, row.effect.high, metric)


def _p(row: RecipeParts, alpha: float) -> str:
    return NONE if row.effect is None or row.effect.note else p_text(row.effect.p_adjusted, alpha)


def every_metric(split: SplitAnalysis) -> Table:
    """Every metric on every part, with and without each recipe."""

    def score(part: Part, metric: str) -> Column:
        return PART_NAMES[part], lambda row: points(value_of(row.values, part, metric), metric)

    def change(part: Part, metric: str) -> Column:
        def cell(row: RecipeParts) -> str:
            if row is split.baseline:
                return NONE
            return signed(value_of(row.values, part, metric) - value_of(row.baseline, part, metric), metric)

        return f"± {PART_NAMES[part]}", cell

    parts = sorted(split.parts, key=("test", "train", "val").index)

    def columns(metric: str) -> dict[str, Column]:
        made: dict[str, Column] = {"recipe": ("recipe", lambda row: row.recipe)}
        made["gap"] = ("gap", lambda row: points(row.gap(metric), metric))
        for part in parts:
            made |= {part: score(part, metric), f"{part} change": change(part, metric)}
        return made

    metrics = reported(split.experiment.metric)
    rows = _largest_first(split, MOST_LINES // len(metrics))
    groups = tuple(Rows.of(columns(name), rows, measure(name)) for name in metrics)
    caption = (
        f"Means over runs. ±: difference to {named(split.experiment.baseline)}. Gap: above 0 where the training score "
        "is the better one. Nothing in this table is tested."
    )
    short = {"train": "train", "val": "val."} | {f"{part} change": "±" for part in parts}
    summary = f"Every metric on every part: {counted(len(metrics), 'metric')}"
    return Table(
        headings(columns(split.metric)), groups, caption,
        keep=("gap", "test", "test change"), spare=("val", "val change"), short=short, folded=summary,
    )  # fmt: skip


def _gap_figures(split: SplitAnalysis) -> list[Figure]:
    metric, title = split.metric, METRICS[split.metric].title
    known = [row for row in _largest_first(split, MOST_LINES) if not math.isnan(row.gap(metric))]
    drawn = known[: MOST_LINES + 1]
    if not drawn:
        return []
    rows = tuple(
        GapRow(
            row.recipe,
            shown(row.values["train"][metric], metric),
            shown(row.values["test"][metric], metric),
            points(row.gap(metric), metric),
            _difference(row, metric),
        )
        for row in drawn
    )
    caption = (
        f"{_smallest(split, known)} The hollow mark is the mean {title} on the training part, the filled one that on "
        f"the test part, and the line between them the gap. On the right stands its difference to that of "
        f"{named(split.experiment.baseline)}, with the simultaneous interval."
    )
    if len(drawn) < len(known):
        caption += (
            f" Drawn are {MOST_LINES} of {len(split.recipes)} recipes: first those whose gap is shown to differ, then "
            "those whose gap differs most."
        )
    return [Figure(GapInfo(rows, measure(metric)), draw_gaps, _gaps_in_words(rows, measure(metric)), caption)]


def _smallest(split: SplitAnalysis, rows: Sequence[RecipeParts]) -> str:
    """'The gap is smallest with “crop” (9.1 points of accuracy) and widest with “none” (12.1).'"""
    metric = split.metric
    least, most = (end(rows, key=lambda row: row.gap(metric)) for end in (min, max))
    first, last = (points(row.gap(metric), metric) for row in (least, most))
    if first == last:
        which = "every recipe" if len(rows) > 1 else named(least.recipe)
        return f"The gap is {amount(least.gap(metric), metric)} with {which}."
    return (
        f"In these runs the gap is smallest with {named(least.recipe)} ({amount(least.gap(metric), metric)}) and "
        f"widest with {named(most.recipe)} ({last})."
    )


def _gaps_in_words(rows: Sequence[GapRow], unit: str) -> str:
    """The numbers of the picture, of the first rows where they are many."""
    texts = [f"{plain(f'{named(row.name)}:')} gap {row.gap}" for row in rows[: MOST_NAMED + 1]]
    rest = f" and {len(rows) - len(texts)} more" if len(rows) > len(texts) else ""
    return f"Training and test {unit} of each recipe on a line, with the gap between them. {'; '.join(texts)}{rest}"


def _difference(row: RecipeParts, metric: str) -> str:
    if row.effect is None or math.isnan(row.effect.estimate):
        return ""
    known = _interval(row, metric)
    return signed(row.effect.estimate, metric) + ("" if known == NONE else f"  [{known}]")


def confusion_info(split: SplitAnalysis) -> ConfusionInfo | None:
    """The recipes and classes with the largest changes, confused classes side by side; None where nothing changes."""
    drawn = split.moved[:MOST_PANELS]
    if not drawn or len(split.classes) < 2:
        return None
    changes = np.nan_to_num([row.change for row in drawn])
    most = np.argsort(-np.abs(changes).sum(axis=2).max(axis=0), kind="stable")[:MOST_CLASSES]
    picked = np.sort(most)
    order = picked[confused_order(split.confusion[np.ix_(picked, picked)])]
    names = tuple(split.classes[label] for label in order)
    kept = [row for row in split.recipes if row in drawn]
    return ConfusionInfo(names, {row.recipe: 100 * row.change[np.ix_(order, order)] for row in kept})  # type: ignore[index]


def _confusion_figures(split: SplitAnalysis) -> list[Figure]:
    info = confusion_info(split)
    if info is None:
        return []
    baseline = named(split.experiment.baseline)
    text = (
        f"{_largest_change(split)} Each panel is the change of the confusion matrix on the test part against "
        f"{baseline}: of each true class, how much larger a share of its images is predicted to be each class, in "
        f"points, mean over runs. Classes that are confused with {baseline} stand together. No cell is tested."
    )
    if len(split.moved) > MOST_PANELS:
        text += f" Drawn are the {MOST_PANELS} of {len(split.moved)} recipes with the largest changes."
    if len(info.classes) < len(split.classes):
        text += f" Drawn are the {len(info.classes)} of {len(split.classes):,} classes whose rows change most."
    alt = (
        f"Heat maps of how the confusion matrix changes, for {among(list(info.changes), 'recipe')}, "
        f"{counted(len(info.classes), 'class', 'classes')} each, true classes in lines and predicted ones in columns"
    )
    return [Figure(info, draw_confusion, plain(alt), text)]


def _largest_change(split: SplitAnalysis) -> str:
    """'The largest change: with “crop” images of class “1” are classified correctly more often, by 6.9 points.'"""
    row = split.moved[0]
    assert row.change is not None
    true, guess = (int(i) for i in np.unravel_index(np.nanargmax(np.abs(row.change)), row.change.shape))
    shorter = (shortened(split.classes[label], LONGEST) for label in (true, guess))
    true_name, guess_name = (named(name, recipe=False) for name in shorter)
    predicted = "classified correctly" if true == guess else f"predicted to be {guess_name}"
    more = "more" if row.change[true, guess] > 0 else "less"
    return (
        f"The largest change: with {named(row.recipe)} images of class {true_name} are {predicted} {more} often, by "
        f"{100 * largest(row.change):.1f} points."
    )
