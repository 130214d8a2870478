"""What stands behind each verdict, as cells of a table: chances, effect sizes, what is lacking, each seed's score."""

from __future__ import annotations

import math

from ablation.analysis.metrics import METRICS
from ablation.core.text import MINUS, NONE, percent
from ablation.evidence.effects import Effect
from ablation.experiment.experiment import Experiment
from ablation.report.sections.effects.text import chance_text
from ablation.report.text import interval, points


def detail_headers(experiment: Experiment) -> dict[str, str]:
    """The columns of `details`, key -> heading, in order."""
    metric = experiment.metric
    unit = (
        " (%)" if METRICS[metric].unit == "points" else ", lower is better" if METRICS[metric].lower_is_better else ""
    )
    return {
        "recipe": "recipe",
        "alone": f"{percent(1 - experiment.alpha)} interval by itself",
        **({} if experiment.declared_test.new_images else {"new": "for new photographs"}),
        "chance": "seeds won, chance (%)",
        "g": "Hedges' g",
        "needed": "new seeds to decide",
        "scores": f"{METRICS[metric].title} of each seed{unit}",
    }


def details(effect: Effect) -> dict[str, str]:
    """One effect as the cells of a row, under the keys of `detail_headers`."""
    return {
        "recipe": effect.recipe,
        "alone": interval(effect.alone_low, effect.alone_high, effect.metric),
        "new": interval(effect.new_low, effect.new_high, effect.metric),
        "chance": chance_text(effect),
        "g": NONE
        if math.isnan(effect.g)
        else f"{_number(effect.g)} ({_number(effect.g_low)} to {_number(effect.g_high)})",
        "needed": _needed(effect),
        "scores": "  ".join(points(score, effect.metric) for score in effect.scores.values()) or NONE,
    }


def _number(x: float) -> str:
    return f"{x:.1f}".replace("-", MINUS)


def _needed(effect: Effect) -> str:
    """'23, as different' or '> 1,000'; a dash where nothing is lacking."""
    if not effect.decided_as:
        return NONE
    if effect.decided_as == "neither":
        return "> 1,000"
    return f"{effect.seeds_needed:.0f}, as {effect.decided_as}"
