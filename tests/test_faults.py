"""The table of faults: what tests record is what the page shows, and each case on the page has its test today."""

import re
from pathlib import Path

import faults
import pytest
from faults import record_fault

from ablation.core.errors import EXITS


def test_every_case_on_the_page_is_recorded_by_a_test_of_today():
    patterns = [re.compile(pattern) for pattern in faults.patterns_of(Path(__file__).parent)]
    cases = faults.cases_on(faults.PAGE.read_text(encoding="utf-8"))
    orphans = [case for case in cases if not any(pattern.fullmatch(case) for pattern in patterns)]
    assert not orphans, f"no test records these cases of {faults.PAGE.name}: {orphans}"


def test_the_page_has_every_exit_status():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", faults.PAGE.read_text(encoding="utf-8"), re.M)
    assert {int(status): meaning for status, meaning in rows} == EXITS


def test_a_page_is_made_of_what_was_recorded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(faults, "PAGE", tmp_path / "page.md")
    faults.PAGE.write_text(f"# Page\n\n{faults.OPENING}\n{faults.CLOSING}\n\nThe rest.\n")
    monkeypatch.setenv(faults.VARIABLE, str(tmp_path / "lines"))
    record_fault("kills", "a | in a name", 3, "the same bits", "3 of 3")
    record_fault("kills", "a | in a name", 4, "the same bits", "4 of 4")
    record_fault("believed", "a digit turned", 1, "named", 7)
    faults.main(str(tmp_path / "lines"))
    page = faults.PAGE.read_text()
    assert "| a \\| in a name | 7 | the same bits | 3 of 3; 4 of 4 |" in page
    assert page.index("silently believed") < page.index("Kills and disks") < page.index("The rest.")
    assert faults.cases_on(page) == ["a digit turned", "a | in a name"]
    assert capsys.readouterr().out == "page.md: 2 faults, tried 8 times in all\n"


def test_a_test_that_ran_again_replaces_its_lines():
    line = {"section": "kills", "case": "c", "times": 5, "expected": "e", "seen": "s", "test": "t", "process": 1}
    again = [line, line | {"process": 2, "times": 6}, line | {"test": "other", "process": 1, "times": 1}]
    assert faults.merged(again)["kills"]["c"]["times"] == 7


def test_nothing_is_recorded_where_nobody_asks(tmp_path, monkeypatch):
    monkeypatch.delenv(faults.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record_fault("kills", "a kill", 1, "nothing", "nothing")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="one of believed, blocked"):
        record_fault("killed", "a kill", 1, "nothing", "nothing")
