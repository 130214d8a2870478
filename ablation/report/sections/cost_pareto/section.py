"""What each recipe costs and what it gains for that, as a section: sentences, a table and a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.metrics import METRICS
from ablation.analysis.pareto import pareto_front
from ablation.core.text import MINUS, NONE, counted, listing, named, opening, out_of, p_text, percent, plain
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.openings import nobody, not_judged, up_to, whose
from ablation.report.section import Column, Figure, Rows, Section, Table, cells, headings
from ablation.report.sections.cost_pareto.compute import MOST_APART, Costs, RecipeCost, costs_of
from ablation.report.sections.cost_pareto.figure import (
    MOST_LABELS,
    MOST_ON_FRONT,
    CostInfo,
    CostPanel,
    CostPoint,
    draw_costs,
    score_interval,
)
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    bounds,
    chance,
    counting,
    gain,
    margin_text,
    measure,
    shown,
    signed,
    size,
    value_text,
    verdict_text,
)


def cost_pareto(study: Study) -> Section | None:
    """None where no run has finished, or nothing stands beside the baseline."""
    costs = costs_of(study)
    if costs is None or not costs.recipes:
        return None
    title = "What does it cost?"
    if all(math.isnan(one.time.baseline_mean) for one in costs.recipes):
        return Section("cost_pareto", title, answer=_nothing(study, costs))
    return Section(
        "cost_pareto",
        title,
        _question(costs),
        answer(costs),
        (figure(costs),),
        (table(costs),),
        caution(costs),
    )


def _question(costs: Costs) -> str:
    """How to read what follows."""
    what = "Training time and peak GPU memory are" if _memories(costs) else "Training time is"
    return (
        f"{what} compared with {named(costs.experiment.baseline)}, seed by seed on one machine. Read what a recipe "
        f"costs beside what it gains in {METRICS[costs.experiment.metric].title}."
    )


def _nothing(study: Study, costs: Costs) -> tuple[str, ...]:
    """Why no recipe has a time beside the baseline's."""
    notes = {one.time.note for one in costs.recipes}
    if any(note.startswith("the records") for note in notes):
        return (
            "Training time is not known: an older version made these records, which do not say what training took.",
            f"Remove the folders of these runs and train them anew with `{study.command}`.",
        )
    return (f"No time can be compared: {listing(sorted(notes), 'or')}.",)


def answer(costs: Costs) -> tuple[str, ...]:
    """What is found, in a sentence; one a recipe, the shown ones alone where many; memory, and what all holds for."""
    alpha = costs.experiment.alpha
    recipes = costs.recipes
    if len(recipes) > MOST_NAMED:
        shown_ones = sorted((one for one in recipes if one.time.shown(alpha)), key=lambda one: one.time.p_adjusted)
        recipes = tuple(shown_ones[:MOST_NAMED])
    sentences = [sentence(one, costs.experiment) for one in recipes]
    rest = [one for one in costs.recipes if one not in recipes]
    if differ := [one.recipe for one in rest if one.time.shown(alpha)]:
        sentences.append(f"{len(differ)} more differ in time; the table has their numbers.")
    if open_ := [one.recipe for one in rest if not one.time.shown(alpha)]:
        sentences.append(f"Of {among(open_, 'other recipe')} it is not shown that training takes more or less time.")
    held = f"Times hold for new seeds {_somewhere(costs)}; gains hold {bounds(costs.experiment)}."
    judged = any(not one.time.note for one in costs.recipes)
    return (_foremost(costs), *sentences, *_memory_sentences(costs), *([held] if judged else []))


def _foremost(costs: Costs) -> str:
    """Who takes more time than the baseline and who less, in one short sentence."""
    judged = [one for one in costs.recipes if not one.time.note]
    if not judged:
        return not_judged({one.recipe: one.time.note for one in costs.recipes})
    shown_ones = [one for one in judged if one.time.shown(costs.experiment.alpha)]
    shown_ones.sort(key=lambda one: -abs(change(one.time.estimate)))
    if not shown_ones:
        return f"{nobody([one.recipe for one in judged])} change training time."
    more = [one for one in shown_ones if one.time.estimate > 0]
    less = [one for one in shown_ones if one.time.estimate < 0]
    first, verbs, than = (more, ("costs", "cost"), "more") if more else (less, ("takes", "take"), "less")
    names, count = [one.recipe for one in first], len(costs.recipes)
    by = up_to(names, share(abs(change(first[0].time.estimate))))
    text = f"{whose(names, count, *verbs)} {by} {than} training time than {named(costs.experiment.baseline)}"
    rest = f"; {whose([one.recipe for one in less], count, 'takes', 'take')} less" if more and less else ""
    return f"{text}{rest}."


