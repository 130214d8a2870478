"""Machines that share the caller's folders, those that die with whatever they train, and those that come later."""

import shutil
from dataclasses import replace

import pytest
from dask_machines import ROOT, Machines, is_running, machines, wait_for
from faults import record_fault
from sweeps import Log

from ablation import Adam, sweep
from ablation.experiment.record import read_digest
from ablation.experiment.runs import history_of

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'ablation[cluster]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning:(distributed|tornado|asyncio)")]


def test_with_a_shared_folder_a_run_goes_on_from_its_checkpoint_on_another_machine(tiny, cache, tmp_path):
    one = replace(tiny, name="one", recipes={"none": ()}, optimizers={"adam": Adam()}, seeds=(0,), epochs=60)
    [here] = sweep(one, tmp_path / "here", cache, device="cpu", jobs=1)
    trained_on, children = [], []

    def follow(run, event):
        if event["event"] == "started":
            trained_on.append(cluster.name_of(event))
            children.append(event["process"])
        running = len(trained_on) == 1 and trained_on[0] in cluster.processes
        if running and event["event"] == "epoch" and event["epoch"] >= 3:
            cluster.kill(trained_on[0])

    with machines(tmp_path / "machines", tmp_path / "nothing", ("one", "two"), apart=False) as cluster:
        options = {"device": "cpu", "cluster": cluster.address, "checkpoint_every": 1}
        [run] = sweep(one, tmp_path / "runs", cache, watch=Log(follow), **options)
        wait_for("the first process has ended", lambda: not is_running(children[0]), 20)
    assert sorted(trained_on) == ["one", "two"]
    assert run.status() == "finished"
    assert read_digest(run.folder) == read_digest(here.folder)
    events = [event["event"] for event in run.journal.events()]
    assert events.count("started") == 2
    assert "restarted" not in events
    begun_again = events.index("started", 1)
    repeated = events.count("epoch") - len(history_of(run))
    assert events[:begun_again].count("epoch") >= 3
    assert repeated <= 1, "the other machine went on where this one was"
    assert not list((tmp_path / "runs").rglob(".cluster-*"))
    seen = f"after {events[:begun_again].count('epoch')} epochs; {repeated} repeated; the same bits"
    record_fault(
        "cluster", "a machine is killed that shares the runs folder", 1, "another goes on from its checkpoint", seen
    )


KILLER = """
import os, signal
from torch import nn

class Killer(nn.Sequential):
    steps = 0

    def forward(self, images):
        self.steps += self.training
        if self.steps > 3:
            os.kill(os.getppid(), signal.SIGKILL)
        return super().forward(images)

def network(classes):
    return Killer(nn.Flatten(), nn.Linear(192, classes))
"""


def test_a_run_that_takes_its_machines_along_fails_and_the_others_go_on(tiny, cache, tmp_path, monkeypatch):
    """Each time the whole Dask worker; its scheduler gives such a task up at the first time."""
    (tmp_path / "killer.py").write_text(KILLER)
    monkeypatch.chdir(tmp_path)
    some = replace(
        tiny,
        name="some",
        recipes={"none": ()},
        optimizers={"adam": Adam()},
        vary={"model": ("killer:network", "shallow_cnn")},
        seeds=(0,),
    )
    cluster = Machines(tmp_path / "machines", tmp_path / "nothing", apart=False)
    try:
        cluster.start_scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
        for name in ("one", "two"):
            cluster.start_worker(name)
        cluster.wait_for_workers(2)
        runs = sweep(some, tmp_path / "runs", cache, device="cpu", jobs=1, cluster=cluster.address)
    finally:
        cluster.close()
    standing = {run.spec.model: run.status() for run in runs}
    assert standing == {"killer:network": "failed", "shallow_cnn": "finished"}
    reason = next(run.failure() for run in runs if run.spec.model == "killer:network")
    assert "Dask gave it up: KilledWorker" in reason
    record_fault("cluster", "a run that kills each Dask worker", 1, "it fails alone", reason[:120])


def test_a_machine_that_joins_later_with_another_version_gets_no_run(tiny, cache, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(ROOT / "ablation", other / "ablation")
    with (other / "ablation" / "training" / "loop.py").open("a") as file:
        file.write("# changed\n")
    trained_on, joined = [], []

    def follow(run, event):
        if event["event"] == "started":
            trained_on.append(cluster.name_of(event))
            if not joined:
                joined.append(cluster.start_worker("late", PYTHONPATH=str(other)))
                cluster.wait_for_workers(2)

    long = replace(tiny, epochs=30, optimizers={"adam": Adam()})
    with machines(tmp_path / "machines", tmp_path / "nothing", ("one",), apart=False) as cluster:
        log = Log(follow)
        runs = sweep(long, tmp_path / "runs", cache, watch=log, device="cpu", cluster=cluster.address)
    [note] = [event["message"] for _, event in log.events if event["event"] == "note"]
    assert "has other versions (ablation" in note
    assert {run.status() for run in runs} == {"finished"}
    assert set(trained_on) == {"one"}
    record_fault("cluster", "a machine joins with another version", 1, "it gets no run", note)
