"""What several tests need: a small experiment on real digits that trains in seconds."""

import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench import Bench, question
from filelock import FileLock
from project import write_experiment

from ablation import SGD, Adam, Brightness, Contrast, Digits, Experiment, Fixed, RandomResizedCrop
from ablation.core.safe import mlflow_key

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as workers have it: read when CUDA is first used
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # as commands have it: read when MLflow is first imported

if TYPE_CHECKING:
    from ablation import Results

ROOT = Path(__file__).parent.parent
CATS = ROOT.parent / "shared" / "data" / "cats12"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's name is the same in every process: pytest-xdist runs nothing where two workers' names differ."""
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError("a test is named by a memory address (give its parameters ids=): " + unstable[0])


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C reaches the tests and what they start, even where a shell runs them in the background and ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny() -> Experiment:
    """Two recipes x two optimizers x three seeds, two epochs on 100 digits."""
    return Experiment(
        name="tiny",
        data=Digits(),
        recipes={"none": (), "crop": (RandomResizedCrop(scale=(0.5, 1.0)), Brightness(0.3), Contrast(0.3))},
        optimizers={"adam": Adam(), "sgd": SGD(lr=0.05, momentum=0.9)},
        baseline="none",
        model="shallow_cnn",
        image_size=8,
        cache_size=8,
        epochs=2,
        batch_size=32,
        split=Fixed(train=100, val=100, test=200),
        seeds=3,
    )


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image cache for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def small(tiny: Experiment) -> Experiment:
    """One run: no augmentation, Adam, seed 0, three epochs."""
    return replace(tiny, name="small", recipes={"none": ()}, optimizers={"adam": Adam()}, seeds=(0,), epochs=3)


@pytest.fixture(scope="module")
def settled():
    """This process computes as a worker does; what that changes is put back."""
    import torch

    from ablation.models.networks import make_deterministic

    threads = torch.get_num_threads()
    make_deterministic(torch.device("cpu"))
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def inside(monkeypatch, settled):
    """Sweeps train in this process, where each start of a worker takes seconds. `jobs` must be 1."""
    from inside import Inside

    monkeypatch.setattr("ablation.training.crew.Worker", Inside)


@pytest.fixture
def one_thread():
    """torch computes on one thread: small networks are slower on two, and a sum is rounded otherwise."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def trained(tmp_path: Path, cache: Path):
    """A function that trains the first run of an experiment in a folder of its own: (run, record, arrays)."""
    import torch

    from ablation.data import build, listing
    from ablation.experiment.runs import runs_of
    from ablation.models.weights_file import keep
    from ablation.training.loop import train

    made = []

    def first_run(experiment, folder=None, device="cpu", **kwargs):
        data = listing(experiment.data, cache)
        made.append(None)
        run = runs_of(experiment.cells(data.digest), folder or tmp_path / str(len(made)))[0]
        run.prepare()
        for weights in experiment.weight_files:
            keep(weights, cache)
        pixels = build(data, run.spec.cache_size, cache)
        return (run, *train(run, pixels, torch.device(device), cache=cache, **kwargs))

    return first_run


@dataclass(frozen=True)
class Finished:
    """A project's folder with experiments/small.py and its finished runs, in runs/ and cache/, not to be changed."""

    folder: Path
    experiment: Experiment
    results: "Results"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One trained experiment for all tests that only read it, and for all workers of pytest-xdist."""
    from ablation import Results, sweep
    from ablation.experiment.files import read

    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "finished"
    with FileLock(base / "finished.lock"):
        path = folder / "experiments" / "small.py"
        file = read(path if path.exists() else write_experiment(folder))
        experiment = replace(file.experiment, question=file.question)
        sweep(experiment, folder / "runs", folder / "cache", jobs=1, device="cpu")
    return Finished(folder, experiment, Results.load(experiment, folder / "runs", folder / "cache"))


@pytest.fixture
def environment() -> dict[str, str]:
    """For `python -m ablation.cli.main` in a subprocess: the package found from any folder, plain output."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHON": sys.executable}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder, with a space in its name."""
    return tmp_path_factory.mktemp("my project")


@pytest.fixture
def bench(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """One experiment, named after the test, beside the store that the tests of a file share."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Bench(home, question(mlflow_key(request.node.name).replace(" ", "_")))
