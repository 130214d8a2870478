"""A world in which trainings fail: what do verdicts rest on, with the rule of `ablation.analysis.failures` and without?

Ten classes, 1,000 test images, a baseline and four recipes with shared seeds. A run that trains is right for 91 % of
the images, with a sd over seeds of 1 point that all arms share and .3 points of its own; a run that fails guesses.
Failures are looked for in the scores alone, as in a real experiment. `python failures.py` measures and prints the rows.
"""

from functools import partial

import numpy as np
from claims import SEEDS, Claim, at_least, at_most, row
from simulator import ALPHA, SEED

from ablation.analysis import failures, student
from ablation.analysis.multiplicity import holm
from ablation.core.seeds import stream

GRIDS, MOST = 20_000, 0.0530
"""5 % and 1.96 standard errors of a share of 20,000: sqrt(.05 x .95 / 20000) = 0.15 points."""

CLASSES, IMAGES, MARGIN = 10, 1000, 0.01
LEVEL = failures.chance("accuracy", CLASSES)
ARMS = 5

Arrays = tuple[np.ndarray, np.ndarray]


def runs(seeds: int, share: float, of: str = "all", gain: float = 0.0) -> Arrays:
    """(GRIDS, ARMS, seeds) of scores and of whether the training failed; arm 0 is the baseline.

    of: who fails, "all" arms or the "recipes" alone, each run by itself; or in a "seed" all arms at once. gain: by how
    much a recipe that trains is better.
    """
    random = stream(SEED, "failures", seeds, str(share), of)
    shape = (GRIDS, ARMS, seeds)
    trained = 0.91 + 0.01 * random.standard_normal((GRIDS, 1, seeds)) + 0.003 * random.standard_normal(shape)
    trained[:, 1:] += gain
    guessed = random.binomial(IMAGES, LEVEL, shape) / IMAGES
    lost = random.random(shape) < share
    if of == "seed":
        lost = np.broadcast_to(lost[:, :1], shape)
    elif of == "recipes":
        lost[:, 0] = False
    return np.where(lost, guessed, trained), lost


def seen(scores: np.ndarray) -> np.ndarray:
    """(GRIDS, ARMS, seeds): failed trainings, by the product's rule."""
    return failures.failed(scores, LEVEL, "accuracy", IMAGES)


def beside(runs: np.ndarray) -> np.ndarray:
    """(GRIDS, ARMS, seeds) of booleans -> (GRIDS, ARMS - 1): is there one in the recipe's arm or the baseline's?"""
    arms = runs.any(axis=-1)
    return arms[:, 1:] | arms[:, :1]


def estimates(scores: np.ndarray) -> student.Estimate:
    recipes = scores[:, 1:]
    return student.paired_contrast((recipes, np.broadcast_to(scores[:, :1], recipes.shape)), (1, -1))


def verdicts(scores: np.ndarray, rule: bool) -> Arrays:
    """(GRIDS, ARMS - 1) each: is a recipe called different, and is it called equivalent? By the paired t and Holm.

    rule: no verdict beside a failed training that is seen; without it failures are means among others.
    """
    found = estimates(scores)
    p_values = (student.two_sided(found), student.equivalent(found, MARGIN))
    none = beside(seen(scores)) if rule else np.zeros(found.value.shape, bool)
    different, equivalent = (holm(np.where(none, np.nan, p)) < ALPHA for p in p_values)
    return different, equivalent


def any_false_verdict(seeds: int, share: float, rule: bool = True) -> float:
    """Share of grids of identical recipes, which fail equally often, in which at least one is called different."""
    return float(verdicts(runs(seeds, share)[0], rule)[0].any(axis=1).mean())


def any_verdict_on_failures(seeds: int, share: float, rule: bool = True) -> float:
    """Share of grids in which some verdict, of either kind, rests on means with a failed training in them.

    All arms fail in the same seeds, as they share initial weights and order: their difference then varies little.
    """
    scores, lost = runs(seeds, share, "seed")
    different, equivalent = verdicts(scores, rule)
    return float(((different | equivalent) & beside(lost)).any(axis=1).mean())


def called_equivalent(seeds: int, share: float, how: str = "rule") -> float:
    """Share of recipes, in comparisons of their own, that fail and are called equivalent to a baseline that never does.

    how: "rule", no verdict beside a failure that is seen; "averaged", it is one of the mean; "left out" of it.
    """
    scores, lost = runs(seeds, share, "recipes")
    if how == "left out":
        return _equivalent_without(scores, lost[:, 1:])
    found = student.equivalent(estimates(scores), MARGIN) < ALPHA
    return float((found & ~beside(seen(scores)) if how == "rule" else found).mean())


