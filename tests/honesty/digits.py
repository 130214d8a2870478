"""Real photographs, a real learner, and the truth: experiments on splits of their own of scikit-learn's digits.

A network whose hidden layer is drawn at random and whose last layer is solved for (random features and ridge
regression) learns 100 digits in milliseconds, so many experiments can be made, each with a split of its own, and the
truth is known by averaging over hundreds of other splits. Runs share most of their hidden layer, so that which digits
are trained on matters more than the run, as it does to networks. Everything is judged by `compare`.

`python digits.py` measures and prints the table.
"""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from claims import MOST, Claim, at_least, at_most, row
from made_up import MadeUp, results_of
from simulator import SEED

from ablation.analysis.comparison import Welch
from ablation.analysis.crossed import crossed
from ablation.augment import Brightness, Contrast, GaussianNoise, RandomCrop
from ablation.core.seeds import stream
from ablation.data import Digits, Fixed, Redrawn
from ablation.data.split import Split
from ablation.evidence.effects import Effect
from ablation.evidence.study import compare
from ablation.experiment.experiment import Experiment
from ablation.optim import Adam

EXPERIMENTS, SPLITS = 120, 600
"""Those that are judged, and the other splits over which the truth is averaged."""
MADE = {
    "none": (),
    "shift": (RandomCrop(padding=1),),
    "bright": (Brightness(0.4),),
    "noise": (GaussianNoise(sigma=0.1),),
}
RECIPES = {**MADE, "again": (Contrast(0.01),)}
"""What each is called in the experiment. "again" is none once more, with other weights: its true difference is 0."""
PARTS = {"train": 100, "val": 97, "test": 700}
HIDDEN, RIDGE, OWN = 200, 10.0, 0.05
"""OWN: of a run's hidden weights, the part that is its own."""


@dataclass(frozen=True)
class Photographs:
    """The digits, as a split takes them: nothing belongs together."""

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple("0123456789")

    @property
    def near(self) -> np.ndarray:
        return np.arange(len(self.labels))

    exact = near

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.near))

    @property
    def parts(self) -> np.ndarray:
        return np.full(len(self.labels), -1)


@cache
def digits() -> Photographs:
    from sklearn.datasets import load_digits

    found = load_digits()
    return Photographs(found.images / 16, found.target)


