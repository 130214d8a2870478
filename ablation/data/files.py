"""Photographs that lie in folders: a folder for each class, or the same in each of the folders train, val and test.

Names and labels only; no file is opened here. Knows nothing of pixels. All mistakes in a folder are collected before
any is reported. Lists and tables are read by `ablation.data.lists`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, Problem, did_you_mean
from ablation.core.text import controls, listing

Origin = Path | Callable[[], NDArray[np.uint8]]
"""Where pixels come from: an absolute path, or a call that gives an (H, W, 3) array (and may take a while)."""

PARTS = ("train", "val", "test")
_CALLED = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
PART_OF = {f"{name}{end}": part for part, names in _CALLED.items() for name in names for end in ("", "_set", "-set")}
"""What people call the parts, in small letters."""

_SHOWN = 10
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")


class Sample(NamedTuple):
    """One photograph. Its content is that of its origin, and has a digest where one is known."""

    name: str
    """What people call it: a path with '/', of printable characters (see `printable`)."""
    label: int
    origin: Origin
    digest: str = ""
    part: str = ""
    """'train', 'val' or 'test' where the data says so, else ''."""
    group: str = ""
    """What belongs together (one animal, one patient) has the same; '' for none."""


class Samples(NamedTuple):
    """The class names by label, and the samples in any order."""

    classes: tuple[str, ...]
    samples: list[Sample]


def printable(name: str) -> str:
    r"""Return a file's name as text that can be shown: `\xff` for a byte that is no UTF-8, `\n` for a new line."""
    return name if name.isprintable() else "".join(map(_shown, name))


def _shown(character: str) -> str:
    """Return one character, with a backslash where it is half a character, moves the cursor, or breaks the line."""
    if "\udc80" <= character <= "\udcff":  # how Python holds a byte of a file's name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode() if controls(character) else character


def capped(problems: list[Problem]) -> list[Problem]:
    """Return the first ten problems, and how many more there are."""
    more = len(problems) - _SHOWN
    return problems[:_SHOWN] + ([Problem(f"... and {more} more")] if more > 0 else [])


def existing(given: str, kind: str) -> Path:
    """Return the absolute path of a 'file' or 'folder' as a person gave it. Raises DataError, with a suggestion."""
    path = Path(os.path.expanduser(given)).absolute()
    if os.path.isdir(path) if kind == "folder" else os.path.isfile(path):
        return path
    if os.path.exists(path):
        raise DataError(f"{given!r} is not a {kind} ({printable(str(path))})")
    near = did_you_mean(path.name, siblings_of(path))
    raise DataError(f"there is no {kind} {given!r} ({printable(str(path))}){near}")


