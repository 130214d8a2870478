"""The source that somebody means who names data on the command line: a folder, a list, a table, or a known data set.

Looks at names, and at the first lines of lists that lie in a folder. Knows nothing of experiments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation.core.errors import DataError, InputError, did_you_mean
from ablation.data.files import part_folders, printable, siblings_of, visible_folders
from ablation.data.published import has_parts, torchvision_names
from ablation.data.sources import CsvFile, Digits, ImageFolder, ListFile, Source, TorchvisionData
from ablation.data.tables import table_delimiter

_TABLES = (".csv", ".tsv")
_LISTS = (".txt", ".lst", ".list")
_REFUSED = {
    **dict.fromkeys((".py",), "an experiment file or a program, not data"),
    **dict.fromkeys(
        (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "an archive; give the unpacked folder"
    ),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "a spreadsheet; save it as CSV"),
    **dict.fromkeys(
        (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"), "one image; give the folder of the classes"
    ),
}
_LOOKED_AT = 1 << 16  # bytes of a file that may be a list
_WHAT = (
    "a folder with a folder of images for each class, a list (.txt) or a table (.csv, .tsv) of images, 'digits', or a "
    "data set of torchvision such as 'CIFAR10'"
)


def source_at(
    given: str,
    classes: str | None = None,
    root: str = "data",
    also: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Source:
    """Return what `given` names: an existing folder or file, "digits", or a data set of torchvision, in this order.

    classes: the file with the names of a list's classes, by default the classes.txt beside it. root: the folder that
    torchvision keeps its data in. also: other names that may have been meant. columns: what the columns of a table
    are called (`path`, `label`, ...); a list with such columns is a table. Raises InputError if nothing fits, or if a
    file in a folder is meant.
    """
    path = Path(os.path.expanduser(given))
    is_file = os.path.isfile(path)
    named: dict[str, Any] = {f"{column}_column": name for column, name in (columns or {}).items()}
    if is_file and classes is None and (path.suffix.lower() in _TABLES or named or _is_table(path)):
        _refuse(given, path)
        return CsvFile(given, **named)
    if named:
        raise InputError(f"{given!r} is no table, so it has no columns")
    if is_file and path.suffix.lower() not in _TABLES:
        return _list(given, path, classes)
    source = _without_classes(given, path, root, also)
    if classes is not None:
        raise InputError(f"{classes!r} names the classes of a list, and {given!r} is no list")
    return source


def _without_classes(given: str, path: Path, root: str, also: Sequence[str]) -> Source:
    if given and os.path.isdir(path):
        return _folder(given, path)
    if os.path.isfile(path):
        return CsvFile(given)
    if given == "digits":
        return Digits()
    if given in torchvision_names():
        return TorchvisionData(given, root, "all" if has_parts(given, root) else None)
    near = did_you_mean(path.name, [*siblings_of(path.absolute()), *torchvision_names(), "digits", *also])
    if "\\" in given:
        slashed = given.replace("\\", "/")
        near = (
            f"; did you mean {slashed!r}?" if os.path.exists(slashed) else "; folders are parted by / here, not by \\"
        )
    where = printable(str(path.absolute()))
    raise InputError(f"{given!r} is no folder or file ({where}), and no data set that is known; give {_WHAT}{near}")


def _refuse(given: str, path: Path) -> None:
    if path.suffix.lower() in _REFUSED:
        raise InputError(f"{given!r} is {_REFUSED[path.suffix.lower()]}")


def _is_table(path: Path) -> bool:
    """Return whether a file begins with a header that names path and label, whatever its ending."""
    return table_delimiter(_beginning(path)) is not None


def _beginning(path: Path) -> str:
    """Return the first characters of a text file; '' where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def _list(given: str, path: Path, classes: str | None) -> ListFile:
    _refuse(given, path)
    beside = os.path.join(os.path.dirname(given), "classes.txt")
    if classes is None and path.name != "classes.txt" and Path(os.path.expanduser(beside)).is_file():
        classes = beside
    return ListFile(given, classes)


# --- folders


def _folder(given: str, path: Path) -> ImageFolder:
    """Return the folder as a source. Raises InputError where a list in it, or the one folder in it, is meant."""
    inner = visible_folders(path)
    if not _holds_classes(path):
        lists = [repr(os.path.join(given, name)) for name in sorted(os.listdir(path)) if _names_images(path / name)]
        if lists:
            one = "the list in it" if len(lists) == 1 else "one of the lists in it"
            raise InputError(f"{given!r} has no folder for each class; give {one}: {', '.join(lists)}")
        if len(inner) == 1 and _holds_classes(inner[0]):
            raise InputError(f"{given!r} has no folder for each class; give {os.path.join(given, inner[0].name)!r}")
    return ImageFolder(given)


def _holds_classes(path: Path) -> bool:
    """Return whether there are two class folders or more, in the folder or in its parts."""
    try:
        parts = part_folders(path)
        return len(visible_folders(parts.get("train", path))) > 1
    except DataError:
        return False


def _names_images(entry: Path) -> bool:
    """Return whether a file is a table with the columns path and label, or a list that begins with an existing file."""
    if entry.suffix.lower() not in (*_TABLES, *_LISTS):
        return False
    text = _beginning(entry)
    if entry.suffix.lower() in _TABLES:
        return table_delimiter(text) is not None
    first = re.match(r"\s*(\S.*?)\s+[0-9]+\s*$", text, re.MULTILINE)
    return first is not None and os.path.isfile(entry.parent / first[1])
