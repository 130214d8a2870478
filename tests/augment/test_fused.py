"""The chain that is one kernel shows what its steps show, one by one. On a CPU by Triton's interpreter."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from catalogue import spread_of_aspects, stored
from torch import Tensor

from ablation.augment import (
    AugMix,
    Brightness,
    ColorJitter,
    Contrast,
    Hue,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Sometimes,
    Strength,
)
from ablation.augment.apply import apply
from ablation.augment.chain import Adjust, Resample, chain
from ablation.augment.draws import draw
from ablation.augment.fused import fused

COUNT = 12
CLOSE = 2e-6  # sums in another order
CPU = torch.device("cpu")
MEAN, STD = np.array([0.48, 0.45, 0.4]), np.array([0.27, 0.26, 0.22])

CROP = RandomResizedCrop(scale=(0.1, 1.0))
FLIPS = (RandomHorizontalFlip(), RandomVerticalFlip())
RECIPES = {
    "nothing": (),
    "crop": (CROP,),
    "crop, flip": (CROP, *FLIPS),
    "flip": FLIPS,
    "inner crop": (RandomCrop(5),),
    "brightness": (Brightness(0.7),),
    "contrast": (Contrast((0.3, 3)),),
    "all": (CROP, *FLIPS, Brightness(0.4), Contrast(0.4)),
    "contrast, brightness": (CROP, Contrast(0.7), Brightness((0.5, 2))),
    "brightness, contrast, brightness": (Brightness(0.7), Contrast(0.7), Brightness(0.7)),
    "sometimes": (Sometimes(CROP), Sometimes(Brightness(0.7)), Sometimes(Contrast((2, 3)))),
    "half as strong": (Strength((CROP, Brightness(0.4), Contrast(0.4)), 0.5),),
    "jitter": (CROP, ColorJitter(brightness=0.7, contrast=0.7)),
}
SIDES = [
    (33, 33), (24, 50), (30, 7), (60, 12), (5, 1),
    *(pytest.param(*sides, marks=pytest.mark.slow) for sides in ((256, 224), (224, 196), (96, 64))),
]  # fmt: skip

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def steps_of(recipe, size: int, count: int = COUNT):
    return chain(draw(recipe, 0, 0, spread_of_aspects(count), size))


def kernel_of(steps, source: int, size: int, device: torch.device = CPU):
    made = fused(steps, source, size, device)
    assert made is not None
    return made


def boxed(boxes) -> tuple[Resample]:
    """A step that shows these boxes."""
    boxes = np.array(boxes, np.float32)
    return (Resample((), boxes, np.ones(len(boxes), bool), np.ones((len(boxes), 2))),)


@contextmanager
def process_with(variable: str, setting: str) -> Iterator[ProcessPoolExecutor]:
    """Another process: Triton reads its settings where it is imported, which other packages do as they please."""
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(variable, setting)
            pool.submit(int).result()  # the process starts
        yield pool


@pytest.fixture(scope="module")
def interpreter():
    with process_with("TRITON_INTERPRET", "1") as pool:
        yield pool


def pictures_of(steps, images: np.ndarray, rows, size: int, at=None) -> np.ndarray:
    at = None if at is None else torch.from_numpy(at)
    return (
        kernel_of(steps, images.shape[-1], size).pictures(torch.from_numpy(images), torch.from_numpy(rows), at).numpy()
    )


def normalized(steps, images: np.ndarray, rows, size: int, dtype: torch.dtype) -> tuple[np.ndarray, bool]:
    """As float32, and whether they lie channels last."""
    kernel = kernel_of(steps, images.shape[-1], size)
    made = kernel(torch.from_numpy(images), torch.from_numpy(rows), MEAN, STD, dtype)
    assert made.dtype == dtype
    return made.float().numpy(), made.is_contiguous(memory_format=torch.channels_last)


def expected_of(steps, images: Tensor, rows: np.ndarray, size: int) -> Tensor:
    return apply(steps, images[torch.from_numpy(rows)], rows, size)


def differs(interpreter, recipe, source: int, size: int, rows: list[int]) -> float:
    """The largest difference of a pixel between what the kernel and what the steps show."""
    images, picked, steps = stored(source, COUNT), np.array(rows), steps_of(RECIPES[recipe], size)
    got = interpreter.submit(pictures_of, steps, images.numpy(), picked, size).result()
    return float(np.abs(got - expected_of(steps, images, picked, size).numpy()).max())


@needs_triton
@pytest.mark.parametrize(("source", "size"), [(20, 12), (12, 19)])
@pytest.mark.parametrize("recipe", RECIPES)
def test_shows_what_the_steps_show(interpreter, recipe, source, size):
    assert differs(interpreter, recipe, source, size, [7, 2, 11, 0, 4]) <= CLOSE


@needs_triton
@pytest.mark.parametrize(("source", "size"), SIDES)
def test_shows_the_same_at_any_size(interpreter, source, size):
    """In tiles that reach beyond the picture: the mean of the grey picture is that of all of them."""
    assert differs(interpreter, "all", source, size, [3, 8]) <= CLOSE


@needs_triton
@pytest.mark.parametrize("recipe", ["crop, flip", "all"])
@pytest.mark.parametrize(("dtype", "step"), [(torch.float32, 0), (torch.bfloat16, 2**-7)], ids=["float32", "bfloat16"])
def test_normalises_channels_last(interpreter, recipe, dtype, step):
    """To within a step of the numbers' precision: the interpreter cuts bfloat16 off, a GPU rounds it."""
    images, rows, steps = stored(40, COUNT), np.array([5, 1, 9, 3]), steps_of(RECIPES[recipe], 24)
    got, channels_last = interpreter.submit(normalized, steps, images.numpy(), rows, 24, dtype).result()
    mean, std = (moment.astype(np.float32)[:, None, None] for moment in (MEAN, STD))
    expected = (expected_of(steps, images, rows, 24).numpy() - mean) / std
    assert channels_last
    assert (np.abs(got - expected) <= step * np.abs(expected) + 5 * CLOSE).all()


