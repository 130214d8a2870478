"""What each operation contributes, as a section: sentences, a table and a picture. From evidence to what is told."""

from __future__ import annotations

import math
from typing import Any

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, p_text, percent
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.section import Figure, Rows, Section, Table
from ablation.report.sections.attribution.compute import Contributions, Gain, Operations, contributions
from ablation.report.sections.attribution.figure import (
    ContributionGroup,
    ContributionRow,
    ContributionsInfo,
    draw_contributions,
)
from ablation.report.sections.attribution.text import asks, is_equivalent, is_shown, seeds_text, sentences, signed
from ablation.report.text import (
    among,
    correction,
    gain,
    heading,
    interval,
    points,
    seeds_bounds,
    shown,
    unit_text,
)

MOST_ROWS = 40
"""Of a picture; with more it shows the pooled contributions only."""


def attribution(study: Study) -> Section | None:
    """None where the recipes make no complete design."""
    found = contributions(study.results)
    if found is None:
        return None
    experiment = study.experiment
    drawn, rows = figure(found, experiment), tuple(_rows(found, one, experiment) for one in found.found)
    table = Table(
        headers(found, experiment), rows, caption(found, experiment), frozenset({"claim"}),
        keep=("contribution", "interval", "p_adjusted", "claim"),
    )  # fmt: skip
    return Section(
        "attribution",
        "What does each operation contribute?",
        asks(found.plan),
        sentences(found, experiment),
        (drawn,) if drawn else (),
        (table,),
    )


def headers(found: Operations, experiment: Experiment) -> dict[str, str]:
    """Column -> heading. What an operation does alone and last is told beside Shapley's values only."""
    unit = f" ({METRICS[experiment.metric].unit})" if METRICS[experiment.metric].unit else ""
    marks = {"alone": "added alone", "last": "added to all others"} if found.plan.design == "shapley" else {}
    return {
        "operation": "operation",
        "contribution": f"contribution{unit}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p": "p",
        "p_adjusted": "adjusted p",
        **marks,
        "claim": "",
    }


def _rows(found: Operations, one: Contributions, experiment: Experiment) -> Rows:
    title = heading(one.condition, len(found.found) - 1, experiment)
    title += f", {seeds_text(one)}" if one.seeds < one.planned else ""
    blank = dict.fromkeys(headers(found, experiment), "")
    if not one.each:
        return Rows((blank | {"operation": NONE, "claim": one.note},), title, one.pooled)
    rows = [
        _cells(each, experiment)
        | {"claim": claim(each, one.note, experiment)}
        | {"alone": points(alone, experiment.metric, sign=True), "last": points(last, experiment.metric, sign=True)}
        for each, alone, last in zip(one.each, one.alone, one.last, strict=True)
    ]
    if one.together is not None:
        rows.append(blank | _cells(one.together, experiment) | {"claim": claim(one.together, one.note, experiment)})
    if one.beyond is not None:
        said = claim(one.beyond, one.note, experiment, ("more than the sum", "less than the sum"))
        rows.append(blank | _cells(one.beyond, experiment) | {"claim": said})
    return Rows(tuple(rows), title, one.pooled)


def _cells(one: Gain, experiment: Experiment) -> dict[str, str]:
    return {
        "operation": one.name,
        "contribution": signed(one, experiment),
        "interval": interval(one.low, one.high, experiment.metric),
        "p": p_text(one.p, experiment.alpha),
        "p_adjusted": p_text(one.p_adjusted, experiment.alpha),
    }


def claim(one: Gain, note: str, experiment: Experiment, words: tuple[str, str] = ("helps", "harms")) -> str:
    """'helps', 'harms', 'equivalent', 'not shown', 'not tested'; 'no claim' where a note says why."""
    if note:
        return "no claim"
    if is_equivalent(one, experiment):
        return "equivalent"
    if not is_shown(one, experiment):
        return "not shown" if one.reached else "not tested"
    return words[0] if gain(one.estimate, experiment.metric) > 0 else words[1]


