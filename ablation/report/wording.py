"""How an effect is put into words and numbers, once for the report and the terminal. No matplotlib, no jinja2.

Scores in [0, 1] where higher is better are told in percent, and their differences in points (1 point = 0.01); losses
keep their own unit. Numbers carry a true minus sign.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.values import label

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect

NAME = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
}
"""Each metric in a sentence."""

UNIT = {
    "accuracy": "points",
    "macro_f1": "points",
    "balanced_accuracy": "points",
    "log_loss": "nats",
    "brier": "",
    "ece": "",
}
"""What a difference in each metric is counted in; "" has no unit."""

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

NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def points(x: float, metric: str, sign: bool = False) -> str:
    """A score or a difference as shown: points with one decimal, other units with three; a dash for nan."""
    if math.isnan(x):
        return NONE
    text = f"{abs(x) * 100:.1f}" if UNIT[metric] == "points" else f"{abs(x):.3f}"
    if not float(text):
        return text
    return f"{MINUS if x < 0 else '+' if sign else ''}{text}"


def amount(x: float, metric: str) -> str:
    """A difference with what it counts: '4.1 points of accuracy', '0.120 nats of log loss'."""
    return f"{size(x, metric)} of {NAME[metric]}"


def size(x: float, metric: str, sign: bool = False) -> str:
    """A difference with its unit: '4.1 points', '0.120 nats'."""
    return f"{points(x, metric, sign)} {UNIT[metric]}".strip()


def p_text(p: float, alpha: float = 0.05) -> str:
    """A p-value without its leading zero: ".004", "<.001"; a dash for nan. Never on the other side of alpha than p.

    Where three digits would put it there it has four, rounded towards itself: ".0499".
    """
    if math.isnan(p):
        return NONE
    if p < min(alpha, 0.001):
        return "<.001"
    text = f"{p:.3f}"
    if (float(text) < alpha) != (p < alpha):
        text = f"{(math.floor if p < alpha else math.ceil)(p * 10_000) / 10_000:.4f}"
    return text.removeprefix("0")


def p_phrase(p: float, alpha: float = 0.05) -> str:
    """'p = .004', 'p < .001'."""
    text = p_text(p, alpha)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def percent(level: float) -> str:
    """A share: '95 %'."""
    return f"{round(100 * level, 6):g} %"


def interval(low: float, high: float, metric: str, sign: bool = True) -> str:
    """'+2.2 to +6.0'; a dash where there is none."""
    if math.isnan(low) or math.isnan(high):
        return NONE
    return f"{points(low, metric, sign)} to {points(high, metric, sign)}"


def listing(names: Iterable[str], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    *others, final = names
    return f"{', '.join(others)} {last} {final}" if others else final


def tied(text: str) -> str:
    """With no-break spaces where a line may not end: '95 %', '2.3 GB', '5 seeds', 'p = .004'."""
    return re.sub(r"(?<=\d) (?=%|seed|point|[kMG]B)|(?<=\b[pn]) (?=[<=] )|(?<=\b[pn] [<=]) (?=[.\d])", "\u00a0", text)


def opening(text: str, names: Iterable[str] = ()) -> str:
    """The text with a capital first letter, as a sentence begins; as it is where it begins with one of the names.

    Names are the user's: 'crop' and 'Crop' may be two recipes.
    """
    named = any(text.startswith(name) and not text[len(name) : len(name) + 1].isalnum() for name in names)
    return text if named else text[:1].upper() + text[1:]


def draws(experiment: Experiment) -> int:
    """How many seeds in a row are trained on one draw of the training part, and count as one."""
    return max(split.runs_per_draw for split in experiment.levels("split").values())


def counted(number: int, thing: str) -> str:
    """'1 seed', '5 seeds'."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def condition_text(condition: Mapping[str, str], experiment: Experiment) -> str:
    """'adam', 'adam, dropout 0.3': the levels of what varies; 'all conditions' for a pooled effect."""
    if not condition:
        return "all conditions"
    told = {factor: level for factor, level in condition.items() if len(experiment.factors[factor]) > 1}
    return ", ".join(
        level if factor in ("optimizer", "model") or "(" in level else f"{factor.replace('_', ' ')} {level}"
        for factor, level in (told or {"optimizer": condition["optimizer"]}).items()
    )


def conditions_text(told: Sequence[str], most: int = 4) -> str:
    """'adam and sgd'; '6 conditions' where they are more than `most`, or have commas of their own."""
    if len(told) == 1:
        return told[0]
    return listing(told) if 0 < len(told) <= most and ", " not in "".join(told) else counted(len(told), "condition")


def recipe_text(experiment: Experiment, recipe: str) -> str:
    """A recipe's operations: 'Brightness(amount=0.4) + Contrast(amount=0.4)'; 'no augmentation' for none."""
    return " + ".join(map(label, experiment.recipes[recipe])) or "no augmentation"


