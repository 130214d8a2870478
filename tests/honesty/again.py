"""The baseline against itself, for real: networks trained with the settings of the quickstart, and other seeds.

`python again.py FOLDER` trains what is missing there, and prints the figures. 400 seeds under both optimizers are 800
trainings. They are dealt to 80 arms of five seeds; an arm that is not the baseline's is called a recipe, "again". That
is the only thing made up here: a column of names. Two recipes with the same operations would share their runs (equal
specs have one id), and the same seed would give the same bits.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablation.evidence.effects import Effect, compare
from ablation.experiment import Experiment
from ablation.experiment_files import read
from ablation.results import Results
from ablation.sweeps import sweep

QUICKSTART = Path(__file__).parents[2] / "experiments" / "quickstart.py"
REPEATS, SEEDS = 40, 5
ARMS = 2 * REPEATS


def question() -> Experiment:
    """The quickstart's baseline, with a seed for each run of 80 arms."""
    quickstart = read(QUICKSTART).experiment
    baseline = {quickstart.baseline: quickstart.recipes[quickstart.baseline]}
    return replace(quickstart, name="again", recipes=baseline, seeds=ARMS * SEEDS)


def train(folder: Path) -> Results:
    """On the CPU, where the same seed gives the same bits on every run."""
    sweep(question(), folder / "runs", folder / "cache", device="cpu")
    return Results.load(question(), folder / "runs", folder / "cache")


def seeds_of(arm: int) -> range:
    return range(arm * SEEDS, (arm + 1) * SEEDS)


def relabelled(results: Results, arms: Sequence[int]) -> Results:
    """The runs of these arms only: the first arm is the baseline, the others are recipes that do what it does."""
    baseline = results.experiment.baseline
    names = [baseline, *(f"again {place}" for place in range(1, len(arms)))]
    called = {seed: name for arm, name in zip(arms, names, strict=True) for seed in seeds_of(arm)}
    table = results.table[results.table["seed"].isin(called)]
    recipes = dict.fromkeys(names, results.experiment.recipes[baseline])
    return replace(
        results,
        experiment=replace(results.experiment, recipes=recipes, seeds=tuple(called)),
        cells=tuple(cell for cell in results.cells if cell.seed in called),
        table=table.assign(recipe=table["seed"].map(called)),
    )


@dataclass(frozen=True)
class Counts:
    """Of 40 experiments: those with a false verdict, and with a p below alpha before correction; of how many p."""

    verdicts: int
    uncorrected: int
    comparisons: int
    equivalent: int


def count(results: Results, arms_of: Sequence[Sequence[int]]) -> Counts:
    told = [tested(compare(relabelled(results, arms))) for arms in arms_of]
    alpha = results.experiment.alpha
    return Counts(
        sum(any(effect.verdict in ("better", "worse") for effect in effects) for effects in told),
        sum(any(effect.p < alpha for effect in effects) for effects in told),
        len(told[0]),
        sum(effect.verdict == "equivalent" for effects in told for effect in effects),
    )


def tested(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if effect.tested]


PAIRS = [(2 * repeat, 2 * repeat + 1) for repeat in range(REPEATS)]
"""Two arms a repeat, each used once: 40 independent experiments."""

FAMILIES = [tuple((2 * repeat + place) % ARMS for place in (0, 1, 4, 9, 11)) for repeat in range(REPEATS)]
"""As many arms as the quickstart has. Each arm is used two or three times, but no two of them meet twice."""


def lines(results: Results) -> list[str]:
    """Of the table in docs/honesty.md."""
    asked = {"one recipe": count(results, PAIRS), "four recipes": count(results, FAMILIES)}
    return [
        f"| {name} | {told.comparisons} | {told.verdicts} of {REPEATS} | {told.uncorrected} of {REPEATS} | "
        f"{told.equivalent} of {REPEATS * told.comparisons} |"
        for name, told in asked.items()
    ]


if __name__ == "__main__":
    print("\n".join(lines(train(Path(sys.argv[1])))))
