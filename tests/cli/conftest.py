"""A project whose experiment is trained and reported, for commands that read both."""

import shutil
from pathlib import Path

import pytest
from commands import ablation


@pytest.fixture(scope="session")
def reported(finished, tmp_path_factory) -> Path:
    """The finished project with a report of its main section, not to be changed."""
    folder = shutil.copytree(finished.folder, tmp_path_factory.mktemp("reported") / "project")
    code, out, _ = ablation(folder, "report", "small", "--section", "effects", "--no-pdf", "--out", "reports/small")
    assert (code, out) == (0, "wrote reports/small/report.html\n")
    return folder
