"""A run that was altered after training: every command names it, and none uses it or trains over it."""

import shutil

import forged
import pytest
from commands import ablation
from test_verify import run_folder, words

HOW = "Restore the file, or remove the run's folder and `ablation run` trains it again"


@pytest.fixture
def project(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    forged.edit_accuracy_and_digest(run_folder(folder))
    return folder


def test_status_names_it_and_what_to_do(project):
    code, out, _ = ablation(project, "status", "small")
    assert code == 0
    assert f"{run_folder(project).name} crop · sgd · seed 1: record.json is not what training left" in words(out)
    assert "5 of 6 runs done" in out
    assert f"1 run altered after training, in no mean and no test. {HOW}." in words(out)
    assert "to train the rest" not in out


def test_run_leaves_it_with_an_alarm_and_trains_it_once_its_folder_is_gone(project):
    folder = run_folder(project)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, err = ablation(project, "run", "small", "--no-tracking")
    assert code == 1
    assert "nothing to train: 5 of 6 runs finished, 1 altered and left out" in words(out)
    assert f"Run “crop · sgd · seed 1” ({folder.name}) was altered after its training" in words(err)
    assert HOW in words(err)
    assert "did not finish" not in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    shutil.rmtree(folder)
    code, _, err = ablation(project, "run", "small", "--no-tracking", "-j", "1")
    assert (code, "altered" in err) == (0, False)
    assert ablation(project, "verify", "small").code == 0


@pytest.mark.parametrize(
    "command",
    [("compare", "small"), ("plan", "small"), ("report", "small", "--section", "effects", "--out", "reports/small")],
)
def test_other_commands_do_without_it(project, command):
    code, out, err = ablation(project, *command)
    assert code == 0
    if command[0] == "plan":
        assert "6 runs of 12 epochs in all, 5 finished" in out
    elif command[0] == "compare":
        assert "was altered after its training" in words(err)
        assert "0.999" not in out
    else:
        page = (project / "reports" / "small" / "report.html").read_text("utf-8")
        assert "was altered after its training" in words(page)
