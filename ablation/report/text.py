"""Scores, differences and verdicts in words and numbers, once for every section and the terminal.

Scores in [0, 1] where higher is better are shown in percent, and their differences in points (1 point = 0.01); losses
keep their own unit. Numbers carry a true minus sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from ablation.analysis.comparison import CorrectedResampled
from ablation.analysis.metrics import METRICS
from ablation.core.text import MINUS, NONE, counted, listing, named, opening, out_of, p_phrase, percent
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_named, conditions_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ablation.evidence.effects import Effect
    from ablation.evidence.scores import RecipeScores

    Floats = NDArray[np.float64]

SYMBOL = {
    "better": "▲",
    "worse": "▼",
    "equivalent": "≈",
    "undecided": "?",
    "no verdict": "…",
    "not tested": "·",
    "baseline": "○",
}
"""A sign for each verdict, so that it never rests on colour alone."""


def points(x: float, metric: str, sign: bool = False, digits: int = 0) -> str:
    """A score or a difference as shown: points with one decimal, other units with three; a dash for nan.

    digits: decimals, if not these (`digits_of`).

    >>> points(0.0412, "accuracy"), points(0.12, "log_loss"), points(0.0412, "accuracy", digits=2)
    ('4.1', '0.120', '4.12')
    """
    if math.isnan(x):
        return NONE
    text = f"{abs(shown(x, metric)):.{digits or _digits(metric)}f}"
    if not float(text):
        return text
    return f"{MINUS if x < 0 else '+' if sign else ''}{text}"


def _digits(metric: str) -> int:
    return 1 if METRICS[metric].unit == "points" else 3


def digits_of(effect: Effect) -> int:
    """The decimals of an effect's difference and interval: more where a decided difference would be shown as 0."""
    usual, size = _digits(effect.metric), abs(shown(effect.estimate, effect.metric))
    if effect.verdict not in ("better", "worse") or not size or float(f"{size:.{usual}f}"):
        return usual
    return 1 - math.floor(math.log10(size))


def difference_text(effect: Effect) -> str:
    """The difference of an effect to the baseline, with its sign: '+4.1'."""
    return signed(effect.estimate, effect.metric, digits_of(effect))


def interval_text(effect: Effect, sign: bool = True) -> str:
    """The interval of that difference, with as many decimals: '+2.2 to +6.0'."""
    return difference_interval(effect.low, effect.high, effect.metric, sign, digits_of(effect))


WITHIN_ONE = frozenset(
    {"accuracy", "balanced_accuracy", "macro_f1", "top5_accuracy", "auroc", "average_precision", "ece"}
)
"""Metrics from 0 to 1: two scores differ by 1 at most."""


def difference_interval(low: float, high: float, metric: str, sign: bool = True, digits: int = 0) -> str:
    """The interval of a difference of two scores, without what no two scores can differ by: no accuracy is 124 points
    below another. Few seeds give such intervals; what is left out holds no truth, so their level stays.

    >>> difference_interval(0.2, 1.07, "accuracy"), difference_interval(0.2, 1.07, "log_loss")
    ('+20.0 to +100.0', '+0.200 to +1.070')
    """
    return interval(*possible(low, high, metric), metric, sign, digits)


def possible(low: float, high: float, metric: str) -> tuple[float, float]:
    """The part of an interval of a difference that can be; nan stays nan."""
    if metric not in WITHIN_ONE or math.isnan(low) or math.isnan(high):
        return low, high
    return max(low, -1.0), min(high, 1.0)


def signed(x: float, metric: str, digits: int = 0) -> str:
    """A difference as shown, with its sign.

    >>> signed(0.0412, "accuracy"), signed(0.12, "log_loss")
    ('+4.1', '+0.120')
    """
    return points(x, metric, sign=True, digits=digits)


@overload
def shown(x: float, metric: str) -> float: ...
@overload
def shown(x: Floats, metric: str) -> Floats: ...
def shown(x: Any, metric: str) -> Any:
    """Scores or differences in the unit that they are shown in: times 100 where in percent or points."""
    return 100 * x if METRICS[metric].unit == "points" else x


def amount(x: float, metric: str, digits: int = 0) -> str:
    """A difference with what it counts: '4.1 points of accuracy', '0.120 nats of log loss'."""
    return f"{size(x, metric, digits=digits)} of {METRICS[metric].title}"


def size(x: float, metric: str, sign: bool = False, digits: int = 0) -> str:
    """A difference with its unit: '4.1 points', '0.120 nats'."""
    return f"{points(x, metric, sign, digits)} {METRICS[metric].unit}".strip()


