"""How runs are trained: what a device allows, what is recorded of it, and that it reaches the runs."""

import pytest

from ablation import Execution
from ablation.core.errors import InputError


def test_each_device_has_its_own_way():
    assert Execution().on("cpu") == Execution("eager", "contiguous")
    assert Execution().on("cuda:1") == Execution("graph", "channels_last")
    assert Execution("eager", "contiguous", 2).on("cuda") == Execution("eager", "contiguous", 2)


@pytest.mark.parametrize(
    ("execution", "device", "expected"),
    [
        (Execution("graph"), "cpu", "step = 'graph': the CPU has auto, eager, compile"),
        (Execution("fast"), "cpu", "step = 'fast': the CPU has auto, eager, compile"),
        (Execution("fast"), "cuda", "step = 'fast': a GPU has auto, eager, graph, compile"),
        (Execution(memory_format="nhwc"), "cpu", "memory_format = 'nhwc': auto, contiguous, channels_last"),
        (Execution(per_device=2), "cpu", "per_device is for GPUs: the workers of a CPU are given by jobs"),
        (Execution(per_device="auto"), "cpu", "per_device is for GPUs: the workers of a CPU are given by jobs"),
        (Execution(per_device=0), "cuda", "per_device = 0: a number from 1, or 'auto'"),
        (Execution(per_device="all"), "cuda:0", "per_device = 'all': a number from 1, or 'auto'"),
    ],
)
def test_what_a_device_cannot_do_is_refused_with_what_it_can(execution, device, expected):
    with pytest.raises(InputError) as error:
        execution.on(device)
    assert str(error.value) == expected


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="needs a C\\+\\+ compiler, and there is none: install g\\+\\+"):
        Execution("compile").on("cpu")


def test_only_what_changes_bits_is_recorded(monkeypatch):
    monkeypatch.setenv("CXX", "sh")
    assert Execution().environment("cpu") == Execution("eager", "contiguous").environment("cpu") == {}
    assert Execution("graph").environment("cuda") == Execution("eager", "channels_last").environment("cuda:3") == {}
    changed = {"step": "compile", "memory_format": "channels_last"}
    assert Execution("compile", "channels_last").environment("cpu") == changed
    assert Execution(memory_format="contiguous").environment("cuda") == {"memory_format": "contiguous"}
    assert Execution.of({"device": "cpu", **changed}) == Execution("compile", "channels_last")
    assert Execution.of({"device": "cpu"}) == Execution()
