"""What the comparisons say: the answer in short sentences, each effect as a sentence of its own, and what varies.

The effects that answer are the pooled ones where there are several conditions, else those of the only one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.failures import most_failures
from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, listing, named, opening, p_phrase
from ablation.data.split import KFold, Redrawn
from ablation.evidence.effects import OWN_RUNS
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_named, conditions_text
from ablation.report.openings import not_judged
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    bounds,
    chance,
    difference_interval,
    digits_of,
    gain,
    margin_text,
    points,
    pooled_over,
    possible,
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
        return f"How good is {named(experiment.baseline)}?"
    several = len(others) > MOST_NAMED
    question = f"Which of {len(others)} recipes helps" if several else f"Does {listing(map(named, others), 'or')} help"
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
    gathered = _hopeless(answering)
    said = [sentence(one, effects, experiment, not any(one in group for group in gathered)) for one in answering]
    return (*said, *(f"{opening(_lacking(group, experiment))}." for group in gathered))


def _hopeless(answering: Sequence[Effect]) -> list[list[Effect]]:
    """The undecided recipes that no number of seeds would decide, alike in why: said once for all of a group."""
    every = [effect for effect in answering if effect.decided_as and not _ways(effect, "seed")]
    groups = [[effect for effect in every if bool(effect.overlap) == shared] for shared in (True, False)]
    return [group for group in groups if len(group) > 1]


def _lacking(group: Sequence[Effect], experiment: Experiment) -> str:
    """What `need` says, of several recipes at once."""
    which, really = listing(named(one.recipe) for one in group), "if the differences really are as observed here"
    if group[0].overlap:
        return f"more seeds alone would hardly decide {which}, {really}: {_instead(experiment)}"
    return (
        f"not even {MOST_SEEDS} new {seed_word(experiment)}s per recipe would decide {which} with a chance of 80 %, "
        f"{really} and seeds vary as here"
    )


def _instead(experiment: Experiment) -> str:
    """Why more seeds are of no use, and what would be."""
    folds = any(isinstance(one, KFold) for one in experiment.levels("split").values())
    smaller = f"Smaller training parts{', as split=Redrawn(0.13, 0.1, 0.25) draws them,' * folds}"
    return f"their training parts share photographs. {smaller} or more photographs would help"


def answer(experiment: Experiment, effects: Sequence[Effect]) -> tuple[str, ...]:
    """Short sentences, the answer first: what is better, then all the rest, and last what it holds for."""
    tested = deciding(effects)
    if not any(effect.seeds for effect in effects):
        planned = counted(len(experiment.seed_numbers), "seed")
        return (f"No answer yet: no recipe has a finished run with a finite score ({planned} planned).",)
    if not tested:
        return (f"There is nothing to compare: {named(experiment.baseline)} is the only recipe.",)
    if all(math.isnan(effect.estimate) for effect in tested):
        return ("No answer yet: no recipe has two finished seeds beside two of the baseline.",)
    if all(effect.note.startswith("no verdict under") for effect in tested):
        return _without_verdict(experiment, effects, tested)
    but = _but(experiment, effects)
    holds = f"All {'else' if but else 'of this'} is {_scope(experiment, effects)}, and holds {bounds(experiment)}."
    leading, rest = _leading(experiment, effects, tested), _rest(experiment, effects, tested)
    return *leading, *filter(None, [but]), *rest, holds


def lead(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """The answer in one line: what is better; where nothing is, that first, and then what is worse.

    Where nothing could be judged it says so, and why.
    """
    short = short_answer(experiment, effects)
    if not short:
        return " ".join(filter(None, [answer(experiment, effects)[0], _but(experiment, effects)]))
    verdicts = {effect.verdict for effect in deciding(effects) if verdict_text(effect) != "no verdict"}
    if "better" in verdicts or "worse" not in verdicts:
        return short
    return f"No recipe is shown to be better than {named(experiment.baseline)}. {short}"


def first_named(judged: Sequence[Effect]) -> Effect:
    """Of the effects with a verdict that which the lead names first; where it names none, the one with most gain."""
    for verdict in ("better", "worse"):
        if alike := _ranked(effect for effect in judged if effect.verdict == verdict):
            return alike[0]
    return max(judged, key=lambda effect: gain(effect.estimate, effect.metric))


def short_answer(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """What is better and what is worse in one sentence without numbers, as a caption begins; '' without a verdict.

    Behind it stand the recipes without a verdict, and those of which a condition by itself says the contrary.
    """
    judged = [effect for effect in deciding(effects) if verdict_text(effect) != "no verdict"]
    if not judged:
        return ""
    baseline = named(experiment.baseline)
    clauses: list[str] = []
    scope = _scope(experiment, effects)
    for verdict in ("better", "worse"):
        if alike := _ranked(effect for effect in judged if effect.verdict == verdict):
            scope = "pooled over the conditions that have the recipe" if _any_partly(alike, effects) else scope
            be = "is" if len(alike) == 1 else "are"
            than = f"than {baseline}" if not clauses else ""
            clauses.append(f"{among([effect.recipe for effect in alike], 'recipe')} {be} {verdict} {than}".strip())
    if not clauses:
        clauses = [f"No recipe is shown to be better or worse than {baseline}"]
    found = [f"{', and '.join(clauses)}, {scope}.", _but(experiment, effects), _without(effects)]
    return " ".join(filter(None, found))


def _without(effects: Sequence[Effect]) -> str:
    """'“crop” has no verdict.'; '' where all that differ from the baseline have one."""
    without = [effect.recipe for effect in deciding(effects) if verdict_text(effect) == "no verdict"]
    own = {effect.recipe for effect in effects if effect.note == OWN_RUNS}
    names = [recipe for recipe in without if recipe not in own]
    return f"{among(names, 'recipe')} {'has' if len(names) == 1 else 'have'} no verdict." if names else ""


def _but(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """'But “crop” is worse under “sgd”.': what conditions by themselves say against the pooled verdicts; or ''."""
    found = {effect.recipe: contrary(effect, effects, experiment) for effect in deciding(effects)}
    against = [f"{named(recipe)} is {words}" for recipe, words in found.items() if words]
    if len(against) > MOST_NAMED:
        return f"But under a condition by itself {len(against)} recipes have another verdict."
    return f"But {'; '.join(against)}." if against else ""


def contrary(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """'worse under “sgd”' of a recipe that is not so when pooled over conditions; '' where none says another thing."""
    verdicts = {"better", "worse"} - {effect.verdict} if effect.pooled else ()
    held = {verdict: _under(effect.recipe, verdict, effects, experiment) for verdict in sorted(verdicts)}
    return " and ".join(f"{verdict} under {conditions_text(under)}" for verdict, under in held.items() if under)


def _under(recipe: str, verdict: str, effects: Sequence[Effect], experiment: Experiment) -> list[str]:
    """The conditions under which the recipe has this verdict by itself."""
    return [
        condition_named(effect.condition, experiment)
        for effect in effects
        if not effect.pooled and (effect.recipe, effect.verdict) == (recipe, verdict)
    ]


def by_condition(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """Under which conditions which recipes are better, and worse; the short answer where there is one condition."""
    single = [effect for effect in effects if not effect.pooled]
    conditions = list(dict.fromkeys(condition_named(effect.condition, experiment) for effect in single))
    if len(conditions) < 2 or not short_answer(experiment, effects):
        return short_answer(experiment, effects)
    better = dict.fromkeys(effect.recipe for effect in single if effect.verdict == "better")
    claimed = [*better, *(effect.recipe for effect in deciding(effects) if effect.verdict == "better")]
    worse = {recipe: _under(recipe, "worse", effects, experiment) for recipe in claimed}
    against = [f"{named(recipe)} is worse under {conditions_text(under)}" for recipe, under in worse.items() if under]
    but = f"But {'; '.join(against)}." if 0 < len(against) <= MOST_NAMED else ""
    under_which = {recipe: _under(recipe, "better", effects, experiment) for recipe in better}
    return " ".join(filter(None, [_better_under(experiment, conditions, under_which), but]))


def _better_under(experiment: Experiment, conditions: Sequence[str], better: Mapping[str, list[str]]) -> str:
    """A sentence. better: recipe -> the conditions under which it is better."""
    baseline = named(experiment.baseline)
    if not better:
        return f"Under no condition by itself is a recipe shown to be better than {baseline}."
    if len(better) > MOST_NAMED:
        return f"Condition by condition, {len(better)} recipes are better than {baseline} under one or more."
    if all(len(under) == len(conditions) for under in better.values()):
        are = "is" if len(better) == 1 else "are"
        return f"Under each condition by itself, {listing(map(named, better))} {are} better than {baseline}."
    who = [
        f"{named(recipe)} (under {'each' if len(under) == len(conditions) else conditions_text(under)})"
        for recipe, under in better.items()
    ]
    return f"Condition by condition, {listing(who)} {'is' if len(who) == 1 else 'are'} better than {baseline}."


def _ranked(effects: Iterable[Effect]) -> list[Effect]:
    """The largest difference first."""
    return sorted(effects, key=lambda effect: -abs(effect.estimate))


def _without_verdict(experiment: Experiment, effects: Sequence[Effect], tested: list[Effect]) -> tuple[str, ...]:
    differences = [f"{named(effect.recipe)} {signed(effect.estimate, effect.metric)}" for effect in tested]
    done = max(effect.seeds for effect in tested)
    return (
        f"No verdict yet: it takes {MIN_SEEDS} finished seeds, and there are {done}.",
        f"So far, as differences to {named(experiment.baseline)} in {unit_text(experiment.metric)}, "
        f"{_scope(experiment, effects)}: {listing(differences)}.",
        "This is an impression, not evidence.",
    )


def _leading(experiment: Experiment, effects: Sequence[Effect], tested: list[Effect]) -> list[str]:
    """What is better than the baseline, the largest gain first; or that nothing was shown to be."""
    better, baseline = _ranked(effect for effect in tested if effect.verdict == "better"), named(experiment.baseline)
    if all(verdict_text(effect) == "no verdict" for effect in tested):
        return [not_judged({effect.recipe: effect.note.partition(": ")[0] for effect in tested})]
    if not better:
        seeds = min(min(one.seeds, one.baseline_seeds) for one in tested if not math.isnan(one.estimate))
        what = f"{METRICS[experiment.metric].title} ({counted(seeds, 'seed')})"
        return [f"No recipe is shown to be better than {baseline} in {what}."]
    said = _each(experiment, effects, better)
    best = named(better[0].recipe)
    if 1 < len(better) <= MOST_NAMED:
        others = listing((named(effect.recipe) for effect in better[1:]), "or")
        said.append(f"{best} is not shown to beat {others}: each was compared with {baseline} alone.")
    if more := picked(better[0], effects):
        said.append(f"{best} {more.removeprefix('it ')}.")
    return said


def _each(experiment: Experiment, effects: Sequence[Effect], alike: Sequence[Effect]) -> list[str]:
    """A sentence for each effect, the first `MOST_NAMED` of many; all of them have the same verdict."""
    said = [f"{finding(effect, experiment)}{_partly(effect, effects)}." for effect in alike[:MOST_NAMED]]
    if more := alike[MOST_NAMED:]:
        ends = more[-1], more[0]
        sizes = dict.fromkeys(points(abs(one.estimate), one.metric, digits=digits_of(one)) for one in ends)
        by = f"{' to '.join(sizes)} {unit_text(experiment.metric)}"
        are = f"{counted(len(more), 'more recipe')} {'is' if len(more) == 1 else 'are'}"
        said.append(f"{are} {alike[0].verdict}, by {by}: see the table.")
    return said


def _rest(experiment: Experiment, effects: Sequence[Effect], tested: list[Effect]) -> list[str]:
    """Every recipe that is not better, by verdict."""
    said = _each(experiment, effects, _ranked(effect for effect in tested if effect.verdict == "worse"))
    for verdict in ("equivalent", "undecided", "not tested"):
        alike = [effect for effect in tested if verdict_text(effect) == verdict]
        if len(alike) == 1:
            said += [f"{finding(alike[0], experiment)}{_partly(alike[0], effects)}."]
        elif alike:
            said.append(_alike(experiment, verdict, alike, len(alike) == len(tested)))
    without = [effect for effect in tested if verdict_text(effect) == "no verdict"]
    said += [f"{finding(one, experiment)}." for one in sorted(without, key=lambda effect: effect.note == OWN_RUNS)]
    return said or ["No recipe is worse or undecided."]


def _alike(experiment: Experiment, verdict: str, alike: Sequence[Effect], every: bool) -> str:
    """'Undecided: “crop” (+0.4 points, -1.1 to +1.9) and “hue” (...).'; many have no numbers, or no names."""
    words = verdict
    if verdict == "equivalent":
        words = f"equivalent to {named(experiment.baseline)} within {margin_text(experiment)}"
    if len(alike) > MOST_NAMED:
        return f"{'All ' * every}{len(alike)} recipes are {words}."
    brief = len(alike) <= 3
    return f"{opening(words)}: {listing(_brief(one) if brief else named(one.recipe) for one in alike)}."


def _partly(effect: Effect, effects: Sequence[Effect]) -> str:
    return f", {held}" if (held := pooled_over(effect, effects)) else ""


def _any_partly(several: Iterable[Effect], effects: Sequence[Effect]) -> bool:
    return any(pooled_over(effect, effects) for effect in several)


def _brief(effect: Effect) -> str:
    span = "" if math.isnan(effect.low) else f", {difference_interval(effect.low, effect.high, effect.metric)}"
    return f"{named(effect.recipe)} ({size(effect.estimate, effect.metric, sign=True)}{span})"


def _scope(experiment: Experiment, effects: Sequence[Effect]) -> str:
    """'pooled over adam and sgd', or 'under adam' where there is only one condition."""
    single = [effect for effect in effects if not effect.pooled]
    names = list(dict.fromkeys(condition_named(effect.condition, experiment) for effect in single))
    return f"under {names[0]}" if len(names) == 1 else f"pooled over {conditions_text(names, most=3)}"


def sentence(effect: Effect, effects: Sequence[Effect], experiment: Experiment, needs: bool = True) -> str:
    """One effect by itself, to be quoted: the verdict with its numbers, what it would still take, where it holds.

    needs: False leaves out what it would take, where that is said of several at once.
    """
    under = scope(effect, effects, experiment)
    if effect.verdict == "baseline":
        score = f"{METRICS[effect.metric].title} {value_text(effect.mean, effect.metric)}"
        return f"{named(effect.recipe)} is the baseline: {score} ({seeds_text(effect, experiment)}{under})."
    if effect.note == OWN_RUNS:
        return f"{finding(effect, experiment)}."
    if math.isnan(effect.estimate):
        return f"{finding(effect, experiment)}{under}."
    lacks = need(effect, experiment) if needs else ""
    more = filter(None, (won(effect, experiment), picked(effect, effects), failures(effect), lacks))
    against = contrary(effect, effects, experiment)
    but = f", but {against}" if against else ""
    clauses = [f"{finding(effect, experiment)}{under}{but}", *more, f"this holds {bounds(experiment)}"]
    return " ".join(f"{opening(clause)}." for clause in clauses)


def finding(effect: Effect, experiment: Experiment) -> str:
    """The verdict on one recipe with its numbers, without an end: 'crop beats none by 4.1 points of accuracy (...)'."""
    recipe, baseline, metric = named(effect.recipe), named(experiment.baseline), effect.metric
    if math.isnan(effect.estimate):
        why = f"{effect.note or 'no scores'}: {seeds_text(effect, experiment)}"
        return f"{recipe} cannot be compared with {baseline} ({why})"
    if effect.note == OWN_RUNS:
        return f"{recipe} is {OWN_RUNS}"
    if effect.verdict in ("better", "worse"):
        numbers = evidence(effect, experiment)
        verb = "beats" if effect.verdict == "better" else "is worse than"
        return f"{recipe} {verb} {baseline} by {amount(abs(effect.estimate), metric, digits_of(effect))} ({numbers})"
    difference = size(effect.estimate, metric, sign=True)
    if not math.isnan(effect.without_failed):
        without = size(effect.without_failed, metric, sign=True)
        seeds = f"n = {seeds_text(effect, experiment)}"
        numbers = (
            f"{difference} of {METRICS[metric].title} with the failed trainings, {without} without their seeds; {seeds}"
        )
        why = effect.note.removesuffix(": no verdict")
        return f"{recipe} has no verdict (difference {numbers}; {why})"
    numbers = evidence(effect, experiment)
    if effect.verdict == "equivalent":
        within = margin_text(experiment)
        return f"{recipe} is equivalent to {baseline} within {within} (difference {difference}, {numbers})"
    why = f"; {effect.note.removeprefix('not tested: ')}" if effect.note else ""
    verdict = "is undecided" if verdict_text(effect) == "undecided" else f"has {verdict_text(effect)}"
    verdict = "is not tested" if verdict_text(effect) == "not tested" else verdict
    return f"{recipe} {verdict} (difference {difference} of {METRICS[metric].title}, {numbers}{why})"


def evidence(effect: Effect, experiment: Experiment) -> str:
    """What stands behind an estimate: '95 % interval 2.2 to 6.0; Holm p = .002; n = 5 seeds'.

    Of a recipe that is better or worse the interval is in sizes, else with signs. An equivalence gives its own p.
    """
    toward = effect.estimate if effect.verdict in ("better", "worse") else 0
    parts = []
    if not math.isnan(effect.low):
        parts.append(spanned(*possible(effect.low, effect.high, effect.metric), experiment, toward, digits_of(effect)))
    return "; ".join(filter(None, [*parts, p_of(effect, experiment), f"n = {seeds_text(effect, experiment)}"]))


def p_of(effect: Effect, experiment: Experiment) -> str:
    """The p that the verdict rests on: 'Holm p = .002', 'equivalence p = .003'; '' where there is no verdict."""
    if effect.verdict == "equivalent":
        return f"equivalence {p_phrase(effect.p_equivalent, experiment.alpha)}"
    if math.isnan(effect.p_adjusted) or verdict_text(effect) in ("not tested", "no verdict"):
        return ""
    return chance(effect.p_adjusted, experiment, compared=True)


def scope(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """', under adam', or ', pooled over adam and sgd': the conditions that have the recipe and the baseline.

    ', under adam alone' where only one has them.
    """
    if not effect.pooled:
        return f", under {condition_named(effect.condition, experiment)}"
    names = [
        condition_named(other.condition, experiment)
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

    'it was picked as the best of 4, so expect less when it is repeated: at most about 0.9 points'. At most, as being
    significant was a second choice, which the estimate does not allow for.
    """
    if effect.verdict != "better" or effect.beside < 2 or effect is not best_of(effect, effects):
        return ""
    digits = digits_of(effect)
    expected = size(abs(effect.expected), effect.metric, digits=digits)
    shrinks = expected != size(abs(effect.estimate), effect.metric, digits=digits)
    text = f"it was picked as the best of {effect.beside}, so expect less when it is repeated"
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
    if ways := _ways(effect, thing):
        rough = "very roughly" if effect.seeds < FEW_SEEDS else "about"
        return f"with {', or with '.join(ways)}, the chance to show {what} is {rough} 80 %, {really}"
    if effect.overlap:
        return f"more seeds alone would hardly show {what}, {really}: {_instead(experiment)}"
    return f"not even {MOST_SEEDS} new {thing}s per recipe would show {what} with a chance of 80 %, {really}"


