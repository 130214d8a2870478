"""Operations that hold operations: sometimes, one of several, and all of a recipe at another strength.

What they hold is drawn under its own name, so a crop within `Sometimes` has the draws of the crop alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ablation.augment.operation import Array, Choice
from ablation.core.errors import InputError
from ablation.core.values import NonNegative, Probability, fit, introduced, value

Operations = tuple[object, ...]


@value
class Sometimes(Choice):
    """The operation with probability `p`, for each sample.

    >>> from ablation import RandomRotation
    >>> recipe = (Sometimes(RandomRotation(30), p=0.3),)
    """

    operation: object
    p: Probability = 0.5

    uniforms: ClassVar[int] = 1

    def check(self) -> Iterator[str]:
        yield from _not_operations("operation", self.held)

    @property
    def held(self) -> Operations:
        return (self.operation,)

    def scaled(self, factor: float) -> Sometimes:
        return replace(self, operation=scaled(self.held, factor)[0])

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        return [(self.operation, uniforms[:, 0] < self.p)]


@value
class OneOf(Choice):
    """One of the operations for each sample, each with the same chance.

    >>> from ablation import CutMix, MixUp
    >>> OneOf((MixUp(0.2), CutMix())).operations
    (MixUp(alpha=0.2), CutMix(alpha=1.0))
    """

    operations: Operations

    uniforms: ClassVar[int] = 1

    def check(self) -> Iterator[str]:
        yield from _not_operations("operations", self.operations)
        if not self.operations:
            yield "operations is empty; name at least one"

    @property
    def held(self) -> Operations:
        return self.operations

    def scaled(self, factor: float) -> OneOf:
        return replace(self, operations=scaled(self.operations, factor))

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        which = np.floor(uniforms[:, 0] * len(self.operations))
        return [(operation, which == index) for index, operation in enumerate(self.operations)]


@value
class Strength(Choice):
    """A whole recipe at `factor` times its strength: 0 is no augmentation, 1 is the recipe as it is.

    What that means for each operation is said by its `scaled`.

    >>> from ablation import Brightness, RandomRotation
    >>> Strength((Brightness(0.4), RandomRotation(30)), 0.5).made
    (Brightness(brightness=0.2), RandomRotation(degrees=15.0, expand=False, fill=0.0))
    """

    recipe: Operations
    factor: NonNegative

    def check(self) -> Iterator[str]:
        wrong = _not_operations("recipe", self.recipe)
        yield from wrong
        try:
            scaled(() if wrong else self.recipe, self.factor)
        except InputError as error:
            yield from (problem.message for problem in error.problems)

    @property
    def held(self) -> Operations:
        return self.recipe

    @property
    def called(self) -> str:
        return ""

    @property
    def made(self) -> tuple[Any, ...]:
        """The operations that it comes to."""
        return scaled(self.recipe, self.factor)

    @property
    def frames_all(self) -> bool:
        return any(operation.frames_all for operation in self.made)

    def scaled(self, factor: float) -> Strength:
        return replace(self, factor=self.factor * factor)

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        return [(operation, np.ones(len(uniforms), bool)) for operation in self.made]


def scaled(recipe: tuple[Any, ...], factor: float) -> tuple[Any, ...]:
    """The recipe at `factor` times its strength: 0 leaves what frames the picture without changing it.

    Raises InputError where a magnitude would leave its range.
    """
    if factor == 1:
        return recipe
    if factor == 0:
        return tuple(operation for operation in recipe if operation.only_frames)
    return tuple(_scaled(operation, factor) for operation in recipe)


def _scaled(operation: Any, factor: float) -> Any:
    with introduced(f"{operation!r} cannot have {factor:g} times its strength: "):
        return operation.scaled(factor) or Sometimes(operation, factor)


def every_operation(recipe: Iterable[Any]) -> Iterator[Any]:
    """The operations of a recipe, each after those that it holds."""
    for operation in recipe:
        yield from every_operation(getattr(operation, "held", ()))  # () for what `check` has refused
        yield operation


def _not_operations(name: str, members: Operations) -> list[str]:
    """A mistake for each member that is no operation."""
    from ablation.augment import Operation

    return [f"{name}: {member!r}: {wrong}" for member in members if (wrong := fit(member, Operation)[1])]
