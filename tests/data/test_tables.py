"""Tables: what they give, and every mistake in them, told with its line."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation.core.errors import DataError
from ablation.data.sources import CsvFile, ListFile


def draw(path: Path, number: int = 0) -> None:
    """A small picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.Philox(number)).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


def write_table(folder: Path, *lines: str, name: str = "t.csv", images: Sequence[str] = "abcdef") -> CsvFile:
    """A table of these lines, beside the images a.png, b.png, ..."""
    for image in images:
        (folder / f"{image}.png").write_bytes(image.encode())
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return CsvFile(str(folder / name))


def problems(source: ListFile | CsvFile) -> list[str]:
    with pytest.raises(DataError) as error:
        source.samples()
    return str(error.value).splitlines()


def labels_of(source: ListFile | CsvFile) -> dict[str, str]:
    classes, samples = source.samples()
    return {sample.name: classes[sample.label] for sample in samples}


def test_a_table_has_columns_in_any_order_and_others_beside_them(tmp_path):
    source = write_table(
        tmp_path,
        "label,seen by,Path, group ,split",
        "tabby,me,a.png,Tom,train",
        "calico,,./b.png,,Training",
        ",,,,",
        "",
        'calico,"you, too",c.png,Mimi,TEST',
        'tabby, "me, too", d.png, Tom, testing',
    )
    classes, samples = source.samples()
    assert classes == ("calico", "tabby")
    assert [sample[:2] + sample[3:] for sample in samples] == [
        ("a.png", 1, "", "train", "Tom"),
        ("b.png", 0, "", "train", ""),
        ("c.png", 0, "", "test", "Mimi"),
        ("d.png", 1, "", "test", "Tom"),
    ]
    assert all(sample.origin == tmp_path / sample.name for sample in samples)


def test_a_table_needs_no_more_than_paths_and_labels(tmp_path):
    classes, samples = write_table(tmp_path, "path,label", "a.png,猫 🐈", 'b.png,"two\nlines"').samples()
    assert classes == (r"two\nlines", "猫 🐈")
    assert {(sample.part, sample.group) for sample in samples} == {("", "")}
    _, unsplit = write_table(tmp_path, "path,label,split,group", "a.png,x,,", "b.png,y,,").samples()
    assert {(sample.part, sample.group) for sample in unsplit} == {("", "")}