def _equivalent_without(scores: np.ndarray, lost: np.ndarray) -> float:
    """The same by the seeds that trained in both arms, where these are at least three."""
    differences, total = scores[:, 1:] - scores[:, :1], 0
    for left in range(3, scores.shape[-1] + 1):
        arms = (~lost).sum(axis=-1) == left
        kept = differences[arms][~lost[arms]].reshape(-1, left)
        found = student.paired_contrast((kept, np.zeros_like(kept)), (1, -1))
        total += int((student.equivalent(found, MARGIN) < ALPHA).sum())
    return total / lost[..., 0].size


def none_failed(seeds: int, share: float) -> float:
    """Share of recipes that fail so often, of which not one run is seen to."""
    return float((~seen(runs(seeds, share, "recipes")[0])[:, 1:].any(axis=-1)).mean())


def limit_holds(seeds: int, share: float) -> float:
    """Share of recipes whose true share of failures is at most what "k of n failed: up to ..." says."""
    limits = np.array([failures.most_failures(count, seeds) for count in range(seeds + 1)])
    return float((limits[seen(runs(seeds, share)[0]).sum(axis=-1)] >= share).mean())


def finds(seeds: int, share: float, rule: bool = True) -> float:
    """Share of recipes, one point better wherever they train, that are called different."""
    return float(verdicts(runs(seeds, share, gain=0.01)[0], rule)[0].mean())


def outliers(seeds: int) -> float:
    """Share of arms of normal scores, all of them trained, in which a run is called failed for being an outlier.

    On so many test images that these say nothing.
    """
    scores = 0.91 + 0.003 * stream(SEED, "failures", "outliers", seeds).standard_normal((400_000, seeds))
    return float(failures.failed(scores, LEVEL, "accuracy", 10**9).any(axis=-1).mean())


def unseen(share: float) -> dict[int, tuple[float, float]]:
    """Up to the chance that none of so many runs fails, and 1.96 standard errors of a share of 80,000 recipes."""
    none = {seeds: (1 - share) ** seeds for seeds in SEEDS}
    return {seeds: (0.0, p + 1.96 * float(np.sqrt(p * (1 - p) / ((ARMS - 1) * GRIDS)))) for seeds, p in none.items()}


FAILURES = (
    *(
        Claim(
            f"A/A, {share * 100:.0f} % of runs fail", partial(any_false_verdict, share=share), "≤ .0530", at_most(MOST)
        )
        for share in (0.1, 0.2, 0.3)
    ),
    Claim(
        "there, 30 %, failures averaged in",
        partial(any_false_verdict, share=0.3, rule=False),
        "> .0530 at 3",
        at_least(MOST, (3,)) | at_most(MOST, (5, 10)),
    ),
    Claim("a verdict on means with failures", partial(any_verdict_on_failures, share=0.1), "≤ .001", at_most(0.001)),
    Claim(
        "there, without the rule",
        partial(any_verdict_on_failures, share=0.1, rule=False),
        "> .0530",
        at_least(MOST),
    ),
    Claim("10 % fail, and none is seen to", partial(none_failed, share=0.1), "≤ .73, .59, .35", unseen(0.1)),
    Claim("there, “equivalent”", partial(called_equivalent, share=0.1), "≤ .73, .59, .35", unseen(0.1)),
    Claim(
        "there, failures left out of the mean",
        partial(called_equivalent, share=0.1, how="left out"),
        "> .59, .35 from 5",
        {seeds: (high, 1.0) for seeds, (_, high) in unseen(0.1).items() if seeds > 3},
    ),
    Claim("“up to so many may fail”, 30 % do", partial(limit_holds, share=0.3), "≥ .95", at_least(0.95)),
    Claim(
        "one point better, no run fails",
        partial(finds, share=0.0),
        ".26, .91, 1, each ± .03",
        {3: (0.23, 0.29), 5: (0.88, 0.94), 10: (0.97, 1.0)},
    ),
    Claim(
        "there, 10 % of runs fail",
        partial(finds, share=0.1),
        ".13, .29, .12, each ± .03",
        {3: (0.10, 0.16), 5: (0.26, 0.32), 10: (0.09, 0.15)},
    ),
    Claim(
        "there, failures averaged in",
        partial(finds, share=0.1, rule=False),
        ".13, .30, .13, each ± .03",
        {3: (0.10, 0.16), 5: (0.27, 0.33), 10: (0.10, 0.16)},
    ),
    Claim("normal scores, a run called an outlier", outliers, "≤ .001", at_most(0.001)),
)


def rows() -> list[str]:
    """Of the table in docs/honesty.md."""
    return [row(claim) for claim in FAILURES]


if __name__ == "__main__":
    print("\n".join(rows()))
