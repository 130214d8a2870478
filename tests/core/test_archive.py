"""A zip is the same bytes for the same files, is read back whole, and could do no harm."""

import io
import shutil
import stat
import struct
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest

from ablation.core.archive import is_as_written, is_safe, unpack, write_zip
from ablation.core.errors import DataError

FILES = {"b/c.txt": b"two", "a.txt": b"one", "b/empty": b""}


@pytest.fixture
def packed(tmp_path):
    write_zip(tmp_path / "p.zip", FILES)
    return tmp_path / "p.zip"


def test_the_same_files_give_the_same_bytes_in_any_order_and_from_disk(packed, tmp_path):
    (tmp_path / "c.txt").write_bytes(b"two")
    write_zip(tmp_path / "q.zip", {"b/empty": b"", "b/c.txt": tmp_path / "c.txt", "a.txt": b"one"})
    assert (tmp_path / "q.zip").read_bytes() == packed.read_bytes()


def test_any_other_program_reads_it(packed, tmp_path):
    shutil.unpack_archive(packed, tmp_path / "other")
    assert {
        path.relative_to(tmp_path / "other").as_posix(): path.read_bytes()
        for path in (tmp_path / "other").rglob("*")
        if path.is_file()
    } == FILES


def test_it_comes_back(packed, tmp_path):
    assert unpack(packed, tmp_path / "out") == tuple(sorted(FILES))
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    assert is_as_written(packed, tmp_path / "out", tuple(sorted(FILES)))


def test_every_byte_counts(packed, tmp_path):
    """Whichever is changed: it is refused, or not as it was written, or gives other files, which digests tell."""
    whole = packed.read_bytes()
    for position in range(len(whole)):
        packed.write_bytes(whole[:position] + bytes([whole[position] ^ 0x01]) + whole[position + 1 :])
        out = tmp_path / f"out{position}"
        try:
            names = unpack(packed, out)
        except DataError:
            continue
        assert names != tuple(sorted(FILES)) or not is_as_written(packed, out, names), position
    for end in range(0, len(whole), 7):
        packed.write_bytes(whole[:end])
        with pytest.raises(DataError, match="is damaged or no zip"):
            unpack(packed, tmp_path / f"short{end}")


NAMES = (
    "../x",
    "/etc/x",
    "a/../../x",
    "C:x",
    "a\\..\\x",
    ".ssh/x",
    "a//x",
    "a/./x",
    "",
    "a/",
    "x\n",
    "~/x",
    "é",
    "a\x1b[2J",
    "a\tb",
    "a\x07",
    "a\x9bb",
    "gpj\u202e.txt",
    "a\u200b",
    "=cmd",
    "-rf",
    "a" * 241,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leaves_the_folder_is_refused_before_anything_is_written(tmp_path, name):
    assert not is_safe(name)
    with pytest.raises(ValueError, match="is no name for a file in an archive"):
        write_zip(tmp_path / "p.zip", {name: b""})
    with ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("a.txt", b"one")
        archive.writestr(ZipInfo(name or "/"), b"")
    with pytest.raises(DataError):
        unpack(tmp_path / "p.zip", tmp_path / "in" / "out")
    assert not (tmp_path / "in").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.zip"]


def refused(path, tmp_path):
    with pytest.raises(DataError) as raised:
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    return str(raised.value)


def test_bombs_links_and_doubles_are_refused(tmp_path):
    path = tmp_path / "p.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    assert "zeros is compressed" in refused(path, tmp_path)
    with ZipFile(path, "w") as archive:
        link = ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "link is a link" in refused(path, tmp_path)
    with ZipFile(path, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("A", b"2")
    assert "is there twice" in refused(path, tmp_path)
    (tmp_path / "text.zip").write_text("no zip")
    assert "is damaged or no zip" in refused(tmp_path / "text.zip", tmp_path)


def test_entries_that_share_bytes_are_refused(tmp_path):
    """As in the bombs of D. Fifield (2019), where thousands of entries are one content."""
    content, count = bytes(100_000), 30
    local = io.BytesIO()
    with ZipFile(local, "w", ZIP_STORED) as archive:
        archive.writestr("f0", content)
        info = archive.infolist()[0]
    start = local.getvalue()[: local.getvalue().rfind(b"PK\x01\x02")]
    central = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, info.CRC, len(content), len(content),
                    len(f"f{n}"), 0, 0, 0, 0, 0, 0) + f"f{n}".encode()
        for n in range(count)
    )  # fmt: skip
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(central), len(start), 0)
    (tmp_path / "p.zip").write_bytes(start + central + end)
    assert "its files are larger together than itself" in refused(tmp_path / "p.zip", tmp_path)
