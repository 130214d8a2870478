"""What each operation contributes, in sentences. Shared by the report and the terminal; no matplotlib, no jinja2."""

from __future__ import annotations

import math

from ablation.analysis.attribution import Design
from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, listing, opening, p_phrase
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.sections.attribution.compute import Contributions, Gain, Operations
from ablation.report.sections.attribution.designs import Plan
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    compared_phrase,
    gain,
    holm_phrase,
    interval,
    on_images,
    points,
    seeds_of,
    size,
    spanned,
    unit_text,
)

ASKS = {
    "shapley": (
        "All {count} combinations of {parts} were run. A contribution is what an operation adds, averaged over every "
        "order in which they could have been added (Shapley 1953); together these sum to what all of them gain."
    ),
    "leave_one_out": (
        "Each of {parts} was left out of {together}, which has them all. A contribution is what an operation adds to "
        "all the others."
    ),
    "add_one_in": (
        "Each of {parts} was run alone, and all of them together as {together}. A contribution is what an operation "
        "adds when it is the only one."
    ),
}

SUM = {
    "shapley": "the sum of what each does alone",
    "add_one_in": "the sum of what each does alone",
    "leave_one_out": "the sum of what each adds to the others",
}

BEYOND = {
    "shapley": ("they do the same work twice, or are too much together", "they help one another"),
    "add_one_in": ("they do the same work twice, or are too much together", "they help one another"),
    "leave_one_out": ("each does more beside the others", "where one is left out, the others partly make up for it"),
}
"""What it means if all together gain less than the sum, or more, where the sum is a gain."""


def asks(plan: Plan) -> str:
    """What the contributions are, for this design."""
    together = plan.recipes[frozenset(plan.parts)]
    parts = among(plan.parts, "operation")
    return ASKS[plan.design].format(count=f"{2 ** len(plan.parts):,}", parts=parts, together=together)


def sentences(found: Operations, experiment: Experiment) -> tuple[str, ...]:
    """The answer, from the pooled contributions or those of the only condition."""
    one = found.deciding
    if not one.each:
        return (f"No answer yet: a recipe of the design has {counted(one.seeds, 'finished seed')}.",)
    if one.note:
        seen = [f"{each.name} {signed(each, experiment)}" for each in one.each]
        return (f"{opening(one.note)}; so far, in {unit_text(experiment.metric)}: {listing(seen)}.",)
    each = [*_shown(one, found, experiment), *_unshown(one, experiment)]
    told = f"{'; '.join(each)}, {_scope(found, experiment)}."
    return tuple(filter(None, (told, _together(one, found.plan.design, experiment), _company(one, found, experiment))))


def is_shown(one: Gain, experiment: Experiment) -> bool:
    """Is it beyond chance, after correction?"""
    return one.p_adjusted < experiment.alpha


def is_equivalent(one: Gain, experiment: Experiment) -> bool:
    """Is it a comparison that `compare` calls equivalent?"""
    return one.reached and not is_shown(one, experiment) and one.p_equivalent < experiment.alpha


def _shown(one: Contributions, found: Operations, experiment: Experiment) -> list[str]:
    """What is shown to contribute or to cost, the largest first."""
    claimed = [each for each in one.each if is_shown(each, experiment)]
    claimed.sort(key=lambda each: -gain(each.estimate, experiment.metric))
    return [_claim(each, found, experiment) for each in claimed]


def _claim(each: Gain, found: Operations, experiment: Experiment) -> str:
    numbers = f"{_evidence(each, experiment)}{_holds(each, found, experiment)}"
    return f"{each.name} {does(each.estimate, experiment.metric)} ({numbers})"


def _evidence(one: Gain, experiment: Experiment) -> str:
    """Behind what is shown: '95 % interval 0.5 to 1.7; Holm p = .004'."""
    return f"{spanned(one.low, one.high, experiment, math.copysign(1, one.estimate))}; {_chance(one, experiment)}"


def _chance(one: Gain, experiment: Experiment) -> str:
    return compared_phrase(one.p_adjusted, experiment) if one.compared else holm_phrase(one.p_adjusted, experiment)


def does(difference: float, metric: str) -> str:
    """'contributes 1.1 points of accuracy', 'costs ...'; of a loss 'lowers log loss by 0.120 nats'."""
    if METRICS[metric].lower_is_better:
        return f"{'lowers' if difference < 0 else 'raises'} {METRICS[metric].title} by {size(abs(difference), metric)}"
    return f"{'contributes' if difference > 0 else 'costs'} {amount(abs(difference), metric)}"


def _change(difference: float, metric: str) -> str:
    """'gain 1.3 points of accuracy'; of a loss 'lower log loss by 0.120 nats'."""
    if METRICS[metric].lower_is_better:
        return does(difference, metric).replace("lowers", "lower").replace("raises", "raise")
    return f"{'gain' if difference > 0 else 'lose'} {amount(abs(difference), metric)}"


def _holds(each: Gain, found: Operations, experiment: Experiment) -> str:
    """'; also shown under adam and sgd, each alone', where there are several conditions."""
    single = [one for one in found.found if not one.pooled]
    if len(single) < 2:
        return ""
    same = [
        condition_text(one.condition, experiment)
        for one in single
        for other in (() if one.note else one.each)
        if other.name == each.name and is_shown(other, experiment) and other.estimate * each.estimate > 0
    ]
    if not same:
        return "; not shown under any condition alone"
    if len(single) > 3 or any("," in place for place in same):
        return f"; also shown under {len(same)} of {len(single)} conditions, each alone"
    return f"; also shown under {listing(same)}{', each' if len(same) > 1 else ''} alone"


