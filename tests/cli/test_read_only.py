"""Commands that only read need no right to write: runs, cache and experiments are read-only, one run is another user's.

Permission bits do not stop root: there the commands run without that privilege, by setpriv of util-linux.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faults import record_fault

COMMANDS = {
    "list": ("list",),
    "status": ("status", "small"),
    "status --json": ("status", "small", "--json"),
    "status --cache": ("status", "small", "--cache", "empty"),  # where a listing would write what it remembers of files
    "plan": ("plan", "small"),
    "compare": ("compare", "small"),
    "report": ("report", "small", "--section", "effects", "--no-pdf", "--out", "{out}/report"),
    "verify": ("verify", "small"),
    "export": ("export", "small", "--to", "{out}/pack.zip"),
}

EACH = """
import json, sys
from pathlib import Path
from commands import ablation
folder = Path(sys.argv[1])
try:
    (folder / "runs" / "small" / "probe").touch()
except PermissionError:
    print(json.dumps([ablation(folder, *command) for command in json.loads(sys.argv[2])]))
"""


def unprivileged() -> list[str]:
    """What makes a command of root's heed permission bits; [] for other users."""
    if os.geteuid():
        return []
    without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"]
    if shutil.which("setpriv") is None or subprocess.run([*without, "true"], check=False).returncode:
        pytest.skip("root that cannot give up privileges: nothing can be made read-only for it")
    return without


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder in it, with its size and time of change."""
    return {
        path.relative_to(folder).as_posix(): ((stat := path.lstat()).st_size, stat.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def read_only(finished, tmp_path):
    """A copy of the finished project that cannot be written; one run is interrupted, and one is another user's."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    (folder / "empty").mkdir()
    first, second = sorted(path.parent for path in folder.glob("runs/small/*/record.json"))[:2]
    (first / "record.json").unlink()
    (second / "lock").unlink(missing_ok=True)
    if not os.geteuid():
        for path in (second, *second.iterdir()):
            os.chown(path, 12345, 12345)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_commands_that_read_write_nothing(read_only, tmp_path, environment):
    (tmp_path / "out").mkdir()
    lines = [[part.format(out=tmp_path / "out") for part in command] for command in COMMANDS.values()]
    before = states(read_only)
    shown = subprocess.run(
        [*unprivileged(), sys.executable, "-c", EACH, str(read_only), json.dumps(lines)],
        env=environment | {"PYTHONPATH": f"{environment['PYTHONPATH']}{os.pathsep}{Path(__file__).parent}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown, "the folder could be written: nothing was tried"
    for name, (code, out, err) in zip(COMMANDS, json.loads(shown), strict=True):
        assert (code, "Permission denied" in err) == (0, False), (name, err)
        assert out
        record_fault("blocked", f"`ablation {name}` with read-only runs and cache", 1, "it only reads", f"exit {code}")
    assert states(read_only) == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report", "pack.zip"}
