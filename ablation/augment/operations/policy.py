"""Policies: operations drawn from a table, each sample its own. What an operation does with its magnitude is
torchvision's; the tables of AutoAugment stand in `ablation.augment.operations.policy_tables`.

Interpolation is bilinear, where torchvision's default for all but AugMix is the nearest neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ablation.augment.operation import Array, Drawn, Draws, Fill, Mixture, Part, Policy, from_beta, times
from ablation.augment.operations.blur import RandomAdjustSharpness
from ablation.augment.operations.color import Brightness, Contrast, Saturation
from ablation.augment.operations.policy_tables import POLICIES
from ablation.augment.operations.tone import (
    RandomAutocontrast,
    RandomEqualize,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from ablation.augment.operations.warp import RandomAffine
from ablation.core.values import Count, Positive, Range, Whole, value

Magnitudes = Callable[[int], Array] | None
"""The magnitudes of a number of bins; None for an operation without one. Those of translations are shares of the
picture's side, but pixels in `WIDE`."""

MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
COLORS = ("Brightness", "Color", "Contrast", "Sharpness")
SIGNED = (*MOVES, *COLORS)
"""The operations whose magnitude may be negative, each sign with the same chance."""

PIXELS: dict[str, tuple[Any, Callable[[Array], Draws]]] = {
    "Brightness": (Brightness(0), lambda magnitude: {"factor": 1 + magnitude}),
    "Color": (Saturation(0), lambda magnitude: {"factor": 1 + magnitude}),
    "Contrast": (Contrast(0), lambda magnitude: {"factor": 1 + magnitude}),
    "Sharpness": (RandomAdjustSharpness(1), lambda magnitude: {"factor": 1 + magnitude}),
    "Posterize": (RandomPosterize(8), lambda magnitude: {"bits": np.trunc(magnitude)}),
    "Solarize": (RandomSolarize(1), lambda magnitude: {"threshold": magnitude}),
    "AutoContrast": (RandomAutocontrast(), lambda magnitude: {}),
    "Equalize": (RandomEqualize(), lambda magnitude: {}),
    "Invert": (RandomInvert(), lambda magnitude: {}),
}
"""The operations on pixels: which of ours each is, and its parameters at a magnitude."""


def _upto(most: float) -> Magnitudes:
    return lambda bins: np.linspace(0, most, bins)


def _bits(start: int, fewer: int) -> Magnitudes:
    return lambda bins: np.round(start - np.arange(bins) / ((bins - 1) / fewer))


def _space(shear: float, translate: float, rotate: float, color: float, bits: Magnitudes) -> dict[str, Magnitudes]:
    """A table of operations: the largest magnitudes, and the bits of posterize."""
    moves = {"ShearX": _upto(shear), "ShearY": _upto(shear), "TranslateX": _upto(translate),
             "TranslateY": _upto(translate), "Rotate": _upto(rotate)}  # fmt: skip
    colors = dict.fromkeys(COLORS, _upto(color))
    falling: Magnitudes = lambda bins: np.linspace(1, 0, bins)  # noqa: E731
    return moves | colors | {"Posterize": bits, "Solarize": falling, "AutoContrast": None, "Equalize": None}


AUTO = _space(0.3, 150 / 331, 30, 0.9, _bits(8, 4)) | {"Invert": None}  # Cubuk et al. 2019, table 6
RAND = {"Identity": None} | _space(0.3, 150 / 331, 30, 0.9, _bits(8, 4))  # Cubuk et al. 2020, section 3
WIDE = {"Identity": None} | _space(0.99, 32, 135, 0.99, _bits(8, 6))  # Mueller and Hutter 2021, table 7
AUGMIX = _space(0.3, 1 / 3, 30, 0.9, _bits(4, 4))  # Hendrycks et al. 2020, with torchvision's bins


