"""One bit of any file turned: either somebody is told, by the file's or the run's name, or the tables are the same.

The real ways: `ablation compare` over a finished experiment, `ablation run` over one that was interrupted.
"""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from crashes import COMMAND, Undisturbed
from faults import record_fault
from flips import KINDS, Flip
from outcome import content, differing, write_project

from ablation.cli.main import cli
from ablation.core.errors import DataError

pytestmark = pytest.mark.slow

FINISHED, INTERRUPTED = 200, 90
"""How many flips are tried in each."""

RESULT = re.compile(r"(record\.json|arrays\.npz)$")

SAME, TOLD, SILENT = "changed nothing", "named", "passed over in silence"


@pytest.fixture(scope="module")
def undisturbed(lanes):
    return Undisturbed(lanes)


def counted(verdicts: Counter) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())


def test_a_bit_of_a_finished_experiment(lanes, monkeypatch):
    folder = write_project(lanes.folder / "finished", seeds=3)
    command = lanes.zygotes[0].start(COMMAND, folder)
    assert command.wait() == 0, command.printed()
    monkeypatch.chdir(folder)
    expected = compared()
    assert "altered" not in expected
    verdicts, silent = {kind: Counter() for kind in KINDS}, []
    for number in range(FINISHED):
        flip = Flip.drawn(folder, number)
        flip.turn(folder)
        printed = compared()
        flip.turn(folder)
        verdict = SAME if printed == expected else TOLD if flip.is_named(printed, expected) else SILENT
        verdicts[flip.kind][verdict] += 1
        if verdict == SILENT or "Traceback" in printed:
            silent.append(f"{flip}: {printed[-1500:]}")
    assert compared() == expected, "a command has changed what it only reads"
    total = sum(verdicts.values(), Counter())
    record_fault(
        "believed",
        "one bit turned in any file of a finished experiment, then `ablation compare`",
        total.total(),
        "the file or its run is named, or the same tables",
        counted(total),
    )
    assert silent == [], "\n\n".join(silent)
    assert verdicts["record"][TOLD] == verdicts["record"].total()
    assert verdicts["arrays"][TOLD] == verdicts["arrays"].total()


def compared() -> str:
    """What `ablation compare` prints, and an error that is no message of its own."""
    result = CliRunner().invoke(cli, ["compare", "tiny.py"])
    return f"{result.output}\n{result.exception or ''}"


def results(folder: Path) -> dict[str, object]:
    """What the records in a project's folder hold; of one that is not as it was sealed, what is wrong."""
    held = {}
    for path in (path for path in folder.glob("runs/*/*/*") if RESULT.search(path.name)):
        try:
            held[path.relative_to(folder).as_posix()] = content(path)
        except (AssertionError, DataError) as error:
            held[path.relative_to(folder).as_posix()] = str(error)
    return held


def test_a_bit_of_an_interrupted_experiment(undisturbed, lanes):
    """Two runs have finished, one has two checkpoints, one has not begun."""
    renames = [point for point in undisturbed.points if re.search(r" rename \S+/checkpoint\.pt 2$", point)]
    [journal] = {point.split()[2].replace("checkpoint.pt", "journal.jsonl") for point in renames[2:3]}
    later = undisturbed.points[undisturbed.points.index(renames[2]) :]
    after = next(point for point in later if f" write {journal} " in point)
    interrupted = write_project(lanes.folder / "interrupted")
    at = {"FAILPOINT_ROOT": str(interrupted), "FAILPOINT_AT": after, "FAILPOINT_DOES": "power"}
    assert lanes.zygotes[0].start(COMMAND, interrupted, at).wait() == -9
    assert len(list(interrupted.glob("runs/*/*/checkpoint*"))) == 2
    assert len(list(interrupted.glob("runs/*/*/record.json"))) == 2
    verdicts = Counter()
    expected = {name: held for name, held in undisturbed.outcome.items() if RESULT.search(name)}

    def trial(zygote, folder, number):
        shutil.copytree(interrupted, folder)
        flip = Flip.drawn(folder, number)
        flip.turn(folder)
        command = zygote.start(COMMAND, folder)
        command.wait()
        printed, left = command.printed(), results(folder)
        same = left == expected and printed.endswith(undisturbed.tables)
        verdict = TOLD if flip.is_named(printed, undisturbed.printed) else SAME if same else SILENT
        verdicts[verdict] += 1
        if verdict == SILENT or "Traceback" in printed:
            return f"{flip}: {differing(left, expected)}: {printed[-1500:]}"
        return ""

    wrong = [wrong for wrong in lanes.each(trial, range(INTERRUPTED)) if wrong]
    record_fault(
        "believed",
        "one bit turned in any file of an interrupted experiment, then `ablation run`",
        INTERRUPTED,
        "the file or its run is named, or the same records and tables",
        counted(verdicts),
    )
    assert wrong == [], "\n\n".join(wrong)
