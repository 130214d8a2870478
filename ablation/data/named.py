"""Files that a list or a table names: its text, its lines, and whether each file is there. No image is opened here."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ablation.core.errors import DataError, Problem
from ablation.data.files import ALLOW_OUTSIDE, Bounds, leads_out, printable

_FOLDER = "the list's folder"
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""How an absolute path of Windows begins."""


def text_of(path: Path, given: str) -> str:
    """Return a text file's content, its line ends as they are; a byte order mark is passed over."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(Problem(f"not UTF-8 text (byte {error.start}); save it as UTF-8", printable(given))) from None
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", printable(given))) from None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, whichever way they end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def at(given: str, number: int, message: str) -> Problem:
    """Return what is wrong on one line of the file `given`."""
    return Problem(message, f"{printable(given)}:{number}")


def normal(written: str) -> str:
    """Return a path as it is compared and shown: with '/', and without '.' and needless '..'."""
    return os.path.normpath(written).replace(os.sep, "/")


class NamedFiles:
    """The files that one list names: each is held against the folder, and against the lines before.

    A name whose accents are composed otherwise (NFC, NFD) than on the disk is that of the file there, if there is one
    such file: the two look alike, and macOS takes them for one.
    """

    def __init__(self, folder: Path, outside: bool):
        self.folder, self.outside, self.bounds = folder, outside, Bounds(folder)
        self.first: dict[str, tuple[int, Mapping[str, str]]] = {}  # of each file: its first line, and what that says
        self.composed: dict[str, str] = {}  # of names that are composed otherwise: the path on the disk
        self._by_form = cache(_by_form)

    def wrong(self, number: int, name: str, row: Mapping[str, str]) -> list[str]:
        """Note the file `name` of a line; return what is wrong with it. row: its label, and maybe its split."""
        path = str(self.folder / name)
        if not self.outside and os.path.isabs(name):
            return [f"{name!r} is an absolute path, not one relative to the list's folder; {ALLOW_OUTSIDE}"]
        if not self.outside and name.split("/")[0] == "..":
            return [f"{name!r} points outside the list's folder; {ALLOW_OUTSIDE}"]
        forms = [] if name.isascii() or os.path.isfile(path) else self._composed_otherwise(path)
        if len(forms) == 1:
            path = self.composed[name] = forms[0]
        before, other = self.first.setdefault(os.path.normpath(path), (number, row))
        if before != number:
            keys = [key for key in row if row[key] != other[key]]
            differ = [f", with {key} {row[key]} here and {key} {other[key]} there" for key in keys]
            return [f"{name!r} is listed on line {before} already{''.join(differ)}"]
        if not os.path.isfile(path):
            hint = self._hint(name, len(forms))
            return [f"there is no image {name!r} in {printable(str(self.folder))}{hint}"]
        real = "" if self.outside else self.bounds.escaping(path)
        return [f"{name!r} is {leads_out(real, _FOLDER)}"] if real else []

    def path(self, name: str) -> Path:
        """Return where the file of a name is that nothing is wrong with."""
        return Path(self.composed[name]) if name in self.composed else self.folder / name

    def _composed_otherwise(self, path: str) -> list[str]:
        """Return the files whose paths are this one but for the composition of characters."""
        found = [os.sep]
        for part in Path(path).parts[1:]:
            found = [os.path.join(folder, name) for folder in found for name in self._alike(folder, part)]
        return [other for other in found if os.path.isfile(other)]

    def _alike(self, folder: str, name: str) -> list[str]:
        if os.path.lexists(os.path.join(folder, name)):
            return [name]
        return self._by_form(folder).get(_composed(name), [])

    def _hint(self, name: str, forms: int) -> str:
        """Return the end of what is said of a file that is not there. forms: files whose names look the same."""
        if forms > 1:
            return f"; {forms} files there look so, with accents composed otherwise (NFC, NFD): rename all but one"
        if _WINDOWS.match(name):
            return "; that is an absolute path of Windows: write paths relative to the list's folder, with /"
        slashed, bare = normal(name.replace("\\", "/")), name.strip("'\"")
        if "\\" in name and os.path.isfile(self.folder / slashed):
            return f"; there is {slashed!r}: write / instead of \\"
        if "\\" in name:
            return "; it is written with \\, as on Windows: / is what parts folders here"
        return f"; there is {bare!r}, without quotes" if bare != name and os.path.isfile(self.folder / bare) else ""


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _by_form(folder: str) -> dict[str, list[str]]:
    """Return the names in a folder by their composed form."""
    names: dict[str, list[str]] = {}
    try:
        for name in sorted(os.listdir(folder)):
            names.setdefault(_composed(name), []).append(name)
    except OSError:
        pass
    return names
