"""What the comparisons say: the answer in two sentences, each effect as a sentence of its own, and what varies.

The effects that answer are the pooled ones where there are several conditions, else those of the only one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.failures import most_failures
from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, listing, opening, p_phrase
from ablation.evidence.effects import OWN_RUNS
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.text import (
    MOST_NAMED,
    amount,
    bounds,
    chance,
    gain,
    interval,
    points,
    pooled_over,
    seed_word,
    seeds_text,
    signed,
    size,
    spanned,
    unit_text,
    value_text,
    verdict_text,
)

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.evidence.variance_sources import Sources

MOST_SEEDS = 100
"""More new seeds than this are nobody's next step."""

FEW_SEEDS = 5
"""With fewer the spread over seeds is known so badly that what it takes can only be guessed."""


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
    if len(answering) > MOST_NAMED:
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
    differences = [f"{effect.recipe} {signed(effect.estimate, effect.metric)}" for effect in tested]
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
        numbers = evidence(effect, experiment)
        size = points(abs(effect.estimate), effect.metric)
        parts.append(f"{effect.recipe} beats {experiment.baseline} by {size} ({numbers}){_partly(effect, effects)}")
    text = f"{opening(listing(parts), experiment.recipes)}{_scope(experiment, effects)}."
    best = opening(better[0].recipe, experiment.recipes)
    if 1 < len(better) <= MOST_NAMED:
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
            names = listing(effect.recipe for effect in alike) if len(alike) <= MOST_NAMED else several
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
    return f"{effect.recipe} {signed(effect.estimate, effect.metric)}{span}"


