"""Made-up effects, for the tests of how they are put into words."""

import math

from ablation.evidence.effects import Effect


def effect(recipe: str = "crop", **changes) -> Effect:
    """Better by 4.1 points under adam and sgd together."""
    given = {
        "recipe": recipe, "condition": {}, "metric": "accuracy", "seeds": 5, "planned": 5, "mean": 0.841, "sd": 0.0123,
        "baseline_seeds": changes.get("seeds", 5),
        "estimate": 0.0412, "low": 0.0218, "high": 0.0604, "p": 0.0004, "p_adjusted": 0.0021, "p_equivalent": 0.999,
        "macro_f1_difference": 0.039, "verdict": "better",
    }  # fmt: skip
    return Effect(**given | changes)


def unknown(recipe: str, **changes) -> Effect:
    nothing = dict.fromkeys(
        ("estimate", "low", "high", "p", "p_adjusted", "p_equivalent", "macro_f1_difference"), math.nan
    )
    return effect(recipe, **nothing | {"verdict": "undecided", "note": "too few finished seeds", **changes})


def baseline(condition: dict[str, str] | None = None, **changes) -> Effect:
    return unknown("none", condition=condition or {}, verdict="baseline", note="", **changes)


BOTH = [baseline({"optimizer": "adam"}), baseline({"optimizer": "sgd"})]
"""What says that two conditions were pooled."""