def _somewhere(costs: Costs) -> str:
    """'with this model and budget on NVIDIA H200'."""
    devices = sorted({"the CPU" if one[1] == "cpu" else one[1] for one in costs.machines if one})
    return f"with this model and budget on {listing(devices)}" if devices else "on the same machine"


def sentence(cost: RecipeCost, experiment: Experiment) -> str:
    """'crop costs 4 % more time than none (...) for a gain of 1.1 points of accuracy.'"""
    time, recipe = cost.time, named(cost.recipe)
    if time.note == OWN_RUNS:
        return f"{recipe} is {OWN_RUNS}."
    if math.isnan(time.estimate):
        return f"{recipe}: {time.note}, {out_of(time.seeds, time.planned, 'seed')}."
    if time.note:
        so_far = f"so far {share(change(time.estimate), sign=True)} of time, {out_of(time.seeds, time.planned, 'seed')}"
        return f"{recipe}: {time.note}; {so_far}."
    if not time.shown(experiment.alpha):
        numbers = _numbers(time, experiment)
        return f"{recipe} is not shown to cost more or less time ({numbers}). {_alone(cost, experiment)}."
    more = time.estimate > 0
    verb = f"{'costs' if more else 'takes'} {share(abs(change(time.estimate)))} {'more' if more else 'less'} time"
    than = named(experiment.baseline)
    return f"{recipe} {verb} than {than} ({_numbers(time, experiment)}){_joined(cost, experiment, more)}."


def _joined(cost: RecipeCost, experiment: Experiment, more: bool) -> str:
    """What the comparison says of the score, behind what is shown of the time."""
    verdict, words = _gain(cost, experiment)
    if verdict == "better":
        return f" for {words}" if more else f" and has {words}"
    if verdict == "worse":
        return f" and has {words}"
    return f". {opening(words)}"


def _alone(cost: RecipeCost, experiment: Experiment) -> str:
    """The same where no difference in time is shown."""
    verdict, words = _gain(cost, experiment)
    return f"It has {words}" if verdict in ("better", "worse") else opening(words)


def _gain(cost: RecipeCost, experiment: Experiment) -> tuple[str, str]:
    """The verdict of the comparison, as it is, and in words."""
    effect = cost.effect
    if effect is None:
        return "no verdict", "its score is not compared"
    verdict, metric = verdict_text(effect), effect.metric
    title = METRICS[metric].title
    if verdict in ("better", "worse"):
        return verdict, f"a {'gain' if verdict == 'better' else 'loss'} of {amount(abs(effect.estimate), metric)}"
    so_far = "" if math.isnan(effect.estimate) else f" ({size(effect.estimate, metric, sign=True)})"
    if verdict == "equivalent":
        return verdict, f"its {title} is equivalent within {margin_text(experiment)}{so_far}"
    if verdict == "undecided":
        return verdict, f"a difference in {title} is not shown{so_far}"
    return verdict, f"its {title} {'is not tested' if verdict == 'not tested' else 'has no verdict'}{so_far}"


def _numbers(effect: MeasureEffect, experiment: Experiment) -> str:
    """'95 % interval 2.0 to 6.1 %; Holm p = .002; n = 8 seeds', as sizes where it is shown, else with signs."""
    toward = effect.estimate if effect.shown(experiment.alpha) else 0.0
    estimate = "" if toward else f"{share(change(effect.estimate), sign=True)}, "
    span = f"{percent(1 - experiment.alpha)} interval {span_text(effect, toward)}"
    return (
        f"{estimate}{span}; {chance(effect.p_adjusted, experiment)}; n = {out_of(effect.seeds, effect.planned, 'seed')}"
    )