def _ways(effect: Effect, thing: str) -> list[str]:
    """What would decide it with a chance of 80 %. thing: what a seed is called."""
    ways = []
    if effect.decided_as != "neither" and effect.seeds_needed <= MOST_SEEDS:
        ways.append(f"{effect.seeds_needed:.0f} new {thing}s per recipe")
    if not math.isnan(effect.images_needed) and effect.decided_as != "equivalent":
        ways.append(f"{effect.images_needed:,.0f} test photographs and {effect.seeds} new {thing}s")
    return ways


def sources_text(sources: Sources, experiment: Experiment) -> str:
    """'One seed's difference to none has an sd of 0.9 points: 0.3 from the run, and 0.8 from which photographs ...'."""
    metric = experiment.metric
    text = f"One seed's difference to {named(experiment.baseline)} has an sd of {size(sources.both, metric)}"
    if not math.isnan(sources.training):
        text += (
            f": {size(sources.run, metric)} from the run, and {size(sources.training, metric)} from which photographs "
            "are trained on"
        )
        if 0 < sources.run < sources.training:
            text += f", which matter {sources.training / sources.run:.1f} times as much"
    elif math.isnan(sources.run):
        text += ", from the run and which photographs are trained on together"
        if all(isinstance(one, Redrawn) for one in experiment.levels("split").values()):
            text += (
                "; two runs on each draw of training photographs (Redrawn(..., runs_per_draw=2)) would tell them apart"
            )
    else:
        text += " from the run; which photographs are trained on does not vary here"
    if math.isnan(sources.images):
        return f"{text}. Which photographs are tested on is not counted."
    return (
        f"{text}. Which photographs are tested on adds an sd of {size(sources.images, metric)} to the mean difference."
    )
