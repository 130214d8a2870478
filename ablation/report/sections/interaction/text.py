"""Interplay in words: does the winner survive the optimizer? Once for the report and the terminal. No matplotlib.

"Not shown" is said where a test finds nothing, never "there is none". Nothing is concluded under `MIN_SEEDS` seeds, and
nothing of a difference that rests on cells in which runs are missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.interaction import Interaction
from ablation.analysis.metrics import METRICS
from ablation.analysis.ranks import Rival, Winner
from ablation.core.text import counted, listing, opening, p_phrase
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.report.sections.interaction.compute import NO_SPREAD, Interplay, Standing
from ablation.report.text import correction, seeds_bounds, size

MOST_NAMES = 3
"""Names, conditions or interactions that are listed; more are counted."""

MOST_PLACES = 2
"""Conditions under which it is told who stands before the winner; of more only the one where most does."""


def title(told: Interplay) -> str:
    """The question, as a heading."""
    return f"Does the winner survive a change of {changed(told)}?"


def changed(told: Interplay) -> str:
    """What varies beside the recipe, in one word: 'optimizer', 'batch size', or 'conditions' where it is several."""
    return told.factors[0].replace("_", " ") if len(told.factors) == 1 else "conditions"


def sentence(told: Interplay, experiment: Experiment) -> str:
    """The answer: who wins, whether that holds under each condition, and whether effects depend on the condition."""
    who = f"{opening(standing(told, experiment), experiment.recipes)}."
    return f"{who} {opening(dependence(told, experiment))}." if judged(told) else who


def holds(experiment: Experiment) -> str:
    """What the section's claims hold for, in a sentence."""
    return f"Comparisons with the baseline hold as above; all else here holds {seeds_bounds(experiment)}."


def judged(told: Interplay) -> bool:
    """Are there enough seeds to conclude anything?"""
    return told.seeds >= MIN_SEEDS and told.needed >= MIN_SEEDS


def standing(told: Interplay, experiment: Experiment) -> str:
    """Who has the best mean, and where another stands before it."""
    if told.winner is None:
        where = _everywhere(told, experiment)
        return f"no winner can be named, as fewer than two recipes have enough scores under {where}"
    if told.needed < MIN_SEEDS:
        need = f"no verdict, as it takes {MIN_SEEDS} finished seeds of each recipe under each condition"
        return f"{need}; so far {_leads(told, told.winner, experiment)}: an impression, not evidence"
    if not told.winner.survives:
        return _beaten(told, told.winner, experiment)
    if not told.winner.same:
        return _ahead(told, told.winner, experiment)
    return _leads(told, told.winner, experiment) + _contenders(told.winner, experiment)


def _leads(told: Interplay, found: Winner, experiment: Experiment) -> str:
    """'crop has the highest mean accuracy under adam and sgd alike'; of the baseline, that no recipe has a higher."""
    more, most = ("lower", "lowest") if METRICS[experiment.metric].lower_is_better else ("higher", "highest")
    places, metric = _everywhere(told, experiment), METRICS[experiment.metric].title
    where = f"under {places} alike" if found.same else f"over {places} together"
    among = f"of the {len(told.ranked)} recipes with enough scores under every condition, " if told.left_out else ""
    if found.overall == experiment.baseline:
        who = "no other" if among else "no recipe"
        return f"{among}{who} has a {more} mean {metric} than the baseline {found.overall}, {where}"
    return f"{among}{found.overall} has the {most} mean {metric} {where}"


def _contenders(found: Winner, experiment: Experiment) -> str:
    """Who is not shown to be behind the winner, although its mean is."""
    names = [_name(recipe, experiment) for recipe in found.contenders]
    if not names:
        return ""
    who = listing(names) if len(names) <= MOST_NAMES else f"{len(names)} others"
    return f", though {who} {'is' if len(names) == 1 else 'are'} not shown to be behind it"


