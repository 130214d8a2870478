"""Machines as containers have them: no home, or none that may be written, no name of the user, little shared memory.

The tests are run by root in CI, whom no permission stops: a home that cannot be made lies in /proc.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from project import write_experiment

HOMES = {"no home": None, "a home that may not be written": "/proc/nowhere"}


def ablation(folder: Path, environment: dict[str, str], *arguments: str, before: tuple[str, ...] = ()):
    command = [*before, sys.executable, "-m", "ablation.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
def test_a_report_and_a_check_need_no_home(finished, tmp_path, environment, home):
    folder = shutil.copytree(finished.folder, tmp_path / "my project")
    theirs = {name: given for name, given in environment.items() if name not in ("HOME", "MPLCONFIGDIR")}
    theirs = {name: given for name, given in theirs.items() if not name.startswith("XDG_")}
    theirs |= {} if home is None else {"HOME": home}
    for arguments in (("report", "small", "--section", "effects", "--no-pdf"), ("check", "small")):
        ended = ablation(folder, theirs, *arguments)
        assert (ended.returncode, ended.stderr) == (0, ""), arguments


IN_A_CONTAINER = """
set -e
mkdir -p "$1/python" && mount --bind "$2" "$1/python"
mount -t tmpfs -o size=64m,mode=1777 none /dev/shm
if [ -d /root ]; then mount -t tmpfs -o mode=755 none /root; mkdir -p "$2"; mount --bind "$1/python" "$2"; fi
shift 2
exec setpriv --reuid=12345 --regid=12345 --clear-groups "$@"
"""


@pytest.mark.slow
def test_a_user_without_a_name_trains_with_little_shared_memory(environment):
    """As in `docker run --user 12345`, where /dev/shm has 64 MB and the home is root's.

    Not below pytest's folder, which each pytest closes to all but its own user.
    """
    if os.geteuid() or not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("another user in another namespace needs root, unshare and setpriv")
    with tempfile.TemporaryDirectory() as open_to_all:
        _train_in_a_container(Path(open_to_all), environment)


def _train_in_a_container(home_of_all: Path, environment: dict[str, str]) -> None:
    folder = home_of_all / "my project"
    write_experiment(folder, epochs=1)
    for path in (home_of_all, folder, folder / "experiments"):
        path.chmod(0o777)
    base = Path(sys.base_prefix)
    before = ("unshare", "-m", "bash", "-c", IN_A_CONTAINER, "-", str(home_of_all), str(base))
    home = {**environment, "HOME": "/root", "TMPDIR": str(folder)}
    if (tried := ablation(folder, home, "--version", before=before)).returncode:
        pytest.skip(f"Python cannot be had in another namespace: {tried.stderr.strip()}")
    for arguments in (("check", "small"), ("run", "small"), ("report", "small", "--no-pdf")):
        ended = ablation(folder, home, *arguments, before=before)
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr
    assert len(list(folder.glob("runs/small/*/record.json"))) == 6
    assert (folder / "runs").stat().st_uid == 12345
