"""What stands beside the sentence on interplay: the analysis of variance as a table, ranks, and what to know of them.

For the report and the terminal. No matplotlib.
"""

from __future__ import annotations

import math

from ablation.analysis.factorial import Term
from ablation.analysis.ranks import Ranks, least_p
from ablation.evidence.alarms import UNFINISHED
from ablation.evidence.interplay import Interplay, Standing
from ablation.experiment import Experiment
from ablation.report.interplay_wording import (
    SPREAD,
    beyond_chance,
    f_text,
    fold,
    judged,
    level,
    share_text,
    term_name,
)
from ablation.report.wording import condition_text, conditions_text, counted, listing, opening, p_phrase, p_text

MOST_RANKS = 8
"""Recipes whose average rank is told."""


def headers(told: Interplay) -> dict[str, str]:
    """The columns of `rows`, key -> heading, in order."""
    return {
        "term": "term",
        "df": "df",
        "f": "F",
        "p": "p",
        "p_holm": "Holm p",
        "eta": "partial η²",
        "interval": f"{level(told)} interval",
    }


def rows(told: Interplay) -> tuple[dict[str, str], ...]:
    """A row a term, under the keys of `headers`, and one for the rest; none where nothing is to be concluded."""
    if told.anova is None or not judged(told):
        return ()
    rest = {"term": "rest (seeds)", "df": str(told.anova.df)}
    terms = (_row(term, told.alpha) for term in told.anova.terms)
    return (*terms, dict.fromkeys(headers(told), "") | rest)


def _row(term: Term, alpha: float) -> dict[str, str]:
    known = not math.isnan(term.low)
    return {
        "term": term_name(term),
        "df": str(term.df),
        "f": f_text(term.f),
        "p": p_text(term.p, alpha),
        "p_holm": p_text(term.p_holm, alpha),
        "eta": share_text(term.partial_eta2),
        "interval": f"{share_text(term.low)} to {share_text(term.high)}" if known else share_text(math.nan),
    }


def method(told: Interplay, experiment: Experiment) -> str:
    """How the table was made, in a sentence."""
    runs = counted(told.statuses["finished"], "finished run")
    blocks = ", seeds as blocks" if experiment.declared_test.paired and told.seeds > 1 else ""
    made = f"Analysis of variance of {runs}{blocks}; sums of squares of type II, Holm's correction over all terms."
    if not told.overlap:
        return made
    return (
        f"{made} Each F is divided by 1 + {told.seeds} × {told.overlap:.2f} (seeds × test images / training images): "
        "the split is redrawn for each seed, so that training parts overlap."
    )


def reading(told: Interplay) -> str:
    """What the columns mean, and what a large p does not."""
    return (
        "An interaction asks whether differences between recipes are the same at every level; a main effect is an "
        "average over the others. Partial η² is the share of variance that a term explains beside the rest; its "
        f"{level(told)} interval is above 0 just where p is below {told.alpha:g}, and tells how large an effect may be "
        "that is not shown. With few runs the share is too large; its interval, which allows for that, may lie below."
    )


def spread(told: Interplay) -> tuple[str, ...]:
    """The caution on unequal variances; () where there is nothing to say."""
    made = told.anova
    if made is None or not made.spread_ratio > SPREAD:
        return ()
    differs, chance = f"the sd over seeds differs {fold(made.spread_ratio)} between cells", fold(made.spread_by_chance)
    if beyond_chance(made):
        return (
            f"Caution: {differs}, more than chance explains (up to {chance}). F tests suppose one sd for all cells and "
            "are not to be trusted here; look at each condition by itself.",
        )
    return (f"F tests suppose one sd for all cells: {differs}, as chance may with so few seeds (up to {chance}).",)


def ranks(told: Interplay, experiment: Experiment) -> str:
    """Do the conditions order the recipes alike? '' where nobody is ranked, or nothing is to be concluded."""
    if told.ranks is None or not judged(told):
        return ""
    order = sorted(zip(told.ranks.average, told.ranked, strict=True), key=lambda pair: pair[0])
    names = [f"{recipe} ({round(rank, 2):g})" for rank, recipe in order[:MOST_RANKS]]
    more = [f"{len(order) - MOST_RANKS} more"] if len(order) > MOST_RANKS else []
    conditions = counted(told.ranks.conditions, "condition")
    return (
        f"Average rank over {conditions}, 1 is best: {listing([*names, *more])}. {_agreement(told.ranks, told.alpha)}"
    )


def _agreement(found: Ranks, alpha: float) -> str:
    least = least_p(len(found.average), found.conditions)
    if least >= alpha:
        verdict = f"It proves nothing, as so few recipes and conditions cannot give a p below {p_text(least)}."
    else:
        shown = "more" if found.p < alpha else "not shown to be more"
        verdict = f"That is {shown} than chance (Friedman's test, {p_phrase(found.p, alpha)})."
    return (
        f"The agreement of the conditions on that order, Kendall's W, is {found.kendall_w:.2f} (1 is full, chance "
        f"alone gives {1 / found.conditions:.2f}). {verdict}"
    )


def notes(told: Interplay, experiment: Experiment) -> tuple[str, ...]:
    """What is missing from all this, and why; a sentence each."""
    found = []
    if told.left_out:
        who = (f"{recipe} ({_why(told, recipe, experiment)})" for recipe in told.left_out)
        found.append(f"Without enough scores under every condition, and so not ranked: {listing(who)}.")
    if told.silent:
        where = conditions_text([condition_text(condition, experiment) for condition in told.silent])
        found.append(f"No run has finished under {where}.")
    missing = {status: runs for status, runs in told.statuses.items() if status != "finished"}
    if missing:
        each = listing(f"{runs} {UNFINISHED.get(status, status)}" for status, runs in missing.items())
        runs = f"{told.statuses['finished']} of {sum(told.statuses.values())} runs"
        found.append(f"Counted are {runs}; {each}. That a run is missing may have to do with its recipe.")
    for (factor, name), kept in told.twins.items():
        found.append(f"{opening(factor.replace('_', ' '))} {name} names the same runs as {kept}: they count once.")
    return tuple(found)


def _why(told: Interplay, recipe: str, experiment: Experiment) -> str:
    """Why a recipe is not ranked: 'not in the grid under sgd', '2 of 5 seeds under sgd'."""
    key = told.left_out[recipe]
    place, own = condition_text(told.conditions[key], experiment), told.standings[recipe].get(key)
    return f"{_lack(own) if own else 'not in the grid'} under {place}"


def _lack(own: Standing) -> str:
    if own.diverged:
        return f"{own.diverged} of {counted(own.planned, 'run')} diverged"
    return f"{len(own.scores)} of {counted(own.planned, 'seed')} finished"
