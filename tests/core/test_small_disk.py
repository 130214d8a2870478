"""A disk that fills up: a file is the old one or the whole new one, and the error says where, and what was needed."""

import errno
import json
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults import record_fault

from ablation.core.files import Journal, atomic, disk_full, write_bytes

OLD, NEW = b"old" * 100, bytes(range(256)) * 40


@contextmanager
def room_for(size: int):
    """No file may grow beyond that: the kernel writes what fits of the last piece, and refuses the next."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_short_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(OLD)
    rooms = [*range(0, len(NEW), 97), len(NEW) - 1]
    for room in rooms:
        with pytest.raises(OSError, match="File too large") as raised, room_for(room):
            write_bytes(path, NEW)
        assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(path))
        assert path.read_bytes() == OLD
        assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
    with room_for(len(NEW)):
        write_bytes(path, NEW)
    assert path.read_bytes() == NEW
    record_fault(
        "kills", "a file was written short", len(rooms), "the old file stays whole", "each time, nothing beside"
    )


def test_a_line_that_was_written_short_costs_only_itself(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl", clock=lambda: 1000.0)
    for epoch in (1, 2):
        journal.append("epoch", epoch=epoch)
    whole = journal.path.read_bytes()
    line = len(whole) // 2
    for room in range(len(whole), len(whole) + line):
        with pytest.raises(OSError, match="File too large") as raised, room_for(room):
            journal.append("epoch", epoch=3)
        assert raised.value.filename == str(journal.path)
        assert [event["epoch"] for event in journal.events()] == [1, 2]
        assert journal.read().lost == 0
    journal.append("epoch", epoch=3)
    assert journal.path.read_bytes()[: len(whole)] == whole
    assert [event["epoch"] for event in journal.events()] == [1, 2, 3]
    record_fault("kills", "a line of a journal was written short", line, "it costs that line", "the lines before stay")


FILLING = """
import json, os, sys
from pathlib import Path
import numpy as np
from ablation.core.files import Journal, atomic, disk_full, write_bytes

folder, seen = Path(sys.argv[1]), {}

def failing(name, write):
    try:
        write()
    except OSError as error:
        seen[name] = [error.errno, error.filename, disk_full(error), sorted(os.listdir(folder))]

def arrays():
    with atomic(folder / "arrays.npz") as file:
        np.savez(file, a=np.zeros(100_000))

def hidden():
    with atomic(folder / "checkpoint.pt") as file:
        try:
            file.write(bytes(300_000))
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # as torch.save has it

write_bytes(folder / "record.json", b"old")
failing("record", lambda: write_bytes(folder / "record.json", bytes(300_000)))
failing("arrays", arrays)
failing("checkpoint", hidden)
seen["kept"] = (folder / "record.json").read_bytes().decode()
journal = Journal(folder / "journal.jsonl")
written = []
def until_full():
    for number in range(10_000):
        journal.append("epoch", epoch=number, filling="x" * 300)
        written.append(number)
failing("journal", until_full)
seen["lines"] = [event["epoch"] for event in journal.events()] == written and len(written)
(folder / "record.json").unlink()
seen["appended"] = journal.append("epoch", epoch=-1)["epoch"] == journal.events()[-1]["epoch"]
print(json.dumps(seen))
"""


def on_a_small_disk(folder: Path, environment: dict[str, str]) -> dict:
    """What FILLING prints on a file system of 64 kB that is mounted for it alone."""
    unshare, mount = ["unshare", "--map-root-user", "--mount"], "mount -t tmpfs -o size=64k none"
    ready = f"{mount} {folder}"
    if shutil.which("unshare") is None or subprocess.run([*unshare, "sh", "-c", ready], check=False).returncode:
        pytest.skip("no file system can be mounted here: a full disk cannot be had")
    command = [*unshare, "sh", "-c", f'{ready} && exec "$0" -c "$1" {folder}', sys.executable, FILLING]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(shown)


def test_a_full_disk_is_named_with_its_folder_and_loses_nothing_that_was_there(tmp_path, environment):
    seen = on_a_small_disk(tmp_path, environment)
    for name, file in {"record": "record.json", "arrays": "arrays.npz", "checkpoint": "checkpoint.pt"}.items():
        code, path, words, files = seen[name]
        assert (code, path) == (errno.ENOSPC, str(tmp_path / file)), name
        assert words.startswith(f"no space left in {tmp_path} (6"), words
        assert files == ["record.json"]
    assert seen["record"][2].endswith(" kB free, 0.3 MB needed)")
    assert seen["kept"] == "old"
    assert seen["journal"][:2] == [errno.ENOSPC, str(tmp_path / "journal.jsonl")]
    assert seen["lines"] > 100
    assert seen["appended"]
    expected = "the folder is named, nothing is lost"
    record_fault(
        "kills",
        "a disk filled up while files were written",
        4,
        expected,
        seen["record"][2].replace(str(tmp_path), "runs"),
    )


def test_other_errors_are_no_full_disk(tmp_path):
    assert disk_full(PermissionError(errno.EACCES, "Permission denied", "a")) == ""
    assert disk_full(OSError(errno.ENOSPC, "No space left on device")) == "no space left"
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(FileExistsError):
        write_bytes(tmp_path / "folder" / "file", b"")


def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path):
    with pytest.raises(OSError, match="Is a directory") as raised, atomic(tmp_path):
        pass
    assert str(tmp_path) in str(raised.value)
    assert ".tmp" not in str(raised.value).replace(str(tmp_path), "")
