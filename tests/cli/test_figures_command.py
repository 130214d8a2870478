"""`ablation figures`: each figure of the report in three forms; nothing that was not its own is replaced."""

import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import ablation
from PIL import Image
from pypdf import PdfReader

from ablation import InputError, Study, write_report


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Path:
    return shutil.copytree(finished.folder, tmp_path_factory.mktemp("figures") / "project")


@pytest.fixture(scope="module")
def drawn(project) -> tuple[Path, str]:
    """Every figure, and what was printed; not to be changed."""
    code, out, err = ablation(project, "figures", "small", "--out", "drawn")
    assert (code, err) == (0, "")
    return project / "drawn", out


@pytest.fixture
def folder(drawn, tmp_path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(drawn[0], tmp_path / "copy")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_figure_is_there_in_three_forms(drawn):
    folder, out = drawn
    stems = {path.stem for path in folder.glob("*.svg")}
    assert {"effects-1", "split_analysis-1", "learning_curves-1", "embedding-1"} <= stems
    count = len(stems)
    printed = rf"wrote {len(names(folder)) - 1} files to drawn: .*{count} SVG.*{count} (PNG|PDF)"
    assert re.search(printed, " ".join(out.split()))
    for stem in stems:
        assert (folder / f"{stem}.svg").read_bytes().startswith(b"<?xml")
        assert len(PdfReader(folder / f"{stem}.pdf").pages) == 1
        with Image.open(folder / f"{stem}.png") as picture:
            assert min(picture.size) > 100


def test_they_are_those_of_the_report(drawn, finished, tmp_path):
    report = write_report(
        Study(finished.results), out=tmp_path / "report", pdf=False, only=["effects", "learning_curves"]
    )
    for name in ("effects-1", "learning_curves-1"):
        for kind in ("svg", "pdf", "png"):
            assert (drawn[0] / f"{name}.{kind}").read_bytes() == (report / "figures" / f"{name}.{kind}").read_bytes()


def test_the_usual_folder_is_beside_the_report(project):
    assert ablation(project, "figures", "small", "--section", "effects")[0] == 0
    assert names(project / "reports" / "small-figures") == {
        "effects-1.svg", "effects-1.png", "effects-1.pdf", "figures.json"
    }  # fmt: skip


def test_what_it_wrote_is_written_anew_and_the_rest_stays(project, folder):
    before = (folder / "effects-1.svg").read_bytes()
    (folder / "notes.txt").write_text("mine")
    (folder / "effects-1.png").unlink()
    code, _, err = ablation(project, "figures", "small", "--section", "effects", "--out", str(folder))
    assert (code, err) == (0, "")
    assert (folder / "effects-1.svg").read_bytes() == before
    assert (folder / "effects-1.png").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "learning_curves-1.svg").exists()
    assert set(json.loads((folder / "figures.json").read_text())) == names(folder) - {"figures.json", "notes.txt"}


@pytest.mark.parametrize("kind", ["changed", "of somebody else", "a link", "without a list", "a folder"])
def test_no_other_file_is_replaced(project, folder, tmp_path, kind):
    file, kept = folder / "effects-1.svg", "drawn by hand"
    if kind == "a folder":
        file.unlink()
        file.mkdir()
    elif kind == "a link":
        target = tmp_path / "target.svg"
        shutil.move(file, target)
        file.symlink_to(target)
        kept = target.read_text()
    elif kind == "without a list":
        (folder / "figures.json").unlink()
        kept = file.read_text()
    else:
        file.write_text(kept)
    if kind == "of somebody else":
        held = json.loads((folder / "figures.json").read_text())
        (folder / "figures.json").write_text(json.dumps({name: held[name] for name in held if name != file.name}))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    code, out, err = ablation(project, "figures", "small", "--section", "effects", "--out", str(folder))
    assert (code, out) == (2, "")
    assert "effects-1.svg: it was not written by `ablation figures`, or was changed since" in " ".join(err.split())
    assert "choose another --out" in " ".join(err.split())
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    if file.is_file():
        assert file.read_text() == kept
    assert ablation(project, "figures", "small", "--section", "effects", "--out", str(tmp_path / "another"))[0] == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"../../x.svg": "0"}',
        '{"effects-1.svg": 3}',
        "null",
        '{"effects-1.svg": [3]}',
        '{"effects-1.svg": [[]]}',
    ],
)
def test_a_list_that_is_none_names_nothing(project, tmp_path, content):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "figures.json").write_text(content)
    outside = tmp_path / "x.svg"
    outside.write_text("mine")
    assert ablation(project, "figures", "small", "--section", "effects", "--out", str(folder))[0] == 0
    assert outside.read_text() == "mine"
    assert set(json.loads((folder / "figures.json").read_text())) == {"effects-1.svg", "effects-1.png", "effects-1.pdf"}


