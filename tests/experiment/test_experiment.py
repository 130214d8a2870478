"""The grid: its order, its size, and ids that change with what can change a result and with nothing else."""

import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from ablation.analysis.comparison import CorrectedResampled, Crossed, Dunnett, Paired, Welch
from ablation.analysis.metrics import METRICS, Metric
from ablation.augment import Brightness, RandomResizedCrop
from ablation.core.errors import InputError
from ablation.data import Digits, Fixed, KFold, PerSeed, Redrawn, Subset
from ablation.experiment.experiment import Experiment
from ablation.experiment.spec import default_cache_size
from ablation.optim import SGD, Adam, AdamW, Constant, Cosine, Optimizer, RMSprop, Step

DATA = "0123456789abcdef"
CROP = RandomResizedCrop(scale=(0.35, 1.0))


@pytest.fixture
def experiment() -> Experiment:
    """3 recipes x 2 optimizers x 2 seeds."""
    return Experiment(
        name="grid",
        data=Digits(),
        recipes={"none": (), "crop": (CROP,), "both": (CROP, Brightness(0.4))},
        optimizers={"adam": Adam(), "sgd": SGD(lr=0.1)},
        baseline="none",
        seeds=2,
    )


def ids(experiment: Experiment, data: str = DATA) -> dict[tuple, str]:
    return {(*cell.factors.values(), cell.seed): cell.spec.id for cell in experiment.cells(data)}


def test_the_grid_is_in_order_recipes_outermost_and_seeds_innermost(experiment):
    assert list(ids(experiment)) == [
        (recipe, optimizer, seed)
        for recipe in ("none", "crop", "both")
        for optimizer in ("adam", "sgd")
        for seed in (0, 1)
    ]
    assert len(set(ids(experiment).values())) == 12
    spec = experiment.cells(DATA)[-1].spec
    assert (spec.recipe, spec.optimizer, spec.seed) == ((CROP, Brightness(0.4)), SGD(lr=0.1), 1)
    assert (spec.data, spec.model, spec.image_size, spec.cache_size) == (DATA, "resnet50", 224, 256)


def test_anything_may_vary_by_value_or_by_name(experiment):
    varied = replace(
        experiment,
        vary={
            "model": ("resnet18", "resnet34"),
            "schedule": {"flat": Constant(), "cosine": Cosine(5)},
            "dropout": (0.0, 0.3),
        },
    )
    cells = varied.cells(DATA)
    assert len(cells) == 3 * 2 * 2 * 2 * 2 * 2
    assert list(varied.factors) == ["recipe", "optimizer", "model", "schedule", "dropout"]
    assert list(varied.factors["dropout"]) == ["0.0", "0.3"]
    last = cells[-1]
    assert last.factors["schedule"] == "cosine"
    assert (last.spec.model, last.spec.schedule, last.spec.dropout) == ("resnet34", Cosine(5), 0.3)
    assert last.condition == ("sgd", "resnet34", "cosine", "0.3")


def test_a_level_of_vary_is_held_to_the_fields_type(experiment):
    """0 and 0.0 of dropout are one value, hence one run."""
    varied = replace(experiment, vary={"dropout": (0, 0.3)})
    assert {cell.spec.dropout for cell in varied.cells(DATA)} == {0.0, 0.3}
    assert set(ids(experiment).values()) < set(ids(varied).values())


def test_exclude_drops_the_cells_that_match_all_of_a_rule(experiment):
    excluded = replace(experiment, exclude=({"recipe": "crop", "optimizer": "sgd"}, {"recipe": "both"}))
    assert list(ids(excluded)) == [key for key in ids(experiment) if key[:2] != ("crop", "sgd") and key[0] != "both"]
    assert ids(excluded).items() < ids(experiment).items()


@pytest.mark.parametrize("seeds", [10_001, 99999999999999999999, tuple(range(10_001))], ids=["more", "huge", "named"])
def test_more_seeds_than_fit_are_refused_at_once(experiment, seeds):
    got = f"{seeds if isinstance(seeds, int) else len(seeds):,}"
    with pytest.raises(InputError, match=f"seeds: expected at most 10,000, got {got}; each is a run of every recipe"):
        replace(experiment, seeds=seeds)
    assert len(replace(experiment, seeds=10_000).seed_numbers) == 10_000


def test_seeds_are_a_number_of_them_or_named(experiment):
    assert experiment.seed_numbers == (0, 1)
    named = replace(experiment, seeds=(1, 7))
    assert named.seed_numbers == (1, 7)
    assert ids(named)["crop", "sgd", 1] == ids(experiment)["crop", "sgd", 1]


