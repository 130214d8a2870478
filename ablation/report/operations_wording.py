"""What each operation contributes, in sentences. Shared by the report and the terminal; no matplotlib, no jinja2."""

from __future__ import annotations

import math

from ablation.analysis.attribution import Attribution, Contribution
from ablation.analysis.comparison import Difference
from ablation.evidence.designs import Plan
from ablation.evidence.operations import Contributions, Operations
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.report.scenes import unit_text
from ablation.report.told import MOST_NAMED, among, gain, holm_phrase, seeds_of, spanned
from ablation.report.wording import (
    NAME,
    UNIT,
    amount,
    condition_text,
    counted,
    interval,
    listing,
    opening,
    p_phrase,
    points,
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
    if one.attribution is None:
        return (f"No answer yet: a recipe of the design has {counted(one.seeds, 'finished seed')}.",)
    if one.note:
        seen = [f"{each.operation} {signed(each.difference, experiment)}" for each in one.attribution.contributions]
        return (f"{opening(one.note)}; so far, in {unit_text(experiment.metric)}: {listing(seen)}.",)
    each = [*_shown(one.attribution, found, experiment), *_unshown(one.attribution, experiment)]
    told = f"{opening('; '.join(each))}, {_scope(found, experiment)}."
    return tuple(filter(None, (told, _together(one.attribution, experiment), _company(one, experiment))))


def _shown(attribution: Attribution, found: Operations, experiment: Experiment) -> list[str]:
    """What is shown to contribute or to cost, the largest first."""
    claimed = [each for each in attribution.contributions if each.p_holm < experiment.alpha]
    claimed.sort(key=lambda each: -gain(each.difference.estimate, experiment.metric))
    return [_claim(each, found, experiment) for each in claimed]


def _claim(each: Contribution, found: Operations, experiment: Experiment) -> str:
    difference, toward = each.difference, math.copysign(1, each.difference.estimate)
    numbers = f"{spanned(each.low, each.high, experiment, toward)}; {holm_phrase(each.p_holm)}"
    return (
        f"{each.operation} {does(difference.estimate, experiment.metric)} ({numbers}{_holds(each, found, experiment)})"
    )


def does(difference: float, metric: str) -> str:
    """'contributes 1.1 points of accuracy', 'costs ...'; of a loss 'lowers log loss by 0.120 nats'."""
    if metric in LOWER_IS_BETTER:
        size = f"{points(abs(difference), metric)} {UNIT[metric]}".strip()
        return f"{'lowers' if difference < 0 else 'raises'} {NAME[metric]} by {size}"
    return f"{'contributes' if difference > 0 else 'costs'} {amount(abs(difference), metric)}"


def _change(difference: float, metric: str) -> str:
    """'gain 1.3 points of accuracy'; of a loss 'lower log loss by 0.120 nats'."""
    if metric in LOWER_IS_BETTER:
        return does(difference, metric).replace("lowers", "lower").replace("raises", "raise")
    return f"{'gain' if difference > 0 else 'lose'} {amount(abs(difference), metric)}"


def _holds(each: Contribution, found: Operations, experiment: Experiment) -> str:
    """'; by itself under adam and sgd', where there are several conditions."""
    single = [one for one in found.found if not one.pooled]
    if len(single) < 2:
        return ""
    same = [
        condition_text(one.condition, experiment)
        for one in single
        for other in (one.attribution.contributions if one.attribution and not one.note else ())
        if other.operation == each.operation
        and other.p_holm < experiment.alpha
        and other.difference.estimate * each.difference.estimate > 0
    ]
    if not same:
        return "; under no condition by itself"
    if len(single) > 3:
        return f"; by itself under {len(same)} of {len(single)} conditions"
    return f"; by itself under {listing(same)}"


def _unshown(attribution: Attribution, experiment: Experiment) -> list[str]:
    """'brightness and contrast are not shown to contribute (brightness 0.0, -0.6 to +0.6; ...)'."""
    left = [each for each in attribution.contributions if not each.p_holm < experiment.alpha]
    if not left:
        return []
    metric = experiment.metric
    effect = f"to change {NAME[metric]}"
    spans = [f"{signed(each.difference, experiment)}, {interval(each.low, each.high, metric)}" for each in left]
    if len(left) == 1:
        return [f"{left[0].operation} is not shown {effect} ({spans[0]})"]
    names = [each.operation for each in left]
    numbers = "; ".join(f"{name} {span}" for name, span in zip(names, spans, strict=True))
    return [f"{among(names, 'operation')} are not shown {effect}{f' ({numbers})' if len(left) <= 3 else ''}"]


def _together(attribution: Attribution, experiment: Experiment) -> str:
    """What all of them gain, and whether that is the sum of the parts."""
    total, remainder = attribution.total, attribution.remainder
    if total is None:
        return ""
    low, high = total.interval(experiment.alpha)
    if total.p_value() < experiment.alpha:
        numbers = f"{spanned(low, high, experiment, math.copysign(1, total.estimate))}; {p_phrase(total.p_value())}"
        told = f"together they {_change(total.estimate, experiment.metric)} ({numbers})"
    else:
        numbers = f"{signed(total, experiment)}, {interval(low, high, experiment.metric)}; {p_phrase(total.p_value())}"
        told = f"together they are not shown to change {NAME[experiment.metric]} ({numbers})"
    return f"{opening(told)}{_beyond(attribution, total, remainder, experiment) if remainder else ''}."


def _beyond(attribution: Attribution, total: Difference, remainder: Difference, experiment: Experiment) -> str:
    """'; that this differs from the sum of ... is not shown', or by how much it does, and what that means."""
    metric, p = experiment.metric, remainder.p_value()
    whole = SUM[attribution.design]
    low, high = remainder.interval(experiment.alpha)
    if not p < experiment.alpha:
        numbers = f"remainder {signed(remainder, experiment)}, {interval(low, high, metric)}; {p_phrase(p)}"
        return f"; that this differs from {whole} is not shown ({numbers})"
    more = gain(remainder.estimate, metric) > 0
    size = f"{points(abs(remainder.estimate), metric)} {UNIT[metric]}".strip()
    numbers = f"{spanned(low, high, experiment, math.copysign(1, remainder.estimate))}; {p_phrase(p)}"
    helpful = gain(total.estimate - remainder.estimate, metric) > 0
    why = BEYOND[attribution.design][more] if helpful else "what one does depends on the others"
    if metric in LOWER_IS_BETTER:
        return f"; {size} {'lower' if more else 'higher'} than by {whole} ({numbers}): {why}"
    return f", {size} {'more' if more else 'less'} than {whole} ({numbers}): {why}"


def _scope(found: Operations, experiment: Experiment) -> str:
    """'pooled over adam and sgd (5 seeds)', 'under adam (8 seeds)'."""
    one = found.deciding
    if one.pooled:
        single = [condition_text(other.condition, experiment) for other in found.found if not other.pooled]
        where = f"pooled over {among(single, 'condition')}"
    else:
        where = f"under {condition_text(one.condition, experiment)}"
    return f"{where} ({seeds_of(one.seeds, one.planned)})"


def _company(one: Contributions, experiment: Experiment) -> str:
    """Beside Shapley's values, where they hide that all together is not the sum: what each does alone, and last."""
    found, metric = one.attribution, experiment.metric
    remainder = found.remainder if found else None
    if found is None or found.design != "shapley" or remainder is None or len(one.alone) > MOST_NAMED:
        return ""
    if not remainder.p_value() < experiment.alpha:
        return ""
    told = [
        f"{each.operation} {points(alone, metric, sign=True)} and {points(last, metric, sign=True)}"
        for each, alone, last in zip(found.contributions, one.alone, one.last, strict=True)
    ]
    return f"An average over every order does not say it all: alone and added to all the others, {listing(told)}."


def signed(difference: Difference, experiment: Experiment) -> str:
    """'+1.1', in the unit in which differences are shown."""
    return points(difference.estimate, experiment.metric, sign=True)
