"""The doctor: what it finds on this machine, trouble with advice, and measured rates that are stored and read back."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch

from ablation.cli.console import console
from ablation.cli.doctor import show_facts, show_machine
from ablation.training.cost import doctor
from ablation.training.cost.benchmark import Trial, measure
from ablation.training.cost.doctor import examine
from ablation.training.cost.rates import fitted, remember, remembered
from ablation.training.crew import choose_devices

TINY = (Trial("shallow_cnn", 8, 8), Trial("shallow_cnn", 16, 8), Trial("mobilenet_v3_small", 32, 4))


@pytest.fixture
def unsettled():
    """Put back what measuring settles for its process."""
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def test_what_the_machine_has(tmp_path):
    facts = {fact.name: fact for fact in examine(tmp_path / "runs")}
    assert facts["Python"].value == platform.python_version()
    assert facts["torch"].value == version("torch")
    assert f"{len(choose_devices('cpu', None, 100))} core" in facts["CPU"].value
    assert facts[f"disk of {tmp_path / 'runs'}"].value.endswith("GB free")
    assert not (tmp_path / "runs").exists()
    with console.capture() as captured:
        show_facts(list(facts.values()))
    assert version("torchvision") in captured.get()


def test_the_cores_are_those_for_which_run_starts_workers(tmp_path, monkeypatch):
    """Fewer than the machine has, where a container or the user says so."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    [told] = [fact.value for fact in examine(tmp_path / "runs") if fact.name == "CPU"]
    assert "1 core for this process" in told
    assert len(choose_devices("cpu", None, 100)) == 1


def test_a_machine_without_mlflow_is_told_what_to_do(monkeypatch, tmp_path):
    def missing(package: str) -> str:
        if package == "mlflow":
            raise PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(doctor, "version", missing)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    [fact] = [fact for fact in examine(tmp_path) if fact.name == "mlflow"]
    assert fact.value == "not installed"
    assert "--no-tracking" in fact.advice


@pytest.mark.usefixtures("unsettled")
def test_measured_rates_are_real_and_read_back(tmp_path, monkeypatch):
    machine = measure("cpu", TINY, rounds=1)
    remember(machine, tmp_path)
    assert remembered(tmp_path) == machine
    assert (machine.device, machine.precision, machine.threads) == ("cpu", "float32", 1)
    assert [(point.network, point.image_size, point.batch_size) for point in machine.points] == [
        (trial.network, trial.image_size, trial.batch_size) for trial in TINY
    ]
    small, large = machine.points[:2]
    assert 0 < small.evaluation_seconds < large.training_seconds
    assert large.training.macs == pytest.approx(4 * small.training.macs, rel=0.1)
    assert machine.torch == version("torch")  # by which `remembered` knows them, without importing torch
    names = [point.network for point in machine.points]
    trained = [(point.training, point.training_seconds) for point in machine.points]
    evaluated = [(point.evaluation, point.evaluation_seconds) for point in machine.points]
    for rates, measured in ((machine.training, trained), (machine.evaluation, evaluated)):
        assert rates == fitted(names, *zip(*measured, strict=True))
        off = [rates.seconds(load) / seconds - 1 for load, seconds in measured]
        assert sum(error**2 for error in off) < 0.05, "three points, and rates enough to meet each"
    monkeypatch.setattr(console, "width", 60)
    with console.capture() as captured:
        show_machine(machine, Path("cache") / "rates.json")
    assert max(map(len, captured.get().splitlines())) <= 60
    assert "mobilenet_v3_small" in captured.get()
    assert "typically within" in captured.get()


@pytest.mark.gpu
@pytest.mark.usefixtures("unsettled")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_measured_with_its_memory(tmp_path):
    trials = (Trial("resnet18", 64, 32), Trial("shallow_cnn", 64, 32), Trial("mobilenet_v3_small", 64, 32))
    machine = measure("cuda:0", trials, rounds=1)
    assert machine.precision == "bfloat16"
    assert all(point.memory and point.memory_expected for point in machine.points)
    assert 0.5 < machine.memory_factor < 2
