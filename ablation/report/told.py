"""Told: a section that answers a question of its own, as the report and the terminal both show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ablation.analysis.comparison import CorrectedResampled
from ablation.evidence.target import target_of
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.report.scenes import Scene
from ablation.report.wording import (
    NAME,
    UNIT,
    condition_text,
    correction,
    counted,
    interval,
    p_phrase,
    percent,
    points,
)

MOST_NAMED = 6
"""Names in a sentence; more are counted."""


@dataclass(frozen=True)
class Rows:
    """The rows of a table under one heading, cells under the keys of `Told.headers`."""

    title: str
    rows: tuple[Mapping[str, str], ...]
    pooled: bool = False


@dataclass(frozen=True)
class Told:
    """asks: what the tables and the picture ask, in a sentence. sentences: the answer. caption: of the tables.

    The first header is that of the rows' names. scene: None where there is nothing to draw.
    """

    title: str
    asks: str
    sentences: tuple[str, ...]
    headers: Mapping[str, str]
    groups: tuple[Rows, ...]
    caption: str
    scene: Scene | None


def heading(condition: Mapping[str, str], conditions: int, experiment: Experiment) -> str:
    """'adam', or 'pooled over 2 conditions'."""
    return condition_text(condition, experiment) if condition else f"pooled over {counted(conditions, 'condition')}"


def beside(name: str, seeds: int, planned: int) -> str:
    """A name with how many seeds stand behind it, where some are missing: 'adam, 4 of 5 seeds'."""
    return name if seeds == planned else f"{name}, {seeds_of(seeds, planned)}"


def seeds_of(seeds: int, planned: int) -> str:
    """'5 seeds', or '4 of 5 seeds'."""
    return counted(seeds, "seed") if seeds == planned else f"{seeds} of {counted(planned, 'seed')}"


def gain(difference: float, metric: str) -> float:
    """A difference as a gain: above 0 where the score is better, whichever way that is."""
    return -difference if metric in LOWER_IS_BETTER else difference


def spanned(low: float, high: float, experiment: Experiment, toward: float = 0) -> str:
    """'95 % interval 0.5 to 1.7'; with signs, or as sizes where `toward` is 1 or -1."""
    if toward:
        low, high = sorted((low * toward, high * toward))
    return f"{percent(1 - experiment.alpha)} interval {interval(low, high, experiment.metric, sign=not toward)}"


def on_images(experiment: Experiment) -> str:
    """' on these test photographs': of a claim that rests on seeds alone, whatever test is declared.

    '' where the test part is redrawn for each seed, so that seeds vary in their photographs too.
    """
    return "" if isinstance(experiment.declared_test, CorrectedResampled) else " on these test photographs"


def seeds_bounds(experiment: Experiment) -> str:
    """What such claims hold for: 'for new training photographs, on these test photographs, on this data, ...'."""
    own = replace(target_of(experiment), images=not on_images(experiment))
    return f"{own}, on this data, model and budget"


def holm_phrase(p: float, experiment: Experiment) -> str:
    return f"Holm {p_phrase(p, experiment.alpha)}"


def compared_phrase(p: float, experiment: Experiment) -> str:
    """Of a comparison with the baseline, by the declared test's correction: 'Holm p = .004', 'Dunnett p = .004'."""
    return f"{correction(experiment)} {p_phrase(p, experiment.alpha)}"


def value_text(score: float, metric: str) -> str:
    """A score: '96.2 %', '0.120 nats'."""
    return f"{points(score, metric)} {'%' if UNIT[metric] == 'points' else UNIT[metric]}".strip()


def scale(metric: str) -> float:
    """What scores are multiplied by to be shown: 100 where in percent."""
    return 100.0 if UNIT[metric] == "points" else 1.0


def measure(metric: str) -> str:
    """What an axis of scores counts: 'accuracy (%)', 'log loss (nats, lower is better)'."""
    unit = "%" if UNIT[metric] == "points" else UNIT[metric]
    told = ", ".join(filter(None, (unit, "lower is better" if metric in LOWER_IS_BETTER else "")))
    return f"{NAME[metric]} ({told})" if told else NAME[metric]


def among(names: Sequence[str], what: str, last: str = "and") -> str:
    """The names, or how many where they are many: '9 recipes'."""
    if len(names) > MOST_NAMED:
        return counted(len(names), what)
    *others, final = names
    return f"{', '.join(others)} {last} {final}" if others else final