def augmented(recipe: str, pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(N, 8, 8) -> another view of each."""
    count = len(pixels)
    if recipe == "shift":
        padded, at = np.pad(pixels, ((0, 0), (1, 1), (1, 1))), random.integers(0, 3, (2, count, 1, 1))
        window = np.arange(8)
        return padded[np.arange(count)[:, None, None], at[0] + window[:, None], at[1] + window]
    if recipe == "bright":
        return np.clip(pixels * random.uniform(0.6, 1.4, (count, 1, 1)), 0, 1)
    return np.clip(pixels + 0.1 * random.standard_normal(pixels.shape), 0, 1)


def logits(recipe: str, train: np.ndarray, test: np.ndarray, *name: str | int) -> np.ndarray:
    """(test, 10) of a network trained on these rows: as they are and, with a recipe, in three other views."""
    data, weights = digits(), stream(SEED, "weights", *name, "again" if recipe == "again" else "")
    random, pixels = stream(SEED, "views", *name, recipe), data.pixels[train]
    views = 0 if recipe in ("none", "again") else 3
    seen = np.concatenate([pixels, *(augmented(recipe, pixels, random) for _ in range(views))])
    shared = stream(SEED, "shared weights").standard_normal((65, HIDDEN))
    hidden = (np.sqrt(1 - OWN**2) * shared + OWN * weights.standard_normal((65, HIDDEN))) / 3

    def features(images: np.ndarray) -> np.ndarray:
        flat = np.hstack([images.reshape(len(images), -1), np.ones((len(images), 1))])
        return np.maximum(flat @ hidden, 0)

    inputs, targets = features(seen), np.tile(np.eye(10)[data.labels[train]], (1 + views, 1))
    solved = np.linalg.solve(
        inputs.T @ inputs / (1 + views) + RIDGE * np.eye(HIDDEN) / 100, inputs.T @ targets / (1 + views)
    )
    return (features(data.pixels[test]) @ solved).astype(np.float32)


@cache
def truth() -> dict[str, float]:
    """The mean difference of each recipe to none, over splits of the digits that no experiment has."""
    data, gains = digits(), {recipe: [] for recipe in RECIPES if recipe not in ("none", "again")}
    for split in range(SPLITS):
        order = stream(SEED, "other splits", split).permutation(len(data.labels))
        train, test = order[:100], order[100:]
        scores = {
            recipe: (logits(recipe, train, test, "truth", split).argmax(axis=1) == data.labels[test]).mean()
            for recipe in RECIPES
            if recipe != "again"
        }
        for recipe, own in gains.items():
            own.append(scores[recipe] - scores["none"])
    return {recipe: float(np.mean(own)) for recipe, own in gains.items()} | {"again": 0.0}


class Learned(MadeUp):
    """Results whose predictions are those of the learner."""

    def test_predictions(self, run_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return LEARNED[run_id]


LEARNED: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}


def question(seeds: int, split: Split) -> Experiment:
    return Experiment(
        name="digits", data=Digits(), recipes=RECIPES, optimizers={"adam": Adam()}, baseline="none", seeds=seeds,
        split=split, test=Welch() if isinstance(split, Fixed) else None,
    )  # fmt: skip


def experiment(seeds: int, split: Split) -> tuple[Effect, ...]:
    """Trained and judged. split: with a seed of its own."""
    asked, data = question(seeds, split), digits()
    LEARNED.clear()

    def score(cell) -> float:
        parts = split.draw(data, cell.seed)
        told = logits(cell.factors["recipe"], parts.train, parts.test, "experiment", split.seed, cell.seed)
        LEARNED[cell.spec.id] = parts.test, data.labels[parts.test], told
        return float((told.argmax(axis=1) == data.labels[parts.test]).mean())

    made = results_of(asked, score)
    table = made.frame.assign(train_images=PARTS["train"], test_images=PARTS["test"])
    return compare(Learned(asked, made.cells, data.classes, made.root, table, images=len(data.labels)))


@cache
def judged(seeds: int, redrawn: bool) -> tuple[float, float]:
    """(share of experiments with a wrong verdict, share of intervals that hold the truth), of `EXPERIMENTS`."""
    wrong, held, true = [], [], truth()
    for number in range(EXPERIMENTS):
        split = (Redrawn if redrawn else Fixed)(**PARTS, seed=1000 + number)
        effects = [effect for effect in experiment(seeds, split) if effect.tested and not effect.pooled]
        wrong.append(any(is_wrong(effect, true[effect.recipe]) for effect in effects))
        held += [effect.alone_low <= true[effect.recipe] <= effect.alone_high for effect in effects]
    return float(np.mean(wrong)), float(np.mean(held))


def is_wrong(effect: Effect, true: float) -> bool:
    """On the wrong side, a difference where there is none, or equivalent where it is not."""
    if effect.verdict == "equivalent":
        return abs(true) >= 0.01
    return {"better": true <= 0, "worse": true >= 0}.get(effect.verdict, False)


LARGE, RUNS, REPEATS = 900, 60, 2000
"""Digits that each run of the population is trained on, so that few are answered wrongly; runs; repetitions."""


@cache
def population() -> np.ndarray:
    """(2, RUNS, 797): which digits a run without noise, and with it, answers rightly; pairs share their training."""
    data, order = digits(), stream(SEED, "population").permutation(len(digits().labels))
    test, pool, right = order[:797], order[797:], []
    for run in range(RUNS):
        train = stream(SEED, "population", run).permutation(pool)[:LARGE]
        told = [logits(recipe, train, test, "population", run).argmax(axis=1) for recipe in ("none", "noise")]
        right.append([guesses == data.labels[test] for guesses in told])
    return np.array(right, float).swapaxes(0, 1)


@cache
def covers(seeds: int, images: int) -> float:
    """Share of intervals that hold the population's difference, of real runs and photographs drawn from it."""
    none, noise = population()
    true, held = (noise - none).mean(), []
    for repeat in range(REPEATS):
        random = stream(SEED, "resampled digits", seeds, images, repeat)
        runs, shown = random.choice(RUNS, seeds, replace=False), random.integers(0, none.shape[1], images)
        found = crossed(noise[np.ix_(runs, shown)], none[np.ix_(runs, shown)], True, share=True)
        low, high = found.interval(0.05)
        held.append(low <= true <= high)
    return float(np.mean(held))


DIGITS = (
    *(
        Claim(f"real predictions, {images} photographs", partial(covers, images=images), "≥ .93", at_least(0.93))
        for images in (50, 100, 200)
    ),
    Claim("real digits, wrong verdicts", lambda seeds: judged(seeds, True)[0], "≤ .0596", at_most(MOST, (5,))),
    Claim("real digits, intervals", lambda seeds: judged(seeds, True)[1], "≥ .93", at_least(0.93, (5,))),
    Claim("there, one split and Welch: wrong", lambda seeds: judged(seeds, False)[0], "> .0596", at_least(MOST, (5,))),
    Claim("there, one split and Welch: intervals", lambda seeds: judged(seeds, False)[1], "< .93", at_most(0.93, (5,))),
)


def rows() -> list[str]:
    """The table in docs/honesty.md."""
    head = ["| what | 3 seeds | 5 seeds | 10 seeds | bound | kept |", "| --- | ---: | ---: | ---: | --- | --- |"]
    return head + [row(claim) for claim in DIGITS]


if __name__ == "__main__":
    print(truth())
    print("\n".join(rows()))
