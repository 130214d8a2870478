"""Files of weights by their content: the name of one in a run's id, and a copy that outlives the original. No torch.

A run whose network begins with a file's weights depends on the file's bytes, not on its path: its spec holds
"sha256:HEX", and the folder of the cache holds the bytes, from where a worker reads them; beside them, in HEX.txt, the
path that they came from, for messages.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from ablation.core.errors import DataError, InputError
from ablation.core.files import atomic
from ablation.models.names import is_weights_name, weights_proper, wrong_weights

PREFIX = "sha256:"
_FORM = re.compile(r"sha256:[0-9a-f]{64}")


def resolved(weights: str | Path | None, model: str, cache: Path | None = None) -> str | None:
    """What stands in a spec for `weights`: the name that they have of themselves ("IMAGENET1K_V1" for "DEFAULT"), or
    "sha256:HEX" of a file, which `cache` keeps.

    Raises InputError for a name that torchvision does not publish for `model`, DataError where a file cannot be read.
    """
    if weights is None:
        return None
    if is_weights_name(str(weights)):
        if wrong := wrong_weights(str(weights), model):
            raise InputError(wrong)
        return weights_proper(str(weights), model)
    if str(weights).startswith(PREFIX) and not cache:
        return _checked(str(weights))
    return keep(Path(weights), cache) if cache else name_of_file(Path(weights))


def name_of_file(path: Path) -> str:
    """What stands in a spec for this file: "sha256:HEX", of its bytes. Raises DataError where it cannot be read."""
    return PREFIX + hashlib.sha256(_content(path)).hexdigest()


def keep(path: str | Path, cache: Path) -> str:
    """Copy a file of weights into the cache, unless it is there; "sha256:HEX", by which `kept` finds it.

    Of weights that are named so already it is only made sure that the cache has them, else DataError.
    """
    if str(path).startswith(PREFIX):
        kept(str(path), cache)
        return str(path)
    content = _content(Path(path))
    digest = hashlib.sha256(content).hexdigest()
    copy = _copy(digest, cache)
    if not copy.exists():
        with atomic(copy) as file:
            file.write(content)
    if _origin(digest, cache) != (origin := str(Path(path).absolute())):
        with atomic(copy.with_suffix(".txt"), "w") as file:
            file.write(origin)
    return PREFIX + digest


def kept(weights: str, cache: Path | None) -> Path:
    """The file that holds the weights "sha256:HEX". Raises DataError where the cache does not have it."""
    path = None if cache is None else _copy(_checked(weights).removeprefix(PREFIX), cache)
    if path is None or not path.is_file():
        where = "no cache is given" if path is None else f"{path.absolute()} is not there"
        raise DataError(f"the weights {weights} are not at hand ({where}); plan the experiment again from their file")
    return path


def display_name(weights: str, cache: Path | None) -> str:
    """What a message calls weights: as they were given, and of kept ones the file that the user gave."""
    digest = weights.removeprefix(PREFIX)
    if digest == weights:
        return weights
    origin = _origin(digest, cache) if cache else ""
    return f"{PREFIX}{digest[:8]} (kept from {origin})" if origin else weights


def _checked(weights: str) -> str:
    if not _FORM.fullmatch(weights):
        raise InputError(
            f"weights = {weights!r}: write sha256: and the 64 hexadecimal digits of a file's digest, or give its path"
        )
    return weights


def _origin(digest: str, cache: Path) -> str:
    """Where the kept weights came from; '' where that is not known."""
    try:
        return _copy(digest, cache).with_suffix(".txt").read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _copy(digest: str, cache: Path) -> Path:
    return cache / "weights" / f"{digest}.pt"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        where = f"the weights {path} cannot be read ({reason}; looked for at {path.absolute()})"
        raise DataError(f"{where}: give the path of a state dict, or a name such as IMAGENET1K_V1") from None