@value
class RandAugment(Policy):
    """`num_ops` operations one after another, each drawn from all 14, at one magnitude (Cubuk et al. 2020).

    >>> RandAugment(num_ops=2, magnitude=5).magnitude
    5
    """

    num_ops: Whole = 2
    magnitude: Whole = 9
    num_magnitude_bins: Annotated[int, Range(low=2)] = 31
    fill: Fill = 0.0

    def check(self) -> Iterator[str]:
        if self.magnitude >= self.num_magnitude_bins:
            last = self.num_magnitude_bins - 1
            yield f"magnitude = {self.magnitude}: the last of {self.num_magnitude_bins} bins is {last}"

    def scaled(self, factor: float) -> RandAugment:
        return replace(self, magnitude=round(self.magnitude * factor))

    @property
    def uniforms(self) -> int:
        return 2 * self.num_ops

    def parts(self, uniforms: Array, frame: Array) -> list[Part]:
        parts: list[Part] = []
        for chosen, sign in uniforms.reshape(len(frame), -1, 2).transpose(1, 2, 0):
            which = _among(chosen, len(RAND))
            level = np.full(len(frame), self.magnitude)
            parts += _slot(RAND, self.num_magnitude_bins, which, level, sign, frame, self.fill)
        return parts


@value
class TrivialAugmentWide(Policy):
    """One operation of 14 at a random magnitude (Mueller and Hutter 2021).

    >>> recipe = (TrivialAugmentWide(),)
    """

    num_magnitude_bins: Annotated[int, Range(low=2)] = 31
    fill: Fill = 0.0

    uniforms: ClassVar[int] = 3

    def parts(self, uniforms: Array, frame: Array) -> list[Part]:
        bins = self.num_magnitude_bins
        which, level = _among(uniforms[:, 0], len(WIDE)), _among(uniforms[:, 1], bins)
        return _slot(WIDE, bins, which, level, uniforms[:, 2], frame, self.fill)


@value
class AutoAugment(Policy):
    """One of 25 pairs of operations that a search found on a data set, each with its chance (Cubuk et al. 2019).

    >>> recipe = (AutoAugment("cifar10"),)
    """

    policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet"
    fill: Fill = 0.0

    uniforms: ClassVar[int] = 5

    def parts(self, uniforms: Array, frame: Array) -> list[Part]:
        names, pairs = list(AUTO), POLICIES[self.policy]
        pair = _among(uniforms[:, 0], len(pairs))
        parts: list[Part] = []
        for half in range(2):
            which = np.array([names.index(both[half].name) for both in pairs])[pair]
            chance = np.array([both[half].p for both in pairs])[pair]
            level = np.array([both[half].level for both in pairs])[pair]
            skipped = uniforms[:, 1 + 2 * half] >= chance
            parts += _slot(AUTO, 10, np.where(skipped, -1, which), level, uniforms[:, 2 + 2 * half], frame, self.fill)
        return parts


