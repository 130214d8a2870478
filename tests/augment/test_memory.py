"""What a batch needs beyond its input and output, counted by the benchmark's own meter."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "augment.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = spec_from_file_location("benchmark_augment", BENCHMARK)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_meter_counts_what_is_alive_at_once(benchmark):
    output = benchmark.BATCH * 3 * 10 * 10 * 4

    def run():
        first = torch.zeros(output // 4)
        second = first + 1
        del first
        return second + 1

    assert benchmark.extra_memory(run, 10, torch.device("cpu")) == pytest.approx(1)


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_a_batch_needs_at_most_three_times_its_output_beyond_input_and_output(benchmark, name, monkeypatch):
    monkeypatch.setattr(benchmark, "kornia_chain", lambda name, size: None)
    run = benchmark.arms(name, 256, 196, torch.device("cpu"))["ours"]
    run()
    assert benchmark.extra_memory(run, 196, torch.device("cpu")) <= 3
