"""A worker that trains in this process, where starting another one is slow."""

import json
import threading
from argparse import Namespace

from ablation.experiment.robustness import Condition
from ablation.training import worker
from ablation.training.dry_run import dry_run
from ablation.training.execution import AS_USUAL, Execution


class Inside:
    """As `ablation.training.worker.Worker`, without a process."""

    def __init__(self, device, cache, log, keep_weights=False, checkpoint_every=None, execution=AS_USUAL, timeout=None):
        self.options = Namespace(
            device=device, cache=cache, keep_weights=keep_weights, checkpoint_every=checkpoint_every,
            step=execution.step, memory_format=execution.memory_format,
        )  # fmt: skip
        self.training = threading.Lock()

    def start(self):
        pass

    def try_out(self, specs, classes):
        dry_run(specs, classes, self.options.cache, Execution(self.options.step, self.options.memory_format))

    def train(self, run, experiment=None):
        events, request = [], json.loads(json.dumps(worker.request_of(run, experiment)))  # as it goes through a pipe
        conditions = tuple(map(Condition.from_plain, request["conditions"]))
        with self.training:
            worker._train(run, self.options, events.append, conditions, request["always"])
        yield from events

    def stop(self, grace=0.0):
        """Wait for a run that has begun: no thread can be killed, and it would write into the next test's folder."""
        with self.training:
            pass
