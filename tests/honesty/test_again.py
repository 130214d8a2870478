"""Forty real experiments in which nothing is true: networks trained alike, called recipe and baseline. See `again`.

800 trainings: 23 minutes on two cores.
"""

from collections import Counter
from itertools import combinations

import pytest
from again import ARMS, FAMILIES, PAIRS, REPEATS, SEEDS, count, question, relabelled, train
from made_up import noise, results_of

from ablation.experiment import Cell
from ablation.results import Results
from ablation.seeds import stream

MOST = 5
"""Of 40. Where 5 % are false, more than that happens in one of seventy such suites."""


def test_arms_are_dealt_evenly():
    assert len(PAIRS) == len(FAMILIES) == REPEATS
    assert Counter(arm for arms in PAIRS for arm in arms) == dict.fromkeys(range(ARMS), 1)
    assert set(Counter(arm for arms in FAMILIES for arm in arms).values()) == {2, 3}
    assert max(Counter(pair for arms in FAMILIES for pair in combinations(sorted(arms), 2)).values()) == 1


def test_nothing_is_made_up_but_names():
    results = results_of(question(), noise)
    table = relabelled(results, FAMILIES[7]).table
    assert table.drop(columns="recipe").equals(results.table.loc[table.index].drop(columns="recipe"))
    told = table.groupby("recipe", sort=False)["seed"].unique()
    assert {name: tuple(seeds) for name, seeds in told.items()} == {
        name: tuple(range(arm * SEEDS, (arm + 1) * SEEDS))
        for name, arm in zip(("none", "again 1", "again 2", "again 3", "again 4"), FAMILIES[7], strict=True)
    }


def test_a_difference_between_arms_would_be_found():
    """The count does see verdicts: three of sixteen arms get a point more. The luck of an arm adds up to nothing."""
    better = {0, 3, 10}

    def score(cell: Cell) -> float:
        arm, place = divmod(cell.seed, SEEDS)
        luck = stream(0, "luck", arm, cell.factors["optimizer"]).permutation([-1.26, -0.63, 0.0, 0.63, 1.26])
        return 0.8 + 0.01 * (arm in better) + 0.002 * float(luck[place])

    results = results_of(question(), score)
    assert count(results, PAIRS[:8]).verdicts == len(better)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return train(tmp_path_factory.mktemp("again"))


@pytest.mark.slow
def test_every_run_finished(results):
    assert (results.table["status"] == "finished").all()
    assert results.table["id"].nunique() == 2 * ARMS * SEEDS


@pytest.mark.slow
@pytest.mark.parametrize("arms", [PAIRS, FAMILIES], ids=["one recipe", "four recipes"])
def test_few_verdicts_are_false(results, arms):
    assert count(results, arms).verdicts <= MOST
