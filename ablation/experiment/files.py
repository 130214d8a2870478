"""Finding and reading experiment files: by name in `experiments/`, or by path; every mistake in one at once.

An experiment file is a program. `read` runs it, and is called for the one file that somebody named; whatever looks
through the folder (`outlines`, `find`) reads the text alone and runs nothing.
"""

from __future__ import annotations

import ast
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from ablation.core.errors import AblationError, InputError, Problem, did_you_mean
from ablation.core.safe import visible
from ablation.core.text import listing
from ablation.core.values import collecting
from ablation.experiment.experiment import Experiment

FOLDER = Path("experiments")
ablation = import_module("ablation")  # for `__all__`, which it computes when it is read


@dataclass(frozen=True)
class ExperimentFile:
    """An experiment with the docstring of its file, whose first line is the question."""

    path: Path
    docstring: str
    experiment: Experiment

    @property
    def question(self) -> str:
        return _first_line(self.docstring)


@dataclass(frozen=True)
class Outline:
    """What the text of an experiment file says; the file was not run."""

    path: Path
    name: str
    """What `name=` says in it; the file's own where that is no text that can be read off."""
    is_literal: bool
    """Whether the name was read off."""
    question: str
    """The text of `question=`, else the first line of the docstring."""
    problem: Problem | None = None
    """Why nothing could be read off."""


def outlines(folder: Path = FOLDER) -> tuple[Outline, ...]:
    """The files of the folder, by name; those whose name begins with an underscore are no experiments."""
    paths = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_") and path.is_file())
    return tuple(map(_outline, paths))


def _outline(path: Path) -> Outline:
    try:
        tree = _parsed(path)
    except InputError as error:
        return Outline(path, path.stem, False, "", error.problems[0])
    call = _experiment_call(tree)
    name = _text_of(call, "name", 0)
    question = _text_of(call, "question", None) or ast.get_docstring(tree) or ""
    return Outline(path, name or path.stem, bool(name), _first_line(question))


