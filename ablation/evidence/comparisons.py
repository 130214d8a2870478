"""Effects: all comparisons of an experiment as one value, for a notebook and for pandas.

A tuple of `Effect`, which whatever takes effects takes. How it is shown, the report knows; it is looked up among the
public names when something is to be shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex, overload

import numpy as np
import pandas as pd

from ablation.analysis.metrics import METRICS
from ablation.core.errors import did_you_mean
from ablation.evidence.effects import Effect
from ablation.experiment.experiment import Experiment

DECISIONS = ("better", "worse", "equivalent", "undecided", "no verdict", "not tested", "baseline")
"""What `Effect.decision` may be."""


class Effects(tuple[Effect, ...]):
    """The effects of an experiment, as `compare` returns them: a tuple of `Effect` that shows itself.

    Each recipe has one under each condition, then one pooled over them where there are several; the baseline has its
    own. `repr` has a line a recipe, a notebook shows a table, and `to_frame` gives all numbers to pandas.
    `effects["crop"]` is a tuple of those of one recipe, in this order; a slice is a plain tuple.

    >>> effects = compare(results)
    >>> print(effects.experiment.name, len(effects))
    small 2
    >>> effects.to_frame()[["recipe", "optimizer", "seeds"]].values.tolist()
    [['crop', 'sgd', 3]]
    >>> effects["crop"][0].condition
    {'optimizer': 'sgd'}
    """

    experiment: Experiment

    def __new__(cls, effects: Iterable[Effect], experiment: Experiment) -> Effects:
        """effects: of this experiment's runs, in the order in which they are shown."""
        made = super().__new__(cls, effects)
        made.experiment = experiment
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        """What a copy, or a pickle, is made of."""
        return tuple(self), self.experiment

    @overload
    def __getitem__(self, key: SupportsIndex) -> Effect: ...
    @overload
    def __getitem__(self, key: slice | str) -> tuple[Effect, ...]: ...
    def __getitem__(self, key: SupportsIndex | slice | str) -> Effect | tuple[Effect, ...]:
        """Raises KeyError for a recipe that there is not, and IndexError as a tuple does."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if found := tuple(effect for effect in self if effect.recipe == key):
            return found
        recipes = dict.fromkeys(effect.recipe for effect in self)
        raise KeyError(f"there is no recipe {key!r}{did_you_mean(key, recipes)} ({', '.join(recipes)})")

    def __repr__(self) -> str:
        """At most a dozen lines: the answer, then each recipe's difference, interval and verdict."""
        import ablation

        return ablation.text_of(self)

    def _repr_html_(self) -> str:
        import ablation

        return ablation.html_of(self)

    def to_frame(self) -> pd.DataFrame:
        """A row a comparison with the baseline, in order: under each condition, then pooled over them.

        recipe, and a column for each other factor (categories)
            Missing in the factors' columns where `pooled` (bool) is true.
        metric, unit (categories)
            What scores are, and what a difference of 0.01 or 1 of them is called. All that follows is in the metric's
            own unit: an accuracy of 0.953, a difference of 0.012, which are 95.3 % and 1.2 points.
        seeds, planned, baseline_seeds (int)
            Seeds that were compared, that the experiment has, and of the baseline beside them.
        mean, sd, baseline_mean (float)
            Of the scores over these seeds.
        difference, error, low, high (float)
            The mean difference to the baseline, its standard error, and its interval, simultaneous over all
            comparisons; alone_low and alone_high as if it were the only one.
        p, p_adjusted, p_equivalent (float)
            Two-sided before and after correction for the number of comparisons; of equivalence, after correction.
        p_better, g (float)
            The share of seeds in which the recipe was better, and Hedges' g, a difference in standard deviations.
        failed, trained (int)
            Trainings of the recipe that failed, of those that finished.
        verdict (category), note (str)
            As every table shows it, see `DECISIONS`; and why there is none.

        What is not known is nan. For every field of `Effect`, and the scores of each seed, see the effects themselves.
        """
        tested = [effect for effect in self if effect.verdict != "baseline"]
        factors = self.experiment.factors
        levels = {factor: [effect.condition.get(factor) for effect in tested] for factor in factors}
        levels["recipe"] = [effect.recipe for effect in tested]
        named = {factor: pd.Categorical(levels[factor], list(factors[factor])) for factor in factors}
        metric = self.experiment.metric
        frame = pd.DataFrame(
            {**named, "pooled": np.array([effect.pooled for effect in tested], bool)}, index=range(len(tested))
        ).assign(metric=pd.Categorical([metric] * len(tested)))
        frame["unit"] = pd.Categorical([METRICS[metric].unit] * len(tested))
        for column, (name, kind) in _COLUMNS.items():
            frame[column] = np.array([getattr(effect, name) for effect in tested], kind)
        means = [np.mean([*effect.baseline_scores.values()]) if effect.baseline_scores else np.nan for effect in tested]
        frame.insert(list(frame).index("sd") + 1, "baseline_mean", np.array(means, float))
        frame["verdict"] = pd.Categorical([effect.decision for effect in tested], list(DECISIONS))
        return frame.assign(note=[effect.note for effect in tested])


_COLUMNS: dict[str, tuple[str, type]] = {
    **{name: (name, int) for name in ("seeds", "planned", "baseline_seeds")},
    **{"mean": ("mean", float), "sd": ("sd", float), "difference": ("estimate", float)},
    **{name: (name, float) for name in ("error", "low", "high", "alone_low", "alone_high")},
    **{name: (name, float) for name in ("p", "p_adjusted", "p_equivalent", "p_better", "g")},
    **{name: (name, int) for name in ("failed", "trained")},
}
"""Column of `Effects.to_frame` -> the field of `Effect`, and its type."""
