"""How conditions and recipes are named for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablation.core.text import counted, listing
from ablation.core.values import label
from ablation.experiment.experiment import Experiment


def condition_text(condition: Mapping[str, str], experiment: Experiment) -> str:
    """'adam', 'adam, dropout 0.3': the levels of what varies; 'all conditions' for a pooled effect."""
    if not condition:
        return "all conditions"
    varied = {factor: level for factor, level in condition.items() if len(experiment.factors[factor]) > 1}
    return ", ".join(
        level if factor in ("optimizer", "model") or "(" in level else f"{factor.replace('_', ' ')} {level}"
        for factor, level in (varied or {"optimizer": condition["optimizer"]}).items()
    )


def conditions_text(names: Sequence[str], most: int = 4) -> str:
    """'adam and sgd'; '6 conditions' where they are more than `most`, or have commas of their own."""
    if len(names) == 1:
        return names[0]
    return listing(names) if 0 < len(names) <= most and ", " not in "".join(names) else counted(len(names), "condition")


def recipe_text(experiment: Experiment, recipe: str) -> str:
    """A recipe's operations: 'Brightness(amount=0.4) + Contrast(amount=0.4)'; 'no augmentation' for none."""
    return " + ".join(map(label, experiment.recipes[recipe])) or "no augmentation"