def test_two_names_for_the_same_values_share_their_runs(experiment):
    doubled = replace(
        experiment, recipes={**experiment.recipes, "nothing": ()}, optimizers={"a": Adam(), "b": Adam(lr=1e-3)}
    )
    cells = doubled.cells(DATA)
    assert len(cells) == 4 * 2 * 2
    assert len({cell.spec.id for cell in cells}) == 3 * 2
    assert ids(doubled)["nothing", "b", 1] == ids(doubled)["none", "a", 1]


def test_renaming_reordering_and_rewriting_change_no_id(experiment):
    again = replace(
        experiment,
        name="other",
        question="Why?",
        baseline="plain",
        recipes={"with light": [CROP, Brightness(0.4)], "framed": (RandomResizedCrop((0.35, 1)),), "plain": ()},
        optimizers={"sgd": SGD(lr=0.1, momentum=0), "adam": Adam(lr=0.001)},
        data=Subset(Digits(), 10),
        metric="brier",
        margin=0.1,
        alpha=0.01,
        test=CorrectedResampled(),
        cache_size=256,
    )
    assert sorted(ids(again).values()) == sorted(ids(experiment).values())
    assert ids(again)["framed", "sgd", 1] == ids(experiment)["crop", "sgd", 1]


CHANGES = {
    "magnitude": {"recipes": {"none": (), "crop": (RandomResizedCrop(scale=(0.36, 1.0)),)}},
    "order of operations": {"recipes": {"none": (), "crop": (Brightness(0.4), CROP)}},
    "optimizer": {"optimizers": {"adam": Adam(eps=1e-7)}},
    "class of optimizer": {"optimizers": {"adam": AdamW(weight_decay=0.0)}},
    "seeds": {"seeds": (2, 3)},
    "model": {"model": "resnet34"},
    "image size": {"image_size": 196},
    "cache size": {"cache_size": 264},
    "dropout": {"dropout": 0.1},
    "schedule": {"schedule": Step(10)},
    "epochs": {"epochs": 31},
    "batch size": {"batch_size": 65},
    "label smoothing": {"label_smoothing": 0.1},
    "split": {"split": Fixed(seed=1)},
    "kind of split": {"split": PerSeed()},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_can_change_a_result_changes_the_id(experiment, change):
    before = replace(experiment, recipes={"none": (), "crop": (CROP, Brightness(0.4))}, optimizers={"adam": Adam()})
    after = ids(replace(before, **change))
    assert not {id_ for key, id_ in after.items() if key[0] == "crop"} & set(ids(before).values())


def test_other_data_are_other_runs(experiment):
    assert not set(ids(experiment).values()) & set(ids(experiment, "fedcba9876543210").values())


OPTIMIZERS = f"SGD, Adam, AdamW or any of {len(get_args(Optimizer)) - 3} others"


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(InputError) as raised:
        Experiment(
            name="../up",
            data=Digits(),
            recipes={"none": (), "crop": (CROP), "light": (Brightness,)},
            optimizers={"adam": "adam", "sgd": SGD},
            baseline="nothing",
            model="resnet51",
            seeds=(1, 1),
            vary={"droput": (0.1,), "epochs": (), "dropout": 0.3, "batch_size": (8, 1), "cache_size": {18: 24}},
            exclude=({"recipes": "none"}, {"optimizer": "sdg"}, {"optimizer": ["sgd"]}, {}),
        )
    message = str(raised.value)
    for part in (
        "name = '../up': use at most 200 letters",
        "recipes['crop']: expected a tuple of RandomResizedCrop, RandomCrop, CenterCrop or any of",
        "recipes['light']:",
        f"optimizers['adam']: expected {OPTIMIZERS}; did you mean 'Adam'?",
        f"optimizers['sgd']: expected {OPTIMIZERS}; write SGD(...), with its fields",
        "baseline = 'nothing' is not one of the recipes",
        "model = 'resnet51' is unknown; did you mean 'resnet",
        "seeds = (1, 1): name at least one seed, and each once",
        "vary: 'droput' cannot vary; did you mean 'dropout'?",
        "vary['epochs'] = (): expected a tuple of values, or a dict of name -> value",
        "vary['dropout'] = 0.3: expected a tuple of values, or a dict of name -> value",
        "vary['batch_size']: 1: must be at least 2",
        "vary['cache_size']: the name 18 is not a text",
        "exclude: 'recipes' is not a factor; did you mean 'recipe'?",
        "exclude: optimizer has no level 'sdg'; did you mean 'sgd'? (adam, sgd)",
        "exclude: optimizer has no level ['sgd']; did you mean 'sgd'? (adam, sgd)",
        "exclude: an empty rule would drop every cell",
    ):
        assert part in message
    assert len(raised.value.problems) == 17


def test_names_are_texts(experiment):
    with pytest.raises(InputError, match=r"recipes = .*: the name 3 is not a text"):
        replace(experiment, recipes={"none": (), 3: ()})


UNREADABLE = {
    "NUL": ("crop\x00", r"'crop\x00' has U+0000"),
    "escape": ("\x1b[31mcrop", r"'\x1b[31mcrop' has U+001B, which cannot be read; leave it out"),
    "return": ("crop\rnone", r"'crop\rnone' has U+000D"),
    "tab": ("a\tb", "has U+0009"),
    "C1": ("a\x9bb", "has U+009B"),
    "line separator": ("a\u2028b", "has U+2028"),
    "mark": ("crop\u200e", "has U+200E"),
    "Arabic mark": ("crop\u061c", "has U+061C"),
    "override": ("\u202epocr\u202c", "has U+202E and U+202C"),
    "isolate": ("\u2068crop\u2069", "has U+2068 and U+2069"),
    "blank": (" ", "the name ' ' says nothing"),
    "blank to the eye": ("x\u200b", r"the names 'x' and 'x\u200b' look alike"),
    "a space more": ("x ", "the names 'x' and 'x ' look alike; use another one"),
}


@pytest.mark.parametrize(("name", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_name_can_be_read_and_told_from_the_others(experiment, name, words):
    recipes = {"none": (), "x": (CROP,), name: (Brightness(0.4),)}
    optimizers, dropout = {"x": Adam(), name: SGD(lr=0.1)}, {"x": 0.1, name: 0.2}
    fields = {"recipes": recipes, "optimizers": optimizers, "corrupt": recipes | {"none": (CROP,)}}
    changes = {field: {field: value} for field, value in fields.items()} | {
        "vary['dropout']": {"vary": {"dropout": dropout}}
    }
    for field, change in changes.items():
        with pytest.raises(InputError) as raised:
            replace(experiment, **change)
        assert f"{field}: " in str(raised.value)
        assert words in str(raised.value)
        assert len(raised.value.problems) == 1


def test_names_in_any_writing_are_names(experiment):
    """Letters that join, accents that are written in two ways, small and capital letters are no mistakes."""
    names = ("crop", "Crop", "café", "猫", "कि", "कु", "\u0645\u06cc\u200c\u062e", "\N{MINUS SIGN} x", "x²", "x2")
    assert set(replace(experiment, recipes={"none": (), **dict.fromkeys(names, (CROP,))}).recipes) >= set(names)
    with pytest.raises(InputError, match="look alike"):
        replace(experiment, recipes={"none": (), "caf\u00e9": (), "cafe\u0301": ()})


def test_a_text_where_several_models_belong_is_one_mistake(experiment):
    with pytest.raises(InputError) as raised:
        replace(experiment, vary={"model": "resnet18"})
    assert str(raised.value) == (
        "Experiment: vary['model'] = 'resnet18': expected a tuple of values, or a dict of name -> value"
    )


def test_fields_of_the_wrong_kind_are_reported_with_what_belongs_there():
    with pytest.raises(InputError) as raised:
        Experiment(name="x", data="digits", recipes=[()], optimizers={}, baseline="none", metric="acuracy", seed=3)
    assert [str(problem) for problem in raised.value.problems] == [
        next(str(p) for p in raised.value.problems if "has no field 'seed'; did you mean 'seeds'?" in str(p)),
        "Experiment: data = 'digits': expected ImageFolder or ListFile or CsvFile or Digits or TorchvisionData or "
        "SkipBad or Subset; did you mean 'Digits'?",
        "Experiment: recipes = [()]: expected a dict of name -> value",
        f"Experiment: metric = 'acuracy': expected one of {', '.join(map(repr, METRICS))}, or OwnMetric(...); "
        "did you mean 'accuracy'?",
    ]


def test_a_metric_that_is_added_may_be_asked_for_and_decides_the_default_test(experiment, monkeypatch):
    with pytest.raises(InputError, match="metric = 'fraction': expected one of"):
        replace(experiment, metric="fraction")
    monkeypatch.setitem(METRICS, "fraction", Metric("fraction", whole=lambda logits, labels: 0.0))
    assert replace(experiment, metric="fraction").declared_test == Paired()
    monkeypatch.setitem(METRICS, "fraction", Metric("fraction", per_image=lambda logits, labels: np.zeros(len(labels))))
    assert replace(experiment, metric="fraction").declared_test == Crossed()


def test_the_test_follows_from_the_split_unless_declared(experiment):
    assert experiment.split == Redrawn()
    assert experiment.declared_test == replace(experiment, split=Fixed()).declared_test == Crossed()
    assert replace(experiment, metric="ece").declared_test == Paired(), "of new photographs nothing is known there"
    assert replace(experiment, split=PerSeed()).declared_test == CorrectedResampled()
    assert replace(experiment, split=PerSeed(), metric="ece").declared_test == CorrectedResampled()
    assert replace(experiment, vary={"split": (Fixed(), PerSeed())}).declared_test == CorrectedResampled()
    assert replace(experiment, test=CorrectedResampled()).declared_test == CorrectedResampled()


@pytest.mark.parametrize("test", [Welch(), Paired(), Dunnett(), Crossed()])
@pytest.mark.parametrize("redrawn", [{"split": PerSeed()}, {"vary": {"split": (Fixed(), KFold(5))}}])
def test_a_test_that_knows_nothing_of_shared_photographs_is_refused(experiment, test, redrawn):
    message = re.escape(f"test = {type(test).__name__}(): where the test part is redrawn for each seed, seeds share")
    with pytest.raises(InputError, match=message):
        replace(experiment, test=test, **redrawn)


@pytest.mark.parametrize("test", [Welch(), Dunnett()])
@pytest.mark.parametrize("redrawn", [{}, {"split": Fixed(), "vary": {"split": (Fixed(), Redrawn())}}])
def test_recipes_that_share_training_parts_are_compared_in_pairs(experiment, test, redrawn):
    message = re.escape(
        f"test = {type(test).__name__}(): where the training part is redrawn for each seed, recipes share"
    )
    with pytest.raises(InputError, match=message):
        replace(experiment, test=test, **redrawn)
    assert replace(experiment, split=Fixed(), test=test).declared_test == test
    for paired in (Crossed(), Paired()):
        assert replace(experiment, test=paired, **redrawn).declared_test == paired


def test_a_metric_without_a_formula_for_photographs_refuses_the_test_that_needs_one(experiment):
    with pytest.raises(InputError, match=re.escape("test = Crossed(): it has no formula for ece; leave `test` out")):
        replace(experiment, metric="ece", test=Crossed())


def test_ten_thousand_cells_are_ten_thousand_runs(experiment):
    large = replace(
        experiment,
        recipes={str(place): (RandomResizedCrop((place / 10, 1)), Brightness(0.1)) for place in range(1, 6)},
        optimizers={"adam": Adam(), "adamw": AdamW(), "sgd": SGD(0.1), "rmsprop": RMSprop()},
        baseline="1",
        vary={"dropout": tuple(place / 20 for place in range(10))},
        seeds=50,
    )
    assert len({cell.spec.id for cell in large.cells(DATA)}) == 10_000


def test_the_smoke_version_is_small_and_its_own(experiment):
    varied = replace(
        experiment,
        vary={"epochs": (30, 60), "dropout": (0.0, 0.3)},
        exclude=({"epochs": "60", "recipe": "crop"}, {"dropout": "0.3", "recipe": "both"}),
        seeds=4,
    )
    smoke = varied.smoke()
    assert smoke.name == "grid-smoke"
    assert smoke.data == Subset(Digits(), per_class=10)
    specs = [cell.spec for cell in smoke.cells(DATA)]
    assert {(spec.epochs, spec.image_size, spec.cache_size, spec.batch_size) for spec in specs} == {(1, 64, 80, 16)}
    assert smoke.seed_numbers == (0, 1)
    assert list(smoke.factors) == ["recipe", "optimizer", "dropout"]
    assert smoke.exclude == ({"dropout": "0.3", "recipe": "both"},)
    assert not {spec.id for spec in specs} & set(ids(varied).values())


@pytest.mark.parametrize(("image", "cached"), [(224, 256), (196, 224), (64, 80), (8, 16), (1, 8), (299, 344)])
def test_the_default_cache_is_an_eighth_larger_in_whole_steps_of_8(image, cached):
    assert default_cache_size(image) == cached
    assert cached >= image * 8 / 7
