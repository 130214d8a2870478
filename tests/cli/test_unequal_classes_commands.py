"""Unequal classes are said by plan and beside every result, in one sentence; what does not fit them is refused."""

from dataclasses import replace

import numpy as np
import pytest
from commands import ablation
from PIL import Image

from ablation import InputError, sweep
from ablation.core.text import plain
from ablation.evidence.warnings import warnings_of
from ablation.experiment.classes import imbalance

FILE = """
from ablation import Adam, Experiment, Fixed, ImageFolder
experiment = Experiment(
    name="cats", data=ImageFolder("cats"), model="lenet", image_size=12, epochs=2, batch_size=8, seeds=3,
    recipes={{"none": ()}}, optimizers={{"adam": Adam()}}, split=Fixed(0.5, 0.25, 0.25, together="nothing"),
    baseline="none", {more}
)
"""


@pytest.fixture(scope="module")
def cats(tmp_path_factory):
    """A project with 24 birmans and 8 sphynxes, of noise."""
    root, rng = tmp_path_factory.mktemp("cats"), np.random.default_rng(0)
    for name, count in {"birman": 24, "sphynx": 8}.items():
        (root / "cats" / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), np.uint8)).save(root / "cats" / name / f"{number}.png")
    (root / "experiments").mkdir()
    return root


def planned(cats, more=""):
    (cats / "experiments" / "cats.py").write_text(FILE.format(more=more))
    code, out, err = ablation(cats, "plan", "cats")
    return code, " ".join(f"{out} {err}".split())


def test_plan_says_it_while_the_metric_counts_images(cats):
    sentence = plain(imbalance("accuracy", ("birman", "sphynx"), (24, 8)))
    assert "3.0 : 1" in sentence
    code, text = planned(cats)
    assert (code, sentence in text) == (0, True)
    code, text = planned(cats, 'metric="balanced_accuracy", class_weights="balanced"')
    assert (code, "unequal" in text) == (0, False), "the remedy that it names works"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("class_weights=(1.0, 2.0, 3.0)", "class_weights has 3 numbers, and the data 2 classes"),
        ('class_weights={"birman": 1, "tabby": 2}', "class_weights names 'tabby', which the data has not"),
        ('vary={"class_weights": (None, (1.0,))}', "class_weights has 1 number, and the data 2 classes"),
        ('metric="top5_accuracy"', "the label is always among five of 2 classes; give another metric"),
    ],
)
def test_what_does_not_fit_the_classes_is_refused_by_plan(cats, more, words):
    code, text = planned(cats, more)
    assert (code, words in text) == (2, True)


@pytest.mark.usefixtures("inside")
def test_nothing_is_trained_or_written_where_weights_do_not_fit(finished, tmp_path):
    experiment = replace(finished.experiment, class_weights=(1.0, 2.0))
    with pytest.raises(InputError, match="class_weights has 2 numbers, and the data 10 classes"):
        sweep(experiment, tmp_path / "runs", finished.folder / "cache", jobs=1, device="cpu")
    assert not list((tmp_path / "runs").glob("*/*"))


def test_it_is_beside_every_result(finished):
    counts = (612, *[180] * 8, 90)
    unequal = replace(finished.results, class_counts=counts)
    sentence = imbalance("accuracy", finished.results.classes, counts)
    assert sentence in warnings_of(unequal, frozenset())
    other = replace(finished.experiment, metric="macro_f1")
    assert sentence not in warnings_of(replace(unequal, experiment=other), frozenset())
    assert sum(finished.results.class_counts) == finished.results.images == 1797
    assert not any("unequal" in one for one in warnings_of(finished.results, frozenset())), "digits are nearly equal"
