"""Fonts that tests make themselves: every character is a black square."""

from collections.abc import Iterable
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont


def made_font(path: Path, characters: Iterable[str], family: str = "Made Up", colour: bool = False) -> Path:
    """Write a font that has these characters, and a space. colour: as pictures in colour."""
    build(characters, family, colour).save(path)
    return path


def made_collection(path: Path, fonts: dict[str, str]) -> Path:
    """Write a file of several fonts: family -> its characters."""
    collection = TTCollection()
    collection.fonts = [build(characters, family) for family, characters in fonts.items()]
    collection.save(path)
    return path


def build(characters: Iterable[str], family: str, colour: bool = False) -> TTFont:
    cmap = {ord(character): f"u{ord(character):05X}" for character in sorted({*characters, " "})}
    names = [".notdef", *cmap.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(cmap)
    builder.setupGlyf({name: square(empty=name == "u00020") for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "fullName": family, "psName": family})
    builder.setupOS2(sTypoAscender=900, sTypoDescender=-100, usWinAscent=900, usWinDescent=100, usWeightClass=400)
    builder.setupPost()
    if colour:
        builder.setupCOLR({names[-1]: [(names[-1], 0)]})
        builder.setupCPAL([[(1.0, 0.0, 0.0, 1.0)]])
    return builder.font


def square(empty: bool = False) -> object:
    pen = TTGlyphPen(None)
    if not empty:
        pen.moveTo((100, 0))
        for corner in ((100, 800), (900, 800), (900, 0)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()