@value
class AugMix(Policy):
    """Adds up the picture and `mixture_width` chains of one to three mild operations (Hendrycks et al. 2020).

    severity: the magnitudes are drawn from the lowest `severity` of 10. chain_depth: operations in a chain, -1 for one
    to three. alpha: of the Dirichlet and Beta distributions of the weights. all_ops: with brightness, colour, contrast
    and sharpness, which the paper leaves out as they are among the corruptions of its test.

    >>> AugMix(severity=5).severity
    5
    """

    severity: Annotated[int, Range(low=1, high=10)] = 3
    mixture_width: Count = 3
    chain_depth: int = -1
    alpha: Positive = 1.0
    all_ops: bool = True
    fill: Fill = 0.0

    def check(self) -> Iterator[str]:
        if self.chain_depth != -1 and not 1 <= self.chain_depth <= 10:
            yield f"chain_depth = {self.chain_depth}: from 1 to 10, or -1 for one to three"

    def scaled(self, factor: float) -> AugMix:
        return replace(self, severity=round(times(self.severity, factor, low=1)))

    @property
    def _deepest(self) -> int:
        return self.chain_depth if self.chain_depth > 0 else 3

    @property
    def uniforms(self) -> int:
        return self.mixture_width * (2 + 3 * self._deepest) + 1

    def parts(self, uniforms: Array, frame: Array) -> list[Part]:
        from scipy.special import gammaincinv

        space = {name: magnitudes for name, magnitudes in AUGMIX.items() if self.all_ops or name not in COLORS}
        own, *others = np.split(uniforms, [1 + i * (2 + 3 * self._deepest) for i in range(self.mixture_width)], axis=1)
        kept = from_beta(self.alpha, own)
        chances = np.stack([other[:, 0] for other in others], axis=1)
        shares = gammaincinv(self.alpha, chances)
        lost = shares.sum(axis=1, keepdims=True) == 0  # too small for a number, at a small alpha: one chain has it all
        shares = np.where(lost, chances == chances.max(axis=1, keepdims=True), shares)
        shares = shares / shares.sum(axis=1, keepdims=True)
        weights = np.concatenate([kept, (1 - kept) * shares], axis=1).astype(np.float32)
        chains = []
        for other in others:
            depth = _among(other[:, 1], 3) + 1 if self.chain_depth <= 0 else np.full(len(frame), self.chain_depth)
            chain: list[Part] = []
            for step in range(self._deepest):
                chosen, level, sign = other[:, 2 + 3 * step : 5 + 3 * step].T
                which = np.where(step < depth, _among(chosen, len(space)), -1)
                chain += _slot(space, 10, which, _among(level, self.severity), sign, frame, self.fill)
            chains.append([Drawn.of(*part, frame) for part in chain])
        return [(Mixture(tuple(chains)), {"weights": weights}, np.ones(len(frame), bool))]


def _among(uniforms: Array, count: int) -> Array:
    """Uniforms in [0, 1) as whole numbers from 0 to count - 1."""
    return np.asarray(np.floor(uniforms * count), np.int64)


def _slot(
    space: dict[str, Magnitudes], bins: int, which: Array, level: Array, sign: Array, frame: Array, fill: Fill
) -> list[Part]:
    """One operation for each sample: `which` of the space (-1: none) at `level` of its bins; sign: uniforms (N,).

    The five that move pixels are one affine map.
    """
    parts: list[Part] = []
    moves = {name: np.zeros(len(frame)) for name in MOVES}
    for index, (name, magnitudes) in enumerate(space.items()):
        chosen = which == index
        magnitude = np.zeros(len(frame)) if magnitudes is None else magnitudes(bins)[level]
        magnitude = np.where((sign < 0.5) & (name in SIGNED), -magnitude, magnitude)
        if name in MOVES:
            moves[name] = np.where(chosen, magnitude, 0)
        elif name in PIXELS:
            operation, parameters = PIXELS[name]
            drawn = {field: values.astype(np.float32) for field, values in parameters(magnitude).items()}
            parts.append((operation, drawn, chosen))
    moved = np.isin(which, [index for index, name in enumerate(space) if name in MOVES])
    unit = np.ones_like(frame) if space is WIDE else frame
    return [(RandomAffine(0, fill=fill), _affine(moves, frame, unit), moved), *parts]


def _affine(moves: dict[str, Array], frame: Array, unit: Array) -> Draws:
    """The parameters of `RandomAffine` for these magnitudes. unit: (N, 2) pixels, of the translations.

    Shears keep the top left corner, as in the papers: the centre moves by half of it. Whole pixels are translated, and
    a whole number that float arithmetic makes a little less than it is counts as whole.
    """
    shear = np.stack([moves["ShearX"], moves["ShearY"]], axis=1)
    shift = np.stack([moves["TranslateX"], moves["TranslateY"]], axis=1)
    shift = np.trunc(shift * unit + np.copysign(1e-6, shift)) - shear * frame[:, ::-1] / 2
    return {
        "angle": -moves["Rotate"].astype(np.float32),
        "translate": shift.astype(np.float32),
        "scale": np.ones(len(frame), np.float32),
        "shear": np.degrees(np.arctan(shear)).astype(np.float32),
    }