def _experiment_call(tree: ast.Module) -> ast.Call | None:
    """The call that makes the file's experiment: that which is assigned to `experiment`, else the last one."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == Experiment.__name__]
    for node in reversed(tree.body):
        names = [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            names = [ast.unparse(node.target)]
        if "experiment" in names and isinstance(node, ast.Assign | ast.AnnAssign):
            return node.value if node.value in calls and isinstance(node.value, ast.Call) else None
    return calls[-1] if calls else None


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text_of(call: ast.Call | None, keyword: str, position: int | None) -> str:
    """The text that a call is given under this keyword or at this position; '' where it is no literal."""
    if call is None:
        return ""
    given = [one.value for one in call.keywords if one.arg == keyword]
    if not given and position is not None:
        given = list(call.args[position : position + 1])
    value = given[0].value if given and isinstance(given[0], ast.Constant) else None
    return value if isinstance(value, str) else ""


def _first_line(text: str) -> str:
    """The first line of a text, in which every character is seen, whatever it is shown on."""
    return visible(text.strip().partition("\n")[0])


def experiment_names(folder: Path = FOLDER) -> list[str]:
    """The names that `find` knows: of the files, and those that stand in them."""
    every = outlines(folder)
    return sorted({outline.path.stem for outline in every} | {outline.name for outline in every})


def claims(every: Sequence[Outline]) -> dict[str, tuple[Path, ...]]:
    """Each name that more than one file goes by, with these files: that which the name means first."""
    names = dict.fromkeys(name for outline in every for name in (outline.path.stem, outline.name))
    files = {
        name: sorted((one for one in every if name in (one.path.stem, one.name)), key=lambda one: one.path.stem != name)
        for name in names
    }
    return {name: tuple(one.path for one in of_name) for name, of_name in files.items() if len(of_name) > 1}


def find(name: str, folder: Path = FOLDER) -> Path:
    """The file called `name`, else that in which `name=` says so, or the path given; none is run. Raises InputError."""
    path = Path(name) if name.endswith(".py") else folder / f"{name}.py"
    if path.is_file():
        return path
    if name.endswith(".py"):
        raise InputError(f"there is no file {name}")
    paths = [outline.path for outline in outlines(folder) if outline.name == name]
    if len(paths) == 1:
        return paths[0]
    if paths:
        raise InputError(f"{name!r} is the name in {listing(map(str, paths))}; give the path of one of them")
    names = experiment_names(folder)
    known = (
        f"{folder}/ has {', '.join(names)}" if names else f"{folder}/ has no experiment; start in the project's folder"
    )
    raise InputError(f"there is no experiment {name!r}{did_you_mean(name, names)} ({known})")


def _parsed(path: Path) -> ast.Module:
    """The syntax of the file. Raises InputError where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_text("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"byte {error.start} is not UTF-8 text", str(path))) from None
    except SyntaxError as error:
        raise InputError(Problem(error.msg, f"{path}:{error.lineno}" if error.lineno else str(path))) from None
    except (ValueError, RecursionError, MemoryError) as error:  # a zero byte, or brackets a thousand deep
        raise InputError(Problem(f"it is no text of Python ({error or type(error).__name__})", str(path))) from None
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from None


def read(path: Path) -> ExperimentFile:
    """Run the file and take its `experiment`. Raises InputError with every mistake, each with its line."""
    tree = _parsed(path)
    try:
        code = compile(tree, str(path), "exec", dont_inherit=True)  # or this file's __future__ would be the user's
    except SyntaxError as error:
        raise InputError(Problem(error.msg, f"{path}:{error.lineno}" if error.lineno else str(path))) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(Problem(f"it is no text of Python ({error or type(error).__name__})", str(path))) from None
    problems = [*_unknown_imports(tree, path), *_repeated_names(tree, path)]
    if problems:
        raise InputError(problems)
    module = ModuleType(f"ablation_experiment_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for the names that the file knows
    with collecting(str(path)) as problems:
        try:
            exec(code, module.__dict__)
        except (Exception, SystemExit) as error:  # whatever the user's own code raises, with its line
            problems.append(_raised(error, path))
    experiment = getattr(module, "experiment", None)
    if not problems and not isinstance(experiment, Experiment):
        problems.append(Problem("the file defines no `experiment = Experiment(...)`", str(path)))
    if problems:
        raise InputError(problems)
    assert isinstance(experiment, Experiment)
    return ExperimentFile(path, ast.get_docstring(tree) or "", experiment)


def _unknown_imports(tree: ast.Module, path: Path) -> Iterator[Problem]:
    """Every misspelt import from `ablation` or a module of it, which Python itself would report one at a time."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
            continue
        if node.module.startswith("ablation.") and not _is_module(node.module):
            public = [alias.name for alias in node.names if alias.name in ablation.__all__]
            instead = f"; write `from ablation import {', '.join(public)}`" if public else ""
            yield Problem(f"there is no module {node.module!r}{instead}", f"{path}:{node.lineno}")
        elif node.module == "ablation":
            for name in (alias.name for alias in node.names if alias.name not in (*ablation.__all__, "*")):
                suggestion = did_you_mean(name, ablation.__all__)
                yield Problem(f"ablation has no {name!r}{suggestion}", f"{path}:{node.lineno}")


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a package on the way there is none
        return False


def _repeated_names(tree: ast.Module, path: Path) -> Iterator[Problem]:
    """Every name that a dict gives twice; Python would keep the last and say nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            first: dict[object, int] = {}
            for key in (key for key in node.keys if isinstance(key, ast.Constant)):
                if key.value in first:
                    message = f"the name {key.value!r} is given again, after line {first[key.value]}"
                    yield Problem(message, f"{path}:{key.lineno}")
                first.setdefault(key.value, key.lineno)


def _raised(error: Exception | SystemExit, path: Path) -> Problem:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    message = str(error) if isinstance(error, AblationError) else f"{type(error).__name__}: {error}"
    if isinstance(error, NameError) and error.name:
        missing = "; add it to `from ablation import ...`" if error.name in ablation.__all__ else ""
        message = f"{error.name!r} is not defined{missing or did_you_mean(error.name, ablation.__all__)}"
    return Problem(message, f"{path}:{lines[-1]}" if lines else str(path))
