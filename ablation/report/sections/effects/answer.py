"""The answer in two sentences: what is better, and what became of the rest.

The effects that answer are the pooled ones where there are several conditions, else those of the only one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, listing, opening
from ablation.evidence.effects import OWN_RUNS, Effect
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.sections.effects.text import bounds, evidence, finding, picked, sentence
from ablation.report.text import interval, points, pooled_over, unit_text, verdict_text

MOST_NAMES = 6
"""Of recipes with one verdict that are named; more are counted."""


def question_of(experiment: Experiment) -> str:
    """The question that the grid asks, for an experiment without one in words."""
    others = [recipe for recipe in experiment.recipes if recipe != experiment.baseline]
    if not others:
        return f"How good is {experiment.baseline}?"
    question = f"Does {listing(others, 'or')} help" if len(others) <= 6 else f"Which of {len(others)} recipes helps"
    if len(experiment.optimizers) > 1:
        question += ", and does the answer survive a change of optimizer"
    return f"{question}?"


def deciding(effects: Sequence[Effect]) -> list[Effect]:
    """The effects that answer the question: the pooled ones where there are several conditions; not the baseline's."""
    pooled = [effect for effect in effects if effect.pooled] or list(effects)
    return [effect for effect in pooled if effect.verdict != "baseline"]


def sentences(experiment: Experiment, effects: Sequence[Effect]) -> tuple[str, ...]:
    """A sentence for each effect that answers; with many recipes, for those that are decided or have a note."""
    answering = deciding(effects)
    if len(answering) > MOST_NAMES:
        answering = [effect for effect in answering if verdict_text(effect) not in ("undecided", "not tested")]
    return tuple(sentence(effect, effects, experiment) for effect in answering)


def answer(experiment: Experiment, effects: Sequence[Effect]) -> tuple[str, ...]:
    """Two sentences; one where there is nothing to compare."""
    tested = deciding(effects)
    if not any(effect.seeds for effect in effects):
        planned = len(experiment.seed_numbers)
        return (f"No answer yet: no recipe has a finished run ({counted(planned, 'seed')} planned).",)
    if not tested:
        return (f"There is nothing to compare: {experiment.baseline} is the only recipe.",)
    if all(math.isnan(effect.estimate) for effect in tested):
        return ("No answer yet: no recipe has two finished seeds beside two of the baseline.",)
    if all(effect.note.startswith("no verdict under") for effect in tested):
        return _without_verdict(experiment, effects, tested)
    return _leading(experiment, effects, tested), _rest(experiment, tested)


def _without_verdict(experiment: Experiment, effects: Sequence[Effect], tested: list[Effect]) -> tuple[str, ...]:
    differences = [f"{effect.recipe} {points(effect.estimate, effect.metric, sign=True)}" for effect in tested]
    done = max(effect.seeds for effect in tested)
    return (
        f"No verdict: it takes {MIN_SEEDS} finished seeds, and there are {done}{_scope(experiment, effects)}.",
        f"So far, as differences to {experiment.baseline} in {unit_text(experiment.metric)}: {listing(differences)}; "
        "an impression, not evidence.",
    )


def _leading(experiment: Experiment, effects: Sequence[Effect], tested: list[Effect]) -> str:
    """What is better than the baseline, the largest gain first; or that nothing was shown to be."""
    better = [effect for effect in tested if effect.verdict == "better"]
    better.sort(key=lambda effect: -abs(effect.estimate))
    if not better:
        seeds = min(min(one.seeds, one.baseline_seeds) for one in tested if not math.isnan(one.estimate))
        what = f"{METRICS[experiment.metric].title} ({counted(seeds, 'seed')})"
        return f"No recipe is shown to be better than {experiment.baseline} in {what}{_scope(experiment, effects)}."
    parts = [finding(better[0], experiment) + _partly(better[0], effects)]
    for effect in better[1:]:
        numbers = evidence(effect, experiment, math.copysign(1, effect.estimate))
        size = points(abs(effect.estimate), effect.metric)
        parts.append(f"{effect.recipe} beats {experiment.baseline} by {size} ({numbers}){_partly(effect, effects)}")
    text = f"{opening(listing(parts), experiment.recipes)}{_scope(experiment, effects)}."
    best = opening(better[0].recipe, experiment.recipes)
    if 1 < len(better) <= MOST_NAMES:
        others = listing((effect.recipe for effect in better[1:]), "or")
        text += f" {best} is not shown to beat {others}: each was compared with {experiment.baseline} alone."
    if more := picked(better[0], effects):
        text += f" {best} was {more}."
    return text


def _rest(experiment: Experiment, tested: list[Effect]) -> str:
    """Every recipe that is not better, by verdict, and the bounds of it all."""
    parts = [finding(effect, experiment) for effect in tested if effect.verdict == "worse"]
    for verdict in ("equivalent", "undecided", "not tested"):
        alike = [effect for effect in tested if verdict_text(effect) == verdict]
        if len(alike) == 1:
            parts.append(finding(alike[0], experiment))
        elif alike:
            every = len(alike) == len(tested)
            several = f"{'all ' * every}{len(alike)} recipes"
            names = listing(effect.recipe for effect in alike) if len(alike) <= MOST_NAMES else several
            words = f"equivalent to {experiment.baseline}" if verdict == "equivalent" else verdict
            numbers = f" ({'; '.join(map(_brief, alike))})" if len(alike) <= 3 else ""
            parts.append(f"{names} are {words}{numbers}")
    without = [effect for effect in tested if verdict_text(effect) == "no verdict"]
    parts += [finding(effect, experiment) for effect in sorted(without, key=lambda effect: effect.note == OWN_RUNS)]
    if not parts:
        return f"No recipe is worse or undecided; all of this holds {bounds(experiment)}."
    return f"{opening('; '.join(parts), experiment.recipes)}; all of this holds {bounds(experiment)}."


def _partly(effect: Effect, effects: Sequence[Effect]) -> str:
    return f" {held}" if (held := pooled_over(effect, effects)) else ""


def _brief(effect: Effect) -> str:
    span = "" if math.isnan(effect.low) else f", {interval(effect.low, effect.high, effect.metric)}"
    return f"{effect.recipe} {points(effect.estimate, effect.metric, sign=True)}{span}"


def _scope(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """', pooled over adam and sgd', or ', under adam' where there is only one condition."""
    names = list(dict.fromkeys(condition_text(effect.condition, experiment) for effect in effects if not effect.pooled))
    if len(names) == 1:
        return f", under {names[0]}"
    return f", pooled over {conditions_text(names, most=3)}"
