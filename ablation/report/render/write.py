"""write_report: from results and effects to one HTML file. Drawing libraries are imported only when a page is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.core.files import atomic
from ablation.experiment.experiment import Experiment
from ablation.report.render.digest import input_digest, is_current

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.experiment.results import Results


def write_report(
    experiment: Experiment, results: Results, effects: Sequence[Effect], out: Path | None = None, command: str = ""
) -> Path:
    """Write the report as one self-contained HTML file to `out` (by default reports/NAME.html), and return its path.

    command: what trains the runs again, if not `ablation run NAME`. Nothing is done when the file that is there was
    made from the same inputs (see `is_current`).
    """
    path = Path(out) if out is not None else Path("reports") / f"{experiment.name}.html"
    digest = input_digest(experiment, results, effects, command)
    if is_current(path, digest):
        return path

    from ablation.evidence.study import Study
    from ablation.report.page import page_of
    from ablation.report.render.html import render

    page = render(page_of(Study(results, effects, command)), digest)
    with atomic(path, "w") as file:
        file.write(page)
    return path
