"""The doctor: what it finds on this machine, trouble with advice, and measured rates that are stored and read back."""

import platform
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch

from ablation.cli.console import console
from ablation.cli.console_doctor import show_facts, show_machine
from ablation.training.cost.benchmark import Trial, measure
from ablation.training.cost.doctor import examine
from ablation.training.cost.rates import fitted, remember, remembered
from ablation.training.sweep import choose_devices

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


def test_a_machine_without_mlflow_is_told_what_to_do(environment, tmp_path):
    """In a process that finds no metadata of MLflow, as where it was never installed."""
    script = (
        "import importlib.metadata as metadata, sys\n"
        "class Without(metadata.DistributionFinder):\n"
        "    def find_distributions(self, context=metadata.DistributionFinder.Context()):\n"
        "        if context.name == 'mlflow': raise metadata.PackageNotFoundError('mlflow')\n"
        "        return iter(())\n"
        "    def find_spec(self, name, path=None, target=None): return None\n"
        "sys.meta_path.insert(0, Without()); sys.modules['mlflow'] = None\n"
        "from pathlib import Path; from ablation.training.cost.doctor import examine\n"
        "print([fact for fact in examine(Path('.')) if fact.name == 'mlflow'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "not installed" in told.stdout
    assert "--no-tracking" in told.stdout


@pytest.mark.usefixtures("unsettled")
def test_measured_rates_are_real_and_read_back(tmp_path):
    machine = measure("cpu", TINY, rounds=1)
    path = remember(machine, tmp_path)
    assert remembered(tmp_path) == machine
    assert (machine.device, machine.precision, machine.threads) == ("cpu", "float32", 1)
    assert [(point.network, point.image_size, point.batch_size) for point in machine.points] == [
        (trial.network, trial.image_size, trial.batch_size) for trial in TINY
    ]
    small, large = machine.points[:2]
    assert 0 < small.looking_seconds < large.training_seconds
    assert large.training.macs == pytest.approx(4 * small.training.macs, rel=0.1)
    assert machine.torch == version("torch")  # by which `remembered` knows them, without importing torch
    names = [point.network for point in machine.points]
    trained = [(point.training, point.training_seconds) for point in machine.points]
    looked = [(point.looking, point.looking_seconds) for point in machine.points]
    for rates, measured in ((machine.training, trained), (machine.looking, looked)):
        assert rates == fitted(names, *zip(*measured, strict=True))
        off = [rates.seconds(load) / seconds - 1 for load, seconds in measured]
        assert sum(error**2 for error in off) < 0.05, "three points, and rates enough to meet each"
    with console.capture() as captured:
        show_machine(machine, path)
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
