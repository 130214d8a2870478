"""What is cached: to list it, and to remove it. Knows folders, and nothing of pixels.

Removing is safe while runs read: what they have open stays theirs until they end. A cache that is being built is left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from ablation.core.errors import InputError, Problem, did_you_mean
from ablation.data.cache import lock_of, remove_leftovers, unfinished_of

_REMEMBERED = "traits"
_CACHE = re.compile(r"[0-9a-f]{16}-[0-9]+")
_MEMORY = re.compile(r"[0-9a-f]{32}(-[0-9]+)?\.npz")
"""What our own folders, and the files in `traits`, are called: nothing else is ever removed."""


@dataclass(frozen=True)
class Cached:
    """One cache on disk. name: the digest of its data, and the side of its squares."""

    name: str
    images: int
    size: int
    bytes: int
    made: str
    """Day and minute, of this machine's clock."""
    source: str
    """As it was when the cache was built."""


def cached(root: Path) -> tuple[Cached, ...]:
    """Every cache under `root`, the newest first."""
    found = [path for path in root.glob("*-*/meta.json") if _CACHE.fullmatch(path.parent.name)]
    folders = sorted(found, key=lambda path: (-path.stat().st_mtime, path.parent.name))
    return tuple(told for path in folders for told in [_read(path)] if told is not None)


def _read(path: Path) -> Cached | None:
    """None for a folder that is no cache of ours."""
    try:
        meta = json.loads(path.read_text("utf-8"))
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
        held = sum(file.stat().st_size for file in path.parent.iterdir())
        return Cached(path.parent.name, len(meta["names"]), meta["size"], held, made, meta.get("source", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(root: Path, names: Sequence[str], every: bool = False) -> tuple[str, ...]:
    """Remove the caches of these names (the first letters will do), or every one and all that is remembered of files.

    Returns what was removed. Raises InputError, and removes nothing, for a name that fits none or several; and for a
    cache that is being built, after the others are gone.
    """
    there = [entry.name for entry in cached(root)]
    chosen = there if every else list(dict.fromkeys(_chosen(names, there)))
    busy = [Problem(f"{name} is being built; it was left") for name in chosen if not _remove(root / name)]
    if busy:
        raise InputError(busy)
    if every and root.is_dir():
        remove_leftovers(root)
        memories = [path for path in (root / _REMEMBERED).glob("*.npz") if _MEMORY.fullmatch(path.name)]
        for path in memories:
            path.unlink()
        if memories:
            chosen.append(f"{_REMEMBERED} (what was remembered of files)")
    return tuple(chosen)


def _chosen(names: Sequence[str], there: Sequence[str]) -> list[str]:
    fitting = {name: [other for other in there if other.startswith(name)] for name in names}
    problems = []
    for name, found in fitting.items():
        if not found or not name:
            known = ", ".join(there) or "nothing is cached"
            problems.append(Problem(f"no cache is called {name!r}{did_you_mean(name, there)} ({known})"))
        elif len(found) > 1 and name not in found:
            problems.append(Problem(f"{name!r} fits several caches: {', '.join(found)}"))
    if problems:
        raise InputError(problems)
    return [name if name in found else found[0] for name, found in fitting.items()]


def _remove(folder: Path) -> bool:
    """Take the folder out of the way whole, then empty it; False if somebody builds it."""
    try:
        with lock_of(folder).acquire(blocking=False):
            gone = unfinished_of(folder)
            shutil.rmtree(gone, ignore_errors=True)
            os.rename(folder, gone)
            shutil.rmtree(gone)
            return True
    except Timeout:
        return False
