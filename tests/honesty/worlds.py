"""Worlds for the default kind of verdict: seeds, training photographs and test photographs all vary; many recipes.

As in `simulator`, nothing is computed here but random numbers and counts; what judges is the product's own. An answer
is right where the skill of the recipe, the ease of the image (for all, and for this recipe alone), what the run and its
training photographs do to the recipe, and noise add up to more than 0, all normal: so the true accuracy is known.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from claims import MOST, Claim, at_least, at_most, row
from scipy.special import ndtri
from simulator import ALPHA, SEED, satterthwaite

from ablation.analysis import crossed as module
from ablation.analysis.crossed import CrossedDifference, Parts, crossed, half_width
from ablation.analysis.multiplicity import behind, gatekept, holm
from ablation.analysis.shrinkage import shrunk
from ablation.analysis.student import paired_contrast, reach, two_sided
from ablation.core.seeds import stream
from ablation.data.split import Redrawn

GRIDS = 2000
PAIRS = 2000
COVERED = 0.93
EASE, RUN = 1.5, 0.05


def answers(
    random: np.random.Generator, skills: Sequence[float], images: int, own: float, draws: np.ndarray
) -> np.ndarray:
    """(recipes, seeds, images): right or wrong. own: sd of an image's ease for one recipe. draws (recipes, seeds)."""
    recipes, seeds = draws.shape
    score = EASE * random.standard_normal(images, np.float32) + draws[:, :, None].astype(np.float32)
    score = score + own * random.standard_normal((recipes, 1, images), np.float32)
    score += random.standard_normal((recipes, seeds, images), np.float32)
    return score + np.asarray(skills, np.float32)[:, None, None] > 0


def judge(tables: np.ndarray, overlap: float = 0.0) -> list[CrossedDifference]:
    """Each recipe after the first against the first, as the default test does."""
    return [crossed(table, tables[0], True, overlap, share=True) for table in tables[1:].astype(float)]


def any_false(found: list[CrossedDifference], seeds_alone: bool = False) -> bool:
    """Is a recipe called different, with Holm's correction? seeds_alone: as if the test photographs were given."""
    nothing = 0.0, 1.0
    judged = [
        replace(one, parts=one.parts._replace(images=nothing, rest=[nothing]), more=0.0) if seeds_alone else one
        for one in found
    ]
    p_values = [one.p_value() for one in judged]
    return bool((holm(np.nan_to_num(p_values, nan=1.0)) < ALPHA).any())


@cache
def false_on_photographs(seeds: int, images: int, own: float) -> tuple[float, float]:
    """Shares of grids of four recipes, equal in the population, with a false verdict: (ours, by seeds alone)."""
    told = []
    for grid in range(GRIDS):
        random = stream(SEED, "test photographs", seeds, images, str(own), grid)
        found = judge(answers(random, [1.0] * 5, images, own, RUN * random.standard_normal((5, seeds))))
        told.append((any_false(found), any_false(found, seeds_alone=True)))
    ours, alone = np.mean(told, axis=0)
    return float(ours), float(alone)


TRAINED = 100


def training_draws(random: np.random.Generator, seeds: int, recipes: int, sd: float, pool: int) -> np.ndarray:
    """(recipes, seeds): what a run's training photographs do to each recipe; each adds its own, sd in all.

    As `Redrawn` draws them: as many parts without a photograph in common as the pool has, then each by itself.
    """
    photographs = sd / np.sqrt(TRAINED) * random.standard_normal((recipes, pool))
    parts = list(random.permutation(pool).reshape(-1, TRAINED))[:seeds]
    parts += [random.permutation(pool)[:TRAINED] for _ in range(seeds - len(parts))]
    return photographs[:, np.array(parts)].sum(axis=2)


@cache
def false_on_draws(seeds: int, times: float, pool: int = 400) -> tuple[float, float, float]:
    """Shares of grids with a false verdict where training photographs matter `times` as much as the run.

    (ours, as if training parts shared nothing, one training part for all seeds as if it were any). pool: what is left
    of the photographs to be trained on, a hundred at a time.
    """
    told, run = [], 0.15
    split = Redrawn(train=TRAINED, val=50, test=50, together="nothing")
    overlap = split.overlap(pool + 100, range(seeds), TRAINED)
    for grid in range(GRIDS):
        random = stream(SEED, "training photographs", seeds, str(times), pool, grid)
        own = run * random.standard_normal((5, seeds))
        tables = answers(random, [1.0] * 5, 500, 0.2, training_draws(random, seeds, 5, times * run, pool) + own)
        one = np.repeat(training_draws(random, 1, 5, times * run, pool), seeds, 1)
        fixed = answers(random, [1.0] * 5, 500, 0.2, one + run * random.standard_normal((5, seeds)))
        told.append([any_false(judge(tables, overlap)), any_false(judge(tables)), any_false(judge(fixed))])
    ours, sharing, single = np.mean(told, axis=0)
    return float(ours), float(sharing), float(single)


