"""What commands advise where runs are missing, where other settings have theirs, and what of before they take away."""

import re
import shlex
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from commands import ablation

from ablation.cli.progress import Progress
from ablation.experiment.preregistration import Variant, preregister


@pytest.fixture
def project(finished, tmp_path) -> Path:
    return shutil.copytree(finished.folder, tmp_path / "project")


@pytest.fixture
def changed(project, finished) -> Path:
    """The file has other epochs than all that was trained, and these were declared as a variant."""
    file = project / "experiments" / "small.py"
    text = file.read_text("utf-8")
    assert "epochs=2" in text
    file.write_text(text.replace("epochs=2", "epochs=3"), "utf-8")
    of_file, variant = (replace(finished.experiment, epochs=epochs, file=str(file)) for epochs in (3, 2))
    cells = of_file.cells(finished.results.cells[0].spec.data)
    root = project / "runs" / "small"
    (root / "declared.jsonl").unlink()
    preregister(variant, finished.results.cells, root, Variant(of_file, cells, ("epochs=2",)))
    return project


def test_runs_that_are_missing_come_before_the_report(project):
    assert ablation(project, "compare", "small").out.splitlines()[-1] == "next: ablation report small"
    shutil.rmtree(min((project / "runs" / "small").glob("*/record.json")).parent)
    assert ablation(project, "compare", "small").out.splitlines()[-1] == "next: ablation run small"
    part = ("--only", "recipe=none,seed=0", "--no-tracking", "-j", "1")
    code, out, _ = ablation(project, "run", "small", *part)
    assert code == 0
    complete = len(list((project / "runs" / "small").glob("*/record.json"))) == 6
    assert out.splitlines()[-1] == f"next: ablation {'report' if complete else 'run'} small"


def test_where_nothing_finished_the_runs_of_other_settings_are_named_with_a_command_that_shows_them(changed):
    for command in ("status", "compare", "report"):
        code, out, err = ablation(changed, command, "small")
        named = re.search(r"6 runs under other settings lie here: (ablation .*)", out + err)
        assert named is not None, (command, out, err)
        assert (code, named[1]) == (2 if command == "report" else 0, f"ablation {command} small --set epochs=2")
        extra = ("--section", "effects", "--no-pdf") if command == "report" else ()
        code, out, _ = ablation(changed, *shlex.split(named[1])[1:], *extra)
        assert (code, "lie here" in out) == (0, False)
    assert "6 of 6 runs done" in ablation(changed, "status", "small", "--set", "epochs=2").out


def test_runs_that_no_declaration_names_are_counted(changed):
    (changed / "runs" / "small" / "declared.jsonl").unlink()
    out = ablation(changed, "status", "small").out
    assert "6 runs lie here of other settings or data than the file has now" in out


def test_the_runs_of_the_file_are_named_to_whoever_asks_for_a_variant_without_any(project):
    out = ablation(project, "status", "small", "--set", "epochs=9").out
    assert "6 runs under other settings lie here: ablation status small\n" in out


def test_a_report_of_nothing_is_an_error_and_writes_nothing(project):
    shutil.rmtree(project / "runs")
    for extra in ([], ["--dry-run"]):
        code, out, err = ablation(project, "report", "small", *extra)
        assert (code, out) == (2, "")
        assert "no run of small has finished in runs: there is nothing to report; train them: ablation run small" in err
    assert not (project / "reports").exists()


def test_a_pdf_of_before_is_removed_with_a_word(project):
    part = ("report", "small", "--section", "effects")
    assert ablation(project, *part).out == "wrote reports/small-effects/report.html and report.pdf\n"
    pdf = project / "reports" / "small-effects" / "report.pdf"
    assert ablation(project, *part, "--no-pdf").out.endswith("report.pdf: up to date\n")
    assert pdf.exists(), "it says the same"
    out = ablation(project, *part, "--no-pdf", "--force").out
    assert out.splitlines() == [
        "wrote reports/small-effects/report.html",
        "removed reports/small-effects/report.pdf, which was of before",
    ]
    assert not pdf.exists()
    assert "removed" not in ablation(project, *part, "--no-pdf", "--force").out


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # by MLflow's own code
def test_a_dry_run_of_sync_knows_what_was_published_though_others_have_written_to_the_store_since(project):
    assert "6 to publish" in ablation(project, "sync", "small", "--dry-run").out
    assert ablation(project, "sync", "small").code == 0
    compare = "6 to compare with what was published"
    assert compare in ablation(project, "sync", "small", "--dry-run").out
    with closing(sqlite3.connect(project / "mlflow.db")) as opened:
        opened.execute("CREATE TABLE of_another (number INTEGER)")
        opened.commit()
    out = ablation(project, "sync", "small", "--dry-run").out
    assert (compare in out, "to publish" in out) == (True, False)
    (project / "runs" / "small" / "published.json").unlink()
    out = ablation(project, "sync", "small", "--dry-run").out
    assert "to publish those that are not there, and to compare the others" in out


@pytest.mark.parametrize("form", ["latex", "csv", "json", "markdown"])
def test_a_form_without_a_file_is_printed(project, form):
    printed = ablation(project, "compare", "small", f"--{form}")
    assert (printed.code, printed.err) == (0, "")
    assert printed.out
    assert printed == ablation(project, "compare", "small", f"--{form}", "-")


def test_recipes_are_ranked_by_validation_accuracy_only_where_accuracy_is_the_metric(project, monkeypatch):
    made = []

    class Seen(Progress):
        def __enter__(self):
            made.append(self)
            return super().__enter__()

    monkeypatch.setattr(import_module("ablation.cli.run"), "Progress", Seen)
    for metric in ("accuracy", "macro_f1"):
        assert ablation(project, "run", "small", "--no-tracking", "-j", "1", "--set", f"metric={metric}").code == 0
    assert [bool(one.cells) for one in made] == [True, False]


def test_a_dry_run_says_which_finished_runs_lack_what_is_asked_for(project):
    _, out, err = ablation(project, "run", "small", "--keep-weights", "--dry-run")
    assert "would train 0 of 6 runs (6 finished)" in out
    assert "6 runs had finished before without their weights; remove their folders to train them anew" in err
    assert "without" not in ablation(project, "run", "small", "--dry-run").err