def _unshown(one: Contributions, experiment: Experiment) -> list[str]:
    """'brightness is equivalent to none within 1.0 points (...)', '... not shown to change accuracy (...)'."""
    words = (_within(experiment), f"not shown to change {METRICS[experiment.metric].title}", "not tested")
    said: dict[str, list[Gain]] = {word: [] for word in words}
    for each in one.each:
        if not is_shown(each, experiment):
            place = 0 if is_equivalent(each, experiment) else 1 if each.reached else 2
            said[words[place]].append(each)
    return [_alike(alike, word, experiment) for word, alike in said.items() if alike]


def _within(experiment: Experiment) -> str:
    return f"equivalent to {experiment.baseline} within {size(experiment.margin, experiment.metric)}"


def _alike(left: list[Gain], words: str, experiment: Experiment) -> str:
    """'brightness and contrast are not shown to change accuracy (brightness 0.0, -0.6 to +0.6; ...)'."""
    names = [each.name for each in left]
    if len(left) == 1:
        return f"{names[0]} is {words} ({_brief(left[0], experiment)})"
    numbers = "; ".join(f"{each.name} {_brief(each, experiment)}" for each in left)
    return f"{among(names, 'operation')} are {words}{f' ({numbers})' if len(left) <= 3 else ''}"


def _brief(one: Gain, experiment: Experiment) -> str:
    """What is not shown, in numbers; the interval of a comparison stands in the answer, beside its verdict."""
    if is_equivalent(one, experiment):
        return f"{signed(one, experiment)}, equivalence {p_phrase(one.p_equivalent, experiment.alpha)}"
    span = "" if one.compared else f", {interval(one.low, one.high, experiment.metric)}"
    return f"{signed(one, experiment)}{span}"


def _together(one: Contributions, design: Design, experiment: Experiment) -> str:
    """What all of them gain, and whether that is the sum of the parts."""
    total, metric = one.together, experiment.metric
    if total is None:
        return ""
    if is_shown(total, experiment):
        told = f"Together they {_change(total.estimate, metric)} ({_evidence(total, experiment)})"
    elif is_equivalent(total, experiment):
        told = f"Together they are {_within(experiment)} ({_brief(total, experiment)})"
    elif not total.reached:
        told = f"Together they are not tested ({_brief(total, experiment)})"
    else:
        numbers = f"{_brief(total, experiment)}; {_chance(total, experiment)}"
        told = f"Together they are not shown to change {METRICS[metric].title} ({numbers})"
    return f"{told}{_beyond(one.beyond, total, design, experiment) if one.beyond else ''}."


def _beyond(beyond: Gain, total: Gain, design: Design, experiment: Experiment) -> str:
    """'; that this differs from the sum of ... is not shown', or by how much it does, and what that means."""
    metric, whole = experiment.metric, f"{SUM[design]}{on_images(experiment)}"
    if not is_shown(beyond, experiment):
        span = interval(beyond.low, beyond.high, metric)
        numbers = f"remainder {signed(beyond, experiment)}, {span}; {_chance(beyond, experiment)}"
        return f"; that this differs from {whole} is not shown ({numbers})"
    more = gain(beyond.estimate, metric) > 0
    far, numbers = size(abs(beyond.estimate), metric), _evidence(beyond, experiment)
    helpful = gain(total.estimate - beyond.estimate, metric) > 0
    why = BEYOND[design][more] if helpful else "what one does depends on the others"
    if METRICS[metric].lower_is_better:
        return f"; {far} {'lower' if more else 'higher'} than by {whole} ({numbers}): {why}"
    return f", {far} {'more' if more else 'less'} than {whole} ({numbers}): {why}"


def _scope(found: Operations, experiment: Experiment) -> str:
    """'pooled over adam and sgd (5 seeds)', 'under adam (8 seeds)'."""
    one = found.deciding
    if one.pooled:
        single = [condition_text(other.condition, experiment) for other in found.found if not other.pooled]
        where = f"pooled over {conditions_text(single, MOST_NAMED)}"
    else:
        where = f"under {condition_text(one.condition, experiment)}"
    images = "" if all(each.compared for each in one.each) else on_images(experiment)
    return f"{where}{f',{images}' if images else ''} ({seeds_text(one)})"


def seeds_text(one: Contributions) -> str:
    """'5 seeds', or 'at least 3 of 5 seeds': of the recipe that has the fewest."""
    return f"{'at least ' if one.seeds < one.planned else ''}{seeds_of(one.seeds, one.planned)}"


def _company(one: Contributions, found: Operations, experiment: Experiment) -> str:
    """Beside Shapley's values, where they hide that all together is not the sum: what each does alone, and last."""
    if found.plan.design != "shapley" or one.beyond is None or len(one.alone) > MOST_NAMED:
        return ""
    if not is_shown(one.beyond, experiment):
        return ""
    metric = experiment.metric
    told = [
        f"{each.name} {points(alone, metric, sign=True)} and {points(last, metric, sign=True)}"
        for each, alone, last in zip(one.each, one.alone, one.last, strict=True)
    ]
    return f"An average over every order does not say it all: alone and added to all the others, {listing(told)}."


def signed(one: Gain, experiment: Experiment) -> str:
    """'+1.1', in the unit in which differences are shown."""
    return points(one.estimate, experiment.metric, sign=True)
