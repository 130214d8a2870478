"""Files are whole or absent, and a journal survives a torn tail, a flipped bit and a real kill."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

from ablation.core.files import Damaged, Journal, atomic, undamaged, write_json


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file.json"
    write_json(path, {"name": "Ä", "values": [1, 2.5, None]})
    assert json.loads(path.read_text("utf-8")) == {"name": "Ä", "values": [1, 2.5, None]}
    assert os.listdir(path.parent) == ["file.json"]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_failure_inside_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail_halfway():
        with atomic(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def read_arrays(path):
    with undamaged(), path.open("rb") as opened, np.load(opened) as file:
        return {name: file[name] for name in ("labels", "names")}


def test_an_archive_that_is_cut_off_or_has_a_byte_turned_is_damaged_or_reads_as_it_was(tmp_path):
    path, written = tmp_path / "arrays.npz", {"labels": np.arange(5), "names": np.array(["a", "bc"])}
    np.savez(path, **written)
    whole = path.read_bytes()
    causes = set()
    for at in range(len(whole)):
        for content in (whole[:at], *(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :] for bits in (1, 255))):
            path.write_bytes(content)
            try:
                arrays = read_arrays(path)
            except Damaged as error:
                causes.add(type(error.__cause__).__name__)
            else:
                assert all(np.array_equal(arrays[name], written[name]) for name in written)
    assert {"BadZipFile", "NotImplementedError"} < causes, (
        "a turned byte raised fewer kinds of error than numpy and zipfile have"
    )


@pytest.mark.parametrize("raised", [FileNotFoundError(2, ""), PermissionError(13, ""), OSError(5, ""), MemoryError()])
def test_what_the_machine_is_to_blame_for_is_no_damage(raised):
    with pytest.raises(type(raised)), undamaged():
        raise raised


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_that_is_none_is_refused_and_nothing_is_written(tmp_path, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"loss": number})
    assert os.listdir(tmp_path) == []


@pytest.fixture
def journal(tmp_path):
    """Three events, a second apart."""
    ticks = iter(range(1000, 2000))
    journal = Journal(tmp_path / "journal.jsonl", clock=lambda: float(next(ticks)))
    for epoch in (1, 2, 3):
        journal.append("epoch", epoch=epoch, note="a\nb = ü")
    return journal


def test_events_come_back_in_order_with_their_time(journal):
    assert journal.events() == [
        {"event": "epoch", "time": 999.0 + epoch, "epoch": epoch, "note": "a\nb = ü"} for epoch in (1, 2, 3)
    ]
    assert journal.append("finished") == {"event": "finished", "time": 1003.0}
    assert journal.events()[-1] == {"event": "finished", "time": 1003.0}


def test_a_line_is_a_crc_32_and_the_json(journal):
    for line in journal.path.read_bytes().splitlines():
        checksum, text = line.split(b" ", 1)
        assert int(checksum, 16) == zlib.crc32(text)


def test_no_journal_is_no_event(tmp_path):
    assert Journal(tmp_path / "none").events() == []


def test_a_tail_torn_at_any_byte_costs_only_its_line_and_is_cut_at_the_next_append(journal):
    whole = journal.path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        journal.path.write_bytes(whole[:end])
        assert [event["epoch"] for event in journal.events()] == [1, 2]
    journal.append("epoch", epoch=4)
    assert [event["epoch"] for event in journal.events()] == [1, 2, 4]
    assert journal.path.read_bytes().startswith(whole[:start])
    assert journal.path.read_bytes().endswith(b"\n"), "something of the torn line was left behind the new one"


def test_a_flipped_bit_anywhere_in_a_line_is_noticed(journal):
    whole = journal.path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for place in range(start, len(whole)):
        torn = bytearray(whole)
        torn[place] ^= 1
        journal.path.write_bytes(torn)
        assert [event["epoch"] for event in journal.events()] == [1, 2], f"byte {place - start}"


APPENDING = """
import sys
from pathlib import Path
from ablation.core.files import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(10**9):
    journal.append("epoch", number=number, filling="x" * 2000)
"""


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.05, 0.11])
def test_a_journal_is_readable_after_kill_9(tmp_path, environment, delay):
    path = tmp_path / "journal.jsonl"
    process = subprocess.Popen([sys.executable, "-c", APPENDING, str(path)], env=environment)
    try:
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    journal = Journal(path)
    before = [event["number"] for event in journal.events()]
    assert before == list(range(len(before)))
    assert len(before) > 0 or delay == 0
    journal.append("epoch", number=-1)
    assert [event["number"] for event in journal.events()] == [*before, -1]