@needs_triton
def test_at_its_own_size_nothing_changes_to_the_last_bit(interpreter):
    images, rows = stored(20, COUNT), np.arange(COUNT)
    for box in ([0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0]):
        steps = boxed([box] * COUNT)
        got = interpreter.submit(pictures_of, steps, images.numpy(), rows, 20).result()
        assert np.array_equal(got, expected_of(steps, images, rows, 20).numpy())


EDGES = [
    [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0.001, 1], [0.999, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1],
    [0.05, 0.15, 0.25, 0.35], [0.35, 0.15, 0.05, 0.25], [-1e-7, 0, 1 + 1e-7, 1], [0.9, 0.2, 1, 0.3],
]  # fmt: skip
"""Of the whole picture; of one pixel; on halves of a pixel, which round to even; a rounding beyond the picture."""


@needs_triton
@pytest.mark.parametrize("size", [4, 10, 13])
def test_boxes_at_the_edges_of_the_picture(interpreter, size):
    images, rows, steps = stored(10, len(EDGES)), np.arange(len(EDGES)), boxed(EDGES)
    got = interpreter.submit(pictures_of, steps, images.numpy(), rows, size).result()
    assert np.abs(got - expected_of(steps, images, rows, size).numpy()).max() <= CLOSE


@needs_triton
def test_pictures_may_lie_elsewhere_than_their_parameters(interpreter):
    images, rows, steps = stored(24, COUNT), np.array([7, 2, 2, 11]), steps_of(RECIPES["all"], 16)
    resident = interpreter.submit(pictures_of, steps, images.numpy(), rows, 16).result()
    gathered = interpreter.submit(pictures_of, steps, images.numpy()[rows], rows, 16, np.arange(4)).result()
    assert np.array_equal(resident, gathered)
    assert np.array_equal(resident[1], resident[2])
    assert not np.array_equal(resident[0], resident[1])


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_chain_of_this_kind_is_one(recipe):
    assert fused(steps_of(recipe, 16), 24, 16, CPU) is not None


@pytest.mark.parametrize(
    "recipe",
    [
        (RandomRotation(30),),
        (RandomCrop(padding=4),),
        (CROP, Hue(0.1)),
        (CROP, RandomErasing()),
        (Brightness(0.4), CROP),
        (CROP, Brightness(0.4), RandomHorizontalFlip()),
        (Contrast(0.4), Contrast(0.4)),
        (Brightness(0.4), Brightness(0.4)),
        (Contrast(0.4), Brightness(0.4), Brightness(0.4)),
        (Contrast(0.4), Brightness(0.4), Contrast(0.4)),
        (AugMix(),),
        (ColorJitter(saturation=0.4),),
    ],
    ids=str,
)
def test_no_other_chain_is(recipe):
    assert fused(steps_of(recipe, 16), 24, 16, CPU) is None


