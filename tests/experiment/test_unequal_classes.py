"""Class weights, sampling and patience in an experiment: what is taken, what is refused, what is said of classes."""

import json
from dataclasses import replace

import pytest

from ablation import Constant, Cosine, Experiment, InputError
from ablation.experiment.class_weights import class_weights_of, misfits, weights_of
from ablation.experiment.classes import imbalance
from ablation.experiment.form import experiment_of, form_of
from ablation.experiment.spec import RunSpec, cautions

CLASSES = ("birman", "persian", "sphynx")


def spec_of(experiment: Experiment) -> RunSpec:
    return experiment.cells("0" * 16)[0].spec


GIVEN = {
    "by name": {"sphynx": 2.5, "birman": 1, "persian": 1.0},
    "in order": (1, 1.0, 2.5),
    "list": [1.0, 1.0, 2.5],
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_weights_are_given_by_name_or_in_the_order_of_the_classes(tiny, given):
    spec = spec_of(replace(tiny, class_weights=given))
    assert weights_of(spec.class_weights, CLASSES) == {"birman": 1.0, "persian": 1.0, "sphynx": 2.5}
    assert not list(misfits(spec.class_weights, CLASSES))
    assert RunSpec.from_plain(json.loads(json.dumps(spec.to_plain()))) == spec
    assert spec.id != spec_of(tiny).id


def test_the_order_of_names_changes_no_id(tiny):
    one, other = ({"a": 1.0, "b": 2.0}, {"b": 2, "a": 1})
    assert spec_of(replace(tiny, class_weights=one)).id == spec_of(replace(tiny, class_weights=other)).id


def test_all_three_may_vary_and_come_back_from_a_form(tiny):
    levels = {"none": None, "balanced": "balanced", "given": {"a": 2.0, "b": 1.0}}
    vary = {"class_weights": levels, "sampling": ("shuffle", "balanced"), "patience": (None, 3)}
    experiment = replace(tiny, vary=vary)
    specs = {cell.spec.id for cell in experiment.cells("0" * 16)}
    assert len(specs) == 2 * 2 * 3 * 3 * 2 * 2
    assert experiment_of(json.loads(json.dumps(form_of(experiment)))) == experiment
    plain = {cell.spec.id for cell in tiny.cells("0" * 16)}
    assert plain < specs, "the ids of runs that use none of it stay"


WRONG = {
    "zero": ({"class_weights": (1.0, 0.0)}, "must be above 0"),
    "negative by name": ({"class_weights": {"a": 1.0, "b": -2}}, "-2: expected a finite number above 0"),
    "infinite": ({"class_weights": {"a": float("inf")}}, "inf: expected a finite number above 0"),
    "not a number": ({"class_weights": {"a": float("nan")}}, "nan: expected a finite number above 0"),
    "text": ({"class_weights": {"a": "2"}}, "'2': expected a finite number above 0"),
    "nothing": ({"class_weights": ()}, "expected a number for each class"),
    "empty": ({"class_weights": {}}, "expected a number for each class"),
    "misspelt": ({"class_weights": "balance"}, "did you mean 'balanced'?"),
    "varied": ({"vary": {"class_weights": (None, (1.0, -1.0))}}, "must be above 0"),
    "varied by name": ({"vary": {"class_weights": {"x": {"a": 0}}}}, "0: expected a finite number above 0"),
    "sampling": ({"sampling": "weighted"}, "expected one of 'shuffle', 'balanced'"),
    "patience 0": ({"patience": 0}, "must be at least 1"),
    "patience 2.5": ({"patience": 2.5}, "expected a whole number"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_in_a_line(tiny, change, words):
    with pytest.raises(InputError) as raised:
        replace(tiny, **change)
    (problem,) = raised.value.problems
    assert words in problem.message
    assert next(iter(change.get("vary", change))) in problem.message


def test_weights_that_do_not_fit_the_classes_are_named():
    assert list(misfits((1.0, 2.0), CLASSES)) == ["class_weights has 2 numbers, and the data 3 classes"]
    pairs = class_weights_of({"birman": 1.0, "tabby": 3.0})
    assert list(misfits(pairs, CLASSES)) == [
        "class_weights names 'tabby', which the data has not ('birman', 'persian' and 'sphynx')",
        "class_weights has no number for 'persian' and 'sphynx'",
    ]
    assert not list(misfits("balanced", CLASSES))
    assert not list(misfits(None, CLASSES))


def test_a_caution_where_classes_are_unequal_and_the_metric_counts_images():
    caution = imbalance("accuracy", CLASSES, (180, 612, 90))
    assert "6.8 : 1" in caution
    assert "612 images" in caution
    for name in ("persian", "sphynx", "metric='balanced_accuracy'", "'macro_f1'", "class_weights='balanced'"):
        assert name in caution
    assert imbalance("accuracy", CLASSES, (150, 100, 100)) == "", "at 1.5 there is none"
    assert "1.5 : 1" in imbalance("accuracy", CLASSES, (151, 100, 100))
    for metric in ("balanced_accuracy", "macro_f1", "log_loss", "auroc"):
        assert imbalance(metric, CLASSES, (612, 90, 90)) == ""
    assert imbalance("accuracy", CLASSES, (612, 0, 600)) == "", "a class without an image is another mistake"


def test_cautions_of_patience_and_of_balancing_twice(tiny):
    (never,) = cautions(spec_of(replace(tiny, patience=2)), 100)
    assert never == "patience = 2 with epochs = 2: training never stops early"
    (cosine,) = cautions(spec_of(replace(tiny, patience=1, schedule=Cosine())), 100)
    assert cosine.startswith("patience = 1 with Cosine(): the learning rate follows all 2 epochs")
    assert not list(cautions(spec_of(replace(tiny, patience=1, schedule=Constant())), 100))
    (twice,) = cautions(spec_of(replace(tiny, class_weights="balanced", sampling="balanced")), 100)
    assert "one is enough" in twice
