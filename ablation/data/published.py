"""Data sets that come with a library: scikit-learn's digits, and any classification data set of torchvision.

torchvision is imported only when its data is read: planning a grid must not wait for it.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import inspect
import operator
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, Problem
from ablation.data.files import PART_OF, PARTS, Sample, Samples, capped, uneven_classes

_NOT_DATA = ("ImageFolder", "DatasetFolder", "VisionDataset", "wrap_dataset_for_transforms_v2")


def digest_of(content: bytes | NDArray[np.uint8]) -> str:
    """32 hexadecimal digits of BLAKE2b over a file's bytes, or over an array's shape and bytes."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(content, bytes):
        digest.update(content)
    else:
        digest.update(str(content.shape).encode())
        digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()


def read_digits() -> Samples:
    """Return the 1,797 handwritten digits (8 x 8, 0 to 16) of scikit-learn, as uint8 RGB from 0 to 255.

    Read from its file, a row an image with its label last: importing scikit-learn takes a second or more.
    """
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.submodule_search_locations
    with gzip.open(Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    grey = np.round(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey[..., None], 3, axis=-1)
    samples = [
        Sample(f"digits/{row:04d}", label, _Held(image), digest_of(image))
        for row, (image, label) in enumerate(zip(images, table[:, -1].tolist(), strict=True))
    ]
    return Samples(tuple(map(str, range(10))), samples)


class _Held:
    """The origin of an image that is in memory."""

    def __init__(self, image: NDArray[np.uint8]):
        self.image = image

    def __call__(self) -> NDArray[np.uint8]:
        return self.image


@cache
def torchvision_names() -> tuple[str, ...]:
    """Return torchvision's data sets, read off its source (importing it takes seconds); () without it."""
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return ()
    tree = ast.parse((Path(spec.submodule_search_locations[0]) / "datasets" / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(name for name in ast.literal_eval(node.value) if name not in _NOT_DATA)
    return ()


def read_torchvision(name: str, root: str, split: str | None, download: bool) -> Samples:
    """Return every sample of a torchvision data set, read once for label and digest; pixels are read again when needed.

    split: the part that is read, by default that for training; "all" for every part, with `Sample.part` set. Labels
    are renumbered 0, 1, ... over the classes that occur (EMNIST's letters begin at 1). Raises DataError if the data is
    not there, is not for classification, or if its parts do not have the same classes.
    """
    requested = every_part(name, root) if split == "all" else {"": _one_part(name, split)}
    items = {part: _Items(_open(name, root, options, download), name) for part, options in requested.items()}
    rows = {part: _read_all(of_part) for part, of_part in items.items()}
    classes = _classes(name, items, rows)
    number = {label: position for position, label in enumerate(classes)}
    samples = [
        Sample("/".join(filter(None, (name, part, f"{row:06d}"))), number[label], items[part].origin(row), digest, part)
        for part, of_part in rows.items()
        for row, (label, digest) in enumerate(of_part)
    ]
    return Samples(tuple(classes.values()), samples)


def _read_all(items: _Items) -> list[tuple[int, str]]:
    """Return the label and the digest of every row. Raises DataError with every row that cannot be decoded."""
    rows, problems = [], []
    for row in range(len(items)):
        try:
            image, label = items[row]
            rows.append((label, digest_of(image)))
        except DataError:
            raise
        except Exception as error:  # Pillow's readers raise anything on a broken file; its name is torchvision's secret
            problems.append(Problem(f"cannot be decoded: {error}; mend the file", f"{items.name}, sample {row}"))
    if problems:
        raise DataError(capped(problems))
    return rows


def _classes(name: str, items: dict[str, _Items], rows: dict[str, list[tuple[int, str]]]) -> dict[int, str]:
    """Return the name of each label, ascending. Raises DataError unless all parts have the same, named alike."""
    called: dict[int, dict[str, str]] = {}
    for part, of_part in rows.items():
        for label in {label for label, _ in of_part}:
            called.setdefault(label, {})[part] = items[part].class_name(label)
    called = dict(sorted(called.items()))
    problems = []
    for label, names in called.items():
        if len(set(names.values())) > 1:
            each = ", ".join(f"{called_here!r} in {part}" for part, called_here in names.items())
            problems.append(Problem(f"label {label} is {each}; the parts must have the same classes", name))
    classes = {label: next(iter(names.values())) for label, names in called.items()}
    where = {
        f"{label} ({classes[label]})": {part: f"{name}/{part}" for part in names} for label, names in called.items()
    }
    problems = problems or uneven_classes(where)
    if problems:
        raise DataError(capped(problems))
    return classes


def _open(name: str, root: str, part: dict[str, Any], download: bool) -> Any:
    """Return the data set made by torchvision; part: the argument that asks for the part."""
    from torchvision import datasets

    made = getattr(datasets, name)
    takes = _parameters(made)
    given: dict[str, Any] = {"root": root, "download": download} | part
    options = {option: setting for option, setting in given.items() if option in takes}
    required = [option for option, default in takes.items() if default is inspect.Parameter.empty]
    needed = [option for option in required if option not in options]
    if needed:
        raise DataError(f"torchvision's {name} cannot be read by its name alone: it needs {', '.join(needed)}")
    try:
        return made(**options)
    except Exception as error:  # each data set has its own reader and its own ways to fail; its words are passed on
        advice = "check the connection, or put the data" if download else "set download=True, or put the data"
        reason = str(error).strip().rstrip(".") or type(error).__name__
        where = f"{root!r} ({Path(root).absolute()})"
        raise DataError(
            f"torchvision's {name} cannot be read from {where}: {reason}; {advice} there by hand"
        ) from error


def _parameters(made: type) -> dict[str, Any]:
    """Return the arguments of a constructor with their defaults, those it hands on with **kwargs included."""
    defaults: dict[str, Any] = {}
    for base in made.__mro__:
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        named = [item for item in parameters if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)]
        defaults = {item.name: item.default for item in named} | defaults
        if all(item.kind is not item.VAR_KEYWORD for item in parameters):
            break
    return defaults


def _one_part(name: str, split: str | None) -> dict[str, Any]:
    """Return the argument that requests the part called `split`, by default the training part."""
    from torchvision import datasets

    takes = _parameters(getattr(datasets, name))
    option = _option(takes)
    if option:
        default = takes[option]
        if split is not None or default is inspect.Parameter.empty:
            return {} if split is None else {option: split}
        return {option: default if "train" in str(default) else "train"}
    if "train" in takes:
        if split not in (None, "train", "test"):
            raise DataError(f"torchvision's {name} has the parts 'train' and 'test', got split = {split!r}")
        return {"train": split != "test"}
    if split is not None:
        raise DataError(_undivided(name, split))
    return {}


def _option(takes: dict[str, Any]) -> str:
    """Return the argument that takes the name of a part; '' if there is none."""
    return next((option for option in ("split", "image_set") if option in takes), "")


def _undivided(name: str, split: str) -> str:
    return f"torchvision's {name} is not divided into parts: leave out split = {split!r}"


def has_parts(name: str, root: str) -> bool:
    """Return whether `read_torchvision` can read all parts of a data set. Imports torchvision, which takes seconds."""
    try:
        return bool(every_part(name, root))
    except DataError:
        return False


def every_part(name: str, root: str) -> dict[str, dict[str, Any]]:
    """Return the argument that requests train, test and maybe val. Raises DataError where these are not known."""
    from torchvision import datasets

    takes = _parameters(getattr(datasets, name))
    option = _option(takes)
    if "train" in takes:
        return {"train": {"train": True}, "test": {"train": False}}
    if not option:
        raise DataError(_undivided(name, "all"))
    allowed = _allowed(getattr(datasets, name), root, option)
    of_part = {PART_OF[value]: value for value in allowed if value in PART_OF}
    if "trainval" in allowed:
        of_part.setdefault("train", "trainval")
    if "train" not in of_part or len(of_part) < 2:
        known = f"its parts are {', '.join(map(repr, allowed))}" if allowed else "it does not tell its parts"
        raise DataError(f"torchvision's {name} cannot be read with split = 'all': {known}; name one of them as split")
    return {part: {option: of_part[part]} for part in PARTS if part in of_part}


def _allowed(made: Any, root: str, option: str) -> list[str]:
    """Return the names of parts that a data set takes, from its error for one that there cannot be."""
    try:
        made(root=root, **{option: "?"})
    except Exception as error:  # whatever else it fails at, then it does not name them
        named = re.search(r"Valid values are \{(.*)\}", str(error))
        return re.findall("'([^']*)'", named[1]) if named else []
    return []


class _Items:
    """A torchvision data set as (pixels, label) by row; one thread reads at a time, as not every reader bears more."""

    def __init__(self, dataset: Any, name: str):
        self.dataset, self.name, self.lock = dataset, name, Lock()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> tuple[NDArray[np.uint8], int]:
        """(H, W, 3) uint8 and the class."""
        from PIL import Image

        from ablation.data.decode import to_rgb

        with self.lock:
            item = self.dataset[row]
        image, label = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
        try:
            label = operator.index(label)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            label = -1
        if label < 0 or not isinstance(image, Image.Image):
            if isinstance(image, Image.Image):
                image.close()  # it may still hold its file
            raise DataError(
                f"torchvision's {self.name} is not for classification as it comes: sample {row} is {str(item)[:80]!r}, "
                "where an image and a class number are needed"
            )
        return np.asarray(to_rgb(image)), label

    def origin(self, row: int) -> Any:
        return lambda: self[row][0]

    def class_name(self, label: int) -> str:
        """As the data set has it; the number where it has no names."""
        names = getattr(self.dataset, "classes", ())
        if label >= len(names):
            return str(label)
        return ", ".join(names[label]) if isinstance(names[label], tuple) else str(names[label])