def test_labels_that_are_numbers_stand_in_the_order_of_numbers(tmp_path):
    rows = ("path,label", "a.png,10", "b.png,9", "c.png,100", "d.png,-1")
    assert write_table(tmp_path, *rows).samples().classes == ("-1", "9", "10", "100")
    assert labels_of(write_table(tmp_path, *rows)) == {"a.png": "10", "b.png": "9", "c.png": "100", "d.png": "-1"}
    assert write_table(tmp_path, *rows, "e.png,tabby").samples().classes == ("-1", "10", "100", "9", "tabby")
    source = write_table(tmp_path, *rows, "e.png,0010", "f.png,10")
    assert problems(source) == [
        f"{source.path}:6: the label '0010' is the same number as '10' on line 2; write both alike"
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_are_read_where_the_header_has_them(tmp_path, delimiter):
    rows = (("path", "label", "note"), ("a.png", "tabby, grey", "x,y,z,z"), ("b.png", "calico", ""))
    source = write_table(tmp_path, *(delimiter.join(row) for row in rows))
    assert labels_of(source) == {"a.png": "tabby, grey", "b.png": "calico"}


def test_a_table_may_begin_with_a_byte_order_mark_and_end_its_lines_as_it_likes(tmp_path):
    write_table(tmp_path)
    for end in ("\n", "\r\n", "\r"):
        text = end.join(("", "path,label", "a.png,x", "", "b.png,y", "gone.png,y"))
        (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
        told = problems(CsvFile(str(tmp_path / "t.csv")))
        assert told == [f"{tmp_path / 't.csv'}:6: there is no image 'gone.png' in {tmp_path}"]


def test_every_mistake_in_a_table_is_told_at_once_with_its_line(tmp_path):
    source = write_table(
        tmp_path,
        "path,label,split",
        "a.png,tabby,train",
        "b.png,tabby",
        '"c\nd.png",tabby,train',
        "c.png,tabby,tets",
        ",tabby,train",
        "d.png,,val",
        "../x.png,tabby,val",
        "/x.png,tabby,val",
        "./a.png,tabby,train",
        "a.png,calico,train",
        "a.png,calico,val",
    )
    path = source.path
    assert problems(source) == [
        f"{path}:3: expected 3 values (path, label, split), got 2",
        f"{path}:4: there is no image 'c\\nd.png' in {tmp_path}",
        f"{path}:6: the split 'tets' is none of train, val, test; did you mean 'test'?",
        f"{path}:7: the row has no path",
        f"{path}:8: the row has no label",
        f"{path}:9: '../x.png' points outside the list's folder; outside=True allows it",
        f"{path}:10: '/x.png' is an absolute path, not one relative to the list's folder; outside=True allows it",
        f"{path}:11: 'a.png' is listed on line 2 already",
        f"{path}:12: 'a.png' is listed on line 2 already, with label 'calico' here and label 'tabby' there",
        f"{path}:13: 'a.png' is listed on line 2 already, with label 'calico' here and label 'tabby' there, with split "
        "'val' here and split 'train' there",
    ]


def test_a_table_may_point_outside_its_folder_if_allowed(tmp_path):
    (tmp_path / "in").mkdir()
    draw(tmp_path / "x.png")
    write_table(tmp_path / "in", "path,label", "a.png,x", "../x.png,y")
    _, samples = CsvFile(str(tmp_path / "in" / "t.csv"), outside=True).samples()
    assert [sample.name for sample in samples] == ["a.png", "../x.png"]


def test_a_split_is_named_for_every_image_or_for_none(tmp_path):
    source = write_table(tmp_path, "path,label,split", "a.png,x,", "b.png,x,val", "c.png,y,")
    assert problems(source) == [
        f"{source.path}:{line}: the row has no split, and the row on line 3 is in val; name it for every image or for "
        "none"
        for line in (2, 4)
    ]


def test_every_part_of_a_table_has_the_same_classes(tmp_path):
    rows = ("a.png,x,train", "b.png,x,test", "c.png,y,test", "d.png,z,validation", "e.png,z,train")
    source = write_table(tmp_path, "path,label,split", *rows)
    assert problems(source) == [
        f"{source.path}:2: class 'x' is in train and test only; train, val and test must have the same classes",
        f"{source.path}:4: class 'y' is in test only; train, val and test must have the same classes",
        f"{source.path}:5: class 'z' is in train and val only; train, val and test must have the same classes",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: an empty table; the first line must name the columns path and label"),
        ("\n\n", "1: an empty table; the first line must name the columns path and label"),
        (
            "\nfile,label\n",
            "2: no column is called 'path'; the first line names 'file', 'label'; did you mean path_column='file'?",
        ),
        (
            "path;lable\n",
            "1: no column is called 'label'; the first line names 'path', 'lable'; did you mean label_column='lable'?",
        ),
        ("path,label,split,Split\n", "1: two columns are called 'split'"),
        (
            "a.png 3\n",
            "1: no column is called 'path'; the first line names 'a.png 3'; name another one by path_column=...\n"
            "1: no column is called 'label'; the first line names 'a.png 3'; name another one by label_column=...",
        ),
        (
            '"path,label\na.png,x\n',
            "1: a row that cannot be read, perhaps for a quote without its partner: unexpected end of data; the first "
            "line must name the columns path and label",
        ),
        (
            'path,label\n\n"a\n.png",x\n"b.png,y\nc.png,z\n',
            "3: there is no image 'a\\n.png' in {folder}\n"
            "5: a row that cannot be read, perhaps for a quote without its partner: unexpected end of data",
        ),
        (
            'path,label\n"a"b.png,x\n',
            "2: a row that cannot be read, perhaps for a quote without its partner: ',' expected after '\"'",
        ),
    ],
)
def test_a_table_that_is_none(tmp_path, text, told):
    path = tmp_path / "t.csv"
    path.write_text(text)
    expected = [f"{path}:{line}".replace("{folder}", str(tmp_path)) for line in told.splitlines()]
    assert problems(CsvFile(str(path))) == expected


def test_tables_that_are_missing_or_empty_or_not_text(tmp_path):
    path = tmp_path / "t.csv"
    assert problems(CsvFile(str(path))) == [f"there is no file {str(path)!r} ({path})"]
    path.write_text("path,label\n\n,\n")
    assert problems(CsvFile(str(path))) == [f"the table {str(path)!r} names no image ({path})"]
    path.write_bytes("path,label\n".encode("utf-16"))
    assert problems(CsvFile(str(path))) == [f"{path}: not UTF-8 text (byte 0); save it as UTF-8"]
    path.write_text("path,label\n" + "".join(f"{number}.png,x\n" for number in range(37)))
    assert problems(CsvFile(str(path)))[-1] == "... and 27 more"


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=6),
    st.permutations(["path", "label", "group", "note"]),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
)
@example([("two\r\nlines", "a\rb")], ["group", "note", "label", "path"], ",", "\n")
def test_any_text_that_the_csv_module_writes_is_read_back(tmp_path_factory, rows, columns, delimiter, end):
    folder = tmp_path_factory.mktemp("table")
    rows = [(label, group) for label, group in rows if label.strip()]
    with (folder / "t.csv").open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for number, (label, group) in enumerate(rows):
            (folder / f"{number}.png").write_bytes(b"")
            writer.writerow({"path": f"{number}.png", "label": label, "group": group, "note": group})
    if not rows:
        return
    wanted = sorted({label.strip() for label, _ in rows})
    _, samples = CsvFile(str(folder / "t.csv")).samples()
    assert [sample.group for sample in samples] == [group.strip() for _, group in rows]
    for one, (label, _) in zip(samples, rows, strict=True):
        for other, (another, _) in zip(samples, rows, strict=True):
            assert (one.label == other.label) == (label.strip() == another.strip())
    assert len({sample.label for sample in samples}) == len(wanted)
