"""Functions of a user's own, as `ImageFunction` calls them."""

import numpy as np
import torch
from torch import Tensor


def speckled(image: Tensor, rng: np.random.Generator, share: float = 0.1) -> Tensor:
    """Some pixels become white."""
    return torch.where(torch.from_numpy(rng.random(image.shape[1:])) < share, 1.0, image)


def unchanged(image: Tensor, rng: np.random.Generator) -> Tensor:
    return image


def narrower(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A mistake: another shape."""
    return image[:, :, 1:]


def whole_levels(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A mistake: levels of 8 bits."""
    return (image * 255).to(torch.uint8)


def too_bright(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Out of range, in place."""
    return image.mul_(3).sub_(1)


def forgetful(image: Tensor, rng: np.random.Generator) -> None:
    """A mistake: nothing is returned."""


def stumbling(image: Tensor, rng: np.random.Generator) -> Tensor:
    raise RuntimeError("one foot over the other")


DARK = 0.5
