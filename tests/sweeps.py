"""What tests of sweeps share: a log of what one reports, and the digests by which two are the same."""

from ablation.experiment.record import read_digest
from ablation.training.watch import Silent


class Log(Silent):
    """Keeps what a sweep reports; `on_event` is called with each."""

    def __init__(self, on_event=lambda run, event: None):
        self.missing, self.events, self.on_event = (), [], on_event

    def planned(self, missing, finished, workers):
        self.missing = missing

    def event(self, run, event):
        self.events.append((run.spec.id, event))
        self.on_event(run, event)


def digests(runs):
    """Run id -> the digest of its record."""
    return {run.spec.id: read_digest(run.folder) for run in runs}
