"""A worker's log has a limit; its beginning and its end are kept, and whoever prints goes on printing."""

import os
import time
from dataclasses import replace

from ablation.data import build, listing
from ablation.experiment.runs import runs_of
from ablation.training import log
from ablation.training.log import shorten
from ablation.training.worker import Worker

CHATTY = """
import sys
import torch

def network(classes):
    for line in range(200_000):
        print("word " * 12, line, file=sys.stderr)
    raise RuntimeError("nothing more to say")
"""


def test_the_beginning_and_the_end_are_kept_in_whole_lines(tmp_path):
    file = tmp_path / "worker-0.log"
    lines = [f"line {number}" for number in range(1000)]
    file.write_text("\n".join(lines) + "\n")
    size = file.stat().st_size
    shorten(file, most=size, head=100, tail=200)
    assert file.stat().st_size == size, "it is not too long yet"
    shorten(file, most=size - 1, head=100, tail=200)
    kept = file.read_text().splitlines()
    cut = next(number for number, line in enumerate(kept) if line.startswith("---"))
    assert kept[:cut] == lines[:cut]
    assert kept[cut + 1 :] == lines[-(len(kept) - cut - 1) :]
    assert (90 <= sum(len(line) + 1 for line in kept[:cut]) <= 100, len(kept) - cut - 1 >= 18) == (True, True)
    gone = sum(len(line) + 1 for line in lines[cut : 1000 - (len(kept) - cut - 1)])
    assert kept[cut] == f"--- {gone} bytes were taken out here, as the log had become too long"


def test_whoever_appends_goes_on_behind_what_was_kept(tmp_path):
    file = tmp_path / "worker-0.log"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, b"x" * 99 + b"\n" + b"y\n" * 5000)
    shorten(file, most=1000, head=100, tail=20)
    os.write(descriptor, b"last\n")
    os.close(descriptor)
    begin, note, *end = file.read_text().splitlines()
    assert (begin, note[:3], set(end[:-1]), end[-1]) == ("x" * 99, "---", {"y"}, "last")


def test_a_log_that_is_missing_or_a_folder_is_left(tmp_path):
    shorten(tmp_path / "none.log", most=0)
    shorten(tmp_path, most=0)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_prints_without_end_leaves_a_log_of_some_megabytes(tiny, cache, tmp_path, monkeypatch):
    """The words of the run are still referred to, though the log is shorter than where it began."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chatty.py").write_text(CHATTY)
    experiment, file = replace(tiny, model="chatty:network"), tmp_path / "worker-0.log"
    data = listing(experiment.data, cache)
    build(data, experiment.cache_size, cache)
    run = runs_of(experiment.cells(data.digest), tmp_path / "runs")[0]
    run.prepare()
    file.write_text("of another run\n" * 100)
    worker = Worker("cpu", cache, file)
    try:
        *_, last = worker.train(run)
        for _ in range(100):  # it shortens the log after its last word
            if file.stat().st_size <= log.MOST:
                break
            time.sleep(0.1)
    finally:
        worker.stop()
    assert last["event"] == "failed"
    assert "RuntimeError: nothing more to say" in last["reason"]
    assert last["reason"].count("chatty.py") == 1, "and its line, once"
    assert last["reason"].endswith(f"; see {file}")
    text = file.read_text()
    assert 4_000_000 < len(text) <= log.MOST
    assert text.startswith("of another run\n")
    assert "bytes were taken out here" in text
    assert "RuntimeError: nothing more to say" in text[-1000:]
