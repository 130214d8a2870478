"""Words for numbers, once for everything that a person reads: p-values, shares, lists, counts.

Knows no experiment and no metric. Numbers carry a true minus sign.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def p_text(p: float, alpha: float = 0.05) -> str:
    """A p-value without its leading zero: ".004", "<.001"; a dash for nan. Never on the other side of alpha than p.

    Where three digits would put it there it has four, rounded towards itself: ".0499".
    """
    if math.isnan(p):
        return NONE
    if p < min(alpha, 0.001):
        return "<.001"
    text = f"{p:.3f}"
    if (float(text) < alpha) != (p < alpha):
        text = f"{(math.floor if p < alpha else math.ceil)(p * 10_000) / 10_000:.4f}"
    return text.removeprefix("0")


def p_phrase(p: float, alpha: float = 0.05) -> str:
    """'p = .004', 'p < .001'."""
    text = p_text(p, alpha)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def percent(level: float) -> str:
    """A share: '95 %'."""
    return f"{round(100 * level, 6):g} %"


def listing(names: Iterable[str], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    *others, final = names
    return f"{', '.join(others)} {last} {final}" if others else final


def tied(text: str) -> str:
    """With no-break spaces where a line may not end: '95 %', '2.3 GB', '5 seeds', 'p = .004'."""
    return re.sub(r"(?<=\d) (?=%|seed|point|[kMG]B)|(?<=\b[pn]) (?=[<=] )|(?<=\b[pn] [<=]) (?=[.\d])", "\u00a0", text)


def opening(text: str, names: Iterable[str] = ()) -> str:
    """The text with a capital first letter, as a sentence begins; as it is where it begins with one of the names.

    Names are the user's: 'crop' and 'Crop' may be two recipes.
    """
    named = any(text.startswith(name) and not text[len(name) : len(name) + 1].isalnum() for name in names)
    return text if named else text[:1].upper() + text[1:]


def counted(number: int, thing: str) -> str:
    """'1 seed', '5 seeds'."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