def _beaten(told: Interplay, found: Winner, experiment: Experiment) -> str:
    """Others are better than the winner somewhere."""
    real = [rival for rival in found.rivals if rival.p < told.alpha]
    shown = _where(told, real, experiment, "beats it")
    return f"{_leads(told, found, experiment)}, but {shown}: the winner does not survive the change of {changed(told)}"


def _ahead(told: Interplay, found: Winner, experiment: Experiment) -> str:
    """Others stand before the winner somewhere, by no more than may be chance."""
    if not found.rivals:
        return f"{_leads(told, found, experiment)}, though not under each alone"
    shown = _where(told, found.rivals, experiment, "is ahead")
    return f"{_leads(told, found, experiment)}; {shown}, which is not shown to be more than chance"


def _where(told: Interplay, rivals: Sequence[Rival], experiment: Experiment, does: str) -> str:
    """'under sgd color beats it by 2.1 points (Holm p = .004)', or under how many conditions, and where most.

    A p that does not stand in the comparisons with the baseline is told with its family: 'over 4 pairs with crop'.
    """
    assert told.winner is not None
    foremost = _foremost(rivals)
    chance = [_chance(rival, told.winner, experiment) for rival in foremost]
    places = [f"under {_place(told, rival.condition, experiment)}" for rival in foremost]
    who = [_name(rival.recipe, experiment) for rival in foremost]
    far = [f"by {size(abs(rival.difference.estimate), experiment.metric)}" for rival in foremost]
    if len(foremost) > MOST_PLACES:
        most = f"above all {who[0]} {places[0]}, {far[0]}, {chance[0]}"
        return f"under {len(foremost)} of {len(told.conditions)} conditions another {does} ({most})"
    return listing(
        f"{place} {name} {does} {by} ({p})" for place, name, by, p in zip(places, who, far, chance, strict=True)
    )


def _foremost(rivals: Sequence[Rival]) -> list[Rival]:
    """The rival that is furthest ahead under each condition, the furthest first."""
    by_condition: dict[str, Rival] = {}
    for rival in sorted(rivals, key=lambda rival: -abs(rival.difference.estimate)):
        by_condition.setdefault(rival.condition, rival)
    return list(by_condition.values())


def _name(recipe: str, experiment: Experiment) -> str:
    """The baseline is called that: 'none is ahead' may be read as nobody."""
    return f"the baseline {recipe}" if recipe == experiment.baseline else recipe


def _chance(rival: Rival, found: Winner, experiment: Experiment) -> str:
    if math.isnan(rival.p):
        return "no test can judge it"
    p = p_phrase(rival.p, experiment.alpha)
    if rival.declared:
        return f"{correction(experiment)} {p}"
    return f"Holm {p} over {counted(found.pairs, 'pair')} with {found.overall}"


def _place(told: Interplay, key: str, experiment: Experiment) -> str:
    return condition_text(told.conditions[key], experiment)


def _everywhere(told: Interplay, experiment: Experiment) -> str:
    """'adam and sgd', or 'all 6 conditions'."""
    if len(told.conditions) > MOST_NAMES or len(told.factors) > 1:
        return f"all {len(told.conditions)} conditions"
    return listing(_place(told, key, experiment) for key in told.conditions)


def dependence(told: Interplay, experiment: Experiment) -> str:
    """Does the effect of a recipe depend on what else varies? By the contrasts of `Interplay.interactions`."""
    asked = f"the effect of a recipe depends on the {changed(told)}"
    tested = sorted((one for one in told.interactions if math.isfinite(one.p)), key=lambda one: one.p)
    if not tested:
        return f"whether {asked} cannot be tested, as {_untested(told, experiment)}"
    shown = [one for one in tested if one.p_adjusted < told.alpha]
    complete = [one for one in shown if not missing(one, told, experiment)]
    if complete:
        return _depends(complete, told, experiment)
    if shown:
        return f"whether {asked} is left open, as {_gaps(shown[0], told, experiment)}"
    foremost, unjudged = tested[0], len(told.interactions) - len(tested)
    by = f" by {_factor(foremost)}" if len(told.factors) > 1 else ""
    numbers = f"smallest Holm {p_phrase(foremost.p_adjusted, told.alpha)}, for {foremost.recipe}{by}"
    if unjudged:
        numbers += f"; {unjudged} of {counted(len(told.interactions), 'contrast')} cannot be judged"
    if told.winner is not None and not told.winner.survives:
        return f"no effect against the baseline is shown to depend on the {changed(told)} ({numbers})"
    return f"that {asked} is not shown ({numbers})"