def span_text(effect: MeasureEffect, toward: float = 0.0) -> str:
    """'+0.4 to +2.1 %', or as sizes in the direction of the number `toward`; a dash where there is none."""
    if math.isnan(effect.low) or math.isnan(effect.high):
        return NONE
    ends = [change(effect.low), change(effect.high)]
    texts = [share(-end) for end in reversed(ends)] if toward < 0 else [share(end, sign=not toward) for end in ends]
    return " to ".join(text.removesuffix(" %") for text in texts) + " %"


def change(logarithm: float) -> float:
    """By how many percent something is more, of the logarithm of its ratio."""
    return 100 * math.expm1(logarithm)


def share(amount: float, sign: bool = False) -> str:
    """Percent as shown: '4.1 %', '+12.0 %'; a dash for nan."""
    if math.isnan(amount):
        return NONE
    text = f"{abs(amount):,.{1 if abs(amount) < 99.95 else 0}f}"
    mark = MINUS if amount < 0 else "+" if sign else ""
    return f"{mark if any(digit in text for digit in '123456789') else ''}{text} %"


def _memories(costs: Costs) -> list[tuple[str, MeasureEffect]]:
    return [(one.recipe, one.memory) for one in costs.recipes if one.memory and not math.isnan(one.memory.estimate)]


def _memory_sentences(costs: Costs) -> tuple[str, ...]:
    """What is shown of peak memory; where it does not vary over seeds it is said as it is."""
    known, experiment = _memories(costs), costs.experiment
    if not known:
        return ()
    fixed = [(recipe, one) for recipe, one in known if one.difference and not one.difference.error > 0]
    differ = [(recipe, one) for recipe, one in fixed if abs(one.estimate) > 1e-9]
    sentences = []
    if len(fixed) == len(known) and not differ:
        same = mebibytes(known[0][1].baseline_mean)
        return (f"Peak GPU memory is the same with every recipe, in every seed: {same}.",)
    if differ:
        parts = [
            f"{named(recipe)} {mebibytes(one.mean)} ({share(change(one.estimate), sign=True)})"
            for recipe, one in differ
        ]
        base = mebibytes(differ[0][1].baseline_mean)
        sentences.append(
            f"Peak GPU memory, the same in every seed and so not tested: {named(costs.experiment.baseline)} {base}, "
            f"{listing(parts[:MOST_NAMED])}."
        )
    shown_ = [(recipe, one) for recipe, one in known if one.shown(experiment.alpha)]
    for recipe, one in shown_[:MOST_NAMED]:
        more = one.estimate > 0
        by = f"{share(abs(change(one.estimate)))} {'more' if more else 'less'} GPU memory"
        sentences.append(f"{named(recipe)} needs {by} at its peak ({_numbers(one, experiment)}).")
    open_ = [
        recipe for recipe, one in known if one.difference and one.difference.error > 0 and (recipe, one) not in shown_
    ]
    if open_:
        sentences.append(f"Of {among(open_, 'recipe')} it is not shown that they need more or less GPU memory.")
    return tuple(sentences)


def mebibytes(logarithm: float) -> str:
    """'1,204 MiB', of its logarithm."""
    return NONE if math.isnan(logarithm) else f"{math.exp(logarithm):,.0f} MiB"


def seconds(logarithm: float) -> str:
    """'1.9', '48', '3,210': seconds of their logarithm, with no more digits than anybody reads."""
    if math.isnan(logarithm):
        return NONE
    taken = math.exp(logarithm)
    return f"{taken:.2f}" if taken < 9.995 else f"{taken:,.1f}" if taken < 99.95 else f"{taken:,.0f}"


