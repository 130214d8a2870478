"""The interval for new photographs: images give what makes the metric, and both recipes meet the same ones."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_up import MadeUp, find, question, results_of

from ablation import Adam, Brightness, Crossed, Fixed, Paired, PerSeed, Welch
from ablation.analysis.bootstrap import Scores, class_scores, image_counts, multi_bootstrap
from ablation.analysis.crossed import crossed
from ablation.analysis.metrics import METRICS, RECORDED, classification_metrics
from ablation.core.seeds import stream
from ablation.core.values import label
from ablation.evidence.families import OTHER_IMAGES
from ablation.evidence.image_intervals import DRAWS
from ablation.evidence.study import compare
from ablation.experiment.results import Results
from ablation.training.sweep import sweep

PER_IMAGE = [name for name in RECORDED if METRICS[name].per_image]
PER_CLASS = [name for name, metric in METRICS.items() if metric.per_class]


@pytest.mark.parametrize("metric", PER_IMAGE)
def test_what_images_give_makes_the_metric(metric):
    draws = stream(0, "logits")
    logits, labels = draws.normal(size=(200, 4)).astype(np.float32), draws.integers(0, 4, 200)
    assert METRICS[metric].per_image(logits, labels).mean() == pytest.approx(
        classification_metrics(logits, labels)[metric]
    )


@pytest.fixture(scope="module")
def trained(tiny, cache, tmp_path_factory) -> Callable[..., Results]:
    """The results of runs that are trained once: what an experiment judges them by changes none of them."""
    folder = tmp_path_factory.mktemp("runs")
    sweep(tiny, folder, cache, jobs=1)
    return lambda **changes: Results.load(replace(tiny, **changes), folder, cache)


@pytest.mark.parametrize("test", [Welch(), Crossed()], ids=str)
def test_real_runs_get_the_interval_of_their_own_answers(test, trained):
    """Where photographs count as drawn it is the only one; beside Welch's, that for new photographs too."""
    results = trained(test=test)
    effect = next(effect for effect in compare(results) if effect.recipe == "crop" and effect.condition)
    tables = []
    for recipe in ("crop", "none"):
        done = results.finished
        own = done[(done["recipe"] == recipe) & (done["optimizer"] == "adam")]
        arrays = [results.arrays(run_id) for run_id in own["id"]]
        tables.append(np.array([run.logits.argmax(axis=1) == run.label for run in arrays], float))
    expected = crossed(*tables, paired=test.paired, share=True)
    assert effect.estimate == pytest.approx(expected.estimate)
    if test.new_images:
        assert (effect.alone_low, effect.alone_high) == pytest.approx(expected.interval(0.05))
        assert effect.p == pytest.approx(expected.p_value())
    else:
        assert (effect.new_low, effect.new_high) == pytest.approx(expected.interval(0.05))
        assert effect.new_high - effect.new_low >= effect.alone_high - effect.alone_low - 1e-12


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("metric", PER_CLASS)
def test_metrics_of_classes_get_the_multi_bootstrap_of_their_own_answers(metric, paired, trained):
    """Pooled: a seed's draws are the mean over the optimizers, each on the same draws of the images."""
    results = trained(metric=metric, test=Paired() if paired else Welch())
    seeds = results.experiment.seed_numbers
    both = []
    for recipe in ("crop", "none"):
        done = results.finished[results.finished["recipe"] == recipe]
        arrays = {(row.optimizer, row.seed): results.arrays(row.id) for row in done.itertuples()}
        label = next(iter(arrays.values())).label
        counts = image_counts(len(label), DRAWS)
        each = {
            key: class_scores(label, run.logits.argmax(1), counts, METRICS[metric].per_class)
            for key, run in arrays.items()
        }
        observed = [np.mean([each[one, seed].observed for one in ("adam", "sgd")]) for seed in seeds]
        drawn = [np.mean([each[one, seed].resampled for one in ("adam", "sgd")], axis=0) for seed in seeds]
        assert observed == pytest.approx(done.groupby("seed")[metric].mean().tolist())
        both.append(Scores(np.array(observed), np.concatenate(drawn, axis=1), len(label)))
    expected = multi_bootstrap(*both, paired, share=True).interval(0.05)
    effect = next(effect for effect in compare(results) if effect.recipe == "crop" and effect.pooled)
    assert (effect.new_low, effect.new_high) == pytest.approx(tuple(map(float, expected)))
    assert effect.new_high - effect.new_low >= effect.alone_high - effect.alone_low - 1e-12


