"""Sets of recipes: which there are, in which order, and that they are what an experiment takes."""

import pickle

import pytest

from ablation import (
    SGD,
    Brightness,
    Contrast,
    Digits,
    Experiment,
    GaussianBlur,
    InputError,
    RandomResizedCrop,
    add_one_in,
    dose,
    leave_one_out,
    powerset,
)  # fmt: skip

CROP, BRIGHTNESS, CONTRAST = RandomResizedCrop(), Brightness(0.4), Contrast(0.2)
PARTS = {"crop": CROP, "color": (BRIGHTNESS, CONTRAST)}


def test_leave_one_out():
    assert leave_one_out(PARTS) == {
        "none": (),
        "all": (CROP, BRIGHTNESS, CONTRAST),
        "without crop": (BRIGHTNESS, CONTRAST),
        "without color": (CROP,),
    }


def test_add_one_in():
    assert add_one_in(PARTS) == {"none": (), "crop": (CROP,), "color": (BRIGHTNESS, CONTRAST)}
    assert add_one_in({"crop": CROP}, base=(BRIGHTNESS,)) == {
        "none": (),
        "base": (BRIGHTNESS,),
        "crop": (BRIGHTNESS, CROP),
    }


def test_powerset_has_every_combination_once_in_the_parts_order():
    three = PARTS | {"blur": GaussianBlur(3)}
    made = powerset(three)
    assert list(made) == [
        *("none", "crop", "color", "blur"),
        *("crop + color", "crop + blur", "color + blur", "crop + color + blur"),
    ]
    assert made["crop + color + blur"] == (CROP, BRIGHTNESS, CONTRAST, GaussianBlur(3))
    assert len(set(made.values())) == 8


def test_a_power_set_too_large_is_refused():
    with pytest.raises(InputError, match=r"a power set of 13 parts is 8,192 recipes; at most 12 parts"):
        powerset({str(number): CROP for number in range(13)})


def test_dose_scales_the_whole_recipe():
    made = dose((CROP, BRIGHTNESS), (0, 0.5, 1))
    assert made == {
        "none": (),
        "x0.5": (RandomResizedCrop((0.54, 1.0), (0.75**0.5, (4 / 3) ** 0.5)), Brightness(0.2)),
        "x1": (CROP, BRIGHTNESS),
    }


def test_a_dose_beyond_an_operations_range_says_so():
    with pytest.raises(InputError, match=r"RandomResizedCrop\(.*\) cannot have 1.5 times its strength: .*scale"):
        dose(CROP, (1, 1.5))


def test_doses_that_would_share_a_name_are_refused():
    with pytest.raises(InputError, match=r"the strengths 0\.1234567, 0\.1234568 are too near each other"):
        dose(CROP, (0.1234567, 0.1234568))


@pytest.mark.parametrize("make", [lambda part: dose(part), lambda part: leave_one_out({"crop": part})])
@pytest.mark.parametrize("part", ["RandomResizedCrop", RandomResizedCrop, (CROP, 3)])
def test_a_part_that_is_no_operation_is_refused(make, part):
    with pytest.raises(
        InputError, match=r"a part is an operation, or a recipe of several: .*expected RandomResizedCrop"
    ):
        make(part)


@pytest.mark.parametrize("make", [leave_one_out, add_one_in, powerset])
@pytest.mark.parametrize(
    ("parts", "reason"), [([CROP], "expected a dict of name -> value"), ({1: CROP}, "the name 1 is not a text")]
)
def test_parts_without_names_are_refused(make, parts, reason):
    with pytest.raises(InputError) as raised:
        make(parts)
    assert str(raised.value) == f"parts = {parts!r}: {reason}"


@pytest.mark.parametrize("factors", [0.5, ("a",), "12", ((0.5, 1),)])
def test_strengths_that_are_no_numbers_are_refused(factors):
    with pytest.raises(InputError) as raised:
        dose(CROP, factors)
    assert str(raised.value) == f"factors = {factors!r}: expected a tuple of numbers, as (0.5, 1)"


def test_a_base_is_given_as_a_part_is():
    for base in (BRIGHTNESS, [BRIGHTNESS]):
        assert add_one_in({"crop": CROP}, base) == add_one_in({"crop": CROP}, (BRIGHTNESS,))
        assert add_one_in({"crop": CROP}, base).designs == add_one_in({"crop": CROP}, (BRIGHTNESS,)).designs
    with pytest.raises(InputError, match="expected RandomResizedCrop"):
        add_one_in({"crop": CROP}, 3)


def test_a_set_knows_its_design_and_cannot_be_changed():
    (series,) = dose((CROP, BRIGHTNESS), (0, 0.5, 1)).designs
    assert (series.recipe, series.names) == ((CROP, BRIGHTNESS), {0.5: "x0.5", 1: "x1"})
    (parts,) = leave_one_out(PARTS).designs
    assert parts.parts == {"crop": (CROP,), "color": (BRIGHTNESS, CONTRAST)}
    assert parts.names[frozenset({"crop"})] == "without color"
    assert parts.parts_of("mine", (CROP, BRIGHTNESS, CONTRAST)) == {"crop", "color"}
    assert parts.parts_of("mine", (CROP, BRIGHTNESS)) is None
    (after,) = add_one_in(PARTS, base=(BRIGHTNESS,)).designs
    assert (after.base, after.names[frozenset()]) == ((BRIGHTNESS,), "base")
    with pytest.raises(TypeError):
        leave_one_out(PARTS)["more"] = ()


def test_sets_join_each_other_and_dicts_and_keep_their_designs():
    joined = {"mine": (CONTRAST,)} | powerset(PARTS) | dose(CROP, (0.5,)) | {"more": (BRIGHTNESS,)}
    assert list(joined) == ["mine", "none", "crop", "color", "crop + color", "x0.5", "more"]
    assert [type(design).__name__ for design in joined.designs] == ["PartDesign", "DoseSeries"]
    assert {**dose(CROP, (0.5,)), "more": ()} == dict(dose(CROP, (0.5,))) | {"more": ()}
    taken = dose(CROP, (0.5, 1)) | dose(BRIGHTNESS, (1,))
    assert [design.recipe for design in taken.designs] == [(BRIGHTNESS,)], "x1 is another recipe now"


@pytest.mark.parametrize("recipes", [leave_one_out(PARTS), add_one_in(PARTS), powerset(PARTS), dose(CROP)])
def test_an_experiment_takes_each_set(recipes):
    made = Experiment("sets", Digits(), recipes, {"sgd": SGD(0.1)}, baseline="none", seeds=1)
    assert len(made.cells("")) == len(recipes)
    assert made.recipes is recipes
    assert pickle.loads(pickle.dumps(made)).recipes.designs == recipes.designs
