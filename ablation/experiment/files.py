"""Finding and reading experiment files: by name in `experiments/`, or by path; every mistake in one at once.

An experiment file is a program. `read` runs it, and is called for the one file that somebody named; whatever looks
through the folder (`outlines`, `find`) reads the text alone and runs nothing. Code of one's own that it imports is
found beside it and in the working folder (`ablation.core.own_modules`).

A file may have several experiments. It stands for the one that is called `experiment`; each is `file.py:variable`.
"""

from __future__ import annotations

import ast
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from ablation.core import own_modules
from ablation.core.errors import AblationError, InputError, Problem, did_you_mean
from ablation.core.own_code import own_line
from ablation.core.safe import visible
from ablation.core.text import listing
from ablation.core.values import collecting
from ablation.experiment.experiment import Experiment

FOLDER = Path(own_modules.EXPERIMENTS)
VARIABLE = "experiment"
"""What the experiment is assigned to that a file stands for."""
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
    """What the text of an experiment file says of one experiment; the file was not run."""

    path: Path
    name: str
    """What `name=` says in it; the file's own where that is no text that can be read off."""
    is_literal: bool
    """Whether the name was read off."""
    question: str
    """The text of `question=`, else the first line of the docstring."""
    problem: Problem | None = None
    """Why nothing could be read off."""
    variable: str = VARIABLE
    """What it is assigned to."""

    @property
    def file(self) -> str:
        """Its file's name, with the variable where that is not the one that the file stands for."""
        return self.path.name if self.variable == VARIABLE else f"{self.path.name}:{self.variable}"


def outlines(folder: Path = FOLDER) -> tuple[Outline, ...]:
    """The experiments of the folder, by their files. None are files whose name begins with an underscore, and those
    that name neither `Experiment` nor `experiment`, as code that experiments import.
    """
    paths = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_") and path.is_file())
    return tuple(outline for path in paths for outline in _outlines(path))


def names_in(path: Path) -> tuple[str, ...]:
    """The names of the experiments in a file that can be read off its text."""
    return tuple(outline.name for outline in _outlines(path) if outline.is_literal)


def relative(path: Path | str) -> str:
    """A path from the working folder where it lies in it, else as it is."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _outlines(path: Path) -> Iterator[Outline]:
    try:
        tree = _parsed(path)
    except InputError as error:
        yield Outline(path, path.stem, False, "", error.problems[0])
        return
    if not _has_experiment(tree):
        return
    for variable, call in _experiment_calls(tree).items():
        name = _text_of(call, "name", 0)
        question = _text_of(call, "question", None) or ast.get_docstring(tree) or ""
        called = path.stem if variable == VARIABLE else f"{path.stem}:{variable}"
        yield Outline(path, name or called, bool(name), _first_line(question), None, variable)


def _has_experiment(tree: ast.Module) -> bool:
    """Whether a file may have an experiment: it names the class or the variable, or takes all of another module."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    return bool(names & {Experiment.__name__, VARIABLE, "*"})


