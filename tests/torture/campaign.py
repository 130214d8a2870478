"""Kills at moments drawn at random: of the command, of a worker, of both; at the start, in training, while publishing.

A moment is a thing that has happened (so many epochs more, a record more, so many milliseconds since the start), so
that a machine's speed moves no kill from one part of a sweep to another.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from failpoints import children_of
from lanes import left_running
from outcome import differing, outcome, tables, write_project
from store import shown, stale_artifacts

EPOCHS, RUNS = 40, 4
COMMAND = ["run", "tiny.py", "--jobs", "2", "--device", "cpu"]
VICTIMS, MOMENTS = ("command", "worker", "both"), ("start", "training", "publishing")
UNTRACKED = (*COMMAND, "--no-tracking")


class Project:
    """A folder with the experiment, and what may be started there: start(argv, folder) gives a command."""

    def __init__(self, start: Callable, folder: Path, argv=COMMAND, epochs: int = EPOCHS):
        self.start, self.argv, self.folder = start, argv, write_project(folder, epochs=epochs)
        self.command = None

    def run_to_its_end(self) -> None:
        """Run the command, and once more with nothing to train: what it prints then is the tables alone."""
        for _ in range(2):
            self.command = self.start(list(self.argv), self.folder)
            status = self.command.wait()
            assert status == 0, f"status {status}: {self.command.printed()[-3000:]}"

    def kill(self, victim: str, moment: str, draws: np.random.Generator) -> str:
        """Start the command, unless it runs, and kill at a moment; who was killed: '' where all had ended before."""
        if self.command is None or not self.command.running():
            if self.command is not None:
                self.command.wait()
            self.command = self.start(list(self.argv), self.folder)
        self._await(moment, draws)
        workers = children_of(self.command.pid) if self.command.running() else []
        killed = []
        if victim in ("worker", "both") and workers:
            killed += [str(draws.choice(workers))] if victim == "worker" else list(map(str, workers))
        if victim in ("command", "both") and self.command.running():
            killed.append(str(self.command.pid))
        for process in killed:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        if victim != "worker":
            self.command.wait()
            self._await_end(workers)
        return victim if killed else ""

    def _await(self, moment: str, draws: np.random.Generator) -> None:
        if moment == "start":
            time.sleep(draws.uniform(0.0, 0.4))
            return
        if moment == "import":  # of a real command, which takes seconds for it
            time.sleep(draws.uniform(0.0, 4.0))
            return
        epochs, records = self._epochs() + draws.integers(1, 15), self.records() + 1
        while self.command.running() and not (
            self.records() >= records if moment == "publishing" else self._epochs() >= epochs
        ):
            time.sleep(0.002)
        time.sleep(draws.uniform(0.0, 0.3 if moment == "publishing" else 0.02))

    def _await_end(self, workers: list[int]) -> None:
        """Workers of a command that was killed end by themselves."""
        limit = time.monotonic() + 10
        while any(_alive(worker) for worker in workers):
            assert time.monotonic() < limit, f"a worker outlived its command: {left_running(self.folder)}"
            time.sleep(0.005)

    def _epochs(self) -> int:
        return sum(path.read_bytes().count(b'"epoch",') for path in self.folder.glob("runs/*/*/journal.jsonl"))

    def records(self) -> int:
        """How many runs have a record."""
        return sum(1 for _ in self.folder.glob("runs/*/*/record.json"))


def differences(project: Project, calm: Project) -> str:
    """What is not as it is in the project that nobody disturbed; '' for nothing."""
    if wrong := differing(outcome(project.folder), outcome(calm.folder)):
        return f"these files are not the same: {wrong}"
    if tables(project.command.printed()) != tables(calm.command.printed()):
        return f"other tables: {project.command.printed()}"
    if "--no-tracking" in project.argv:
        return ""
    if wrong := differing(shown(project.folder), shown(calm.folder)):
        return f"MLflow shows otherwise: {wrong}"
    return f"stale artifacts: {stale}" if (stale := stale_artifacts(project.folder)) else ""


def torment(project: Project, calm: Project, kills: int, seed: int) -> tuple[Counter, str]:
    """Kill so many times, then run to the end: how often each victim was killed at each moment, and what is wrong."""
    draws, done = np.random.Generator(np.random.Philox(seed)), Counter()
    while done.total() < kills:
        victim, moment = str(draws.choice(VICTIMS)), str(draws.choice(MOMENTS))
        if project.kill(victim, moment, draws):
            done[victim, moment] += 1
        if not project.command.running() and project.records() == RUNS:
            break
    if project.command.running():
        project.command.kill()
    project.command.wait()
    project.run_to_its_end()
    wrong = differences(project, calm)
    left = left_running(project.folder)
    return done, wrong or (f"left running: {left}" if left else "")


def _alive(process: int) -> bool:
    """Whether it runs: one that has ended and waits for its parent does not."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
