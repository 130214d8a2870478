"""Runs that are trained once for all tests, and a sweep that trains in this process, where starting another is slow."""

import json
from argparse import Namespace

import pytest
import torch

from ablation.data import build, listing
from ablation.experiment.robustness import Condition
from ablation.experiment.runs import runs_of
from ablation.training import worker
from ablation.training.dry_run import dry_run
from ablation.training.execution import AS_USUAL
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


class Inside:
    """A worker that trains in this process."""

    def __init__(self, device, cache, log, keep_weights=False, checkpoint_every=None, execution=AS_USUAL, timeout=None):
        self.options = Namespace(
            device=device, cache=cache, keep_weights=keep_weights, checkpoint_every=checkpoint_every,
            step=execution.step, memory_format=execution.memory_format,
        )  # fmt: skip

    def start(self):
        pass

    def try_out(self, specs, classes):
        dry_run(specs, classes, self.options.cache)

    def train(self, run, experiment=None):
        events, request = [], json.loads(json.dumps(worker.request_of(run, experiment)))  # as it goes through a pipe
        conditions = tuple(map(Condition.from_plain, request["conditions"]))
        worker._train(run, self.options, events.append, conditions, request["always"])
        yield from events

    def stop(self, grace=0.0):
        pass


@pytest.fixture
def inside(monkeypatch, settled):
    """Sweeps (of one worker) train in this process."""
    monkeypatch.setattr("ablation.training.crew.Worker", Inside)
