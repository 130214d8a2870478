"""Lists and tables of every make, whole and broken: each is read rightly, or refused with clear errors."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ablation.core.errors import AblationError
from ablation.core.seeds import stream
from ablation.data import CsvFile, ListFile
from ablation.data.files import Sample
from ablation.data.guess import source_at

NAMES = ("a.png", "in/b c.png", "caf\u00e9.png", "\u732b.png", "d'e.png", "f,g.png")
LABELS = (("0", "1"), ("tabby", "calico"), ("r\u00e9tro", "\u732b"), ("-1", "07"), ("a;b", 'say "a"'))
HEADERS = ("", "path,label", "label,path", "Path,Label", "filename,class", "path,label,split", "id,path,label", "path")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "gbk", "utf-7")
DELIMITERS = ("\t", ",", ";", " ", "|", "  ", ":")
ENDS = ("\n", "\r\n", "\r", "\n\n", "\n \n", "\x85", "\u2028")


class Variant(NamedTuple):
    content: bytes
    is_list: bool
    """Whether it is a list as `ListFile` describes it; and a table as `CsvFile` does."""
    is_table: bool
    labels: dict[str, str]


def encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "replace")


def written(rows: Sequence[Sequence[str]], delimiter: str, end: str, quoting: int) -> str:
    if len(delimiter) > 1 or quoting < 0:
        return end.join(delimiter.join(row) for row in rows)
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="", quoting=quoting)
    for row in rows:
        writer.writerow(row)
        file.write(end)  # Python 3.13 writes no line end itself that has the delimiter in it
    return file.getvalue()


def variant(number: int) -> Variant:
    """The list or table of this number; every third is then broken in one of eight ways."""
    draw = stream(number, "lists")
    header, encoding = (
        HEADERS[draw.choice(8, p=[0.3, *[0.1] * 7])],
        ENCODINGS[draw.choice(8, p=[0.5, 0.14, *[0.06] * 6])],
    )
    delimiter, end = DELIMITERS[draw.choice(7, p=[0.4, 0.3, 0.1, *[0.05] * 4])], ENDS[draw.choice(7)]
    labels = dict(zip(NAMES, 3 * LABELS[draw.choice(5, p=[0.4, *[0.15] * 4])], strict=True))
    quoting = int(draw.choice([-1, csv.QUOTE_ALL, csv.QUOTE_MINIMAL], p=[0.5, 0.25, 0.25]))
    if number % 12 == 0:  # a list that is whole, whichever way its lines end
        header, delimiter, quoting, labels = "", "\t", -1, dict(zip(NAMES, 3 * LABELS[0], strict=True))
    columns = header.split(",") if header else ["path", "label"]
    held = [{"path": name, "filename": name, "label": label, "class": label} for name, label in labels.items()]
    rows = [[one.get(column.lower(), "") for column in columns] for one in held]
    text = written([columns, *rows] if header else rows, delimiter, end, quoting)
    content = encoded(text, encoding)
    broken = number % 3 == 2
    if broken:
        content = _break(content, int(draw.integers(8)), draw)
    plain = encoding in ("utf-8", "utf-8-sig") and not broken
    is_list = plain and delimiter == "\t" and end in ENDS[:5] and not header and labels["a.png"] == "0"
    is_table = plain and delimiter in ("\t", ",", ";") and end in ENDS[:5] and quoting >= 0
    is_table = is_table and header.lower() in ("path,label", "label,path", "path,label,split", "id,path,label")
    return Variant(content, is_list and quoting < 0, is_table and labels["a.png"] != "-1", labels)


def _break(content: bytes, way: int, draw: np.random.Generator) -> bytes:
    at, other = sorted(draw.integers(len(content), size=2).tolist())
    return (
        content[:at],
        content[:at] + b'"' + content[at:],
        content[:at] + bytes([draw.integers(256)]) + content[at:],
        content[:at] + b"\0" + content[at:],
        content[at:other] * 3,
        content[:at] + b"x" * 200_000 + content[at:],
        content.replace(b"/", b"\\"),
        draw.integers(0, 256, 300, np.uint8).tobytes(),
    )[way]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("named")
    (root / "in").mkdir()
    for name in NAMES:
        (root / name).write_bytes(b"")
    return root


def labels_of(source: ListFile | CsvFile) -> dict[str, str] | str:
    """Name -> label, or what is wrong, in words."""
    try:
        classes, samples = source.samples()
    except AblationError as error:
        problems = error.problems
    else:
        return _checked(classes, samples)
    assert 1 <= len(problems) <= 11
    for problem in problems:
        assert problem.message
        assert len(problem.message) < 1000 or "x" * 900 in problem.message
    return "\n".join(map(str, problems))


def _checked(classes: Sequence[str], samples: Sequence[Sample]) -> dict[str, str]:
    assert all(isinstance(sample.origin, Path) and sample.origin.is_file() for sample in samples)
    return {sample.name: classes[sample.label] for sample in samples}


def look(folder: Path, numbers: range) -> None:
    lists = tables = refused = 0
    for number in numbers:
        made = variant(number)
        for ending in ("txt", "csv"):
            (folder / f"named.{ending}").write_bytes(made.content)
        read, of_table = (labels_of(source(str(folder / "named.txt"))) for source in (ListFile, CsvFile))
        for ending in ("txt", "csv"):
            labels_of(source_at(str(folder / f"named.{ending}")))
        if made.is_list:
            assert read == made.labels, number
        if made.is_table:
            assert of_table == made.labels, number
        lists, tables = lists + made.is_list, tables + made.is_table
        refused += isinstance(read, str) and isinstance(of_table, str)
    assert min(lists, tables) >= len(numbers) / 100
    assert refused >= len(numbers) / 4


def test_a_hundred_lists_are_read_or_refused(folder):
    look(folder, range(100))


@pytest.mark.slow
def test_five_hundred_lists_are_read_or_refused(folder):
    look(folder, range(100, 600))
