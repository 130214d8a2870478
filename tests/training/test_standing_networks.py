"""A network of the user's own that never comes to an end: no worker is waited for without a limit."""

import time
from dataclasses import replace

import pytest
from faults import record_fault

from ablation.data import build, listing
from ablation.training import worker as module
from ablation.training.sharing import FAILED
from ablation.training.worker import Worker, WorkerDied

STANDS = """
import time
def network(classes):
    open("begun", "w").close()
    time.sleep(600)
"""


@pytest.mark.parametrize("what", ["tried out", "measured"])
def test_a_network_that_stands_still_is_given_up(tiny, cache, tmp_path, monkeypatch, what):
    (tmp_path / "standing.py").write_text(STANDS)
    monkeypatch.chdir(tmp_path)
    data = listing(tiny.data, cache)
    spec = replace(tiny, model="standing:network").cells(data.digest)[0].spec
    build(data, spec.cache_size, cache)
    worker = Worker("cpu", cache.absolute(), tmp_path / "worker.log")
    try:
        worker.start()
        monkeypatch.setattr(module, "START_SECONDS", 4.0)
        since = time.monotonic()
        if what == "measured":
            assert worker.rate(spec) == FAILED
        else:
            with pytest.raises(WorkerDied, match="the worker had not begun after 4"):
                worker.try_out([spec], len(data.classes))
        seconds = time.monotonic() - since
        assert worker.process is None
    finally:
        worker.stop()
    assert 4 <= seconds < 30
    record_fault(
        "blocked", f"a network of the user's own that stands still while it is {what}", 1,
        "its worker is ended at a limit", f"ended after {seconds:.1f} s, limit 4 s",
    )  # fmt: skip
