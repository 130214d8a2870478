"""Lists and tables taken for one another, columns of other names, paths of Windows, accents: each remedy works."""

import re
import unicodedata
from pathlib import Path

import pytest

from ablation.core.errors import DataError, InputError
from ablation.data import CsvFile, ListFile
from ablation.data.guess import source_at


def write(folder: Path, text: str, name: str = "list.txt", images: str = "abcd") -> str:
    """A list or table of this text beside images, of which nothing but the names is looked at."""
    for image in images:
        (folder / f"{image}.png").write_bytes(b"")
    (folder / name).write_text(text)
    return str(folder / name)


def message(source: ListFile | CsvFile) -> str:
    with pytest.raises(DataError) as error:
        source.samples()
    return str(error.value)


def remedy(text: str) -> CsvFile:
    """The source that an error advises, made of its own words."""
    found = re.search(r"CsvFile\(.*?\)", text)
    assert found is not None, text
    return eval(found[0], {"CsvFile": CsvFile})


def classes_of(source: ListFile | CsvFile) -> dict[str, str]:
    classes, samples = source.samples()
    return {sample.name: classes[sample.label] for sample in samples}


TABBIES = {"a.png": "tabby", "b.png": "calico"}


@pytest.mark.parametrize(
    ("header", "delimiter", "arguments"),
    [
        ("path,label", ",", ""),
        ("Label;Path", ";", ""),
        ("filename\tclass", "\t", ", path_column='filename', label_column='class'"),
        ("breed,img", ",", ", path_column='img', label_column='breed'"),
        ("number,file,breed,age", ",", ", path_column='file', label_column='breed'"),
    ],
)
def test_a_list_with_a_header_is_told_how_it_is_read(tmp_path, header, delimiter, arguments):
    values = {"path": "{0}", "label": "{1}", "filename": "{0}", "class": "{1}", "breed": "{1}", "img": "{0}"}
    values |= {"file": "{0}", "number": "1", "age": "3"}
    row = delimiter.join(values[name.lower()] for name in header.split(delimiter))
    path = write(tmp_path, "\n".join([header, *(row.format(*item) for item in TABBIES.items())]))
    found = message(ListFile(path))
    shown = ", ".join(header.split(delimiter))
    advice = f"it is a table, and no list; read it by CsvFile({path!r}{arguments})"
    assert found == f"{path}:1: the first line names columns ({shown}): {advice}"
    assert classes_of(remedy(found)) == TABBIES


@pytest.mark.parametrize(("delimiter", "written"), [(",", ","), ("\t", "<TAB>"), (";", ";")])
def test_class_names_in_a_list_are_told_how_they_are_read(tmp_path, delimiter, written):
    rows = "".join(f"{name}{delimiter}{label}\n" for name, label in TABBIES.items())
    path = write(tmp_path, rows)
    found = message(ListFile(path))
    assert found == (
        f"{path}:1: expected 'path<TAB>label' with a label of 0, 1, 2, ..., got 'a.png', 'tabby'; with a first line "
        f"path{written}label it is a table, which CsvFile({path!r}) reads"
    )
    write(tmp_path, f"path{delimiter}label\n{rows}")
    assert classes_of(remedy(found)) == TABBIES


def test_a_header_above_a_list_of_numbers_may_go_or_stay(tmp_path):
    path = write(tmp_path, "filename\tlabel\na.png\t0\nb.png\t1\n")
    found = message(ListFile(path))
    assert found == (
        f"{path}:1: the first line names columns (filename, label): remove it, or read it as a table by "
        f"CsvFile({path!r}, path_column='filename', label_column='label')"
    )
    assert classes_of(remedy(found)) == {"a.png": "0", "b.png": "1"}
    write(tmp_path, "a.png\t0\nb.png\t1\n")
    assert classes_of(ListFile(path)) == {"a.png": "0", "b.png": "1"}


def test_a_list_with_mistakes_of_its_own_is_no_table(tmp_path):
    path = write(tmp_path, "a.png\t0\nb.png\tone\ngone.png\t1\n")
    assert message(ListFile(path)).splitlines() == [
        f"{path}:2: the label 'one' is not a whole number from 0 on",
        f"{path}:3: there is no image 'gone.png' in {tmp_path}",
    ]


def test_columns_may_have_other_names(tmp_path):
    text = "Id,Filename,class,fold,patient\n1,a.png,x,train,p\n2,b.png,y,train,\n3,c.png,x,test,p\n4,d.png,y,test,\n"
    path = write(tmp_path, text, "t.csv")
    found = message(CsvFile(path))
    assert found.splitlines() == [
        f"{path}:1: no column is called {wanted!r}; the first line names 'Id', 'Filename', 'class', 'fold', 'patient'; "
        f"did you mean {wanted}_column={meant!r}?"
        for wanted, meant in (("path", "Filename"), ("label", "class"))
    ]
    given = dict(re.findall(r"(\w+_column)='(\w+)'", found))
    _, samples = CsvFile(path, **given, split_column="fold", group_column="patient").samples()
    assert [(sample.name, sample.label, sample.part, sample.group) for sample in samples] == [
        ("a.png", 0, "train", "p"), ("b.png", 1, "train", ""), ("c.png", 0, "test", "p"), ("d.png", 1, "test", "")
    ]  # fmt: skip
    _, plain = CsvFile(path, **given).samples()
    assert {(sample.part, sample.group) for sample in plain} == {("", "")}


