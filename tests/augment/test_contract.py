"""The contract of every operation: a value that draws purely, one row a sample, and applies what was drawn, purely."""

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from catalogue import (
    CASES,
    EVERY,
    GEOMETRY,
    MIXES,
    PIXELS,
    alone,
    augmented,
    frames,
    frames_of,
    pictures,
    spread_of_aspects,
    stored,
    uniforms_for,
)

from ablation.augment import OPERATIONS, Operation, RandomAffine
from ablation.augment.chain import chain
from ablation.augment.draws import draw
from ablation.augment.operation import Choice, GeometricOperation, MixingOperation, PixelOperation, Policy, times
from ablation.augment.operations.choice import scaled
from ablation.augment.operations.geometry import start_frame
from ablation.core.errors import InputError
from ablation.core.seeds import stream
from ablation.core.values import fit, label, plain, restore, value
from ablation.experiment.spec import CLASSES

COUNT = 300
DRAWING = [case for case in EVERY if hasattr(case, "draw")]
LOOSE = [case for case in EVERY if hasattr(case, "parts")]
MADE_OF_OTHERS = [case for case in EVERY if hasattr(case, "choose")]
SIDE = 32


def test_every_operation_has_cases_and_what_has_none_is_no_operation():
    assert set(CASES) == set(OPERATIONS) == set(get_args(Operation))


def test_every_operation_is_of_one_kind():
    for case in EVERY:
        assert (case in GEOMETRY) + (case in PIXELS) + (case in MIXES) + (case in LOOSE) + (case in MADE_OF_OTHERS) == 1


def rows_of(operation, uniforms: np.ndarray, frame: np.ndarray) -> dict[str, np.ndarray]:
    """All that an operation draws, one row a sample, whatever its kind."""
    if hasattr(operation, "draw"):
        return operation.draw(uniforms, frame)
    found = operation.choose(uniforms) if hasattr(operation, "choose") else operation.parts(uniforms, frame)
    rows = {}
    for place, (simple, *told) in enumerate(found):
        rows[f"{place} applies"] = told[-1]
        rows |= {f"{place} {name}": values for name, values in (told[0].items() if len(told) == 2 else ())}
        for number, part in enumerate(part for parts in getattr(simple, "chains", ()) for part in parts):
            rows[f"{place} {number} applies"] = part.applies
            rows |= {f"{place} {number} {name}": values for name, values in part.parameters.items()}
    return rows


@pytest.mark.parametrize("operation", EVERY, ids=label)
def test_draws_are_pure_of_a_plain_type_and_one_per_sample(operation):
    uniforms, frame = uniforms_for(operation, COUNT), frames(COUNT)
    kept = uniforms.copy(), frame.copy()
    first, again = rows_of(operation, uniforms, frame), rows_of(operation, uniforms, frame)
    assert (uniforms == kept[0]).all()
    assert (frame == kept[1]).all()
    for name, values in first.items():
        assert values.dtype in (np.float32, np.int64, bool)
        assert len(values) == COUNT
        assert values.tobytes() == again[name].tobytes()


@pytest.mark.parametrize("operation", [cases[0] for cases in CASES.values() if cases[0].uniforms], ids=label)
def test_samples_are_not_drawn_alike(operation):
    rows = rows_of(operation, uniforms_for(operation, COUNT), np.full((COUNT, 2), 40.0))
    assert any(len(np.unique(values, axis=0)) > 1 for values in rows.values())


@pytest.mark.parametrize("operation", EVERY, ids=label)
def test_a_samples_draw_does_not_depend_on_the_samples_beside_it(operation):
    uniforms, frame = uniforms_for(operation, COUNT), frames(COUNT)
    whole = rows_of(operation, uniforms, frame)
    for rows in (stream(1, "rows").permutation(COUNT)[:137], np.array([3])):
        for name, values in rows_of(operation, uniforms[rows], frame[rows]).items():
            assert values.tobytes() == whole[name][rows].tobytes()


