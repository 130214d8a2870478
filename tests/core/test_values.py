"""Values check themselves: every kind of mistake has its message, and the plain form is one to one."""

import inspect
import json
import math
import typing
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pandas as pd
import pytest

from ablation.augment import Brightness, Contrast, Operation, RandomHorizontalFlip, RandomResizedCrop, Recipe
from ablation.core.errors import InputError
from ablation.core.values import (
    Count,
    Positive,
    Range,
    collecting,
    fit,
    introduced,
    label,
    native,
    plain,
    restore,
    value,
)
from ablation.data.normalization import Normalization
from ablation.data.split import Fixed, Given, KFold, PerSeed, Redrawn, TrainSize
from ablation.experiment.spec import CLASSES
from ablation.optim import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    Optimizer,
    Plateau,
    Polynomial,
    Schedule,
    Step,
)


@value
class Meal:
    """One field of each kind of annotation."""

    schedule: Schedule = Constant()
    recipe: Recipe = ()
    name: str = "lunch"
    course: Literal["starter", "main", "dessert"] = "main"
    guests: Count = 1
    scale: Annotated[tuple[float, float], Range(above=0, high=1)] = (0.5, 1.0)
    size: Count | Positive = 1
    prices: Mapping[str, float] | None = None
    warm: bool = True

    def check(self):
        if self.course == "dessert" and self.warm:
            yield "a dessert is cold"