def test_a_column_that_was_named_must_be_there_and_hold_one_thing(tmp_path):
    path = write(tmp_path, "filename,class\na.png,x\n", "t.csv")
    assert message(CsvFile(path, path_column="filename", label_column="klass", split_column="fold")).splitlines() == [
        f"{path}:1: no column is called 'klass'; the first line names 'filename', 'class'; did you mean "
        "label_column='class'?",
        f"{path}:1: no column is called 'fold'; the first line names 'filename', 'class'; name another one by "
        "split_column=...",
    ]
    with pytest.raises(InputError, match="two of the columns are called 'Label'"):
        CsvFile(path, path_column="Label")


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_without_a_header_is_told_to_have_one(tmp_path, delimiter):
    rows = "".join(f"{name}{delimiter}{label}\n" for name, label in TABBIES.items())
    path = write(tmp_path, rows, "t.csv")
    assert message(CsvFile(path)) == (
        f"{path}:1: the first line is a row ('a.png', 'tabby'), and the columns have no names; "
        f"write path{delimiter}label above it"
    )
    write(tmp_path, f"path{delimiter}label\n{rows}", "t.csv")
    assert classes_of(CsvFile(path)) == TABBIES


def test_what_is_named_on_a_command_line_is_a_table_by_its_header(tmp_path):
    path = write(tmp_path, "path,label\na.png,x\nb.png,y\n")
    assert source_at(path) == CsvFile(path)
    other = write(tmp_path, "filename,class\na.png,x\nb.png,y\n", "other.txt")
    assert source_at(other) == ListFile(other)
    named = source_at(other, columns={"path": "filename", "label": "class"})
    assert named == CsvFile(other, path_column="filename", label_column="class")
    assert set(classes_of(named)) == {"a.png", "b.png"}
    with pytest.raises(InputError, match="is no table, so it has no columns"):
        source_at(str(tmp_path), columns={"path": "filename"})


def test_a_list_whose_every_line_is_wrong_is_a_list_all_the_same(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path, "")
    path = write(tmp_path / "in", "../a.png\t0\n../b.png\t1\n")
    assert message(ListFile(path)).splitlines() == [
        f"{path}:{line}: '../{name}.png' points outside the list's folder; outside=True allows it"
        for line, name in ((1, "a"), (2, "b"))
    ]


# --- paths


def test_paths_of_windows_get_a_hint_that_works(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    path = write(tmp_path, "in\\a.png\t0\nin\\gone.png\t1\nC:\\cats\\a.png\t1\n'b.png'\t1\n")
    assert message(ListFile(path)).splitlines() == [
        f"{path}:1: there is no image 'in\\\\a.png' in {tmp_path}; there is 'in/a.png': write / instead of \\",
        f"{path}:2: there is no image 'in\\\\gone.png' in {tmp_path}; it is written with \\, as on Windows: / is what "
        "parts folders here",
        f"{path}:3: there is no image 'C:\\\\cats\\\\a.png' in {tmp_path}; that is an absolute path of Windows: write "
        "paths relative to the list's folder, with /",
        f"{path}:4: there is no image \"'b.png'\" in {tmp_path}; there is 'b.png', without quotes",
    ]
    write(tmp_path, "in/a.png\t0\nb.png\t1\n")
    assert set(classes_of(ListFile(path))) == {"in/a.png", "b.png"}


def test_a_folder_that_is_written_as_on_windows_is_suggested_with_slashes(tmp_path, monkeypatch):
    (tmp_path / "cats" / "train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="did you mean 'cats/train'"):
        source_at("cats\\train")
    with pytest.raises(InputError, match="folders are parted by / here"):
        source_at("C:\\cats\\train")


NFC, NFD = (unicodedata.normalize(form, "a/caf\N{LATIN SMALL LETTER E WITH ACUTE}.png") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(("listed", "on_disk"), [(NFC, NFD), (NFD, NFC), (NFC, NFC)])
def test_accents_that_are_composed_otherwise_on_the_disk_are_the_same_name(tmp_path, listed, on_disk):
    (tmp_path / "a").mkdir()
    (tmp_path / on_disk).write_bytes(b"")
    path = write(tmp_path, f"{listed}\t0\nb.png\t1\n")
    _, samples = ListFile(path).samples()
    assert [sample.name for sample in samples] == [listed, "b.png"]
    assert [sample.origin for sample in samples] == [tmp_path / on_disk, tmp_path / "b.png"]
    table = write(tmp_path, f"path,label\n{listed},x\nb.png,y\n", "t.csv")
    assert [sample.origin for sample in CsvFile(table).samples()[1]] == [tmp_path / on_disk, tmp_path / "b.png"]


def test_one_file_is_one_however_its_accents_are_composed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / NFD).write_bytes(b"")
    path = write(tmp_path, f"{NFC}\t0\n{NFD}\t1\n")
    found = message(ListFile(path))
    assert found == f"{path}:2: {NFD!r} is listed on line 1 already, with label 1 here and label 0 there"


def test_names_that_look_the_same_as_several_files_are_not_guessed(tmp_path):
    composed = "\N{LATIN SMALL LETTER E WITH CIRCUMFLEX AND ACUTE}"
    half, whole = "\N{LATIN SMALL LETTER E WITH CIRCUMFLEX}\u0301", unicodedata.normalize("NFD", composed)
    for name in (half, whole):
        (tmp_path / f"{name}.png").write_bytes(b"")
    path = write(tmp_path, f"{composed}.png\t0\nb.png\t1\n")
    assert message(ListFile(path)) == (
        f"{path}:1: there is no image '{composed}.png' in {tmp_path}; 2 files there look so, with accents composed "
        "otherwise (NFC, NFD): rename all but one"
    )
    (tmp_path / f"{half}.png").unlink()
    assert ListFile(path).samples().samples[0].origin == tmp_path / f"{whole}.png"
