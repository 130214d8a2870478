"""Three machines and their deaths: real Dask processes, each in an environment of its own, and the same bits."""

import os
import time
from dataclasses import replace

import pytest
from dask_machines import is_running, machines, wait_for
from faults import record_fault

from ablation import Adam, sweep
from ablation.core.errors import TryAgainError
from ablation.experiment.record import read_digest, read_record
from ablation.training.watch import Silent

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'ablation[cluster]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning:(distributed|tornado|asyncio)")]


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
    return {run.spec.id: read_digest(run.folder) for run in runs}


@pytest.fixture(scope="module")
def long(tiny):
    """Six runs of 60 epochs."""
    return replace(tiny, name="long", epochs=60, optimizers={"adam": Adam()})


@pytest.fixture(scope="module")
def at_home(long, tmp_path_factory, cache):
    """The same, trained here."""
    return digests(sweep(long, tmp_path_factory.mktemp("home"), cache, jobs=2, device="cpu"))


@pytest.fixture
def apart(monkeypatch):
    """No folder is shared, even where the kernel does not let machines be set apart."""
    from dask import config

    with config.set({"ablation.shared-folders": False}):
        yield


def test_a_machine_dies_and_then_the_scheduler_and_the_same_call_finishes_with_the_same_bits(
    apart, long, at_home, tmp_path
):
    caller, hosts, processes, killed, finished = tmp_path / "caller", {}, {}, [], []
    caller.mkdir()
    options = {"device": "cpu"}

    def follow(run, event):
        if event["event"] == "started":
            hosts.setdefault(run.spec.id, []).append(event["host"])
            processes[event["host"]] = event["process"]
        if event["event"] == "epoch" and not killed and hosts[run.spec.id][-1] == names["two"]:
            killed.append((run.spec.id, event["epoch"], time.monotonic()))
            cluster.kill("two")
        if event["event"] == "finished":
            finished.append(run.spec.id)
            if len(finished) == 3:
                cluster.kill("scheduler")

    with machines(tmp_path, caller, ("one", "two", "three")) as cluster:
        names = {name: name if cluster.apart else os.uname().nodename for name in ("one", "two", "three")}
        with pytest.raises(TryAgainError, match=r"scheduler .* is gone") as lost:
            sweep(long, caller / "runs", caller / "cache", watch=Log(follow), cluster=cluster.address, **options)
        assert lost.value.exit_code == 75
        run, epoch, _ = killed[0]
        assert 0 < epoch < 60, "in the middle of a run"
        wait_for("the children of all machines have ended", lambda: not any(map(is_running, processes.values())), 40)

    again = Log()
    with machines(tmp_path / "later", caller, ("one", "two", "three")) as cluster:
        runs = sweep(long, caller / "runs", caller / "cache", watch=again, cluster=cluster.address, **options)
    assert len(again.missing) == 6 - len(set(finished))
    assert {run.status() for run in runs} == {"finished"}
    assert digests(runs) == at_home
    trained_on = {read_record(run.folder).environment["host"] for run in runs}
    assert trained_on <= set(names.values())
    assert {read_record(run.folder).environment["device"] for run in runs} == {"cpu"}
    assert not [*caller.rglob(".cluster-*"), *caller.rglob(".arriving")]
    record_fault(
        "cluster", "a machine is killed in the middle of a run", 1, "its run is trained on another", hosts[run]
    )
    record_fault("cluster", "the scheduler is killed", 1, "exit 75; what is finished is kept", str(lost.value)[:90])
