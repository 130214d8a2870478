"""A recipe as it is drawn and applied: shared draws, one resampling for neighbours, and nothing for nothing."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from ablation.augment import Brightness, Contrast, RandomHorizontalFlip, RandomResizedCrop
from ablation.augment.chain import Adjust, Resample, apply, chain, draw
from ablation.seeds import stream

CROP, FLIP = RandomResizedCrop(scale=(0.35, 1.0)), RandomHorizontalFlip()
COUNT = 60
ASPECT = np.geomspace(0.5, 2, COUNT).astype(np.float32)
ROWS = np.arange(COUNT)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """(60, 3, 40, 40) uint8; the first 20 are white, where a rounding above 1 would be clamped by what comes next."""
    made = stream(0, "images").integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    made[:20] = 255
    return torch.from_numpy(made)


def augmented(recipe, images, rows=ROWS, size=32, seed=0, epoch=0, aspect=ASPECT) -> torch.Tensor:
    return apply(chain(recipe, draw(recipe, seed, epoch, aspect), aspect), images[rows], rows, size)


def kinds(recipe) -> list[type]:
    return [type(step) for step in chain(recipe, draw(recipe, 0, 0, ASPECT), ASPECT)]


def test_neighbouring_geometry_is_one_resampling():
    assert kinds(()) == [Resample]
    assert kinds((CROP,)) == kinds((FLIP,)) == kinds((CROP, FLIP)) == kinds((FLIP, CROP, FLIP, CROP)) == [Resample]
    assert kinds((CROP, Brightness(0.1), FLIP, CROP)) == [Resample, Adjust, Resample]
    assert kinds((Brightness(0.1), Contrast(0.1))) == [Resample, Adjust, Adjust]
    assert kinds((Brightness(0.1), CROP)) == [Adjust, Resample]


def test_a_centre_crop_comes_first_unless_the_recipe_frames():
    (centred,) = chain((), [], np.array([2.0, 1.0, 0.5]))
    expected = [[0.25, 0, 0.75, 1], [0, 0, 1, 1], [0, 0.25, 1, 0.75]]
    assert centred.boxes.tolist() == expected
    (flipped,) = chain((FLIP,), [{"box": np.array([[1, 0, 0, 1]] * 3, np.float32)}], np.array([2.0, 1.0, 0.5]))
    assert flipped.boxes.tolist() == [[right, top, left, bottom] for left, top, right, bottom in expected]
    drawn = draw((CROP,), 0, 0, ASPECT)
    (framed,) = chain((CROP,), drawn, ASPECT)
    assert framed.boxes.tobytes() == drawn[0]["box"].tobytes()


@pytest.mark.parametrize(
    "recipe", [(CROP, Brightness(0.4)), (Brightness(0.4), CROP), (FLIP, Contrast(0.1), CROP)], ids=str
)
def test_recipes_that_share_an_operation_share_its_draws_bit_for_bit(recipe):
    for seed, epoch in ((0, 0), (3, 7)):
        (alone,) = draw((CROP,), seed, epoch, ASPECT)
        assert draw(recipe, seed, epoch, ASPECT)[recipe.index(CROP)]["box"].tobytes() == alone["box"].tobytes()


def test_draws_change_with_seed_and_epoch():
    drawn = [draw((CROP,), seed, epoch, ASPECT)[0]["box"] for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.isin(drawn[one][:, 0], drawn[other][:, 0]).any()


def test_two_strengths_see_the_same_uniforms():
    weak, strong = (draw((Brightness(strength),), 0, 0, ASPECT)[0]["factor"] for strength in (0.2, 0.4))
    assert strong - 1 == pytest.approx(2 * (weak - 1), abs=1e-6)


def test_the_second_occurrence_has_draws_of_its_own():
    first, other, second = draw((Brightness(0.4), Contrast(0.4), Brightness(0.4)), 0, 0, ASPECT)
    assert first["factor"].tobytes() == draw((Brightness(0.4),), 0, 0, ASPECT)[0]["factor"].tobytes()
    assert not np.isin(first["factor"], second["factor"]).any()
    assert not np.isin(first["factor"], other["factor"]).any()


@pytest.mark.parametrize("recipe", [(), (CROP,), (CROP, FLIP, Brightness(0.4), Contrast(0.4))], ids=len)
def test_a_sample_looks_the_same_in_every_batch(recipe, images):
    """Its parameters are the same bits; a matrix product over another batch may round its last bit otherwise."""
    whole = augmented(recipe, images)
    shuffled = stream(0, "order").permutation(COUNT)
    assert (augmented(recipe, images, shuffled) - whole[shuffled]).abs().max() < 1e-6
    for rows in (np.array([31]), np.array([7, 31]), ROWS[20:]):
        assert (augmented(recipe, images, rows) - whole[rows]).abs().max() < 1e-6


NOTHING = {
    "brightness 0": (Brightness(0),),
    "contrast 0": (Contrast(0),),
    "factors of one": (Brightness((1, 1)), Contrast((1, 1))),
    "flip never": (RandomHorizontalFlip(0),),
    "all of them": (RandomHorizontalFlip(0), Contrast(0), Brightness(0)),
}


@pytest.mark.parametrize("recipe", NOTHING.values(), ids=NOTHING)
def test_strength_0_is_no_operation_to_the_last_bit(recipe, images):
    assert torch.equal(augmented(recipe, images), augmented((), images))
    assert torch.equal(augmented(recipe, images, size=40), augmented((), images, size=40))


def test_a_crop_of_everything_is_no_operation_on_square_pictures(images):
    square, everything = np.ones(COUNT, np.float32), (RandomResizedCrop((1, 1), (1, 1)),)
    assert torch.equal(augmented(everything, images, aspect=square), augmented((), images, aspect=square))


def test_a_recipe_is_torchvisions_operations_one_after_another(images):
    recipe = (CROP, FLIP, Contrast(0.4), Brightness(0.4))
    drawn = draw(recipe, 0, 0, ASPECT)
    got = augmented(recipe, images)
    for row in range(COUNT):
        left, top, right, bottom = (int(edge) for edge in np.round(drawn[0]["box"][row] * np.float32(40)))
        one = images[row].float() / 255
        one = functional.resized_crop(one, top, left, bottom - top, right - left, [32, 32], antialias=True)
        one = functional.horizontal_flip(one) if drawn[1]["box"][row, 0] else one
        one = functional.adjust_contrast(one, float(drawn[2]["factor"][row]))
        one = functional.adjust_brightness(one, float(drawn[3]["factor"][row]))
        assert (got[row] - one).abs().max() <= 0.02 / 255


def test_the_cached_images_are_not_written_to(images):
    before = images.clone()
    augmented((Brightness(0.4), CROP), images)
    assert torch.equal(images, before)


def stored(picture: np.ndarray, side: int) -> torch.Tensor:
    """A picture (H, W, 3) stretched to a square, as the cache keeps it."""
    square = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1)


def resize_and_centre_crop(picture: np.ndarray, size: int) -> torch.Tensor:
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Resize(size), v2.CenterCrop(size)])
    return torch.as_tensor(transform(picture.copy()))


def slope(width: int, height: int) -> np.ndarray:
    """A picture that says where it is: red rises to the right, green downwards, 240 levels along the longer side."""
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    red, green = 127.5 + 240 * x / max(width, height), 127.5 + 240 * y / max(width, height)
    return np.stack([red, green, np.zeros_like(red)], axis=2).round().astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(640, 427), (427, 640), (900, 300), (500, 500)])
def test_stretching_to_a_square_costs_no_geometry(width, height):
    """The centre crop shows the place that Resize and CenterCrop show.

    On a slope a shift is a difference in colour. The box is rounded to whole pixels of the 256 that are kept, so an
    edge may be off by half of one along the longer side, 240 / 256 / 2 levels; 8 bits round twice: another 1.5.
    """
    picture, aspect = slope(width, height), np.array([width / height], np.float32)
    got = apply(chain((), [], aspect), stored(picture, 256)[None], np.array([0]), 128)[0]
    assert (got - resize_and_centre_crop(picture, 128)).abs().max() * 255 <= 240 / 256 / 2 + 1.5


@pytest.mark.parametrize("place", [0, 1])
def test_a_photograph_looks_as_torchvision_shows_it(place):
    """Two resamplings in place of one blur a little: 4 levels on average; a shift by 2 pixels costs more than 10."""
    photograph = load_sample_images().images[place]
    aspect = np.array([photograph.shape[1] / photograph.shape[0]], np.float32)
    got = apply(chain((), [], aspect), stored(photograph, 256)[None], np.array([0]), 128)[0]
    expected = resize_and_centre_crop(photograph, 128)
    assert (got - expected).abs().mean() * 255 < 4
    assert (got.roll(2, dims=2) - expected).abs().mean() * 255 > 10


def test_pixels_stay_float32_under_autocast():
    aspect = np.ones(3)
    recipe = (RandomResizedCrop(), Contrast(0.4))
    steps = chain(recipe, draw(recipe, 0, 0, aspect), aspect)
    images = torch.randint(0, 256, (3, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    plain = apply(steps, images, np.arange(3), 8)
    with torch.autocast("cpu", torch.bfloat16):
        cast = apply(steps, images, np.arange(3), 8)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)
