"""Runs that are trained once for all tests."""

import pytest
import torch

from ablation.data import build, listing
from ablation.experiment.runs import runs_of
from ablation.training.loop import train


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory, cache):
    """A function that trains the first run of an experiment, unless it did so before: (run, record, arrays).

    For tests that only read what it returns, where the process is `settled`.
    """
    folder, results = tmp_path_factory.mktemp("once"), {}

    def first_run(experiment):
        data = listing(experiment.data, cache)
        run = runs_of(experiment.cells(data.digest), folder)[0]
        if run.spec.id not in results:
            run.prepare()
            pixels = build(data, run.spec.cache_size, cache)
            results[run.spec.id] = (run, *train(run, pixels, torch.device("cpu"), cache=cache))
        return results[run.spec.id]

    return first_run
