"""The house's own rules, read off the syntax of every file: who may import whom, and who may draw at random."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ablation

HOUSE = Path(ablation.__file__).parent
FILES = {
    ".".join(("ablation", *path.relative_to(HOUSE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(HOUSE.rglob("*.py"))
}
"""Every module by its dotted name."""

ROOMS = {
    "core": set(),
    "analysis": {"core"},
    "data": {"core"},
    "augment": {"core"},
    "models": {"core"},
    "optim": {"core"},
    "experiment": {"core", "analysis", "data", "augment", "models", "optim"},
    "training": {"core", "analysis", "data", "augment", "models", "optim", "experiment"},
    "tracking": {"core", "analysis", "experiment"},
    "evidence": {"core", "analysis", "data", "augment", "experiment"},
    "report": {"core", "analysis", "data", "augment", "experiment", "evidence"},
    "cli": {"core", "analysis", "data", "augment", "models", "optim", "experiment", "training", "tracking", "evidence"}
    | {"report"},
}
"""The rooms from the ground up, and which rooms each may import."""

FLOORS = 8
"""At most, from `core` to `cli`."""

HOMES = {
    "dask": ("ablation.training.cluster",),
    "distributed": ("ablation.training.cluster",),
    "joblib": ("ablation.training.crew",),
    "mlflow": ("ablation.tracking",),
    "matplotlib": ("ablation.report",),
    "fontTools": ("ablation.report.fonts",),
    "jinja2": ("ablation.report.render",),
    "typst": ("ablation.report.render.pdf",),
    "click": ("ablation.cli",),
    "rich": ("ablation.cli", "ablation.report.render.tables"),
}
WITHOUT_TORCH = ("ablation.analysis", "ablation.evidence", "ablation.report")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text("utf-8"))


def run_nodes(node: ast.AST, lazily: bool) -> Iterator[ast.AST]:
    """What runs when the module is imported; with `lazily` also what runs later. Never what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.FunctionDef | ast.Lambda) and not lazily:
            continue
        yield child
        yield from run_nodes(child, lazily)


def imported_by(tree: ast.Module, lazily: bool) -> set[str]:
    """Dotted names of the modules imported, ours resolved to the very file, each with the packages around it."""
    names: set[str] = set()
    for node in run_nodes(tree, lazily):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names.add(node.module)
            names |= {name for alias in node.names if (name := f"{node.module}.{alias.name}") in FILES}
    parts = [name.split(".") for name in names]
    return {".".join(part[:length]) for part in parts for length in range(1, len(part) + 1)}


@cache
def imports(module: str, lazily: bool) -> frozenset[str]:
    return frozenset(imported_by(tree_of(module), lazily))


def reached_from(module: str) -> set[str]:
    """Everything that is imported when `module` is."""
    seen, ahead = set(), [module]
    while ahead:
        here = ahead.pop()
        if here not in seen:
            seen.add(here)
            ahead += imports(here, lazily=False) if here in FILES else ()
    return seen


def inside(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def room(module: str) -> str:
    """The second part of the name: `ablation.data.cache` is in the room `data`."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", [module for module in FILES if inside(module, *WITHOUT_TORCH)])
def test_the_report_can_be_made_without_torch_and_mlflow(module):
    banned = {"torch", "torchvision", "mlflow"}
    assert not banned & reached_from(module)
    assert not banned & imports(module, lazily=True)


def test_the_report_is_imported_where_there_is_no_torch_and_no_mlflow(environment):
    script = (
        "import sys; sys.modules.update(torch=None, torchvision=None, mlflow=None)\n"
        "import ablation.evidence.effects, ablation.report, ablation.report.contents, ablation.analysis.separability"
    )
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_one_home(library):
    users = {module for module in FILES if library in imports(module, lazily=True)}
    assert users, f"nobody imports {library}: take it off the list"
    assert not {module for module in users if not inside(module, *HOMES[library])}


def test_the_house_has_these_rooms_and_nothing_else():
    inside_it = {path.name for path in HOUSE.iterdir() if path.name != "__pycache__"}
    assert inside_it == {*ROOMS, "__init__.py", "py.typed"}


def room_imports() -> dict[str, dict[str, str]]:
    """room -> for each other room that it imports, lazily or not, a module that does."""
    graph: dict[str, dict[str, str]] = {name: {} for name in ROOMS}
    for module in FILES:
        for target in imports(module, lazily=True):
            if target in FILES and room(target) not in ("", room(module)) and room(module):
                graph[room(module)].setdefault(room(target), f"{module} imports {target}")
    return graph


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_what_it_may(name):
    assert not {target: why for target, why in room_imports()[name].items() if target not in ROOMS[name]}


def test_rooms_stand_on_few_floors_without_a_circle():
    """graphlib raises CycleError and names the circle."""
    graph = room_imports()
    floor: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        floor[name] = 1 + max((floor[below] for below in graph[name]), default=0)
    assert floor["core"] == 1
    assert floor["cli"] == max(floor.values()) <= FLOORS


def test_test_files_have_names_of_their_own():
    """pytest imports them by their names alone."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"]
    assert not {name for name in names if names.count(name) > 1}


