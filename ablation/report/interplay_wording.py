"""Interplay in words: does the winner survive the optimizer? Once for the report and the terminal. No matplotlib.

"Not shown" is said where a test finds nothing, never "there is none". Nothing is concluded under `MIN_SEEDS` seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.factorial import Anova, Term
from ablation.analysis.ranks import Rival, Winner
from ablation.evidence.interplay import Interplay
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.report.wording import (
    NAME,
    NONE,
    condition_text,
    correction,
    counted,
    listing,
    opening,
    p_phrase,
    percent,
    size,
)

MOST_NAMES = 3
"""Names, conditions or terms that are listed; more are counted."""

MOST_PLACES = 2
"""Conditions under which it is told who stands before the winner; of more only the one where most does."""

SPREAD = 3.0
"""Largest sd over smallest, from which on the F tests carry a caution."""


def title(told: Interplay) -> str:
    """The question, as a heading."""
    return f"Does the winner survive a change of {changed(told)}?"


def changed(told: Interplay) -> str:
    """What varies beside the recipe, in one word: 'optimizer', 'batch size', or 'conditions' where it is several."""
    return told.factors[0].replace("_", " ") if len(told.factors) == 1 else "conditions"


def sentence(told: Interplay, experiment: Experiment) -> str:
    """The answer: who wins, whether that holds under each condition, and whether effects depend on the condition."""
    clauses = [standing(told, experiment)]
    if judged(told):
        clauses.append(dependence(told))
    return f"{opening('; '.join(clauses), experiment.recipes)}."


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
    more, most = ("lower", "lowest") if experiment.metric in LOWER_IS_BETTER else ("higher", "highest")
    places, metric = _everywhere(told, experiment), NAME[experiment.metric]
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


def dependence(told: Interplay) -> str:
    """Does the effect of a recipe depend on what else varies? By the interactions that the recipe takes part in."""
    on = f"the {changed(told)}"
    if told.anova is None:
        return f"whether the effect of a recipe depends on {on} cannot be tested, as {told.no_anova}"
    terms = [term for term in told.anova.terms if "recipe" in term.factors and len(term.factors) > 1]
    tested = sorted((term for term in terms if math.isfinite(term.p)), key=lambda term: term.p)
    if not tested:
        return f"whether the effect of a recipe depends on {on} cannot be told, as the runs that would are not there"
    shown = [term_text(term, told) for term in tested if term.p_holm < told.alpha]
    if shown:
        return f"how much a recipe helps depends on {on} ({'; '.join(shown[:MOST_NAMES])}{_distrust(told.anova)})"
    foremost = "" if len(tested) == 1 else f"{len(tested)} interactions, foremost "
    numbers = f"{foremost}{term_text(tested[0], told)}{_distrust(told.anova)}"
    if told.winner is not None and not told.winner.survives:
        return (
            f"the F test, which asks about all recipes at once, does not show that effects depend on {on} ({numbers})"
        )
    return f"that the effect of a recipe depends on {on} is not shown ({numbers})"


def term_name(term: Term) -> str:
    """'recipe × batch size'."""
    return " × ".join(factor.replace("_", " ") for factor in term.factors)


def term_text(term: Term, told: Interplay) -> str:
    """'recipe × optimizer: F(4, 40) = 0.38, Holm p = .824, partial η² 0.04, 90 % interval 0.00 to 0.06'."""
    assert told.anova is not None
    p = p_phrase(term.p_holm, told.alpha)
    return (
        f"{term_name(term)}: F({term.df}, {told.anova.df}) = {f_text(term.f)}, Holm {p}, "
        f"partial η² {share_text(term.partial_eta2)}, {level(told)} interval {share_text(term.low)} to "
        f"{share_text(term.high)}"
    )


def level(told: Interplay) -> str:
    """Of the interval of partial eta squared: '90 %', above 0 just where p is below alpha."""
    return percent(1 - 2 * told.alpha)


def f_text(f: float) -> str:
    """An F value: two decimals, none from 100 on."""
    return NONE if math.isnan(f) else f"{f:.2f}" if f < 99.995 else f"{f:,.0f}"


def share_text(share: float) -> str:
    """A share of variance: '0.04'."""
    return NONE if math.isnan(share) else f"{share:.2f}"


def beyond_chance(made: Anova) -> bool:
    """Do cells vary so differently that the F tests, which suppose one variance, are not to be trusted?"""
    return made.spread_ratio > max(SPREAD, made.spread_by_chance)


def fold(ratio: float) -> str:
    """'4.1-fold'; 'without bound' where a cell does not vary at all."""
    return f"{ratio:.1f}-fold" if math.isfinite(ratio) else "without bound"


def _distrust(made: Anova) -> str:
    if not beyond_chance(made):
        return ""
    return f"; not to be trusted, as the sd over seeds differs {fold(made.spread_ratio)} between cells"
