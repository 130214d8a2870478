"""What each operation of a recipe contributes, as a section: sentences, a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, bare, counted, listing, named, opening, out_of, p_phrase, p_text, percent, plain
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_named
from ablation.report.charts import IntervalGroup, IntervalRow, IntervalsInfo
from ablation.report.section import Column, Figure, Rows, Section, Table, headings
from ablation.report.sections.attribution.compute import Contributions, DesignResult, Gain, contributions
from ablation.report.sections.attribution.designs import Plan
from ablation.report.sections.attribution.figure import draw_contributions
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    bounds,
    chance,
    correction,
    counting,
    gain,
    heading,
    interval,
    margin_text,
    on_images,
    shaded,
    signed,
    size,
    spanned,
    unit_text,
    where,
)

MOST_ROWS = 40
"""Of a figure; with more it shows the pooled contributions only."""

QUESTIONS = {
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

TWICE_OR_HELPED = ("they do the same work twice, or are too much together", "they help one another")
BEYOND = {
    "shapley": TWICE_OR_HELPED,
    "add_one_in": TWICE_OR_HELPED,
    "leave_one_out": ("each does more beside the others", "where one is left out, the others partly make up for it"),
}
"""What it means if all together gain less than the sum, or more, where the sum is a gain."""


def attribution(study: Study) -> Section | None:
    """None where the recipes make no complete design."""
    result = contributions(study)
    if result is None:
        return None
    drawn = figure(result)
    return Section(
        "attribution",
        "What does each operation contribute?",
        question(result.plan),
        answer(result),
        (drawn,) if drawn else (),
        (table(result),),
    )


def question(plan: Plan) -> str:
    """What the contributions are, for this design."""
    together, parts = named(plan.recipes[frozenset(plan.parts)]), among(plan.parts, "operation")
    return QUESTIONS[plan.design].format(count=f"{2 ** len(plan.parts):,}", parts=parts, together=together)


def answer(result: DesignResult) -> tuple[str, ...]:
    """From the pooled contributions or those of the only condition: the foremost, then each in numbers."""
    block, experiment = result.deciding, result.experiment
    if not block.gains:
        return (f"No answer yet: a recipe of the design has {counted(block.seeds, 'finished seed')}.",)
    if block.note:
        so_far = listing(f"{named(one.name)} {signed(one.estimate, experiment.metric)}" for one in block.each)
        return (f"{opening(block.note)}.", f"So far, in {unit_text(experiment.metric)}: {so_far}.")
    significant = [one for one in block.each if one.verdict == "shown"]
    significant.sort(key=lambda one: -gain(one.estimate, experiment.metric))
    sentences = [
        f"{named(one.name)} {_does(one.estimate, experiment.metric)} ({_evidence(one, experiment)})."
        f"{_also_under(one, result)}"
        for one in significant
    ]
    for verdict, words in _unshown(experiment).items():
        if alike := [one for one in block.each if one.verdict == verdict]:
            sentences.append(f"{_are(alike, words, experiment)}.")
    sentences += [_together(block, result), _alone_and_last(block, result), f"Numbers are {_scope(result)}."]
    return (_foremost(block, experiment), *filter(None, sentences))


def _foremost(block: Contributions, experiment: Experiment) -> str:
    """The answer in one short sentence: what changes the score most, or that nothing is shown to."""
    metric, title = experiment.metric, METRICS[experiment.metric].title
    significant = sorted((one for one in block.each if one.verdict == "shown"), key=lambda one: -abs(one.estimate))
    if not significant:
        if all(one.verdict == "equivalent" for one in block.each):
            return f"Every operation is {_unshown(experiment)['equivalent']}."
        return f"No operation is shown to change {title}."
    first, *others = significant
    rest = "no other operation is shown to change it"
    if others:
        rest = f"{counted(len(others), 'other operation')} {'changes' if len(others) == 1 else 'change'} it, too"
    return f"{named(first.name)} {_does(first.estimate, metric)}; {rest}."


def _seeds(block: Contributions) -> str:
    """'5 seeds', or 'at least 3 of 5 seeds': of the recipe that has the fewest."""
    return f"{'at least ' * (block.seeds < block.planned)}{out_of(block.seeds, block.planned, 'seed')}"


def _does(difference: float, metric: str, many: bool = False) -> str:
    """'contributes 1.1 points of accuracy', of many 'gain ...'; of a loss 'lowers log loss by 0.120 nats'."""
    if METRICS[metric].lower_is_better:
        verb = f"{'lower' if difference < 0 else 'raise'}{'' if many else 's'}"
        return f"{verb} {METRICS[metric].title} by {size(abs(difference), metric)}"
    verbs = ("lose", "gain") if many else ("costs", "contributes")
    return f"{verbs[difference > 0]} {amount(abs(difference), metric)}"


def _evidence(one: Gain, experiment: Experiment) -> str:
    """Behind a claim: '95 % interval 0.5 to 1.7; Holm p = .004'."""
    span = spanned(one.low, one.high, experiment, one.estimate)
    return f"{span}; {chance(one.p_adjusted, experiment, one.compared)}"


def _also_under(one: Gain, result: DesignResult) -> str:
    """' It is also shown under adam and sgd, each alone.', where there are several conditions."""
    if len(result.single) < 2:
        return ""
    same = [
        block.condition
        for block in result.single
        for other in (() if block.note else block.each)
        if other.name == one.name and other.verdict == "shown" and other.estimate * one.estimate > 0
    ]
    if not same:
        return " It is not shown under any condition alone."
    names = [condition_named(condition, result.experiment) for condition in same]
    if len(result.single) > 3 or any(", " in name for name in names):
        return f" It is also shown under {len(same)} of {len(result.single)} conditions, each alone."
    return f" It is also shown under {listing(names)}{', each' if len(same) > 1 else ''} alone."


def _unshown(experiment: Experiment) -> dict[str, str]:
    """Each verdict but "shown" -> how it is said."""
    return {
        "equivalent": f"equivalent to {named(experiment.baseline)} within {margin_text(experiment)}",
        "not shown": f"not shown to change {METRICS[experiment.metric].title}",
        "not tested": "not tested",
    }


def _are(gains: Sequence[Gain], words: str, experiment: Experiment) -> str:
    """'brightness and contrast are not shown to change accuracy (brightness 0.0, -0.6 to +0.6; ...)'."""
    if len(gains) == 1:
        return f"{named(gains[0].name)} is {words} ({_brief(gains[0], experiment)})"
    names = [one.name for one in gains]
    numbers = "; ".join(f"{named(one.name)} {_brief(one, experiment)}" for one in gains)
    return f"{among(names, 'operation')} are {words}{f' ({numbers})' if len(gains) <= 3 else ''}"


def _brief(one: Gain, experiment: Experiment) -> str:
    """What is not shown, in numbers; the interval of a comparison stands in the answer, beside its verdict."""
    if one.verdict == "equivalent":
        return f"{signed(one.estimate, experiment.metric)}, equivalence {p_phrase(one.p_equivalent, experiment.alpha)}"
    span = "" if one.compared else f", {interval(one.low, one.high, experiment.metric)}"
    return f"{signed(one.estimate, experiment.metric)}{span}"


def _together(block: Contributions, result: DesignResult) -> str:
    """What all of them gain, and whether that is the sum of the parts."""
    total, experiment = block.together, result.experiment
    if total is None:
        return ""
    if total.verdict == "shown":
        text = f"{_does(total.estimate, experiment.metric, many=True)} ({_evidence(total, experiment)})"
    else:
        p = f"; {chance(total.p_adjusted, experiment, total.compared)}" * (total.verdict == "not shown")
        text = f"are {_unshown(experiment)[total.verdict]} ({_brief(total, experiment)}{p})"
    return f"Together the operations {text}.{_beyond(block.beyond, total, result) if block.beyond else ''}"


def _beyond(beyond: Gain, total: Gain, result: DesignResult) -> str:
    """' That this differs from the sum of ... is not shown.', or by how much it does, and what that means."""
    experiment, design, metric = result.experiment, result.plan.design, result.experiment.metric
    whole = f"{SUM[design]}{on_images(experiment)}"
    if beyond.verdict != "shown":
        numbers = f"remainder {_brief(beyond, experiment)}; {chance(beyond.p_adjusted, experiment)}"
        return f" That this differs from {whole} is not shown ({numbers})."
    more = gain(beyond.estimate, metric) > 0
    far, numbers = size(abs(beyond.estimate), metric), _evidence(beyond, experiment)
    helpful = gain(total.estimate - beyond.estimate, metric) > 0
    why = BEYOND[design][more] if helpful else "what one does depends on the others"
    if METRICS[metric].lower_is_better:
        return f" That is {far} {'lower' if more else 'higher'} than by {whole} ({numbers}): {why}."
    return f" That is {far} {'more' if more else 'less'} than {whole} ({numbers}): {why}."


def _scope(result: DesignResult) -> str:
    """'pooled over adam and sgd (5 seeds)', 'those under adam (8 seeds)'."""
    block, experiment = result.deciding, result.experiment
    images = "" if all(one.compared for one in block.each) else on_images(experiment)
    conditions = where((each.condition for each in result.blocks), experiment, images)
    return f"{'' if block.pooled else 'those '}{conditions} ({_seeds(block)})"


def _alone_and_last(block: Contributions, result: DesignResult) -> str:
    """Beside Shapley's values, where they hide that all together is not the sum: what each does alone, and last."""
    hidden = result.plan.design == "shapley" and block.beyond is not None and block.beyond.verdict == "shown"
    if not hidden or len(block.each) > MOST_NAMED:
        return ""
    metric = result.experiment.metric
    each = [f"{named(one.name)} {signed(one.alone, metric)} and {signed(one.last, metric)}" for one in block.each]
    return f"An average over every order does not say it all: alone and added to all the others, {listing(each)}."


