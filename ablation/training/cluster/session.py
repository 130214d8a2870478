"""What both ends of a sweep on a cluster know: how it trains, and which of the caller's files its runs need.

Everything goes over as JSON; nothing that comes back is unpickled into an object of ours.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import ablation
from ablation.core.errors import InputError, Problem
from ablation.core.own_modules import located, own_imports
from ablation.experiment.spec import RunSpec
from ablation.models.own import is_own, source_files
from ablation.models.weights_file import PREFIX, kept
from ablation.training.execution import Execution

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scipy", "scikit-learn")
"""Beside Python and this program: what must be the same on all machines for a result to repeat bit for bit."""


@dataclass(frozen=True)
class Session:
    """One sweep on a cluster. id: 16 hexadecimal digits, drawn anew for each.

    runs, cache: the caller's folders, by their absolute paths; a machine that can read there what the caller wrote uses
    them, unless `shared` is False. key: stands for the runs folder, the same for the same command.
    """

    id: str
    key: str
    runs: str
    cache: str
    shared: bool
    device: str
    keep_weights: bool
    checkpoint_every: int | None
    step: Any
    memory_format: Any
    timeout: float | None
    versions: Mapping[str, str]

    @property
    def topic(self) -> str:
        """Under which Dask passes events on."""
        return f"ablation-{self.id}"

    @property
    def mark(self) -> str:
        """The name of the file by which a machine sees that it shares a folder with the caller."""
        return f".cluster-{self.id}"

    @property
    def execution(self) -> Execution:
        return Execution(self.step, self.memory_format)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    @functools.cache
    def from_json(cls, form: str) -> Session:
        return cls(**json.loads(form))


def key_of(runs: Path) -> str:
    """What stands for a runs folder of this machine: 16 hexadecimal digits."""
    return hashlib.sha256(f"{platform.node()}\0{runs.absolute()}".encode()).hexdigest()[:16]


@functools.cache
def versions() -> dict[str, str]:
    """What of this machine's software results depend on."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    found["ablation"] = f"{ablation.__version__} ({_digest_of_package()[:8]})"
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def _digest_of_package() -> str:
    """SHA-256 over this program's source: versions between two releases differ in it."""
    home = Path(ablation.__file__).parent
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(home).as_posix(), file) for file in home.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Where two machines' versions differ, in words; '' where they are the same."""
    names = [name for name in ours if theirs.get(name) != ours[name]]
    return ", ".join(f"{name} {theirs.get(name, 'missing')} (here {ours[name]})" for name in names)


# --- what of the caller's files runs need

Kind = Literal["cache", "weights", "code"]


@dataclass(frozen=True)
class Item:
    """Files that a machine needs. name: of a cache its folder, of weights or code the digest."""

    kind: Kind
    name: str

    @property
    def label(self) -> str:
        return f"{self.kind}-{self.name}"


def items_of(spec: RunSpec, code: str) -> list[Item]:
    """What training this spec needs beside itself. code: the name of the code of one's own."""
    items = [Item("cache", f"{spec.data}-{spec.cache_size}")]
    if spec.weights and spec.weights.startswith(PREFIX):
        items.append(Item("weights", spec.weights.removeprefix(PREFIX)))
    return [*items, Item("code", code)]


def code_of(specs: Iterable[RunSpec]) -> dict[str, bytes]:
    """The code of one's own that these specs need, by its path from the working folder or from Python's path.

    Of a network that is what its digest is over, see `ablation.models.own`. Raises InputError for a function of one's
    own that has a path which is that of this machine alone.
    """
    files: dict[str, bytes] = {}
    problems = []
    specs = tuple(specs)
    for model in sorted({spec.model for spec in specs if is_own(spec.model)}):
        files |= {name: file.read_bytes() for name, file in source_files(model).items()}
    for function in sorted({name for spec in specs for name in _functions(spec.to_plain())}):
        path = function.rpartition(":")[0]
        if not path.endswith(".py"):
            continue  # of a package, which is installed on each machine
        if Path(path).is_absolute() or ".." in PurePosixPath(path).parts:
            wrong = "no other machine has this path; name the file from the working folder, and within it"
            problems.append(Problem(f"function = {function!r}: {wrong}"))
        else:
            file = located(path)
            files |= {name: used.read_bytes() for name, used in own_imports([file]).items()}
            files[PurePosixPath(path).as_posix()] = file.read_bytes()
    if problems:
        raise InputError(problems)
    return files


def _functions(form: Any) -> Iterator[str]:
    """The functions of one's own in the plain form of a spec, however deep."""
    if isinstance(form, dict):
        if form.get("type") == "ImageFunction":
            yield form["function"]
        form = list(form.values())
    if isinstance(form, list | tuple):
        for entry in form:
            yield from _functions(entry)


def code_name(files: Mapping[str, bytes]) -> str:
    """What stands for code: 16 hexadecimal digits over paths and bytes."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


@dataclass
class Offer:
    """The caller's files, in parts, for machines that do not share its folders.

    code: by name, see `code_of`. allowed: nothing else is given away.
    """

    cache: Path
    code: dict[str, dict[str, bytes]]

    def __post_init__(self) -> None:
        self.allowed: set[Item] = set()
        self._known: dict[Item, list[tuple[str, int, str]]] = {}

    def files(self, item: Item) -> list[tuple[str, int, str]]:
        """Of each file its path on the machine, its size and its SHA-256; they are read once."""
        if item not in self._known:
            self._known[item] = [(name, *_size_and_digest(content)) for name, content in self._contents(item)]
        return self._known[item]

    def part(self, item: Item, name: str, offset: int, size: int) -> bytes:
        """So many bytes of one of these files from `offset` on."""
        content = dict(self._contents(item))[name]
        if isinstance(content, bytes):
            return content[offset : offset + size]
        with content.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def _contents(self, item: Item) -> list[tuple[str, bytes | Path]]:
        if item not in self.allowed:
            raise ValueError(f"{item} is not offered")
        if item.kind == "code":
            return list(self.code[item.name].items())
        if item.kind == "weights":
            return [(f"weights/{item.name}.pt", kept(PREFIX + item.name, self.cache))]
        files = sorted(path for path in (self.cache / item.name).iterdir() if path.is_file())
        files.sort(key=lambda path: path.name == "meta.json")  # last
        return [(f"{item.name}/{path.name}", path) for path in files]


def _size_and_digest(content: bytes | Path) -> tuple[int, str]:
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