SCHEDULES = "Constant or Step or MultiStep or Cosine or OneCycle or Polynomial or Exponential or Plateau"
OPERATIONS = "RandomResizedCrop, RandomCrop, CenterCrop or any of 35 others"
MISTAKES = {
    "unknown field": (
        lambda: SGD(lr=0.1, momentun=0.9),
        "SGD has no field 'momentun'; did you mean 'momentum'? "
        "(its fields are lr, momentum, dampening, weight_decay, nesterov, decay_norm_and_bias)",
    ),
    "unknown field, nothing close": (
        lambda: RandomHorizontalFlip(angle=3),
        "RandomHorizontalFlip has no field 'angle' (its fields are p)",
    ),
    "missing": (lambda: SGD(), "SGD needs the field 'lr'"),
    "too many": (lambda: RandomHorizontalFlip(0.5, 1), "RandomHorizontalFlip takes at most 1 values (p), got 2"),
    "below its range": (lambda: SGD(lr=-1), "SGD: lr = -1: must be above 0"),
    "at an open bound": (lambda: SGD(lr=0), "SGD: lr = 0: must be above 0"),
    "at the other open bound": (lambda: SGD(1, momentum=1), "SGD: momentum = 1: must be at least 0 and below 1"),
    "above its range": (
        lambda: RandomHorizontalFlip(1.5),
        "RandomHorizontalFlip: p = 1.5: must be at least 0 and at most 1",
    ),
    "in a tuple": (lambda: Meal(scale=(0.5, 2)), "Meal: scale = (0.5, 2): must be above 0 and at most 1"),
    "tuple too short": (lambda: Meal(scale=(0.5,)), "Meal: scale = (0.5,): expected 2 values, got 1"),
    "number for a tuple": (lambda: Meal(scale=0.5), "Meal: scale = 0.5: expected (a number, a number)"),
    "wrong item": (lambda: Meal(scale=("a", 1)), "Meal: scale = ('a', 1): 'a': expected a finite number"),
    "text for a number": (lambda: SGD(lr="0.1"), "SGD: lr = '0.1': expected a finite number"),
    "truth for a number": (lambda: SGD(lr=True), "SGD: lr = True: expected a finite number"),
    "number for a truth": (lambda: SGD(1, nesterov=1), "SGD: nesterov = 1: expected True or False"),
    "not a number": (lambda: SGD(lr=math.nan), "SGD: lr = nan: expected a finite number"),
    "infinite": (lambda: SGD(lr=math.inf), "SGD: lr = inf: expected a finite number"),
    "not whole": (lambda: Meal(guests=1.5), "Meal: guests = 1.5: expected a whole number"),
    "no guests": (lambda: Meal(guests=0), "Meal: guests = 0: must be at least 1"),
    "number for a text": (lambda: Meal(name=3), "Meal: name = 3: expected a text"),
    "none of the names": (
        lambda: Meal(course="desert"),
        "Meal: course = 'desert': expected one of 'starter', 'main', 'dessert'; did you mean 'dessert'?",
    ),
    "a union's range": (lambda: Meal(size=-0.5), "Meal: size = -0.5: must be above 0"),
    "text for a value": (
        lambda: Meal(schedule="cosin"),
        f"Meal: schedule = 'cosin': expected {SCHEDULES}; did you mean 'Cosine'?",
    ),
    "a class, not called": (
        lambda: Meal(schedule=Cosine),
        f"Meal: schedule = {Cosine!r}: expected {SCHEDULES}; write Cosine(...), with its fields",
    ),
    "another kind of value": (
        lambda: Meal(schedule=Brightness(0.4)),
        f"Meal: schedule = {Brightness(0.4)!r}: expected {SCHEDULES}",
    ),
    "a tuple without the comma": (
        lambda: Meal(recipe=(Brightness(0.4))),
        f"Meal: recipe = {Brightness(0.4)!r}: expected a tuple of {OPERATIONS}",
    ),
    "a number that no float holds": (lambda: SGD(10**309), f"SGD: lr = {10**309}: expected a finite number"),
    "a rule between fields": (lambda: Meal(course="dessert"), "Meal: a dessert is cold"),
    "nesterov": (lambda: SGD(0.1, nesterov=True), "SGD: nesterov = True needs a momentum above 0"),
    "bounds of a crop": (
        lambda: RandomResizedCrop(scale=(1, 0.5)),
        "RandomResizedCrop: scale = (1, 0.5): the lower bound comes first",
    ),
    "bounds of a factor": (
        lambda: Contrast((1.2, 0.8)),
        "Contrast: contrast = (1.2, 0.8): the lower bound comes first",
    ),
    "shares of a split": (
        lambda: Fixed(train=0.8, val=0.2, test=0.2),
        "Fixed: the shares of train, val and test add up to 1.2; they may not pass 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_says_what_it_got_and_what_is_allowed(make, message):
    with pytest.raises(InputError) as raised:
        make()
    assert [str(problem) for problem in raised.value.problems] == [message]


def test_help_and_editors_see_the_fields():
    fields = inspect.signature(Fixed).parameters
    assert [(name, field.default) for name, field in fields.items()][:2] == [("train", 0.6), ("val", 0.2)]
    assert list(typing.get_type_hints(Fixed.__init__))[: len(fields)] == list(fields)


def test_all_mistakes_of_one_value_are_told_at_once():
    with pytest.raises(InputError) as raised:
        AdamW(lr=-1, weight_decay="much", beta=3)
    assert str(raised.value).splitlines() == [
        "AdamW has no field 'beta'; did you mean 'betas'? "
        "(its fields are lr, betas, eps, weight_decay, amsgrad, decay_norm_and_bias)",
        "AdamW: lr = -1: must be above 0",
        "AdamW: weight_decay = 'much': expected a finite number",
    ]


def test_values_are_frozen_hashable_and_equal_by_their_fields():
    with pytest.raises(FrozenInstanceError):
        SGD(0.1).lr = 0.2
    assert len({SGD(0.1), SGD(lr=0.1), SGD(0.2)}) == 2
    assert replace(SGD(0.1), momentum=0.9) == SGD(0.1, momentum=0.9)


def test_whole_numbers_become_floats_where_floats_are_meant():
    assert json.dumps(plain(SGD(lr=1))) == json.dumps(plain(SGD(lr=1.0)))
    assert isinstance(SGD(lr=1).lr, float)
    assert [type(bound) for bound in Brightness((0, 2)).brightness] == [float, float]
    assert isinstance(Brightness([0.5, 1]).brightness, tuple)
    assert isinstance(Fixed(train=200, val=0.1, test=0.1).train, int)


@pytest.mark.parametrize("zero", [-0.0, np.float64(-0.0), np.array(-0.0), 0, 0.0])
@pytest.mark.parametrize(
    "hint", [float, float | None, Annotated[float, Range(low=0)], tuple[float, ...], tuple[float, float] | str]
)
def test_there_is_one_zero(hint, zero):
    several = "tuple" in str(hint)
    fitted, wrong = fit((zero, 1.5), hint) if several else fit(zero, hint)
    assert wrong == ""
    assert repr(fitted) == ("(0.0, 1.5)" if several else "0.0")


def test_the_plain_form_does_not_depend_on_what_was_asked_before():
    """A cache that took 1, 1.0 and True for one another would give one spec two ids."""
    for given in (True, 1, 1.0, 0.0, 0, False):
        assert json.dumps(plain(given)) == json.dumps(given)


SAMPLES = {
    RandomResizedCrop: RandomResizedCrop(scale=(0.35, 1), ratio=(1, 2)),
    RandomHorizontalFlip: RandomHorizontalFlip(0.25),
    Brightness: Brightness((0.5, 1.5)),
    Contrast: Contrast(0.3),
    Constant: Constant(2),
    Step: Step(10, gamma=0.5),
    MultiStep: MultiStep((3, 7)),
    Polynomial: Polynomial(2),
    Exponential: Exponential(0.9),
    Plateau: Plateau(patience=2, threshold_mode="abs"),
    Normalization: Normalization((0.5, 0.5, 0), (1, 2, 0.5)),
    Cosine: Cosine(warmup=5, final=0.01),
    OneCycle: OneCycle(pct_start=0.4),
    Fixed: Fixed(train=200, val=0.1, test=0.3, seed=4),
    Redrawn: Redrawn(train=200, val=0.1, test=0.3, runs_per_draw=2),
    PerSeed: PerSeed(train=0.5),
    KFold: KFold(3, together="exact"),
    Given: Given(duplicates="drop"),
    TrainSize: TrainSize(0.5),
}
ELSEWHERE = {*get_args(Operation), *get_args(Optimizer)}  # in tests/augment/catalogue.py and tests/optim/stepped.py
assert set(SAMPLES) | ELSEWHERE == set(CLASSES.values()), "every class of a spec needs its sample here"


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=lambda sample: type(sample).__name__)
def test_the_plain_form_is_json_and_comes_back_as_the_same_value(sample):
    restored = restore(json.loads(json.dumps(plain(sample))), CLASSES)
    assert restored == sample
    assert json.dumps(plain(restored)) == json.dumps(plain(sample))


def test_the_plain_form_holds_the_class_and_every_field():
    crop = RandomResizedCrop(scale=(0.5, 1))
    assert plain(crop) == {"type": "RandomResizedCrop", "scale": [0.5, 1.0], "ratio": [3 / 4, 4 / 3]}
    assert restore([plain(crop)], CLASSES) == (crop,)
    assert restore({"a": plain(crop), "b": 3}, CLASSES) == {"a": crop, "b": 3}


def test_a_label_leaves_out_what_is_default():
    assert label(SGD(lr=0.1, momentum=0.9)) == "SGD(lr=0.1, momentum=0.9)"
    assert label(Adam()) == "Adam()"
    assert label("resnet50") == "resnet50"
    assert label(0.3) == "0.3"


def test_a_mapping_and_none_fit_where_they_are_asked_for():
    assert Meal(prices={"soup": 3.0}).prices == {"soup": 3.0}
    assert Meal(prices=None).prices is None
    assert fit((Brightness(1),), Recipe) == ((Brightness(1),), "")
    assert fit(Brightness(1), Operation)[1] == ""


def test_collecting_gathers_the_mistakes_of_a_file_with_their_lines():
    source = "\n".join(["SGD(lr=-1)", "", "Cosine(", "    final=2,", ")", "ok = Adam()", "RandomHorizontalFlip(p='x')"])
    names = {"SGD": SGD, "Cosine": Cosine, "Adam": Adam, "RandomHorizontalFlip": RandomHorizontalFlip}
    with collecting("menu.py") as problems:
        exec(compile(source, "menu.py", "exec"), names)
    assert [str(problem) for problem in problems] == [
        "menu.py:1: SGD: lr = -1: must be above 0",
        "menu.py:3: Cosine: final = 2: must be at least 0 and at most 1",
        "menu.py:7: RandomHorizontalFlip: p = 'x': expected a finite number",
    ]
    with pytest.raises(InputError):
        SGD(lr=-1)  # after the block a mistake raises again


def test_collecting_finds_the_line_of_the_file_behind_a_call_into_the_program():
    with collecting("menu.py") as problems:
        exec(compile("x = 1\nreplace(sgd, lr=-1)", "menu.py", "exec"), {"replace": replace, "sgd": SGD(0.1)})
    assert [str(problem) for problem in problems] == ["menu.py:2: SGD: lr = -1: must be above 0"]


def test_words_are_put_before_mistakes_that_are_raised_or_collected():
    def make():
        with introduced("at half its rate: "):
            SGD(lr=-1, momentum=2)

    with pytest.raises(InputError) as raised:
        make()
    expected = [
        "at half its rate: SGD: lr = -1: must be above 0",
        "at half its rate: SGD: momentum = 2: must be at least 0 and below 1",
    ]
    assert [problem.message for problem in raised.value.problems] == expected
    with collecting("menu.py") as problems:
        SGD(lr=-1)
        make()
    assert [problem.message for problem in problems] == ["SGD: lr = -1: must be above 0", *expected]


@value
class Sizes:
    name: str = ""
    share: Annotated[float, Range(low=0, high=1)] = 0.5
    steps: int = 1
    shown: bool = False
    pair: tuple[float, float] = (0.0, 1.0)
    many: tuple[int, ...] = ()
    kind: Literal["a", 2] = "a"
    more: Mapping[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"share": np.float32(0.25)}, {"share": 0.25}),
        ({"share": np.float64(0.1)}, {"share": 0.1}),
        ({"share": np.int64(1)}, {"share": 1.0}),
        ({"share": np.array(0.5)}, {"share": 0.5}),
        ({"steps": np.uint8(7)}, {"steps": 7}),
        ({"shown": np.True_}, {"shown": True}),
        ({"pair": np.array([0.5, 1])}, {"pair": (0.5, 1.0)}),
        ({"pair": range(2)}, {"pair": (0.0, 1.0)}),
        ({"pair": [np.float32(0.5), 1]}, {"pair": (0.5, 1.0)}),
        ({"many": np.arange(3)}, {"many": (0, 1, 2)}),
        ({"many": pd.Series([4, 5])}, {"many": (4, 5)}),
        ({"kind": np.int64(2)}, {"kind": 2}),
        ({"kind": np.str_("a")}, {"kind": "a"}),
        ({"name": Path("a") / "b"}, {"name": "a/b"}),
        (
            {"more": {"lr": np.logspace(-3, -1, 3), "file": Path("x")}},
            {"more": {"lr": (0.001, 0.01, 0.1), "file": "x"}},
        ),
        ({"more": {"deep": [(np.float64(0.1),)], "span": range(2)}}, {"more": {"deep": [(0.1,)], "span": (0, 1)}}),
    ],
)
def test_numbers_of_numpy_paths_and_ranges_are_held_as_python_has_them(given, held):
    made = Sizes(**given)
    assert made == Sizes(**held)
    assert repr(made) == repr(Sizes(**held))
    assert json.dumps(plain(made)) == json.dumps(plain(Sizes(**held)))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"steps": np.float64(2.5)}, "steps = 2.5: expected a whole number"),
        ({"share": np.float64(np.nan)}, "share = nan: expected a finite number"),
        ({"share": np.float64(2)}, "share = 2.0: must be at least 0 and at most 1"),
        ({"share": np.array([0.1, 0.2])}, "share = (0.1, 0.2): expected a finite number"),
        ({"share": np.True_}, "share = True: expected a finite number"),
        ({"many": np.array([[1, 2]])}, "many = ((1, 2),): (1, 2): expected a whole number"),
        ({"pair": np.zeros(3)}, "pair = (0.0, 0.0, 0.0): expected 2 values, got 3"),
        ({"steps": Path("3")}, f"steps = {Path('3')!r}: expected a whole number"),
    ],
)
def test_what_is_wrong_is_so_in_an_array_too(given, wrong):
    with pytest.raises(InputError) as raised:
        Sizes(**given)
    assert str(raised.value) == f"Sizes: {wrong}"


def test_what_holds_nothing_to_change_is_the_same_object():
    for given in ({"a": (1, [2.0, None])}, [1, "x"], (True,), "text", 1.5):
        assert native(given) is given
    assert label(np.float64(0.001)) == "0.001"
    assert label(Path("a.pt")) == "a.pt"
