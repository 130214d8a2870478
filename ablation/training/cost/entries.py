"""A JSON file of named entries in the cache folder: losing it, or one of them, costs no more than making them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ablation.core.errors import attempt
from ablation.core.files import write_json

T = TypeVar("T")


def read_entries(path: Path, parse: Callable[[Any], T]) -> dict[str, T]:
    """Name -> what `parse` makes of the entry; without those at which it raises anything, as damaged ones do."""

    def parsed(name: str, form: Any) -> T | None:
        return attempt(name, lambda: parse(form), None, lambda problem: None)

    entries = {name: parsed(name, form) for name, form in _read(path).items()}
    return {name: entry for name, entry in entries.items() if entry is not None}


def write_entry(path: Path, name: str, form: Any) -> None:
    """Put the entry beside the others that are there now, replacing one of that name. Raises OSError."""
    write_json(path, {**_read(path), name: form})


def _read(path: Path) -> dict[str, Any]:
    """{} for a file that is not there, or is damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # the last for brackets within brackets without end
        return {}
    return content if isinstance(content, dict) else {}