@pytest.mark.parametrize("operation", GEOMETRY + PIXELS, ids=label)
def test_pictures_stay_float32_between_0_and_1_of_their_shape_and_are_not_written_to(operation):
    images = pictures(SIDE, SIDE, 20)
    kept = images.clone()
    drawn = operation.draw(uniforms_for(operation, len(images)), frames_of(images))
    if operation in PIXELS:
        got = operation.apply(images, {name: torch.from_numpy(values) for name, values in drawn.items()})
    else:
        got = alone(operation, images, drawn, SIDE)
    assert torch.equal(images, kept)
    assert got.dtype == torch.float32
    assert got.shape == images.shape
    assert got.min() >= 0
    assert got.max() <= 1


@pytest.mark.parametrize("operation", [case for case in EVERY if case not in MIXES], ids=label)
def test_a_recipe_of_one_operation_shows_pictures_of_any_proportions(operation):
    images = stored(SIDE, 20)
    kept = images.clone()
    for size in (24, SIDE):
        got = augmented((operation,), images, size, aspect=spread_of_aspects(20))
        assert got.dtype == torch.float32
        assert got.shape == (20, 3, size, size)
        assert got.min() >= 0
        assert got.max() <= 1
    assert torch.equal(images, kept)


@pytest.mark.parametrize("operation", [case for case in EVERY if case not in MIXES], ids=label)
def test_a_recipe_does_something_to_some_pictures(operation):
    """By half a level of 256 at least, as the sentinel counts. But for Resize, which matters for what comes after it,
    and what keeps all of a picture of this size, or all bits."""
    nothing = ("Resize", "CenterCrop(size=32", "RandomPosterize(bits=8")
    images = stored(SIDE, 100)
    recipe = (operation, *(CASES[type(operation)][:1] if label(operation).startswith("Sometimes") else ()))
    change = (augmented(recipe, images, SIDE) - augmented((), images, SIDE)).abs().max()
    assert (change > 0.5 / 255) != label(operation).startswith(nothing)


@pytest.mark.parametrize("operation", EVERY, ids=label)
def test_the_plain_form_is_json_and_comes_back_as_the_same_value(operation):
    restored = restore(json.loads(json.dumps(plain(operation))), CLASSES)
    assert restored == operation
    assert json.dumps(plain(restored)) == json.dumps(plain(operation))
    assert fit(restored, Operation) == (restored, "")


@pytest.mark.parametrize("kind", [kind for kind in OPERATIONS if kind.neutral], ids=lambda kind: kind.__name__)
def test_at_its_neutral_magnitudes_an_operation_changes_no_picture(kind):
    """Whatever its coin says. Of three the field excludes the magnitude, to which it may come near."""
    case = CASES[kind][2 if kind is RandomAffine else 0]
    certain = {"p": 1} if hasattr(case, "p") else {}
    neutral = {field: times(getattr(case, field), 0, about) for field, about in kind.neutral.items()}
    try:
        operation = replace(case, **neutral, **certain)
    except InputError:
        assert kind.__name__ in ("Cutout", "MixUp", "CutMix")
        return
    got, plain_ones = (augmented(recipe, stored(SIDE, 20), 24) for recipe in ((operation,), ()))
    torch.testing.assert_close(got, plain_ones, rtol=0, atol=1e-6)


@pytest.mark.parametrize("operation", [cases[0] for cases in CASES.values()], ids=label)
def test_a_strength_is_an_operation_and_a_caption_is_what_it_says_of_a_sample(operation):
    """By its own methods or by default: not by what stands in where they fail."""
    (half,) = scaled((operation,), 0.5)
    assert fit(half, Operation) == (half, "")
    for part in draw((operation,), 0, 0, spread_of_aspects(20), SIDE).parts:
        rows = [{name: values[row] for name, values in part.parameters.items()} for row in range(20)]
        if hasattr(part.operation, "describe"):
            assert all(isinstance(part.operation.describe(row, part.frame[0]), str) for row in rows)


def test_a_chain_of_all_operations_runs():
    recipe = tuple(case for case in EVERY if case not in MIXES)
    assert augmented(recipe, stored(SIDE, 4), 24).isfinite().all()
    assert len(chain(draw(recipe, 0, 0, np.ones(4), 24))) > 40


