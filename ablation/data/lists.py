"""Photographs that a file names: a list with a path and a label on each line, or a table (CSV) with a header.

Names and labels only; no image is opened here. All mistakes in a list are collected before any is reported.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ablation.core.errors import DataError, Problem, did_you_mean
from ablation.data.files import (
    ALLOW_OUTSIDE,
    PART_OF,
    PARTS,
    Bounds,
    Sample,
    Samples,
    capped,
    existing,
    leads_out,
    printable,
    uneven_classes,
)

_COLUMNS = ("path", "label", "split", "group")
_DELIMITERS = (",", ";", "\t")
_LISTS_FOLDER = "the list's folder"
_WHOLE = re.compile("-?[0-9]{1,18}")


def _text(path: Path, given: str) -> str:
    """Return a text file's content, its line ends as they are; a byte order mark is passed over."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(Problem(f"not UTF-8 text (byte {error.start}); save it as UTF-8", printable(given))) from None
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", printable(given))) from None


def _lines(path: Path, given: str) -> list[str]:
    return _text(path, given).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _at(given: str, number: int, message: str) -> Problem:
    return Problem(message, f"{printable(given)}:{number}")


class _Paths:
    """The files that one list names: each is held against the folder, and against the lines before."""

    def __init__(self, folder: Path, outside: bool):
        self.folder, self.outside, self.bounds = folder, outside, Bounds(folder)
        self.first: dict[str, tuple[int, Mapping[str, str]]] = {}  # of each file: its first line, and what that says

    def wrong(self, number: int, name: str, row: Mapping[str, str]) -> list[str]:
        """Note the file `name` of a line; return what is wrong with it. row: its label, and maybe its split."""
        path = str(self.folder / name)
        if not self.outside and os.path.isabs(name):
            return [f"{name!r} is an absolute path, not one relative to the list's folder; {ALLOW_OUTSIDE}"]
        if not self.outside and name.split("/")[0] == "..":
            return [f"{name!r} points outside the list's folder; {ALLOW_OUTSIDE}"]
        before, other = self.first.setdefault(os.path.normpath(path), (number, row))
        if before != number:
            keys = [key for key in row if row[key] != other[key]]
            differ = [f", with {key} {row[key]} here and {key} {other[key]} there" for key in keys]
            return [f"{name!r} is listed on line {before} already{''.join(differ)}"]
        if not os.path.isfile(path):
            return [f"there is no image {name!r} in {printable(str(self.folder))}"]
        real = "" if self.outside else self.bounds.escaping(path)
        return [f"{name!r} is {leads_out(real, _LISTS_FOLDER)}"] if real else []


def _normal(written: str) -> str:
    return os.path.normpath(written).replace(os.sep, "/")


# --- a list


def read_list(given: str, classes: str | None, outside: bool = False) -> Samples:
    """Read lines `path<TAB>label`, paths relative to the list's folder; see `ablation.data.sources.ListFile`."""
    path = existing(given, "file")
    names = read_classes(classes) if classes is not None else None
    unnamed = "" if names is None else f"has no name: {classes} names the labels 0 to {len(names) - 1}"
    paths = _Paths(path.parent, outside)
    samples: list[Sample] = []
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path, given), 1):
        name, label = _parted(line)
        if not name and not label:
            continue
        if not name:
            wrong = [f"expected 'path<TAB>label', got {line.strip()!r}"]
        elif re.fullmatch("[0-9]{1,9}", label) is None:
            wrong = [f"the label {label!r} is not a whole number from 0 on"]
        else:
            name = _normal(name)
            wrong = [f"label {int(label)} {unnamed}"] if names is not None and int(label) >= len(names) else []
            wrong += paths.wrong(number, name, {"label": str(int(label))})
        problems += [_at(given, number, message) for message in wrong]
        if not wrong:
            samples.append(Sample(printable(name), int(label), path.parent / name))
    if problems:
        raise DataError(capped(problems))
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
    text = "\n".join(_lines(existing(given, "file"), given)).rstrip()
    names = [line.strip() for line in text.split("\n")] if text else []
    first: dict[str, int] = {}
    problems = [] if names else [Problem("names no class", printable(given))]
    for number, name in enumerate(names, 1):
        if not name:
            problems.append(_at(given, number, "an empty line where the name of a class belongs"))
        elif name in first:
            problems.append(_at(given, number, f"the class {name!r} is named on line {first[name]} too"))
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


# --- a table


class _Row(NamedTuple):
    number: int
    name: str
    label: str
    part: str
    group: str


