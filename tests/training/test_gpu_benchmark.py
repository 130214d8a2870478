"""The script that is run where a GPU can be had for minutes: it must not fail there for what shows here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
GPU = [sys.executable, ROOT / "benchmarks" / "gpu.py"]


@pytest.fixture(scope="module")
def gpu():
    import gpu

    return gpu


def test_where_the_time_of_kernels_went(gpu):
    ran = [
        gpu.Kernel("sm90_xmma_fprop_implicit_gemm", 7, 100.0, 40.0),
        gpu.Kernel("grid_sampler_2d_kernel", 20, 110.0, 20.0),  # beside it
        gpu.Kernel("void at::native::batch_norm_backward_elemt", 7, 150.0, 20.0),
        gpu.Kernel("multi_tensor_apply_kernel", 7, 170.0, 10.0),
        gpu.Kernel("vectorized_elementwise_kernel", 7, 190.0, 10.0),
    ]
    expected = {"convolution": 0.4, "batch norm": 0.2, "optimizer": 0.1, "augmentation": 0.2, "other": 0.1, "gaps": 0.2}
    assert gpu.spent(list(reversed(ran))) == expected
    assert gpu.spent([]) == {}


def test_what_eager_operations_move(gpu):
    images = torch.zeros(4, 8)
    with gpu.Traffic() as traffic:
        images.view(8, 4)
        assert traffic.bytes == 0, "a view moves nothing"
        images + 1
        assert traffic.bytes == 2 * images.nbytes
        images.mul_(2)
    assert traffic.bytes == 4 * images.nbytes


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device, which would be measured")
def test_without_a_gpu_it_says_so(tmp_path, environment):
    ended = subprocess.run(
        [*GPU, "--results", tmp_path], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("NOT MEASURED: there is no CUDA device here")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_part_runs_on_a_cpu(tmp_path, environment):
    words = ["--dry", "--results", tmp_path, "--machine", "test"]
    ended = subprocess.run([*GPU, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    written = json.loads((tmp_path / "gpu-test.json").read_text("utf-8"))
    assert written["notes"] == [], ended.stdout
    assert list(written["results"]) == ["levers", "batch 256", "loop", "small", "several", "augmentation"]
    speeds = [arm["images_per_second"]["median"] for arms in written["results"].values() for arm in arms.values()]
    assert len(speeds) == 15
    assert min(speeds) > 0
    assert written["facts"]["limits"].keys() >= {"images_per_second_by_products", "images_per_second_by_memory"}
    assert "images_per_second: graph / eager" in written["ratios"]["levers"]