def test_figures_that_are_no_more_go_with_the_next_that_are_all(finished, folder):
    from ablation.report.render.figure_folder import write_figures

    write_figures({"effects-1.svg": b"new"}, folder)
    assert names(folder) == {"effects-1.svg", "figures.json"}
    (folder / "effects-2.svg").write_text("mine")
    write_figures({"effects-3.svg": b"new"}, folder)
    assert names(folder) == {"effects-3.svg", "effects-2.svg", "figures.json"}


@pytest.mark.parametrize("after", [False, True], ids=["before it is there", "after it"])
@pytest.mark.parametrize("stopped", range(1, 6))
def test_interrupted_at_any_file_it_knows_its_own_the_next_time(tmp_path, monkeypatch, stopped, after):
    """The list, three files, the list; of three from before one is no more, one is the same, one is another."""
    from ablation.report.render import figure_folder

    whole, calls = figure_folder.atomic, []

    @contextmanager
    def stopping(*arguments):
        calls.append(arguments)
        if len(calls) == stopped and not after:
            raise KeyboardInterrupt
        with whole(*arguments) as file:
            yield file
        if len(calls) == stopped:
            raise KeyboardInterrupt

    def write(text: bytes) -> None:
        figure_folder.write_figures({"a-1.svg": text, "b-1.svg": b"same", "d-1.svg": text}, tmp_path)

    figure_folder.write_figures({"a-1.svg": b"old", "b-1.svg": b"same", "c-1.svg": b"gone"}, tmp_path)
    for text in (b"new", b"newer"):
        calls.clear()
        monkeypatch.setattr(figure_folder, "atomic", stopping)
        with pytest.raises(KeyboardInterrupt):
            write(text)
    monkeypatch.setattr(figure_folder, "atomic", whole)
    write(b"last")
    assert names(tmp_path) == {"a-1.svg", "b-1.svg", "d-1.svg", "figures.json"}
    assert (tmp_path / "a-1.svg").read_bytes() == (tmp_path / "d-1.svg").read_bytes() == b"last"
    assert all(isinstance(digest, str) for digest in json.loads((tmp_path / "figures.json").read_text()).values())
    (tmp_path / "a-1.svg").write_text("mine")
    with pytest.raises(InputError, match="was changed since"):
        write(b"last")


def test_mistakes_and_what_would_be_written(project, tmp_path):
    code, _, err = ablation(project, "figures", "small", "--section", "efects")
    assert code == 2
    assert "there is no section 'efects'; did you mean 'effects'?" in " ".join(err.split())
    code, _, err = ablation(project, "figures", "small", "--section", "reproduce", "--out", str(tmp_path / "none"))
    assert code == 2
    assert "small has no figure in these sections" in " ".join(err.split())
    code, _, err = ablation(project, "figures", "small", "--section", "interaction")
    assert code == 2
    assert "small has no section 'interaction'" in " ".join(err.split())
    code, out, _ = ablation(project, "figures", "small", "--dry-run", "--out", str(tmp_path / "dry"))
    assert code == 0
    assert "would write the figures of all sections" in " ".join(out.split())
    assert list(tmp_path.iterdir()) == []
