"""A study: every part of it is computed once, whoever asks, and the parts agree."""

from collections import Counter
from dataclasses import replace

import pytest
from made_up import MadeUp, find, question, results_of

from ablation import Crossed, Study, compare
from ablation.core.text import plain
from ablation.evidence import study as module
from ablation.experiment.results import Results


@pytest.fixture
def results() -> Results:
    return results_of(replace(question(), test=Crossed()), test_images=2000)


def use(study: Study) -> None:
    """As the report does."""
    for name in ("effects", "compared", "warnings", "sources", "pairs", "failed_trainings", "records", "shown_runs"):
        getattr(study, name)
    study.seed_spread()
    study.seed_spread(pooled=True)


def test_each_thing_is_computed_once_whoever_asks(results, monkeypatch):
    calls = Counter[str]()
    names = "effects_of", "compare_pairs", "pairs", "failed_trainings", "warnings_of", "variance_sources", "chosen_runs"
    for name in names:
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, name=name, real=real: calls.update([name]) or real(*args)
        )  # fmt: skip
    study = Study(results)
    use(study)
    use(study)
    assert calls == dict.fromkeys(names, 1)


def test_the_predictions_of_a_run_are_read_once(results, monkeypatch):
    read, real = Counter[str](), MadeUp.test_predictions
    monkeypatch.setattr(MadeUp, "test_predictions", lambda self, run: read.update([run]) or real(self, run))
    use(Study(results))
    assert read == dict.fromkeys(results.frame["id"], 1)


def test_effects_are_the_comparisons_and_those_of_compare(results):
    study = Study(results)
    assert [*map(str, study.effects)] == [*map(str, compare(results))]  # nan is no nan
    for conditions, condition in (((("adam",),), {"optimizer": "adam"}), ((("sgd",), ("adam",)), {})):
        tested, effect = study.compared.of("bright", conditions), find(study.effects, "bright", **condition)
        assert tested is not None
        assert (tested.difference.estimate, tested.low, tested.p_adjusted) == (
            effect.estimate,
            effect.low,
            effect.p_adjusted,
        )
    assert study.compared.of("none", (("adam",),)) is None
    assert study.compared.of("bright", (("lion",),)) is None


def test_effects_that_are_known_are_not_computed_again(results, monkeypatch):
    effects = compare(results)
    monkeypatch.delattr(module, "effects_of")
    assert Study(results, effects[:2]).effects == effects[:2]


def test_the_command_is_that_of_the_experiment_by_default(results):
    assert Study(results).command == "ablation run made-up"
    assert Study(results, command="ablation run made-up --smoke").command == "ablation run made-up --smoke"


def test_the_runs_that_are_shown_are_of_the_condition_and_seed_with_most(results):
    first = Study(results).shown_runs
    assert (plain(str(first)), set(first.runs)) == ("“adam”, seed 0", {"none", "bright", "contrast"})
    lost = results_of(
        results.experiment, lambda cell: "failed" if cell.factors["optimizer"] == "adam" or not cell.seed else 0.5
    )
    assert plain(str(Study(lost).shown_runs)) == "“sgd”, seed 1"
    few = results_of(results.experiment, lambda cell: 0.5 if cell.factors["recipe"] == "none" else "planned")
    assert plain(str(Study(few).shown_runs)) == "“adam”, seed 0; not finished there: “bright” and “contrast”"
    assert Study(results_of(results.experiment, lambda cell: "planned")).shown_runs is None
