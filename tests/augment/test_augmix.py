"""AugMix, built again from the uniforms as its class says, with torchvision's operations and tables."""

import numpy as np
import pytest
import torch
from catalogue import frames_of, pictures, uniforms_for
from scipy.stats import beta, gamma
from test_policy import applied, close, magnitude_of, torchvisions
from torch import Tensor
from torchvision.transforms import v2

from ablation.augment import AugMix
from ablation.augment.operations import policy

SIDE = 48


def mixed(operation: AugMix, image: Tensor, row: np.ndarray) -> Tensor:
    """torchvision's loop over chains and operations, with these uniforms in place of its draws."""
    theirs = v2.AugMix._AUGMENTATION_SPACE if operation.all_ops else v2.AugMix._PARTIAL_AUGMENTATION_SPACE
    names = [name for name in policy.AUGMIX if name in theirs]
    deepest = operation.chain_depth if operation.chain_depth > 0 else 3
    chains = row[1:].reshape(operation.mixture_width, 2 + 3 * deepest)
    kept = beta.ppf(row[0], operation.alpha, operation.alpha)
    shares = gamma.ppf(chains[:, 0], operation.alpha)
    found = kept * image
    for share, told in zip(shares / shares.sum(), chains, strict=True):
        seen = image
        depth = deepest if operation.chain_depth > 0 else int(told[1] * 3) + 1
        for which, level, sign in told[2:].reshape(deepest, 3)[:depth]:
            name = names[int(which * len(names))]
            seen = torchvisions(seen, name, magnitude_of(theirs, name, 10, int(level * operation.severity), sign < 0.5))
        found = found + (1 - kept) * share * seen
    return found


@pytest.mark.parametrize(
    "operation", [AugMix(), AugMix(10, 2, 2, 0.5), AugMix(5, 1, 1, all_ops=False), AugMix(4, 4, alpha=3)], ids=str
)
def test_augmix_adds_up_torchvisions_chains(operation):
    """White that was turned and comes out as 1 - 6e-8 may be left alone by solarizing at 1, where 1 would become black:
    2 numbers in 1,000 here, in the few chains that do so; all others agree to 0.02 levels.
    """
    images = pictures(SIDE, SIDE, 100)
    uniforms = uniforms_for(operation, len(images))
    got = applied(operation.parts(uniforms, frames_of(images)), images)
    expected = torch.stack([mixed(operation, *pair) for pair in zip(images, uniforms, strict=True)]).float()
    assert close(got, expected, share=0.002)
    assert not close(got, images, share=0.3)


def test_weights_sum_to_one_for_every_shape_of_their_distribution():
    for alpha in (0.01, 0.3, 1.0, 20.0):
        operation = AugMix(alpha=alpha)
        ((_, drawn, _),) = operation.parts(uniforms_for(operation, 2000), np.full((2000, 2), 32.0))
        assert drawn["weights"].min() >= 0
        assert drawn["weights"].sum(axis=1) == pytest.approx(1, abs=1e-6)