def test_no_circle_between_files():
    graph = {
        module: {name for name in imports(module, lazily=True) if name in FILES and name != module} for module in FILES
    }
    for module, targets in graph.items():  # a package is imported before what is in it
        targets -= {package for package in targets if module.startswith(f"{package}.")}
    list(TopologicalSorter(graph).static_order())


SECTIONS = sorted(path.name for path in (HOUSE / "report" / "sections").iterdir() if (path / "__init__.py").exists())


@pytest.mark.parametrize("name", SECTIONS)
def test_no_section_imports_another(name):
    here = f"ablation.report.sections.{name}"
    others = {f"ablation.report.sections.{other}" for other in SECTIONS if other != name}
    wrong = {module: imports(module, lazily=True) & others for module in FILES if inside(module, here)}
    assert not {module: found for module, found in wrong.items() if found}


@pytest.mark.parametrize("module", ["ablation.report.render.html", "ablation.report.section", "ablation.cli.sections"])
def test_what_shows_any_section_knows_none_by_name(module):
    assert not {name for name in imports(module, lazily=True) if inside(name, "ablation.report.sections")}


TORCH_DRAWS = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli"} | {
    *("multinomial", "normal", "poisson", "random_", "normal_", "uniform_", "bernoulli_", "exponential_"),
}
SEEDERS = {"manual_seed", "manual_seed_all", "set_rng_state", "seed_all", "default_generator"}


def global_randomness(tree: ast.AST) -> list[str]:
    """Every use of a generator that is not a stream of `ablation.core.seeds`, as `line: code`."""
    found = []
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.expr) else ""
        banned = False
        if isinstance(node, ast.Import):
            banned = any(alias.name in ("random", "secrets", "numpy.random") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            banned = node.module in ("random", "secrets", "numpy.random", "torch.random")
        elif isinstance(node, ast.Attribute):
            banned = text.startswith(("np.random.", "numpy.random.")) and text.count(".") == 2
            banned = (banned and node.attr != "Generator") or node.attr in SEEDERS
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = {keyword.arg for keyword in node.keywords}
            of_torch = isinstance(node.func, ast.Attribute) and (called.endswith("_") or text.startswith("torch."))
            banned = (called in TORCH_DRAWS and of_torch and "generator" not in given) or called == "default_rng"
            banned = banned or any(ast.unparse(k) == "random_state=None" for k in node.keywords)
        if banned:
            found.append(f"{node.lineno}: {text or ast.unparse(node)}")
    return found


@pytest.mark.parametrize("module", [module for module in FILES if module != "ablation.core.seeds"])
def test_no_random_state_but_that_of_streams(module):
    assert global_randomness(tree_of(module)) == []


@pytest.mark.parametrize(
    "code",
    [
        "import random", "from random import choice", "np.random.rand(3)", "np.random.default_rng(0)", "default_rng()",
        "np.random.seed(0)", "torch.manual_seed(0)", "torch.cuda.manual_seed(0)", "torch.randperm(4)",
        "torch.rand(3)",
        "torch.randn(3, device=d)", "x.uniform_(0, 1)", "from numpy.random import rand", "TSNE(random_state=None)",
    ],
)  # fmt: skip
def test_the_ban_sees(code):
    assert global_randomness(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    ["stream(0, 'order').random(3)", "torch.rand(3, generator=g)", "def f(g: np.random.Generator): ...", "x.normal"],
)
def test_the_ban_lets_pass(code):
    assert not global_randomness(ast.parse(code))


def names_in_list(module):
    """What a star import takes from a module, as type checkers read it: its `__all__`, else what it imports "as"."""
    body = tree_of(module).body
    written = [node for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    if written:
        return ast.literal_eval(written[0].value)
    return [alias.asname for node in body if isinstance(node, ast.ImportFrom) for alias in node.names if alias.asname]


def test_every_public_name_is_there_and_known_to_type_checkers():
    """Optimizers, schedules and operations by their lists, with a star; all others one by one."""
    block = next(node for node in tree_of("ablation").body if isinstance(node, ast.If))
    homes = {alias.asname: node.module for node in block.body for alias in node.names if alias.name != "*"}
    starred = [node.module for node in block.body if node.names[0].name == "*"]
    assert len(starred) == 3
    homes |= {name: module for module in starred for name in names_in_list(module)}
    assert sorted(ablation.__all__) == sorted(homes)
    for name, home in homes.items():
        assert getattr(ablation, name) is getattr(sys.modules[home], name)
    assert set(dir(ablation)) >= {*ablation.__all__, "__version__"}
    for unknown in ("Adamm", "adam", "__wrapped__"):
        with pytest.raises(AttributeError, match=f"has no attribute '{unknown}'"):
            getattr(ablation, unknown)


HEAVY = ("torch", "torchvision", "mlflow", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "joblib")
HELP = [sys.executable, "-m", "ablation.cli.main", "--help"]


def test_import_and_help_load_nothing_heavy(environment):
    script = "import sys; import ablation, ablation.cli.main; print([name for name in {} if name in sys.modules])"
    command = [sys.executable, "-c", script.format(HEAVY)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
    timed = subprocess.run(
        [HELP[0], "-X", "importtime", *HELP[1:]], env=environment, capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in timed.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & set(HEAVY)
