"""Which fonts show the characters of a report: those that come with matplotlib, and as few others as it needs.

A character that no font has is noticed here, before anything is set, so that no box stands for a letter. Fonts come
from the user first, then from the system. matplotlib is imported when it is asked for fonts.
"""

from __future__ import annotations

import logging
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ablation.core.errors import InputError
from ablation.core.text import counted

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

DEFAULT = "DejaVu Sans"
"""The family of figures, which matplotlib brings."""

INVISIBLE = ("Cc", "Cf", "Zl", "Zp")
"""Categories of Unicode that need no glyph: joiners, marks of direction, ends of lines."""

MOST_LISTED = 8

FC_LIST = 30.0
"""Seconds for each call of `fc-list`, which takes a tenth: with a home folder on a disk that is away it never ends."""

PACKAGES = {
    **dict.fromkeys(
        ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH"), "fonts-noto-cjk"
    ),
    "": "fonts-symbola",
}
"""First word of a character's Unicode name -> the Debian package with a font; '' for what is no letter."""


def _is_of_no_home(record: logging.LogRecord) -> bool:
    """Whether it is not matplotlib's word on a home that may not be written, which it says in each process."""
    return not record.getMessage().startswith(("mkdir -p failed", "Matplotlib created a temporary cache directory"))


logging.getLogger("matplotlib").addFilter(_is_of_no_home)  # before anything here imports matplotlib


@dataclass(frozen=True)
class Face:
    """A font in a file. index: which one of a collection. family: its name. characters: those that it shows."""

    path: Path
    index: int
    family: str
    characters: frozenset[str]