def _scope(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """', pooled over adam and sgd', or ', under adam' where there is only one condition."""
    names = list(dict.fromkeys(condition_text(effect.condition, experiment) for effect in effects if not effect.pooled))
    if len(names) == 1:
        return f", under {names[0]}"
    return f", pooled over {conditions_text(names, most=3)}"


def sentence(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """One effect by itself: the verdict with its numbers, where it holds, and what it would still take."""
    where = scope(effect, effects, experiment)
    if effect.verdict == "baseline":
        score = f"{METRICS[effect.metric].title} {value_text(effect.mean, effect.metric)}"
        return f"{effect.recipe} is the baseline: {score} ({seeds_text(effect, experiment)}{where})."
    if effect.note == OWN_RUNS:
        return f"{finding(effect, experiment)}."
    more = filter(None, (won(effect, experiment), picked(effect, effects), failures(effect), need(effect, experiment)))
    return f"{finding(effect, experiment)}{where}; {'; '.join([*more, bounds(experiment)])}."


def finding(effect: Effect, experiment: Experiment) -> str:
    """The verdict on one recipe with its numbers, without an end: 'crop beats none by 4.1 points of accuracy (...)'."""
    baseline, metric = experiment.baseline, effect.metric
    if math.isnan(effect.estimate):
        why = f"{effect.note or 'no scores'}: {seeds_text(effect, experiment)}"
        return f"{effect.recipe} cannot be compared with {baseline} ({why})"
    if effect.note == OWN_RUNS:
        return f"{effect.recipe} is {OWN_RUNS}"
    if effect.verdict in ("better", "worse"):
        numbers = evidence(effect, experiment)
        verb = "beats" if effect.verdict == "better" else "is worse than"
        return f"{effect.recipe} {verb} {baseline} by {amount(abs(effect.estimate), metric)} ({numbers})"
    difference = size(effect.estimate, metric, sign=True)
    if not math.isnan(effect.without_failed):
        without = size(effect.without_failed, metric, sign=True)
        seeds = f"n = {seeds_text(effect, experiment)}"
        numbers = (
            f"{difference} of {METRICS[metric].title} with the failed trainings, {without} without their seeds; {seeds}"
        )
        return f"{effect.recipe} has no verdict (difference {numbers}; {effect.note})"
    numbers = evidence(effect, experiment)
    if effect.verdict == "equivalent":
        within = size(experiment.margin, metric)
        return f"{effect.recipe} is equivalent to {baseline} within {within} (difference {difference}, {numbers})"
    why = f"; {effect.note.removeprefix('not tested: ')}" if effect.note else ""
    verdict = "is undecided" if verdict_text(effect) == "undecided" else f"has {verdict_text(effect)}"
    verdict = "is not tested" if verdict_text(effect) == "not tested" else verdict
    return f"{effect.recipe} {verdict} (difference {difference} of {METRICS[metric].title}, {numbers}{why})"


def evidence(effect: Effect, experiment: Experiment) -> str:
    """What stands behind an estimate: '95 % interval 2.2 to 6.0; Holm p = .002; n = 5 seeds'.

    Of a recipe that is better or worse the interval is in sizes, else with signs. An equivalence gives its own p.
    """
    toward = effect.estimate if effect.verdict in ("better", "worse") else 0
    parts = []
    if not math.isnan(effect.low):
        parts.append(spanned(effect.low, effect.high, experiment, toward))
    if effect.verdict == "equivalent":
        parts.append(f"equivalence {p_phrase(effect.p_equivalent, experiment.alpha)}")
    elif not math.isnan(effect.p_adjusted) and verdict_text(effect) != "not tested":
        parts.append(chance(effect.p_adjusted, experiment, compared=True))
    return "; ".join([*parts, f"n = {seeds_text(effect, experiment)}"])


def scope(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """', under adam', or ', pooled over adam and sgd': the conditions that have the recipe and the baseline.

    ', under adam alone' where only one has them.
    """
    if not effect.pooled:
        return f", under {condition_text(effect.condition, experiment)}"
    names = [
        condition_text(other.condition, experiment)
        for other in effects
        if other.recipe == effect.recipe and not other.pooled and (other.tested or other.verdict == "baseline")
    ]
    return f", under {names[0]} alone" if len(names) == 1 else f", pooled over {conditions_text(names)}"


def won(effect: Effect, experiment: Experiment) -> str:
    """In how many seeds the better of the two won: 'it was better in 5 of 5 seeds', 'the baseline was better in ...'.

    Nothing is concluded from the count: five of five leave a chance of 48 to 100 %.
    """
    if effect.verdict not in ("better", "worse"):
        return ""
    sign = gain(1 if effect.verdict == "better" else -1, effect.metric)
    shared = [seed for seed in effect.scores if seed in effect.baseline_scores]
    wins = sum(sign * (effect.scores[seed] - effect.baseline_scores[seed]) > 0 for seed in shared)
    who = "it" if effect.verdict == "better" else "the baseline"
    return f"{who} was better in {wins} of {len(shared)} {seed_word(experiment)}s" if shared else ""


def picked(effect: Effect, effects: Sequence[Effect]) -> str:
    """Of the best of several that are beside the baseline: what choosing it costs, '' for any other.

    'picked as the best of 4, so expect less when it is repeated: at most about 0.9 points'. At most, as being
    significant was a second choice, which the estimate does not allow for.
    """
    if effect.verdict != "better" or effect.beside < 2 or effect is not best_of(effect, effects):
        return ""
    expected = size(abs(effect.expected), effect.metric)
    shrinks = expected != size(abs(effect.estimate), effect.metric)
    text = f"picked as the best of {effect.beside}, so expect less when it is repeated"
    return f"{text}: at most about {expected}" if shrinks else f"{text}, if only a little"


def best_of(effect: Effect, effects: Sequence[Effect]) -> Effect:
    """The best recipe of the effect's condition, by its estimate."""
    beside = [one for one in effects if one.condition == effect.condition and not math.isnan(one.expected)]
    return max(beside, key=lambda one: gain(one.estimate, one.metric), default=effect)


def failures(effect: Effect) -> str:
    """What an equivalence may hide: 'none of its 5 trainings failed, but up to 45 % may (95 % confidence)'."""
    if effect.verdict != "equivalent" or not effect.trained or effect.failed:
        return ""
    most = round(100 * most_failures(0, effect.trained))
    return f"none of its {effect.trained} trainings failed, but up to {most} % may (95 % confidence)"


def chance_text(effect: Effect) -> str:
    """'100 (48 to 100)', in percent: of the shared seeds, with the interval of the chance; a dash for nan.

    The share is 0 or 100 only where that is exact.
    """
    won, low, high = (100 * share for share in (effect.p_better, effect.p_better_low, effect.p_better_high))
    if math.isnan(won + low + high):
        return NONE
    return f"{round(won) if won in (0, 100) else min(99, max(1, round(won)))} ({round(low)} to {round(high)})"


def need(effect: Effect, experiment: Experiment) -> str:
    """What an undecided recipe lacks: 'with 23 new seeds per recipe the chance to show a difference is about 80 %,
    ...'.

    Always of a new experiment: seeds that are added until a test decides, undo its error rate. Where training parts
    share photographs more seeds hardly help, and it says what does.
    """
    if not effect.decided_as:
        return ""
    really = f"if the difference really is {size(effect.estimate, effect.metric, sign=True)} and seeds vary as here"
    thing = seed_word(experiment)
    what = "equivalence" if effect.decided_as == "equivalent" else "a difference"
    ways = []
    if effect.decided_as != "neither" and effect.seeds_needed <= MOST_SEEDS:
        ways.append(f"{effect.seeds_needed:.0f} new {thing}s per recipe")
    if not math.isnan(effect.images_needed) and effect.decided_as != "equivalent":
        ways.append(f"{effect.images_needed:,.0f} test photographs and {effect.seeds} new {thing}s")
    if ways:
        rough = "very roughly" if effect.seeds < FEW_SEEDS else "about"
        return f"with {', or with '.join(ways)}, the chance to show {what} is {rough} 80 %, {really}"
    if effect.overlap:
        return (
            f"more seeds alone would hardly show {what}, {really}: their training parts share photographs; smaller "
            "training parts or more photographs would help"
        )
    return f"not even {MOST_SEEDS} new {thing}s per recipe would show {what} with a chance of 80 %, {really}"


def sources_text(sources: Sources, experiment: Experiment) -> str:
    """'One seed's difference to none has an sd of 0.9 points: 0.3 from the run, and 0.8 from which photographs ...'."""
    metric = experiment.metric
    text = f"One seed's difference to {experiment.baseline} has an sd of {size(sources.both, metric)}"
    if not math.isnan(sources.training):
        text += (
            f": {size(sources.run, metric)} from the run, and {size(sources.training, metric)} from which photographs "
            "are trained on"
        )
        if 0 < sources.run < sources.training:
            text += f", which matter {sources.training / sources.run:.1f} times as much"
    elif math.isnan(sources.run):
        text += ", from the run and which photographs are trained on together (runs_per_draw=2 would tell them apart)"
    else:
        text += " from the run; which photographs are trained on does not vary here"
    if math.isnan(sources.images):
        return f"{text}. Which photographs are tested on is not counted."
    return (
        f"{text}. Which photographs are tested on adds an sd of {size(sources.images, metric)} to the mean difference."
    )