def missing(one: Interaction, told: Interplay, experiment: Experiment) -> int:
    """Runs that a contrast lacks, in the cells that take part in it."""
    return sum(cell.planned - len(cell.scores) for cell in _cells(one, told, experiment))


def _cells(one: Interaction, told: Interplay, experiment: Experiment) -> list[Standing]:
    """Of the recipe and the baseline, where they have enough scores and the level is one of those compared."""
    return [
        standing
        for recipe in (one.recipe, experiment.baseline)
        for key, standing in told.standings[recipe].items()
        if standing.enough(MIN_SEEDS) and told.conditions[key][one.factor] in (one.level, *one.others)
    ]


def _gaps(one: Interaction, told: Interplay, experiment: Experiment) -> str:
    """Why nothing is concluded from a contrast."""
    runs = f"{missing(one, told, experiment)} of {sum(cell.planned for cell in _cells(one, told, experiment))} runs"
    return f"{runs} of {one.recipe} and {experiment.baseline} are missing, which may have to do with the recipe"


def _untested(told: Interplay, experiment: Experiment) -> str:
    """Why no contrast can be tested."""
    if not told.interactions:
        return "the grid has no recipe beside the baseline under two conditions that differ in one factor"
    if any(one.others for one in told.interactions):
        return NO_SPREAD
    shared = "shared " if experiment.declared_test.paired else ""
    return (
        f"it takes {MIN_SEEDS} {shared}seeds of a recipe and of the baseline under two conditions that differ in one "
        "factor, none of which diverged or failed to train"
    )


def _depends(shown: Sequence[Interaction], told: Interplay, experiment: Experiment) -> str:
    """The claim, with the foremost contrast of each recipe and factor."""
    foremost: dict[tuple[str, str], Interaction] = {}
    for one in shown:
        foremost.setdefault((one.recipe, one.factor), one)
    factors = listing(f"the {factor}" for factor in dict.fromkeys(map(_factor, foremost.values())))
    each = [interaction_text(one, told, experiment) for one in foremost.values()]
    more = [f"{len(each) - MOST_NAMES} more"] if len(each) > MOST_NAMES else []
    return f"how much a recipe helps depends on {factors}: {listing([*each[:MOST_NAMES], *more])}"


def interaction_text(one: Interaction, told: Interplay, experiment: Experiment) -> str:
    """'crop helps 1.2 points more under adam than under sgd (Holm p = .012)'.

    A recipe that has a loss under both 'hurts 1.2 points less'.
    """
    sign = -1 if METRICS[experiment.metric].lower_is_better else 1
    level = condition_text({one.factor: one.level}, experiment)
    sides = ((sign * one.effect, level), (sign * one.elsewhere, others_text(one, experiment)))
    (most, where), (_, elsewhere) = sorted(sides, reverse=True)
    does, more = ("helps", "more") if most > 0 else ("hurts", "less")
    by, p = size(abs(one.difference.estimate), experiment.metric), p_phrase(one.p_adjusted, told.alpha)
    return f"{one.recipe} {does} {by} {more} under {where} than under {elsewhere} (Holm {p})"


def others_text(one: Interaction, experiment: Experiment) -> str:
    """'sgd', 'adamw and sgd together', 'the 4 others together'."""
    names = [condition_text({one.factor: level}, experiment) for level in one.others]
    together = " together" if len(names) > 1 else ""
    return f"{listing(names) if len(names) <= MOST_NAMES else f'the {len(names)} others'}{together}"


def _factor(one: Interaction) -> str:
    return one.factor.replace("_", " ")
