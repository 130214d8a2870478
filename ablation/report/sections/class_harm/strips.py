"""The photographs that flip between wrong and right, in strips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError
from ablation.core.text import counted, named
from ablation.evidence.study import Study
from ablation.report.photographs import STRIP_TILE, TINY, photograph_strip
from ablation.report.section import Strip, Strips
from ablation.report.sections.class_harm.compute import ClassHarm, Photograph, RecipeClasses, photographs
from ablation.report.style import shortened

MOST_FLIPPED, MOST_RECIPES = 6, 4
"""Photographs each way, and recipes that they are shown of."""
SIDE = 128
"""Pixels of a photograph."""
FEWEST = 4
"""Columns of a strip: of fewer photographs each would be very large."""

Found = tuple[RecipeClasses, bool, tuple[Photograph, ...]]


def flip_strips(study: Study, harm: ClassHarm) -> tuple[Strips | None, tuple[str, ...]]:
    """The photographs that flip, in strips; and what is to be said of them, or instead of them."""
    chosen = [(own, better) for own in _recipes_that_flip(harm) for better in (True, False)]
    found = [(own, better, photographs(harm, own, better, MOST_FLIPPED)) for own, better in chosen]
    found = [one for one in found if one[2]]
    if not found:
        every = [own.flips for own in harm.recipes if own.flips is not None]
        none = "No photograph flips between wrong and right more consistently than some would by chance."
        return None, (none,) if every else ()
    rows = np.array(sorted({photograph.row for *_, shown in found for photograph in shown}), np.int64)
    side = min(SIDE, max(cell.spec.image_size for cell in study.results.cells))
    try:
        pixels = dict(zip(rows.tolist(), study.results.photographs(rows, side), strict=True))
    except DataError:
        counts = [f"{named(own.recipe)}: {_direction(harm, own, better)}" for own, better, _ in found]
        gone = "The photographs that flip are not shown, as the image cache is not there any more."
        return None, (f"{gone} {'. '.join(counts)}.",)
    across = max(len(shown) for *_, shown in found)
    strips = tuple(
        _strip(harm, one, np.stack([pixels[photograph.row] for photograph in one[2]]), across) for one in found
    )
    alt = "Photographs that flip between wrong and right, in a row for each recipe and direction"
    return Strips(strips, f"{_finding(found[0])} {_about_flips(harm)}", alt), ()


def _recipes_that_flip(harm: ClassHarm) -> list[RecipeClasses]:
    """Those of which an effect is shown come first: in a class, then on average."""
    alpha = harm.experiment.alpha

    def order(own: RecipeClasses) -> tuple[bool, bool]:
        verdict = own.average.verdict if own.average else ""
        return not (own.shown(alpha, harm=True) or own.shown(alpha, harm=False)), verdict not in ("better", "worse")

    flipping = [own for own in harm.recipes if own.flips and any(len(own.flips.flipped(way)) for way in (True, False))]
    return sorted(flipping, key=order)[:MOST_RECIPES]


def _strip(harm: ClassHarm, found: Found, pixels: NDArray[np.uint8], across: int) -> Strip:
    own, better, shown = found
    words = [_words(harm, own, photograph) for photograph in shown]
    alt = f"{counted(len(shown), 'photograph')}: {_direction(harm, own, better)}"
    side = SIDE if pixels.shape[1] > TINY else STRIP_TILE
    about = _direction(harm, own, better)
    return photograph_strip(pixels, [""] * len(shown), words, own.recipe, about, alt, max(across, FEWEST), side)


def _direction(harm: ClassHarm, own: RecipeClasses, better: bool) -> str:
    """'8 photographs turn from wrong to right, by chance 0.7: in 6 of 16 runs or more, less those the other way'."""
    assert own.flips is not None
    count, way = len(own.flips.flipped(better)), "from wrong to right" if better else "from right to wrong"
    turn = f"{counted(count, 'photograph')} turn{'s' * (count == 1)} {way}, by chance {own.flips.by_chance:.1f}"
    return f"{turn}: in {own.flips.least} of {_pairs(harm, own.flips.pairs)} or more, less those the other way"


def _finding(found: Found) -> str:
    """'With “crop” 8 photographs turn from wrong to right, where chance would give 0.7.'"""
    own, better, _ = found
    assert own.flips is not None
    count, way = len(own.flips.flipped(better)), "from wrong to right" if better else "from right to wrong"
    turn = f"{counted(count, 'photograph')} turn{'s' * (count == 1)} {way}"
    return f"With {named(own.recipe)} {turn}, where chance would give {own.flips.by_chance:.1f}."


def _pairs(harm: ClassHarm, pairs: int) -> str:
    """'8 seeds', or '16 runs' where a seed has several."""
    return counted(pairs, "seed" if pairs <= max(len(own.runs) for own in harm.recipes) else "run")


def _words(harm: ClassHarm, own: RecipeClasses, photograph: Photograph) -> tuple[str, ...]:
    """Its class, what the runs of each recipe take it for, and in how many it flips."""
    guesses = (
        f"{shortened(recipe, 16)}: {', '.join(f'{times} × {_name(harm, label)}' for label, times in several[:2])}"
        for recipe, several in ((harm.experiment.baseline, photograph.baseline), (own.recipe, photograph.recipe))
    )
    back = f", back in {photograph.back}" if photograph.back else ""
    flips = f"flips in {photograph.times} of {_pairs(harm, photograph.pairs)}{back}"
    return (f"class {_name(harm, photograph.label)}", *guesses, flips)


def _name(harm: ClassHarm, label: int) -> str:
    return f"“{shortened(harm.classes[label], 20)}”"


def _about_flips(harm: ClassHarm) -> str:
    """How the photographs were chosen, and what chance alone would choose."""
    baseline, tested = named(harm.experiment.baseline), len(harm.rows)
    return (
        f"Shown are test photographs on which {baseline} is wrong and the recipe right with the same seed and "
        "conditions, or the other way round, in so many runs that chance would give fewer than one of "
        f"{tested:,} photographs; with few seeds, in more than half of them. Chance: the two recipes swapped or not in "
        "each seed by the toss of a coin. "
        f"The most consistent first, at most {MOST_FLIPPED} each way; under each its class, the two classes that it is "
        "most often taken for, and in how many runs. They are the extremes of many: what they have in common is an "
        "idea, not evidence."
    )
