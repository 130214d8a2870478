"""All steps compile without a graph break, and the compiled steps do what the others do."""

import warnings

import numpy as np
import pytest
import torch
from catalogue import CASES, GEOMETRY, MIXES, PER_IMAGE, PIXELS, spread_of_aspects, stored

from ablation.augment import (
    AugMix,
    Brightness,
    Contrast,
    CutMix,
    MixUp,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    RandomRotation,
    Sometimes,
    TrivialAugmentWide,
)
from ablation.augment import apply as applying
from ablation.augment.chain import chain
from ablation.augment.draws import draw
from ablation.core.values import label

COUNT, SIDE, SIZE = 12, 24, 16
LONG = (
    RandomResizedCrop(),
    Brightness(0.4),
    Sometimes(RandomRotation(30)),
    Contrast(0.4),
    RandomErasing(value="random"),
)
EACH = [(cases[0],) for cases in CASES.values() if cases[0] not in MIXES + PER_IMAGE]
FIRST = [operation for (operation,) in EACH]
TOGETHER = {
    "long": LONG,
    "all geometry": tuple(operation for operation in GEOMETRY if operation in FIRST or type(operation) is RandomCrop),
    "all pixels": tuple(operation for operation in FIRST if operation in PIXELS),
    "a policy": (TrivialAugmentWide(),),
    "a blend": (AugMix(mixture_width=1, chain_depth=1, all_ops=False),),
}
"""Every piece of tensor code there is, in a few graphs: the other policies and all choices are made of these."""


def prepared(recipe, device: str = "cpu", count: int = COUNT) -> tuple[list, torch.Tensor]:
    """The steps of a recipe for all samples, and the pictures."""
    images, rows = stored(SIDE, count).to(device), np.arange(count)
    steps = chain(draw(recipe, 0, 0, spread_of_aspects(count), SIZE))
    return applying.cuts(applying.prepare(steps, rows, SIDE, SIZE, images.device), 0, count), images


@pytest.fixture(autouse=True)
def forgotten():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch 2.11 loads its compiler with a warning to itself
        torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def named(recipe) -> str:
    return " ".join(map(label, recipe))


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(recipe, id=name, marks=[pytest.mark.slow] * (name in ("long", "a policy")))
        for name, recipe in TOGETHER.items()
    ],
)
def test_steps_are_one_graph_and_show_the_same(recipe):
    """`aot_eager` takes what the compiler traced, with the operators left as they are."""
    compiles(recipe)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", EACH, ids=named)
def test_each_operation_is_one_graph_and_shows_the_same(recipe):
    compiles(recipe)


def compiles(recipe) -> None:
    steps, images = prepared(recipe)
    expected = applying.run(steps, images)
    got = torch.compile(applying.run, fullgraph=True, backend="aot_eager")(steps, images)
    assert (got - expected).abs().max() <= 1e-6


@pytest.mark.parametrize("operation", [MixUp(), CutMix()], ids=label)
def test_mixing_is_one_graph(operation):
    images = stored(SIDE, COUNT).float() / 255
    drawn = operation.draw(np.random.default_rng(0).random((COUNT, operation.uniforms)), np.full((COUNT, 2), SIDE))
    drawn = {name: torch.from_numpy(values) for name, values in drawn.items()}
    compiled = torch.compile(operation.mix, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(images, images.flip(0), drawn), operation.mix(images, images.flip(0), drawn))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_steps_compile_for_a_gpu():
    for recipe in TOGETHER.values():
        steps, images = prepared(recipe, "cuda", 64)
        expected = applying.run(steps, images)
        got = torch.compile(applying.run, fullgraph=True)(steps, images)
        assert ((got - expected).abs() > 0.01 / 255).float().mean() < 1e-3, named(recipe)