def table(costs: Costs) -> Table:
    """The baseline, then a row a recipe: what it costs beside what it gains."""
    experiment, alpha = costs.experiment, costs.experiment.alpha
    metric, memory = experiment.metric, bool(_memories(costs))
    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda one: one.recipe),
        "verdict": (
            f"{METRICS[metric].title} is",
            lambda one: verdict_text(one.effect) if one.effect else NONE,
        ),
        "gain": (
            counting(METRICS[metric].title, metric),
            lambda one: signed(one.effect.estimate if one.effect else math.nan, metric),
        ),
        "time": ("time", lambda one: share(change(one.time.estimate), sign=True)),
        "seconds": ("seconds a run", lambda one: seconds(one.time.mean)),
    }
    if memory:
        columns["memory"] = (
            "memory",
            lambda one: share(change(one.memory.estimate if one.memory else math.nan), sign=True),
        )
        columns["mib"] = ("peak GPU memory", lambda one: mebibytes(one.memory.mean if one.memory else math.nan))
    columns |= {
        "interval": (f"{percent(1 - alpha)} interval of time", lambda one: span_text(one.time)),
        "p_holm": ("Holm p", lambda one: p_text(one.time.p_adjusted, alpha)),
        "seeds": ("seeds", lambda one: f"{one.time.seeds} of {one.time.planned}"),
    }
    rows = tuple(cells(columns, one) | {"note": one.time.note} for one in costs.recipes)
    return Table(
        headings(columns),
        (Rows((_baseline_row(costs, columns), *rows)),),
        _caption(costs, memory),
        keep=("verdict", "gain", "time"),
        spare=("seeds", "p_holm", "interval"),
        short={
            "verdict": "verdict",
            "gain": METRICS[metric].unit or "score",
            "seconds": "s a run",
            "mib": "MiB",
            "interval": f"{percent(1 - alpha)} interval",
        },
    )


def _baseline_row(costs: Costs, columns: dict[str, Column]) -> dict[str, str]:
    """Its own seconds and memory; everything else is a difference to it."""
    most = max(costs.recipes, key=lambda one: (not math.isnan(one.time.baseline_mean), one.time.seeds))
    row = dict.fromkeys(columns, NONE) | {"recipe": costs.experiment.baseline, "verdict": "baseline"}
    row |= {"seconds": seconds(most.time.baseline_mean), "seeds": f"{most.time.seeds} of {most.time.planned}"}
    if "mib" in columns and most.memory:
        row["mib"] = mebibytes(most.memory.baseline_mean)
    return row


def _caption(costs: Costs, memory: bool) -> str:
    """How the table is to be read."""
    baseline, title = named(costs.experiment.baseline), METRICS[costs.experiment.metric].title
    over = "times and memories together" if memory and _varies(costs) else "the recipes"
    peak = "Peak GPU memory: the most that tensors took in training. " if memory else ""
    return (
        f"What each recipe costs in training time, and what it gains in {title}. Seconds: of all epochs with their "
        "validation, without what tests the trained network, as geometric means over seeds. Time: the ratio to "
        f"{baseline} less 1, from the mean difference of the logarithms, by the declared test over seeds, Holm's "
        f"correction over {over}; intervals are simultaneous (Bonferroni). {peak}Difference in {title} and verdict: "
        "those of the comparison of recipes. A difference in time can be shown though its interval reaches 0: p "
        "decides, and Holm's correction is sharper than Bonferroni's."
    )


def _varies(costs: Costs) -> bool:
    return any(one.memory and one.memory.difference and one.memory.difference.error > 0 for one in costs.recipes)


def caution(costs: Costs) -> tuple[str, ...]:
    """Where runs were trained, beside what, in how many goes and in which order."""
    notes = [_load(costs)]
    devices = sorted({one[1] for one in costs.machines if one})
    if len(costs.machines) > 1:
        where = listing(devices) if devices else "unknown devices"
        notes.insert(
            0,
            f"Runs were trained on {counted(len(costs.machines), 'machine or device', 'machines or devices')} "
            f"({where}): only runs of the same are compared.",
        )
    left_out = {one.recipe: one.left_out for one in costs.recipes if one.left_out}
    if left_out:
        seeds = [f"{count} of {named(recipe)}" for recipe, count in left_out.items()]
        which = listing(seeds) if len(seeds) <= MOST_NAMED else f"{sum(left_out.values())} of {len(seeds)} recipes"
        notes.append(
            f"Seeds left out, as their runs were not trained on one device, in one go, and beside as many other runs "
            f"(within {MOST_APART:g}): {which}."
        )
    if costs.resumed:
        notes.append(f"{counted(costs.resumed, 'run')} went on after an interruption; no time is compared with theirs.")
    if costs.blocked:
        notes.append(
            "The recipes were trained one after another, not mixed: a machine that became slower or faster meanwhile "
            "looks like a recipe that costs more or less."
        )
    return tuple(notes)


