"""Noise made from keys: normal or uniform, the same everywhere, and without a trace of key or place."""

import numpy as np
import pytest
import torch
from catalogue import alone, pictures
from scipy.stats import kstest

from ablation.augment import GaussianNoise, RandomErasing
from ablation.augment.noise import normal, uniform
from ablation.augment.operation import keys
from ablation.core.seeds import stream

KEYS = torch.from_numpy(keys(stream(0, "keys").random(200)))
NEIGHBOURS = torch.arange(200)
"""Keys that differ in their last bits only."""
LINKED = 5 / np.sqrt(200 * 1000)
"""A correlation of as many independent pairs is smaller, but once in a million times."""


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return abs(np.corrcoef(one.flatten(), other.flatten())[0, 1])


@pytest.mark.parametrize("chosen", [KEYS, NEIGHBOURS], ids=["random", "neighbouring"])
@pytest.mark.parametrize("count", [1000, 1001])
def test_noise_has_its_distribution_over_pixels_and_over_keys(chosen, count):
    for made, name in ((normal(chosen, count), "norm"), (uniform(chosen, count), "uniform")):
        assert made.shape == (200, count)
        assert made.dtype == torch.float32
        assert made.isfinite().all()
        assert kstest(made.flatten().numpy(), name).pvalue > 1e-3
        for row in range(0, 200, 40):
            assert kstest(made[row].numpy(), name).pvalue > 1e-4
            assert kstest(made[:, row].numpy(), name).pvalue > 1e-4


@pytest.mark.parametrize("chosen", [KEYS, NEIGHBOURS], ids=["random", "neighbouring"])
@pytest.mark.parametrize("make", [normal, uniform])
def test_neighbours_and_halves_are_not_correlated(make, chosen):
    """Both halves come from the same pairs of uniforms (Box and Muller)."""
    made = make(chosen, 1000)
    assert correlation(made[:, 1:], made[:, :-1]) < LINKED
    assert correlation(made[1:], made[:-1]) < LINKED
    assert correlation(made[:, :500], made[:, 500:]) < LINKED * 1.5
    assert correlation(made[:, :500] ** 2, made[:, 500:] ** 2) < LINKED * 1.5
    assert len(np.unique(made)) > 0.95 * made.numel()


def test_mean_and_deviation_are_a_standard_normals():
    made = normal(KEYS, 5000).double()
    assert abs(made.mean()) < 5 / 1000
    assert abs(made.std() - 1) < 5 / 1000
    assert abs((made**3).mean()) < 0.02
    assert abs((made**4).mean() - 3) < 0.05
    assert 4.5 < made.max() < 6.7


def test_a_keys_noise_is_the_same_in_every_batch():
    whole = normal(KEYS, 999)
    for rows in ([7], [7, 3], list(range(100, 200))):
        assert torch.equal(normal(KEYS[rows], 999), whole[rows])


def test_noise_is_added_with_its_mean_and_deviation():
    grey = torch.full((100, 3, 40, 40), 0.5)
    for operation in (GaussianNoise(), GaussianNoise(0.05, 0.02), GaussianNoise(-0.1, 0.03)):
        drawn = operation.draw(stream(0, "noise").random((100, 1)), np.ones((100, 2)))
        added = (alone(operation, grey, drawn, 40) - 0.5).double()
        assert abs(added.mean() - operation.mean) < 5 * operation.sigma / np.sqrt(grey.numel())
        assert abs(added.std() / operation.sigma - 1) < 0.01
        assert correlation(added[:, 0], added[:, 1]) < 0.02, "each channel has its own"


def test_noise_is_clipped_as_torchvision_clips_it():
    images = pictures(40, 40)
    operation = GaussianNoise(0.3, 0.5)
    drawn = operation.draw(stream(0, "noise").random((50, 1)), np.ones((50, 2)))
    noise = normal(torch.from_numpy(drawn["key"]), 3 * 40 * 40).view_as(images)
    assert torch.equal(alone(operation, images, drawn, 40), (images + (0.3 + noise * 0.5)).clamp(0, 1))


def test_erased_noise_is_uniform():
    operation = RandomErasing(1, (0.3, 0.9), value="random")
    drawn = operation.draw(stream(0, "erased").random((50, operation.uniforms)), np.full((50, 2), 40.0))
    black = torch.zeros(50, 3, 40, 40)
    erased = alone(operation, black, drawn, 40)
    assert kstest(erased[erased > 0].numpy(), "uniform").pvalue > 1e-3