def test_what_does_not_apply_multiplies_by_one():
    steps = steps_of((Sometimes(Brightness(0.7)), Sometimes(Contrast(0.7))), 16)
    _, bright, contrast = steps
    assert isinstance(bright, Adjust)
    assert 0 < bright.applies.sum() < COUNT
    factors = kernel_of(steps, 24, 16).factors.numpy()
    assert np.array_equal(factors[:, 0] != 1, bright.applies)
    assert np.array_equal(factors[:, 1] != 1, contrast.applies)
    assert (factors[:, 2] == 1).all()


def test_a_chain_without_contrast_needs_no_mean():
    assert not kernel_of(steps_of((CROP, Brightness(0.4)), 16), 24, 16).contrasts
    assert kernel_of(steps_of((CROP, Contrast(0.4)), 16), 24, 16).contrasts


@needs_triton
@pytest.mark.parametrize(
    "pixels",
    [
        torch.zeros(4, 3, 24, 25, dtype=torch.uint8),
        torch.zeros(4, 3, 24, 24),
        torch.zeros(4, 24, 24, 3, dtype=torch.uint8).permute(0, 3, 1, 2),
    ],
    ids=["shape", "dtype", "layout"],
)
def test_other_pixels_than_those_of_the_cache_are_refused(pixels):
    kernel = kernel_of(steps_of((), 16), 24, 16)
    with pytest.raises(ValueError, match=r"must be \(N, 3, 24, 24\) torch.uint8"):
        kernel.pictures(pixels, torch.arange(4))


def test_triton_is_not_imported_before_it_is_needed():
    code = "import sys, ablation.augment.fused; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def compiled_for_a_gpu(**flags: bool) -> str:
    """The kernel's PTX for compute capability 9.0."""
    import triton
    from triton.backends.compiler import GPUTarget

    from ablation.augment import fused as host
    from ablation.augment.fused_kernel import show

    constants = host._tiling(256, 224) | flags
    three = ("fp32",) * 3
    signature = {"pixels": "*u8", "at": "*i64", "rows": "*i64", "boxes": "*i32", "factors": "*fp32", "sums": "*fp32"}
    signature |= {"shown": "*bf16", "luma": three, "mean": three, "std": three} | dict.fromkeys(constants, "constexpr")
    source = triton.compiler.ASTSource(show, signature, constants)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=host._COMPILED).asm["ptx"]


@needs_triton
@pytest.mark.skipif(sys.platform != "linux", reason="Triton compiles for CUDA on Linux")
def test_compiles_for_a_gpu_where_there_is_none(tmp_path):
    """What the interpreter takes need not compile."""
    with process_with("TRITON_CACHE_DIR", str(tmp_path)) as pool:
        first = pool.submit(compiled_for_a_gpu, SUM=True, CONTRAST=False).result()
        second = pool.submit(compiled_for_a_gpu, SUM=False, CONTRAST=True).result()
    assert "bf16" not in first
    assert "cvt.rn.bf16" in second, "rounded to nearest"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("source", "size"), [(33, 33), (24, 50), (60, 12), (256, 224), (224, 196)])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_shows_the_same_on_a_gpu(recipe, source, size):
    """A GPU divides less exactly: a centre moves by up to 1e-5 of a pixel."""
    device, count = torch.device("cuda"), 64
    images, rows, steps = stored(source, count), np.arange(count)[::-1].copy(), steps_of(recipe, size, count)
    kernel, pixels, picked = (
        kernel_of(steps, source, size, device),
        images.to(device),
        torch.from_numpy(rows).to(device),
    )
    expected = expected_of(steps, images, rows, size)
    assert (kernel.pictures(pixels, picked).cpu() - expected).abs().max() <= 5e-5
    got = kernel(pixels, picked, MEAN, STD)
    mean, std = (torch.from_numpy(moment).view(3, 1, 1) for moment in (MEAN, STD))
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(got, kernel(pixels, picked, MEAN, STD)), "the same bits each time"
    wanted = (expected - mean) / std
    assert ((got.cpu() - wanted).abs() <= 2**-8 * wanted.abs() + 3e-4).all()
