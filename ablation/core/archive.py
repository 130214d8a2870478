"""Archives: a zip that is the same bytes for the same files, and one that is read only where it is safe.

Files are stored as they are, not compressed: what a pack holds is compressed already, the bytes depend on no library's
version, and nothing can grow when it is unpacked. Every entry has one date and one mode, and names are sorted. Knows
nothing of what the files are.
"""

from __future__ import annotations

import filecmp
import re
import shutil
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ablation.core.errors import DataError, Problem
from ablation.core.files import Damaged, atomic, undamaged

Contents = Mapping[str, bytes | Path]
"""Name with '/' -> content, or the file that has it."""

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+ -]*/)*[A-Za-z0-9_][A-Za-z0-9_.+ -]*")
_MOST_NAME = 240  # characters, so that folders of any system can hold it
MOST_FILES = 500_000


def write_zip(target: Path, contents: Contents) -> None:
    """Write the files whole or not at all. Raises ValueError for a name that `unpacked` would refuse."""
    with atomic(target) as file, ZipFile(file, "w", ZIP_STORED) as archive:
        for name in sorted(contents):
            if not is_safe(name):
                raise ValueError(f"{name!r} is no name for a file in an archive")
            content = contents[name]
            info = _entry(name, len(content) if isinstance(content, bytes) else content.stat().st_size)
            with archive.open(info, "w") as into:
                if isinstance(content, bytes):
                    into.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, into, 1 << 20)


def _entry(name: str, size: int) -> ZipInfo:
    info = ZipInfo(name, _DATE)
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    info.file_size = size  # which says beforehand whether its header needs room for 64 bits
    return info


def is_safe(name: str) -> bool:
    """Does it name a file within a folder, on any system?

    >>> is_safe("runs/a/record.json"), is_safe("../record.json"), is_safe("/etc/passwd"), is_safe("a//b")
    (True, False, False, False)
    """
    return len(name) <= _MOST_NAME and _NAME.fullmatch(name) is not None


def unpack(path: Path, folder: Path) -> tuple[str, ...]:
    """Write the files of a zip into an empty folder, and return their names, sorted.

    Refuses, before anything is written, whatever `write_zip` does not make: other names, compressed or encrypted
    entries, links, entries that share bytes, or more files than `MOST_FILES`. Raises DataError for these and for a
    damaged one.
    """
    try:
        with undamaged(), ZipFile(path) as archive:
            problems = list(_unsafe(archive.infolist(), path.stat().st_size))
            if not problems:
                for info in archive.infolist():
                    _extract(archive, info, folder / info.filename)
                return tuple(sorted(archive.namelist()))
    except Damaged as error:
        raise DataError(f"{path} is damaged or no zip ({error}); get it anew") from error
    raise DataError(Problem(problem, str(path)) for problem in problems[:10])


def _unsafe(entries: list[ZipInfo], size: int) -> Iterator[str]:
    """Why it is not unpacked, a sentence each. size: of the zip's file."""
    if len(entries) > MOST_FILES:
        yield f"it has {len(entries):,} files, and at most {MOST_FILES:,} are unpacked"
        return
    if sum(info.file_size for info in entries) > size:
        yield "its files are larger together than itself"
    twice = {name for name, times in Counter(info.filename.lower() for info in entries).items() if times > 1}
    for info in entries:
        if not is_safe(info.filename):
            yield f"{info.filename!r} is no name for a file within a folder"
        elif info.filename.lower() in twice:
            yield f"{info.filename} is there twice"
        elif info.compress_type != ZIP_STORED or info.compress_size != info.file_size:
            yield f"{info.filename} is compressed; unpack it yourself, and give the folder"
        elif info.flag_bits & 0x1:
            yield f"{info.filename} is encrypted"
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            yield f"{info.filename} is a link, or no file at all"


def _extract(archive: ZipFile, info: ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, path.open("xb") as into:
        shutil.copyfileobj(source, into, 1 << 20)  # zipfile holds the content to its checksum at the end


def is_as_written(path: Path, folder: Path, names: tuple[str, ...]) -> bool:
    """Is the zip, to the last byte, what `write_zip` makes of these files of the folder?"""
    with TemporaryDirectory() as temporary:
        again = Path(temporary) / "again.zip"
        write_zip(again, {name: folder / name for name in names})
        return filecmp.cmp(path, again, shallow=False)
