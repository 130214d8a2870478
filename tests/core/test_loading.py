"""Nothing that is read back can run code: each call that could is on a list, with why it is safe; traps stay shut."""

import ast
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from faults import record_fault

import ablation
from ablation.core.errors import AblationError
from ablation.core.files import Damaged
from ablation.training.checkpoint import Refused

HOUSE = Path(ablation.__file__).parent
FILES = {path.relative_to(HOUSE).as_posix(): path for path in sorted(HOUSE.rglob("*.py"))}

MODULES = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "yaml", "runpy"),
    *("jsonpickle", "imp", "ctypes"),
}
"""Modules that run what they read, or can."""

CALLS = {
    *("eval", "exec", "compile", "__import__", "import_module", "os.system", "os.popen", "exec_module", "load_module"),
    *("read_pickle", "extractall", "extract", "unpack_archive", "set_default_tensor_type", "load_state_dict_from_url"),
}
"""Functions by their name, methods by their last one, that run what they are given, or unpack it unseen."""

LOADERS = {"torch.load": ("weights_only", {"True"}), "np.load": ("allow_pickle", {"", "False"})}
"""Functions that run code where they are told to -> the argument, and what it may be ('' where it is not given)."""

MAY = {
    "__init__.py": {"import_module"},  # public names, by a table in the file
    "cli/main.py": {"import_module"},  # commands, by a table in the file
    "experiment/files.py": {"exec", "compile", "import_module"},  # the experiment that the user names; ablation itself
    "augment/operations/per_image.py": {"import_module", "exec_module"},  # the function that an experiment names
    "experiment/overrides.py": {"import_module"},  # ablation itself, for its public names
    "data/decode.py": {"ctypes"},  # libtiff beside Pillow, to silence it
    "models/own.py": {"import_module"},  # the network that an experiment names
    "report/render/second.py": {"pickle"},  # a pipe between this process and the one that it started
    "report/render/drawings.py": {"import_module"},  # a list in the file
    "report/fonts.py": {"import_module"},  # matplotlib
    "report/render/pdf.py": {"typst.compile", "compiler.compile"},  # a template of ours; texts are JSON
    "training/worker.py": {"import_module"},  # ablation itself
    "training/crew.py": {"joblib"},  # threads that hand runs to workers; it reads nothing
    "core/processes.py": {"runpy"},  # modules of ablation, in a process that it started
}
"""Module -> what it may use, and why that runs nothing of a stranger's. What a pack names needs --trust."""


def risky(tree: ast.AST) -> Iterator[str]:
    """What in a file could run what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names if alias.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in MODULES:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call):
            yield from _risky_call(node)


def _risky_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    last = called.rpartition(".")[2]
    if called in ("re.compile", "torch.compile") or (last == "eval" and not node.args):  # a network's model.eval()
        return
    if called in CALLS or last in CALLS:
        yield called if last == "compile" and "." in called else last if last in CALLS else called
    if any(one.arg == "shell" and ast.unparse(one.value) != "False" for one in node.keywords):
        yield "shell"
    if called.partition(".")[0] in MODULES:
        yield called.partition(".")[0]


def wrong_loads(tree: ast.AST) -> list[str]:
    """Every call of a loader that may run what it reads."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in LOADERS]
    wrong = []
    for call in calls:
        name, allowed = LOADERS[ast.unparse(call.func)]
        given = next((ast.unparse(one.value) for one in call.keywords if one.arg == name), "")
        if given not in allowed or any(one.arg is None for one in call.keywords):
            wrong.append(f"{call.lineno}: {ast.unparse(call)}")
    return wrong


@pytest.mark.parametrize("name", FILES)
def test_a_file_uses_no_more_of_what_runs_what_it_reads_than_the_list_allows(name):
    tree = ast.parse(FILES[name].read_text("utf-8"))
    assert set(risky(tree)) <= MAY.get(name, set())
    assert wrong_loads(tree) == []


def test_the_list_has_nothing_that_is_no_longer_there():
    used = {name: set(risky(ast.parse(path.read_text("utf-8")))) for name, path in FILES.items()}
    assert {name: gone for name, allowed in MAY.items() if (gone := allowed - used.get(name, set()))} == {}


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from joblib import load", "eval('1')", "exec(x)", "os.system('x')", "yaml.load(x)"),
        *("subprocess.run(x, shell=True)", "archive.extractall()", "importlib.import_module(x)"),
        *("dill.loads(x)", "import yaml"),
    ],
)  # fmt: skip
def test_the_list_sees(code):
    assert set(risky(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    ["torch.load(x)", "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)", "torch.load(x, **more)"],
)
def test_the_loaders_are_held_to_their_argument(code):
    assert wrong_loads(ast.parse(code))


# --- traps


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, sprung: Path):
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.sprung),)


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    return tmp_path / "sprung"


def as_arrays(path: Path, trap: Trap) -> Path:
    np.savez(path, **dict.fromkeys(("logits", "labels", "checksum"), np.array([trap], dtype=object)))
    return path


def weights(path: Path, trap: Trap) -> None:
    import torch

    from ablation.models.weights import _read

    torch.save({"state_dict": trap}, path)
    _read(path, "given")


def checkpoint(path: Path, trap: Trap) -> None:
    """With a checksum that fits: whoever can write the file can write that as well."""
    import torch

    from ablation.training import checkpoint as module

    torch.save({"model": trap}, path)
    content = path.read_bytes()
    path.write_bytes(content + module._MARK + hashlib.sha256(content).hexdigest().encode())
    module._read(path)


def arrays(path: Path, trap: Trap) -> None:
    from ablation.experiment.record import parse_arrays

    parse_arrays(as_arrays(path.with_suffix(".npz"), trap), ("logits",))


def cached_squares(path: Path, trap: Trap) -> None:
    from ablation.data.cache import _map

    np.save(path.with_suffix(".npy"), np.array([trap], dtype=object))
    _map(path.with_suffix(".npy"))


def remembered_traits(path: Path, trap: Trap) -> None:
    from ablation.data.contents import _remembered

    _remembered(as_arrays(path.with_suffix(".npz"), trap), "logits")


READERS = (weights, checkpoint, arrays, cached_squares, remembered_traits)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_trap_in_a_file_is_refused_and_does_not_spring(tmp_path, sprung, reader):
    with pytest.raises((AblationError, Damaged, Refused, ValueError)) as refused:
        reader(tmp_path / "file.pt", Trap(sprung))
    assert not sprung.exists()
    record_fault(
        "safety",
        f"code in a file that is read back: {reader.__name__.replace('_', ' ')}",
        1,
        "refused, and not run",
        type(refused.value).__name__,
    )


def test_the_trap_springs_where_it_is_let(tmp_path, sprung):
    """Else the tests above would prove nothing."""
    with np.load(as_arrays(tmp_path / "file.npz", Trap(sprung)), allow_pickle=True) as stored:
        assert stored["logits"].shape == (1,)
    assert sprung.is_dir()
