"""Two experiment files with one name= would share a folder of runs, and be judged by what the other declared."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from commands import ablation

from ablation.core.errors import InputError
from ablation.experiment.files import read
from ablation.experiment.preregistration import preregister, preregistered, refuse_of_another


@pytest.fixture
def project(finished, tmp_path, monkeypatch) -> Path:
    """The finished project, with a copy of its experiment file that is judged otherwise and forgot its name."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    text = (folder / "experiments" / "small.py").read_text()
    (folder / "experiments" / "again.py").write_text(text.replace("seeds=3", "seeds=3, alpha=0.1"))
    monkeypatch.chdir(folder)
    return folder


def test_the_declaration_holds_the_file_by_its_path_from_the_runs(project):
    (entry,) = preregistered(project / "runs" / "small")
    assert entry.file == "../../experiments/small.py"
    assert str(project) not in (project / "runs" / "small" / "declared.jsonl").read_text()


def test_run_refuses_the_second_and_its_advice_works(project):
    before = (project / "runs" / "small" / "declared.jsonl").read_bytes()
    code, _, err = ablation(project, "run", "experiments/again.py")
    assert code == 2
    assert (
        "experiments/again.py and experiments/small.py are both called 'small', and runs/small has the runs of the "
        "latter: give one of them another name=, for a folder of its own"
    ) in " ".join(err.split())
    assert (project / "runs" / "small" / "declared.jsonl").read_bytes() == before
    assert ablation(project, "run", "small", "--only", "seed=0", "--dry-run").code == 0
    file = project / "experiments" / "again.py"
    file.write_text(file.read_text().replace('name="small"', 'name="again"'))
    refuse_of_another(read(file).experiment, project / "runs" / "again")
    refuse_of_another(read(project / "experiments" / "small.py").experiment, project / "runs" / "small")


@pytest.mark.parametrize("then", ["gone", "renamed", "another name"])
def test_a_file_that_is_gone_or_called_otherwise_by_now_stands_in_no_way(project, then):
    first, second = (project / "experiments" / f"{name}.py" for name in ("small", "again"))
    experiment = read(second).experiment
    with pytest.raises(InputError):
        refuse_of_another(experiment, project / "runs" / "small")
    if then == "gone":
        first.unlink()
    elif then == "renamed":
        first.rename(first.with_name("old.py"))
    else:
        first.write_text(first.read_text().replace('name="small"', 'name="other"'))
    refuse_of_another(experiment, project / "runs" / "small")
    preregister(experiment, experiment.cells("0" * 16), project / "runs" / "small")
    assert preregistered(project / "runs" / "small")[-1].file == "../../experiments/again.py"


def test_a_project_that_was_moved_is_the_same_file(project, tmp_path, monkeypatch):
    moved = project.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    refuse_of_another(read(moved / "experiments" / "small.py").experiment, moved / "runs" / "small")


@pytest.mark.parametrize("recorded", [True, False], ids=["file recorded", "by an older version"])
def test_compare_names_the_other_file(project, tmp_path, recorded):
    if not recorded:  # it held no file
        written = read(project / "experiments" / "small.py").experiment
        preregister(replace(written, file=""), written.cells("0" * 16), tmp_path / "old")
        assert "small.py" not in (tmp_path / "old" / "declared.jsonl").read_text()
        shutil.copy(tmp_path / "old" / "declared.jsonl", project / "runs" / "small" / "declared.jsonl")
    code, out, err = ablation(project, "compare", "experiments/again.py")
    assert code == 0, err
    said = " ".join((out + err).split())
    assert "alpha 0.05, now 0.1" in said
    assert "experiments/small.py has the same name: give one of the two another" in said
    (project / "experiments" / "again.py").unlink()
    code, out, err = ablation(project, "compare", "experiments/small.py")
    assert "has the same name" not in out + err


def test_one_experiment_under_two_paths_is_one(project, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(project)
    refuse_of_another(read(link / "experiments" / "small.py").experiment, project / "runs" / "small")
