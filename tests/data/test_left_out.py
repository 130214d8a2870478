"""Files that cannot be used: told all at once, or left out, and then told wherever results are."""

import os
import threading
from pathlib import Path

import pytest
from drawn import three_classes

from ablation.core.errors import DataError, InputError
from ablation.data import ImageFolder, SkipBad, Subset, listing
from ablation.data.contents import _digest_of_bad
from ablation.data.files import Sample

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "photos")


def problems(source, cache: Path) -> list[str]:
    with pytest.raises(DataError) as error:
        listing(source, cache)
    return str(error.value).splitlines()


@pytest.fixture
def spoilt(folder: Path) -> Path:
    """14 files more, none of which is a picture."""
    for number in range(12):
        (folder / "tabby" / f"bad{number:02}.jpg").write_text(f"picture {number}")
    (folder / "black" / "empty.png").touch()
    (folder / "black" / "gone.png").symlink_to(folder / "nowhere.png")
    return folder


def test_all_bad_files_are_told_at_once_the_first_ten_in_full(spoilt, tmp_path):
    told = problems(ImageFolder(str(spoilt)), tmp_path / "cache")
    assert told == [
        f"{spoilt / 'black' / 'empty.png'}: cannot be decoded: the file is empty",
        f"{spoilt / 'black' / 'gone.png'}: cannot be read: No such file or directory",
        *(f"{spoilt / 'tabby' / f'bad{n:02}.jpg'}: cannot be decoded: a text, not an image" for n in range(8)),
        "... and 4 more",
        "14 of the files cannot be used: mend or remove them, or leave them out: "
        f"data=SkipBad(ImageFolder(path={str(spoilt)!r})); `ablation check` shows all",
    ]


def test_bad_files_are_left_out_and_told_when_that_is_asked(spoilt, tmp_path):
    found = listing(SkipBad(ImageFolder(str(spoilt))), tmp_path / "cache")
    assert len(found.names) == 12
    assert len(found.left_out) == 14
    assert str(found.left_out[0]) == f"{spoilt / 'black' / 'empty.png'}: cannot be decoded: the file is empty"
    assert not set(found.names) & {f"tabby/bad{number:02}.jpg" for number in range(12)}
    part = listing(Subset(SkipBad(ImageFolder(str(spoilt))), per_class=2), tmp_path / "cache")
    assert (len(part.names), part.left_out) == (6, found.left_out)


def test_what_is_left_out_changes_the_digest_by_content_and_by_name_only_where_there_is_none(folder, tmp_path):
    def digest() -> str:
        return listing(SkipBad(ImageFolder(str(folder))), tmp_path / "cache").digest

    nothing = digest()
    assert nothing == listing(ImageFolder(str(folder)), tmp_path / "cache").digest
    bad = folder / "tabby" / "bad.jpg"
    bad.write_text("one")
    one = digest()
    bad.rename(folder / "tabby" / "renamed.jpg")
    renamed = digest()
    (folder / "tabby" / "renamed.jpg").write_text("two")
    two = digest()
    (folder / "tabby" / "more.jpg").write_text("three")
    three = digest()
    (folder / "tabby" / "gone").symlink_to(tmp_path / "nowhere")
    gone = digest()
    (folder / "tabby" / "gone").rename(folder / "tabby" / "away")
    assert renamed == one
    assert len({nothing, one, two, three, gone, digest()}) == 6


def test_a_pipe_that_is_left_out_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    digests: list[str] = []
    thread = threading.Thread(target=lambda: digests.append(_digest_of_bad(Sample("a/pipe", 0, tmp_path / "pipe"))))
    thread.daemon = True
    thread.start()
    thread.join(10)
    assert len(digests) == 1


def test_a_class_of_which_nothing_can_be_used_is_told(folder, tmp_path):
    for path in (folder / "calico").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:100])
    assert problems(SkipBad(ImageFolder(str(folder))), tmp_path / "cache") == [
        f"SkipBad(source=ImageFolder(path={str(folder)!r})): class 1 (calico) has no image that can be used"
    ]
    assert "4 of the files cannot be used" in problems(ImageFolder(str(folder)), tmp_path / "cache")[-1]


def test_skipping_goes_inside_a_subset(folder, tmp_path):
    with pytest.raises(InputError, match=r"write Subset\(SkipBad\(\.\.\.\), per_class=\.\.\.\)"):
        listing(SkipBad(Subset(ImageFolder(str(folder)), 2)), tmp_path / "cache")
