"""Colour, as torchvision's functions of the same names do it on float images, with one factor per sample."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from ablation.augment.captions import multiplied, signed
from ablation.augment.operation import Array, Draws, Part, PixelOperation, Policy, Sample, between, times
from ablation.core.values import NonNegative, Probability, Range, value

if TYPE_CHECKING:
    from torch import Tensor

Jitter = NonNegative | Annotated[tuple[float, float], Range(low=0)]
"""A magnitude m, for factors in [max(0, 1 - m), 1 + m], or the factors' two bounds."""

HueShift = Annotated[float, Range(low=0, high=0.5)] | Annotated[tuple[float, float], Range(low=-0.5, high=0.5)]
"""A magnitude m, for shifts in [-m, m], or their two bounds; 1 is once round the circle of hues."""

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, with torchvision's rounding of the first


class FactorOperation(PixelOperation):
    """Draws a factor for each sample, between the bounds of its one field, which is called as what the factor is of."""

    uniforms: ClassVar[int] = 1

    @property
    def _name(self) -> str:
        own: Any = self
        return fields(own)[0].name

    def scaled(self, factor: float) -> Any:
        own: Any = self
        return replace(own, **{self._name: _scaled(getattr(self, self._name), factor)})

    def describe(self, drawn: Sample, frame: Array) -> str:
        return multiplied(self._name, drawn["factor"])

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"factor": (N,)}`."""
        jitter = getattr(self, self._name)
        low, high = jitter if isinstance(jitter, tuple) else (max(0.0, 1 - jitter), 1 + jitter)
        return {"factor": between(uniforms[:, 0], low, high).astype(np.float32)}


@value
class Brightness(FactorOperation):
    """Multiplies a picture by a factor, clamped to [0, 1]: `torchvision...adjust_brightness`.

    >>> recipe = (Brightness(0.4),)
    """

    brightness: Jitter

    neutral = {"brightness": 0}
    intervals = ("brightness",)

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return self.apply_(images.clone(), drawn)

    def apply_(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return images.mul_(per_sample(drawn["factor"])).clamp_(0, 1)

    def apply_alone_(self, image: Tensor, drawn: Sample) -> Tensor:
        return image.mul_(float(drawn["factor"])).clamp_(0, 1)


@value
class Contrast(FactorOperation):
    """Blends a picture with the mean of its own grey version, clamped to [0, 1]: `torchvision...adjust_contrast`.

    >>> recipe = (Contrast((0.5, 2)),)
    """

    contrast: Jitter

    neutral = {"contrast": 0}
    intervals = ("contrast",)

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return self.apply_(images.clone(), drawn)

    def apply_(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        factor = per_sample(drawn["factor"])
        columns = images.transpose(2, 3).contiguous()  # as crops come; a sum is rounded by the order in memory
        red, green, blue = columns.mean(dim=(2, 3)).unbind(dim=1)
        mean = per_sample(LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)
        return images.mul_(factor).add_((1 - factor) * mean).clamp_(0, 1)

    def apply_alone_(self, image: Tensor, drawn: Sample) -> Tensor:
        factor = np.float32(drawn["factor"])
        means = image.transpose(2, 3).contiguous().mean(dim=(2, 3)).tolist()[0]
        red, green, blue = np.array(LUMA, np.float32) * np.array(means, np.float32)
        offset = (np.float32(1) - factor) * (red + green + blue)
        return image.mul_(float(factor)).add_(float(offset)).clamp_(0, 1)


@value
class Saturation(FactorOperation):
    """Blends a picture with its own grey version, clamped to [0, 1]: `torchvision...adjust_saturation`.

    >>> recipe = (Saturation(0.4),)
    """

    saturation: Jitter

    neutral = {"saturation": 0}
    intervals = ("saturation",)

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        factor = per_sample(drawn["factor"])
        return (images * factor).add_(grey(images).mul_(1 - factor)).clamp_(0, 1)


@value
class Hue(PixelOperation):
    """Turns the hues by a share of their circle, keeping saturation and value: `torchvision...adjust_hue`.

    >>> recipe = (Hue(0.1),)
    """

    hue: HueShift

    uniforms: ClassVar[int] = 1
    neutral = {"hue": 0}
    intervals = ("hue",)

    def describe(self, drawn: Sample, frame: Array) -> str:
        return f"hue {signed(360 * drawn['shift'])}°" if drawn["shift"] else ""

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"shift": (N,)}`."""
        low, high = self.hue if isinstance(self.hue, tuple) else (-self.hue, self.hue)
        return {"shift": between(uniforms[:, 0], low, high).astype(np.float32)}

    def idle(self, drawn: Draws) -> Array:
        """Where nothing turns: going to hues and back costs a rounding."""
        return np.asarray(drawn["shift"] == 0)

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return turn_hue(images, drawn["shift"].view(-1, 1, 1))


@value
class ColorJitter(Policy):
    """Brightness, contrast, saturation and hue, in an order drawn for each sample, as torchvision's.

    >>> recipe = (ColorJitter(brightness=0.4, contrast=0.4),)
    """

    brightness: Jitter = 0.0
    contrast: Jitter = 0.0
    saturation: Jitter = 0.0
    hue: HueShift = 0.0

    uniforms: ClassVar[int] = 8

    neutral = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}
    intervals = ("brightness", "contrast", "saturation", "hue")

    def scaled(self, factor: float) -> ColorJitter:
        factors = {name: _scaled(getattr(self, name), factor) for name in ("brightness", "contrast", "saturation")}
        return replace(self, hue=times(self.hue, factor), **factors)

    def parts(self, uniforms: Array, frame: Array) -> list[Part]:
        """Each of the four in each of the four positions, for the samples whose order has it there."""
        order = uniforms[:, 4:].argsort(axis=1)
        jitters: tuple[Any, ...] = (
            Brightness(self.brightness),
            Contrast(self.contrast),
            Saturation(self.saturation),
            Hue(self.hue),
        )
        drawn = [jitter.draw(uniforms[:, [which]], frame) for which, jitter in enumerate(jitters)]
        return [
            (jitter, drawn[which], order[:, position] == which)
            for position in range(4)
            for which, jitter in enumerate(jitters)
            if any((values != (which < 3)).any() for values in drawn[which].values())
        ]


@value
class RandomGrayscale(PixelOperation):
    """The grey version of the picture with probability `p`: `torchvision...rgb_to_grayscale`.

    >>> recipe = (RandomGrayscale(p=0.3),)
    """

    p: Probability = 0.1

    def describe(self, drawn: Sample, frame: Array) -> str:
        return "grey"

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return grey(images).repeat(1, 3, 1, 1)


@value
class RandomChannelPermutation(PixelOperation):
    """Puts the channels in an order drawn for each sample: `torchvision...permute_channels`.

    >>> recipe = (RandomChannelPermutation(),)
    """

    uniforms: ClassVar[int] = 3

    def describe(self, drawn: Sample, frame: Array) -> str:
        order = "".join("RGB"[channel] for channel in drawn["permutation"])
        return "" if order == "RGB" else f"channels {order}"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"permutation": (N, 3)}`, int64: the channel that comes to each position."""
        return {"permutation": uniforms.argsort(axis=1)}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return images.gather(1, drawn["permutation"].view(-1, 3, 1, 1).expand_as(images))


