"""What a sample gets is its own: with more samples in the data set, alone in its batch, beside other operations."""

import numpy as np
import pytest
import torch

from ablation.augment import (
    AugMix,
    Brightness,
    CenterCrop,
    Contrast,
    CutMix,
    GaussianBlur,
    ImageFunction,
    MixUp,
    OneOf,
    RandAugment,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomResizedCrop,
    RandomRotation,
    RandomZoomOut,
    Resize,
    Sometimes,
    Strength,
    TorchvisionTransform,
    TrivialAugmentWide,
)  # fmt: skip
from ablation.augment.apply import apply
from ablation.augment.chain import chain
from ablation.augment.draws import draw
from ablation.augment.operations.mix import Mixing, misplaced
from ablation.core.seeds import stream

CROP = RandomResizedCrop()
COUNT = 64
ASPECT = np.geomspace(0.5, 2, COUNT).astype(np.float32)
IMAGES = torch.from_numpy(stream(0, "images").integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8))

RECIPES = [
    (RandomRotation(30), RandomGrayscale(0.05), CROP),
    (TrivialAugmentWide(), CROP),
    (GaussianBlur(5), Sometimes(CROP, 0.9)),
    (OneOf((CROP, Brightness(0.4))), RandomInvert(0.05), RandomHorizontalFlip()),
    (RandomZoomOut(),),
    (RandomInvert(0.5), CROP),
    (RandomErasing(0.2), CROP, RandAugment()),
    (AugMix(), RandomRotation(10)),
]


def shown(recipe, rows, count: int = COUNT) -> torch.Tensor:
    """The rows as they look in a data set of the first `count` samples."""
    rows = np.asarray(rows)
    steps = chain(draw(recipe, 0, 0, ASPECT[:count], 32))
    return apply(steps, IMAGES[torch.from_numpy(rows)], rows, 32)


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: "+".join(operation.stream_name for operation in recipe))
def test_a_sample_looks_the_same_alone_in_its_batch_and_in_a_smaller_data_set(recipe, every):
    whole = shown(recipe, np.arange(COUNT))
    for row in range(0, COUNT, every):
        assert torch.equal(shown(recipe, [row])[0], whole[row])
    for count in (1, 4, 9):
        assert torch.equal(shown(recipe, np.arange(count), count), whole[:count])


@pytest.mark.parametrize(
    ("alone", "beside"),
    [
        (Sometimes(Brightness(0.4)), Sometimes(GaussianBlur(3))),
        (OneOf((Brightness(0.4), Contrast(0.4))), OneOf((GaussianBlur(3), RandomInvert()))),
        (Sometimes(Brightness(0.4)), Strength((TrivialAugmentWide(),), 0.5)),
        (TorchvisionTransform("ColorJitter", {"hue": 0.1}), TorchvisionTransform("ElasticTransform", {"alpha": 5.0})),
    ],
    ids=["sometimes", "one of", "strength", "adapter"],
)
def test_operations_that_hold_others_share_their_draws_too(alone, beside):
    (own,) = draw((alone,), 0, 0, ASPECT, 32).operations
    second = draw((beside, alone), 0, 0, ASPECT, 32).operations[1]
    assert [part.applies.tolist() for part in own] == [part.applies.tolist() for part in second]
    for one, other in zip(own, second, strict=True):
        assert {name: told.tobytes() for name, told in one.parameters.items()} == {
            name: told.tobytes() for name, told in other.parameters.items()
        }


TWICE = Strength((MixUp(), CutMix()), 1.0)
NOT_LAST = Strength((MixUp(), Brightness(0.4)), 1.0)


@pytest.mark.parametrize(
    "recipe",
    [
        (MixUp(), Brightness(0.4)), (MixUp(), CutMix()), (TWICE,), (Sometimes(TWICE),), (OneOf((TWICE,)),),
        (Sometimes(NOT_LAST),), (OneOf((Sometimes(OneOf((MixUp(), Brightness(0.4)))), CutMix())),),
        (OneOf((MixUp(), Brightness(0.4))),), (Sometimes(MixUp()), CutMix()),
    ],
    ids=str,
)  # fmt: skip
def test_mixing_comes_last_and_once_wherever_it_is_held(recipe):
    assert misplaced(recipe)


@pytest.mark.parametrize(
    "recipe",
    [(), (MixUp(),), (CROP, Sometimes(OneOf((MixUp(), CutMix())))), (Strength((CROP, CutMix()), 0.5),)],
    ids=str,
)
def test_mixing_once_and_last_is_well_placed(recipe):
    assert misplaced(recipe) == ""


@pytest.mark.parametrize("before", [(), (CenterCrop(20),), (Resize((20, 48)),)], ids=str)
def test_the_weight_of_cutmix_is_its_share_of_pixels_whatever_the_frame(before):
    drawn = draw((*before, CutMix()), 0, 0, ASPECT, 32)
    mixing = Mixing.of(drawn, np.arange(COUNT))
    ones, zeros = torch.ones(COUNT, 3, 32, 32), torch.zeros(COUNT, 3, 32, 32)
    own = mixing.pictures(ones, zeros, np.arange(COUNT)).mean(dim=(1, 2, 3))
    assert torch.allclose(own, torch.from_numpy(mixing.weight), atol=1e-6)


def test_a_function_is_the_same_wherever_its_file_lies():
    names = [object.__new__(ImageFunction) for _ in range(2)]
    for name, path in zip(names, ("mine.py:f", "./here/mine.py:f"), strict=True):
        object.__setattr__(name, "function", path)
    assert names[0].stream_name == names[1].stream_name == "ImageFunction/f"
