"""Runs and a declaration that somebody spoiled, in many ways at once: every command names them, and none falls over."""

import json
import re
import shutil
from pathlib import Path

import forged
import pytest
from commands import ablation
from faults import record_fault
from test_verify import run_folder, words

from ablation.experiment.preregistration import PREREGISTRATION_FILE
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE
from ablation.experiment.seal import JOURNAL_FILE

COMMANDS = {
    "status": (("status", "small"), 0),
    "plan": (("plan", "small"), 0),
    "compare": (("compare", "small"), 0),
    "report": (("report", "small", "--section", "effects", "--no-pdf", "--out", "reports/small"), 0),
    "verify": (("verify", "small"), 1),
    "export": (("export", "small", "--to", "pack.zip"), 0),
    "run": (("run", "small", "--no-tracking"), 1),
}
"""Each with its exit status where runs were altered."""


@pytest.fixture
def project(finished, tmp_path) -> Path:
    return shutil.copytree(finished.folder, tmp_path / "project")


def test_every_command_names_every_spoiled_run_and_goes_on(project):
    folders = sorted(file.parent for file in project.glob(f"runs/small/*/{RECORD_FILE}"))
    for folder in folders[:4]:
        forged.make_older(folder)
    folders[0].joinpath(RECORD_FILE).write_text("[1, 2]")
    folders[1].joinpath(ARRAYS_FILE).write_bytes(folders[1].joinpath(ARRAYS_FILE).read_bytes()[:1000])
    folders[2].joinpath(ARRAYS_FILE).unlink()
    form = json.loads(folders[3].joinpath(RECORD_FILE).read_text("utf-8"))
    folders[3].joinpath(RECORD_FILE).write_text(json.dumps(form | {"metrics": {"accuracy": "0.9"}}), "utf-8")
    shutil.copy(folders[5] / JOURNAL_FILE, folders[4] / JOURNAL_FILE)
    before = {path: path.read_bytes() for path in project.glob("runs/small/*/*") if path.name != "lock"}
    for name, (command, status) in COMMANDS.items():
        code, out, err = ablation(project, *command)
        assert code == status, (name, err)
        assert "Traceback" not in out + err
        assert "No such file" not in out + err
        if name == "plan":
            assert "6 runs of 12 epochs in all, 1 finished" in out
        else:
            assert all(folder.name in out + err for folder in folders[:5]), name
        record_fault(
            "blocked", f"`ablation {name}` where 5 of 6 runs are spoiled", 5, "each is named", f"5 named, exit {code}"
        )
    assert {path: path.read_bytes() for path in before} == before


def test_what_verify_says_of_missing_arrays_mends_them(project):
    folder = run_folder(project)
    forged.make_older(folder)
    (folder / ARRAYS_FILE).unlink()
    code, out, _ = ablation(project, "verify", "small")
    assert code == 1
    (remedy,) = re.findall(r"remove (\S+), and `ablation run` trains that run again", words(out))
    assert "it is missing" in words(out)
    (project / remedy).unlink()
    assert ablation(project, "run", "small", "--no-tracking", "-j", "1").code == 0
    assert ablation(project, "verify", "small").code == 0
    record_fault("blocked", "arrays.npz is missing and the remedy is followed", 1, "trained again", "trained, verified")


@pytest.mark.parametrize("command", ["compare", "report", "verify", "run"])
def test_a_damaged_declaration_is_one_line_and_its_remedy_works(project, command):
    file = project / "runs" / "small" / PREREGISTRATION_FILE
    file.write_bytes(file.read_bytes().replace(b"accuracy", b"macro_f1"))
    arguments = COMMANDS[command][0]
    code, _, err = ablation(project, *arguments)
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (code, len(errors)) == (3, 1), err
    assert "1 line of runs/small/declared.jsonl cannot be read" in words(err)
    file.rename(project / "declared.jsonl")
    assert ablation(project, *arguments).code == 0
    record_fault(
        "blocked",
        f"declared.jsonl was edited: `ablation {command}`",
        1,
        "one error, whose remedy works",
        f"exit {code}, then 0",
    )
