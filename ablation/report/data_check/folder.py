"""The folder that a check is written to: called as people call the data, and never that of other data."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablation.core.safe import file_name
from ablation.core.values import label
from ablation.data.files import printable
from ablation.data.sources import CsvFile, ImageFolder, ListFile, SkipBad, Source, Subset, TorchvisionData
from ablation.report.data_check.findings import name_of

RESULT = "check.json"


def place_of(source: Source) -> str:
    """16 hexadecimal digits that stand for where the data is, however that is spelled: the marker in check.json."""
    inner = _inner(source)
    where = label(inner)
    if isinstance(inner, ImageFolder | ListFile | CsvFile):
        where = os.path.realpath(os.path.expanduser(inner.path))
    elif isinstance(inner, TorchvisionData):
        where = f"{inner.name} in {os.path.realpath(inner.root)}"
    return hashlib.blake2b(os.fsencode(where), digest_size=8).hexdigest()


def folder_of(source: Source, root: Path, digest: str = "") -> Path:
    """Return the folder of a check under `root`: the first of its names that holds none, or one of the same data.

    digest: of the data; data that was moved, with the same content, is the same.
    """
    return next(folder for name in _names(source) if _is_own(folder := root / file_name(name), source, digest))


def _inner(source: Source) -> Source:
    return _inner(source.source) if isinstance(source, SkipBad | Subset) else source


def _names(source: Source) -> Iterator[str]:
    """Yield names, the shortest first: 'train', 'cats-train', 'data-cats-train', ..., 'train-2', 'train-3', ..."""
    name, inner = name_of(source), _inner(source)
    yield name
    if isinstance(inner, ImageFolder | ListFile | CsvFile):
        path = Path(os.path.abspath(os.path.expanduser(printable(inner.path))))
        parts = [*path.parts[1:-1], path.name if isinstance(inner, ImageFolder) else path.stem]
        yield from ("-".join(parts[-count:]) for count in range(2, min(len(parts), 6) + 1))
    yield from (f"{name}-{number}" for number in itertools.count(2))


def _is_own(folder: Path, source: Source, digest: str) -> bool:
    """Return whether a folder holds no check, or one of this data. Checks of before have no marker but the source."""
    try:
        content: Any = json.loads((folder / RESULT).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return not os.path.lexists(folder / "check.html")
    except (OSError, ValueError):
        return False
    if not isinstance(content, dict):
        return False
    if "place" not in content:
        return content.get("source") == label(source)
    return content["place"] == place_of(source) or (digest != "" and content.get("digest") == digest)
