"""The answer on one screen, as `ablation run` ends and `ablation compare` begins: a sentence, a line a recipe, alarms.

Computes no statistics. What takes more room than a screen is counted, and where to read it is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ablation.cli.console import console, height, say, say_line, warn
from ablation.cli.messages import message
from ablation.cli.sections import fitting, show_table
from ablation.core.errors import attempt
from ablation.core.text import counted, listing, named, opening, out_of, percent, plain
from ablation.evidence.effects import Effect
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.section import Column, Rows, Table, headings
from ablation.report.sections.effects.text import deciding, lead, need
from ablation.report.text import (
    SYMBOL,
    bounds,
    counting,
    difference_text,
    gain,
    interval_text,
    measure,
    points,
    pooled_over,
    verdict_text,
)

LINES = 15
"""Of a screen: the answer, the recipes, the alarms, and what comes next."""

FEWEST = 3
"""Recipes that have their line however many alarms there are; the baseline has one, too."""

MARKS = SYMBOL | {"no verdict": SYMBOL["not tested"]}
"""A sign for each verdict; an ellipsis would look like something that was cut."""

TOO_FEW = "no verdict under"
"""How a note begins that there are too few seeds."""

ORDER = ("better", "undecided", "equivalent", "not tested", "no verdict", "worse")


def show_screen(study: Study, alarms: Sequence[str], compare: str, then: str) -> None:
    """Print what the runs mean in at most `LINES` lines. What cannot be shown costs a warning, and no run.

    alarms: what makes the results less than was planned, the worst first. compare, then: the command lines that show
    all of it, and that come next.
    """

    def show(rows: int, warnings: int) -> None:
        attempt("what the runs mean", partial(show_verdicts, study, rows, compare), None, warn)
        for alarm in alarms[:warnings]:
            warn(alarm)
        if more := len(alarms) - warnings:
            warn(f"{counted(more, 'more warning')}: `{compare}`")
        say_line(f"next: {then}")

    def lines(rows: int, warnings: int) -> int:
        of_alarms = sum(len(message("warning", plain(alarm))) for alarm in alarms[:warnings])
        below = of_alarms + (warnings < len(alarms)) + 1
        return height(partial(show_verdicts, study, rows, compare)) - 1 + below  # an empty line is above the screen

    def chosen() -> tuple[int, int]:
        every, warnings = len(_ranked(study.effects)), len(alarms)
        rows = min(every, LINES)
        while rows > FEWEST and lines(rows, warnings) > LINES:
            rows -= 1
        if rows == every - 1 and lines(every, warnings) <= lines(rows, warnings):
            rows = every  # "1 more" takes as much room as the one
        while warnings > 1 and lines(rows, warnings) > LINES:
            warnings -= 1
        return rows, warnings

    show(*attempt("how much a screen holds", chosen, (FEWEST, len(alarms)), lambda problem: None))


def show_verdicts(study: Study, most: int | None = None, compare: str = "") -> None:
    """Print the answer in a sentence, a line for each recipe, the best first, and what it holds for.

    most: recipes beside the baseline; None: all. compare: the command line that shows more.
    """
    experiment, effects = study.experiment, study.effects
    console.print()
    say(lead(experiment, effects), "bold")
    ranked = _ranked(effects)
    shown = ranked[:most]
    if not shown:
        return
    base = [one for one in effects if one.verdict == "baseline" and one.condition == shown[0].condition]
    show_table(table_of(experiment, effects, [*shown, *base]), spaced=False)
    if len(shown) < len(ranked):
        say(f"{_kinds(ranked[len(shown) :])}: {compare}", "dim")
    if any(verdict_text(effect) != "no verdict" for effect in ranked):
        say(f"Holds {bounds(experiment)}.", "dim")
    if sharper := _sharper(shown):
        say(sharper, "dim")
    if then := _undecided(experiment, ranked):
        say(then)


def _sharper(shown: Sequence[Effect]) -> str:
    """Why a recipe is better or worse though its interval reaches 0, where that is so; else ''."""
    crossing = [
        effect for effect in shown if verdict_text(effect) in ("better", "worse") and effect.low <= 0 <= effect.high
    ]
    if not crossing:
        return ""
    recipes = listing(named(effect.recipe) for effect in crossing)
    return f"{recipes}: the test decides, which is sharper than the simultaneous interval."


def _undecided(experiment: Experiment, ranked: Sequence[Effect]) -> str:
    """What would decide it where all that was judged is undecided: of the recipe with the most gain; else ''."""
    judged = [effect for effect in ranked if verdict_text(effect) != "no verdict"]
    if not judged or any(verdict_text(effect) != "undecided" for effect in judged):
        return ""
    best, lacks = judged[0], need(judged[0], experiment)
    if lacks.startswith("with "):
        return f"What next, for {named(best.recipe)}: {lacks}."
    smaller = ", or smaller training parts that share none, as of Redrawn()" * (best.overlap > 0)
    return f"What next: more photographs{smaller}; more seeds alone would hardly decide {named(best.recipe)}."


def table_of(experiment: Experiment, effects: Sequence[Effect], shown: Sequence[Effect]) -> Table:
    """A row for each of the effects shown: sign and name, difference, interval, verdict; the score where it fits."""
    metric = experiment.metric
    too_few = all(effect.note.startswith(TOO_FEW) for effect in deciding(effects))  # as the lead says

    def note(effect: Effect) -> str:
        missing = out_of(effect.seeds, effect.planned, "seed") if 0 < effect.seeds < effect.planned else ""
        why = "" if too_few else effect.note
        return opening("; ".join(filter(None, (missing, pooled_over(effect, effects), effect.flag, why))))

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda effect: f"{MARKS[verdict_text(effect)]} {effect.recipe}"),
        "mean": (measure(metric), lambda effect: points(effect.mean, metric)),
        "difference": (counting("difference", metric), difference_text),
        "interval": (f"{percent(1 - experiment.alpha)} interval", interval_text),
        "verdict": ("verdict", verdict_text),
    }
    cells = columns | {"name": ("", lambda effect: effect.recipe), "note": ("", note)}
    keep = ("recipe", "difference", "interval", "verdict")
    table = Table(headings(columns), (Rows.of(cells, shown),), keep=keep, spare=("mean",))
    fits = "mean" in fitting(table, table.groups[0].rows, console.width)
    return table if fits else replace(table, headers={key: table.headers[key] for key in keep})


def _ranked(effects: Sequence[Effect]) -> list[Effect]:
    """The effects that answer, by verdict and then by gain; none where nothing is known of any."""
    answering = [effect for effect in deciding(effects) if effect.seeds]

    def rank(effect: Effect) -> tuple[int, float]:
        loss = math.inf if math.isnan(effect.estimate) else -gain(effect.estimate, effect.metric)
        return ORDER.index(verdict_text(effect)), loss

    return sorted(answering, key=rank)


def _kinds(effects: Sequence[Effect]) -> str:
    """'9 more (3 undecided, 6 worse)'."""
    verdicts = [verdict_text(effect) for effect in effects]
    kinds = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ORDER if verdict in verdicts)
    return f"{len(effects):,} more ({kinds})"
