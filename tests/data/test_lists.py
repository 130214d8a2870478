"""Lists: what they give, and every mistake in them, told with its line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablation.core.errors import DataError
from ablation.data.sources import CsvFile, ListFile


def draw(path: Path, number: int = 0) -> None:
    """A small picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.Philox(number)).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


def write_list(folder: Path, *lines: str, classes: str | None = "tabby\ncalico\nblack\n") -> ListFile:
    (folder / "list.txt").write_text("".join(f"{line}\n" for line in lines))
    if classes is not None:
        (folder / "classes.txt").write_text(classes)
    return ListFile(str(folder / "list.txt"), None if classes is None else str(folder / "classes.txt"))


def problems(source: ListFile | CsvFile) -> list[str]:
    with pytest.raises(DataError) as error:
        source.samples()
    return str(error.value).splitlines()


def test_a_list_may_use_tabs_or_spaces_blank_lines_and_a_byte_order_mark(tmp_path):
    for name in ("a.png", "my cat.png", "tab cat.png", "d/e.png", "猫 🐈.png"):
        draw(tmp_path / name)
    lines = ("\ufeffa.png\t0", "my cat.png   1", "", "  ", "tab cat.png\t2 ", "./d/e.png 0\r", "猫 🐈.png\t1")
    classes, samples = write_list(tmp_path, *lines).samples()
    assert classes == ("tabby", "calico", "black")
    assert {sample.name: sample.label for sample in samples} == {
        **{"a.png": 0, "my cat.png": 1, "tab cat.png": 2, "d/e.png": 0, "猫 🐈.png": 1}
    }
    assert all(sample.origin == tmp_path / sample.name for sample in samples)
    assert {(sample.digest, sample.part, sample.group) for sample in samples} == {("", "", "")}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_a_list_may_end_in_any_way(tmp_path, end):
    draw(tmp_path / "0.png")
    (tmp_path / "list.txt").write_bytes(end.join(("0.png\t0", "", "gone.png\t0")).encode())
    told = problems(ListFile(str(tmp_path / "list.txt")))
    assert told == [f"{tmp_path / 'list.txt'}:3: there is no image 'gone.png' in {tmp_path}"]


def test_without_class_names_classes_are_numbers_without_a_gap(tmp_path):
    for number in range(3):
        draw(tmp_path / f"{number}.png", number)
    assert write_list(tmp_path, "0.png 0", "1.png 1", classes=None).samples().classes == ("0", "1")
    told = problems(write_list(tmp_path, "0.png 0", "1.png 2", "2.png 99999999", classes=None))
    assert told == [f"{tmp_path / 'list.txt'}: labels go up to 99999999, but no image has label 1; use 0, 1, 2, ..."]


def test_every_mistake_in_a_list_is_told_at_once_with_its_line(tmp_path):
    for number in range(3):
        draw(tmp_path / "l" / f"{number}.png", number)
    draw(tmp_path / "outside.png", 9)
    source = write_list(
        tmp_path / "l",
        "0.png\t0",
        "1.png\tone",
        "nolabel.png",
        "gone.png\t7",
        "2.png\t-1",
        "../outside.png\t1",
        f"{tmp_path}/outside.png\t1",
        "./0.png\t0",
        "0.png\t2",
    )
    path = source.path
    assert problems(source) == [
        f"{path}:2: the label 'one' is not a whole number from 0 on",
        f"{path}:3: expected 'path<TAB>label', got 'nolabel.png'",
        f"{path}:4: label 7 has no name: {source.classes} names the labels 0 to 2",
        f"{path}:4: there is no image 'gone.png' in {tmp_path / 'l'}",
        f"{path}:5: the label '-1' is not a whole number from 0 on",
        f"{path}:6: '../outside.png' points outside the list's folder; outside=True allows it",
        f"{path}:7: '{tmp_path}/outside.png' is an absolute path, not one relative to the list's folder; outside=True "
        "allows it",
        f"{path}:8: '0.png' is listed on line 1 already",
        f"{path}:9: '0.png' is listed on line 1 already, with label 2 here and label 0 there",
    ]


def test_paths_outside_the_folder_can_be_allowed_and_are_one_however_written(tmp_path):
    for name in ("l/0.png", "outside.png", "far.png"):
        draw(tmp_path / name)
    inside = tmp_path / "l"
    write_list(inside, "0.png\t0", "../outside.png\t1", f"{tmp_path}/far.png\t0")
    _, samples = ListFile(str(inside / "list.txt"), outside=True).samples()
    assert [(sample.name, sample.label) for sample in samples] == [
        ("0.png", 0),
        ("../outside.png", 1),
        (f"{tmp_path}/far.png", 0),
    ]
    assert all(isinstance(sample.origin, Path) and sample.origin.is_file() for sample in samples)
    write_list(inside, "0.png\t0", "../l/0.png\t0", f"{inside}/0.png\t1", "../gone.png\t0")
    assert problems(ListFile(str(inside / "list.txt"), outside=True)) == [
        f"{inside}/list.txt:2: '../l/0.png' is listed on line 1 already",
        f"{inside}/list.txt:3: '{inside}/0.png' is listed on line 1 already, with label 1 here and label 0 there",
        f"{inside}/list.txt:4: there is no image '../gone.png' in {inside}",
    ]


def test_many_mistakes_are_capped_at_ten(tmp_path):
    told = problems(write_list(tmp_path, *(f"{number}.png\t0" for number in range(37))))
    assert len(told) == 11
    assert told[-1] == "... and 27 more"


def test_what_cannot_be_a_path_is_no_image(tmp_path):
    long = "x" * 5000
    told = problems(write_list(tmp_path, f"{long}\t0", "nul\0.png\t1"))
    assert [line.rpartition(": ")[2] for line in told] == [
        f"there is no image {long!r} in {tmp_path}",
        f"there is no image 'nul\\x00.png' in {tmp_path}",
    ]


def test_missing_and_broken_list_and_class_files(tmp_path):
    draw(tmp_path / "0.png")
    source = write_list(tmp_path, "0.png 0")
    names = tmp_path / "classes.txt"
    assert "did you mean 'list.txt'?" in problems(ListFile(str(tmp_path / "lists.txt")))[0]
    assert "there is no file" in problems(ListFile(source.path, str(tmp_path / "names.txt")))[0]
    assert "is not a file" in problems(ListFile(str(tmp_path)))[0]
    assert problems(write_list(tmp_path, "", "")) == [f"the list {source.path!r} names no image ({source.path})"]
    assert problems(write_list(tmp_path, "0.png 0", classes="a\n\na\n")) == [
        f"{names}:2: an empty line where the name of a class belongs",
        f"{names}:3: the class 'a' is named on line 1 too",
    ]
    assert problems(write_list(tmp_path, "0.png 0", classes="\n")) == [f"{names}: names no class"]
    write_list(tmp_path)
    (tmp_path / "list.txt").write_bytes(b"0.png\t0\n\xff\xfe")
    assert problems(source) == [f"{source.path}: not UTF-8 text (byte 8); save it as UTF-8"]