def _experiment_calls(tree: ast.Module) -> dict[str, ast.Call | None]:
    """The calls that make the file's experiments, by what they are assigned to: `experiment` first.

    That of `experiment` is None where it is made in another way. One that is assigned to nothing that the text of the
    file tells counts as the file's own.
    """
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == Experiment.__name__]
    assigned: dict[str, ast.Call | None] = {}
    for node in tree.body:
        names = [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            names = [ast.unparse(node.target)]
        call = node.value if isinstance(node, ast.Assign | ast.AnnAssign) and node.value in calls else None
        made = call if isinstance(call, ast.Call) else None
        assigned |= {name: made for name in names if made or name == VARIABLE}
    if not assigned:
        return {VARIABLE: calls[-1] if calls else None}
    return {name: assigned[name] for name in sorted(assigned, key=lambda name: name != VARIABLE)}


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
    paths = {name: tuple(dict.fromkeys(one.path for one in of_name)) for name, of_name in files.items()}
    return {name: of_name for name, of_name in paths.items() if len(of_name) > 1}


def load(name: str, folder: Path = FOLDER) -> ExperimentFile:
    """Run the file that has the experiment called `name`, as `find` says, and take it. Raises InputError."""
    return read(*_found(name, folder))


def as_experiment(given: object) -> Experiment:
    """The experiment itself, or that which goes by this name or lies in this file, as `load` finds it.

    Raises InputError as `load` does, and TypeError for anything else.
    """
    if isinstance(given, Experiment):
        return given
    if isinstance(given, str | Path):
        return load(str(given)).experiment
    raise TypeError(f"{type(given).__name__}: expected an Experiment, its name or its file")


def find(name: str, folder: Path = FOLDER) -> Path:
    """The file called `name`, else that in which `name=` says so, or the path given; none is run. Raises InputError.

    `file.py:variable` and `file:variable` are in that file, whatever it calls its experiment.
    """
    return _found(name, folder)[0]


def _found(name: str, folder: Path) -> tuple[Path, str]:
    """The file, and which of its experiments is meant."""
    file, _, variable = name.rpartition(":") if ":" in name else (name, "", VARIABLE)
    path = Path(file) if file.endswith(".py") else folder / f"{file}.py"
    if path.is_file():
        return path, variable
    if file.endswith(".py"):
        raise InputError(f"there is no file {file}")
    every = [(outline.path, outline.variable) for outline in outlines(folder) if outline.name == name]
    if len(every) == 1:
        return every[0]
    if every:
        paths = dict.fromkeys(str(path) for path, _ in every)
        raise InputError(f"{name!r} is the name in {listing(paths)}; {_one_of(every, tuple(paths))}")
    names = experiment_names(folder)
    known = (
        f"{folder}/ has {', '.join(names)}" if names else f"{folder}/ has no experiment; start in the project's folder"
    )
    raise InputError(f"there is no experiment {name!r}{did_you_mean(name, names)} ({known})")


def _one_of(every: Sequence[tuple[Path, str]], paths: Sequence[str]) -> str:
    """What to give for one of several experiments of one name."""
    if len(paths) > 1:
        return "give the path of one of them"
    return f"give each a name of its own, or {listing((f'{path}:{variable}' for path, variable in every), 'or')}"


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


def read(path: Path, variable: str = VARIABLE) -> ExperimentFile:
    """Run the file and take its experiment. Raises InputError with every mistake, each with its line.

    variable: what it is assigned to, or else its name. Afterwards the code of one's own that the experiment names is
    looked for in the folders of this file (`own_modules.use`).
    """
    tree = _parsed(path)
    try:
        code = compile(tree, str(path), "exec", dont_inherit=True)  # or this file's __future__ would be the user's
    except SyntaxError as error:
        raise InputError(Problem(error.msg, f"{path}:{error.lineno}" if error.lineno else str(path))) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(Problem(f"it is no text of Python ({error or type(error).__name__})", str(path))) from None
    own_modules.use(path)
    problems = [*_unknown_imports(tree, path), *_repeated_names(tree, path), *_unknown_in_own(path)]
    if problems:
        raise InputError(problems)
    module = ModuleType(f"ablation_experiment_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for the names that the file knows
    with collecting(str(path)) as collected, own_modules.importing():
        try:
            exec(code, module.__dict__)
        except (Exception, SystemExit) as error:  # whatever the user's own code raises, with its line
            collected.append(_raised(error, path))
    if collected:
        raise InputError(_at_fields(collected, tree, path))
    return ExperimentFile(path, ast.get_docstring(tree) or "", _chosen(vars(module), variable, path))


def _chosen(names: Mapping[str, object], variable: str, path: Path) -> Experiment:
    """The experiment of this variable or of this name among all that a file has. Raises InputError."""
    every = {name: one for name, one in names.items() if isinstance(one, Experiment)}
    by_name = {one.name: one for one in every.values()}
    if chosen := every.get(variable) or by_name.get(variable):
        return chosen
    if not every:
        raise InputError(Problem("the file defines no `experiment = Experiment(...)`", str(path)))
    wanted = "no `experiment`" if variable == VARIABLE else f"no experiment {variable!r}"
    listed = listing((f"{path}:{name}" for name in every), "or")
    raise InputError(f"{path} has {wanted}{did_you_mean(variable, [*every, *by_name])}; give {listed}")


def _import_hint(name: str) -> str:
    """What may be meant by a module that is not there, or what hides the one that is meant; '' where nothing is."""
    top = name.partition(".")[0]
    if hiding := own_modules.hidden(top):
        theirs, ours = hiding
        return f"; {theirs} hides {ours}: give your file another name"
    files = [file for folder in own_modules.folders() for file in folder.glob("*.py")]
    return did_you_mean(top, [file.stem for file in files])


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


def _unknown_in_own(path: Path) -> Iterator[Problem]:
    """The same in the files of one's own that the file imports. One without syntax fails when it is imported."""
    for file in own_modules.own_imports([path]).values():
        with suppress(InputError):
            yield from _unknown_imports(_parsed(file), file)


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


def _at_fields(problems: Sequence[Problem], tree: ast.Module, path: Path) -> Iterator[Problem]:
    """The problems, each with the line of the field that it is about, where that is in a call of several lines."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for problem in problems:
        about = _FIELD.match(problem.message)
        lines = [
            keyword.lineno
            for call in calls
            for keyword in call.keywords
            if about and (_called(call), keyword.arg) == (about[1], about[2] or about[3])
            if problem.where == f"{path}:{call.lineno}"
        ]
        yield replace(problem, where=f"{path}:{lines[0]}") if lines else problem


_FIELD = re.compile(r"(\w+)(?:: (\w+) = | has no field '(\w+)')")
"""How a message begins about one field of a value: the class, and the field."""


def _raised(error: Exception | SystemExit, path: Path) -> Problem:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    message = str(error) if isinstance(error, AblationError) else f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) and error.name:
        message += _import_hint(error.name)
    elif (line := own_line(error)) and not line.endswith(f"{path.name})"):
        message += line
    if isinstance(error, NameError) and error.name:
        missing = "; add it to `from ablation import ...`" if error.name in ablation.__all__ else ""
        message = f"{error.name!r} is not defined{missing or did_you_mean(error.name, ablation.__all__)}"
    return Problem(message, f"{path}:{lines[-1]}" if lines else str(path))