def test_there_is_none_where_it_would_mean_nothing():
    redrawn = replace(question(), split=PerSeed(), test=None)
    judged_on_new_ones = replace(question(), test=Crossed())
    for experiment in (replace(question(), metric="ece"), redrawn, judged_on_new_ones):
        assert all(math.isnan(effect.new_low) for effect in compare(results_of(experiment)))
    few = compare(results_of(replace(question(), seeds=2)))
    assert all(math.isnan(effect.new_low) for effect in few)
    assert not any(math.isnan(effect.low) for effect in few if effect.tested)
    effects = compare(results_of(question()))
    assert not any(math.isnan(effect.new_low) for effect in effects if effect.tested)


def test_runs_on_other_images_are_not_compared_image_by_image():
    results = results_of(question())
    honest, first = results.test_predictions, results.frame["id"][0]

    def shifted(run_id):
        sample, label, logits = honest(run_id)
        return (sample + 1 if run_id == first else sample), label, logits

    object.__setattr__(results, "test_predictions", shifted)  # as another split would have it
    touched = results.frame.loc[0, "optimizer"]
    for effect in compare(results):
        if effect.tested:
            assert math.isnan(effect.new_low) == (effect.pooled or effect.condition["optimizer"] == touched)
            assert not math.isnan(effect.low)


def test_runs_tested_on_different_photographs_have_no_verdict_for_new_ones():
    """Two fixed splits as a factor: under each there is one, over both there is none."""
    splits = {"one": Fixed(seed=1), "other": Fixed(seed=2)}
    asked = replace(question(), test=None, optimizers={"adam": Adam()}, vary={"split": splits}, primary="each")

    class Apart(MadeUp):
        def test_predictions(self, run_id):
            other = self.frame.loc[self.frame["id"] == run_id, "split"].iloc[0] == "other"
            sample, labels, logits = super().test_predictions(run_id)
            return sample + 40 * other, labels, logits

    made = results_of(asked)
    effects = compare(Apart(asked, made.cells, made.classes, made.root, made.frame, images=200))
    pooled = find(effects, "bright")
    assert (pooled.verdict, pooled.note) == ("undecided", OTHER_IMAGES)
    assert all(not effect.note for effect in effects if effect.condition and effect.tested)


def test_photographs_that_belong_together_count_as_one():
    """A recipe that helps with some objects, shown ten times each: as few are known of as there are objects."""
    asked = replace(question(), test=None, recipes={"none": (), "bright": (Brightness(0.4),)}, seeds=8)
    asked = replace(asked, optimizers={"adam": Adam()})
    draws, objects, shown = stream(0, "objects"), 30, 10
    liked = draws.random(objects) < 0.5

    class Shown(MadeUp):
        def test_predictions(self, run_id):
            bright = self.frame.loc[self.frame["id"] == run_id, "recipe"].iloc[0] == "bright"
            right = np.where(np.repeat(liked, shown), bright, not bright)
            samples = np.arange(objects * shown)
            return samples, np.zeros(len(samples), int), np.where(right[:, None], np.eye(10)[0], np.eye(10)[1])

    made = results_of(asked, lambda cell: 0.8)
    every = (asked, made.cells, made.classes, made.root, made.frame)
    alone, grouped = (
        find(compare(Shown(*every, images=300, groups=groups)), "bright", optimizer="adam")
        for groups in (None, np.repeat(np.arange(objects), shown))
    )
    assert grouped.estimate == pytest.approx(alone.estimate)
    assert grouped.error > 2.5 * alone.error
    by_object = crossed(np.tile(liked, (8, 1)), np.tile(~liked, (8, 1)), True, share=True)
    assert grouped.error == pytest.approx(by_object.error)


def test_each_split_is_drawn_by_its_own_groups():
    """Two test parts of one size, of twenty objects shown ten times each and of 200: neither changes the other."""
    splits = {"shown often": Fixed(seed=1), "shown once": Fixed(seed=2)}
    asked = replace(question(), metric="macro_f1", test=Crossed(), optimizers={"adam": Adam()})
    groups = np.concatenate([np.repeat(np.arange(20), 10), np.arange(20, 220)])

    class Shown(MadeUp):
        def test_predictions(self, run_id):
            spec = self.run(run_id).spec
            sample = np.arange(200) + 200 * (spec.split == splits["shown once"])
            good = 0.5 + 0.3 * bool(spec.recipe)
            right = stream(spec.seed, "right", label(spec.recipe)).random(20).repeat(10) < good
            labels = np.arange(200) // 10 % 2
            return sample, labels, np.eye(10)[np.where(right, labels, 1 - labels)]

    def errors(*names: str) -> list[float]:
        chosen = replace(asked, vary={"split": {name: splits[name] for name in names}}, primary="each")
        made = results_of(chosen)
        effects = compare(Shown(chosen, made.cells, made.classes, made.root, made.frame, images=400, groups=groups))
        return [find(effects, "bright", optimizer="adam", split=name).error for name in names]

    assert errors("shown often", "shown once") == [*errors("shown often"), *errors("shown once")]
    assert errors("shown often") > errors("shown once")
