"""Data sets that come with a library: scikit-learn's digits, and any classification data set of torchvision.

scikit-learn and torchvision are imported only when their data is read: planning a grid must not wait for them.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import operator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.data.files import Sample, Samples
from ablation.errors import DataError

_NOT_DATA = ("ImageFolder", "DatasetFolder", "VisionDataset", "wrap_dataset_for_transforms_v2")


def digest_of(content: bytes | NDArray[np.uint8]) -> str:
    """32 hexadecimal digits of BLAKE2b over a file's bytes, or over an array's shape and bytes."""
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=16).hexdigest()
    return digest_of(str(content.shape).encode() + content.tobytes())


def read_digits() -> Samples:
    """The 1,797 handwritten digits (8 x 8, 0 to 16) of scikit-learn, as uint8 RGB from 0 to 255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey[..., None], 3, axis=-1)
    samples = [
        Sample(f"digits/{row:04d}", int(label), _Held(image), digest_of(image))
        for row, (image, label) in enumerate(zip(images, digits.target, strict=True))
    ]
    return Samples(tuple(str(name) for name in digits.target_names), samples)


class _Held:
    """The origin of an image that is in memory."""

    def __init__(self, image: NDArray[np.uint8]):
        self.image = image

    def __call__(self) -> NDArray[np.uint8]:
        return self.image


@cache
def torchvision_names() -> tuple[str, ...]:
    """The data sets of the installed torchvision, read off its source (importing it takes seconds); () without it."""
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return ()
    tree = ast.parse((Path(spec.submodule_search_locations[0]) / "datasets" / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(name for name in ast.literal_eval(node.value) if name not in _NOT_DATA)
    return ()


def read_torchvision(name: str, root: str, split: str | None, download: bool) -> Samples:
    """Every sample of a torchvision data set, read once for its label and digest; pixels are read again when needed.

    Labels are renumbered 0, 1, ... over the classes that occur (EMNIST's letters begin at 1). Raises DataError if the
    data is not there, or is not for classification.
    """
    items = _Items(_open_torchvision(name, root, split, download), name)
    labels: list[int] = []
    digests: list[str] = []
    for row in range(len(items)):
        image, label = items[row]
        labels.append(label)
        digests.append(digest_of(image))
    used = sorted(set(labels))
    number = {label: position for position, label in enumerate(used)}
    samples = [
        Sample(f"{name}/{row:06d}", number[label], items.origin(row), digest)
        for row, (label, digest) in enumerate(zip(labels, digests, strict=True))
    ]
    return Samples(tuple(items.class_name(label) for label in used), samples)


def _open_torchvision(name: str, root: str, split: str | None, download: bool) -> Any:
    from torchvision import datasets

    made = getattr(datasets, name)
    takes = _parameters(made)
    options: dict[str, Any] = {"root": root, "download": download}
    options |= _part(name, takes, split)
    options = {option: setting for option, setting in options.items() if option in takes}
    required = [option for option, default in takes.items() if default is inspect.Parameter.empty]
    needed = [option for option in required if option not in options]
    if needed:
        raise DataError(f"torchvision's {name} cannot be read by its name alone: it needs {', '.join(needed)}")
    try:
        return made(**options)
    except Exception as error:  # each data set has its own reader and its own ways to fail; its words are passed on
        advice = "check the connection, or put the data" if download else "set download=True, or put the data"
        told = str(error).strip().rstrip(".") or type(error).__name__
        where = f"{root!r} ({Path(root).absolute()})"
        raise DataError(f"torchvision's {name} cannot be read from {where}: {told}; {advice} there by hand") from error


def _parameters(made: type) -> dict[str, Any]:
    """The arguments of a constructor with their defaults, those it hands on with **kwargs included."""
    found: dict[str, Any] = {}
    for base in made.__mro__:
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        named = [item for item in parameters if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)]
        found = {item.name: item.default for item in named} | found
        if all(item.kind is not item.VAR_KEYWORD for item in parameters):
            break
    return found


def _part(name: str, takes: dict[str, Any], split: str | None) -> dict[str, Any]:
    """The argument that asks for the part called `split`, by default the training part."""
    for option in ("split", "image_set"):
        if option in takes:
            default = takes[option]
            if split is not None or default is inspect.Parameter.empty:
                return {} if split is None else {option: split}
            return {option: default if "train" in str(default) else "train"}
    if "train" in takes:
        if split not in (None, "train", "test"):
            raise DataError(f"torchvision's {name} has the parts 'train' and 'test', got split = {split!r}")
        return {"train": split != "test"}
    if split is not None:
        raise DataError(f"torchvision's {name} is not divided into parts: leave out split = {split!r}")
    return {}


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
