"""What goes wrong on a cluster: code, versions, kills on either side; two real machines that share nothing with us."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from dask_machines import ROOT, is_running, machines, wait_for
from faults import record_fault
from project import write_experiment
from sweeps import Log, digests

from ablation import Adam, ImageFunction, InputError, sweep
from ablation.experiment.record import read_digest, read_record

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'ablation[cluster]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning:(distributed|tornado|asyncio)")]


@pytest.fixture(scope="module")
def callers(tmp_path_factory):
    """The folder for all that is the callers', and that no machine sees."""
    return tmp_path_factory.mktemp("callers")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, callers):
    with machines(tmp_path_factory.mktemp("machines"), callers, ("one", "two")) as cluster:
        yield cluster


@pytest.fixture
def caller(callers, request, monkeypatch):
    """A working folder of the caller's; no folder is shared, even where machines cannot be set apart."""
    folder = callers / request.node.name[:40]
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DASK_ABLATION__SHARED_FOLDERS", "False")
    from dask import config

    with config.set({"ablation.shared-folders": False}):
        yield folder


NETS = """
from torch import nn
from nets.layers import flat

def network(classes):
    return nn.Sequential(flat(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, classes))

class Faint(nn.Sequential):
    steps = 0

    def forward(self, images):
        self.steps += self.training
        if self.steps > 3:
            raise RuntimeError("too much")
        return super().forward(images)

def faint(classes):
    return Faint(flat(), nn.Linear(192, classes))
"""


def write_code(folder):
    (folder / "nets").mkdir()
    (folder / "nets" / "__init__.py").write_text(NETS)
    (folder / "nets" / "layers.py").write_text("from torch import nn\n\ndef flat():\n    return nn.Flatten()\n")
    (folder / "ops.py").write_text("def invert(picture, generator):\n    return 1 - picture\n")


def test_code_of_one_s_own_goes_along_and_weights_come_back(cluster, caller, tiny, cache):
    write_code(caller)
    own = replace(
        tiny,
        name="own",
        recipes={"none": (), "own": (ImageFunction("ops.py:invert"),)},
        model="nets:network",
        optimizers={"adam": Adam()},
        seeds=(0,),
    )
    here = sweep(own, caller / "here", cache, jobs=1, device="cpu", keep_weights=True)
    runs = sweep(own, caller / "runs", caller / "cache", device="cpu", keep_weights=True, cluster=cluster.address)
    assert {run.status() for run in runs} == {"finished"}
    assert digests(runs) == digests(here)
    for run, other in zip(runs, here, strict=True):
        assert run.weights.read_bytes() == other.weights.read_bytes()
        assert (read_record(run.folder).environment["host"] in ("one", "two")) == cluster.apart


def test_a_run_that_raises_and_one_whose_process_is_killed_fail_alone(cluster, caller, tiny):
    write_code(caller)
    models = ("shallow_cnn", "nets:faint")
    some = replace(tiny, name="some", vary={"model": models}, optimizers={"adam": Adam()}, epochs=12, seeds=(0, 1))
    killed = []

    def kill_once(run, event):
        if event["event"] == "started" and run.spec.model == "shallow_cnn" and not killed:
            killed.append(run.spec.id)
            os.kill(event["process"], signal.SIGKILL)

    runs = sweep(some, caller / "runs", caller / "cache", watch=Log(kill_once), device="cpu", cluster=cluster.address)
    failures = {run.spec.id: run.failure() for run in runs if run.status() == "failed"}
    faint = [run.spec.id for run in runs if run.spec.model == "nets:faint"]
    assert set(failures) == {*faint, *killed}
    assert all("RuntimeError: too much" in failures[run] for run in faint)
    assert "SIGKILL" in failures[killed[0]]
    assert [run.status() for run in runs].count("finished") == 3
    assert "RuntimeError: too much" in (caller / "runs" / "some" / "cluster.log").read_text()
    again = sweep(
        some, caller / "runs", caller / "cache", device="cpu", cluster=cluster.address, only=({"model": "shallow_cnn"},)
    )
    assert [run.status() for run in again].count("finished") == 4
    record_fault(
        "cluster", "a process that trains is killed on a machine", 1, "its run alone fails", failures[killed[0]]
    )
    record_fault("cluster", "a network raises on a machine", len(faint), "its runs alone fail", failures[faint[0]])


