"""What stands beside the sentence on interplay: contrasts, the shares that factors explain, and ranks.

For the report and the terminal. No matplotlib.
"""

from __future__ import annotations

import math

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.factorial import Term
from ablation.analysis.interaction import Interaction
from ablation.analysis.metrics import METRICS
from ablation.analysis.ranks import Ranks
from ablation.core.text import NONE, counted, listing, opening, p_text, percent
from ablation.evidence.warnings import UNFINISHED
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.sections.interaction.compute import Interplay, Standing
from ablation.report.sections.interaction.text import judged, others_text
from ablation.report.text import interval, points

MOST_RANKS = 8
"""Recipes whose average rank is told."""

MOST_CONTRASTS = 12
"""Rows of contrasts; of more, those with the smallest p."""


def contrast_headers(told: Interplay) -> dict[str, str]:
    """The columns of `contrasts`, key -> heading, in order."""
    unit = METRICS[told.metric].unit
    return {
        "recipe": "recipe",
        "level": "level",
        "effect": "effect",
        "others": "other levels",
        "elsewhere": "effect there",
        "difference": f"difference ({unit})" if unit else "difference",
        "interval": f"{percent(1 - told.alpha)} interval",
        "p_holm": "Holm p",
    }


def contrasts(told: Interplay, experiment: Experiment) -> tuple[dict[str, str], ...]:
    """A row a contrast, under the keys of `contrast_headers`; none where nothing is to be concluded."""
    if not judged(told):
        return ()
    found = told.interactions
    if len(found) > MOST_CONTRASTS:
        found = tuple(sorted(found, key=lambda one: (math.isnan(one.p), one.p)))[:MOST_CONTRASTS]
    return tuple(_contrast(one, told, experiment) for one in found)


def _contrast(one: Interaction, told: Interplay, experiment: Experiment) -> dict[str, str]:
    metric = told.metric
    return {
        "recipe": one.recipe,
        "level": condition_text({one.factor: one.level}, experiment),
        "effect": points(one.effect, metric, sign=True),
        "others": others_text(one, experiment) if one.others else NONE,
        "elsewhere": points(one.elsewhere, metric, sign=True),
        "difference": points(one.difference.estimate, metric, sign=True),
        "interval": interval(one.low, one.high, metric),
        "p_holm": p_text(one.p_adjusted, told.alpha),
    }


def contrasts_method(told: Interplay, experiment: Experiment) -> str:
    """What a contrast is, and how it was judged."""
    number = len(told.interactions)
    rows = f"Shown are the {MOST_CONTRASTS} contrasts with the smallest p. " if number > MOST_CONTRASTS else ""
    same = " where the other factors are the same, averaged over them" if len(told.factors) > 1 else ""
    if experiment.declared_test.paired:
        how = "Student's t over the seeds that its cells share"
        how += ", wide enough for training parts that overlap" if told.overlap else ""
    else:
        how = "Welch's t of its own cells"
    sign = " Lower is better." if METRICS[told.metric].lower_is_better else ""
    return (
        f"{rows}A contrast is the effect of a recipe (its mean {METRICS[told.metric].title} less that of "
        f"{experiment.baseline}) at one level, less its mean effect at the others{same}. Each is judged by {how}: "
        f"cells may vary differently. Holm's correction is over {counted(number, 'contrast')}. "
        f"Cells with fewer than {MIN_SEEDS} seeds, or with a run that diverged or failed to train, take no part.{sign}"
    )


def headers(told: Interplay) -> dict[str, str]:
    """The columns of `rows`, key -> heading, in order."""
    return {
        "term": "term",
        "df": "df",
        "eta": "share explained",
    }


def rows(told: Interplay) -> tuple[dict[str, str], ...]:
    """A row a term, under the keys of `headers`, and one for the rest; none where nothing is to be concluded."""
    if told.anova is None or not judged(told):
        return ()
    rest = {"term": "rest (seeds)", "df": str(told.anova.df)}
    terms = (_row(term) for term in told.anova.terms)
    return (*terms, dict.fromkeys(headers(told), "") | rest)


def _row(term: Term) -> dict[str, str]:
    return {
        "term": term_name(term),
        "df": str(term.df),
        "eta": share_text(term.partial_eta2),
    }


def method(told: Interplay, experiment: Experiment) -> str:
    """How the table was made, in a sentence."""
    runs = counted(told.statuses["finished"], "finished run")
    blocks = ", seeds as blocks" if experiment.declared_test.paired and told.seeds > 1 else ""
    return f"Analysis of variance of {runs}{blocks}; sums of squares of type II."


def reading(told: Interplay) -> str:
    """What the columns mean, and what they do not."""
    return (
        "Share explained (partial η²) is the part of the variance between runs, from 0 to 1, that goes with a term "
        "when the others are set aside. Shares describe these runs and prove nothing: whether a recipe helps is for "
        "the comparisons with the baseline to say, and whether its effect depends on conditions for the contrasts. "
        "With few runs a share is too large."
    )


def term_name(term: Term) -> str:
    """'recipe × batch size'."""
    return " × ".join(factor.replace("_", " ") for factor in term.factors)


def share_text(share: float) -> str:
    """A share of variance: '0.04'."""
    return NONE if math.isnan(share) else f"{share:.2f}"


def ranks(told: Interplay, experiment: Experiment) -> str:
    """Do the conditions order the recipes alike? '' where nobody is ranked, or nothing is to be concluded."""
    if told.ranks is None or not judged(told):
        return ""
    order = sorted(zip(told.ranks.average, told.ranked, strict=True), key=lambda pair: pair[0])
    names = [f"{recipe} ({round(rank, 2):g})" for rank, recipe in order[:MOST_RANKS]]
    more = [f"{len(order) - MOST_RANKS} more"] if len(order) > MOST_RANKS else []
    conditions = counted(told.ranks.conditions, "condition")
    return f"Average rank over {conditions}, 1 is best: {listing([*names, *more])}. {_agreement(told.ranks)}"


def _agreement(found: Ranks) -> str:
    """Without a p: conditions share seeds and photographs, so that they agree more than chance would have it."""
    return (
        f"The agreement of the conditions on that order, Kendall's W, is {found.kendall_w:.2f} (1 is full). No p is "
        "given, as conditions share seeds and photographs."
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
    if told.anova is None and judged(told):
        found.append(f"There is no analysis of variance, as {told.no_anova}.")
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
        return f"{own.diverged} of {counted(own.planned, 'run')} diverged or failed"
    return f"{len(own.scores)} of {counted(own.planned, 'seed')} finished"