def siblings_of(path: Path) -> list[str]:
    """Return the names in the folder around `path`; none where that cannot be read."""
    try:
        return os.listdir(path.parent)
    except OSError:
        return []


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in this one, sorted, but hidden ones. Raises DataError if it is unreadable."""
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except OSError as error:
        raise DataError(_unreadable(folder, error)) from None


def _unreadable(folder: Path | str, error: OSError) -> Problem:
    return Problem(f"the folder cannot be read: {error.strerror}", printable(str(folder)))


# --- parts


def part_folders(root: Path) -> dict[str, Path]:
    """Return the folders of the parts, by 'train', 'val' and 'test'; none if the folders here are classes.

    They are parts if there is one for training and another one. Raises DataError where the folders are partly parts,
    rather than take 'train' and 'test' for things that are shown in photographs.
    """
    folders = visible_folders(root)
    named = [folder for folder in folders if folder.name.lower() in PART_OF]
    others = [folder for folder in folders if folder.name.lower() not in PART_OF]
    folder_of: dict[str, Path] = {}
    for folder in named:
        folder_of.setdefault(PART_OF[folder.name.lower()], folder)
    flat = [folder for folder in named if not visible_folders(folder)]
    if "train" not in folder_of or len(folder_of) < 2 or (others and len(flat) == len(named)):
        return {}
    parts = listing([part for part in PARTS if part in folder_of])
    twice = [folder for folder in named if folder not in folder_of.values()]
    wrong = {folder: f"there is another folder for {PART_OF[folder.name.lower()]}; make them one" for folder in twice}
    wrong |= dict.fromkeys(flat, f"it has no class folders; {parts} must have the same classes")
    wrong |= dict.fromkeys(others, f"a folder that is no part, beside {parts}; put it elsewhere")
    if wrong:
        raise DataError(capped([Problem(reason, printable(str(folder))) for folder, reason in sorted(wrong.items())]))
    return {part: folder_of[part] for part in PARTS if part in folder_of}


def uneven_classes(where: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """Return a problem for each class that not every part has. where: class -> part -> the file or folder it is in."""
    parts = [part for part in PARTS if any(part in of_class for of_class in where.values())]
    return [
        Problem(
            f"class {name!r} is in {listing([part for part in parts if part in of_class])} only; "
            f"{listing(parts)} must have the same classes",
            next(iter(of_class.values())),
        )
        for name, of_class in where.items()
        if len(of_class) < len(parts)
    ]


# --- a folder for each class


def read_folder(given: str) -> Samples:
    """Return every file below the folders of classes in this one, or in each of its parts; classes are sorted by name.

    Hidden files are passed over. Raises DataError for a class without a file, for images that lie outside the class
    folders, and for a class that not every part has.
    """
    root = existing(given, "folder")
    parts = part_folders(root) or {"": root}
    _refuse_unknown_parts(parts.get("", None))
    folders = [(part, folder) for part, around in parts.items() for folder in visible_folders(around)]
    if not folders:
        where = printable(str(root))
        raise DataError(f"{given!r} has no class folders ({where}); it needs a folder of images for each class")
    problems = _outside({root, *parts.values()})
    folders_of: dict[str, dict[str, str]] = {}
    for part, folder in sorted(folders, key=lambda item: item[1].name):
        folders_of.setdefault(folder.name, {})[part] = printable(str(folder))
    problems += uneven_classes(folders_of) if len(parts) > 1 else []
    labels = {name: label for label, name in enumerate(folders_of)}
    samples = []
    for part, folder in folders:
        paths, wrong = _files_below(folder, [root, *parts.values(), *(other for _, other in folders)])
        problems += wrong
        samples += [_sample(root, path, labels[folder.name], part) for path in paths]
    if problems:
        raise DataError(capped(problems))
    return Samples(tuple(map(printable, labels)), samples)


def _refuse_unknown_parts(root: Path | None) -> None:
    """Refuse folders that all hold folders of the same names, and nothing else: parts, by names of their own."""
    try:
        inner = {folder: _entries(folder) for folder in visible_folders(root)} if root else {}
    except DataError:  # a folder that may not be read is reported with all others, when its files are read
        return
    names = {tuple(entry.name for entry in entries) for entries in inner.values()}
    alike = len(inner) > 1 and len(names) == 1 and len(next(iter(names))) > 1
    if alike and all(entry.is_dir() for entries in inner.values() for entry in entries):
        named = listing([folder.name for folder in inner])
        wrong = f"the folders {named} hold the same folders, so they seem to be parts; call them train, val and test"
        raise DataError(Problem(wrong, printable(str(root))))


def _sample(root: Path, path: Path, label: int, part: str) -> Sample:
    return Sample(printable(path.relative_to(root).as_posix()), label, path, part=part)


def _outside(folders: Iterable[Path]) -> list[Problem]:
    """Return a problem for each image that lies where class folders are expected."""
    stray = [entry for folder in sorted(folders) for entry in _entries(folder) if _is_image(entry)]
    return [Problem("an image outside the class folders", printable(str(entry))) for entry in stray]


def _is_image(entry: Path) -> bool:
    return entry.is_file() and entry.suffix.lower() in _IMAGE_SUFFIXES


def _files_below(folder: Path, others: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Return every file below a class folder, sorted, and what is wrong. others: folders not to be entered from it."""
    wrong: list[Problem] = []
    elsewhere = {os.path.realpath(other) for other in others} - {os.path.realpath(folder)}
    paths = sorted(_walk(folder, elsewhere, lambda error: wrong.append(_unreadable(error.filename, error))))
    if not paths and not wrong:
        wrong.append(Problem("the class folder is empty; add images or remove it", printable(str(folder))))
    return paths, wrong


def _walk(folder: Path, elsewhere: set[str], unread: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield every file below, through links too, but those to a folder around, one of `elsewhere`, or one entered."""
    around = {str(parent) for parent in Path(os.path.realpath(folder)).parents}
    entered = around | elsewhere
    for parent, folders, files in os.walk(folder, onerror=unread, followlinks=True):
        real = os.path.realpath(parent)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in files if not name.startswith("."))
