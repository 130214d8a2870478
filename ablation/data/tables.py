"""Photographs that a table names: CSV with a header, parted by commas, semicolons or tabs.

Names and labels only; no image is opened here. All mistakes in a table are collected before any is reported. What looks
like a table where a list belongs, or like one with other columns, is told how it is read.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ablation.core.errors import DataError, Problem, did_you_mean
from ablation.data.files import PART_OF, PARTS, Sample, Samples, capped, existing, printable, uneven_classes
from ablation.data.named import NamedFiles, at, normal, text_of

_DELIMITERS = (",", ";", "\t")
_WHOLE = re.compile("-?[0-9]{1,18}")
_VALUE = re.compile(r"^-?[0-9.]+$|\.\w{2,4}$")
"""A number or a file's name: no name of a column."""

_ALSO_CALLED = {
    "path": ("filename", "file_name", "file", "filepath", "file_path", "image", "image_path", "img", "img_path"),
    "label": ("class", "class_name", "category", "target", "labels", "y", "species", "breed", "diagnosis"),
}
"""What people call the columns that must be there, in small letters."""


class Columns(NamedTuple):
    """The names of the columns; those of `split` and `group` may be missing."""

    path: str = "path"
    label: str = "label"
    split: str = "split"
    group: str = "group"


COLUMNS = Columns()


class _Row(NamedTuple):
    number: int
    name: str
    label: str
    part: str
    group: str


class _Header(NamedTuple):
    line: int
    names: list[str]
    indices: dict[str, int]
    """Of `path`, `label` and whichever other column there is: its index among the names."""
    delimiter: str


def read_table(given: str, outside: bool = False, columns: Columns = COLUMNS) -> Samples:
    """Read a table with a header; see `ablation.data.sources.CsvFile`."""
    path = existing(given, "file")
    text = text_of(path, given)
    header = _read_header(text, given, path.parent, columns)
    files = NamedFiles(path.parent, outside)
    rows: list[_Row] = []
    problems: list[Problem] = []
    for number, values in _rows(text, header.delimiter):
        if number <= header.line:
            continue
        row: dict[str, str] = {}
        if isinstance(values, str):
            wrong = [values]
        elif len(values) != len(header.names):
            wrong = [f"expected {len(header.names)} values ({', '.join(header.names)}), got {len(values)}"]
        else:
            row = {column: values[index] for column, index in header.indices.items()}
            wrong = list(_wrong_row(number, row, files))
        problems += [at(given, number, message) for message in wrong]
        if not wrong:
            rows.append(_Row(number, normal(row["path"]), row["label"], _part(row), row.get("group", "")))
    problems = problems or _without_part(given, rows) + _same_numbers(given, rows) or _uneven(given, rows)
    if problems:
        raise DataError(capped(problems))
    if not rows:
        raise DataError(f"the table {given!r} names no image ({printable(str(path))})")
    classes = {name: label for label, name in enumerate(_in_order({row.label for row in rows}))}
    samples = [
        Sample(printable(row.name), classes[row.label], files.path(row.name), part=row.part, group=row.group)
        for row in rows
    ]
    return Samples(tuple(map(printable, classes)), samples)


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


# --- the header


def table_delimiter(text: str, columns: Columns = COLUMNS) -> str | None:
    """Return the comma, semicolon or tab that parts a header with the columns of path and label; None if none does."""
    for delimiter in _DELIMITERS:
        _, header = next(_rows(text, delimiter), (0, ""))
        if not isinstance(header, str) and _folded(columns[:2]) <= _folded(header):
            return delimiter
    return None


def _folded(names: Collection[str]) -> set[str]:
    return {name.casefold() for name in names}


def _read_header(text: str, given: str, folder: Path, columns: Columns) -> _Header:
    """Return the header. Raises DataError if it lacks a column, or has one twice."""
    delimiter = table_delimiter(text, columns) or max(_DELIMITERS, key=text.lstrip().partition("\n")[0].count)
    number, header = next(_rows(text, delimiter), (1, "an empty table"))
    if isinstance(header, str):
        needed = f"the first line must name the columns {columns.path} and {columns.label}"
        raise DataError(at(given, number, f"{header}; {needed}"))
    matches = {
        column: [index for index, name in enumerate(header) if name.casefold() == called.casefold()]
        for column, called in columns._asdict().items()
    }
    missing = [column for column, indices in matches.items() if not indices and _is_needed(column, columns)]
    problems = _lacking(missing, header, text, delimiter, folder, columns)
    problems += [
        f"two columns are called {called!r}"
        for called, indices in zip(columns, matches.values(), strict=True)
        if indices[1:]
    ]
    if problems:
        raise DataError(at(given, number, problem) for problem in problems)
    return _Header(number, header, {column: indices[0] for column, indices in matches.items() if indices}, delimiter)


def _is_needed(column: str, columns: Columns) -> bool:
    """Whether there must be such a column: that of path and of label, and any whose name was given."""
    return column in COLUMNS[:2] or getattr(columns, column) != column


