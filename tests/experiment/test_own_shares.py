"""A metric of one's own: whether it is a share of images its values tell, and equivalence needs a margin."""

import math
from dataclasses import replace

import numpy as np
import pytest
from cli.commands import ablation
from made_up import find, question, results_of
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from ablation import Crossed, InputError, OwnMetric, Paired, Results
from ablation.core.seeds import stream
from ablation.evidence.power import UNKNOWN, Sizes, design_of, is_share, planned_power
from ablation.evidence.study import Study, compare
from ablation.experiment.preregistration import preregistration_of
from ablation.models.own import source_digest

SOURCE = """
import numpy as np

def right(probabilities, labels):
    return (probabilities.argmax(axis=1) == labels) * 1.0

def milli(probabilities, labels):
    return right(probabilities, labels) * 1e-3

def probability(probabilities, labels):
    return probabilities[np.arange(len(labels)), labels]
"""


@pytest.fixture
def judged(finished, tmp_path, monkeypatch):
    """metric, and other fields -> the study of the runs that are there."""
    (tmp_path / "my_shares.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)

    def judge(metric, **fields):
        experiment = replace(finished.experiment, metric=metric, **fields)
        return Study(Results.load(experiment, finished.folder / "runs", finished.folder / "cache"))

    return judge


def own(name, unit="points"):
    return OwnMetric(f"my_shares:{name}", higher_is_better=True, unit=unit, per_image=True)


def numbers(study):
    return [
        (one.estimate, one.low, one.high, one.p, one.p_equivalent, one.seeds_needed, one.images_needed, one.verdict)
        for one in study.effects
    ]


def plan_of(study):
    cells = study.results.cells
    sizes = {cell.condition: Sizes((800, 800), 0.0) for cell in cells}
    return planned_power(study.experiment, cells, sizes, study.seed_spread(), study.seed_spread(pooled=True))


def test_what_is_right_or_wrong_an_image_is_judged_and_planned_as_the_accuracy(judged):
    accuracy, mine = judged("accuracy", test=Crossed()), judged(own("right"), test=Crossed())
    assert np.array_equal(
        np.array(numbers(mine), object)[:, :7].astype(float),
        np.array(numbers(accuracy), object)[:, :7].astype(float),
        equal_nan=True,
    )
    assert [one.verdict for one in mine.effects] == [one.verdict for one in accuracy.effects]
    assert mine.image_scores.share
    assert [(one.smallest, one.at_best, one.needed) for one in plan_of(mine)] == [
        (one.smallest, one.at_best, one.needed) for one in plan_of(accuracy)
    ]


def test_a_scale_changes_no_need(judged):
    """Few images add in the unit of a share: a thousandth of it needed 55 seeds, and then more than 1,000."""
    share, scaled = judged(own("probability"), test=Crossed(), margin=1e-9), judged(own("milli"), margin=1e-9)
    assert not share.image_scores.share
    assert not scaled.image_scores.share
    pair = next(pair for pair in scaled.pairs if not pair.same_runs)
    assert not design_of(scaled.experiment, pair, (1, 0.05), scaled.image_scores).share
    assert scaled.image_scores.difference(pair.runs, True).more == 0


def test_no_floor_is_claimed_where_the_values_are_not_known_or_no_shares(judged):
    study = judged(own("probability"), test=Crossed())
    assert not is_share(study.experiment, study.seed_spread())
    assert all(math.isnan(one.at_best) for one in plan_of(study))
    before = replace(study.experiment, metric=own("right"))
    assert not is_share(before)
    cells = study.results.cells
    sizes = {cell.condition: Sizes((800, 800), 0.0) for cell in cells}
    assert all(math.isnan(one.smallest) for one in planned_power(before, cells, sizes, UNKNOWN, UNKNOWN))


@pytest.mark.parametrize("metric", ["milli", "log_loss", "brier", "auroc", "cohen_kappa"])
def test_nothing_is_equivalent_without_a_margin_but_in_points(judged, metric):
    metric = own("milli", "kg") if metric == "milli" else metric
    study = judged(metric)
    assert study.experiment.declared_margin is None
    assert all(math.isnan(one.p_equivalent) for one in study.effects)
    assert {one.verdict for one in study.effects} <= {"baseline", "better", "worse", "undecided"}
    given = judged(metric, margin=5.0)
    assert all(one.p_equivalent < 0.05 for one in given.effects if one.tested)
    assert judged(own("right")).experiment.declared_margin == 0.01


def test_a_default_of_before_is_no_change_and_points_are_declared_as_ever(finished):
    cells = finished.results.cells
    assert preregistration_of(finished.experiment, cells).margin == 0.01
    loss = preregistration_of(replace(finished.experiment, metric="log_loss"), cells)
    assert loss.margin is None
    assert not replace(loss, margin=0.01).changed_to(loss)
    assert loss.changed_to(replace(loss, margin=0.01)) == ["margin None, now 0.01"]


def test_plan_and_report_say_that_nothing_can_be_equivalent(finished):
    for margin, said in (("", True), ("margin=0.02", False)):
        sets = ("--set", "metric=log_loss", *(("--set", margin) if margin else ()))
        code, out, _ = ablation(finished.folder, "plan", "small", *sets)
        assert (
            code,
            "no margin was declared, so nothing can be called equivalent" in " ".join(out.lower().split()),
        ) == (
            0,
            said,
        )


def test_a_module_without_source_says_so():
    for name in ("os", "sys"):
        with pytest.raises(InputError, match=f"module '{name}' has no Python source to be found"):
            source_digest(f"{name}:getcwd")
    with pytest.raises(InputError, match="no module 'nowhere_at_all' on Python's path"):
        source_digest("nowhere_at_all:f")


@pytest.mark.parametrize("metric", ["auroc", "cohen_kappa"])
def test_the_interval_of_a_metric_of_all_images_is_that_of_a_bootstrap_over_seeds(metric):
    """Scores by scikit-learn, of made-up networks of which one recipe separates the classes better."""
    asked = replace(
        question(), seeds=40, metric=metric, test=Paired(), optimizers={"adam": question().optimizers["adam"]}
    )
    labels = np.resize(np.arange(2), 200)

    def score(cell):
        draws = stream(cell.seed, "scores", cell.factors["recipe"])
        apart = {"none": 1.0, "bright": 1.3, "contrast": 1.0}[cell.factors["recipe"]] + 0.2 * draws.normal()
        guess = draws.normal(size=200) + apart * labels
        return roc_auc_score(labels, guess) if metric == "auroc" else cohen_kappa_score(labels, guess > apart / 2)

    scores = {recipe: [] for recipe in asked.recipes}
    for cell in asked.cells("0" * 16):
        scores[cell.factors["recipe"]].append(score(cell))
    differences = np.subtract(scores["bright"], scores["none"])
    draws = stream(0, "bootstrap").integers(0, 40, (20_000, 40))
    low, high = np.quantile(differences[draws].mean(axis=1), (0.025, 0.975))
    effect = find(compare(results_of(asked, score)), "bright", optimizer="adam")
    assert effect.estimate == pytest.approx(differences.mean())
    assert (effect.alone_low, effect.alone_high) == pytest.approx((low, high), abs=0.1 * (high - low))
