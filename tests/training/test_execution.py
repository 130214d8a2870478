"""How runs are trained: what a device allows, what is recorded of it, and that it reaches the runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ablation import Execution, InputError, sweep
from ablation.data import listing
from ablation.experiment.record import read_arrays
from ablation.training.ahead import ahead
from ablation.training.retrain import other_environment, retrain


def test_each_device_has_its_own_way():
    assert Execution().on("cpu", "lenet") == Execution("eager", "channels_last")
    assert Execution().on("cuda:1", "lenet") == Execution("graph", "channels_last")
    assert Execution("eager", "contiguous", 2).on("cuda", "lenet") == Execution("eager", "contiguous", 2)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_network_of_ones_own_is_given_images_as_torch_makes_them(device):
    """Its code may have `view`, which other memory formats do not allow; it is channels_last where that is chosen."""
    assert Execution().on(device, "networks:mine").memory_format == "contiguous"
    assert Execution(memory_format="channels_last").on(device, "networks:mine").memory_format == "channels_last"


@pytest.mark.parametrize(
    ("execution", "device", "expected"),
    [
        (Execution("graph"), "cpu", "step = 'graph' (--step): the CPU has auto, eager, compile"),
        (Execution("fast"), "cpu", "step = 'fast' (--step): the CPU has auto, eager, compile"),
        (Execution("fast"), "cuda", "step = 'fast' (--step): a GPU has auto, eager, graph, compile"),
        (Execution(memory_format="nhwc"), "cpu", "memory_format = 'nhwc': auto, contiguous, channels_last"),
        (
            Execution(per_device=2),
            "cpu",
            "per_device (--per-device) is for GPUs: of a CPU, jobs (--jobs) gives the workers",
        ),
        (
            Execution(per_device="auto"),
            "cpu",
            "per_device (--per-device) is for GPUs: of a CPU, jobs (--jobs) gives the workers",
        ),
        (Execution(per_device=0), "cuda", "per_device = 0: a number from 1, or 'auto'"),
        (Execution(per_device="all"), "cuda:0", "per_device = 'all': a number from 1, or 'auto'"),
    ],
)
def test_what_a_device_cannot_do_is_refused_with_what_it_can(execution, device, expected):
    with pytest.raises(InputError) as error:
        execution.check(device)
    assert str(error.value) == expected


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="needs a C\\+\\+ compiler, and there is none: install g\\+\\+"):
        Execution("compile").check("cpu")


def test_only_what_changes_bits_is_recorded(monkeypatch):
    monkeypatch.setenv("CXX", "sh")
    assert Execution("graph", "channels_last").environment == {"memory_format": "channels_last"}
    compiled = Execution("compile", "contiguous", 4)
    assert compiled.environment == {"step": "compile", "memory_format": "contiguous"}
    assert Execution.of({"device": "cpu", **compiled.environment}) == Execution("compile", "contiguous")
    assert Execution.of({"device": "cpu"}) == Execution()


CONTIGUOUS = Execution(memory_format="contiguous")


def test_the_memory_format_reaches_the_network_and_the_record(small, trained, settled):
    (_, usual, arrays), (_, record, others) = trained(small), trained(small, execution=CONTIGUOUS)
    assert usual.environment["memory_format"] == "channels_last"
    assert record.environment == usual.environment | {"memory_format": "contiguous"}
    assert not np.array_equal(arrays.logits, others.logits), "other kernels, other last bits"
    assert np.allclose(arrays.logits, others.logits, atol=0.05)
    (_, again, same) = trained(small, execution=CONTIGUOUS)
    assert again.digest(same) == record.digest(others)


def test_a_checkpoint_of_another_way_to_compute_is_not_gone_on_from(small, trained, tmp_path, settled):
    def stop(event):
        if event["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(small, tmp_path / "one", report=stop)
    run, record, arrays = trained(small, tmp_path / "one", execution=CONTIGUOUS)
    reasons = [event.get("reason") for event in run.journal.events()]
    assert "the checkpoint is of another device or version" in reasons
    assert record.digest(arrays) == trained(small, execution=CONTIGUOUS)[1].digest(arrays)


def test_a_run_is_trained_again_as_it_was(small, cache, tmp_path):
    """By workers, to whom the execution is sent."""
    (run,) = sweep(small, tmp_path / "runs", cache, device="cpu", execution=CONTIGUOUS)
    record = run.record()
    assert record.environment["memory_format"] == "contiguous"
    assert other_environment(record, "cpu") == ()
    assert retrain(run, small, listing(small.data, cache), cache, "cpu") == ()
    unlike = replace(record, environment={**record.environment, "memory_format": "channels_last", "torch": "1.0"})
    (said,) = other_environment(unlike, "cpu")
    assert said.startswith("torch 1.0, now "), "what can be chosen again is"


@pytest.mark.slow
def test_a_compiled_run_says_so_and_keeps_its_kernels(small, cache, tmp_path):
    """Two seeds by one worker: the second is computed by the kernels of the first."""
    experiment = replace(small, seeds=(0, 1))
    runs = sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", execution=Execution("compile"))
    assert {run.status() for run in runs} == {"finished"}, [run.failure() for run in runs]
    assert {run.record().environment["step"] for run in runs} == {"compile"}
    assert any((cache / "compiled").rglob("*.so"))
    eager = sweep(experiment, tmp_path / "eager", cache, jobs=1, device="cpu")
    assert np.allclose(*(read_arrays(some[0].folder).logits for some in (runs, eager)), atol=0.05)


def test_batches_come_as_they_are_on_a_cpu():
    made = [(torch.tensor([number]), torch.tensor([number])) for number in range(5)]
    taken = []
    batches = ahead((taken.append(batch) or batch for batch in made), torch.device("cpu"))
    assert taken == []
    for number, batch in enumerate(batches, 1):
        assert batch is made[number - 1]
        assert len(taken) == number, "none is made before it is asked for"
