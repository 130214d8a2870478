"""Photographs that lie in folders: a folder for each class, or the same in each of the folders train, val and test.

Names and labels only; no file is opened here. Knows nothing of pixels. All mistakes in a folder are collected before
any is reported. Lists and tables are read by `ablation.data.lists`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
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

ALLOW_OUTSIDE = "outside=True allows it"
"""The end of what is said of a path out of the data, as an experiment's author spells it."""

_PROGRAMS = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "#recycle", "$recycle.bin")
"""Files and folders, in small letters, that Windows, macOS and network drives put beside photographs."""

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


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder is hidden, or one that a program put there (`Thumbs.db`, `__MACOSX`)."""
    return name.startswith(".") or name.lower() in _PROGRAMS


def passed_over(given: str) -> dict[str, int]:
    """Return how often each name occurs that is passed over in a folder and below it; links are not followed."""
    names: Counter[str] = Counter()
    for _, folders, files in os.walk(Path(os.path.expanduser(given))):
        names.update(printable(name) for name in (*folders, *files) if is_passed_over(name))
        folders[:] = [name for name in folders if not is_passed_over(name)]
    return dict(names.most_common())


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in this one, sorted, but those passed over. Raises DataError if it is unreadable."""
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if not is_passed_over(name)]
    except OSError as error:
        raise DataError(_unreadable(folder, error)) from None


def _unreadable(folder: Path | str, error: OSError) -> Problem:
    return Problem(f"the folder cannot be read: {error.strerror}", printable(str(folder)))


# --- links


class Bounds:
    """The folder that data lies in, however it is reached; `escaping` says whether a link leads out of it."""

    def __init__(self, folder: Path):
        self.root = os.path.realpath(folder)
        self._real = lru_cache(maxsize=None)(os.path.realpath)  # of folders, few of which hold many files

    def holds(self, real: str) -> bool:
        """Return whether a path without links lies in the folder, or is the folder."""
        return real == self.root or real.startswith(f"{self.root.rstrip(os.sep)}{os.sep}")

    def escaping(self, path: str) -> str:
        """Return where a file is, if a link to it or to a folder above it leads out; else ''. A dangling link is not
        one: what it leads to cannot be read."""
        folder, name = os.path.split(path)
        real = os.path.join(self._real(folder), name)
        if os.path.islink(path):
            real = os.path.realpath(path)
        return "" if self.holds(real) or not os.path.exists(real) else real


def leads_out(real: str, of: str) -> str:
    """Return what is said of a link out of the data. real: where it leads. of: what it leads out of."""
    return f"a link that leads out of {of} (to {printable(real)}); {ALLOW_OUTSIDE}"


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


def read_folder(given: str, outside: bool = False) -> Samples:
    """Return every file below the folders of classes in this one, or in each of its parts; classes are sorted by name.

    Hidden files and those of programs are passed over. Raises DataError for a class without a file, for images that
    lie outside the class folders, for a class that not every part has, and, unless `outside`, for links that lead out
    of the folder.
    """
    root = existing(given, "folder")
    bounds = None if outside else Bounds(root)
    parts = part_folders(root) or {"": root}
    _refuse_linked(parts.values(), bounds)
    _refuse_unknown_parts(parts.get("", None))
    folders = [(part, folder) for part, around in parts.items() for folder in visible_folders(around)]
    if not folders:
        where = printable(str(root))
        raise DataError(f"{given!r} has no class folders ({where}); it needs a folder of images for each class")
    problems = _stray({root, *parts.values()})
    folders_of: dict[str, dict[str, str]] = {}
    for part, folder in sorted(folders, key=lambda item: item[1].name):
        folders_of.setdefault(folder.name, {})[part] = printable(str(folder))
    problems += uneven_classes(folders_of) if len(parts) > 1 else []
    labels = {name: label for label, name in enumerate(folders_of)}
    samples = []
    for part, folder in folders:
        paths, wrong = _files_below(folder, [root, *parts.values(), *(other for _, other in folders)], bounds)
        problems += wrong
        samples += [_sample(root, path, labels[folder.name], part) for path in paths]
    if problems:
        raise DataError(capped(problems))
    return Samples(tuple(map(printable, labels)), samples)


def _refuse_linked(folders: Iterable[Path], bounds: Bounds | None) -> None:
    """Refuse folders of parts that are links out of the data: once, not again for each class in them."""
    where = {folder: os.path.realpath(folder) for folder in folders}
    out = {folder: real for folder, real in where.items() if bounds and not bounds.holds(real)}
    if out:
        raise DataError(Problem(leads_out(real, "the data"), printable(str(folder))) for folder, real in out.items())


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


def _stray(folders: Iterable[Path]) -> list[Problem]:
    """Return a problem for each image that lies where class folders are expected."""
    stray = [entry for folder in sorted(folders) for entry in _entries(folder) if _is_image(entry)]
    return [Problem("an image outside the class folders", printable(str(entry))) for entry in stray]


def _is_image(entry: Path) -> bool:
    return entry.is_file() and entry.suffix.lower() in _IMAGE_SUFFIXES


def _files_below(folder: Path, others: Iterable[Path], bounds: Bounds | None) -> tuple[list[Path], list[Problem]]:
    """Return every file below a class folder, sorted, and what is wrong. others: folders not to be entered from it."""
    wrong: list[Problem] = []
    elsewhere = {os.path.realpath(other) for other in others} - {os.path.realpath(folder)}
    paths = sorted(_walk(folder, elsewhere, bounds, wrong))
    if not paths and not wrong:
        wrong.append(Problem("the class folder is empty; add images or remove it", printable(str(folder))))
    return paths, wrong


def _walk(folder: Path, elsewhere: set[str], bounds: Bounds | None, wrong: list[Problem]) -> Iterator[Path]:
    """Yield every file below, through links too, but those to a folder around, one of `elsewhere`, or one entered.

    wrong: gets a problem for each folder that cannot be read, and for each link that leads out of the bounds.
    """
    entered = {str(parent) for parent in Path(os.path.realpath(folder)).parents} | elsewhere
    ahead = [str(folder)]
    while ahead:
        parent = ahead.pop()
        real = os.path.realpath(parent)
        if real in entered:
            continue
        entered.add(real)
        if bounds and not bounds.holds(real):
            wrong.append(Problem(leads_out(real, "the data"), printable(parent)))
            continue
        try:
            with os.scandir(parent) as scanned:
                entries = sorted((one for one in scanned if not is_passed_over(one.name)), key=lambda one: one.name)
        except OSError as error:
            wrong.append(_unreadable(parent, error))
            continue
        folders = {one.path for one in entries if _is_folder(one)}
        ahead += sorted(folders, reverse=True)
        for one in (one for one in entries if one.path not in folders):
            if bounds and one.is_symlink() and (target := bounds.escaping(one.path)):
                wrong.append(Problem(leads_out(target, "the data"), printable(one.path)))
            else:
                yield Path(one.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle: reading it says so
        return False
