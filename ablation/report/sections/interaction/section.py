"""Does the winner survive a change of optimizer? Sentences, contrasts, shares of variance and the interaction plot.

"Not shown" is said where a test finds nothing, never "there is none". Nothing is concluded under `MIN_SEEDS` seeds, and
nothing of a difference that rests on cells in which runs are missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.interaction import Interaction
from ablation.analysis.metrics import METRICS
from ablation.analysis.ranks import Rival, Winner
from ablation.analysis.student import paired_contrast, reach
from ablation.core.text import NONE, bare, counted, listing, named, opening, out_of, p_text, percent, plain
from ablation.evidence.study import Study
from ablation.evidence.warnings import UNFINISHED
from ablation.experiment.labels import condition_named, condition_text, conditions_text
from ablation.report.section import Column, Figure, Rows, Section, Table
from ablation.report.sections.interaction.compute import NO_SPREAD, CellMean, Conditions, conditions
from ablation.report.sections.interaction.figure import InteractionInfo, Point, draw_interaction
from ablation.report.text import bounds, chance, counting, gain, interval, measure, shown, signed, size

MOST_NAMES = 3
"""Names, conditions or contrasts that are listed; more are counted."""

MOST_CONDITIONS = 2
"""Conditions under which it is said who stands before the winner; of more only the one where most does."""

MOST_RANKS = 8
"""Recipes whose average rank is given."""

MOST_CONTRASTS = 12
"""Rows of contrasts; of more, those with the smallest p."""

MOST_LINES, MOST_LEVELS, MOST_PANELS = 8, 8, 6
"""Of one drawing that can still be read."""


def interaction(study: Study) -> Section | None:
    """None where fewer than two recipes, or fewer than two conditions, have a finished run."""
    result = conditions(study)
    if result is None:
        return None
    drawn, hold_for = figure(result), bounds(study.experiment, seeds_alone=True)
    held = f"Comparisons with the baseline hold as above; all else here holds {hold_for}."
    return Section(
        "interaction",
        title(result),
        "The winner is the recipe with the best mean over all conditions. It survives where no other is shown to be "
        "better under any of them.",
        (*answer(result), *filter(None, (ranks(result), held))),
        (drawn,) if drawn else (),
        tuple(filter(None, (contrasts(result), shares(result)))),
        notes(result),
    )


def title(result: Conditions) -> str:
    """The question, as a heading."""
    return f"Does the winner survive a change of {_changed(result)}?"


def answer(result: Conditions) -> tuple[str, ...]:
    """Who wins, whether that holds under each condition, and whether effects depend on the condition."""
    sentences = [f"{opening(text)}." for text in _winner(result)]
    return (*sentences, f"{opening(_dependence(result))}.") if result.conclusive else tuple(sentences)


def ranks(result: Conditions) -> str:
    """Do the conditions order the recipes alike? '' where nobody is ranked, or nothing is to be concluded.

    Without a p: conditions share seeds and photographs, so that they agree more than chance would have it.
    """
    if result.ranks is None or not result.conclusive:
        return ""
    order = sorted(zip(result.ranks.average, result.ranked, strict=True), key=lambda pair: pair[0])
    names = [f"{named(recipe)} ({round(rank, 2):g})" for rank, recipe in order[:MOST_RANKS]]
    more = [f"{len(order) - MOST_RANKS} more"] if len(order) > MOST_RANKS else []
    conditions, w = counted(result.ranks.conditions, "condition"), f"{result.ranks.kendall_w:.2f}"
    return (
        f"Average rank over {conditions}, 1 is best: {listing([*names, *more])}. The agreement of the conditions on "
        f"that order, Kendall's W, is {w} (1 is full). No p is given, as conditions share seeds and photographs."
    )


def others_text(one: Interaction, result: Conditions) -> str:
    """'sgd', 'adamw and sgd together', 'the 4 others together'."""
    names = [condition_named({one.factor: level}, result.experiment) for level in one.others]
    together = " together" if len(names) > 1 else ""
    return f"{listing(names) if len(names) <= MOST_NAMES else f'the {len(names)} others'}{together}"


def under(result: Conditions, key: str) -> str:
    """'under sgd'."""
    return f"under {condition_named(result.levels[key], result.experiment)}"


def _changed(result: Conditions) -> str:
    """What varies beside the recipe, in one word: 'optimizer', 'batch size', or 'conditions' where it is several."""
    return _spaced(result.factors[0]) if len(result.factors) == 1 else "conditions"


def _spaced(factor: str) -> str:
    return factor.replace("_", " ")


def _winner(result: Conditions) -> tuple[str, ...]:
    """Who has the best mean, and where another stands before it; the answer first, in a few words."""
    best = result.winner
    if best is None:
        return (f"no winner can be named: fewer than two recipes have enough scores under {_everywhere(result)}",)
    leads = _leads(result, best)
    if result.needed < MIN_SEEDS:
        need = f"no verdict: it takes {MIN_SEEDS} finished seeds of each recipe under each condition"
        return need, f"so far {leads}: an impression, not evidence"
    if not best.survives:
        better = [rival for rival in best.rivals if rival.p < result.experiment.alpha]
        return (
            f"the winner does not survive the change of {_changed(result)}: {_beaten(better, result)}",
            leads,
            _where(better, "beats it", best, result),
        )
    if best.same:
        return tuple(filter(None, (leads, _contenders(best, result))))
    if not best.rivals:
        return (f"{leads}, though not under each alone",)
    return leads, f"{_where(best.rivals, 'is ahead', best, result)}, which is not shown to be more than chance"


def _beaten(better: Sequence[Rival], result: Conditions) -> str:
    """'color beats it by 2.1 points under sgd', or under how many conditions another does."""
    conditions = {rival.condition for rival in better}
    if len(conditions) > 1:
        return f"another beats it under {len(conditions)} of {len(result.levels)} conditions"
    first = max(better, key=lambda rival: abs(rival.difference.estimate))
    by = size(abs(first.difference.estimate), result.experiment.metric)
    return f"{_name(first.recipe, result)} beats it by {by} {under(result, first.condition)}"


def _leads(result: Conditions, best: Winner) -> str:
    """'crop has the highest mean accuracy under adam and sgd alike'; of the baseline, that no recipe has a higher."""
    metric = METRICS[result.experiment.metric]
    more, most = ("lower", "lowest") if metric.lower_is_better else ("higher", "highest")
    where = f"{'under' if best.same else 'over'} {_everywhere(result)} {'alike' if best.same else 'together'}"
    among = f"of the {len(result.ranked)} recipes with enough scores under every condition, " if result.left_out else ""
    if best.overall == result.experiment.baseline:
        who = "no other" if among else "no recipe"
        return f"{among}{who} has a {more} mean {metric.title} than the baseline {named(best.overall)}, {where}"
    return f"{among}{named(best.overall)} has the {most} mean {metric.title} {where}"


def _contenders(best: Winner, result: Conditions) -> str:
    """Who is not shown to be behind the winner, although its mean is."""
    names = [_name(recipe, result) for recipe in best.contenders]
    if not names:
        return ""
    who = listing(names) if len(names) <= MOST_NAMES else f"{len(names)} others"
    return f"{who} {'is' if len(names) == 1 else 'are'} not shown to be behind it"


def _where(rivals: Sequence[Rival], does: str, best: Winner, result: Conditions) -> str:
    """'under sgd color beats it by 2.1 points (Holm p = .004)', or under how many conditions, and where most.

    Of each condition the rival that is furthest ahead, the furthest first.
    """
    foremost: dict[str, Rival] = {}

    def ahead(rival: Rival) -> str:
        return size(abs(rival.difference.estimate), result.experiment.metric)

    for rival in sorted(rivals, key=lambda rival: -abs(rival.difference.estimate)):
        foremost.setdefault(rival.condition, rival)
    first, *others = foremost.values()
    if len(foremost) <= MOST_CONDITIONS:
        return listing(
            f"{under(result, rival.condition)} {_name(rival.recipe, result)} {does} by {ahead(rival)} "
            f"({_chance(rival, best, result)})"
            for rival in (first, *others)
        )
    most = f"{_name(first.recipe, result)} {under(result, first.condition)}, by {ahead(first)}"
    many = f"under {len(foremost)} of {len(result.levels)} conditions another {does}"
    return f"{many} (above all {most}, {_chance(first, best, result)})"


def _name(recipe: str, result: Conditions) -> str:
    """The baseline is called that: 'none is ahead' may be read as nobody."""
    return f"the baseline {named(recipe)}" if recipe == result.experiment.baseline else named(recipe)


def _chance(rival: Rival, best: Winner, result: Conditions) -> str:
    """A p that is of no comparison with the baseline has its family beside it: 'over 4 pairs with crop'."""
    if math.isnan(rival.p):
        return "no test can judge it"
    p = chance(rival.p, result.experiment, rival.declared)
    return p if rival.declared else f"{p} over {counted(best.pairs, 'pair')} with {named(best.overall)}"


def _everywhere(result: Conditions) -> str:
    """'adam and sgd', or 'all 6 conditions'."""
    if len(result.levels) > MOST_NAMES or len(result.factors) > 1:
        return f"all {len(result.levels)} conditions"
    return listing(condition_named(levels, result.experiment) for levels in result.levels.values())


def _dependence(result: Conditions) -> str:
    """Does the effect of a recipe depend on what else varies? By the contrasts."""
    claim = f"the effect of a recipe depends on the {_changed(result)}"
    tested = sorted((one for one in result.contrasts if math.isfinite(one.p)), key=lambda one: one.p)
    if not tested:
        return f"whether {claim} cannot be tested, as {_untested(result)}"
    significant = [one for one in tested if one.p_adjusted < result.experiment.alpha]
    complete = [one for one in significant if not _gaps(one, result)]
    if complete:
        return _depends(complete, result)
    if significant:
        return f"whether {claim} is left open, as {_gaps(significant[0], result)}"
    foremost, unjudged = tested[0], len(result.contrasts) - len(tested)
    by = f" by {_spaced(foremost.factor)}" if len(result.factors) > 1 else ""
    numbers = f"smallest {chance(foremost.p_adjusted, result.experiment)}, for {named(foremost.recipe)}{by}"
    if unjudged:
        numbers += f"; {out_of(unjudged, len(result.contrasts), 'contrast')} cannot be judged"
    against = f"no effect against {named(result.experiment.baseline)}"
    return f"{against} is shown to depend on the {_changed(result)} ({numbers})"


def _gaps(one: Interaction, result: Conditions) -> str:
    """Why nothing is concluded from a contrast: cells that take part in it lack runs; '' where none does."""
    cells = [
        cell
        for recipe in (one.recipe, result.experiment.baseline)
        for key, cell in result.cells[recipe].items()
        if cell.enough(MIN_SEEDS) and result.levels[key][one.factor] in (one.level, *one.others)
    ]
    planned, finished = sum(cell.planned for cell in cells), sum(len(cell.scores) for cell in cells)
    both = listing(map(named, (one.recipe, result.experiment.baseline)))
    runs = f"{planned - finished} of {planned} runs of {both}"
    return f"{runs} are missing, which may have to do with the recipe" if finished < planned else ""


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
    each = [_more_or_less(one, result) for one in foremost.values()]
    more = [f"{len(each) - MOST_NAMES} more"] if len(each) > MOST_NAMES else []
    return f"how much a recipe helps depends on {factors}: {listing([*each[:MOST_NAMES], *more])}"


def _more_or_less(one: Interaction, result: Conditions) -> str:
    """'crop helps 1.2 points more under adam than under sgd (Holm p = .012)'.

    A recipe that has a loss under both 'hurts 1.2 points less'.
    """
    experiment, metric = result.experiment, result.experiment.metric
    level = condition_named({one.factor: one.level}, experiment)
    sides = ((gain(one.effect, metric), level), (gain(one.elsewhere, metric), others_text(one, result)))
    (most, where), (_, elsewhere) = sorted(sides, reverse=True)
    does, more = ("helps", "more") if most > 0 else ("hurts", "less")
    by, p = size(abs(one.difference.estimate), metric), chance(one.p_adjusted, experiment)
    return f"{named(one.recipe)} {does} {by} {more} under {where} than under {elsewhere} ({p})"


def contrasts(result: Conditions) -> Table | None:
    """A row a contrast; None where nothing is to be concluded."""
    if not result.conclusive or not result.contrasts:
        return None
    metric, experiment, every = result.experiment.metric, result.experiment, result.contrasts
    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda one: one.recipe),
        "claim": ("claim", lambda one: _claim(one, result)),
        "contrast": (counting("difference", metric), lambda one: signed(one.difference.estimate, metric)),
        "level": ("level", lambda one: condition_text({one.factor: one.level}, experiment)),
        "effect": ("effect", lambda one: signed(one.effect, metric)),
        "others": ("other levels", lambda one: bare(others_text(one, result)) if one.others else NONE),
        "elsewhere": ("effect there", lambda one: signed(one.elsewhere, metric)),
        "interval": (
            f"{percent(1 - experiment.alpha)} interval",
            lambda one: interval(one.low, one.high, metric),
        ),
        "p_holm": ("Holm p", lambda one: p_text(one.p_adjusted, experiment.alpha)),
    }
    if len(every) > MOST_CONTRASTS:
        every = tuple(sorted(every, key=lambda one: (math.isnan(one.p), one.p)))[:MOST_CONTRASTS]
    words = frozenset({"claim", "level", "others"})
    keep, spare = ("claim", "contrast", "level"), ("p_holm", "interval")
    return Table.of(columns, every, _contrasts_caption(result), words=words, keep=keep, spare=spare)


def _claim(one: Interaction, result: Conditions) -> str:
    """'depends' where the effect is shown to differ, 'left open' where runs are missing, 'no claim' without a test."""
    if math.isnan(one.p):
        return "no claim"
    if not one.p_adjusted < result.experiment.alpha:
        return "not shown"
    return "left open" if _gaps(one, result) else "depends"


def _contrasts_caption(result: Conditions) -> str:
    """What a contrast is, and how it was judged."""
    experiment, metric, number = result.experiment, METRICS[result.experiment.metric], len(result.contrasts)
    rows = f"Shown are the {MOST_CONTRASTS} contrasts with the smallest p. " if number > MOST_CONTRASTS else ""
    same = " where the other factors are the same, averaged over them" if len(result.factors) > 1 else ""
    how = "Welch's t of its own cells"
    if experiment.declared_test.paired:
        overlap = ", wide enough for training parts that overlap" if result.overlap else ""
        how = f"Student's t over the seeds that its cells share{overlap}"
    return (
        f"{_shown_of(result)} {rows}A contrast is the effect of a recipe (its mean {metric.title} less that of "
        f"{named(experiment.baseline)}) at one level, less its mean effect at the others{same}. Each is judged by "
        f"{how}: cells may vary differently. Holm's correction is over {counted(number, 'contrast')}; intervals are "
        f"not corrected, so that one may leave 0 out where nothing is shown. Cells with fewer than {MIN_SEEDS} seeds, "
        "or with a run that diverged or failed to train, take no part."
        f"{' Lower is better.' if metric.lower_is_better else ''}"
    )


def _shown_of(result: Conditions) -> str:
    """Of how many contrasts a difference is shown, whether or not it is left open."""
    number = sum(one.p_adjusted < result.experiment.alpha for one in result.contrasts)
    whole = counted(len(result.contrasts), "contrast")
    return f"{number or 'None'} of {whole} {'are' if number > 1 else 'is'} shown to differ from 0."


def shares(result: Conditions) -> Table | None:
    """How much of the variance goes with each term; None where there is no analysis of variance."""
    if result.no_anova or not result.conclusive:
        return None
    runs = counted(result.statuses["finished"], "finished run")
    blocks = ", seeds as blocks" if result.experiment.declared_test.paired and result.seeds > 1 else ""
    caption = (
        f"Analysis of variance of {runs}{blocks}; sums of squares of type II. "
        "Share explained (partial η²) is the part of the variance between runs, from 0 to 1, that goes with a term "
        "when the others are set aside. Shares describe these runs and prove nothing: whether a recipe helps is for "
        "the comparisons with the baseline to say, and whether its effect depends on conditions for the contrasts. "
        "With few runs a share is too large."
    )
    headers = {"term": "term", "df": "df", "eta": "share explained"}
    rows = [
        {
            "term": " × ".join(map(_spaced, term.factors)),
            "df": str(term.df),
            "eta": NONE if math.isnan(term.partial_eta2) else f"{term.partial_eta2:.2f}",
        }
        for term in result.anova.terms
    ]
    rows.append({"term": "rest (seeds)", "df": str(result.anova.df), "eta": ""})
    return Table(headers, (Rows(tuple(rows)),), caption, folded="Analysis of variance: what goes with which factor")


def notes(result: Conditions) -> tuple[str, ...]:
    """What is missing from all this, and why; a sentence each."""
    every = []
    if result.left_out:
        who = (f"{named(recipe)} ({_lack(recipe, key, result)})" for recipe, key in result.left_out.items())
        every.append(f"Without enough scores under every condition, and so not ranked: {listing(who)}.")
    if result.silent:
        where = conditions_text([condition_named(levels, result.experiment) for levels in result.silent])
        every.append(f"No run has finished under {where}.")
    if result.no_anova and result.conclusive:
        every.append(f"There is no analysis of variance, as {result.no_anova}.")
    missing = {status: runs for status, runs in result.statuses.items() if status != "finished"}
    if missing:
        each = listing(f"{runs} {UNFINISHED.get(status, status)}" for status, runs in missing.items())
        runs = f"{result.statuses['finished']} of {sum(result.statuses.values())} runs"
        every.append(f"Counted are {runs}; {each}. That a run is missing may have to do with its recipe.")
    for (factor, name), kept in result.duplicates.items():
        alias, first = (named(one, recipe=factor == "recipe") for one in (name, kept))
        every.append(f"{opening(_spaced(factor))} {alias} names the same runs as {first}: they count once.")
    return tuple(every)


def _lack(recipe: str, key: str, result: Conditions) -> str:
    """Why a recipe is not ranked: 'not in the grid under sgd', '2 of 5 seeds finished under sgd'."""
    cell = result.cells[recipe].get(key)
    if cell is None:
        lack = "not in the grid"
    elif cell.diverged:
        lack = f"{cell.diverged} of {counted(cell.planned, 'run')} diverged or failed"
    else:
        lack = f"{len(cell.scores)} of {counted(cell.planned, 'seed')} finished"
    return f"{lack} {under(result, key)}"


def figure(result: Conditions) -> Figure | None:
    """Means by level, a line a recipe; None where there are too many levels for one drawing."""
    factor = _across(result)
    if factor is None:
        return None
    experiment, recipes = result.experiment, _drawn(result)
    levels = tuple(dict.fromkeys(levels[factor] for levels in result.levels.values()))
    panels: dict[str, dict[str, list[Point]]] = {}
    for key, condition in result.levels.items():
        rest = {name: level for name, level in condition.items() if name != factor and name in result.factors}
        panel = panels.setdefault(condition_text(rest, experiment) if rest else "", {})
        for recipe in recipes:
            line = panel.setdefault(recipe, [Point(math.nan)] * len(levels))
            line[levels.index(condition[factor])] = _point(result.cells[recipe].get(key), result)
    info = InteractionInfo(
        _spaced(factor),
        levels,
        {name: {recipe: tuple(line) for recipe, line in lines.items()} for name, lines in panels.items()},
        f"mean {measure(experiment.metric)}",
    )
    return Figure(info, draw_interaction, _alt(result, info), _plot_caption(result, info))


def _finding(result: Conditions) -> str:
    """Do the means order the recipes alike under every condition? Of all recipes that have a mean under all."""
    metric = result.experiment.metric
    whole = {recipe: own for recipe, own in result.cells.items() if all(key in own for key in result.levels)}
    means = {recipe: [own[key].mean for key in result.levels] for recipe, own in whole.items()}
    means = {recipe: own for recipe, own in means.items() if not any(map(math.isnan, own))}
    if len(means) < 2:
        return "Fewer than two recipes have a mean under every condition."
    orders = {
        tuple(sorted(means, key=lambda name: -gain(means[name][index], metric))) for index in range(len(result.levels))
    }
    if len(orders) == 1:
        return f"The order of the means is the same under all {counted(len(result.levels), 'condition')}."
    first = {order[0] for order in orders}
    same = f"; {named(first.pop())} is first everywhere" if len(first) == 1 else ""
    return f"The order of the means changes with the {_changed(result)}{same}."


def _alt(result: Conditions, info: InteractionInfo) -> str:
    """What is drawn, with the means of the first recipes at the ends of the axis."""
    metric, each = result.experiment.metric, []
    lines = next(iter(info.panels.values()))
    for recipe, line in list(lines.items())[:MOST_RANKS]:
        means = [f"{point.mean:.{1 if METRICS[metric].unit == 'points' else 3}f}" for point in (line[0], line[-1])]
        each.append(f"{named(recipe)} {' and '.join(means).replace('nan', 'none')}")
    ends = f"{named(info.levels[0], recipe=False)} and {named(info.levels[-1], recipe=False)}"
    return plain(
        f"Interaction plot: {info.scale} of each recipe by {info.factor}, a line a recipe; at {ends}: {', '.join(each)}"
    )


def _across(result: Conditions) -> str | None:
    """The factor along the axis: the first that leaves few enough panels for the others."""
    every = list(result.levels.values())
    for factor in result.factors:
        panels = {tuple(levels[other] for other in result.factors if other != factor) for levels in every}
        if len({levels[factor] for levels in every}) <= MOST_LEVELS and len(panels) <= MOST_PANELS:
            return factor
    return None


def _drawn(result: Conditions) -> list[str]:
    """The recipes that have a line: all, or the baseline, the best under each condition, and then the best overall."""
    metric = result.experiment.metric
    means = {
        recipe: {key: -gain(cell.mean, metric) for key, cell in own.items() if cell.scores}
        for recipe, own in result.cells.items()
    }
    recipes = [recipe for recipe in means if means[recipe]]
    best = [min((name for name in recipes if key in means[name]), key=lambda n: means[n][key]) for key in result.levels]
    overall = sorted(recipes, key=lambda recipe: float(np.mean(list(means[recipe].values()))))
    kept = [name for name in dict.fromkeys([result.experiment.baseline, *best, *overall]) if name in recipes]
    return [recipe for recipe in recipes if recipe in kept[:MOST_LINES]]


def _point(cell: CellMean | None, result: Conditions) -> Point:
    """The mean over seeds with its t interval, which allows for a split that is redrawn; none under `MIN_SEEDS`."""
    metric = result.experiment.metric
    if cell is None or not cell.scores:
        return Point(math.nan)
    if len(cell.scores) < MIN_SEEDS:
        return Point(shown(cell.mean, metric))
    mean = paired_contrast([list(cell.scores.values())], [1], result.overlap)
    half = float(reach(mean, result.experiment.alpha))
    return Point(*(shown(float(mean.value) + end, metric) for end in (0, -half, half)))


def _plot_caption(result: Conditions, info: InteractionInfo) -> str:
    experiment = result.experiment
    few = any(len(cell.scores) < MIN_SEEDS for recipe in info.recipes for cell in result.cells[recipe].values())
    caption = (
        f"{_finding(result)} Mean {METRICS[experiment.metric].title} over seeds with the "
        f"{percent(1 - experiment.alpha)} interval of each mean, not corrected"
        f"{', wide enough for a split that is redrawn' if result.overlap else ''}"
        f"{f'; none under {MIN_SEEDS} seeds' if few else ''}. Where lines are parallel, recipes differ by as much "
        f"under one {info.factor} as under another; where they cross, their order changes. Whether they differ is for "
        "the tests to say, not for intervals that overlap."
    )
    left = sum(any(cell.scores for cell in own.values()) for own in result.cells.values()) - len(info.recipes)
    drawn = f" Drawn are {named(experiment.baseline)} and the best recipes, {left} others are not." if left else ""
    return caption + drawn
