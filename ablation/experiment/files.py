"""Finding and reading experiment files: by name in `experiments/`, or by path; every mistake in one at once."""

from __future__ import annotations

import ast
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from ablation.core.errors import AblationError, InputError, Problem, did_you_mean
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
        return self.docstring.strip().partition("\n")[0]


def experiment_names(folder: Path = FOLDER) -> list[str]:
    """The names that `find` knows."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.name.startswith("_"))


def find(name: str, folder: Path = FOLDER) -> Path:
    """The file of the experiment called `name`, or the path given. Raises InputError."""
    path = Path(name) if name.endswith(".py") else folder / f"{name}.py"
    if path.is_file():
        return path
    if name.endswith(".py"):
        raise InputError(f"there is no file {name}")
    names = experiment_names(folder)
    known = (
        f"{folder}/ has {', '.join(names)}" if names else f"{folder}/ has no experiment; start in the project's folder"
    )
    raise InputError(f"there is no experiment {name!r}{did_you_mean(name, names)} ({known})")


def read(path: Path) -> ExperimentFile:
    """Run the file and take its `experiment`. Raises InputError with every mistake, each with its line."""
    try:
        tree = ast.parse(path.read_text("utf-8-sig"), str(path))
        code = compile(tree, str(path), "exec", dont_inherit=True)  # or this file's __future__ would be the user's
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"byte {error.start} is not UTF-8 text", str(path))) from None
    except SyntaxError as error:
        raise InputError(Problem(error.msg, f"{path}:{error.lineno}")) from None
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