def interval(low: float, high: float, metric: str, sign: bool = True, digits: int = 0) -> str:
    """'+2.2 to +6.0'; a dash where there is none."""
    if math.isnan(low) or math.isnan(high):
        return NONE
    return f"{points(low, metric, sign, digits)} to {points(high, metric, sign, digits)}"


def seed_word(experiment: Experiment) -> str:
    """What counts as one: 'seed', or 'training draw' where several seeds are trained on one draw of the data."""
    return "seed" if all(split.runs_per_draw == 1 for split in experiment.levels("split").values()) else "training draw"


def seeds_text(effect: Effect, experiment: Experiment) -> str:
    """'5 seeds', '4 of 5 seeds' where some are missing; '3 shared seeds of 5', '5 seeds against the baseline's 3'."""
    thing = seed_word(experiment)
    alone = effect.verdict == "baseline" or effect.seeds == effect.baseline_seeds
    if effect.seeds < effect.planned and effect.tested and alone and experiment.declared_test.paired:
        return f"{counted(effect.seeds, f'shared {thing}')} of {effect.planned}"
    seeds = out_of(effect.seeds, effect.planned, thing)
    if alone:
        return seeds
    if experiment.declared_test.paired:
        return f"{seeds}, {effect.baseline_seeds} shared with the baseline"
    return f"{seeds} against the baseline's {effect.baseline_seeds}"


def corrected_by(experiment: Experiment, primary: int | None = None, behind: int = 0) -> str:
    """How the declared test is corrected for the number of comparisons: of the primary ones, and those behind them."""
    if experiment.declared_test.simultaneous:
        return "all recipes of a condition together, Bonferroni's correction over conditions"
    if not _several(experiment):
        if primary == 1:
            return "one comparison, so that nothing is corrected for"
        return f"Holm's correction over all {primary or ''} comparisons".replace("  ", " ")
    what = "pooled comparisons" if experiment.primary == "pooled" else "comparisons under each condition"
    first = f"corrected over the {primary or ''} {what}, which come first".replace("  ", " ")
    others = f"the other {behind}" if behind else "the others"
    return f"{first}, and {others} behind them (gatekeeping by Bretz et al. 2009)"


NO_MARGIN = "no margin was declared, so nothing can be called equivalent"


def margin_text(experiment: Experiment) -> str:
    """The margin of equivalence: '1.0 points', '0.050 nats'; with as many decimals as show it, and '' without one."""
    margin, metric = experiment.declared_margin, experiment.metric
    if margin is None:
        return ""
    digits = 0 if float(points(margin, metric)) else 1 - math.floor(math.log10(shown(margin, metric)))
    return size(margin, metric, digits=digits)


def shaded(experiment: Experiment) -> str:
    """What the shaded band of a figure is, in a sentence; without a margin, that there is none."""
    margin = margin_text(experiment)
    if not margin:
        return f"{opening(NO_MARGIN)}."
    return f"Shaded: the margin within which recipes count as equivalent (±{margin})."


def about_intervals(experiment: Experiment) -> str:
    """What the intervals of the table mean, in a sentence."""
    level = percent(1 - experiment.alpha)
    which = "all primary ones hold" if _several(experiment) else "all of them hold"
    return (
        f"Intervals are simultaneous (Bonferroni): with {level} confidence {which}. A verdict may be sharper than its "
        "interval: a recipe can be better though its interval reaches 0."
    )


def correction(experiment: Experiment) -> str:
    """Of an adjusted p: 'Holm', 'Dunnett', or 'adjusted' where comparisons stand behind others (gatekeeping)."""
    if experiment.declared_test.simultaneous:
        return "Dunnett"
    return "adjusted" if _several(experiment) else "Holm"


def _several(experiment: Experiment) -> bool:
    """Does anything vary beside the recipe?"""
    return any(len(levels) > 1 for factor, levels in experiment.factors.items() if factor != "recipe")


def verdict_text(effect: Effect) -> str:
    """The verdict as shown, a key of `SYMBOL`: see `Effect.decision`."""
    return effect.decision


def pooled_over(effect: Effect, effects: Iterable[Effect]) -> str:
    """'over 4 of 6 conditions' for a pooled effect whose recipe the grid leaves out of some; else ''."""
    single = [other for other in effects if not other.pooled]
    every = {tuple(other.condition.items()) for other in single}
    held = {tuple(other.condition.items()) for other in single if other.recipe == effect.recipe}
    partly = effect.pooled and 0 < len(held) < len(every)
    return f"over {out_of(len(held), len(every), 'condition')}" if partly else ""


def images_changed(share: float) -> str:
    """Of how many images an operation changed something: '98 %'."""
    return f"{100 * share:.0f} %"