def caption(found: Operations, experiment: Experiment) -> str:
    """How the table is to be read, and which recipes are not in it."""
    told = [
        f"Differences in {unit_text(experiment.metric)}, with the {percent(1 - experiment.alpha)} interval over seeds."
    ]
    told += [*_families(found, experiment), "Claims rest on p after correction."]
    if found.plan.design == "shapley":
        told.append("What an operation does alone and added to all others is shown for comparison, without a test.")
    several = any(one.compared for part in found.found for one in (*part.each, *part.sums))
    told.append(f"{'The rest' if several else 'Everything'} holds {seeds_bounds(experiment)}.")
    return " ".join([*told, *left_out(found)])


def _families(found: Operations, experiment: Experiment) -> list[str]:
    """What is corrected together with what."""
    kinds = {one.compared for part in found.found for one in (*part.each, *part.sums)}
    told = []
    if True in kinds:
        alone = found.plan.design == "add_one_in"
        told.append(
            f"{'What an operation does alone, and all together' if alone else 'All together'}: the comparisons with "
            f"{experiment.baseline}, which hold as there and with the same numbers, corrected over all comparisons "
            f"of the experiment{' (Dunnett, the interval too)' * (correction(experiment) == 'Dunnett')}."
        )
    if False in kinds:
        told.append(
            f"{'The rest' if True in kinds else 'All'} is one family for Holm's correction, over all headings, with "
            "intervals that are not corrected."
        )
    return told


def left_out(found: Operations) -> list[str]:
    """The recipes that take no part, by reason."""
    by_reason: dict[str, list[str]] = {}
    for recipe, why in found.plan.left_out.items():
        by_reason.setdefault(why, []).append(recipe)
    return [f"Left out: {among(recipes, 'recipe')} ({why})." for why, recipes in by_reason.items()]


def figure(found: Operations, experiment: Experiment) -> Figure | None:
    """The contributions as intervals; None where there is none yet."""
    known = [one for one in found.found if one.each]
    if not known:
        return None
    rows = sum(len(_drawn(one, found, experiment)) for one in known)
    drawn = known if rows <= MOST_ROWS else known[-1:]
    info = ContributionsInfo(
        tuple(
            ContributionGroup(
                heading(one.condition, len(found.found) - 1, experiment), _drawn(one, found, experiment), one.pooled
            )
            for one in drawn
        ),
        shown(experiment.margin, experiment.metric),
        unit_text(experiment.metric),
        METRICS[experiment.metric].lower_is_better,
    )
    margin = f"±{points(experiment.margin, experiment.metric)} {METRICS[experiment.metric].unit}".strip()
    told = (
        f"Each operation with its {percent(1 - experiment.alpha)} interval over seeds; filled diamonds: all of them "
        "together; hollow ones: what that is beyond the sum of what each does "
        f"{'added to the others' if found.plan.design == 'leave_one_out' else 'alone'}. "
    )
    if info.marked:
        told += "Where the open circle and the open square lie apart, what an operation does depends on the others. "
    told += f"Shaded: the margin within which recipes count as equivalent ({margin})."
    if len(drawn) < len(known):
        told += f" Drawn is the last of {len(known)} headings of the table."
    return Figure(
        info,
        draw_contributions,
        f"What each operation contributes to {METRICS[experiment.metric].title}, with intervals",
        told,
    )


def _drawn(one: Contributions, found: Operations, experiment: Experiment) -> tuple[ContributionRow, ...]:
    marks = found.plan.design == "shapley"
    rows = [
        _row(each, experiment, "one", *((alone, last) if marks else ()))
        for each, alone, last in zip(one.each, one.alone, one.last, strict=True)
    ]
    rows += [_row(one.together, experiment, "all")] if one.together else []
    rows += [_row(one.beyond, experiment, "beyond")] if one.beyond else []
    return tuple(rows)


def _row(
    one: Gain, experiment: Experiment, kind: Any, alone: float = math.nan, last: float = math.nan
) -> ContributionRow:
    metric = experiment.metric
    span = "" if math.isnan(one.low) else f"  [{interval(one.low, one.high, metric)}]"
    middle, low, high, alone, last = (shown(x, metric) for x in (one.estimate, one.low, one.high, alone, last))
    return ContributionRow(one.name, middle, low, high, signed(one, experiment) + span, kind, alone, last)
