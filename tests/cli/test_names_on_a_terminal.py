"""Names that a user gave are in quotes on a terminal, whatever command prints them; the marks are for pages alone."""

import re
import shutil

import pytest
from commands import Ended, ablation

from ablation.report.contents import SECTIONS

COMMANDS = (
    *(("list",), ("plan", "small"), ("status", "small"), ("run", "small", "-j", "1", "--no-tracking")),
    *(("compare", "small"), ("compare", "small", "--all", "--csv", "-"), ("compare", "small", "--latex", "-")),
    *(("compare", "small", "--section", slug) for slug in SECTIONS),
)


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """Finished runs, but for one."""
    copied = shutil.copytree(finished.folder, tmp_path_factory.mktemp("names") / "project")
    shutil.rmtree(max((copied / "runs" / "small").glob("*/record.json")).parent)
    return copied


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_a_mark(folder, command):
    ended = ablation(folder, *command)
    assert ended.code == 0 or unasked(ended)
    assert not set("\u2068\u2069") & set(ended.out + ended.err)


def unasked(ended: Ended) -> bool:
    """The experiment has no such section."""
    return re.search("small has no section '[a-z_]+': its grid does not ask that question", ended.err) is not None


def test_the_answer_has_its_names_in_quotes(folder):
    assert "Differences are to “none”, in points of accuracy." in ablation(folder, "compare", "small").out
    out = ablation(folder, "compare", "small", "--section", "effects").out
    assert "Each recipe against “none”:" in out
    assert re.search("“crop” (beats|is|has|cannot)", out)
