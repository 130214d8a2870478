"""What was drawn for one sample, in a few words: "crop 62 % · brightness × 1.31 · rotated 12° ↻". numpy only.

An operation that did nothing to the sample (its coin fell so, or it drew the magnitude that changes nothing) is left
out. One without words of its own, or whose words fail, is told by its class and fields: no caption raises. Shares are
of the picture as it reaches the operation; pixels are those of its frame (see `operation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ablation.augment.draws import Drawn, DrawnRecipe
from ablation.augment.operation import Array
from ablation.augment.operations.color import (
    Brightness,
    Contrast,
    Hue,
    RandomChannelPermutation,
    RandomGrayscale,
    Saturation,
)  # fmt: skip
from ablation.augment.operations.detail import GaussianBlur, GaussianNoise, RandomAdjustSharpness
from ablation.augment.operations.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)  # fmt: skip
from ablation.augment.operations.mix import CutMix, MixUp
from ablation.augment.operations.occlusion import Cutout, RandomErasing
from ablation.augment.operations.per_image import ImageFunction, TorchvisionTransform
from ablation.augment.operations.policy import Mixture
from ablation.augment.operations.tone import (
    RandomAutocontrast,
    RandomEqualize,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from ablation.augment.operations.warp import RandomAffine, RandomPerspective, RandomRotation, RandomZoomOut
from ablation.core.values import label

UNCHANGED = "unchanged"
BETWEEN = " · "
MINUS = "\N{MINUS SIGN}"


class Seen(NamedTuple):
    """An operation as one sample has it: its parameters, and the width and height of the picture that it gets."""

    operation: Any
    drawn: dict[str, Any]
    frame: Array


def caption(recipe: DrawnRecipe, row: int) -> str:
    """What the recipe does to this sample, operation by operation; 'unchanged' for nothing."""
    parts = (part for parts in recipe.operations for part in parts)
    return BETWEEN.join(filter(None, (words(part, row) for part in parts))) or UNCHANGED


def words(part: Drawn, row: int) -> str:
    """What one simple operation does to this sample; '' for nothing."""
    if not part.applies[row]:
        return ""
    try:
        if isinstance(part.operation, Mixture):
            return _mixture(part, row)
        in_words = WORDS.get(type(part.operation), lambda seen: plain(seen.operation))
        drawn = {name: values[row] for name, values in part.parameters.items()}
        return in_words(Seen(part.operation, drawn, part.frame[row]))
    except Exception:  # a caption accompanies pictures: whatever is wrong with its words costs neither them nor a run
        return plain(part.operation)


def plain(operation: Any) -> str:
    """An operation by its class and the fields that differ from their defaults: 'GaussianBlur(kernel_size=5)'."""
    try:
        return label(operation) if hasattr(operation, "__dataclass_fields__") else type(operation).__name__
    except Exception:  # fields that cannot be compared, or have no text
        return type(operation).__name__


def _mixture(part: Drawn, row: int) -> str:
    """'38 % itself + 41 % (equalised, rotated 3° ↻) + 21 % (posterised to 3 bits)'."""
    own, *shares = part.parameters["weights"][row]
    told = [f"{_percent(own)} itself"]
    for share, chain in zip(shares, part.operation.chains, strict=True):
        done = ", ".join(filter(None, (words(inner, row) for inner in chain)))
        told.append(f"{_percent(share)} ({done or UNCHANGED})")
    return " + ".join(told)


def _percent(share: float) -> str:
    """'62 %', '3.4 %', '< 0.1 %'."""
    return f"{_digits(100 * share)} %"


def _digits(size: float) -> str:
    """Two digits of a size, as far as a picture shows them: '62', '3.4', '< 0.1'."""
    size = abs(float(size))
    if 0 < size < 0.05:
        return "< 0.1"
    return f"{size:.0f}" if size >= 9.95 or size == 0 else f"{size:.1f}"


def _signed(number: float) -> str:
    """The same with a sign that is as wide as the plus: '+62', '-3.4'."""
    digits = _digits(number)
    return digits if digits in ("0", "< 0.1") else f"{MINUS if number < 0 else '+'}{digits}"


def _times(name: str) -> Callable[[Seen], str]:
    """'brightness × 1.31'."""
    return lambda seen: f"{name} × {seen.drawn['factor']:.2f}" if seen.drawn["factor"] != 1 else ""


def _turned(degrees: float) -> str:
    """'rotated 12° ↻'. degrees: clockwise."""
    return f"rotated {_digits(degrees)}° {'↻' if degrees > 0 else '↺'}" if degrees else ""


def _away(right: float, down: float) -> str:
    """'12 px right, 5 px up'; '' where it is less than half a pixel."""
    ways = ((right, "right", "left"), (down, "down", "up"))
    return ", ".join(f"{abs(way):.0f} px {ahead if way > 0 else back}" for way, ahead, back in ways if abs(way) >= 0.5)


def _area(box: Array) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _of_box(name: str) -> Callable[[Seen], str]:
    """'crop 62 %', 'erased 12 %'."""
    return lambda seen: f"{name} {_percent(_area(seen.drawn['box']))}" if _area(seen.drawn["box"]) else ""


def _random_crop(seen: Seen) -> str:
    """'crop 77 %, 12 px right, 5 px up': the way from the middle of the picture to that of the crop."""
    box = seen.drawn["box"]
    right, down = ((box[:2] + box[2:]) / 2 - 0.5) * seen.frame
    return f"crop {_percent(_area(box))}, {_away(right, down) or 'central'}"


def _resize(seen: Seen) -> str:
    size = seen.operation.size
    return f"squeezed to {size[1]} × {size[0]} px" if isinstance(size, tuple) else f"resized to {size} px"


def _affine(seen: Seen) -> str:
    """Rotation, shift, factor and shear, as far as there are any.

    The shift of an operation that shifts nothing by itself belongs to the shear, which keeps a corner in its place
    (see `ablation.augment.operations.policy`).
    """
    drawn = seen.drawn
    along = [f"{_signed(angle)}° along {axis}" for axis, angle in zip("xy", drawn["shear"], strict=True) if angle]
    shift = (0.0, 0.0) if along and seen.operation.translate is None else drawn["translate"]
    told = [
        _turned(float(drawn["angle"])),
        f"moved {_away(*shift)}" if _away(*shift) else "",
        f"size × {drawn['scale']:.2f}" if drawn["scale"] != 1 else "",
        f"sheared {' and '.join(along)}" if along else "",
    ]
    return BETWEEN.join(filter(None, told))


def _perspective(seen: Seen) -> str:
    """How far the corner that moves most comes inwards, along the side."""
    width, height = np.floor(seen.frame) - 1
    before = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    furthest = np.abs(seen.drawn["corners"] - before).max()
    return f"corners up to {furthest:.0f} px inwards" if furthest else ""


def _channels(seen: Seen) -> str:
    order = "".join("RGB"[channel] for channel in seen.drawn["permutation"])
    return "" if order == "RGB" else f"channels {order}"


def _hue(seen: Seen) -> str:
    return f"hue {_signed(360 * seen.drawn['shift'])}°" if seen.drawn["shift"] else ""


def _posterized(seen: Seen) -> str:
    bits = int(seen.drawn["bits"])
    return f"posterised to {bits} bit{'' if bits == 1 else 's'}"


def _noise(seen: Seen) -> str:
    mean = f", mean {seen.operation.mean:+.2g}".replace("-", MINUS) if seen.operation.mean else ""
    return f"noise σ {seen.operation.sigma:.2g}{mean}" if seen.operation.sigma or mean else ""


def _zoomed_out(seen: Seen) -> str:
    factor = math.sqrt(float(np.prod(seen.drawn["canvas"] / seen.frame)))
    return f"zoomed out × {factor:.2f}" if factor > 1 else ""


WORDS: dict[type, Callable[[Seen], str]] = {
    RandomResizedCrop: _of_box("crop"),
    RandomCrop: _random_crop,
    CenterCrop: _of_box("central crop"),
    Resize: _resize,
    RandomHorizontalFlip: lambda seen: "flipped left to right",
    RandomVerticalFlip: lambda seen: "flipped upside down",
    RandomRotation: lambda seen: _turned(-float(seen.drawn["angle"])),
    RandomAffine: _affine,
    RandomPerspective: _perspective,
    RandomZoomOut: _zoomed_out,
    Brightness: _times("brightness"),
    Contrast: _times("contrast"),
    Saturation: _times("saturation"),
    Hue: _hue,
    RandomGrayscale: lambda seen: "grey",
    RandomChannelPermutation: _channels,
    RandomInvert: lambda seen: "inverted",
    RandomPosterize: _posterized,
    RandomSolarize: lambda seen: f"solarised above {_percent(seen.drawn['threshold'])}",
    RandomEqualize: lambda seen: "equalised",
    RandomAutocontrast: lambda seen: "autocontrast",
    RandomAdjustSharpness: _times("sharpness"),
    GaussianBlur: lambda seen: f"blur σ {seen.drawn['sigma']:.2g} px",
    GaussianNoise: _noise,
    RandomErasing: _of_box("erased"),
    Cutout: _of_box("cut out"),
    MixUp: lambda seen: f"{_percent(1 - seen.drawn['weight'])} of another image",
    CutMix: lambda seen: f"{_percent(1 - seen.drawn['weight'])} pasted from another image",
    TorchvisionTransform: lambda seen: seen.operation.name,
    ImageFunction: lambda seen: seen.operation.function.rpartition(":")[2],
}
"""In what words each simple operation is told; policies and choices are told by the operations they came to."""
