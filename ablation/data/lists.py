"""Photographs that a file names: a list with a path and a label on each line, or a table (CSV) with a header.

Names and labels only; no image is opened here. Every mistake in a list is found before any is told.
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
from ablation.data.files import PART_OF, PARTS, Sample, Samples, capped, existing, printable, uneven_classes

_COLUMNS = ("path", "label", "split", "group")
_DELIMITERS = (",", ";", "\t")
_WHOLE = re.compile("-?[0-9]{1,18}")


def _text(path: Path, given: str) -> str:
    """A text file, its line ends as they are; a byte order mark is passed over."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(Problem(f"not UTF-8 text (byte {error.start}); save it as UTF-8", printable(given))) from None
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {error.strerror}", printable(given))) from None


def _lines(path: Path, given: str) -> list[str]:
    return _text(path, given).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _at(given: str, number: int) -> str:
    return f"{printable(given)}:{number}"


class _Paths:
    """The files that one list names: each is held against the folder, and against the lines before."""

    def __init__(self, folder: Path, outside: bool):
        self.folder, self.outside = folder, outside
        self.first: dict[str, tuple[int, Mapping[str, str]]] = {}  # of each file: its first line, what was said there

    def wrong(self, number: int, name: str, said: Mapping[str, str]) -> str:
        """Note the file `name` of a line; what is wrong with it, or ''. said: its label, and whatever else is told."""
        path = str(self.folder / name)
        if not self.outside and os.path.isabs(name):
            return f"{name!r} is an absolute path, not one relative to the list's folder; outside=True allows it"
        if not self.outside and name.split("/")[0] == "..":
            return f"{name!r} points outside the list's folder; outside=True allows it"
        before, there = self.first.setdefault(os.path.normpath(path), (number, said))
        if before != number:
            differ = [key for key in said if said[key] != there[key]]
            apart = [f", with {key} {said[key]} here and {key} {there[key]} there" for key in differ]
            return f"{name!r} is listed on line {before} already{''.join(apart)}"
        return "" if os.path.isfile(path) else f"there is no image {name!r} in {printable(str(self.folder))}"


def _normal(written: str) -> str:
    return os.path.normpath(written).replace(os.sep, "/")


# --- a list


def read_list(given: str, classes: str | None, outside: bool = False) -> Samples:
    """Lines `path<TAB>label`, paths relative to the list's folder; see `ablation.data.sources.ListFile`."""
    path = existing(given, "file")
    names = read_classes(classes) if classes is not None else None
    reading = _ListReading(_Paths(path.parent, outside), classes, names)
    for number, line in enumerate(_lines(path, given), 1):
        reading.problems += [Problem(message, _at(given, number)) for message in reading.take(number, line)]
    if reading.problems:
        raise DataError(capped(reading.problems))
    if not reading.samples:
        raise DataError(f"the list {given!r} names no image ({printable(str(path))})")
    return Samples(names or _numbered(given, reading.samples), reading.samples)


def read_classes(given: str) -> tuple[str, ...]:
    """The class names of a file with one a line: its first line names label 0."""
    text = "\n".join(_lines(existing(given, "file"), given)).rstrip()
    names = [line.strip() for line in text.split("\n")] if text else []
    first: dict[str, int] = {}
    problems = [] if names else [Problem("names no class", printable(given))]
    for number, name in enumerate(names, 1):
        if not name:
            problems.append(Problem("an empty line where the name of a class belongs", _at(given, number)))
        elif name in first:
            problems.append(Problem(f"the class {name!r} is named on line {first[name]} too", _at(given, number)))
        first.setdefault(name, number)
    if problems:
        raise DataError(capped(problems))
    return tuple(map(printable, names))


def _numbered(given: str, samples: list[Sample]) -> tuple[str, ...]:
    """Class names '0', '1', ... where no file names them; then no label may be missing below the highest."""
    used = {sample.label for sample in samples}
    if max(used) + 1 > len(used):
        gap = next(label for label in range(len(used) + 1) if label not in used)
        raise DataError(
            Problem(f"labels go up to {max(used)}, but no image has label {gap}; use 0, 1, 2, ...", printable(given))
        )
    return tuple(str(label) for label in sorted(used))


class _ListReading:
    """The samples and the problems found so far in one list."""

    def __init__(self, paths: _Paths, classes: str | None, names: tuple[str, ...] | None):
        self.paths, self.classes, self.names = paths, classes, names
        self.samples: list[Sample] = []
        self.problems: list[Problem] = []

    def take(self, number: int, line: str) -> Iterator[str]:
        """Read one line; yield what is wrong with it."""
        name, _, written = line.rpartition("\t") if "\t" in line else _split_last(line)
        name, written = name.strip(), written.strip()
        if not name and not written:
            return
        if not name:
            yield f"expected 'path<TAB>label', got {line.strip()!r}"
        elif re.fullmatch("[0-9]{1,9}", written) is None:
            yield f"the label {written!r} is not a whole number from 0 on"
        else:
            yield from self._check_label(int(written))
            yield from self._add(number, _normal(name), int(written))

    def _check_label(self, label: int) -> Iterator[str]:
        if self.names is not None and label >= len(self.names):
            yield f"label {label} has no name: {self.classes} names the labels 0 to {len(self.names) - 1}"

    def _add(self, number: int, name: str, label: int) -> Iterator[str]:
        wrong = self.paths.wrong(number, name, {"label": str(label)})
        if wrong:
            yield wrong
        else:
            self.samples.append(Sample(printable(name), label, self.paths.folder / name))