def _load(costs: Costs) -> str:
    """Beside how many other runs the seconds were measured."""
    others = costs.others
    if not len(others):
        return "How many runs were trained at a time is not known, nor what else the machine did; both change seconds."
    mean, least, most = (f"{x:.1f}" for x in (others.mean(), others.min(), others.max()))
    spread = f" ({least} to {most})" if least != most else ""
    if mean == most == "0.0":
        return (
            "Each run was trained without another of this experiment beside it; what else the machine did is not known."
        )
    return (
        f"Seconds were measured while on average {mean} other runs{spread} of this experiment were trained on the same "
        "machine; what else it did is not known. They compare recipes, and do not say how fast the machine is."
    )


def figure(costs: Costs) -> Figure:
    """Score against time, and against memory where that is known and differs."""
    experiment, title = costs.experiment, METRICS[costs.experiment.metric].title
    baseline = named(costs.experiment.baseline)
    panels = [_panel(costs, [(one, one.time) for one in costs.recipes], plain(f"training time relative to {baseline}"))]
    memories = _memories(costs)
    if any(abs(one.estimate) > 1e-9 for _, one in memories):
        known = [(one, one.memory) for one in costs.recipes if one.memory]
        panels.append(_panel(costs, known, plain(f"peak GPU memory relative to {baseline}")))
    level = percent(1 - experiment.alpha)
    text = (
        f"{_finding(panels[0])} Across: the cost of each recipe beside {baseline}, with its simultaneous {level} "
        f"interval. Up: mean {title} with a {level} interval over seeds, each recipe by itself. The grey line and "
        "filled points are the front: no other recipe costs less without a worse score. It describes these runs and is "
        "not tested; where intervals overlap, another seed may give another front."
    )
    if len(costs.recipes) >= MOST_LABELS:
        text += f" Named are the baseline and at most {MOST_ON_FRONT} recipes of a front."
    info = CostInfo(tuple(panels), measure(experiment.metric), METRICS[experiment.metric].lower_is_better)
    return Figure(info, draw_costs, _alt(panels[0], costs), text)


def _finding(panel: CostPanel) -> str:
    """Who is on the front of time and score."""
    front = [point.recipe for point in panel.front]
    return f"On the Pareto front of the means {'is' if len(front) == 1 else 'are'} {among(front, 'recipe')}."


def _alt(panel: CostPanel, costs: Costs) -> str:
    """The points of the first panel, as many as can be listened to."""
    metric, points = costs.experiment.metric, panel.points
    each = [
        f"{named(point.recipe)} {share(point.x, sign=True)} at {_shown_score(point.y, metric)}"
        for point in points[: MOST_NAMED + 1]
    ]
    more = [f"{len(points) - len(each)} more"] if len(points) > len(each) else []
    return plain(f"A point a recipe, time beside the baseline at {METRICS[metric].title}: {listing([*each, *more])}")


def _shown_score(score: float, metric: str) -> str:
    """A score that is in shown units."""
    return value_text(score / 100 if METRICS[metric].unit == "points" else score, metric)


def _panel(costs: Costs, known: Sequence[tuple[RecipeCost, MeasureEffect]], axis: str) -> CostPanel:
    """The baseline at 0 and the recipes with a cost, and which of them are on the front."""
    metric, alpha = costs.experiment.metric, costs.experiment.alpha
    everyone = [(costs.baseline, (0.0, math.nan, math.nan))]
    everyone += [(cost.effect, (one.estimate, one.low, one.high)) for cost, one in known if one.note != OWN_RUNS]
    there = [(effect, ends) for effect, ends in everyone if effect and not math.isnan(ends[0] + effect.mean)]
    front = pareto_front([ends[0] for _, ends in there], [gain(effect.mean, metric) for effect, _ in there])
    few = len(costs.recipes) < MOST_LABELS
    on_front = [effect.recipe for (effect, _), best in zip(there, front.tolist(), strict=True) if best]
    on_front = on_front[:: -(-len(on_front) // MOST_ON_FRONT)]
    points = []
    for (effect, ends), best in zip(there, front.tolist(), strict=True):
        (x, x_low, x_high), mean = map(change, ends), shown(effect.mean, metric)
        low, high = (shown(end, metric) for end in score_interval(effect.mean, effect.sd, effect.seeds, alpha))
        named = few or effect.recipe in (costs.experiment.baseline, *on_front)
        points.append(CostPoint(effect.recipe, x, x_low, x_high, mean, low, high, best, named))
    return CostPanel(f"{axis} (%)", tuple(points))