def table(result: DesignResult) -> Table:
    """A row an operation, then the sums, for each condition. Beside Shapley's values what one does alone, and last."""
    columns, experiment, groups = _columns(result), result.experiment, []
    for block in result.blocks:
        title = heading(block.condition, len(result.blocks) - 1, experiment)
        title += f", {_seeds(block)}" if block.seeds < block.planned else ""
        own = columns | {"claim": ("claim", lambda _: "no claim")} if block.note else columns
        empty = dict.fromkeys(columns, "") | {"operation": NONE, "claim": block.note}
        groups.append(
            Rows.of(own, block.gains, title, block.pooled) if block.gains else Rows((empty,), title, block.pooled)
        )
    return Table(
        headings(columns),
        tuple(groups),
        caption(result),
        words=frozenset({"claim"}),
        keep=("claim", "contribution"),
        spare=("p", "p_adjusted", "interval"),
    )


def _columns(result: DesignResult) -> dict[str, Column]:
    metric, alpha = result.experiment.metric, result.experiment.alpha
    columns: dict[str, Column] = {
        "operation": ("operation", lambda one: one.name),
        "claim": ("claim", lambda one: claim(one, metric)),
        "contribution": (counting("contribution", metric), lambda one: signed(one.estimate, metric)),
        "alone": ("added alone", lambda one: signed(one.alone, metric) if one.kind == "one" else ""),
        "last": ("added to all others", lambda one: signed(one.last, metric) if one.kind == "one" else ""),
        "interval": (f"{percent(1 - alpha)} interval", lambda one: interval(one.low, one.high, metric)),
        "p": ("p", lambda one: p_text(one.p, alpha)),
        "p_adjusted": ("adjusted p", lambda one: p_text(one.p_adjusted, alpha)),
    }
    if result.plan.design != "shapley":
        del columns["alone"], columns["last"]
    return columns


