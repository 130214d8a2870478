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
    from ablation.evidence.pairs import Pair
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

    Raises ValueError for results of another experiment, and effects of other results.

    >>> write_report(experiment, results, effects)  # doctest: +SKIP
    PosixPath('reports/cats12.html')
    >>> write_report(Study(results), out="cats.html")  # doctest: +SKIP
    PosixPath('cats.html')
    """
    if isinstance(experiment, Experiment):
        from ablation.evidence.study import Study

        if results is None:
            raise TypeError("write_report of an experiment takes its results, too; or give a Study alone")
        if results.experiment != experiment:
            raise ValueError("write_report: the results are of another experiment; Results.load(experiment) reads its")
        study = Study(results, effects, command)
        if effects is not None and not _are_of(effects, study.pairs):
            raise ValueError("write_report: the effects are of other results; compare(results) gives theirs")
    else:
        study = experiment
    path = default_path(study) if out is None else Path(out)
    write_page(study, path)
    return path


def default_path(study: Study) -> Path:
    """Where the page is written if nothing else is said."""
    return Path("reports") / f"{study.experiment.name}.html"


def write_page(study: Study, path: Path) -> bool:
    """Write the page, unless the one that is there was made from the same inputs. Return whether it was written."""
    digest = input_digest(study)
    if is_current(path, digest):
        return False

    from ablation.report.contents import page_of
    from ablation.report.render.html import render

    with atomic(path, "w") as file:
        file.write(render(page_of(study), digest))
    return True


def _are_of(effects: Sequence[Effect], pairs: Sequence[Pair]) -> bool:
    """Has each effect the scores of the pair of its recipe and condition?"""
    scores = {
        (pair.own.recipe, frozenset(pair.condition.items())): (pair.own.scores, pair.treatment.scores) for pair in pairs
    }
    return all(
        effect.scores in scores.get((effect.recipe, frozenset(effect.condition.items())), ()) for effect in effects
    )
