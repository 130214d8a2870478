"""What a check says of brightness, contrast and accuracy, held against simulations."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from checked import PLAIN, looked_at, saying
from photos import folder, pictures, save
from PIL import Image, ImageEnhance

from ablation import Brightness, Contrast, Fixed, KFold, Redrawn
from ablation.core.seeds import stream
from ablation.data.check import Check, variation_of
from ablation.data.traits import TRAITS, traits_of_array
from ablation.report.data_check.findings import findings, known_to, magnitude, share, size_of_test

EXIF = Image.Exif()
EXIF[0x0112] = 8


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Check:
    return looked_at(folder(tmp_path_factory.mktemp("plain") / "d", PLAIN))


def test_outliers_in_brightness_and_contrast_are_noted(tmp_path):
    root = folder(tmp_path / "d", PLAIN)
    assert not [finding for finding in findings(looked_at(root)) if "unusual" in finding.text]
    for path in root.rglob("*.png"):  # all of one brightness and contrast, but for what is put beside them
        pixels = np.asarray(Image.open(path).convert("RGB"), float)
        grey = np.clip((pixels - pixels.mean()) / pixels.std() * 30 + 120 + len(path.name) * int(path.stem), 0, 255)
        save(Image.fromarray(grey.astype(np.uint8)), path)
    save(ImageEnhance.Brightness(pictures()[30]).enhance(0.2), root / "cat" / "night.png")
    result = looked_at(root)
    assert saying(result, "dark or bright").text == "1 photograph unusually dark or bright (modified z-score above 3.5)"
    assert {result.listing.names[row] for row in result.brightness.low} == {"cat/night.png"}
    assert saying(result, "unusual contrast").level == "note"


@pytest.mark.parametrize("b", [0.1, 0.4, 0.9])
def test_factors_of_brightness_b_have_a_standard_deviation_of_b_over_the_root_of_3(b):
    drawn = Brightness(b).draw(stream(0, "uniforms").random((100_000, 1)), np.ones(100_000))["factor"]
    assert np.std(drawn) / np.mean(drawn) == pytest.approx(b / math.sqrt(3), rel=0.01)


@pytest.mark.parametrize(("operation", "trait"), [(Brightness, "brightness"), (Contrast, "contrast")])
@pytest.mark.parametrize("b", [0.2, 0.6])
def test_a_photograph_under_an_operation_varies_as_much_as_it_is_said_to(operation, trait, b):
    """The real operation, 600 times on one photograph that is never clipped: the check says its magnitude."""
    pixels = np.asarray(pictures()[3].resize((24, 20)), np.float32) / 255 * 0.3 + 0.25
    drawn = operation(b).draw(stream(0, "uniforms").random((600, 1)), np.ones(600))
    batch = torch.from_numpy(pixels.transpose(2, 0, 1)).expand(600, -1, -1, -1).contiguous()
    made = operation(b).apply(batch, {name: torch.as_tensor(values) for name, values in drawn.items()})
    levels = (made.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    traits = np.array([traits_of_array(picture) for picture in levels], TRAITS)
    assert magnitude(variation_of(traits[trait])) == pytest.approx(b, rel=0.05)


def test_variation_is_compared_with_an_operation_of_the_same(plain):
    for name, operation, varies in (
        ("brightness", Brightness, plain.brightness),
        ("contrast", Contrast, plain.contrast),
    ):
        sentence = saying(plain, f"^{name} varies")
        shown = float(re.search(rf"{operation.__name__}\(([\d.]+)\)", sentence.text)[1])
        assert shown == pytest.approx(varies.sd / varies.mean * math.sqrt(3), abs=0.005)
        assert share(varies.relative) in sentence.text
        operation(shown)


def test_more_variation_than_an_operation_can_make_is_told_so(plain):
    wild = replace(plain, brightness=replace(plain.brightness, sd=plain.brightness.mean * 0.7))
    sentence = saying(wild, "^brightness varies")
    assert (
        sentence.text
        == "brightness varies by 70 % between photographs, more than Brightness(1) would make one vary (58 %)"
    )
    assert sentence.advice.startswith("expect little of Brightness")


# --- what an accuracy is worth


def test_the_test_part_is_the_datas_own_or_that_of_the_default_split(plain, tmp_path):
    tested = Redrawn().test
    assert size_of_test(plain) == (f"a test part of {100 * tested:.0f} %", round(16 * tested))
    parts = looked_at(folder(tmp_path / "d", {"train/cat": 5, "train/dog": 5, "test/cat": 4, "test/dog": 4}))
    assert size_of_test(parts) == ("the test part", 8)
    assert saying(parts, "the test part has").text.startswith("the test part has 8 photographs: one is 12 points")


def test_the_test_part_is_that_of_the_split_that_is_checked_for(plain):
    for split, text, images in (
        (KFold(k=4), "a test part of 25 %", 4),
        (Fixed(0.5, 0.125, 0.375), "a test part of 38 %", 6),
    ):
        assert size_of_test(replace(plain, split=split)) == (text, images)


def test_an_accuracy_is_known_as_well_as_simulated_ones_vary():
    right = stream(0, "tests").binomial(432, 0.8, size=200_000) / 432
    low, high = np.percentile(right, [2.5, 97.5])
    assert known_to(0.8, 432) == pytest.approx((high - low) / 2, rel=0.05)
