"""What was drawn for one sample, in a few words: "crop 62 % · brightness × 1.31 · rotated 12° ↻". numpy only.

Each operation describes itself; here stand the words for numbers that several share. An operation that did nothing to
the sample (its coin fell so, or it drew the magnitude that changes nothing) is left out. Shares are of the picture as
it reaches the operation; pixels are those of its frame (see `operation`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablation.augment.operation import Array, Drawn, Mixture
from ablation.core.errors import attempt
from ablation.core.text import MINUS
from ablation.core.values import label

if TYPE_CHECKING:
    from ablation.augment.draws import DrawnRecipe

UNCHANGED = "unchanged"
BETWEEN = " · "


def caption(recipe: DrawnRecipe, row: int) -> str:
    """What the recipe does to this sample, operation by operation; 'unchanged' for nothing. Never raises.

    What an operation cannot say of itself costs neither pictures nor a run: its class and fields stand in for it.
    """
    return joined(*(_of_part(part, row) for part in recipe.parts)) or UNCHANGED


def _of_part(part: Drawn, row: int) -> str:
    """What one simple operation does to this sample; '' for nothing."""
    if not part.applies[row]:
        return ""
    described = attempt("caption", lambda: _described(part, row), None, _ignore)
    return described if isinstance(described, str) else plain(part.operation)


def _described(part: Drawn, row: int) -> Any:
    drawn = {name: values[row] for name, values in part.parameters.items()}
    if not isinstance(part.operation, Mixture):
        return part.operation.describe(drawn, part.frame[row])
    own, *shares = drawn["weights"]
    chains = [
        f"{percent(share)} ({', '.join(filter(None, (_of_part(inner, row) for inner in chain))) or UNCHANGED})"
        for share, chain in zip(shares, part.operation.chains, strict=True)
    ]
    return " + ".join([f"{percent(own)} itself", *chains])


def plain(operation: Any) -> str:
    """An operation by its class and the fields that differ from their defaults: 'GaussianBlur(kernel_size=5)'."""
    name, fields = type(operation).__name__, hasattr(operation, "__dataclass_fields__")
    return attempt("label", lambda: label(operation), name, _ignore) if fields else name


def _ignore(note: str) -> None:
    """There is no need to report it: the class and fields stand in."""


def joined(*parts: str) -> str:
    """Those that are not empty, with a dot between them."""
    return BETWEEN.join(filter(None, parts))


def percent(share: float) -> str:
    """'62 %', '3.4 %', '< 0.1 %'."""
    return f"{digits(100 * share)} %"


def digits(size: float) -> str:
    """Two digits of a size, as far as a picture shows them: '62', '3.4', '< 0.1'."""
    size = abs(float(size))
    if 0 < size < 0.05:
        return "< 0.1"
    return f"{size:.0f}" if size >= 9.95 or size == 0 else f"{size:.1f}"


def signed(number: float) -> str:
    """The same with its sign, a true minus: '+62', '-3.4'."""
    text = digits(number)
    return text if text in ("0", "< 0.1") else f"{MINUS if number < 0 else '+'}{text}"


def multiplied(name: str, factor: float) -> str:
    """'brightness × 1.31'; '' for a factor of 1."""
    return f"{name} × {factor:.2f}" if factor != 1 else ""


def turned(degrees: float) -> str:
    """'rotated 12° ↻'; '' for none. degrees: clockwise."""
    return f"rotated {digits(degrees)}° {'↻' if degrees > 0 else '↺'}" if degrees else ""


def shifted(right: float, down: float) -> str:
    """'12 px right, 5 px up'; '' where it is less than half a pixel."""
    ways = ((right, "right", "left"), (down, "down", "up"))
    return ", ".join(f"{abs(way):.0f} px {ahead if way > 0 else back}" for way, ahead, back in ways if abs(way) >= 0.5)


def share_of(name: str, box: Array) -> str:
    """'crop 62 %': the name with the area of a box (4,) in fractions; '' for an empty one."""
    area = float((box[2] - box[0]) * (box[3] - box[1]))
    return f"{name} {percent(area)}" if area else ""
