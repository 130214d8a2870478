"""The baseline against itself, for real: networks trained with the settings of the quickstart, and other seeds.

`python again.py FOLDER` trains what is missing there, and prints the figures. Four runs on each of 50 training parts,
under both optimizers, are 400 trainings. Each experiment has five training parts, and the four runs on each are its
four arms: the first is called the baseline, the others recipes, "again". That is the only thing made up here: a column
of names. Two recipes with the same operations would share their runs (equal specs have one id), and the same seed would
give the same bits.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablation.data import Redrawn
from ablation.evidence.effects import Effect
from ablation.evidence.study import compare
from ablation.experiment.experiment import Experiment
from ablation.experiment.files import read
from ablation.experiment.results import Results
from ablation.training.sweep import sweep

QUICKSTART = Path(__file__).parents[2] / "experiments" / "quickstart.py"
EXPERIMENTS, DRAWS, ARMS = 10, 5, 4


def question() -> Experiment:
    """The quickstart's baseline, with a seed for each run: seed s is the run s % 4 on the training part s // 4."""
    quickstart = read(QUICKSTART).experiment
    assert isinstance(quickstart.split, Redrawn)
    baseline = {quickstart.baseline: quickstart.recipes[quickstart.baseline]}
    split = replace(quickstart.split, runs_per_draw=ARMS)
    return replace(quickstart, name="again", recipes=baseline, split=split, seeds=EXPERIMENTS * DRAWS * ARMS)


def train(folder: Path) -> Results:
    """On the CPU, where the same seed gives the same bits on every run."""
    sweep(question(), folder / "runs", folder / "cache", device="cpu")
    return Results.load(question(), folder / "runs", folder / "cache")


def seeds_of(experiment: int, arm: int) -> range:
    """One run on each of the experiment's training parts."""
    first = experiment * DRAWS * ARMS
    return range(first + arm, first + DRAWS * ARMS, ARMS)


def relabelled(results: Results, experiment: int, arms: Sequence[int]) -> Results:
    """The runs of these arms only: the first arm is the baseline, the others are recipes that do what it does."""
    baseline = results.experiment.baseline
    names = [baseline, *(f"again {place}" for place in range(1, len(arms)))]
    called = {seed: name for arm, name in zip(arms, names, strict=True) for seed in seeds_of(experiment, arm)}
    table = results.frame[results.frame["seed"].isin(called)]
    recipes = dict.fromkeys(names, results.experiment.recipes[baseline])
    return replace(
        results,
        experiment=replace(results.experiment, recipes=recipes, seeds=tuple(called)),
        cells=tuple(cell for cell in results.cells if cell.seed in called),
        frame=table.assign(recipe=table["seed"].map(called)),
    )


@dataclass(frozen=True)
class Counts:
    """Of so many experiments: those with a false verdict, and with a p below alpha before correction; of how many p."""

    experiments: int
    verdicts: int
    uncorrected: int
    comparisons: int
    equivalent: int


def count(results: Results, asked: Sequence[tuple[int, Sequence[int]]]) -> Counts:
    told = [tested(compare(relabelled(results, *one))) for one in asked]
    alpha = results.experiment.alpha
    return Counts(
        len(told),
        sum(any(effect.verdict in ("better", "worse") for effect in effects) for effects in told),
        sum(any(effect.p < alpha for effect in effects) for effects in told),
        len(told[0]),
        sum(effect.verdict == "equivalent" for effects in told for effect in effects),
    )


def tested(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if effect.tested]


PAIRS = [(experiment, arms) for experiment in range(EXPERIMENTS) for arms in ((0, 1), (2, 3))]
"""20 experiments with one recipe; each run is used once."""

FAMILIES = [(experiment, (0, 1, 2, 3)) for experiment in range(EXPERIMENTS)]
"""10 experiments with three recipes."""


def lines(results: Results) -> list[str]:
    """Of the table in docs/honesty.md."""
    asked = {"one recipe": count(results, PAIRS), "three recipes": count(results, FAMILIES)}
    return [
        f"| {name} | {told.comparisons} | {told.verdicts} of {told.experiments} | "
        f"{told.uncorrected} of {told.experiments} | {told.equivalent} of {told.experiments * told.comparisons} |"
        for name, told in asked.items()
    ]


if __name__ == "__main__":
    print("\n".join(lines(train(Path(sys.argv[1])))))
