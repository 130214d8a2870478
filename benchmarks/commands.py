"""How long do the commands take on runs that have finished, in multiples of `python -c "import pandas"`?

    python benchmarks/commands.py                              # trains the quickstart first, for a minute or two
    python benchmarks/commands.py --runs RUNS --cache CACHE    # on its finished runs in these folders
    python benchmarks/commands.py --only status list plan      # without the reports, which take longest

Each is a new process, in turns. The quickstart's own file is used, and `run` has nothing to do. The folders are copied,
so that nothing is written to those that were given; the reports are made anew each time.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

import measure
from measure import ROOT, Measurement, number, reach

FILE = ROOT / "experiments" / "quickstart.py"
NAME = "quickstart"
PANDAS = "import pandas"
PYTHON = {"python": "pass", PANDAS: PANDAS, "import torch": "import torch"}
"""Label -> what Python alone is given to do."""
COMMANDS: dict[str, list[str]] = {
    "--help": ["--help"],
    "list": ["list"],
    "status": ["status", NAME],
    "plan": ["plan", NAME],
    "compare": ["compare", NAME],
    "run": ["run", NAME, "--no-tracking"],
    "report --no-pdf": ["report", NAME, "--no-pdf", "--force"],
    "report": ["report", NAME, "--force"],
}
"""Label -> the words of `ablation`."""
ABOUT = {"run": "run, nothing to do"}


def project(work: Path, runs: Path | None, cache: Path | None) -> Path:
    """A folder with the experiment's file and its finished runs: copies of those given, or made."""
    folder = work / "project"
    (folder / "experiments").mkdir(parents=True)
    shutil.copy(FILE, folder / "experiments")
    if runs:
        shutil.copytree(runs, folder / "runs")
    if cache:
        shutil.copytree(cache, folder / "cache")
    measure.ran(measure.ablation("run", NAME, "--no-tracking"), folder)  # trains what is missing
    return folder


def taken(command: list[str], folder: Path) -> dict[str, float]:
    """One call of it."""
    ended = measure.ran(command, folder)
    return {"seconds": ended.seconds, "processor_seconds": ended.processor_seconds}


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=5)
    parser.add_argument("--runs", type=Path, help="the folder that holds the finished runs' folder `quickstart`")
    parser.add_argument("--cache", type=Path, help="the image cache of these runs")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    with measure.scratch() as work:
        folder = project(work, options.runs, options.cache)
        count = len(list((folder / "runs" / NAME).glob("*/record.json")))
        measurement, case = Measurement("commands", options, {"runs": count}), f"{count} finished runs"
        print(measure.heading(measurement))
        calls = {name: [sys.executable, "-c", code] for name, code in PYTHON.items()}
        calls |= {name: measure.ablation(*COMMANDS[name]) for name in options.only}
        arms = {ABOUT.get(name, name): partial(taken, words, folder) for name, words in calls.items()}
        measure.take_turns(measurement, case, arms, options.rounds, options.minutes)
    rows = []
    for name, quantities in measurement.content()["results"].get(case, {}).items():
        seconds, ratio = quantities["seconds"], measurement.compare(case, name, PANDAS, "seconds")
        measurement.compare(case, name, PANDAS, "processor_seconds")
        processor = number(quantities["processor_seconds"]["median"])
        shown = [f"{number(ratio['median'])} x", reach(ratio)] if ratio else ["", ""]
        rows.append([name, number(seconds["median"]), reach(seconds), processor, *shown])
    print(f"\n{case}; wall and processor seconds, and multiples of `{PANDAS}` in the same round")
    print(measure.table(["command", "seconds", "min-max", "processor", "x pandas", "min-max"], rows))


if __name__ == "__main__":
    main()
