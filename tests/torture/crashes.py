"""One crash at one failpoint, and what the same command makes of it."""

import re
from functools import partial
from pathlib import Path

from failpoints import FULL
from lanes import Lanes
from outcome import differing, outcome, tables, write_project
from zygote import Zygote

COMMAND = ["run", "tiny.py", "--no-tracking", "--jobs", "1", "--device", "cpu", "--checkpoint-every", "1"]
RUNS, KILLED = 4, -9

FILES = {
    "journal": r"runs/\S+/journal\.jsonl",
    "checkpoint": r"runs/\S+checkpoint\S*",
    "record": r"runs/\S+(record\.json|arrays\.npz)\S*",
    "spec": r"runs/\S+spec\.json\S*",
    "cache": r"cache/\S+",
    "declaration": r"runs/tiny/\S*declared\S*",
    "holder": r"runs/tiny/\S*sweep\.json\S*",
    "folders": r"runs|cache|runs/tiny|runs/tiny/[0-9a-f]{16}",
}
"""Of each kind of file, its name in a point; of folders, those that are made and flushed."""

ERRORS = {"EIO": "Input/output error", "ENOSPC": "no space left", "short": ""}
"""What each failure is called; of a short write nothing fails."""

WENT_ON = "training went on"

BEGUN = re.compile(r"\.jsonl$|/checkpoint|\.tmp$|\.unfinished/")
"""Files to which more is written, or that are on the way to their names."""


def names(printed: str, error: str, folder: Path) -> bool:
    """Whether the words name the error, and a folder of the project, absolute or as it was given."""
    return error.lower() in printed.lower() and bool(
        re.search(rf"({re.escape(str(folder))}|\b(runs|cache))\b| in \. ", printed)
    )


def is_of_disk(text: str, error: str) -> bool:
    """Whether the text says that a file of a run could not be written for this error, and that training went on."""
    return bool(error) and error in text and "runs/" in text and WENT_ON in text


def but_for_notes(held: dict[str, object], expected: dict[str, object], error: str) -> dict[str, object]:
    """What files hold without what a failing disk may leave in them: a run that went on says what could not be written.

    Such a note of a record names the error and a file. Where it is of an epoch's line, the journal may lack the line.
    """
    seen = dict(held)
    for name, record in held.items():
        if not name.endswith("/record.json"):
            continue
        of_disk = [note for note in record["notes"] if is_of_disk(note, error)]
        seen[name] = record | {"notes": [note for note in record["notes"] if note not in of_disk]}
        journal = name.replace("record.json", "journal.jsonl")
        if sum(note.startswith("epochs could not") for note in of_disk) == 1:
            (epochs, failed), (every, _) = held[journal], expected[journal]
            if len(epochs) == len(every) - 1 and all(epoch in every for epoch in epochs):
                seen[journal] = (every, failed)
    return seen


def finished(folder: Path) -> int:
    """How many runs have a record."""
    return sum(1 for _ in folder.glob("runs/*/*/record.json"))


