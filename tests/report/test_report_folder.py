"""The folder of a report: what is in it, when it is made anew, and that nothing else in it is touched."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from ablation.core.errors import InputError
from ablation.evidence.study import Study
from ablation.report.render.evidence import evidence_data, own_digest, remove_report, report_is_current, written
from ablation.report.render.write import default_folder, write_folder, write_report

ONLY = ("effects", "pictures")


@pytest.fixture(scope="module")
def study(complete) -> Study:
    return Study(complete)


@pytest.fixture(scope="module")
def made(study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "fake"
    assert write_report(study, out=folder, pdf=False, only=ONLY) == folder
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "fake"))


def held(folder: Path) -> dict:
    return json.loads((folder / "evidence.json").read_text("utf-8"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def test_everything_in_the_folder_is_named_in_its_evidence(made):
    found = files(made)
    assert set(found) == {"evidence.json", *held(made)["files"]}
    assert {"report.html", "tables/effects.csv", "tables/effects.tex", "tables/effects.md"} < set(found)
    assert {"figures/effects-1.svg", "tables/effects-1.csv"} < set(found)
    assert any(name.startswith("figures/pictures-1-") for name in found), "rows of photographs"
    assert written({name: found[name] for name in held(made)["files"]}) == held(made)["files"]


def test_evidence_has_the_effects_with_all_digits_and_every_run(made, study):
    own = held(made)["experiments"]["fake"]
    assert [effect["estimate"] for effect in own["effects"] if effect["estimate"] is not None] == [
        effect.estimate for effect in study.effects if effect.estimate == effect.estimate
    ]
    assert set(own["runs"]) == set(study.records)
    for run_id, run in own["runs"].items():
        assert run["metrics"] == study.records[run_id].metrics
    assert set(held(made)["sections"]) == set(ONLY)


def test_a_report_of_the_same_inputs_is_left_as_it_is(folder, study):
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    assert not write_folder([study], folder, pdf=False, only=ONLY).fresh
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    assert write_folder([study], folder, pdf=False, only=ONLY, force=True).fresh


@pytest.mark.parametrize("name", ["report.html", "tables/effects.csv", "figures/effects-1.svg", "evidence.json"])
@pytest.mark.parametrize("change", ["edited", "removed"])
def test_a_report_of_which_a_file_was_changed_is_made_anew_and_is_the_same(folder, made, study, name, change):
    if change == "edited":
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"none", b"nine", 1)[:-1])
    else:
        (folder / name).unlink()
    assert write_folder([study], folder, pdf=False, only=ONLY).fresh
    assert files(folder) == files(made), "byte for byte"


def test_other_sections_make_another_report_and_files_of_before_go(folder, study):
    (folder / "notes.txt").write_text("mine")
    assert write_folder([study], folder, pdf=False, only=("effects",)).fresh
    found = files(folder)
    assert "notes.txt" in found, "nothing but a report's own files is removed"
    assert not any("pictures" in name for name in found)


def test_a_file_that_edited_evidence_names_is_not_removed(folder):
    precious = folder.parent / "precious.txt"
    precious.write_text("mine")
    evidence = held(folder)
    evidence["files"]["../precious.txt"] = "0"
    (folder / "evidence.json").write_text(json.dumps(evidence))
    remove_report(folder)
    assert precious.read_text() == "mine"


def test_a_file_that_evidence_names_with_a_digest_that_fits_is_not_removed_either(folder):
    """Anybody can compute the evidence's digest. No name leads out of the folder, and no link in it does."""
    precious = folder.parent / "precious"
    precious.mkdir()
    (precious / "mine.txt").write_text("mine")
    (folder / "linked").symlink_to(precious)
    for name in ("../precious/mine.txt", str(precious / "mine.txt"), "linked/mine.txt", "tables"):
        evidence = held(folder)
        evidence["files"] = {name: hashlib.sha256(b"mine").hexdigest()}
        del evidence["digest"]
        evidence = {"digest": own_digest(evidence)} | evidence
        (folder / "evidence.json").write_text(json.dumps(evidence))
        before = (folder / "evidence.json").read_bytes()
        assert not report_is_current(folder, evidence["inputs"], [])
        remove_report(folder)
        assert (precious / "mine.txt").read_text() == "mine"
        (folder / "evidence.json").write_bytes(before)


DAMAGED = ("", "[]", "{", "1", '{"digest": ""}', '{"inputs": ""}', '{"inputs": "", "files": {}}')


@pytest.mark.parametrize("text", DAMAGED)
def test_evidence_that_cannot_be_read_is_no_report(folder, text):
    (folder / "evidence.json").write_text(text)
    assert not report_is_current(folder, "", [])
    remove_report(folder)
    assert (folder / "report.html").exists(), "what is not named is left"


def test_a_section_that_is_not_there_is_an_error_that_names_them(study, tmp_path):
    with pytest.raises(InputError, match=r"no section 'effect'.*effects"):
        write_folder([study], tmp_path, only=("effect",))
    assert not list(tmp_path.iterdir())


def test_a_section_that_the_experiment_does_not_have_is_an_error_too(study, tmp_path):
    with pytest.raises(InputError, match="fake has no section 'dose_response': its grid does not ask"):
        write_folder([study], tmp_path, only=("effects", "dose_response"))
    assert not list(tmp_path.iterdir())


def test_evidence_has_no_mark_of_a_name_and_no_nan(made, study):
    text = (made / "evidence.json").read_text("utf-8")
    assert "\u2068" not in text
    assert "NaN" not in text
    assert "Infinity" not in text


def test_reports_of_several_experiments_stand_beside_each_other(build, fake, tmp_path):
    studies = [Study(fake(build(name=name), tmp_path / name)) for name in ("one", "two")]
    assert default_folder(*studies) == Path("reports/one+two")
    made = write_folder(studies, tmp_path / "both", pdf=False)
    assert made.fresh
    assert not write_folder(studies, tmp_path / "both", pdf=False).fresh
    found = held(tmp_path / "both")
    assert list(found["experiments"]) == ["one", "two"]
    assert list(found["sections"]) == ["several", "effects-one", "effects-two"]
    assert (tmp_path / "both" / "tables" / "effects-two.csv").exists()
    page = (tmp_path / "both" / "report.html").read_text("utf-8")
    assert "No test is made across experiments" in page
    assert "\u2068" not in page


def test_what_verify_recomputes_is_what_was_written(made, study):
    from ablation.report.contents import report_of

    data = json.loads(json.dumps(evidence_data([study], report_of(study, only=ONLY))))
    assert {name: held(made)[name] for name in data} == data