@dataclass(frozen=True)
class Fonts:
    """What shows a report beside the fonts that come with matplotlib, in the order in which they are asked."""

    faces: tuple[Face, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """For figures: a character is taken from the first of these that has it."""
        return (DEFAULT, *(face.family for face in self.faces))


def fonts_for(texts: Iterable[str], given: Sequence[Path] = (), system: bool = True) -> Fonts:
    """Choose the fonts that show all characters of the texts, and make them known to matplotlib.

    given: files of fonts, which come before those of the system. system: are those asked at all?

    Raises InputError for a file that is no font, and for characters that no font has, with what to install.
    """
    wanted = {character for text in texts for character in text if _needs_glyph(character)} - default_characters()
    own = [face for path in given for face in faces_of(path, strict=True)]
    chosen = _fewest(wanted, own)
    wanted -= _shown(chosen)
    if wanted and system:
        others = _fewest(wanted, [face for path in _system_files() for face in faces_of(path) if _is_upright(face)])
        wanted -= _shown(others)
        chosen += others
    if wanted:
        raise InputError(_missing(wanted))
    register(chosen)
    return Fonts(tuple(chosen))


def texts_of(item: Any) -> Iterator[str]:
    """Every text within a value, however deep; functions have none."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, Mapping):
        yield from texts_of(list(item))
        yield from texts_of(list(item.values()))
    elif isinstance(item, list | tuple | set | frozenset):
        for inner in item:
            yield from texts_of(inner)
    elif is_dataclass(item) and not isinstance(item, type):
        for field in fields(item):
            yield from texts_of(getattr(item, field.name))


@cache
def default_characters() -> frozenset[str]:
    """What the fonts that come with matplotlib show, upright and bold."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    regular, bold = (faces_of(folder / f"DejaVuSans{weight}.ttf", strict=True)[0] for weight in ("", "-Bold"))
    return regular.characters & bold.characters


@cache
def faces_of(path: Path, strict: bool = False) -> tuple[Face, ...]:
    """The fonts in a file, none where it cannot be read; those that only have pictures in colour are left out.

    strict: raises InputError for a file that cannot be read, or that has no font of outlines.
    """
    from fontTools.ttLib import TTLibError

    try:
        with _opened(path) as fonts:
            faces = tuple(filter(None, (_face(path, index, font) for index, font in enumerate(fonts))))
    except (OSError, TTLibError, ValueError, LookupError, AssertionError) as error:
        if strict:
            raise InputError(f"--font {path}: this is no font that can be read ({error})") from None
        return ()
    if strict and not faces:
        raise InputError(f"--font {path}: this font has pictures in colour and no outlines; figures need these")
    return faces


@contextmanager
def _opened(path: Path) -> Iterator[Sequence[TTFont]]:
    """The fonts in a file: one, or those of a collection."""
    from fontTools.ttLib import TTCollection, TTFont

    with path.open("rb") as file:
        collected = file.read(4) == b"ttcf"
        file.seek(0)
        if collected:
            with TTCollection(file, lazy=True) as collection:
                yield collection.fonts
        else:
            with TTFont(file, lazy=True) as font:
                yield [font]


def _face(path: Path, index: int, font: TTFont) -> Face | None:
    """None for a font without outlines, one of pictures in colour, and the boxes of a font of last resort."""
    family = font["name"].getDebugName(1)
    outlines = {"glyf", "CFF ", "CFF2"} & set(font.keys())
    pictures = {"CBDT", "COLR", "sbix", "SVG "} & set(font.keys())
    characters = font.getBestCmap()
    if not family or not outlines or pictures or not characters or "LastResort" in path.name:
        return None
    return Face(path, index, family, frozenset(map(chr, characters)))


def _is_upright(face: Face) -> bool:
    """Of regular weight and upright, by its name; others of its family may have fewer characters."""
    style = face.path.stem.lower()
    return not any(word in style for word in ("bold", "italic", "oblique", "light", "thin", "black", "medium", "heavy"))


@cache
def font_manager() -> ModuleType:
    """matplotlib's module of fonts, which must be imported here before anything that draws.

    With its first import on a machine it asks the system for its fonts, and would wait for the answer without a limit.
    """
    with _limited():
        return import_module("matplotlib.font_manager")


@contextmanager
def _limited() -> Iterator[None]:
    """Within the block `fc-list` that takes too long counts as not there: matplotlib searches the usual folders then.

    It calls `subprocess.check_output`, and offers nothing to set.
    """
    unlimited = subprocess.check_output

    def limited(*arguments: Any, **options: Any) -> Any:
        try:
            return unlimited(*arguments, **{"timeout": FC_LIST, **options})
        except subprocess.TimeoutExpired as error:
            raise OSError(str(error)) from error

    subprocess.check_output = limited
    try:
        yield
    finally:
        subprocess.check_output = unlimited


@cache
def _system_files() -> tuple[Path, ...]:
    manager = font_manager()
    with _limited():
        names = manager.findSystemFonts()
    return tuple(sorted(set(map(Path, names)), key=lambda path: (path.name, str(path))))


def _needs_glyph(character: str) -> bool:
    """Not what shows as nothing, such as a selector of variants."""
    return unicodedata.category(character) not in INVISIBLE and not (
        "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    )


def _shown(faces: Iterable[Face]) -> set[str]:
    return {character for face in faces for character in face.characters}


def _fewest(wanted: set[str], faces: Sequence[Face]) -> list[Face]:
    """The font that shows most of them, then that which shows most of the rest, and so on; the first of equals."""
    region, left, chosen = _region(wanted), set(wanted), []
    ranked = sorted(faces, key=lambda face: (region not in face.family.split(), "Mono" in face.family))
    while left:
        best = max(ranked, key=lambda face: len(left & face.characters), default=None)
        if best is None or not left & best.characters:
            break
        chosen.append(best)
        left -= best.characters
    return chosen


def _region(characters: Iterable[str]) -> str:
    """Whose forms of Chinese characters: 'JP' or 'KR' beside letters of these languages, else 'SC'."""
    kinds = {_first_word(character) for character in characters}
    return "JP" if kinds & {"HIRAGANA", "KATAKANA"} else "KR" if "HANGUL" in kinds else "SC"


def register(faces: Iterable[Face]) -> None:
    """Make the files known to matplotlib, each once; whatever their weight, bold names have them too."""
    manager = font_manager().fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in dict.fromkeys(str(face.path) for face in faces):
        if path not in known:
            manager.addfont(path)
        own = [entry for entry in manager.ttflist if entry.fname == path]
        every = (replace(entry, weight=weight) for entry in own for weight in (400, 700))
        manager.ttflist += [entry for entry in dict.fromkeys(every) if entry not in own]


def _missing(characters: Iterable[str]) -> str:
    """What no font has, and what to do about it."""
    ranked = sorted(characters)
    listed = ", ".join(f"{character} ({_script(character)})" for character in ranked[:MOST_LISTED])
    more = f" and {counted(len(ranked) - MOST_LISTED, 'more', 'more')}" if len(ranked) > MOST_LISTED else ""
    packages = ", ".join(sorted({_package(character) for character in ranked}))
    return (
        f"no font here shows {counted(len(ranked), 'character')}: {listed}{more}; "
        f"install one (Debian: {packages}), or give its file with --font"
    )


def _script(character: str) -> str:
    """'CJK', 'Thai'; what is no letter by its name, 'nazar amulet', or by its number."""
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    if not unicodedata.category(character).startswith(("L", "M", "N")):
        return name.lower() if " " in name else name
    return first_word if (first_word := _first_word(character)) == "CJK" else first_word.capitalize()


def _first_word(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def _package(character: str) -> str:
    letter = unicodedata.category(character).startswith(("L", "M", "N", "P"))
    return PACKAGES.get(_first_word(character), "fonts-noto-core" if letter else PACKAGES[""])
