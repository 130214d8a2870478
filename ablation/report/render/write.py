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
    from ablation.evidence.study import Study
    from ablation.experiment.results import Results


def write_report(
    experiment: Experiment | Study,
    results: Results | None = None,
    effects: Sequence[Effect] | None = None,
    out: str | Path | None = None,
    command: str = "",
) -> Path:
    """Write the report as one self-contained HTML file and return its path.

    Nothing is done when the file that is there was made from the same inputs (see `is_current`).

    experiment: with its results and effects; or a `Study`, which holds all of these.
    out: by default reports/NAME.html.
    command: what trains the runs again, if not `ablation run NAME`.

    >>> write_report(experiment, results, effects)  # doctest: +SKIP
    PosixPath('reports/cats12.html')
    >>> write_report(Study(results), out="cats.html")  # doctest: +SKIP
    PosixPath('cats.html')
    """
    if isinstance(experiment, Experiment):
        from ablation.evidence.study import Study

        if results is None:
            raise TypeError("write_report of an experiment takes its results, too; or give a Study alone")
        study = Study(results, effects, command)
    else:
        study = experiment
    path = Path(out) if out is not None else Path("reports") / f"{study.experiment.name}.html"
    digest = input_digest(study)
    if is_current(path, digest):
        return path

    from ablation.report.contents import page_of
    from ablation.report.render.html import render

    with atomic(path, "w") as file:
        file.write(render(page_of(study), digest))
    return path
