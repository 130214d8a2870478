"""Operations that hold operations: sometimes, one of several, and all of a recipe at another strength.

What they hold is drawn under its own name, so a crop within `Sometimes` has the draws of the crop alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from ablation.augment.operation import Array
from ablation.core.values import NonNegative, Probability, value

Operations = tuple[object, ...]


@value
class Sometimes:
    """The operation with probability `p`, for each sample."""

    operation: object
    p: Probability = 0.5

    uniforms: ClassVar[int] = 1

    def check(self):
        yield from not_operations("operation", (self.operation,))

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        return [(self.operation, uniforms[:, 0] < self.p)]


@value
class OneOf:
    """One of the operations for each sample, each with the same chance."""

    operations: Operations

    uniforms: ClassVar[int] = 1

    def check(self):
        yield from not_operations("operations", self.operations)
        if not self.operations:
            yield "operations is empty; name at least one"

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        which = np.floor(uniforms[:, 0] * len(self.operations))
        return [(operation, which == place) for place, operation in enumerate(self.operations)]


@value
class Strength:
    """A whole recipe at `factor` times its strength: 0 is no augmentation, 1 is the recipe as it is.

    What that means for each operation is said in `ablation.augment.strength`.
    """

    recipe: Operations
    factor: NonNegative

    uniforms: ClassVar[int] = 0

    def check(self):
        from ablation.augment.strength import scaled
        from ablation.core.errors import InputError

        wrong = list(not_operations("recipe", self.recipe))
        try:
            scaled(() if wrong else self.recipe, self.factor)
        except InputError as error:
            wrong += [problem.message for problem in error.problems]
        yield from wrong

    @property
    def scaled(self) -> tuple[Any, ...]:
        """The operations that it comes to."""
        from ablation.augment.strength import scaled

        return scaled(self.recipe, self.factor)

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        return [(operation, np.ones(len(uniforms), bool)) for operation in self.scaled]


def not_operations(name: str, members: Operations) -> list[str]:
    """A mistake for each member that is no operation."""
    from ablation.augment import Operation
    from ablation.core.values import fit

    return [f"{name}: {member!r}: {wrong}" for member in members if (wrong := fit(member, Operation)[1])]


def every_operation(recipe: Iterable[Any]) -> Iterator[Any]:
    """The operations of a recipe, each after those that it holds."""
    for operation in recipe:
        held = (getattr(operation, "operation", None), *getattr(operation, "operations", ()))
        inner = [one for one in (*held, *getattr(operation, "recipe", ())) if one is not None]
        yield from every_operation(inner)
        yield operation
