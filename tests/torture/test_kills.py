"""SIGKILL at every moment: whatever is killed and whenever, the same command ends with the same bits.

200 kills and more of forked commands with MLflow (see `zygote.py`), and two dozen of real ones, which are killed while
Python starts and torch is imported as well. `test_torture_sample.py` has 10 kills in the fast tests.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from campaign import COMMAND, MOMENTS, RUNS, UNTRACKED, VICTIMS, Project, differences, torment
from faults import record_fault
from lanes import LINUX, left_running

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not LINUX, reason="reads a process's children from /proc")]

ROOT = Path(__file__).parents[2]


def test_two_hundred_kills_leave_no_trace(lanes):
    calm = Project(lanes.zygotes[0].start, lanes.folder / "calm")
    calm.run_to_its_end()
    done, campaigns = Counter(), 0

    def campaign(zygote, folder, seed):
        counts, wrong = torment(Project(zygote.start, folder), calm, 20, seed)
        done.update(counts)
        return wrong

    while done.total() < 200:
        wrongs = lanes.each(campaign, range(campaigns, campaigns + 2))
        campaigns += 2
        assert not any(wrongs), "\n".join(filter(None, wrongs))
    victims = {victim: sum(done[victim, moment] for moment in MOMENTS) for victim in VICTIMS}
    moments = {moment: sum(done[victim, moment] for victim in VICTIMS) for moment in MOMENTS}
    counted = ", ".join(f"{count} {name}" for name, count in {**victims, **moments}.items())
    record_fault(
        "kills",
        "SIGKILL of the command, a worker or both at random moments, then the same command",
        done.total(),
        "the same records, tables and MLflow runs, bit for bit; no process left",
        f"the same bits in {campaigns} of {campaigns} sweeps ({counted})",
    )
    assert min(*victims.values(), *moments.values()) >= 20, counted


RACES = 12


def test_two_commands_at_once(lanes):
    """Of the same experiment, on a new store; in two of three races one of them is killed on the way."""
    first, second = lanes.zygotes
    calm = Project(first.start, lanes.folder / "calm-alone")
    calm.run_to_its_end()
    draws, seen = np.random.Generator(np.random.Philox(11)), Counter()
    for number in range(RACES):
        project = Project(first.start, lanes.folder / f"race-{number}")
        commands = [first.start(COMMAND, project.folder)]
        time.sleep(draws.uniform(0.0, 0.5))
        commands.append(second.start(COMMAND, project.folder))
        killed = commands[number % 3] if number % 3 < 2 else None
        if killed:
            time.sleep(draws.uniform(0.0, 3.0))
            killed.kill()
        statuses = [command.wait(300) for command in commands]
        survivors = [status for status, command in zip(statuses, commands, strict=True) if command is not killed]
        assert not any(survivors), "\n".join(command.printed()[-2000:] for command in commands)
        trained = len(list(project.folder.glob("runs/*/*/record.json")))
        project.run_to_its_end()
        wrong = differences(project, calm) or ("" if trained == RUNS else f"the one that was left trained {trained}")
        seen[wrong or "the same bits"] += 1
        assert not left_running(project.folder)
    record_fault(
        "blocked",
        "a second `ablation run` of an experiment beside a first, on a new store; either may be killed",
        RACES,
        "they share the runs; whoever is left ends with all of them; the same records, tables and MLflow runs",
        ", ".join(f"{count} of {RACES}: {what}" for what, count in seen.items()),
    )
    assert seen == {"the same bits": RACES}


class Real:
    """A real command, started as a user does it."""

    def __init__(self, argv: list[str], folder: Path):
        self.output = folder.parent / f"{folder.name}.out"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        with self.output.open("wb") as file:
            command = [sys.executable, "-m", "ablation.cli.main", *argv]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
        self.pid = self.process.pid

    def wait(self) -> int:
        return self.process.wait(120)

    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()

    def printed(self) -> str:
        return self.output.read_text()


def test_kills_while_python_starts_and_torch_is_imported(tmp_path):
    calm = Project(Real, tmp_path / "calm", UNTRACKED, epochs=200)
    calm.run_to_its_end()
    draws, done, wrong, sweeps = np.random.Generator(np.random.Philox(7)), Counter(), "", 0
    while not wrong and sweeps < 6 and min(done[victim] for victim in VICTIMS) < 8:
        killed = Project(Real, tmp_path / f"killed-{sweeps}", UNTRACKED, epochs=200)
        sweeps += 1
        for number in range(24):
            victim = VICTIMS[number % 3]
            done[victim] += bool(killed.kill(victim, "import", draws))
            if killed.records() == RUNS:  # what starts after that imports no torch
                break
        killed.command.kill()
        killed.run_to_its_end()
        wrong = differences(killed, calm) or "; ".join(left_running(killed.folder))
    record_fault(
        "kills",
        "SIGKILL while Python starts, torch is imported and the workers begin (real processes)",
        done.total(),
        "the same records and tables, bit for bit; no process left",
        wrong or f"the same bits ({', '.join(f'{count} {name}' for name, count in done.items())})",
    )
    assert wrong == ""
    assert min(done[victim] for victim in VICTIMS) >= 8