@cache
def false_at_small_levels(seeds: int) -> tuple[float, float]:
    """Shares of grids of 30 recipes with a false verdict, half as much due to photographs as to seeds.

    (ours, with Satterthwaite's degrees of freedom). Normal, and photographs many, so that their part is known.
    """
    random, photographs, level = stream(SEED, "small levels", seeds), 0.5, ALPHA / RECIPES
    shape = 10 * GRIDS, RECIPES
    found = random.chisquare(seeds - 1, shape) / (seeds - 1)
    value = np.sqrt(1 + photographs) * random.standard_normal(shape)
    nothing = np.zeros(shape), 1.0
    parts = Parts([(found, seeds - 1.0)], (np.full(shape, photographs), 1e9), [nothing])
    textbook = reach(satterthwaite(value, parts), level)
    return tuple(float((np.abs(value) > half).any(axis=1).mean()) for half in (half_width(parts, level), textbook))


@cache
def false_with_groups(seeds: int) -> tuple[float, float]:
    """Shares of pairs of equal recipes with a p below .05: 30 objects, each photographed ten times.

    (objects counted, as the product does; photographs counted, as if each were another object).
    """
    told = []
    for pair in range(GRIDS):
        random = stream(SEED, "objects", seeds, pair)
        liked = 0.7 * random.standard_normal((2, 1, 30, 1)) + EASE * random.standard_normal((1, 1, 30, 1))
        own = RUN * random.standard_normal((2, seeds, 1, 1))
        right = (1.0 + liked + own + random.standard_normal((2, seeds, 30, 10)) > 0).astype(float)
        counted = right.mean(axis=3), right.reshape(2, seeds, 300)
        told.append([crossed(one, other, True, share=True).p_value() < ALPHA for one, other in counted])
    ours, each = np.mean(told, axis=0)
    return float(ours), float(each)


CEILING = (0.995, 0.98)


def skill(accuracy: float, own: float, luck: float) -> float:
    return float(ndtri(accuracy) * np.sqrt(EASE**2 + own**2 + luck**2 + 1))


@cache
def covers_at_the_ceiling(seeds: int, images: int, added: bool = True) -> float:
    """The least share, of three worlds, of intervals that hold the 1.5 points. added: with `few_images`?"""
    with pytest.MonkeyPatch.context() as patch:
        if not added:
            patch.setattr(module, "few_images", lambda images: 0.0)
        return min(_covers(seeds, images, *world) for world in ((0.5, 0.12), (0.5, 0.3), (1.0, 0.12)))