def per_sample(parameter: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1)."""
    return parameter.view(-1, 1, 1, 1)


def grey(images: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): how bright each pixel looks."""
    red, green, blue = (images.narrow(1, channel, 1) for channel in range(3))
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def turn_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Hues (of HSV, in sixths of the circle) turned by `shift` (B, 1, 1) of the circle.

    A channel is the value less the chroma times a trapezoid of its distance on the circle from the hue opposite to it:
    the closed form of going to HSV and back (Smith 1978), without its six cases. Choices are made by products with 0
    and 1, which take a CPU a tenth of the time that comparisons take.
    """
    import torch

    red, green, blue = images.unbind(1)
    most = torch.maximum(torch.maximum(red, green), blue)
    chroma = most - torch.minimum(torch.minimum(red, green), blue)
    divisor = chroma + (1 - chroma.sign())  # a grey pixel has no hue: any will do
    not_red, not_green = (most - red).sign_(), (most - green).sign_()
    hue = ((red - green) / divisor).add_(4).mul_(not_green)
    hue = hue.add_(((blue - red) / divisor).add_(2).mul_(1 - not_green)).mul_(not_red)
    hue = hue.add_(((green - blue) / divisor).mul_(1 - not_red)).add_(6 * shift)
    channels = []
    for opposite in (3, 5, 1):
        away = hue - opposite
        away = away.sub_((away / 6).round_(), alpha=6).abs_()
        trapezoid = away.sub_(2).neg_().clamp_(0, 1)
        channels.append(most - trapezoid.mul_(chroma))
    return torch.stack(channels, dim=1)


def _scaled(jitter: Any, factor: float) -> Any:
    """A jitter at a factor of its strength: bounds move away from 1, not below 0."""
    return times(jitter, factor, about=1, low=0) if isinstance(jitter, tuple) else factor * jitter
