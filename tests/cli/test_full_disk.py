"""A command whose output cannot be written says that the disk is full, in a line, and may be given again."""

import subprocess
import sys
from pathlib import Path

import pytest
from faults import record_fault

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["list", "status"])
def test_a_full_disk_is_named_and_the_status_is_75(finished, environment, command):
    arguments = {"list": ["list"], "status": ["status", "small"]}[command]
    with FULL.open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "ablation.cli", *arguments],
            cwd=finished.folder,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 75
    assert ended.stderr == "error: no space left; make room, then the same command goes on\n"
    record_fault(
        "blocked", f"`ablation {command}` into a full disk", 1, "75, and a line", f"{ended.returncode}, a line"
    )
