"""docs/notebook.ipynb: it was executed whole, holds nothing of the machine that did, and runs anywhere."""

import re
from pathlib import Path

import nbformat
import pytest
from notebooks import executed

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"
OURS = re.compile(r"results|effects|section\(.*\)")
"""The last line of a cell whose value shows itself by the report's templates."""


@pytest.fixture(scope="module")
def code():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell) -> list[tuple[str, ...]]:
    """What came out of a cell: its kind and the forms in which it is there."""
    return [(output.output_type, *sorted(output.get("data", ()))) for output in cell.outputs]


def test_it_was_executed_from_top_to_bottom_without_a_complaint(code):
    assert 10 <= len(code) <= 15
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {output.output_type for cell in code for output in cell.outputs} <= {"execute_result", "display_data"}
    assert sum("image/png" in kind for cell in code for kind in kinds(cell)) == 3


def test_what_shows_itself_is_there_as_text_and_as_a_table(code):
    shown = [cell for cell in code if OURS.fullmatch(cell.source.splitlines()[-1])]
    assert len(shown) == 3
    for cell in shown:
        (output,) = cell.outputs
        assert output.data["text/html"].startswith('<div class="ablation"')
        assert len(output.data["text/plain"].splitlines()) <= 12


def test_it_is_small_and_has_no_path_of_a_machine():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 1_000_000
    pictures = r'"image/png": "[^"]*"'  # base64, in which anything may stand
    assert not re.findall(r"/(?:home|root|tmp|work|Users|var)/\S*|[A-Z]:\\\\\S*", re.sub(pictures, "", text))


@pytest.mark.slow
def test_it_runs(code, tmp_path):
    """All of it, the sweep too, with warnings as errors; what comes out is of the kinds that are committed."""
    again = executed(NOTEBOOK, tmp_path)
    made = [cell for cell in again.cells if cell.cell_type == "code"]
    assert [kinds(cell) for cell in made] == [kinds(cell) for cell in code]
    assert (tmp_path / "runs" / "digits").is_dir()
