"""The sentence with which a section opens: what is found, in one line that a person reads in five seconds.

A section knows which of its recipes differ, and by how much; the words for so many of them are here. Recipes come by
their names and are marked as names. Intervals, p-values and what all of it holds for are said in the sentences behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablation.core.text import listing, named
from ablation.evidence.effects import OWN_RUNS
from ablation.report.text import MOST_NAMED, among


def who(recipes: Sequence[str], every: int) -> str:
    """'“crop”', '“crop” and “move”', or of many '8 of 60 recipes'. every: how many recipes are compared."""
    return f"{len(recipes)} of {every} recipes" if len(recipes) > MOST_NAMED else listing(map(named, recipes))


def whose(recipes: Sequence[str], every: int, one: str, several: str) -> str:
    """The recipes with the verb for as many: '“crop” reduces', '“crop” and “move” reduce'."""
    return f"{who(recipes, every)} {one if len(recipes) == 1 else several}"


def up_to(recipes: Sequence[str], largest: str) -> str:
    """'3.0 points' of one recipe, 'up to 3.0 points' of several."""
    return largest if len(recipes) == 1 else f"up to {largest}"


def nobody(recipes: Sequence[str]) -> str:
    """'No recipe is shown to', of one alone '“crop” is not shown to'."""
    return f"{named(recipes[0])} is not shown to" if len(recipes) == 1 else "No recipe is shown to"


def not_judged(notes: Mapping[str, str]) -> str:
    """Why nothing can be said of any recipe: '“crop” and “move” cannot be judged: no verdict under 3 seeds.'

    notes: recipe -> the reason, of one recipe at least.
    """
    reasons = {recipe: note for recipe, note in notes.items() if note != OWN_RUNS}
    if not reasons:
        are = "is" if len(notes) == 1 else "are"
        return f"There is nothing to compare: {among(list(notes), 'recipe')} {are} {OWN_RUNS}."
    if len(set(reasons.values())) > 1:
        return "No recipe can be judged, for the reasons below."
    return f"{among(list(reasons), 'recipe')} cannot be judged: {next(iter(reasons.values()))}."
