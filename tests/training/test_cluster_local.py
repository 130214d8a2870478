"""A cluster of one worker on this machine, and addresses at which there is none."""

import json
import logging
import os
import socket
from dataclasses import replace
from types import SimpleNamespace

import pytest
from faults import record_fault

from ablation import Adam, InputError, sweep
from ablation.core.errors import TryAgainError
from ablation.experiment.record import read_digest
from ablation.training.cluster import task
from ablation.training.cluster.connection import Member, connect, log_to, members_in_words

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'ablation[cluster]'")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning:(distributed|tornado|asyncio)")


def test_a_local_cluster_trains_the_same_bits_and_leaves_nothing_running(tiny, cache, tmp_path):
    """In the shared folder of runs."""
    one = replace(tiny, name="one", recipes={"none": ()}, optimizers={"adam": Adam()}, seeds=(0,), epochs=1)
    [run] = sweep(one, tmp_path / "cluster", cache, device="cpu", cluster="local:1")
    assert run.status() == "finished"
    started = next(event for event in run.journal.events() if event["event"] == "started")
    for process in (started["process"], started["command"]):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not list(tmp_path.rglob(".cluster-*"))
    assert run.record().environment["host"] == os.uname().nodename
    [here] = sweep(one, tmp_path / "here", cache, device="cpu", jobs=1)
    assert here.spec.id == run.spec.id
    assert read_digest(here.folder) == read_digest(run.folder)


@pytest.mark.parametrize("address", ["10.0.0.5", "local:0", "tcp://10.0.0.5", "local:x", "no/such/file", "cut.json"])
def test_what_is_no_address_is_refused(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.json").write_text("{")
    with pytest.raises(InputError, match="tcp://HOST:8786, the path of a scheduler file, or local:4"):
        connect(address)


def test_a_scheduler_that_does_not_answer_is_for_another_time(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.training.cluster.connection.CONNECTING", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TryAgainError, match="no Dask scheduler answers at") as refused:
            connect(address)
    assert refused.value.exit_code == 75
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": address}))
    with pytest.raises(TryAgainError, match="no Dask scheduler answers at"):
        connect(str(tmp_path / "scheduler.json"))
    record_fault(
        "cluster", "no scheduler answers at the address", 1, "exit 75, and what to do", str(refused.value)[:120]
    )


def test_a_scheduler_file_that_is_not_there_yet_is_for_another_time():
    with pytest.raises(
        TryAgainError, match=r"no file soon\.json; start the scheduler with --scheduler-file soon\.json"
    ):
        connect("soon.json")


def test_dask_writes_into_a_file_and_not_on_standard_error(tmp_path, capfd):
    import distributed  # noqa: F401

    log = tmp_path / "cluster.log"
    before = logging.getLogger("distributed.client").handlers
    undo = log_to(log)
    try:
        raise ConnectionRefusedError("gone")
    except ConnectionRefusedError:
        logging.getLogger("distributed.client").exception("lost")
    finally:
        undo()
    assert capfd.readouterr() == ("", "")
    assert "ConnectionRefusedError: gone" in log.read_text()
    assert logging.getLogger("distributed.client").handlers == before
    undo = log_to(tmp_path / "no" / "such" / "folder.log")
    logging.getLogger("distributed.core").error("nowhere to go")
    undo()
    assert capfd.readouterr() == ("", "")


def test_the_machines_of_a_cluster_in_words():
    members = {f"tcp://{n}": Member(host, device) for n, (host, device) in enumerate([("a", "cpu"), ("b", "cuda:0")])}
    assert members_in_words(members | {"tcp://9": Member("a", "cpu")}) == "3 workers of 2 machines: a, b (cuda)"
    many = {str(n): Member(f"m{n:02}", "cpu") for n in range(12)}
    assert members_in_words(many).endswith("m09, 2 more")


def test_a_machines_folder_hides_no_module():
    """Dask puts the folder above it into sys.path."""
    home = task._home(SimpleNamespace(local_directory="/scratch/worker-1"))
    assert not home.name.isidentifier()


def test_workers_on_a_gpu_are_for_the_cluster_to_say(tiny, cache, tmp_path):
    from ablation.training.execution import Execution

    with pytest.raises(InputError, match=r"per_device = 2 \(--per-device\): on a cluster"):
        sweep(tiny, tmp_path, cache, cluster="local:1", execution=Execution(per_device=2))
    assert list(tmp_path.iterdir()) == []
