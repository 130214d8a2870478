"""Where modules of a person's own are looked for: behind Python's path, in the folders of an experiment's file.

These are the folder that the program was started in, that of the file, and where that one is called `experiments` the
one above it. A module on Python's path comes first, so that a file called `queue.py` hides no other. One process may
read several experiments: each has its own folders, and what was imported from them is forgotten afterwards.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from ablation.core.own_code import is_own_file

EXPERIMENTS = "experiments"
"""The folder of a project that experiment files are in."""

VARIABLE = "ABLATION_OWN_FOLDERS"
"""The environment variable that tells a child process the folders."""

_file: Path | None = None
_beyond = ""


def folders_of(file: str | Path) -> tuple[Path, ...]:
    """Where the code of this experiment file is looked for, in order; '' for one that was written into no file.

    From within the folder that the program was started in, that one comes first; else the file's own do.
    """
    here = Path.cwd()
    if not str(file):
        return (here,)
    beside = Path(file).absolute().parent
    own = (beside.parent, beside) if beside.name == EXPERIMENTS else (beside,)
    return tuple(dict.fromkeys((here, *own) if beside.is_relative_to(here) else (*own, here)))


def use(file: str | Path) -> None:
    """Look in the folders of this file from now on, in this process and in children that are given `environment()`."""
    global _file
    _file = Path(file).absolute() if str(file) else None


def folders() -> tuple[Path, ...]:
    """Where this process looks: as `use` or its parent said, else in the working folder."""
    if _file is not None:
        return folders_of(_file)
    inherited = os.environ.get(VARIABLE)
    return tuple(map(Path, json.loads(inherited))) if inherited else (Path.cwd(),)


def environment() -> dict[str, str]:
    """What makes a child process look where this one does; nothing where that is only the working folder."""
    every = folders()
    return {} if every == (Path.cwd(),) else {VARIABLE: json.dumps(list(map(str, every)))}


def stay_importable() -> None:
    """Put the folders on Python's path for good: for a child process that trains for one experiment alone."""
    global _beyond
    _beyond = "; a process that trains knows PYTHONPATH, and not what a script has put into sys.path"
    sys.path.extend(folder for folder in map(str, folders()) if folder not in sys.path)


def beyond() -> str:
    """What a message adds where a module is not found: '' but in a child process, which knows less than its parent."""
    return _beyond


@contextmanager
def importing() -> Iterator[None]:
    """Within the block, modules in `folders()` can be imported; then Python's path and modules are as they were."""
    before, added = set(sys.modules), [folder for folder in map(str, folders()) if folder not in sys.path]
    sys.path.extend(added)
    invalidate_caches()  # a file may have been written a moment ago
    try:
        yield
    finally:
        new = [name for name in sys.modules.keys() - before if not name.startswith("ablation")]
        for name in [name for name in new if _lies_in(sys.modules[name], added)]:
            del sys.modules[name]
        for folder in added:
            with suppress(ValueError):  # the code within may have changed the path itself
                sys.path.remove(folder)


def _lies_in(module: object, inside: Sequence[str]) -> bool:
    """Whether a module, or a package without code of its own, was imported from one of these folders."""
    paths = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(path and is_own_file(path) and Path(path).is_relative_to(folder) for path in paths for folder in inside)


def located(file: str) -> Path:
    """A file of code as it was named: from the working folder, else from the first of the folders that has it."""
    return next((path for folder in folders() if (path := folder / file).is_file()), Path(file))


def hidden(name: str) -> tuple[Path, Path] | None:
    """The module on Python's path that hides one's own of this name, and one's own; None where none does."""
    theirs, ours = PathFinder.find_spec(name, _others(folders())), _own_spec(name, folders())
    if theirs is None or theirs.origin is None or ours is None or ours.origin is None:
        return None
    return Path(theirs.origin), Path(ours.origin)


def own_imports(files: Iterable[Path], inside: Sequence[Path] | None = None) -> dict[str, Path]:
    """The modules of one's own that these files import, and that those import in turn, as their texts say.

    By their paths from the folder that they are found in. Modules on Python's path are none, and neither are the files
    themselves. inside: the folders, by default `folders()`. What is no Python text imports nothing.
    """
    where, files = folders() if inside is None else inside, [file.resolve() for file in files]
    files = [file for file in files if is_own_file(str(file))]
    known, queue, imports = set(files), list(files), dict[str, Path]()
    while queue:
        for name, path in _imported(queue.pop(), where):
            if path.resolve() not in known:
                known.add(path.resolve())
                queue.append(path)
                imports[name] = path
    return imports


def _imported(file: Path, inside: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The files of one's own that one file imports, with their paths from the folder that they are found in."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [(base, node.level), *(((f"{base}.{a.name}").strip("."), node.level) for a in node.names)]
        else:
            continue
        for name, level in names:
            yield from _files_of(name, inside) if not level else _beside(file, name, level, inside)


def _files_of(name: str, inside: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The file of a module of one's own by its dotted name, and those of the packages that it is in."""
    top, *inner = name.split(".")
    if not top or PathFinder.find_spec(top, _others(inside)) or top in sys.builtin_module_names:
        return
    spec = _own_spec(top, inside)
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        entries = [Path(spec.origin)] if spec.origin else []
    else:
        entries = [Path(entry) for entry in spec.submodule_search_locations]
    for entry in entries:
        root = entry.parent
        yield from _named(root, entry, inner)


def _beside(file: Path, name: str, level: int, inside: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The same for a relative import in a file, so many levels up."""
    base = file.parents[level - 1]
    root = next((folder.resolve() for folder in inside if file.resolve().is_relative_to(folder.resolve())), None)
    if root is not None:
        yield from _named(root, base.resolve(), [part for part in name.split(".") if part])


def _named(root: Path, entry: Path, inner: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The files of Python that lie on the way from a package's folder, or from a file, along the names within it."""
    for step in range(len(inner) + 1):
        path = entry.joinpath(*inner[:step])
        for file in (path, path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.suffix == ".py" and file.is_file() and is_own_file(str(file)) and file.is_relative_to(root):
                yield file.relative_to(root).as_posix(), file


def _own_spec(name: str, inside: Sequence[Path]) -> ModuleSpec | None:
    invalidate_caches()
    return PathFinder.find_spec(name, [str(folder) for folder in inside])


def _others(inside: Sequence[Path]) -> list[str]:
    """Python's path without one's own folders: how the program was started decides nothing."""
    return [entry for entry in sys.path if Path(entry or ".").absolute() not in inside]
