"""What an experiment could show, before it is run: held to power by simulation, and to the spread of finished runs."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import question, results_of
from scipy.stats import ttest_ind

from ablation.evidence.outlook import ASSUMED_SD, outlook, seed_sd
from ablation.seeds import stream


def test_the_sd_is_pooled_over_arms_of_finished_runs():
    results = results_of(question())
    scores = results.table.groupby(["recipe", "optimizer"])["accuracy"]
    assert seed_sd(results) == (pytest.approx(np.sqrt(scores.var(ddof=1).mean())), 30)
    uneven = results_of(
        question(), lambda cell: "failed" if cell.seed > 1 and cell.factors["recipe"] == "none" else 0.8
    )
    assert seed_sd(uneven) == (ASSUMED_SD, 0)  # none of them varies
    assert seed_sd(results_of(question(), lambda cell: "planned")) == (ASSUMED_SD, 0)


def test_arms_weigh_their_degrees_of_freedom():
    def score(cell):
        if cell.factors["recipe"] == "none":
            return "failed" if cell.seed > 1 else 0.8 + 0.02 * cell.seed
        return 0.8 + 0.01 * cell.seed

    results = results_of(replace(question(), optimizers={"adam": question().optimizers["adam"]}), score)
    wide, narrow = np.var([0.8, 0.82], ddof=1), np.var([0.8, 0.81, 0.82, 0.83, 0.84], ddof=1)
    assert seed_sd(results) == (pytest.approx(np.sqrt((wide + 2 * 4 * narrow) / 9)), 12)


def test_the_smallest_difference_is_found_four_times_in_five():
    told = outlook(question(), comparisons=6, test_share=0.5, sd=0.02, runs=30)
    draws = stream(0, "outlook").normal(0, 0.02, (2, told.seeds, 20_000))
    p = ttest_ind(draws[0] + told.smallest, draws[1], equal_var=False).pvalue
    assert (p < 0.05 / 6).mean() == pytest.approx(0.8, abs=0.01)


def test_more_seeds_are_needed_for_less():
    told = outlook(question(), comparisons=6, test_share=0.5)
    assert (told.sd, told.runs, told.seeds) == (ASSUMED_SD, 0, 5)
    differences, needed = zip(*told.needed, strict=True)
    assert differences == (0.005, 0.01, 0.02)
    assert needed[0] > needed[1] > needed[2] > 2
    for difference, seeds in told.needed:
        enough = outlook(replace(question(), seeds=seeds), 6, 0.5)
        fewer = outlook(replace(question(), seeds=seeds - 1), 6, 0.5)
        assert enough.smallest <= difference < fewer.smallest