class Undisturbed:
    """A sweep that nobody disturbs: the points that it passes, what it leaves, the tables that it prints."""

    def __init__(self, lanes: Lanes):
        zygote, folder = lanes.zygotes[0], write_project(lanes.folder / "undisturbed")
        log = lanes.folder / "points.txt"
        command = zygote.start(COMMAND, folder, {"FAILPOINT_ROOT": str(folder), "FAILPOINT_LOG": str(log)})
        assert command.wait() == 0, command.printed()
        self.points = log.read_text().splitlines()
        self.outcome, self.printed = outcome(folder), command.printed()
        self.tables = tables(self.printed)

    def points_of(self, kind: str) -> list[str]:
        """The points that are of a kind of file."""
        return [point for point in self.points if re.fullmatch(FILES[kind], point.split()[2])]

    def crash(self, does: str, zygote: Zygote, folder: Path, point: str) -> str:
        """Crash at the point, go on with the same command: what is not as it was without the crash."""
        write_project(folder)
        at = {"FAILPOINT_ROOT": str(folder), "FAILPOINT_AT": point, "FAILPOINT_DOES": does}
        command = zygote.start(COMMAND, folder, at)
        status, what = command.wait(), f"{does} at {point}"
        if point.startswith("command ") or does == "power":
            told = status == KILLED
        else:  # the command tells of a worker that was killed, unless its run had finished by then
            told = status == (0 if finished(folder) == RUNS else 1) and ("failed" in command.printed()) == bool(status)
        if not told:
            return f"{what}: the command ended with {status}: {command.printed()[-2000:]}"
        return self.goes_on(what, zygote, folder)

    def fail(self, does: str, zygote: Zygote, folder: Path, point: str) -> str:
        """Let the disk fail at the point, then go on with the same command and a good disk: what is not as it must be.

        The command says what failed and where, shows no traceback, and leaves no wrong file under a final name.
        """
        write_project(folder)
        what = f"{does} at {point}"
        at = {"FAILPOINT_ROOT": str(folder), "FAILPOINT_AT": point, "FAILPOINT_DOES": does}
        command = zygote.start(COMMAND, folder, at)
        status, printed = command.wait(), " ".join(command.printed().split())
        if "Traceback" in printed:
            return f"{what}: a traceback: {command.printed()[-3000:]}"
        if status == 0 and finished(folder) < RUNS:
            return f"{what}: status 0, and {finished(folder)} of {RUNS} runs have a record"
        silent = does == "short" or " mkdir " in point  # of a folder that is there already nothing has failed
        if (status or not silent) and not names(printed, ERRORS[does], folder):
            return f"{what}: status {status}, and the cause or the folder is not named: {printed[-2000:]}"
        if wrong := self.wrong_files(folder, ERRORS[does]):
            return f"{what}: wrong under a final name: {wrong}"
        (folder.parent / (folder.name + FULL)).unlink(missing_ok=True)
        return self.goes_on(what, zygote, folder, ERRORS[does])

    def wrong_files(self, folder: Path, error: str) -> list[str]:
        """The files which are not those of the undisturbed sweep, nor such as are only begun."""
        held = but_for_notes(outcome(folder), self.outcome, error)
        seen = {name: part for name, part in held.items() if not BEGUN.search(name)}
        return [name for name in differing(seen, self.outcome) if name in seen]

    def goes_on(self, what: str, zygote: Zygote, folder: Path, error: str = "") -> str:
        """Finish the sweep: what is not as it was in the undisturbed one, but for notes of a disk with this error."""
        command = zygote.start(COMMAND, folder)
        if status := command.wait():
            return f"{what}: the next command ended with {status}: {command.printed()[-2000:]}"
        held = but_for_notes(outcome(folder), self.outcome, error) if error else outcome(folder)
        if wrong := differing(held, self.outcome):
            return f"{what}: these files are not the same: {wrong}"
        lines = command.printed().splitlines(keepends=True)
        noted = [line for line in lines if line.startswith("warning: ") and is_of_disk(line, error)]
        printed = "".join(line for line in lines if line not in noted)
        return "" if tables(printed) == self.tables else f"{what}: other tables: {command.printed()}"

    def crashes(self, lanes: Lanes, does: str, points: list[str]) -> list[str]:
        """Of a crash at each of these points, what went wrong."""
        return self._each(lanes, partial(self.crash, does), does, points)

    def failures(self, lanes: Lanes, does: str, points: list[str]) -> list[str]:
        """Of a disk that fails at each of these points, what went wrong."""
        return self._each(lanes, partial(self.fail, does), does, points)

    def _each(self, lanes: Lanes, trial: partial, does: str, points: list[str]) -> list[str]:
        trial.__name__ = does
        return [wrong for wrong in lanes.each(trial, points) if wrong]
