"""A pipe that has the name of a file is refused, not waited for; a long or odd text does not spoil a journal."""

import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import ablation
from faults import record_fault

from ablation.core.files import Journal, open_file, read_file
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE
from ablation.experiment.seal import JOURNAL_FILE

NAMES = (RECORD_FILE, ARRAYS_FILE, JOURNAL_FILE, "spec.json", "lock")


@contextmanager
def pipe(path: Path):
    """A pipe, which is opened for writing after ten seconds: a reader that waits for it is late, not lost."""
    os.mkfifo(path)
    late = threading.Timer(10, lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)))
    late.start()
    yield
    assert late.is_alive(), "somebody waited for the pipe"
    late.cancel()


def test_it_is_no_file(tmp_path):
    with pipe(tmp_path / "pipe"):
        for read in (open_file, read_file):
            with pytest.raises(IsADirectoryError, match="Is no file, but a folder, a pipe or a device"):
                read(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_commands_do_not_wait_for_one_in_the_place_of_a_file(finished, tmp_path, name):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    run = min((folder / "runs" / "small").glob("*/record.json")).parent
    (run / name).unlink(missing_ok=True)
    if name == "lock":
        (run / RECORD_FILE).unlink()  # of a finished run nobody looks at it
    with pipe(run / name):
        ended = [ablation(folder, command, "small") for command in ("status", "compare")]
    assert [one.code for one in ended] == [0, 0]
    if name not in ("spec.json", "lock"):
        assert run.name in ended[0].out
        assert run.name in ended[1].err
    record_fault("blocked", f"a pipe in the place of {name}", 2, "named, not waited for", "status and compare ended")


def test_a_long_text_keeps_its_ends_and_an_odd_one_its_characters(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("failed", reason="\udcff no UTF-8", traceback="a" * 50_000 + "the end")
    (event,) = journal.events()
    assert event["reason"] == "\udcff no UTF-8"
    assert event["traceback"].startswith("aaa")
    assert event["traceback"].endswith("the end")
    assert "30,007 letters are left out" in event["traceback"]
    assert (tmp_path / "journal.jsonl").stat().st_size < 25_000