def _covers(seeds: int, images: int, own: float, luck: float) -> float:
    inside, truth = [], CEILING[1] - CEILING[0]
    for pair in range(PAIRS // 2 if images > 500 else PAIRS):
        random = stream(SEED, "ceiling", seeds, images, str(own), str(luck), pair)
        skills = [skill(accuracy, own, luck) for accuracy in CEILING]
        (found,) = judge(answers(random, skills, images, own, luck * random.standard_normal((2, seeds))))
        low, high = found.interval(ALPHA)
        inside.append(low <= truth <= high or (np.isnan(low) and found.estimate == truth))
    return float(np.mean(inside))


RECIPES = 30


@cache
def screening(seeds: int) -> tuple[float, float, float, float]:
    """Of the best of 30 recipes, whose true differences have an sd of half that of a seed.

    (share of simultaneous intervals that hold its truth, of intervals by itself, and mean estimate and mean shrunk
    estimate in multiples of the mean truth).
    """
    random = stream(SEED, "screening", seeds)
    truth = 0.5 * random.standard_normal((GRIDS, RECIPES))
    found = paired_contrast((truth[..., None] + random.standard_normal((GRIDS, RECIPES, seeds)),), (1,))
    best, every = found.value.argmax(axis=1), np.arange(GRIDS)
    told, true = found.value[every, best], truth[every, best]
    held = [(np.abs(told - true) <= reach(found, level)[every, best]).mean() for level in (ALPHA / RECIPES, ALPHA)]
    expected = [shrunk(one, error)[place] for one, error, place in zip(found.value, found.error, best, strict=True)]
    return float(held[0]), float(held[1]), float(told.mean() / true.mean()), float(np.mean(expected) / true.mean())


CONDITIONS = 3


@cache
def false_behind(seeds: int) -> tuple[float, float]:
    """Shares of grids with a false verdict in all that is shown: four recipes pooled over three conditions, and under
    each.

    Two recipes do something, under one condition each, so that what is pooled is true and much behind it is not. (by
    gatekeeping, and with Holm's correction over the pooled ones and another over those behind whatever is found).
    """
    weights, transitions = behind([()] * 4 + [(recipe,) for recipe in range(4) for _ in range(CONDITIONS)])
    told = []
    for grid in range(GRIDS):
        random = stream(SEED, "behind", seeds, grid)
        scores = random.standard_normal((4, CONDITIONS, seeds))
        scores[:2, 0] += 9.0
        p_values = [two_sided(paired_contrast((one,), (1,))) for one in (scores.mean(axis=1), scores)]
        null = np.array(
            [False, False, True, True] + [recipe > 1 or where > 0 for recipe in range(4) for where in range(3)]
        )
        adjusted = gatekept(np.concatenate([p_values[0], p_values[1].ravel()]), weights, transitions, ALPHA).adjusted
        apart = np.concatenate([holm(p_values[0]), holm(p_values[1].ravel())])
        told.append([(one[null] < ALPHA).any() for one in (adjusted, apart)])
    ours, apart = np.mean(told, axis=0)
    return float(ours), float(apart)


def part(measure, place: int, **world):
    """One of the figures that a world gives, by the number of seeds."""
    return lambda seeds: measure(seeds, **world)[place]


def _photographs(images: int, own: float) -> Claim:
    told = f"A/A, {images:,} test photographs" + (", recipe x image sd 1" if own == 1 else "")
    return Claim(told, part(false_on_photographs, 0, images=images, own=own), "≤ .0596", at_most(MOST))


WORLDS = (
    *(_photographs(images, own) for own in (0.5, 1.0) for images in (50, 200, 1000)),
    Claim(
        "there, 200 photographs as given", part(false_on_photographs, 1, images=200, own=0.5), "> .0596 from 5",
        at_least(MOST, (5, 10)),
    ),
    Claim(
        "there, 1,000, recipe x image sd 1", part(false_on_photographs, 1, images=1000, own=1.0), "> .0596",
        at_least(MOST),
    ),
    *(
        Claim(
            f"A/A, training photographs matter {times} x the run", part(false_on_draws, 0, times=times), "≤ .0596",
            at_most(MOST),
        )
        for times in (0, 1, 3)
    ),
    Claim(
        "A/A, training parts overlap by half, 3 x the run", part(false_on_draws, 0, times=3, pool=200), "≤ .0596",
        at_most(MOST),
    ),
    Claim("there, overlap forgotten", part(false_on_draws, 1, times=3), "> .0596 at 10", at_least(MOST, (10,))),
    Claim("there, one training part for all seeds", part(false_on_draws, 2, times=3), "> .0596", at_least(MOST)),
    *(
        Claim(
            f".995 against .98, {images:,} photographs", partial(covers_at_the_ceiling, images=images), "≥ .93",
            at_least(COVERED),
        )
        for images in (50, 100, 200, 500, 2000)
    ),
    Claim(
        "there, 50, without the two images", partial(covers_at_the_ceiling, images=50, added=False), "< .93 from 5",
        at_most(COVERED, (5, 10)),
    ),
    Claim("30 recipes, seeds and photographs", part(false_at_small_levels, 0), "≤ .0596", at_most(MOST)),
    Claim(
        "there, Satterthwaite's df", part(false_at_small_levels, 1), "> .0596 at 5", at_least(MOST, (5,))
    ),
    Claim("30 objects, ten photographs each", part(false_with_groups, 0), "≤ .0596", at_most(MOST)),
    Claim("there, each photograph an object", part(false_with_groups, 1), "> .0596", at_least(MOST)),
    Claim("best of 30, simultaneous interval", part(screening, 0), "≥ .95", at_least(0.95)),
    Claim("best of 30, its interval by itself", part(screening, 1), "< .93", at_most(COVERED)),
    Claim("best of 30, shrunk / truth", part(screening, 3), ".9 to 1.1", dict.fromkeys((3, 5, 10), (0.9, 1.1))),
    Claim("best of 30, estimate / truth", part(screening, 2), "> 1.1", dict.fromkeys((3, 5, 10), (1.1, 9.0))),
    Claim("all that is shown, pooled first", part(false_behind, 0), "≤ .0596", at_most(MOST)),
    Claim("there, two families of their own", part(false_behind, 1), "> .0596", at_least(MOST)),
)  # fmt: skip


def rows() -> list[str]:
    """The table in docs/honesty.md."""
    head = ["| what | 3 seeds | 5 seeds | 10 seeds | bound | kept |", "| --- | ---: | ---: | ---: | --- | --- |"]
    return head + [row(claim) for claim in WORLDS]


if __name__ == "__main__":
    print("\n".join(rows()))