def read_table(given: str, outside: bool = False) -> Samples:
    """Read a table with a header; see `ablation.data.sources.CsvFile`."""
    path = existing(given, "file")
    text = _text(path, given)
    at, header, delimiter = _read_header(text, given)
    paths = _Paths(path.parent, outside)
    rows: list[_Row] = []
    problems: list[Problem] = []
    for number, values in _rows(text, delimiter):
        if number <= at:
            continue
        row: dict[str, str] = {}
        if isinstance(values, str):
            wrong = [values]
        elif len(values) != len(header):
            wrong = [f"expected {len(header)} values ({', '.join(header)}), got {len(values)}"]
        else:
            row = dict(zip(header, values, strict=True))
            wrong = list(_wrong_row(number, row, paths))
        problems += [_at(given, number, message) for message in wrong]
        if not wrong:
            rows.append(_Row(number, _normal(row["path"]), row["label"], _part(row), row.get("group", "")))
    problems = problems or _without_part(given, rows) + _same_numbers(given, rows) or _uneven(given, rows)
    if problems:
        raise DataError(capped(problems))
    if not rows:
        raise DataError(f"the table {given!r} names no image ({printable(str(path))})")
    classes = {name: label for label, name in enumerate(_in_order({row.label for row in rows}))}
    samples = [
        Sample(printable(row.name), classes[row.label], path.parent / row.name, part=row.part, group=row.group)
        for row in rows
    ]
    return Samples(tuple(map(printable, classes)), samples)


def table_delimiter(text: str) -> str | None:
    """Return the comma, semicolon or tab that parts a header with the columns `path` and `label`; None if none does."""
    for delimiter in _DELIMITERS:
        _, header = next(_rows(text, delimiter), (0, ""))
        if not isinstance(header, str) and {"path", "label"} <= {name.lower() for name in header}:
            return delimiter
    return None


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row's first line, and its values without the space around them; of a broken row what is wrong.

    Rows without a value are passed over. What comes after a broken row cannot be known, so it is the last.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        number = reader.line_num + 1
        try:
            values = [value.strip() for value in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"a row that cannot be read, perhaps for a quote without its partner: {error}"
            return
        if any(values):
            yield number, values


def _read_header(text: str, given: str) -> tuple[int, list[str], str]:
    """Return the header's line, its columns, and what parts them. Raises DataError if it lacks a column."""
    delimiter = table_delimiter(text) or max(_DELIMITERS, key=text.partition("\n")[0].count)
    number, header = next(_rows(text, delimiter), (1, "an empty table"))
    if isinstance(header, str):
        raise DataError(_at(given, number, f"{header}; the first line must name the columns path and label"))
    header = [name.lower() if name.lower() in _COLUMNS else name for name in header]
    there = ", ".join(map(repr, header))
    problems = [
        f"no column is called {name!r}; the first line names {there}{did_you_mean(name, header)}"
        for name in ("path", "label")
        if name not in header
    ]
    problems += [f"two columns are called {name!r}" for name in _COLUMNS if header.count(name) > 1]
    if problems:
        raise DataError(_at(given, number, problem) for problem in problems)
    return number, header, delimiter


def _wrong_row(number: int, row: Mapping[str, str], paths: _Paths) -> Iterator[str]:
    """Yield what is wrong with one row of as many values as there are columns."""
    split = row.get("split", "")
    part = _part(row)
    if split and not part:
        yield f"the split {split!r} is none of {', '.join(PARTS)}{did_you_mean(split, PART_OF)}"
    yield from (f"the row has no {name}" for name in ("path", "label") if not row[name])
    if row["path"]:
        shown = {"label": repr(row["label"])} | ({"split": repr(part)} if "split" in row else {})
        yield from paths.wrong(number, _normal(row["path"]), shown)


def _part(row: Mapping[str, str]) -> str:
    return PART_OF.get(row.get("split", "").lower(), "")


def _without_part(given: str, rows: Sequence[_Row]) -> list[Problem]:
    """Return a problem for each row without a split where others have one."""
    named = next((row for row in rows if row.part), None)
    if named is None:
        return []
    but = f"and the row on line {named.number} is in {named.part}; name it for every image or for none"
    return [_at(given, row.number, f"the row has no split, {but}") for row in rows if not row.part]


def _same_numbers(given: str, rows: Sequence[_Row]) -> list[Problem]:
    """Return a problem for each label that is another's number, written otherwise: '1' and '01'."""
    lines = {row.label: row.number for row in reversed(rows)}
    if not all(map(_WHOLE.fullmatch, lines)):
        return []
    first: dict[int, str] = {}
    problems = []
    for label in sorted(lines, key=lines.__getitem__):
        other = first.setdefault(int(label), label)
        if other != label:
            wrong = f"the label {label!r} is the same number as {other!r} on line {lines[other]}; write both alike"
            problems.append(_at(given, lines[label], wrong))
    return problems


def _uneven(given: str, rows: Sequence[_Row]) -> list[Problem]:
    where: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.part:
            where.setdefault(row.label, {}).setdefault(row.part, f"{printable(given)}:{row.number}")
    return uneven_classes(where)


def _in_order(names: Collection[str]) -> list[str]:
    """Return the names by their value if all are whole numbers, else as text."""
    return sorted(names, key=int) if all(map(_WHOLE.fullmatch, names)) else sorted(names)