def claim(one: Gain, metric: str) -> str:
    """'helps', 'harms' (of the remainder 'more than the sum', 'less ...'), 'equivalent', 'not shown', 'not tested'."""
    if one.verdict != "shown":
        return one.verdict
    better, worse = ("more than the sum", "less than the sum") if one.kind == "beyond" else ("helps", "harms")
    return better if gain(one.estimate, metric) > 0 else worse


def caption(result: DesignResult) -> str:
    """How the table is to be read, and which recipes are not in it."""
    experiment, kinds = result.experiment, {one.compared for block in result.blocks for one in block.gains}
    level = percent(1 - experiment.alpha)
    parts = [f"Differences in {unit_text(experiment.metric)}, with the {level} interval over seeds."]
    if True in kinds:
        alone = result.plan.design == "add_one_in"
        parts.append(
            f"{'What an operation does alone, and all together' if alone else 'All together'}: the comparisons with "
            f"{named(experiment.baseline)}, which hold as there and with the same numbers, corrected over all "
            f"comparisons of the experiment{' (Dunnett, the interval too)' * (correction(experiment) == 'Dunnett')}."
        )
    if False in kinds:
        parts.append(
            f"{'The rest' if True in kinds else 'All'} is one family for Holm's correction, over all headings, with "
            "intervals that are not corrected."
        )
    parts.append(
        "Claims rest on p after correction, which may be sharper than the interval: an operation can help though its "
        "interval reaches 0."
    )
    if result.plan.design == "shapley":
        parts.append("What an operation does alone and added to all others is shown for comparison, without a test.")
    parts.append(f"{'The rest' if True in kinds else 'Everything'} holds {bounds(experiment, seeds_alone=True)}.")
    by_reason: dict[str, list[str]] = {}
    for recipe, why in result.plan.left_out.items():
        by_reason.setdefault(why, []).append(recipe)
    parts += [f"Left out: {among(recipes, 'recipe')} ({why})." for why, recipes in by_reason.items()]
    return " ".join(parts)


