"""How conditions, recipes and runs are named for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ablation.core.text import counted, listing, named
from ablation.core.values import label
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim.schedules import Plateau, learning_rate


def condition_text(condition: Mapping[str, str], experiment: Experiment) -> str:
    """'adam', 'adam, dropout 0.3': the levels of what varies; 'all conditions' for a pooled effect."""
    return _condition(condition, experiment, str)


def condition_named(condition: Mapping[str, str], experiment: Experiment) -> str:
    """The same for a sentence: the levels that have a name are marked as names (`ablation.core.text.named`)."""
    return _condition(condition, experiment, lambda level: named(level, recipe=False))


def _condition(condition: Mapping[str, str], experiment: Experiment, mark: Callable[[str], str]) -> str:
    if not condition:
        return "all conditions"
    varied = {factor: level for factor, level in condition.items() if len(experiment.factors[factor]) > 1}
    return ", ".join(
        _level(factor, level, mark(level) if _has_a_name(factor, level, experiment) else level)
        for factor, level in (varied or {"optimizer": condition["optimizer"]}).items()
    )


def _level(factor: str, level: str, text: str) -> str:
    """'adam', 'resnet50', 'Cosine(warmup=5)', 'dropout 0.3': with its factor where it does not say that itself."""
    return text if factor in ("optimizer", "model") or "(" in level else f"{factor.replace('_', ' ')} {text}"


def _has_a_name(factor: str, level: str, experiment: Experiment) -> bool:
    """Is the level called by a name? Not where it is a number or another value, and is called by what it is."""
    given = isinstance(experiment.vary.get(factor), Mapping) or factor == "optimizer"
    return given or isinstance(experiment.factors[factor][level], str)


def conditions_text(names: Sequence[str], most: int = 4) -> str:
    """'adam and sgd'; '6 conditions' where they are more than `most`, or have commas of their own."""
    if len(names) == 1:
        return names[0]
    return listing(names) if 0 < len(names) <= most and ", " not in "".join(names) else counted(len(names), "condition")


def recipe_text(experiment: Experiment, recipe: str) -> str:
    """A recipe's operations: 'Brightness(amount=0.4) + Contrast(amount=0.4)'; 'no augmentation' for none."""
    return " + ".join(map(label, experiment.recipes[recipe])) or "no augmentation"


def names_of(cells: Sequence[Cell]) -> dict[str, str]:
    """Run id -> what people call the run: 'crop · adam · seed 0', by its first name where it has several."""
    names: dict[str, str] = {}
    for cell in cells:
        names.setdefault(cell.spec.id, " · ".join([*cell.factors.values(), f"seed {cell.seed}"]))
    return names


def falling_schedules(experiment: Experiment) -> tuple[str, ...]:
    """The names of the schedules that end below the optimizer's rate: curves flatten there, whatever is left to learn.

    Plateau is one, however it fell.
    """
    schedules, most = experiment.levels("schedule").values(), max(experiment.levels("epochs").values())
    steps = 100
    ends = {one: learning_rate(one, 1.0, most * steps - 1, steps, most) for one in schedules}
    return tuple(
        dict.fromkeys(type(one).__name__ for one, rate in ends.items() if isinstance(one, Plateau) or rate < 1)
    )
