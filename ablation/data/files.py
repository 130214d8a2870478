"""Photographs that lie in files: a folder for each class, or a list. Names and labels only; no file is opened here.

Knows nothing of pixels. Every mistake in a list or a folder is found before any is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.errors import DataError, Problem, did_you_mean

Origin = Path | Callable[[], NDArray[np.uint8]]
"""Where pixels come from: an absolute path, or a call that gives an (H, W, 3) array (and may take a while)."""

_SHOWN = 10
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")


class Sample(NamedTuple):
    """One photograph: what people call it (a path with '/'), its class, and its content, with the digest if known."""

    name: str
    label: int
    origin: Origin
    digest: str = ""


class Samples(NamedTuple):
    """The class names by label, and the samples in any order."""

    classes: tuple[str, ...]
    samples: list[Sample]


def capped(problems: list[Problem]) -> list[Problem]:
    """The first ten problems, and how many more there are."""
    more = len(problems) - _SHOWN
    return problems[:_SHOWN] + ([Problem(f"... and {more} more")] if more > 0 else [])


def existing(given: str, kind: str) -> Path:
    """The absolute path of a 'file' or 'folder' as a person gave it. Raises DataError, with a suggestion."""
    path = Path(given).expanduser().absolute()
    if path.is_dir() if kind == "folder" else path.is_file():
        return path
    if path.exists():
        raise DataError(f"{given!r} is not a {kind} ({path})")
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    raise DataError(f"there is no {kind} {given!r} ({path}){did_you_mean(path.name, siblings)}")


# --- a folder for each class


def read_folder(given: str) -> Samples:
    """Classes are the sorted names of the folders in this one; every file below one is a sample, hidden ones excepted.

    Raises DataError for a class without a file, and for images that lie outside the class folders.
    """
    root = existing(given, "folder")
    entries = [root / name for name in sorted(os.listdir(root)) if not name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    stray = [Problem("an image outside the class folders", str(entry)) for entry in entries if _is_image(entry)]
    if not folders:
        raise DataError(f"{given!r} has no class folders ({root}); it needs a folder of images for each class")
    samples, problems = [], stray
    for label, folder in enumerate(folders):
        paths = sorted(_walk(folder))
        if not paths:
            problems.append(Problem("the class folder is empty; add images or remove it", str(folder)))
        samples += [Sample(path.relative_to(root).as_posix(), label, path) for path in paths]
    if problems:
        raise DataError(capped(problems))
    return Samples(tuple(folder.name for folder in folders), samples)


def _is_image(entry: Path) -> bool:
    return entry.is_file() and entry.suffix.lower() in _IMAGE_SUFFIXES


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below, through links too; a folder reached a second time (a link that loops) is not entered again."""
    entered: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in files if not name.startswith("."))


# --- a list


def read_list(given: str, classes: str | None) -> Samples:
    """Lines `path<TAB>label`, paths relative to the list's folder; see `ablation.data.sources.ListFile`."""
    path = existing(given, "file")
    names = read_classes(classes) if classes is not None else None
    reading = _ListReading(path.parent, classes, names)
    for number, line in enumerate(_lines(path, given), 1):
        where = f"{given}:{number}"
        reading.problems += [Problem(message, where) for message in reading.take(number, line)]
    if reading.problems:
        raise DataError(capped(reading.problems))
    if not reading.samples:
        raise DataError(f"the list {given!r} names no image ({path})")
    return Samples(names or _numbered(given, reading.samples), reading.samples)


def _lines(path: Path, given: str) -> list[str]:
    """The lines of a text file; a byte order mark is passed over."""
    try:
        return path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(Problem(f"not UTF-8 text (byte {error.start})", given)) from None
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", given)) from None


def read_classes(given: str) -> tuple[str, ...]:
    """The class names of a file with one a line: its first line names label 0."""
    text = "\n".join(_lines(existing(given, "file"), given)).rstrip()
    names = [line.strip() for line in text.split("\n")] if text else []
    first: dict[str, int] = {}
    problems = [] if names else [Problem("names no class", given)]
    for number, name in enumerate(names, 1):
        if not name:
            problems.append(Problem("an empty line where the name of a class belongs", f"{given}:{number}"))
        elif name in first:
            problems.append(Problem(f"the class {name!r} is named on line {first[name]} too", f"{given}:{number}"))
        first.setdefault(name, number)
    if problems:
        raise DataError(capped(problems))
    return tuple(names)


def _numbered(given: str, samples: list[Sample]) -> tuple[str, ...]:
    """Class names '0', '1', ... where no file names them; then no label may be missing below the highest."""
    used = {sample.label for sample in samples}
    if max(used) + 1 > len(used):
        gap = next(label for label in range(len(used) + 1) if label not in used)
        raise DataError(Problem(f"labels go up to {max(used)}, but no image has label {gap}; use 0, 1, 2, ...", given))
    return tuple(str(label) for label in sorted(used))


class _ListReading:
    """The samples and the problems found so far in one list."""

    def __init__(self, folder: Path, classes: str | None, names: tuple[str, ...] | None):
        self.folder, self.classes, self.names = folder, classes, names
        self.samples: list[Sample] = []
        self.problems: list[Problem] = []
        self.lines: dict[str, tuple[int, int]] = {}  # of each path: its first line, and the label there

    def take(self, number: int, line: str) -> Iterator[str]:
        """Read one line; yield what is wrong with it."""
        name, _, written = line.rpartition("\t") if "\t" in line else _split_last(line)
        name, written = name.strip(), written.strip()
        if not name and not written:
            return
        if not name:
            yield f"expected 'path<TAB>label', got {line.strip()!r}"
        elif re.fullmatch("[0-9]{1,9}", written) is None:
            yield f"the label {written!r} is not a whole number from 0 on"
        else:
            yield from self._check_label(int(written))
            yield from self._add(number, os.path.normpath(name).replace(os.sep, "/"), int(written))

    def _check_label(self, label: int) -> Iterator[str]:
        if self.names is not None and label >= len(self.names):
            yield f"label {label} has no name: {self.classes} names the labels 0 to {len(self.names) - 1}"

    def _add(self, number: int, name: str, label: int) -> Iterator[str]:
        if Path(name).is_absolute() or name.split("/")[0] == "..":
            yield f"{name!r} points outside the list's folder; paths are relative to it"
        elif name in self.lines:
            before, other = self.lines[name]
            labels = "" if label == other else f", with label {label} here and label {other} there"
            yield f"{name!r} is listed on line {before} already{labels}"
        elif not (self.folder / name).is_file():
            yield f"there is no image {name!r} in {self.folder}"
        else:
            self.lines[name] = (number, label)
            self.samples.append(Sample(name, label, self.folder / name))


def _split_last(line: str) -> tuple[str, str, str]:
    """A line without a tab, parted at its last whitespace; no path where there is none."""
    parts = line.rsplit(None, 1)
    return (parts[0], " ", parts[1]) if len(parts) == 2 else ("", "", line)
