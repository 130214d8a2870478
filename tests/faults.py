"""The table of faults in docs/reliability.md: each test that tries one records what it saw, a script writes it down.

    make faults        all tests that try a fault, then the table: the better part of an hour
    ABLATION_FAULTS=$PWD/faults.jsonl .venv/bin/python -m pytest tests/...
    .venv/bin/python tests/faults.py faults.jsonl

A line a fault and test. The lines of a test that ran again replace those that it left before.
"""

import ast
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

VARIABLE = "ABLATION_FAULTS"
"""The environment variable that names the file of lines; where it is unset, nothing is recorded."""

SECTIONS = {
    "believed": "What was silently believed",
    "blocked": "Blocked, tracebacks, left running",
    "safety": "Let no one in",
    "cluster": "Many machines",
    "kills": "Kills and disks",
}

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
OPENING, CLOSING = "<!-- faults: made by tests/faults.py -->", "<!-- end of faults -->"
HEADER = ("Case", "Times tried", "Expected", "Seen")


def record_fault(section: str, case: str, times: int, expected: str, seen: object) -> None:
    """Record that a fault was tried `times` times, as the test ends that tried it.

    section: a key of SECTIONS. case: a short sentence in plain words, a literal (or an f-string) in the test's file.
    expected: what must happen, in a few words. seen: what the test saw, measured where that is a figure.
    """
    if section not in SECTIONS:
        raise ValueError(f"section = {section!r}: one of {', '.join(SECTIONS)}")
    path = os.environ.get(VARIABLE)
    if not path:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
    line = {
        "section": section,
        "case": case,
        "times": int(times),
        "expected": expected,
        "seen": re.sub(rf"\b{re.escape(platform.node())}\b", "HOST", str(seen)),
        "test": test,
        "process": os.getpid(),
    }
    with open(path, "ab", buffering=0) as file:  # one write: lines of pytest-xdist's workers do not mix
        file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def merged(lines: list[dict]) -> dict[str, dict[str, dict]]:
    """From the lines of a file: by section and case, how often it was tried by all tests, and what they saw."""
    latest = {(line["section"], line["case"], line["test"]): line["process"] for line in lines}
    rows: dict[str, dict[str, dict]] = {section: {} for section in SECTIONS}
    for line in lines:
        if latest[line["section"], line["case"], line["test"]] != line["process"]:
            continue
        row = rows[line["section"]].setdefault(line["case"], {"times": 0, "expected": [], "seen": []})
        row["times"] += line["times"]
        for key in ("expected", "seen"):
            if line[key] not in row[key]:
                row[key].append(line[key])
    return rows


def tables(lines: list[dict]) -> str:
    """How many faults were tried, and the table of each section, as Markdown."""
    counts = [row["times"] for rows in merged(lines).values() for row in rows.values()]
    machine = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
    parts = [f"{len(counts)} faults, tried {sum(counts):,} times in all ({machine}, {date.today()})."]
    for section, rows in merged(lines).items():
        if rows:
            parts += ["", f"### {SECTIONS[section]}", "", _row(HEADER), "| --- | ---: | --- | --- |"]
            parts += [
                _row((case, f"{row['times']:,}", "; ".join(row["expected"]), "; ".join(row["seen"])))
                for case, row in rows.items()
            ]
    return "\n".join([*parts, ""])


def _row(cells: tuple[str, ...]) -> str:
    """A row of a table in Markdown; files in the folder of a test are named without it."""
    short = (re.sub(r"[^\s'\"(]*/pytest-of-[^\s'\"]*/", "", " ".join(cell.split())) for cell in cells)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in short) + " |"


def cases_on(page: str) -> list[str]:
    """The cases of the tables on the page."""
    inside = page.partition(OPENING)[2].partition(CLOSING)[0]
    rows = [line for line in inside.splitlines() if line.startswith("|")]
    cases = [re.split(r"(?<!\\)\|", row)[1].strip().replace("\\|", "|") for row in rows]
    return [case for case in cases if case != HEADER[0] and not case.startswith("---")]


def patterns_of(folder: Path) -> Iterator[str]:
    """A regular expression for each text that a test's file which records faults holds; f-strings stand for many."""
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "record_fault" not in source or path == Path(__file__):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.escape(" ".join(node.value.split()))
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
                if sum(len(part or "") for part in parts) >= 10:  # else it would stand for any case
                    yield "".join(".+" if part is None else re.escape(part) for part in parts)


def main(path: str) -> None:
    """Write the tables of a file of lines into the page."""
    lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(OPENING)
    after = rest.partition(CLOSING)[2]
    PAGE.write_text(f"{before}{OPENING}\n{tables(lines)}\n{CLOSING}{after}", encoding="utf-8")
    print(f"{PAGE.name}: {tables(lines).partition(' (')[0]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
