"""Three machines and their deaths: real Dask processes, each in an environment of its own, and the same bits."""

import os
from dataclasses import replace

import pytest
from dask_machines import is_running, machines, wait_for
from faults import record_fault
from sweeps import Log, digests

from ablation import Adam, sweep
from ablation.core.errors import TryAgainError
from ablation.experiment.record import read_record

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'ablation[cluster]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning:(distributed|tornado|asyncio)")]


@pytest.fixture(scope="module")
def long(tiny):
    """Eight runs of 40 epochs."""
    return replace(tiny, name="long", epochs=40, optimizers={"adam": Adam()}, seeds=4)


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
    caller, trained_on, children, killed, finished = tmp_path / "caller", {}, {}, [], []
    caller.mkdir()

    def follow(run, event):
        if event["event"] == "started":
            trained_on.setdefault(run.spec.id, []).append(cluster.name_of(event))
            children[trained_on[run.spec.id][-1]] = event["process"]
        if event["event"] == "epoch" and not killed and trained_on[run.spec.id] == ["two"]:
            cluster.kill("two")
            killed.append((run.spec.id, event["epoch"]))
        if event["event"] == "finished":
            finished.append(run.spec.id)
            if killed and run.spec.id == killed[0][0]:
                cluster.kill("scheduler")

    with machines(tmp_path, caller, ("one", "two", "three")) as cluster:
        options = {
            "device": "cpu",
            "jobs": 3,
            "cluster": cluster.address,
        }  # no more: the lost one is not the last
        with pytest.raises(TryAgainError, match=r"scheduler .* is gone") as lost:
            sweep(long, caller / "runs", caller / "cache", watch=Log(follow), **options)
        (run, epoch), left = killed[0], set(at_home) - set(finished)
        assert lost.value.exit_code == 75
        assert 0 < epoch < long.epochs, "in the middle of a run"
        assert trained_on[run][0] == "two"
        assert trained_on[run][1] in ("one", "three"), "its run was trained anew on another machine"
        assert left, "the scheduler was killed before all had finished"
        assert set(children) == {"one", "two", "three"}
        wait_for("the processes that trained have ended", lambda: not any(map(is_running, children.values())), 40)

    again = Log()
    with machines(tmp_path / "later", caller, ("one", "two", "three")) as cluster:
        runs = sweep(long, caller / "runs", caller / "cache", watch=again, device="cpu", cluster=cluster.address)
        names = {"one", "two", "three"} if cluster.apart else {os.uname().nodename}
    assert {run.spec.id for run in again.missing} == left
    assert {run.status() for run in runs} == {"finished"}
    assert digests(runs) == at_home
    environments = [read_record(run.folder).environment for run in runs]
    assert {environment["host"] for environment in environments} <= names
    assert {environment["device"] for environment in environments} == {"cpu"}
    assert not [*caller.rglob(".cluster-*"), *caller.rglob(".arriving")]
    seen = f"killed in epoch {epoch} on two, trained on {trained_on[run][1]}; all {len(runs)} digests as on one machine"
    record_fault("cluster", "a machine is killed in the middle of a run", 1, "another trains it, the same bits", seen)
    seen = (
        f"exit {lost.value.exit_code}, {len(finished)} of {len(runs)} kept; the same call trained the other {len(left)}"
    )
    record_fault("cluster", "the scheduler is killed", 1, "exit 75; the same command goes on", seen)
