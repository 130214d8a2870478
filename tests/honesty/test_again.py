"""Real experiments in which nothing is true: networks trained alike, called recipe and baseline. See `again`.

400 trainings: some ten minutes on two cores.
"""

from collections import Counter
from dataclasses import replace

import pytest
from again import ARMS, DRAWS, EXPERIMENTS, FAMILIES, PAIRS, count, question, relabelled, seeds_of, train
from made_up import noise, results_of

from ablation.core.seeds import stream
from ablation.evidence.pairs import drawn_table
from ablation.experiment.experiment import Cell
from ablation.experiment.results import Results

MOST = {20: 3, 10: 2}
"""False ones of so many experiments. Where 5 % are false, more happens in one of sixty, or ninety, such suites."""


def test_every_run_is_used_once_in_each_table():
    runs = range(EXPERIMENTS * DRAWS * ARMS)
    for asked in (PAIRS, FAMILIES):
        used = Counter(seed for experiment, arms in asked for arm in arms for seed in seeds_of(experiment, arm))
        assert used == dict.fromkeys(runs, 1)


def test_nothing_is_made_up_but_names():
    results = results_of(question(), noise)
    made = relabelled(results, 7, (0, 1, 2, 3))
    assert made.frame.drop(columns="recipe").equals(results.frame.loc[made.frame.index].drop(columns="recipe"))
    draws = drawn_table(made).groupby("recipe", sort=False)["draw"].unique()
    assert list(draws.index) == ["none", "again 1", "again 2", "again 3"]
    assert {tuple(arm) for arm in draws} == {tuple(range(7 * DRAWS, 8 * DRAWS))}, "arms share their training parts"


def test_a_difference_between_arms_would_be_found():
    """The count does see verdicts: in three of eight experiments one arm gets thirty points more."""
    better = {0, 3, 7}

    def score(cell: Cell) -> float:
        experiment, place = divmod(cell.seed, DRAWS * ARMS)
        luck = stream(0, "luck", cell.seed, cell.factors["optimizer"]).normal(0, 0.002)
        return 0.5 + 0.3 * (experiment in better and place % ARMS == 1) + float(luck)

    results = replace(results_of(question(), score), images=1797)
    asked = [(experiment, (0, 1)) for experiment in range(8)]
    assert count(results, asked).verdicts == len(better)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return train(tmp_path_factory.mktemp("again"))


@pytest.mark.slow
def test_every_run_finished(results):
    assert (results.frame["status"] == "finished").all()
    assert results.frame["id"].nunique() == 2 * EXPERIMENTS * DRAWS * ARMS


@pytest.mark.slow
@pytest.mark.parametrize("asked", [PAIRS, FAMILIES], ids=["one recipe", "three recipes"])
def test_few_verdicts_are_false(results, asked):
    assert count(results, asked).verdicts <= MOST[len(asked)]
