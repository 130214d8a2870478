"""`ablation compare A B`, `report A B` and `verify` of that: one table of several experiments, and what differs."""

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import ablation


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Path:
    """The finished project with a second experiment, judged at another level, that has the same runs."""
    folder = shutil.copytree(finished.folder, tmp_path_factory.mktemp("several") / "project")
    text = (folder / "experiments" / "small.py").read_text()
    other = text.replace('name="small"', 'name="other"').replace("seeds=3", "seeds=3, alpha=0.1")
    (folder / "experiments" / "other.py").write_text(other)
    shutil.copytree(folder / "runs" / "small", folder / "runs" / "other")
    odd = text.replace('name="small"', 'name="odd"').replace("seeds=3", 'seeds=3, metric="macro_f1"')
    (folder / "experiments" / "odd.py").write_text(odd)
    return folder


def test_compare_has_one_table_and_names_what_differs(project):
    code, out, err = ablation(project, "compare", "small", "other")
    assert code == 0, err
    assert "How do “small” and “other” compare?" in out
    assert re.search("“small” · .*95 % intervals", out)
    assert re.search("“other” · .*90 % intervals", out)
    assert "alpha" in out
    assert "No test is made across experiments" in out


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("small", "odd"), "metric: small has accuracy; odd has macro_f1"),
        (("small", "small"), "small is given twice"),
        (("small", "other", "--section", "effects"), "--section and files of effects are for one experiment"),
        (("small", "other", "--csv", "x.csv"), "--section and files of effects are for one experiment"),
    ],
)
def test_what_cannot_be_in_one_table_is_one_error(project, arguments, wrong):
    code, _, err = ablation(project, "compare", *arguments)
    assert code != 0
    assert wrong in " ".join(err.split())
    assert "Traceback" not in err


def test_report_of_both_is_written_and_verified(project):
    code, out, err = ablation(project, "report", "small", "other", "--no-pdf")
    assert (code, out) == (0, "wrote reports/small+other/report.html\n"), err
    held = json.loads((project / "reports" / "small+other" / "evidence.json").read_text("utf-8"))
    assert list(held["experiments"]) == ["small", "other"]
    code, out, err = ablation(project, "verify", "reports/small+other")
    assert code == 0, out + err
    code, _, err = ablation(project, "report", "small", "other", "--publish")
    assert (code != 0, "--section and --publish are for the report of one experiment" in err) == (True, True)