def _lacking(
    missing: Sequence[str], header: list[str], text: str, delimiter: str, folder: Path, columns: Columns
) -> list[str]:
    """Return what is said of each column that is missing, and how another is named in its stead."""
    named = ", ".join(map(repr, header))
    if set(COLUMNS[:2]) <= set(missing) and columns == COLUMNS and _names_a_file(header, folder):
        written = f"path{_shown(delimiter)}label"
        return [f"the first line is a row ({named}), and the columns have no names; write {written} above it"]
    likely = _likely(header, text, delimiter, folder)
    problems = []
    for column in missing:
        called = getattr(columns, column)
        close = did_you_mean(called, header)
        meant = likely.get(column) or (close.split("'")[1] if close else "")
        advice = f"did you mean {column}_column={meant!r}?" if meant else f"name another one by {column}_column=..."
        problems.append(f"no column is called {called!r}; the first line names {named}; {advice}")
    return problems


def _likely(header: list[str], text: str, delimiter: str, folder: Path) -> dict[str, str]:
    """Return the columns that seem to hold paths and labels: a file's name in the first row, or what people call them.

    Of two columns, the other one is that of the labels.
    """
    first = next((row for _, row in islice(_rows(text, delimiter), 1, 2) if not isinstance(row, str)), [])
    columns = {
        column: name for column, names in _ALSO_CALLED.items() for name in reversed(header) if name.casefold() in names
    }
    of_files = [name for name, value in zip(header, first, strict=False) if _is_file(value, folder)]
    columns |= {"path": of_files[0]} if of_files else {}
    others = [name for name in header if name != columns.get("path")]
    if "path" in columns and len(others) == 1:
        columns["label"] = others[0]
    return columns


def _shown(delimiter: str) -> str:
    return "<TAB>" if delimiter == "\t" else delimiter


def _names_a_file(values: Sequence[str], folder: Path) -> bool:
    return any(_is_file(value, folder) for value in values)


def _is_file(value: str, folder: Path) -> bool:
    return bool(value) and os.path.isfile(folder / value)


def as_table(given: str, text: str, folder: Path, numbered: bool) -> Problem | None:
    """Return how a file is read that was given as a list, and seems to be a table; None where it seems to be none.

    numbered: whether some of its lines are those of a list, so that it is enough to take the header away.
    """
    for delimiter in _DELIMITERS:
        rows = list(islice(_rows(text, delimiter), 2))
        (number, first), (_, second) = (*rows, (1, ""), (1, ""))[:2]
        if isinstance(first, str) or len(first) < 2:
            continue
        written = f"path{_shown(delimiter)}label"
        of_a_list = delimiter == "\t" and _WHOLE.fullmatch(first[-1])
        if _names_a_file(first, folder) and not numbered and not of_a_list:
            return at(
                given,
                number,
                f"expected 'path<TAB>label' with a label of 0, 1, 2, ..., got {', '.join(map(repr, first))}; with a "
                f"first line {written} it is a table, which CsvFile({given!r}) reads",
            )
        is_header = table_delimiter(text) == delimiter or (
            not any(map(_VALUE.search, first)) and not isinstance(second, str) and _names_a_file(second, folder)
        )
        if is_header:
            what = f"the first line names columns ({', '.join(first)})"
            remove = "remove it, or read it as a table" if numbered else "it is a table, and no list; read it"
            return at(
                given, number, f"{what}: {remove} by CsvFile({_arguments(given, first, text, delimiter, folder)})"
            )
    return None


def _arguments(given: str, header: list[str], text: str, delimiter: str, folder: Path) -> str:
    """Return what CsvFile takes to read a table with this header."""
    if _folded(COLUMNS[:2]) <= _folded(header):
        return repr(given)
    likely = _likely(header, text, delimiter, folder)
    named = (f"{column}_column={likely[column]!r}" if column in likely else "" for column in COLUMNS[:2])
    there = [text if text else f"{column}_column=..." for column, text in zip(COLUMNS[:2], named, strict=True)]
    return ", ".join([repr(given), *there])


# --- the rows


def _wrong_row(number: int, row: Mapping[str, str], files: NamedFiles) -> Iterator[str]:
    """Yield what is wrong with one row of as many values as there are columns."""
    split = row.get("split", "")
    part = _part(row)
    if split and not part:
        yield f"the split {split!r} is none of {', '.join(PARTS)}{did_you_mean(split, PART_OF)}"
    yield from (f"the row has no {name}" for name in ("path", "label") if not row[name])
    if row["path"]:
        shown = {"label": repr(row["label"])} | ({"split": repr(part)} if "split" in row else {})
        yield from files.wrong(number, normal(row["path"]), shown)


def _part(row: Mapping[str, str]) -> str:
    return PART_OF.get(row.get("split", "").lower(), "")


def _without_part(given: str, rows: Sequence[_Row]) -> list[Problem]:
    """Return a problem for each row without a split where others have one."""
    named = next((row for row in rows if row.part), None)
    if named is None:
        return []
    but = f"and the row on line {named.number} is in {named.part}; name it for every image or for none"
    return [at(given, row.number, f"the row has no split, {but}") for row in rows if not row.part]


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
            problems.append(at(given, lines[label], wrong))
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
