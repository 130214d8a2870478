"""Photographs that a list names: a path and a label on each line. Tables are read by `ablation.data.tables`.

Names and labels only; no image is opened here. All mistakes in a list are collected before any is reported; a file that
is a table, and no list, is told from one by its first lines.
"""

from __future__ import annotations

import re

from ablation.core.errors import DataError, Problem
from ablation.data.files import Sample, Samples, capped, existing, printable
from ablation.data.named import NamedFiles, at, lines_of, normal, text_of
from ablation.data.tables import as_table

_NUMBER = re.compile("[0-9]{1,9}")


def read_list(given: str, classes: str | None, outside: bool = False) -> Samples:
    """Read lines `path<TAB>label`, paths relative to the list's folder; see `ablation.data.sources.ListFile`."""
    path = existing(given, "file")
    names = read_classes(classes) if classes is not None else None
    unnamed = "" if names is None else f"has no name: {classes} names the labels 0 to {len(names) - 1}"
    files = NamedFiles(path.parent, outside)
    text = text_of(path, given)
    samples: list[Sample] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines_of(text), 1):
        name, label = _parted(line)
        if not name and not label:
            continue
        if not name:
            wrong = [f"expected 'path<TAB>label', got {line.strip()!r}"]
        elif _NUMBER.fullmatch(label) is None:
            wrong = [f"the label {label!r} is not a whole number from 0 on"]
        else:
            name = normal(name)
            wrong = [f"label {int(label)} {unnamed}"] if names is not None and int(label) >= len(names) else []
            wrong += files.wrong(number, name, {"label": str(int(label))})
        problems += [at(given, number, message) for message in wrong]
        if not wrong:
            samples.append(Sample(printable(name), int(label), files.path(name)))
    if problems:
        table = as_table(given, text, path.parent, numbered=bool(samples))
        raise DataError(table if table is not None else capped(problems))
    if not samples:
        raise DataError(f"the list {given!r} names no image ({printable(str(path))})")
    return Samples(names or _numbered(given, samples), samples)


def _parted(line: str) -> tuple[str, str]:
    """Return path and label of a line, parted at its last tab, else at its last whitespace; no path without one."""
    if "\t" in line:
        name, _, label = line.rpartition("\t")
        return name.strip(), label.strip()
    *before, label = line.rsplit(None, 1) or [""]
    return "".join(before).strip(), label


def read_classes(given: str) -> tuple[str, ...]:
    """Return the class names of a file with one a line: its first line names label 0."""
    text = "\n".join(lines_of(text_of(existing(given, "file"), given))).rstrip()
    names = [line.strip() for line in text.split("\n")] if text else []
    first: dict[str, int] = {}
    problems = [] if names else [Problem("names no class", printable(given))]
    for number, name in enumerate(names, 1):
        if not name:
            problems.append(at(given, number, "an empty line where the name of a class belongs"))
        elif name in first:
            problems.append(at(given, number, f"the class {name!r} is named on line {first[name]} too"))
        first.setdefault(name, number)
    if problems:
        raise DataError(capped(problems))
    return tuple(map(printable, names))


def _numbered(given: str, samples: list[Sample]) -> tuple[str, ...]:
    """Return '0', '1', ... where no file names the classes; then no label may be missing below the highest."""
    used = {sample.label for sample in samples}
    if max(used) + 1 > len(used):
        gap = next(label for label in range(len(used) + 1) if label not in used)
        wrong = f"labels go up to {max(used)}, but no image has label {gap}; use 0, 1, 2, ..."
        raise DataError(Problem(wrong, printable(given)))
    return tuple(str(label) for label in sorted(used))
