"""What `--cluster` may be: an address, the file of a scheduler that has one, or so many workers on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ablation.core.errors import InputError, TryAgainError

MOST_LOCAL = 256
"""Workers of a cluster on this machine: each is a process, and leads another one that imports torch."""

FORMS = (
    f"tcp://HOST:8786, the path of a scheduler file, or local:4 for one of 4 workers here (1 to {MOST_LOCAL} of them)"
)

_LOCAL = re.compile(r"local:([1-9][0-9]{0,2})")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:[0-9]+")


def scheduler_of(where: str) -> str | int:
    """The address of the scheduler, or how many workers a cluster on this machine is to have.

    Raises InputError for what is neither, nor a scheduler file, and TryAgainError where that is not there yet. Whether
    a scheduler answers there is not looked at.
    """
    if isinstance(where, str):
        if (local := _LOCAL.fullmatch(where)) and int(local[1]) <= MOST_LOCAL:
            return int(local[1])
        address = where if _ADDRESS.fullmatch(where) else _address_in(where)
        if _ADDRESS.fullmatch(address):
            return address
    raise InputError(f"cluster = {where!r} (--cluster): write {FORMS}")


def _address_in(path: str) -> str:
    """The address in a scheduler's file; '' where this is no such file."""
    if path.endswith(".json") and not Path(path).exists():
        start = f"start the scheduler with --scheduler-file {path}, and give the same command again"
        raise TryAgainError(f"there is no file {path}; {start}")
    try:
        return str(json.loads(Path(path).read_text("utf-8"))["address"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