MISTAKES = {
    "RandomResizedCrop(scale=(1, 0.5))": "scale = (1, 0.5): the lower bound comes first",
    "RandomRotation((20, 10))": "degrees = (20, 10): the lower bound comes first",
    "RandomRotation(-5)": "must be at least 0",
    "RandomAffine(0, translate=(0, 2))": "translate = (0, 2): must be at least 0 and at most 1",
    "RandomAffine(0, shear=(0, 1, 5, 2))": "the lower bound comes first",
    "RandomAffine(0, scale=(0, 1))": "must be above 0",
    "RandomZoomOut(side_range=(0.5, 2))": "must be at least 1",
    "RandomCrop(padding=(1, 2, 3))": "padding = (1, 2, 3): expected",
    "RandomCrop(padding_mode='reflekt')": "did you mean 'reflect'?",
    "Hue(0.6)": "must be at least 0 and at most 0.5",
    "Brightness((1.2, 0.8))": "brightness = (1.2, 0.8): the lower bound comes first",
    "ColorJitter(contrast=-1)": "must be at least 0",
    "RandomPosterize(9)": "must be at least 0 and at most 8",
    "RandomSolarize(128)": "threshold = 128: must be at least 0 and at most 1",
    "GaussianBlur(4)": "kernel_size = 4: a kernel has an odd number of pixels",
    "GaussianBlur(3, (2, 1))": "sigma = (2, 1): the lower bound comes first",
    "GaussianNoise(clip=False)": "clip = False: pictures stay in [0, 1] here",
    "RandomErasing(value='noise')": "value = 'noise': expected",
    "Cutout(0)": "must be at least 1",
    "CutMix(0)": "must be above 0",
    "RandAugment(magnitude=31)": "magnitude = 31: the last of 31 bins is 30",
    "AutoAugment('cifar')": "did you mean 'cifar10'?",
    "AugMix(11)": "must be at least 1 and at most 10",
    "Sometimes(0.4)": "operation: 0.4: expected",
    "OneOf(())": "operations is empty; name at least one",
    "OneOf((Brightness(0.4), 3))": "operations: 3: expected",
    "Strength(3, 0.5)": "recipe",
    "Strength((RandomCrop(24),), 0.5)": "cannot have 0.5 times its strength: it has no padding to scale",
    "Strength((Hue(0.4),), 2)": "cannot have 2 times its strength",
}


@pytest.mark.parametrize("kind", [GeometricOperation, PixelOperation, MixingOperation, Policy, Choice])
def test_what_does_not_say_how_it_is_applied_cannot_be_made(kind):
    """Not when it is applied, in the middle of a run."""
    with pytest.raises(TypeError, match="abstract"):
        value(type("Unfinished", (kind,), {}))()


@pytest.mark.parametrize(("written", "told"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_is_told_once_and_clearly(written, told):
    with pytest.raises(InputError) as raised:
        eval(written, {kind.__name__: kind for kind in CASES})
    (problem,) = raised.value.problems
    assert told in str(problem)
    assert str(problem).startswith(written.partition("(")[0])
    assert len(str(problem)) < 500 or "expected" in told


def unused(operation) -> set[int]:
    """The columns of uniforms that change nothing, for pictures of which many let no box fit at first."""
    uniforms, frame = uniforms_for(operation, COUNT), start_frame(np.geomspace(0.15, 6, COUNT), 32)
    drawn = rows_of(operation, uniforms, frame)
    found = set()
    for column in range(operation.uniforms):
        other = uniforms.copy()
        other[:, column] = 1 - other[:, column]
        again = rows_of(operation, other, frame)
        if all(values.tobytes() == drawn[name].tobytes() for name, values in again.items()):
            found.add(column)
    return found


@pytest.mark.parametrize(
    "kind", [kind for kind, cases in CASES.items() if cases[0].uniforms], ids=lambda kind: kind.__name__
)
def test_every_uniform_is_drawn_for_something(kind):
    """Two parameters that share a uniform would be told by neither's distribution."""
    alike = [case for case in CASES[kind] if case.uniforms == CASES[kind][0].uniforms]
    assert set.intersection(*map(unused, alike)) == set()
