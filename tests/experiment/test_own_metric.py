"""A metric of one's own: computed of stored logits, declared with its source, and each mistake a line."""

import copy
import json
import pickle
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cli.commands import ablation
from scipy.special import softmax

from ablation import Crossed, InputError, OwnMetric, Paired, Results, compare
from ablation.analysis.metrics import METRICS
from ablation.evidence.warnings import warnings_of
from ablation.experiment.form import experiment_of, form_of
from ablation.experiment.preregistration import preregistration_of
from ablation.experiment.runs import runs_of
from ablation.tracking.publication import run_publication

SOURCE = '''
"""What mistakes cost."""
import numpy as np

def cost(probabilities, labels):
    assert probabilities.dtype == float and abs(probabilities.sum(axis=1) - 1).max() < 1e-12
    wrong = probabilities.argmax(axis=1) != labels
    return wrong * np.where(labels == 8, 5.0, 1.0)

def total(probabilities, labels):
    return cost(probabilities, labels).sum()

def falls(probabilities, labels):
    return labels[10**9]

def wide(probabilities, labels):
    return probabilities

def words(probabilities, labels):
    return "good"

def few(probabilities, labels):
    return np.zeros(3)

def nothing(probabilities, labels):
    return float("nan")

def endless(probabilities, labels):
    return np.full(len(labels), np.inf)

number = 3
'''


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A working folder with my_metrics.py."""
    (tmp_path / "my_metrics.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my_metrics.py"


def own(name, per_image=False, higher_is_better=False, unit="euros"):
    return OwnMetric(f"my_metrics:{name}", higher_is_better=higher_is_better, unit=unit, per_image=per_image)


def judged_by(finished, metric):
    experiment = replace(finished.experiment, metric=metric)
    return Results.load(experiment, finished.folder / "runs", finished.folder / "cache")


def costs_of(results, run):
    """By hand."""
    _, labels, logits = results.test_predictions(run)
    return (softmax(logits.astype(float), axis=1).argmax(axis=1) != labels) * np.where(labels == 8, 5.0, 1.0)


@pytest.mark.parametrize("per_image", [True, False])
def test_it_is_computed_of_stored_logits_and_judged_like_any_other(finished, written, per_image):
    results = judged_by(finished, own("cost", True) if per_image else own("total"))
    metric = results.experiment.metric
    for run, score in zip(results.frame["id"], results.frame[metric], strict=True):
        costs = costs_of(results, run)
        assert score == pytest.approx(costs.mean() if per_image else costs.sum())
    assert results.experiment.declared_test == (Crossed() if per_image else Paired())
    (effect,) = (one for one in compare(results) if one.recipe == "crop" and one.condition != "pooled")
    assert (effect.metric, METRICS[effect.metric].lower_is_better) == (metric, True)
    by_recipe = results.frame.groupby("recipe")[str(metric)].mean()
    assert effect.estimate == pytest.approx(by_recipe["crop"] - by_recipe["none"])
    assert effect.low < effect.estimate < effect.high


def test_records_and_ids_know_nothing_of_it(finished, written):
    results = judged_by(finished, own("cost", True))
    assert {cell.spec.id for cell in results.cells} == {cell.spec.id for cell in finished.results.cells}
    assert all("my_metrics:cost" not in record.metrics for record in results.records.values())


def test_its_name_is_in_tables_and_mlflow(finished, written):
    metric = own("cost", True)
    results = judged_by(finished, metric)
    run = runs_of(results.cells, results.root)[0]
    published = run_publication(run, (results.cells[0],), results.experiment)
    points = {point.key: point.value for point in published.points}
    (name,) = (key for key in points if key.startswith("test/my_metrics"))
    assert points[name] == pytest.approx(costs_of(results, run.spec.id).mean())
    broken = replace(results.experiment, metric=own("falls"))
    assert run_publication(run, (results.cells[0],), broken).status == "FINISHED", "a metric that fails costs no run"


MISTAKES = {
    "raises": (
        "falls",
        False,
        r"it failed: IndexError: .*my_metrics\.py:\d+\); it is called as falls\(probabilities, labels\), of shapes",
    ),
    "of another shape": ("wide", False, r"it returned \d+ x 10 numbers; return one"),
    "per image, undeclared": ("cost", False, r"it returned \d+ numbers; return one; per_image=True takes a number an"),
    "a number, not per image": (
        "total",
        True,
        r"it returned one number for \d+ images; return one an image; leave",
    ),
    "too few": ("few", True, r"it returned 3 numbers for \d+ images; return one an image"),
    "text": ("words", False, r"it returned str; return a number"),
    "not there": ("costs", False, r".*my_metrics\.py has no 'costs'; did you mean 'cost'\?"),
    "no function": (
        "number",
        False,
        r"number in .*my_metrics\.py is int; make it a function of \(probabilities, labels",
    ),
}


@pytest.mark.parametrize(("name", "per_image", "words"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_a_line_that_names_the_function(finished, written, name, per_image, words):
    metric = own(name, per_image)
    for attempt in (lambda: metric.try_out(10), lambda: judged_by(finished, metric)):
        with pytest.raises(InputError) as raised:
            attempt()
        (problem,) = raised.value.problems
        assert re.match(f"metric = 'my_metrics:{name}': {words}", problem.message)
        assert "\n" not in problem.message
    assert str(finished.folder / "runs") in problem.message, "which predictions it was of"


@pytest.mark.parametrize(("name", "per_image", "number"), [("nothing", False, "nan"), ("endless", True, "inf")])
def test_what_is_not_finite_is_refused_beforehand_and_afterwards_in_no_mean(finished, written, name, per_image, number):
    metric = own(name, per_image)
    with pytest.raises(InputError, match=rf"metric = 'my_metrics:{name}': it returned {number} for 200 made-up images"):
        metric.try_out(10)
    told = warnings_of(judged_by(finished, metric), frozenset())
    assert f"6 of 6 runs without a finite score of my_metrics:{name}: in no mean and no test." in told


def test_another_source_is_another_declaration(finished, written):
    metric = own("cost", True)
    experiment = replace(finished.experiment, metric=metric)
    before = preregistration_of(experiment, finished.results.cells)
    assert before.metric.startswith("my_metrics:cost (lower is better, in euros, per image; source ")
    assert before == preregistration_of(experiment, finished.results.cells)
    written.write_text(SOURCE.replace("5.0", "7.0"))
    (change,) = before.changed_to(preregistration_of(experiment, finished.results.cells))
    assert re.fullmatch(
        r"metric my_metrics:cost \(.*source (\w+)\), now my_metrics:cost \(.*source (?!\1)\w+\)", change
    )
    better = replace(experiment, metric=own("cost", True, higher_is_better=True))
    assert before.changed_to(preregistration_of(better, finished.results.cells))


def test_it_is_a_value(finished, written):
    metric = own("cost", True)
    assert f"{metric}" == str(metric) == metric == "my_metrics:cost"
    assert metric != own("cost", True, unit="dollars")
    assert repr(metric).startswith("OwnMetric(function='my_metrics:cost', higher_is_better=False, unit='euros'")
    for other in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        assert (other, other.higher_is_better, other.unit) == (metric, False, "euros")
    experiment = replace(finished.experiment, metric=metric)
    again = experiment_of(json.loads(json.dumps(form_of(experiment))))
    assert (again.metric, again.metric.unit) == (metric, "euros")
    assert not METRICS[OwnMetric("my_metrics:cost", higher_is_better=True)].lower_is_better


DECLARED = {
    "no direction": (lambda: OwnMetric("my_metrics:cost"), "OwnMetric needs the field 'higher_is_better'"),
    "no module": (lambda: OwnMetric("nowhere:cost", True), "metric = 'nowhere:cost': no module 'nowhere'"),
    "a file": (lambda: OwnMetric("my_metrics.py", True), "write your own metric as package.module:function"),
    "long unit": (lambda: OwnMetric("my_metrics:cost", True, unit="x" * 30), "expected a word, as 'euros' or 'points'"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), DECLARED.values(), ids=DECLARED)
def test_a_declaration_that_cannot_be_is_refused(written, make, words):
    with pytest.raises(InputError, match=re.escape(words)):
        make()


def test_the_path_alone_does_not_say_what_is_better_and_the_remedy_works(finished, written):
    with pytest.raises(InputError) as raised:
        replace(finished.experiment, metric="my_metrics:cost")
    written_out = "OwnMetric('my_metrics:cost', higher_is_better=True)"
    assert f"or OwnMetric(...); write {written_out}, or False" in str(raised.value)
    assert replace(finished.experiment, metric=eval(written_out)).metric == "my_metrics:cost"


@pytest.fixture
def project(tmp_path, finished, written):
    """The finished project, its file judged by the cost."""
    for folder in ("experiments", "runs", "cache"):
        shutil.copytree(finished.folder / folder, tmp_path / folder)
    return tmp_path


def judge(project, metric):
    file = project / "experiments" / "small.py"
    text = file.read_text("utf-8").replace("Experiment,", "Experiment, OwnMetric,", 1)
    file.write_text(re.sub(r'baseline="none",.*', f'baseline="none", metric={metric!r},', text), "utf-8")


def test_commands_take_it_and_say_that_it_was_not_declared(project):
    judge(project, own("cost", True))
    code, out, err = ablation(project, "compare", "small")
    assert (code, "cost" in out) == (0, True)
    assert "metric accuracy, now my_metrics:cost (lower is better, in euros, per image; source " in " ".join(
        err.split()
    )


def test_one_beside_the_experiments_file_is_found_from_the_command_line(project):
    (project / "my_metrics.py").rename(project / "experiments" / "my_metrics.py")
    given = 'metric=OwnMetric("my_metrics:cost", higher_is_better=False, unit="euros", per_image=True)'
    code, out, err = ablation(project, "compare", "small", "--set", given)
    assert (code, "euros" in out) == (0, True), err
    code, _, err = ablation(project, "compare", "small", "--set", given.replace("my_metrics", "mine"))
    assert code == 2
    assert "experiments" in err.partition("no module 'mine' on Python's path or in")[2]


def test_one_that_fails_is_refused_before_a_run_is_trained(project):
    judge(project, own("falls"))
    shutil.rmtree(project / "runs")
    code, _, err = ablation(project, "run", "small", "--no-tracking", "--jobs", "1")
    assert code == 2
    assert "metric = 'my_metrics:falls': it failed: IndexError" in err
    assert not list((project / "runs").glob("*/*/record.json"))
    assert ablation(project, "plan", "small").code == 2


def test_a_pack_is_not_computed_by_its_authors_metric_without_trust(project):
    judge(project, own("cost", True))
    assert ablation(project, "export", "small", "--to", "pack").code == 0
    code, _, err = ablation(project, "verify", "pack")
    assert code == 2
    assert "verifying it would run my_metrics:cost" in err
    assert ablation(project, "verify", "pack", "--trust").code == 0
