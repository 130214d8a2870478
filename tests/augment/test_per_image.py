"""Anything else, one image at a time: torchvision's transforms by name, and functions of a user's own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from catalogue import augmented, pictures, stored
from torchvision.transforms import v2

from ablation.augment import ImageFunction, TorchvisionTransform
from ablation.core.errors import AblationError, InputError
from ablation.core.own_code import shown
from ablation.core.seeds import stream, torch_stream
from ablation.core.values import label, plain, restore
from ablation.experiment.spec import CLASSES

COUNT, SIDE = 20, 32
KEYS = stream(0, "keys").integers(0, 2**31, COUNT)
TRANSFORMS = [
    TorchvisionTransform("RandomPhotometricDistort"),
    TorchvisionTransform("ElasticTransform", {"alpha": 30.0}),
    TorchvisionTransform("RandomResizedCrop", {"size": SIDE, "scale": (0.2, 1.0)}),
    TorchvisionTransform("ColorJitter", {"brightness": 0.4, "hue": 0.2}),
    TorchvisionTransform("RandomHorizontalFlip"),
]
FUNCTIONS = [ImageFunction("speckles:speckled"), ImageFunction("speckles:speckled", {"share": 0.4})]


def applied(operation, images: torch.Tensor, keys=KEYS) -> torch.Tensor:
    return operation.apply(images, {"key": torch.as_tensor(keys)})


@pytest.mark.parametrize("operation", TRANSFORMS, ids=label)
def test_a_transform_is_torchvisions_own_with_draws_of_this_sample(operation):
    images = pictures(SIDE, SIDE, COUNT)
    got = applied(operation, images)
    for place, image in enumerate(images):
        with torch_stream(int(KEYS[place]), operation.name):
            expected = getattr(v2, operation.name)(**operation.arguments)(image)
        assert torch.equal(got[place], expected.clamp(0, 1))
    assert not torch.equal(got, images)


def test_a_function_gets_a_picture_a_generator_and_its_arguments():
    images = pictures(SIDE, SIDE, COUNT)
    few, many = (applied(operation, images) for operation in FUNCTIONS)
    rng = stream(int(KEYS[3]), "speckled")
    expected = torch.where(torch.from_numpy(rng.random((SIDE, SIDE))) < 0.4, 1.0, images[3])
    assert torch.equal(many[3], expected)
    assert (many != images).sum() > 2 * (few != images).sum() > 0


@pytest.mark.parametrize("operation", TRANSFORMS + FUNCTIONS, ids=label)
def test_a_sample_gets_the_same_in_every_batch_and_others_something_else(operation):
    images = pictures(SIDE, SIDE, COUNT)
    whole = applied(operation, images)
    for rows in ([7], [7, 3], list(range(10, COUNT))):
        assert torch.equal(applied(operation, images[rows], KEYS[rows]), whole[rows])
    alike = applied(operation, images[:1].expand(COUNT, -1, -1, -1))
    assert len({picture.numpy().tobytes() for picture in alike}) > 1


@pytest.mark.parametrize("operation", TRANSFORMS + FUNCTIONS, ids=label)
def test_torchs_own_random_state_is_left_as_it_was(operation):
    before = torch.random.get_rng_state()
    augmented((operation,), stored(SIDE, 3), SIDE)
    assert torch.equal(torch.random.get_rng_state(), before)


WRONG = {
    "no such transform": (lambda: TorchvisionTransform("ElasticTransfrm"), "did you mean 'ElasticTransform'?"),
    "a function, not a transform": (lambda: TorchvisionTransform("functional"), "is no transform of torchvision"),
    "no such argument": (lambda: TorchvisionTransform("ColorJitter", {"brightnes": 1}), "ColorJitter(brightnes=1): "),
    "a wrong argument": (lambda: TorchvisionTransform("ColorJitter", {"hue": 3}), "ColorJitter(hue=3): hue values"),
    "no such file": (lambda: ImageFunction("nowhere.py:f"), "'nowhere.py:f' cannot be loaded"),
    "no such module": (lambda: ImageFunction("nowhere.at.all:f"), "cannot be loaded (No module named 'nowhere'"),
    "no such function": (lambda: ImageFunction("speckles:freckled"), "no attribute 'freckled'"),
    "no function named": (lambda: ImageFunction("speckles"), "write 'file.py:name' or 'package.module:name'"),
    "not a function": (lambda: ImageFunction("speckles:DARK"), "speckles:DARK"),
    "no such argument of it": (lambda: ImageFunction("speckles:speckled", {"shares": 1}), "shares"),
}


@pytest.mark.parametrize(("make", "told"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_when_it_is_written(make, told):
    with pytest.raises(InputError) as raised:
        make()
    (problem,) = raised.value.problems
    assert told in str(problem)


WRONGLY_RETURNED = {
    "another shape": (ImageFunction("speckles:narrower"), "narrower returned torch.float32 (3, 32, 31) for a float32"),
    "whole levels": (ImageFunction("speckles:whole_levels"), "whole_levels returned torch.uint8 (3, 32, 32)"),
    "nothing at all": (ImageFunction("speckles:forgetful"), "forgetful returned NoneType for a float32 picture"),
    "an exception": (
        ImageFunction("speckles:stumbling"),
        "speckles:stumbling failed on a picture (3, 32, 32): RuntimeError: one foot over the other "
        f"(line 37 of {shown(str(Path(__file__).with_name('speckles.py')))})",
    ),
    "another size": (TorchvisionTransform("Resize", {"size": 8}), "Resize returned torch.float32 (3, 8, 8)"),
}


@pytest.mark.parametrize(("operation", "told"), WRONGLY_RETURNED.values(), ids=WRONGLY_RETURNED)
def test_what_is_returned_must_be_a_picture_of_that_shape(operation, told):
    with pytest.raises(AblationError) as raised:
        applied(operation, pictures(SIDE, SIDE, 2), KEYS[:2])
    assert told in str(raised.value)


@pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning")  # torchvision 0.29
def test_jpeg_is_torchvisions_on_8_bits():
    """Of all its transforms the one that takes no float pictures."""
    images = stored(SIDE, COUNT)
    got = applied(TorchvisionTransform("JPEG", {"quality": (10, 50)}), images.float() / 255)
    for place, image in enumerate(images):
        with torch_stream(int(KEYS[place]), "JPEG"):
            expected = v2.JPEG((10, 50))(image)
        assert torch.equal(got[place], expected.float() / 255)


def test_what_is_returned_is_clamped_and_the_picture_is_a_copy():
    images = pictures(SIDE, SIDE, COUNT)
    kept = images.clone()
    assert torch.equal(applied(ImageFunction("speckles:too_bright"), images), (kept * 3 - 1).clamp(0, 1))
    assert torch.equal(images, kept)


FUNCTION = "import torch\n\ndef darker(image, rng, by=0.5):\n    return image * {factor}\n"


def written(folder: Path, name: str, factor: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(FUNCTION.format(factor=factor))
    return f"{folder / name}:darker"


def test_a_function_in_a_file_has_the_digest_of_its_code(tmp_path):
    first = ImageFunction(written(tmp_path, "one.py", "by"))
    same = ImageFunction(written(tmp_path, "two.py", "by"))
    other = ImageFunction(written(tmp_path, "three.py", "by / 2"))
    assert first.source == same.source != other.source
    assert len(first.source) == 16
    images = pictures(SIDE, SIDE, 2)
    assert torch.equal(applied(first, images, KEYS[:2]), images * 0.5)
    assert torch.equal(applied(other, images, KEYS[:2]), images * 0.25)


def test_two_files_of_one_name_are_two_files(tmp_path):
    first = ImageFunction(written(tmp_path / "a", "same.py", "by"))
    other = ImageFunction(written(tmp_path / "b", "same.py", "by / 2"))
    assert first.source != other.source
    images = pictures(SIDE, SIDE, 2)
    assert torch.equal(applied(first, images, KEYS[:2]), images * 0.5)
    assert torch.equal(applied(other, images, KEYS[:2]), images * 0.25)


def test_a_file_may_name_its_own_functions(tmp_path):
    """As an experiment file does."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from ablation.augment import ImageFunction\n\ndef same(image, rng):\n    return image\n\n"
        f"recipe = (ImageFunction({str(file)!r} + ':same'),)\n"
    )
    assert ImageFunction(f"{file}:same").source


def test_a_function_that_was_changed_is_another_and_the_written_one_is_refused(tmp_path):
    operation = ImageFunction(written(tmp_path, "mine.py", "by"))
    form = json.loads(json.dumps(plain(operation)))
    assert restore(form, CLASSES) == operation
    with pytest.raises(InputError, match="has changed since this was written"):
        restore(form | {"source": "0" * 16}, CLASSES)
    with pytest.raises(InputError, match="has changed since this was written"):
        replace(operation, source="0" * 16)
