"""How long does the quickstart take, and where do its seconds go, beside the same at a former commit?

    python benchmarks/quickstart.py                       # 80 runs, as they are
    python benchmarks/quickstart.py --before v0.1         # in turns with those of a former commit, record by record
    python benchmarks/quickstart.py --before v0.1 --seeds 2 --rounds 3

From the command line to the last verdict, both without MLflow, each into fresh folders. The former commit is checked
out into a temporary folder. All records of both are compared: the digest of a record covers its outcome, history,
metrics, evidence and arrays, so two that are the same were trained to the same bits. The seconds between the command
line and its end are read off the journals, as means over the workers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import journals
import measure
from measure import ROOT, Failed, Measurement, number, reach

BEFORE, NOW = "before", "now"
FILE = '''"""The quickstart, with fewer seeds or epochs."""

from dataclasses import replace
from runpy import run_path

experiment = replace(run_path({path!r})["experiment"], **{changes!r})
'''


@contextmanager
def checkout(revision: str, folder: Path) -> Iterator[Path]:
    """The project as it was at a commit, in a folder that is removed at the end. Raises Failed for no such commit."""
    made = subprocess.run(
        ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(folder), revision],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        raise Failed(f"--before {revision}: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(folder)]
        subprocess.run(remove, capture_output=True, check=False)


def trained(tree: Path, file: Path, folder: Path, options: list[str]) -> dict[str, float]:
    """Run the experiment with the code of a checkout, and what it took. Its runs are left in the folder."""
    measure.emptied(folder)
    where = ["--runs", folder / "runs", "--cache", folder / "cache", "--no-tracking", *options]
    ended = measure.ran(measure.ablation("run", file, *where), folder, {"PYTHONPATH": str(tree)})
    root = folder / "runs" / "quickstart"
    phases = journals.phases(root, ended.began, ended.ended)
    return {
        "seconds": ended.seconds,
        "processor_seconds": ended.processor_seconds,
        "runs": float(len(journals.spans(root))),
        "first step": journals.first_step(root) - ended.began,
        **phases,
    }


def digests(root: Path) -> dict[str, str]:
    """The digest in each record, by the name of its folder, which is the run's id."""
    return {file.parent.name: json.loads(file.read_text("utf-8"))["digest"] for file in root.glob("*/record.json")}


def same(before: Path, now: Path) -> tuple[int, int]:
    """How many records have the same digest in both, and how many there are in either."""
    one, other = digests(before), digests(now)
    return sum(other.get(id_) == digest for id_, digest in one.items()), len(one.keys() | other.keys())


def compared(before: Path, now: Path, note: measure.Note) -> None:
    """Say whether the records of both are the same."""
    alike, all_ = same(before, now)
    what = "the same to the last bit" if alike == all_ else "the same; THE OTHERS ARE NOT"
    note(f"records before and now: {alike} of {all_} are {what}")


def table(measurement: Measurement, case: str) -> str:
    """A line for the whole and each phase, with both columns and their ratio."""
    columns = [
        "seconds",
        *measurement.values[case],
        *(["min-max", "ratio"] if BEFORE in measurement.values[case] else []),
    ]
    rows = []
    for quantity in ("seconds", "processor_seconds", "first step", *journals.PHASES):
        ratio = measurement.compare(case, NOW, BEFORE, quantity) if len(columns) > 2 else None
        medians = [number(measurement.median(case, arm, quantity)) for arm in measurement.values[case]]
        shown = [reach(ratio), number(ratio["median"])] if ratio else ["", ""]
        title = {"seconds": "whole command", "processor_seconds": "processor", "first step": "to the first step"}
        rows.append([title.get(quantity, f"  {quantity}"), *medians, *(shown if len(columns) > 2 else [])])
    return measure.table(columns, rows)


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=5)
    parser.add_argument("--before", metavar="REV", help="a former commit to take turns with")
    parser.add_argument("--seeds", type=int, help="fewer than the file has")
    parser.add_argument("--epochs", type=int, help="fewer than the file has")
    parser.add_argument("-j", "--jobs", type=int, help="workers, by default one a core")
    options = parser.parse_args()
    changes = {name: getattr(options, name) for name in ("seeds", "epochs") if getattr(options, name)}
    words = ["--jobs", str(options.jobs)] if options.jobs else []
    settings = {**changes, "jobs": options.jobs or measure.cores(), "before": options.before or ""}
    measurement, case = Measurement("quickstart", options, settings), "quickstart"
    print(measure.heading(measurement))
    with measure.scratch() as work:
        file = work / "quickstart.py"
        path = str(ROOT / "experiments" / "quickstart.py")
        file.write_text(FILE.format(path=path, changes=changes), "utf-8")
        arms: dict[str, measure.Arm] = {NOW: partial(trained, ROOT, file, work / NOW, words)}
        if options.before:
            with checkout(options.before, work / "tree") as tree:
                measurement.head["versions"]["commit_before"] = measure.commit(tree)
                arms = {BEFORE: partial(trained, tree, file, work / BEFORE, words), **arms}
                measure.take_turns(measurement, case, arms, options.rounds, options.minutes)
            compared(work / BEFORE / "runs" / "quickstart", work / NOW / "runs" / "quickstart", measurement.note)
        else:
            measure.take_turns(measurement, case, arms, options.rounds, options.minutes)
    print(f"\n{measurement.median(case, NOW, 'runs'):.0f} runs; medians of the rounds, in seconds; ratio now / before")
    print(table(measurement, case))
    sys.exit(0 if measurement.rounds(case, NOW, "seconds") else 1)


if __name__ == "__main__":
    main()
