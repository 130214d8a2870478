"""Does the winner survive the optimizer, and does the effect of a recipe depend on it? In words.

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
from ablation.experiment.labels import condition_text
from ablation.report.sections.interaction.compute import NO_SPREAD, CellMean, Conditions
from ablation.report.text import correction, size

MOST_NAMES = 3
"""Names, conditions or contrasts that are listed; more are counted."""

MOST_CONDITIONS = 2
"""Conditions under which it is said who stands before the winner; of more only the one where most does."""

MOST_RANKS = 8
"""Recipes whose average rank is given."""


def title(result: Conditions) -> str:
    """The question, as a heading."""
    return f"Does the winner survive a change of {_changed(result)}?"


def sentence(result: Conditions) -> str:
    """The answer: who wins, whether that holds under each condition, and whether effects depend on the condition."""
    who = f"{opening(_winner(result), result.experiment.recipes)}."
    return f"{who} {opening(_dependence(result))}." if result.conclusive else who


def ranks(result: Conditions) -> str:
    """Do the conditions order the recipes alike? '' where nobody is ranked, or nothing is to be concluded.

    Without a p: conditions share seeds and photographs, so that they agree more than chance would have it.
    """
    if result.ranks is None or not result.conclusive:
        return ""
    order = sorted(zip(result.ranks.average, result.ranked, strict=True), key=lambda pair: pair[0])
    names = [f"{recipe} ({round(rank, 2):g})" for rank, recipe in order[:MOST_RANKS]]
    more = [f"{len(order) - MOST_RANKS} more"] if len(order) > MOST_RANKS else []
    conditions, w = counted(result.ranks.conditions, "condition"), f"{result.ranks.kendall_w:.2f}"
    return (
        f"Average rank over {conditions}, 1 is best: {listing([*names, *more])}. The agreement of the conditions on "
        f"that order, Kendall's W, is {w} (1 is full). No p is given, as conditions share seeds and photographs."
    )


def others_text(one: Interaction, result: Conditions) -> str:
    """'sgd', 'adamw and sgd together', 'the 4 others together'."""
    names = [condition_text({one.factor: level}, result.experiment) for level in one.others]
    together = " together" if len(names) > 1 else ""
    return f"{listing(names) if len(names) <= MOST_NAMES else f'the {len(names)} others'}{together}"


def under(result: Conditions, key: str) -> str:
    """'under sgd'."""
    return f"under {condition_text(result.levels[key], result.experiment)}"


def _changed(result: Conditions) -> str:
    """What varies beside the recipe, in one word: 'optimizer', 'batch size', or 'conditions' where it is several."""
    return _spaced(result.factors[0]) if len(result.factors) == 1 else "conditions"


def _spaced(factor: str) -> str:
    return factor.replace("_", " ")


def _winner(result: Conditions) -> str:
    """Who has the best mean, and where another stands before it."""
    best = result.winner
    if best is None:
        return f"no winner can be named, as fewer than two recipes have enough scores under {_everywhere(result)}"
    leads = _leads(result, best)
    if result.needed < MIN_SEEDS:
        need = f"no verdict, as it takes {MIN_SEEDS} finished seeds of each recipe under each condition"
        return f"{need}; so far {leads}: an impression, not evidence"
    if not best.survives:
        better = [rival for rival in best.rivals if rival.p < result.experiment.alpha]
        beaten = _where(better, "beats it", best, result)
        return f"{leads}, but {beaten}: the winner does not survive the change of {_changed(result)}"
    if best.same:
        return leads + _contenders(best, result)
    if not best.rivals:
        return f"{leads}, though not under each alone"
    return f"{leads}; {_where(best.rivals, 'is ahead', best, result)}, which is not shown to be more than chance"


def _leads(result: Conditions, best: Winner) -> str:
    """'crop has the highest mean accuracy under adam and sgd alike'; of the baseline, that no recipe has a higher."""
    metric = METRICS[result.experiment.metric]
    more, most = ("lower", "lowest") if metric.lower_is_better else ("higher", "highest")
    where = f"{'under' if best.same else 'over'} {_everywhere(result)} {'alike' if best.same else 'together'}"
    among = f"of the {len(result.ranked)} recipes with enough scores under every condition, " if result.left_out else ""
    if best.overall == result.experiment.baseline:
        who = "no other" if among else "no recipe"
        return f"{among}{who} has a {more} mean {metric.title} than the baseline {best.overall}, {where}"
    return f"{among}{best.overall} has the {most} mean {metric.title} {where}"


def _contenders(best: Winner, result: Conditions) -> str:
    """Who is not shown to be behind the winner, although its mean is."""
    names = [_name(recipe, result) for recipe in best.contenders]
    if not names:
        return ""
    who = listing(names) if len(names) <= MOST_NAMES else f"{len(names)} others"
    return f", though {who} {'is' if len(names) == 1 else 'are'} not shown to be behind it"


def _where(rivals: Sequence[Rival], does: str, best: Winner, result: Conditions) -> str:
    """'under sgd color beats it by 2.1 points (Holm p = .004)', or under how many conditions, and where most.

    Of each condition the rival that is furthest ahead, the furthest first.
    """
    foremost: dict[str, Rival] = {}
    for rival in sorted(rivals, key=lambda rival: -abs(rival.difference.estimate)):
        foremost.setdefault(rival.condition, rival)
    first, *others = foremost.values()
    if len(foremost) <= MOST_CONDITIONS:
        return listing(
            f"{under(result, rival.condition)} {_name(rival.recipe, result)} {does} {_by(rival, result)} "
            f"({_chance(rival, best, result)})"
            for rival in (first, *others)
        )
    most = f"{_name(first.recipe, result)} {under(result, first.condition)}, {_by(first, result)}"
    many = f"under {len(foremost)} of {len(result.levels)} conditions another {does}"
    return f"{many} (above all {most}, {_chance(first, best, result)})"


def _by(rival: Rival, result: Conditions) -> str:
    return f"by {size(abs(rival.difference.estimate), result.experiment.metric)}"


def _name(recipe: str, result: Conditions) -> str:
    """The baseline is called that: 'none is ahead' may be read as nobody."""
    return f"the baseline {recipe}" if recipe == result.experiment.baseline else recipe


def _chance(rival: Rival, best: Winner, result: Conditions) -> str:
    """A p that is of no comparison with the baseline has its family beside it: 'over 4 pairs with crop'."""
    if math.isnan(rival.p):
        return "no test can judge it"
    p = p_phrase(rival.p, result.experiment.alpha)
    if rival.declared:
        return f"{correction(result.experiment)} {p}"
    return f"Holm {p} over {counted(best.pairs, 'pair')} with {best.overall}"


def _everywhere(result: Conditions) -> str:
    """'adam and sgd', or 'all 6 conditions'."""
    if len(result.levels) > MOST_NAMES or len(result.factors) > 1:
        return f"all {len(result.levels)} conditions"
    return listing(condition_text(levels, result.experiment) for levels in result.levels.values())


def _dependence(result: Conditions) -> str:
    """Does the effect of a recipe depend on what else varies? By the contrasts."""
    claim = f"the effect of a recipe depends on the {_changed(result)}"
    tested = sorted((one for one in result.contrasts if math.isfinite(one.p)), key=lambda one: one.p)
    if not tested:
        return f"whether {claim} cannot be tested, as {_untested(result)}"
    significant = [one for one in tested if one.p_adjusted < result.experiment.alpha]
    complete = [one for one in significant if not _missing(_compared(one, result))]
    if complete:
        return _depends(complete, result)
    if significant:
        return f"whether {claim} is left open, as {_gaps(significant[0], result)}"
    foremost, unjudged = tested[0], len(result.contrasts) - len(tested)
    by = f" by {_spaced(foremost.factor)}" if len(result.factors) > 1 else ""
    p = p_phrase(foremost.p_adjusted, result.experiment.alpha)
    numbers = f"smallest Holm {p}, for {foremost.recipe}{by}"
    if unjudged:
        numbers += f"; {unjudged} of {counted(len(result.contrasts), 'contrast')} cannot be judged"
    if result.winner is not None and not result.winner.survives:
        return f"no effect against the baseline is shown to depend on the {_changed(result)} ({numbers})"
    return f"that {claim} is not shown ({numbers})"


def _compared(one: Interaction, result: Conditions) -> list[CellMean]:
    """The cells of the recipe and the baseline that take part: with enough scores, under a level that is compared."""
    return [
        cell
        for recipe in (one.recipe, result.experiment.baseline)
        for key, cell in result.cells[recipe].items()
        if cell.enough(MIN_SEEDS) and result.levels[key][one.factor] in (one.level, *one.others)
    ]


def _missing(cells: Sequence[CellMean]) -> int:
    """Runs that these cells lack."""
    return sum(cell.planned - len(cell.scores) for cell in cells)


def _gaps(one: Interaction, result: Conditions) -> str:
    """Why nothing is concluded from a contrast."""
    cells = _compared(one, result)
    runs = f"{_missing(cells)} of {sum(cell.planned for cell in cells)} runs of {one.recipe}"
    return f"{runs} and {result.experiment.baseline} are missing, which may have to do with the recipe"


def _untested(result: Conditions) -> str:
    """Why no contrast can be tested."""
    if not result.contrasts:
        return "the grid has no recipe beside the baseline under two conditions that differ in one factor"
    if any(one.others for one in result.contrasts):
        return NO_SPREAD
    shared = "shared " if result.experiment.declared_test.paired else ""
    return (
        f"it takes {MIN_SEEDS} {shared}seeds of a recipe and of the baseline under two conditions that differ in one "
        "factor, none of which diverged or failed to train"
    )


def _depends(significant: Sequence[Interaction], result: Conditions) -> str:
    """The claim, with the foremost contrast of each recipe and factor."""
    foremost: dict[tuple[str, str], Interaction] = {}
    for one in significant:
        foremost.setdefault((one.recipe, one.factor), one)
    factors = listing(dict.fromkeys(f"the {_spaced(one.factor)}" for one in foremost.values()))
    each = [_contrast(one, result) for one in foremost.values()]
    more = [f"{len(each) - MOST_NAMES} more"] if len(each) > MOST_NAMES else []
    return f"how much a recipe helps depends on {factors}: {listing([*each[:MOST_NAMES], *more])}"


def _contrast(one: Interaction, result: Conditions) -> str:
    """'crop helps 1.2 points more under adam than under sgd (Holm p = .012)'.

    A recipe that has a loss under both 'hurts 1.2 points less'.
    """
    experiment = result.experiment
    sign = -1 if METRICS[experiment.metric].lower_is_better else 1
    level = condition_text({one.factor: one.level}, experiment)
    sides = ((sign * one.effect, level), (sign * one.elsewhere, others_text(one, result)))
    (most, where), (_, elsewhere) = sorted(sides, reverse=True)
    does, more = ("helps", "more") if most > 0 else ("hurts", "less")
    by, p = size(abs(one.difference.estimate), experiment.metric), p_phrase(one.p_adjusted, experiment.alpha)
    return f"{one.recipe} {does} {by} {more} under {where} than under {elsewhere} (Holm {p})"