def pixels_changed(change: float) -> str:
    """By how much it changed a pixel: '12.3 of 255' levels."""
    return f"{255 * change:.1f} of 255"


def unclaimed(scores: RecipeScores, seeds: int, judged: bool) -> str:
    """Why nothing is claimed from the scores of so many seeds; '' where it is. judged: does the test give a p?"""
    return scores.note(seeds) or ("" if judged else "no spread over seeds: the test cannot judge")


MOST_NAMED = 6
"""Names in a sentence; more are counted."""


def heading(condition: Mapping[str, str], conditions: int, experiment: Experiment) -> str:
    """'adam', its levels marked as names, or 'pooled over 2 conditions'."""
    return condition_named(condition, experiment) if condition else f"pooled over {counted(conditions, 'condition')}"


def where(conditions: Iterable[Mapping[str, str]], experiment: Experiment, images: str = "") -> str:
    """'under adam', or 'pooled over adam and sgd, on these test photographs': of all of these, {} left out.

    The levels are marked as names.
    """
    names = [condition_named(condition, experiment) for condition in conditions if condition]
    text = f"under {names[0]}" if len(names) == 1 else f"pooled over {conditions_text(names, MOST_NAMED)}"
    return f"{text},{images}" if images else text


def gain(difference: float, metric: str) -> float:
    """A difference as a gain: above 0 where the score is better, whichever way that is."""
    return -difference if METRICS[metric].lower_is_better else difference


def spanned(low: float, high: float, experiment: Experiment, toward: float = 0, digits: int = 0) -> str:
    """'95 % interval 0.5 to 1.7'; with signs, or as sizes in the direction of the number `toward`."""
    if toward < 0:
        low, high = -high, -low
    span = interval(low, high, experiment.metric, sign=not toward, digits=digits)
    return f"{percent(1 - experiment.alpha)} interval {span}"


def on_images(experiment: Experiment) -> str:
    """' on these test photographs': of a claim that rests on seeds alone, whatever test is declared.

    '' where the test part is redrawn for each seed, so that seeds vary in their photographs too.
    """
    return "" if isinstance(experiment.declared_test, CorrectedResampled) else " on these test photographs"


def bounds(experiment: Experiment, seeds_alone: bool = False) -> str:
    """What claims hold for: 'for new training and test photographs, on this data, model and budget'.

    seeds_alone: of claims that rest on seeds alone, as in `on_images`.
    """
    target = target_of(experiment)
    if seeds_alone:
        target = replace(target, images=not on_images(experiment))
    return f"{target}, on this data, model and budget"


def chance(p: float, experiment: Experiment, compared: bool = False) -> str:
    """'Holm p = .004'; of a comparison with the baseline by the declared test's correction: 'Dunnett p = .004'."""
    return f"{correction(experiment) if compared else 'Holm'} {p_phrase(p, experiment.alpha)}"


def value_text(score: float, metric: str) -> str:
    """A score: '96.2 %', '0.120 nats'."""
    return f"{points(score, metric)} {_score_unit(metric)}".strip()


def measure(metric: str, what: str = "") -> str:
    """A score and what it counts, as on an axis: 'accuracy (%)', 'log loss (nats, lower is better)'.

    what: stands before the unit, if not the metric's name.
    """
    unit = filter(None, (_score_unit(metric), "lower is better" * METRICS[metric].lower_is_better))
    return _with_unit(what or METRICS[metric].title, ", ".join(unit))


def counting(what: str, metric: str) -> str:
    """A difference and what it counts, as over a column: 'difference (points)'."""
    return _with_unit(what, METRICS[metric].unit)


def _with_unit(what: str, unit: str) -> str:
    return f"{what} ({unit})" if unit else what


def _score_unit(metric: str) -> str:
    return METRICS[metric].unit.replace("points", "%")


def among(names: Sequence[str], what: str) -> str:
    """The names, marked as such, or how many where they are many: '9 recipes'."""
    return counted(len(names), what) if len(names) > MOST_NAMED else listing(map(named, names))


def unit_text(metric: str) -> str:
    """'points of accuracy', 'nats of log loss', 'Brier score'."""
    return f"{METRICS[metric].unit} of {METRICS[metric].title}" if METRICS[metric].unit else METRICS[metric].title


TESTS = {
    "Crossed": "two-way random effects of seeds and test photographs, paired by seed (Searle et al. 1992)",
    "Welch": "Welch's t on the scores per seed (Welch 1947)",
    "Paired": "paired t on the scores of shared seeds (Student 1908)",
    "CorrectedResampled": "corrected resampled t, paired by seed (Nadeau and Bengio 2003)",
    "Dunnett": "Dunnett's test on the scores per seed, one variance for all recipes of a condition (Dunnett 1955)",
}
