"""An experiment comes back from plain data equal and looking the same, and nothing that it names is run."""

import json
from dataclasses import replace

import pytest

from ablation import (
    SGD,
    Adam,
    Brightness,
    Cosine,
    Experiment,
    Hue,
    ImageFolder,
    ImageFunction,
    RandomResizedCrop,
    Redrawn,
    SkipBad,
    TrainSize,
    Welch,
    dose,
    powerset,
)
from ablation.augment.operations.choice import Sometimes
from ablation.core.errors import DataError, InputError
from ablation.core.values import unchecked
from ablation.data import Fixed
from ablation.experiment.files import experiment_names, find, read
from ablation.experiment.form import experiment_of, form_of
from ablation.experiment.pack import own_code
from ablation.experiment.recipes import designs_of


def back(experiment: Experiment) -> Experiment:
    return experiment_of(json.loads(json.dumps(form_of(experiment), allow_nan=False)))


def test_every_experiment_of_the_project_comes_back():
    assert experiment_names()
    for name in experiment_names():
        experiment = read(find(name)).experiment
        assert back(experiment) == experiment
        assert repr(back(experiment)) == repr(experiment)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipes": dose((RandomResizedCrop(), Brightness(0.4)), (0.5, 1)) | {"type": (Hue(0.1),)}, "baseline": "none"},
        {"recipes": powerset({"crop": RandomResizedCrop(), "hue": (Hue(0.1),)})},
        {"vary": {"split": {"few": Fixed(train=100), "value": Redrawn()}, "dropout": [0.0, 0.5]}, "test": None},
        {"vary": {"train_size": (TrainSize(10), None), "schedule": {"dict": Cosine(warmup=1), "tuple": Cosine()}}},
        {"data": SkipBad(ImageFolder("photos")), "test": Welch(), "seeds": (3, 5), "exclude": ({"recipe": "crop"},)},
        {"corrupt": {"dark": (Brightness(0.8),)}, "question": "Is it “so” {or} not? \u732b"},
        {"normalization": "imagenet", "optimizers": {"adam": Adam(betas=(0.8, 0.9)), "sgd": SGD(lr=1)}},
    ],
    ids=lambda changes: " ".join(changes),
)  # fmt: skip
def test_whatever_an_experiment_holds_comes_back(tiny, changes):
    experiment = replace(tiny, **changes)
    again = back(experiment)
    assert again == experiment
    assert repr(again) == repr(experiment)
    assert designs_of(again.recipes) == designs_of(experiment.recipes)
    assert [cell.spec.id for cell in again.cells("0" * 16)] == [cell.spec.id for cell in experiment.cells("0" * 16)]


def test_nothing_that_it_names_is_run(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "from pathlib import Path\nPath('ran').touch()\ndef change(picture, generator): return picture\n"
    (tmp_path / "mine.py").write_text(code)
    own = ImageFunction("mine.py:change")
    assert (tmp_path / "ran").exists(), "making the value runs the file"
    experiment = replace(tiny, recipes={"none": (), "own": (Sometimes(own, 0.5),)})
    assert own_code(experiment, (cell.spec for cell in experiment.cells("0" * 16))) == ("mine.py:change",)
    assert own_code(tiny, (cell.spec for cell in tiny.cells("0" * 16))) == ()
    form = form_of(experiment)
    (tmp_path / "ran").unlink()
    again = experiment_of(form)
    assert again.recipes["own"][0].operation.function == "mine.py:change"
    assert again.recipes["own"][0].operation.source == own.source
    assert not (tmp_path / "ran").exists()


def test_values_made_unchecked_are_held_to_their_annotations_all_the_same():
    with unchecked(), pytest.raises(InputError, match="lr = 'fast'"):
        SGD(lr="fast")
    with pytest.raises(InputError, match="the shares of train"):
        Fixed(0.9, 0.9, 0.9)
    with unchecked():
        assert Fixed(0.9, 0.9, 0.9).train == 0.9
    with pytest.raises(InputError):
        Fixed(0.9, 0.9, 0.9)


@pytest.mark.parametrize(
    "form",
    [
        None, 3, [], {}, {"value": "Path", "fields": {}}, {"value": "Experiment", "fields": {}},
        {"value": "Experiment", "fields": 3}, {"value": ["Experiment"], "fields": {}}, {"dict": 3}, {"dict": [[1]]},
        {"set": [{}]}, {"dict": [[{"list": []}, 1]]}, {"value": "SGD", "fields": {"lr": 0.1}}, {"other": 1},
    ],
)  # fmt: skip
def test_what_is_no_experiment_is_one_clear_error(form):
    with pytest.raises(DataError, match=r"cannot be read|expected an experiment"):
        experiment_of(form)


def test_what_may_not_stand_in_an_experiment_is_refused():
    with pytest.raises(TypeError, match="object cannot stand in an experiment"):
        form_of({"a": object()})