def test_a_machine_with_another_version_is_refused_before_anything_is_written(cluster, caller, tiny, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(ROOT / "ablation", other / "ablation")
    with (other / "ablation" / "training" / "loop.py").open("a") as file:
        file.write("# changed\n")
    cluster.start_worker("other", PYTHONPATH=str(other))
    cluster.wait_for_workers(3)
    try:
        with pytest.raises(InputError) as refused:
            sweep(tiny, caller / "runs", caller / "cache", device="cpu", cluster=cluster.address)
    finally:
        cluster.kill("other")
        cluster.wait_for_workers(2)
    problems = [str(problem) for problem in refused.value.problems]
    assert len(problems) == 1, "the other two machines are as this one"
    assert "has other versions: ablation" in problems[0]
    assert ("other has" in problems[0]) == cluster.apart
    assert list(caller.iterdir()) == []
    record_fault(
        "cluster", "a machine has another version of this program", 1, "refused before the first run", problems[0]
    )


class Command:
    """`ablation run small --cluster ...` in the caller's folder."""

    def __init__(self, folder, address):
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "ablation.cli", "run", "small", "--device", "cpu", "--cluster", address]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def children(self):
        """The processes that train, by the journals."""
        lines = [
            line for file in self.folder.glob("runs/small/*/journal.jsonl") for line in file.read_text().split("\n")
        ]
        started = [line.partition('"process": ')[2].partition(",")[0] for line in lines if '"started"' in line]
        return {int(process) for process in started if process}

    def wait_until_training(self):
        def is_training():
            assert self.process.poll() is None, self.process.stdout.read()
            return any(map(is_running, self.children()))

        wait_for("a run has started", is_training, 180)

    def end(self, number):
        """Send it a signal: status, output, and seconds until no process trains any more."""
        self.wait_until_training()
        training, began = self.children(), time.monotonic()
        self.process.send_signal(number)
        wait_for("the processes that trained have ended", lambda: not any(map(is_running, training)), 30)
        seconds = time.monotonic() - began
        output = self.process.communicate(timeout=60)[0]
        return self.process.returncode, output, seconds


def test_ctrl_c_and_a_kill_of_the_caller_end_what_trains_and_the_same_command_goes_on(cluster, caller, tmp_path):
    write_experiment(caller, epochs=40)
    status, output, seconds = Command(caller, cluster.address).end(signal.SIGINT)
    assert status == 130, output
    assert "Traceback" not in output
    record_fault(
        "cluster", "Ctrl-C", 1, "130; what trains on the machines has ended in seconds", f"{status}, {seconds:.1f} s"
    )

    status, output, seconds = Command(caller, cluster.address).end(signal.SIGKILL)
    assert status == -signal.SIGKILL
    record_fault("cluster", "SIGKILL of the command", 1, "what trains on the machines ends", f"after {seconds:.1f} s")

    command = Command(caller, cluster.address)
    output = command.process.communicate(timeout=240)[0]
    assert command.process.returncode == 0, output
    assert not [*caller.rglob(".cluster-*"), *caller.rglob(".arriving")]

    write_experiment(tmp_path, epochs=40)
    run = [sys.executable, "-m", "ablation.cli", "run", "small", "--device", "cpu", "--no-tracking"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    subprocess.run(run, cwd=tmp_path, env=environment, check=True, capture_output=True)
    for folder in (tmp_path / "runs" / "small").glob("*/record.json"):
        there = caller / "runs" / "small" / folder.parent.name
        assert read_digest(there) == read_digest(folder.parent)

    with sqlite3.connect(caller / "mlflow.db") as store:
        statuses = store.execute("select status, count(*) from runs group by status").fetchall()
    store.close()
    assert dict(statuses).keys() == {"FINISHED"}, "published by the caller, as on one machine"
