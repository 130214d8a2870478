"""Dose series: recipes of one magnitude or one strength, as declared or by hand, and where nothing stands in them."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from ablation.augment import (
    Brightness,
    ColorJitter,
    Contrast,
    GaussianBlur,
    GaussianNoise,
    Hue,
    RandAugment,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    Sometimes,
    Strength,
)  # fmt: skip
from ablation.core.text import plain
from ablation.data import Digits
from ablation.experiment.experiment import Experiment
from ablation.experiment.recipes import dose, powerset
from ablation.optim import Adam
from ablation.report.sections.dose_response.magnitudes import Series, dose_series, nothing_at

CROP = RandomResizedCrop(scale=(0.6, 1.0), ratio=(0.6, 1.67))


def of(recipes: Mapping[str, Any]) -> tuple[Series, ...]:
    recipes = {"none": ()} | recipes
    return dose_series(
        Experiment(name="made-up", data=Digits(), recipes=recipes, optimizers={"adam": Adam()}, baseline="none")
    )


def only(recipes: Mapping[str, Any]) -> Series:
    (result,) = of(recipes)
    return result


def test_recipes_that_differ_in_one_number_are_a_series_of_it():
    result = only({"strong": (RandomRotation(40),), "weak": (RandomRotation(10),), "middle": (RandomRotation(20),)})
    assert (result.magnitude, result.doses) == ("degrees of RandomRotation", (0, 10, 20, 40))
    assert (result.recipes, result.nothing, result.unit) == (("none", "weak", "middle", "strong"), "none", "")


def test_the_baseline_makes_two_recipes_a_series_where_it_is_dose_zero():
    assert only({"a": (Brightness(0.2),), "b": (Brightness(0.4),)}).doses == (0.0, 0.2, 0.4)
    assert of({"a": (Brightness(0.2),)}) == ()
    assert of({"a": (CROP,), "b": (RandomResizedCrop(scale=(0.3, 1.0), ratio=(0.6, 1.67)),)}) == ()


def test_without_the_operation_need_not_be_the_baseline():
    result = only({"crop": (CROP,), "a": (CROP, RandomRotation(5)), "b": (CROP, RandomRotation(15))})
    assert (result.recipes, result.nothing) == (("crop", "a", "b"), "crop")
    assert result.magnitude.startswith("degrees of RandomRotation, with RandomResizedCrop(scale=(0.6, 1.0)")


def test_a_crops_bounds_are_a_series_that_nothing_is_no_part_of():
    result = only({str(low): (RandomResizedCrop(scale=(low, 1.0)),) for low in (0.8, 0.5, 0.2)})
    assert (result.magnitude, result.doses) == ("lower bound of scale of RandomResizedCrop", (0.2, 0.5, 0.8))
    assert (result.recipes, result.nothing) == (("0.2", "0.5", "0.8"), "")


def test_recipes_of_one_strength_are_told_by_their_factors():
    result = only(dose(CROP, (0.25, 0.5, 1, 2)))
    assert result.doses == (0, 0.25, 0.5, 1, 2)
    assert result.recipes == ("none", "x0.25", "x0.5", "x1", "x2")
    assert (result.magnitude, result.nothing) == ("strength of RandomResizedCrop", "none")
    assert result.unit == "RandomResizedCrop(scale=(0.6, 1.0), ratio=(0.6, 1.67))"


def test_a_declared_series_knows_its_recipe_without_it_among_the_doses():
    result = only(dose(CROP, (0.5, 0.75, 1.5)))
    assert result.doses == (0, 0.5, 0.75, 1.5)
    assert result.unit == "RandomResizedCrop(scale=(0.6, 1.0), ratio=(0.6, 1.67))"


def test_strengths_written_by_hand_are_multiples_of_the_first_whatever_they_are_called():
    whole, half, twice = (dose(CROP, (factor,))[f"x{factor:g}"] for factor in (1, 0.5, 2))
    result = only({"x3": whole, "half": half, "x9": twice})
    assert result.doses == (0, 0.5, 1, 2)
    assert result.recipes == ("none", "half", "x3", "x9")
    assert result.unit == "RandomResizedCrop(scale=(0.6, 1.0), ratio=(0.6, 1.67))"


def test_declared_series_stand_beside_recipes_written_by_hand_and_others_declared():
    hand = {"weak": (Brightness(0.1), Contrast(0.1)), "strong": (Brightness(0.3), Contrast(0.3))}
    assert [(series.magnitude, series.doses) for series in of(hand | dose(CROP, (0.5, 1)))] == [
        ("strength of RandomResizedCrop", (0, 0.5, 1)),
        ("strength of Brightness + Contrast", (0, 1, 3)),
    ]
    joined = dose((Brightness(0.4), Contrast(0.4)), (0.5, 1)) | dose(CROP, (0.25, 0.75))
    assert [series.recipes for series in of(joined)] == [("none", "x0.5", "x1"), ("none", "x0.25", "x0.75")]


def test_two_operations_that_grow_together_are_one_strength():
    result = only({str(b): (Brightness(b), Contrast(b / 2)) for b in (0.2, 0.4, 0.6)})
    assert (result.magnitude, result.doses) == ("strength of Brightness + Contrast", (0, 1, 2, 3))
    assert result.unit == "Brightness(brightness=0.2) + Contrast(contrast=0.1)"
    apart = {
        "a": (Brightness(0.2), Contrast(0.1)),
        "b": (Brightness(0.4), Contrast(0.3)),
        "c": (Brightness(0.6), Hue(0.1)),
    }
    assert of(apart) == ()


def test_whole_numbers_that_were_rounded_follow_the_other_magnitude():
    recipes = {str(m): (RandAugment(magnitude=m), Brightness(b)) for m, b in ((9, 0.4), (4, 0.2), (2, 0.1))}
    assert only(recipes).doses == (0, 0.25, 0.5, 1), "round(9 x 0.5) is 4, and no magnitude of 9 is half of it"


def test_one_magnitude_is_told_in_its_own_unit_rather_than_as_a_strength():
    result = only(dose(Brightness(0.4), (0.25, 0.5, 1)))
    assert (result.magnitude, result.doses) == ("amount of Brightness", (0.0, 0.1, 0.2, 0.4))


def test_probabilities_and_operations_within_operations():
    flips = only({str(p): (RandomHorizontalFlip(p),) for p in (0.25, 0.5)})
    assert (flips.magnitude, flips.doses) == ("probability of RandomHorizontalFlip", (0, 0.25, 0.5))
    assert only({str(d): (Sometimes(RandomRotation(d)),) for d in (10, 20)}).magnitude == "degrees of RandomRotation"
    assert only({str(f): (Strength((CROP,), f),) for f in (0.5, 1)}).doses == (0, 0.5, 1)


def test_a_grid_of_two_magnitudes_has_series_that_are_told_apart():
    grid = {f"{b} {c}": (Brightness(b), Contrast(c)) for b, c in product((0.1, 0.2, 0.3), (0.1, 0.2, 0.4))}
    result = of(grid)
    assert {len(series.doses) for series in result} == {3}
    assert "amount of Brightness, with Contrast(contrast=0.4)" in {series.magnitude for series in result}
    assert len({series.magnitude for series in result}) == len(result)


def test_alike_series_are_told_apart_by_their_recipes():
    kinds = {f"{d}{e}": (RandomRotation(d, expand=e),) for d, e in product((10, 20), (False, True))}
    assert {plain(series.magnitude) for series in of(kinds)} == {
        "degrees of RandomRotation, “10False” to “20False”",
        "degrees of RandomRotation, “10True” to “20True”",
    }


def test_a_series_that_is_part_of_another_is_not_told():
    (result,) = of({str(d): (RandomRotation(d),) for d in (10, 20, 40)})
    assert result.doses == (0, 10, 20, 40), "their strengths 1, 2 and 4 are the same series"


def test_what_makes_nothing_stronger_is_no_dose():
    assert of({str(fill): (RandomRotation(20, fill=fill),) for fill in (0.0, 0.5, 1.0)}) == ()
    assert of({str(fill): (RandomRotation(20, fill=(fill, 0.0, 0.0)),) for fill in (0.0, 0.5, 1.0)}) == ()


def test_a_power_set_holds_no_series_and_is_read_in_time():
    parts = {"crop": CROP, "hue": Hue(0.1), **{f"r{d}": RandomRotation(d, fill=d / 100) for d in range(1, 8)}}
    assert of({name: recipe for name, recipe in powerset(parts).items() if recipe}) == ()


def test_where_other_magnitudes_are_left_zero_is_not_nothing():
    assert nothing_at(ColorJitter(brightness=0.4), ("brightness",)) == 0
    assert nothing_at(ColorJitter(brightness=0.4, contrast=0.4), ("brightness",)) is None
    assert nothing_at(RandomAffine(10, translate=(0.1, 0.1)), ("degrees",)) is None
    assert nothing_at(GaussianNoise(mean=0.1, sigma=0.1), ("sigma",)) is None
    assert nothing_at(RandomErasing(0.3), ("p",)) == 0
    assert nothing_at(GaussianBlur(5), ("kernel_size",)) is None
    assert nothing_at(Brightness((0.5, 1.5)), ("brightness", 0)) is None
    assert nothing_at(Strength((CROP,), 0.5), ("factor",)) == 0
    assert nothing_at(Strength((Resize(20), CROP), 0.5), ("factor",)) is None
    assert nothing_at(Strength((CROP,), 0.5), ("recipe", 0, "scale", 0)) is None
