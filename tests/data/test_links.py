"""Links in the data: what leads out of its folder is refused, as '../' is; what stays inside is read, loops end."""

from pathlib import Path

import numpy as np
import pytest
from faults import record_fault
from PIL import Image

from ablation.core.errors import DataError
from ablation.data import CsvFile, ImageFolder, ListFile, SkipBad, Subset, listing


def draw(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.Philox(number)).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three pictures; beside the folder one that is nobody's business."""
    for number in range(6):
        draw(tmp_path / "photos" / "ab"[number % 2] / f"{number}.png", number)
    draw(tmp_path / "private" / "deep" / "secret.png", 99)
    return tmp_path / "photos"


@pytest.fixture
def private(folder: Path) -> Path:
    return folder.parent / "private"


def problems(source) -> list[str]:
    with pytest.raises(DataError) as raised:
        source.samples()
    return [str(problem) for problem in raised.value.problems]


def link(where: Path, to: Path) -> Path:
    where.symlink_to(to)
    return where


def test_a_linked_file_folder_or_class_that_leads_out_is_refused(folder, private):
    secret = private / "deep" / "secret.png"
    links = {
        link(folder / "a" / "file.png", secret): secret,
        link(folder / "a" / "relative.png", Path("../../private/deep/secret.png")): secret,
        link(folder / "b" / "deep", private / "deep"): private / "deep",
        link(folder / "c", private): private,
    }
    told = problems(ImageFolder(str(folder)))
    assert sorted(told) == sorted(
        f"{path}: a link that leads out of the data (to {target}); outside=True allows it"
        for path, target in links.items()
    )
    _, samples = ImageFolder(str(folder), outside=True).samples()
    names = {sample.name for sample in samples}
    assert {"a/file.png", "a/relative.png", "b/deep/secret.png", "c/deep/secret.png"} < names
    assert len(names) == 10
    record_fault(
        "safety",
        "a link in the data that leads out of it: a file, a folder, a class",
        len(links),
        "refused; outside=True allows it",
        f"{len(told)} refused, 4 allowed",
    )


def test_a_part_that_is_a_link_out_of_the_data_is_refused_once(folder, tmp_path):
    parted = tmp_path / "parted"
    parted.mkdir()
    link(parted / "train", folder)
    for number in range(2):
        draw(parted / "test" / "ab"[number] / "0.png", number)
    allowed = "outside=True allows it"
    assert problems(ImageFolder(str(parted))) == [
        f"{parted / 'train'}: a link that leads out of the data (to {folder}); {allowed}"
    ]
    assert len(ImageFolder(str(parted), outside=True).samples().samples) == 8


def test_what_wraps_a_source_refuses_as_it_does(folder, private, tmp_path):
    link(folder / "a" / "file.png", private / "deep" / "secret.png")
    for source in (SkipBad(ImageFolder(str(folder))), Subset(ImageFolder(str(folder)), 1)):
        with pytest.raises(DataError, match="leads out of the data"):
            listing(source, tmp_path / "cache")


def test_a_link_at_the_end_of_links_is_followed_to_its_end(folder, private):
    """Each of them lies in the data; the last one leads out."""
    link(folder / "a" / "third.png", private / "deep" / "secret.png")
    link(folder / "a" / "second.png", folder / "a" / "third.png")
    link(folder / "b" / "first.png", folder / "a" / "second.png")
    told = problems(ImageFolder(str(folder)))
    assert len(told) == 3
    assert all(f"(to {private / 'deep' / 'secret.png'})" in one for one in told)


def test_a_folder_whose_name_begins_alike_is_outside(folder, tmp_path):
    link(folder / "a" / "more", draw(tmp_path / "photos2" / "x.png").parent)
    assert "leads out of the data" in problems(ImageFolder(str(folder)))[0]


def test_a_data_folder_that_is_itself_a_link_is_read_and_its_bounds_are_where_it_leads(folder, private, tmp_path):
    root = link(tmp_path / "elsewhere", folder)
    assert len(ImageFolder(str(root)).samples().samples) == 6
    link(folder / "a" / "inside.png", folder / "b" / "1.png")
    link(folder / "a" / "through.png", root / "b" / "3.png")
    assert len(ImageFolder(str(root)).samples().samples) == 8
    link(folder / "a" / "out.png", private / "deep" / "secret.png")
    assert len(problems(ImageFolder(str(root)))) == 1


def test_links_in_a_circle_end_with_an_error_that_names_them(folder, tmp_path):
    link(folder / "a" / "x.png", folder / "a" / "y.png")
    link(folder / "a" / "y.png", folder / "a" / "x.png")
    link(folder / "b" / "z.png", folder / "b" / "z.png")
    with pytest.raises(DataError) as raised:
        listing(ImageFolder(str(folder)), tmp_path / "cache")
    told = [str(problem) for problem in raised.value.problems][:3]
    assert told == [
        f"{path}: cannot be read: Too many levels of symbolic links"
        for path in (folder / "a" / "x.png", folder / "a" / "y.png", folder / "b" / "z.png")
    ]
    record_fault("safety", "links to files in a circle", 3, "an error that names each", told[0].partition(": ")[2])


# --- lists and tables


def written(folder: Path, *lines: str) -> ListFile:
    (folder / "list.txt").write_text("\n".join(lines) + "\n")
    return ListFile(str(folder / "list.txt"))


def test_a_list_and_a_table_refuse_links_out_of_their_folder_with_the_line(folder, private):
    secret = private / "deep" / "secret.png"
    link(folder / "a" / "file.png", secret)
    link(folder / "linked", private / "deep")
    told = problems(written(folder, "a/0.png\t0", "b/1.png\t1", "a/file.png\t0", "linked/secret.png\t1"))
    assert told == [
        f"{folder}/list.txt:{number}: '{name}' is a link that leads out of the list's folder (to {secret}); "
        "outside=True allows it"
        for number, name in ((3, "a/file.png"), (4, "linked/secret.png"))
    ]
    assert len(ListFile(str(folder / "list.txt"), outside=True).samples().samples) == 4
    (folder / "table.csv").write_text("path,label\na/0.png,x\nb/1.png,y\nlinked/secret.png,x\n")
    (wrong,) = problems(CsvFile(str(folder / "table.csv")))
    assert f"table.csv:4: 'linked/secret.png' is a link that leads out of the list's folder (to {secret})" in wrong
    assert len(CsvFile(str(folder / "table.csv"), outside=True).samples().samples) == 3
    record_fault(
        "safety",
        "a list or a table that names a link out of its folder",
        3,
        "refused, with its line",
        f"{len(told) + 1} refused",
    )


def test_links_that_stay_in_the_folder_of_a_list_are_read(folder, tmp_path):
    link(folder / "a" / "same.png", folder / "b" / "1.png")
    link(folder / "c", folder / "b")
    source = written(folder, "a/0.png\t0", "a/same.png\t1", "c/3.png\t1")
    assert len(source.samples().samples) == 3
    beside = link(tmp_path / "other", folder)
    assert len(ListFile(str(beside / "list.txt")).samples().samples) == 3