def _split_last(line: str) -> tuple[str, str, str]:
    """A line without a tab, parted at its last whitespace; no path where there is none."""
    parts = line.rsplit(None, 1)
    return (parts[0], " ", parts[1]) if len(parts) == 2 else ("", "", line)


# --- a table


def read_table(given: str, outside: bool = False) -> Samples:
    """A table with a header; see `ablation.data.sources.CsvFile`."""
    path = existing(given, "file")
    text = _text(path, given)
    at, header, delimiter = _read_header(text, given)
    reading = _TableReading(given, _Paths(path.parent, outside), header)
    for number, row in _rows(text, delimiter):
        if number > at:
            reading.problems += [Problem(message, _at(given, number)) for message in reading.take(number, row)]
    problems = reading.problems or reading.whole()
    if problems:
        raise DataError(capped(problems))
    if not reading.rows:
        raise DataError(f"the table {given!r} names no image ({printable(str(path))})")
    classes = {name: label for label, name in enumerate(_in_order({row.label for row in reading.rows}))}
    samples = [
        Sample(printable(row.name), classes[row.label], path.parent / row.name, part=row.part, group=row.group)
        for row in reading.rows
    ]
    return Samples(tuple(map(printable, classes)), samples)


def table_delimiter(text: str) -> str | None:
    """The comma, semicolon or tab that parts a header with the columns `path` and `label`; None if none does."""
    for delimiter in _DELIMITERS:
        _, header = next(_rows(text, delimiter), (0, ""))
        if not isinstance(header, str) and {"path", "label"} <= {name.lower() for name in header}:
            return delimiter
    return None


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """The line on which each row begins, and its values without the space around them; of a broken row what is wrong.

    Rows without a value are passed over. What comes after a broken row cannot be told, so it is the last.
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
    """The header's line, the columns that it names, and what parts them. Raises DataError if it lacks a column."""
    delimiter = table_delimiter(text) or max(_DELIMITERS, key=text.partition("\n")[0].count)
    number, header = next(_rows(text, delimiter), (1, "an empty table"))
    if isinstance(header, str):
        raise DataError(Problem(f"{header}; the first line must name the columns path and label", _at(given, number)))
    header = [name.lower() if name.lower() in _COLUMNS else name for name in header]
    there = ", ".join(map(repr, header))
    problems = [
        f"no column is called {name!r}; the first line names {there}{did_you_mean(name, header)}"
        for name in ("path", "label")
        if name not in header
    ]
    problems += [f"two columns are called {name!r}" for name in _COLUMNS if header.count(name) > 1]
    if problems:
        raise DataError(Problem(problem, _at(given, number)) for problem in problems)
    return number, header, delimiter


class _Row(NamedTuple):
    number: int
    name: str
    label: str
    part: str
    group: str


class _TableReading:
    """The rows and the problems found so far in one table."""

    def __init__(self, given: str, paths: _Paths, header: Sequence[str]):
        self.given, self.paths, self.header = given, paths, header
        self.rows: list[_Row] = []
        self.problems: list[Problem] = []

    def take(self, number: int, values: list[str] | str) -> Iterator[str]:
        """Take one row in; yield what is wrong with it."""
        if isinstance(values, str):
            yield values
        elif len(values) != len(self.header):
            yield f"expected {len(self.header)} values ({', '.join(self.header)}), got {len(values)}"
        else:
            told = dict(zip(self.header, values, strict=True))
            part = PART_OF.get(told.get("split", "").lower(), "")
            wrong = list(self._wrong(number, told, part))
            yield from wrong
            if not wrong:
                name = _normal(told["path"])
                self.rows.append(_Row(number, name, told["label"], part, told.get("group", "")))

    def _wrong(self, number: int, told: Mapping[str, str], part: str) -> Iterator[str]:
        if told.get("split") and not part:
            yield f"the split {told['split']!r} is none of {', '.join(PARTS)}{did_you_mean(told['split'], PART_OF)}"
        yield from (f"the row has no {name}" for name in ("path", "label") if not told[name])
        if told["path"]:
            said = {"label": repr(told["label"])} | ({"split": repr(part)} if "split" in told else {})
            wrong = self.paths.wrong(number, _normal(told["path"]), said)
            yield from [wrong] if wrong else []

    def whole(self) -> list[Problem]:
        """What is wrong with the rows taken together."""
        return [*self._without_part(), *self._same_numbers()] or self._uneven()

    def _without_part(self) -> Iterator[Problem]:
        named = next((row for row in self.rows if row.part), None)
        for row in self.rows if named else ():
            if named and not row.part:
                told = f"the row has no split, and the row on line {named.number} is in {named.part}"
                yield Problem(f"{told}; name it for every image or for none", _at(self.given, row.number))

    def _same_numbers(self) -> Iterator[Problem]:
        labels = {row.label: row.number for row in reversed(self.rows)}
        if not all(map(_WHOLE.fullmatch, labels)):
            return
        first: dict[int, str] = {}
        for label in sorted(labels, key=lambda label: labels[label]):
            other = first.setdefault(int(label), label)
            if other != label:
                told = f"the label {label!r} is the same number as {other!r} on line {labels[other]}; write both alike"
                yield Problem(told, _at(self.given, labels[label]))

    def _uneven(self) -> list[Problem]:
        places: dict[str, dict[str, str]] = {}
        for row in self.rows:
            if row.part:
                places.setdefault(row.label, {}).setdefault(row.part, _at(self.given, row.number))
        return uneven_classes(places)


def _in_order(names: Collection[str]) -> list[str]:
    """By their value if all are whole numbers, else as text."""
    return sorted(names, key=int) if all(map(_WHOLE.fullmatch, names)) else sorted(names)