def seeds_text(effect: Effect, experiment: Experiment) -> str:
    """'5 seeds', '4 of 5 seeds' where some are missing; '3 shared seeds of 5', '5 seeds against the baseline's 3'."""
    thing = "seed" if draws(experiment) == 1 else "training draw"
    alone = effect.verdict == "baseline" or effect.seeds == effect.baseline_seeds
    if effect.seeds == effect.planned:
        told = counted(effect.seeds, thing)
    elif effect.tested and alone and experiment.declared_test.paired:
        return f"{counted(effect.seeds, f'shared {thing}')} of {effect.planned}"
    else:
        told = f"{effect.seeds} of {counted(effect.planned, thing)}"
    if alone:
        return told
    if experiment.declared_test.paired:
        return f"{told}, {effect.baseline_seeds} shared with the baseline"
    return f"{told} against the baseline's {effect.baseline_seeds}"


def corrected_by(experiment: Experiment, primary: int | None = None, behind: int = 0) -> str:
    """How the declared test is corrected for the number of comparisons: of the primary ones, and those behind them."""
    if experiment.declared_test.simultaneous:
        return "all recipes of a condition together, Bonferroni's correction over conditions"
    if not _several(experiment):
        if primary == 1:
            return "one comparison, so that nothing is corrected for"
        return f"Holm's correction over all {primary or ''} comparisons".replace("  ", " ")
    what = "pooled comparisons" if experiment.primary == "pooled" else "comparisons under each condition"
    told = f"corrected over the {primary or ''} {what}, which come first".replace("  ", " ")
    others = f"the other {behind}" if behind else "the others"
    return f"{told}, and {others} behind them (gatekeeping by Bretz et al. 2009)"


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
    """The verdict as shown: 'no verdict' where a note says why there is none, which is not the same as undecided.

    'not tested' where what comes first left it nothing to be tested with.
    """
    if effect.note.startswith("not tested"):
        return "not tested"
    return "no verdict" if effect.verdict == "undecided" and effect.note else effect.verdict


def pooled_over(effect: Effect, effects: Iterable[Effect]) -> str:
    """'over 4 of 6 conditions' for a pooled effect whose recipe the grid leaves out of some; else ''."""
    single = [other for other in effects if not other.pooled]
    every = {tuple(other.condition.items()) for other in single}
    held = {tuple(other.condition.items()) for other in single if other.recipe == effect.recipe}
    partly = effect.pooled and 0 < len(held) < len(every)
    return f"over {len(held)} of {counted(len(every), 'condition')}" if partly else ""


def changed(share: float, change: float) -> tuple[str, str]:
    """What an operation did: '98 %' of the images, '12.3 of 255' levels of a pixel."""
    return f"{100 * share:.0f} %", f"{255 * change:.1f} of 255"


def headers(experiment: Experiment, effects: Iterable[Effect]) -> dict[str, str]:
    """The columns to show of `row`, key -> heading, in order; failed trainings only where there are some."""
    metric = experiment.metric
    unit = "%" if UNIT[metric] == "points" else UNIT[metric]
    lower = ", lower is better" if metric in LOWER_IS_BETTER else ""
    heads = {
        "recipe": "recipe",
        "seeds": "seeds",
        "mean": f"{NAME[metric]} ± sd{f' ({unit}{lower})' if unit or lower else ''}".replace("(, ", "("),
        "difference": f"difference{f' ({UNIT[metric]})' if UNIT[metric] else ''}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p": "p",
        "p_adjusted": f"{correction(experiment)} p",
        "p_equivalent": "equivalence p",
        "macro_f1": "macro-F1 difference",
        "failed": "failed trainings",
        "verdict": "verdict",
        "note": "note",
    }
    hidden = {"macro_f1"} if metric == "macro_f1" else set[str]()
    hidden |= set() if any(effect.failed for effect in effects) else {"failed"}
    return {key: head for key, head in heads.items() if key not in hidden}


def row(effect: Effect, alpha: float = 0.05) -> dict[str, str]:
    """One effect as the cells of a table, under the keys of `headers`. alpha: at which its p-values are judged."""
    metric = effect.metric
    sd = f" ± {points(effect.sd, metric)}" if not math.isnan(effect.sd) else ""
    return {
        "recipe": effect.recipe,
        "seeds": f"{effect.seeds} of {effect.planned}",
        "mean": points(effect.mean, metric) + sd,
        "difference": points(effect.estimate, metric, sign=True),
        "interval": interval(effect.low, effect.high, metric),
        "p": p_text(effect.p, alpha),
        "p_adjusted": NONE
        if verdict_text(effect) in ("not tested", "no verdict")
        else p_text(effect.p_adjusted, alpha),
        "p_equivalent": p_text(effect.p_equivalent, alpha),
        "macro_f1": points(effect.macro_f1_difference, "macro_f1", sign=True),
        "failed": f"{effect.failed} of {effect.trained}",
        "verdict": verdict_text(effect),
        "note": "; ".join(filter(None, (effect.flag, effect.note))),
    }
