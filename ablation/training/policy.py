"""Which runs a sweep is for, and what it does about those that fail or that another process trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.core.errors import InputError
from ablation.experiment.experiment import Cell
from ablation.experiment.selection import chosen_ids


@dataclass(frozen=True)
class Policy:
    """What a sweep trains, and when it gives up. None of it is in a run's id.

    only: factor -> level, as `{"recipe": "crop", "seed": 0}`, by the names of the experiment file; runs that match one
    of these are trained, where there is any. join: where another process trains the experiment, take what it leaves and
    wait for the rest; else raise HeldError. retry_failed: try those again that failed before. max_retries: how often a
    run that fails is tried again in this sweep. fail_fast: end at the first failure.

    >>> Policy(only=({"recipe": "crop", "optimizer": "sgd"},), max_retries=1).join
    True
    """

    only: tuple[Mapping[str, object], ...] = ()
    join: bool = True
    retry_failed: bool = True
    max_retries: int = 0
    fail_fast: bool = False

    def __post_init__(self) -> None:
        retries = self.max_retries
        if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
            raise InputError(f"max_retries = {retries!r} (--max-retries): a whole number from 0")
        if isinstance(self.only, Mapping | str) or not all(isinstance(one, Mapping) for one in self.only):
            raise InputError(f"only = {self.only!r}: a tuple of dicts, as ({{'recipe': 'crop'}},)")

    def chosen(self, cells: Sequence[Cell]) -> frozenset[str]:
        """The ids of the runs that the sweep is for. Raises InputError for a factor or a level that no cell has."""
        return chosen_ids(self.only, cells)


AS_ALWAYS = Policy()
"""Every run; failed ones again, once."""
