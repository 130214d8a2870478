"""What each operation contributes, as a section: sentences, a table and a picture. From evidence to what is told."""

from __future__ import annotations

import math
from typing import Any

from ablation.analysis.attribution import Attribution, Contribution
from ablation.analysis.comparison import Difference
from ablation.evidence.operations import Contributions, Operations, contributions
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.figures.contributions import ContributionGroup, ContributionRow, ContributionsInfo
from ablation.report.operations_wording import asks, sentences, signed
from ablation.report.scenes import Scene, shown, unit_text
from ablation.report.told import Rows, Told, among, beside, gain, heading
from ablation.report.wording import NAME, NONE, UNIT, correction, interval, p_text, percent, points
from ablation.results import Results

MOST_ROWS = 40
"""Of a picture; with more it shows the pooled contributions only."""


def operations_told(results: Results) -> Told | None:
    """None where the recipes make no complete design."""
    found = contributions(results)
    if found is None:
        return None
    experiment = results.experiment
    return Told(
        "What does each operation contribute?",
        asks(found.plan),
        sentences(found, experiment),
        headers(found, experiment),
        tuple(_rows(found, one, experiment) for one in found.found),
        caption(found, experiment),
        scene(found, experiment),
    )


def headers(found: Operations, experiment: Experiment) -> dict[str, str]:
    """Column -> heading. What an operation does alone and last is told beside Shapley's values only."""
    unit = f" ({UNIT[experiment.metric]})" if UNIT[experiment.metric] else ""
    marks = {"alone": "added alone", "last": "added to all others"} if found.plan.design == "shapley" else {}
    return {
        "operation": "operation",
        "contribution": f"contribution{unit}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p": "p",
        "p_holm": f"{correction(experiment) if found.plan.design == 'add_one_in' else 'Holm'} p",
        **marks,
        "claim": "",
    }


def _rows(found: Operations, one: Contributions, experiment: Experiment) -> Rows:
    title = beside(heading(one.condition, len(found.found) - 1, experiment), one.seeds, one.planned)
    if one.attribution is None:
        blank = dict.fromkeys(headers(found, experiment), "")
        row = blank | {"operation": NONE, "claim": one.note}
        return Rows(title, (row,), one.pooled)
    rows = [
        _cells(each.operation, each.difference, experiment)
        | {"p_holm": p_text(each.p_holm), "claim": claim(each, one.note, experiment)}
        | {"alone": points(alone, experiment.metric, sign=True), "last": points(last, experiment.metric, sign=True)}
        for each, alone, last in zip(one.attribution.contributions, one.alone, one.last, strict=True)
    ]
    blank = dict.fromkeys(("p_holm", "alone", "last", "claim"), "")
    rows += [_cells(name, sum_, experiment) | blank for name, sum_ in _sums(one.attribution)]
    return Rows(title, tuple(rows), one.pooled)


def _cells(name: str, difference: Difference, experiment: Experiment) -> dict[str, str]:
    return {
        "operation": name,
        "contribution": signed(difference, experiment),
        "interval": interval(*difference.interval(experiment.alpha), experiment.metric),
        "p": p_text(difference.p_value()),
    }


def _sums(attribution: Attribution) -> list[tuple[str, Difference]]:
    """All together, and what that is beyond the sum, where they are known."""
    found = (("all together", attribution.total), ("beyond the sum", attribution.remainder))
    return [(name, difference) for name, difference in found if difference is not None]


def claim(each: Contribution, note: str, experiment: Experiment) -> str:
    """'helps', 'harms', 'not shown'; 'no claim' where a note says why."""
    if note:
        return "no claim"
    if not each.p_holm < experiment.alpha:
        return "not shown"
    return "helps" if gain(each.difference.estimate, experiment.metric) > 0 else "harms"


def caption(found: Operations, experiment: Experiment) -> str:
    """How the table is to be read, and which recipes are not in it."""
    alone = found.plan.design == "add_one_in"  # then these are comparisons with the baseline, see the evidence
    told = [
        f"Differences in {unit_text(experiment.metric)}, with the {percent(1 - experiment.alpha)} interval over seeds, "
        f"not corrected. {correction(experiment) if alone else 'Holm'} p is corrected over all "
        f"{'comparisons of the experiment' if alone else 'contributions shown'}, and claims rest on it. All together, "
        "and what that is beyond the sum, are told with p before correction, and nothing is claimed of them.",
    ]
    if found.plan.design == "shapley":
        told.append("What an operation does alone and added to all others is shown for comparison, without a test.")
    told.append("Everything holds on this data, model and budget.")
    return " ".join([*told, *left_out(found)])


def left_out(found: Operations) -> list[str]:
    """The recipes that take no part, by reason."""
    by_reason: dict[str, list[str]] = {}
    for recipe, why in found.plan.left_out.items():
        by_reason.setdefault(why, []).append(recipe)
    return [f"Left out: {among(recipes, 'recipe')} ({why})." for why, recipes in by_reason.items()]


def scene(found: Operations, experiment: Experiment) -> Scene | None:
    """The contributions as intervals; None where there is none yet."""
    known = [one for one in found.found if one.attribution is not None]
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
        experiment.metric in LOWER_IS_BETTER,
    )
    margin = f"±{points(experiment.margin, experiment.metric)} {UNIT[experiment.metric]}".strip()
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
    return Scene(info, f"What each operation contributes to {NAME[experiment.metric]}, with intervals", told)


def _drawn(one: Contributions, found: Operations, experiment: Experiment) -> tuple[ContributionRow, ...]:
    assert one.attribution is not None
    marks = found.plan.design == "shapley"
    rows = [
        _row(each.operation, each.difference, experiment, "one", *((alone, last) if marks else ()))
        for each, alone, last in zip(one.attribution.contributions, one.alone, one.last, strict=True)
    ]
    kinds = {"all together": "all", "beyond the sum": "beyond"}
    rows += [_row(name, sum_, experiment, kinds[name]) for name, sum_ in _sums(one.attribution)]
    return tuple(rows)


def _row(
    name: str,
    difference: Difference,
    experiment: Experiment,
    kind: Any,
    alone: float = math.nan,
    last: float = math.nan,
) -> ContributionRow:
    metric = experiment.metric
    low, high = difference.interval(experiment.alpha)
    text = signed(difference, experiment) + (f"  [{interval(low, high, metric)}]" if not math.isnan(low) else "")
    middle, low, high, alone, last = (shown(x, metric) for x in (difference.estimate, low, high, alone, last))
    return ContributionRow(name, middle, low, high, text, kind, alone, last)