def figure(result: DesignResult) -> Figure | None:
    """The contributions as intervals; None where there is none yet."""
    known = [block for block in result.blocks if block.gains]
    if not known:
        return None
    experiment, metric = result.experiment, result.experiment.metric
    drawn = known if sum(len(block.gains) for block in known) <= MOST_ROWS else known[-1:]
    groups = (
        IntervalGroup(
            bare(heading(block.condition, len(result.blocks) - 1, experiment)),
            tuple(
                IntervalRow.of(one.name, one.estimate, one.low, one.high, one.kind, metric, one.alone, one.last)
                for one in block.gains
            ),
            block.pooled,
        )
        for block in drawn
    )
    info = IntervalsInfo.of(groups, experiment, "contribution")
    text = (
        f"{_finding(result)} Each operation with its {percent(1 - experiment.alpha)} interval over seeds. Filled "
        "diamonds: all of them together. Hollow ones: what that is beyond the sum of what each does "
        f"{'added to the others' if result.plan.design == 'leave_one_out' else 'alone'}. "
    )
    if info.marked:
        text += "Where the open circle and the open square lie apart, what an operation does depends on the others. "
    text += shaded(experiment)
    if len(drawn) < len(known):
        text += f" Drawn is the last of {len(known)} headings of the table."
    return Figure(info, draw_contributions, _alt(known[-1], experiment), text)


def _finding(result: DesignResult) -> str:
    """Of how many operations a contribution is shown, by what decides."""
    block, title = result.deciding, METRICS[result.experiment.metric].title
    if not block.gains or block.note:
        return f"No contribution is judged yet: {block.note}."
    number, whole = sum(one.verdict == "shown" for one in block.each), len(block.each)
    pooled = f", {heading({}, len(result.single), result.experiment)}" if block.pooled else ""
    are = "are" if number > 1 else "is"
    return f"{number or 'None'} of {counted(whole, 'operation')} {are} shown to change {title}{pooled}."


def _alt(block: Contributions, experiment: Experiment) -> str:
    """The numbers that decide, as far as they can be listened to."""
    metric = experiment.metric
    each = [f"{named(one.name)} {signed(one.estimate, metric)}" for one in block.each[:MOST_NAMED]]
    more = [f"{len(block.each) - MOST_NAMED} more"] if len(block.each) > MOST_NAMED else []
    together = f"; all together {signed(block.together.estimate, metric)}" if block.together else ""
    return plain(
        f"Dots with intervals: the contribution of each operation in {unit_text(metric)}: "
        f"{listing([*each, *more])}{together}"
    )
