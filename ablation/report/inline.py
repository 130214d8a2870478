"""An SVG document that matplotlib wrote, as a small element within a page. XML in, XML out; knows no figure.

Styles become attributes, so that the page's own CSS is stronger than they are; what all parts of a group share stands
on the group; ids are few and begin with a prefix, so that several drawings can stand in one page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

DEFAULTS = {"stroke-linejoin": "round", "stroke-linecap": "butt", "stroke-dashoffset": "0", "font-weight": "400"}
INHERITED = (
    *("fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linecap"),
    *("font-size", "font-weight", "text-anchor"),
)
NUMBERS = ("d", "x", "y", "width", "height", "points", "stroke-width", "stroke-dasharray", "font-size")
REFERENCE = re.compile(r"(?<=url\(#)[^)]+(?=\))")


def inlined(document: bytes, prefix: str, variables: Mapping[str, str], alt: str = "") -> str:
    """The drawing as an `<svg>` element without a size of its own: it is as wide as the page makes it.

    prefix: of every id, of letters, digits, - and _. variables: a colour '#rrggbb' -> the CSS variable that a theme may
    set in its stead. alt: what it shows, for those who cannot see it. Texts have the font of the page.

    Raises ValueError for a prefix that is no name.
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", prefix, re.ASCII):
        raise ValueError(f"inlined: a prefix of ids is made of letters, digits, - and _, not {prefix!r}")
    root = ElementTree.fromstring(document)
    for element in root.iter():
        element.tag = _local(element.tag)
    _remove(root)
    for element in root.iter():
        _simplify(element, variables)
    _rename(root, prefix)
    _merge(root)
    _gather(root)
    root.attrib = {"class": "drawing", "viewBox": root.get("viewBox", ""), "stroke-linejoin": "round"}
    root.attrib |= {"role": "img", "aria-label": alt} if alt else {}
    return "".join(_written(root))


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _remove(parent: Element) -> None:
    """Whatever says nothing about the picture."""
    for child in list(parent):
        _remove(child)
        empty = (child.tag == "path" and not child.get("d")) or (child.tag in ("defs", "g") and not len(child))
        if child.tag in ("metadata", "style") or empty:
            parent.remove(child)


def _simplify(element: Element, variables: Mapping[str, str]) -> None:
    """Styles as attributes, without those that hold anyway, short numbers, colours as variables."""
    given = {_local(name): value for name, value in element.attrib.items()}
    for part in filter(None, given.pop("style", "").split(";")):
        name, _, value = part.partition(":")
        given[name.strip()] = value.strip()
    given.pop("font-family", None)
    for name, value in given.items():
        given[name] = _value(name, value, variables)
    element.attrib = {name: value for name, value in given.items() if value and DEFAULTS.get(name) != value}
    if element.tag != "text" and not (element.text or "").strip():
        element.text = None
    element.tail = None


def _value(name: str, value: str, variables: Mapping[str, str]) -> str:
    if name == "d":
        return _path(value)
    if name in NUMBERS:
        return re.sub(r"-?\d+\.\d+", lambda number: _short(number[0]), value.removesuffix("px")).replace(", ", ",")
    if name == "transform" and (turn := re.fullmatch(r"rotate\((\S+) (\S+) (\S+)\)", value)):
        degrees, x, y = map(_short, turn.groups())
        return f"rotate({degrees} {x} {y})" if degrees != "0" else ""
    if name in ("fill", "stroke") and value in variables:
        return f"var({variables[value]},{value})"
    return value


def _short(number: str) -> str:
    """With two decimals at most: a fiftieth of a pixel."""
    text = f"{float(number):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _path(commands: str) -> str:
    """A path of absolute commands, a letter only where it changes."""
    written, implied = "", ""
    for letter, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", commands):
        own = " ".join(map(_short, numbers.split()))
        written += f" {own}" if letter == implied else f"{letter}{own}"
        implied = {"M": "L"}.get(letter, letter)
    return written.replace(" -", "-")


def _rename(root: Element, prefix: str) -> None:
    """Ids that are referred to, in the order in which they stand, and no others."""
    used = {_target(name, value) for element in root.iter() for name, value in element.attrib.items()}
    every = (element.get("id", "") for element in root.iter())
    names = {name: f"{prefix}-{count}" for count, name in enumerate(name for name in every if name and name in used)}
    for element in root.iter():
        own = element.attrib.pop("id", "")
        if own in names:
            element.set("id", names[own])
        for name, value in element.attrib.items():
            target = _target(name, value)
            if target is not None:
                element.set(name, value.replace(f"#{target}", f"#{names[target]}"))


def _target(name: str, value: str) -> str | None:
    """The id that an attribute refers to, if it does."""
    if name == "href" and value.startswith("#"):
        return value[1:]
    reference = REFERENCE.search(value) if name in ("clip-path", "fill", "stroke", "mask") else None
    return reference[0] if reference else None


def _merge(parent: Element) -> None:
    """Neighbours of one recipe are made one group."""
    parts: list[Element] = []
    for child in parent:
        _merge(child)
        if "data-recipe" in child.attrib and parts and parts[-1].attrib == child.attrib:
            parts[-1].extend(child)
        else:
            parts.append(child)
    parent[:] = parts


def _gather(parent: Element) -> None:
    """Groups without attributes are dissolved, and what all children of a group share stands on the group."""
    for child in parent:
        _gather(child)
    if parent.tag not in ("g", "svg"):
        return
    flat = (part for child in parent for part in (child if child.tag == "g" and not child.attrib else (child,)))
    parent[:] = list(flat)
    drawn = [child for child in parent if child.tag not in ("defs", "clipPath")]
    for name in INHERITED if len(drawn) > 1 and parent.tag == "g" else ():
        value = drawn[0].get(name)
        if value is not None and name not in parent.attrib and all(child.get(name) == value for child in drawn):
            parent.set(name, value)
            for child in drawn:
                del child.attrib[name]


def _written(element: Element) -> Iterator[str]:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in element.attrib.items())
    yield f"<{element.tag}{attributes}"
    if element.text or len(element):
        yield f">{escape(element.text or '')}"
        for child in element:
            yield from _written(child)
        yield f"</{element.tag}>"
    else:
        yield "/>"
