"""write_report: from results and effects to the folder of a report. Drawing is imported only when one is made.

report.html report.pdf     the same in two forms
evidence.json              every number and sentence as plain data, and what they rest on; written last
tables/ figures/           each table as CSV, LaTeX and Markdown, each figure as SVG, PNG and PDF
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.core.errors import InputError
from ablation.core.files import atomic
from ablation.experiment.experiment import Experiment
from ablation.report.render.digest import font_digests, input_digest
from ablation.report.render.evidence import EVIDENCE_FILE, remove_report, report_is_current, written

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.evidence.pairs import Pair
    from ablation.evidence.study import Study
    from ablation.experiment.results import Results
    from ablation.report.contents import Report
    from ablation.report.fonts import Fonts
    from ablation.report.render.second import Second

HTML_FILE, PDF_FILE = "report.html", "report.pdf"


@dataclass(frozen=True)
class Written:
    """What was written. folder: of the report. fresh: was anything written, or was it up to date?

    without: what could not be made, and what to do about it, a sentence each. removed: files of the report of before
    that this one has none of, for whose words it would be taken.
    """

    folder: Path
    fresh: bool
    without: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def write_report(
    experiment: Experiment | Study,
    results: Results | None = None,
    effects: Sequence[Effect] | None = None,
    out: str | Path | None = None,
    command: str = "",
    pdf: bool = True,
    only: Collection[str] = (),
    fonts: Sequence[Path] = (),
) -> Path:
    """Write the report into a folder and return the folder: HTML, PDF, tables, figures and the evidence as data.

    Nothing is done when the files that are there were made from the same inputs.

    experiment: with its results and effects; or a `Study`, which holds all of these.
    out: a folder, by default reports/NAME, or reports/NAME-SLUG for some sections only.
    command: what trains the runs again, if not `ablation run NAME`.
    pdf: shall there be a PDF? Where it cannot be made a warning says why, and all else is written. One of before is
    removed where there is none: it would say something else.
    only: the slugs of the sections that it shall have, by default all.
    fonts: files of fonts for what the others cannot show.

    Raises ValueError for results of another experiment, and effects of other results; InputError for a section that it
    does not have, and for a font that is none.

    >>> write_report(experiment, results, effects)  # doctest: +SKIP
    PosixPath('reports/cats12')
    >>> write_report(Study(results), out="cats", pdf=False)  # doctest: +SKIP
    PosixPath('cats')
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
    made = write_folder([study], default_folder(study, only=only) if out is None else Path(out), pdf, only, fonts)
    for message in made.without:
        warnings.warn(message, stacklevel=2)
    return made.folder


def default_folder(*studies: Study, only: Collection[str] = ()) -> Path:
    """Where the report of these is written if nothing else is said; one of few sections does not replace the whole."""
    names = "+".join(study.experiment.name for study in studies)
    return Path("reports") / "-".join(filter(None, [names, "+".join(only)]))


def is_current(
    studies: Sequence[Study], folder: Path, pdf: bool = True, only: Collection[str] = (), fonts: Sequence[Path] = ()
) -> bool:
    """Whether the files of the report are there, and were made from the same inputs."""
    digest = input_digest(studies, only, font_digests(fonts))
    return report_is_current(folder, digest, [HTML_FILE, *([PDF_FILE] if pdf else [])])


def write_folder(
    studies: Sequence[Study],
    folder: Path,
    pdf: bool = True,
    only: Collection[str] = (),
    fonts: Sequence[Path] = (),
    force: bool = False,
    second: Second | None = None,
) -> Written:
    """Write the files of a report, unless those that are there were made from the same inputs.

    studies: of one experiment, or of several that can stand in one table (`ablation.evidence.agreement`). second: a
    process that draws half of the figures, and ends with this; by default one that is started for this.
    """
    if not force and is_current(studies, folder, pdf, only, fonts):
        return Written(folder, False)
    chosen = font_digests(fonts)
    digest = input_digest(studies, only, chosen)

    from ablation.report.contents import parts_ahead, report_of
    from ablation.report.render.drawings import prepare
    from ablation.report.render.evidence import evidence
    from ablation.report.render.second import Second

    with second or Second(None if only else prepare) as helper:
        helper.begin(parts_ahead(studies, only))
        report = report_of(*studies, only=only)
        files, without = rendered(studies, report, digest, pdf, fonts, helper)
    before = [name for name in (HTML_FILE, PDF_FILE) if (folder / name).exists()]
    remove_report(folder)
    removed = tuple(name for name in before if name not in files and not (folder / name).exists())
    for name, content in files.items():
        with atomic(folder / name) as file:
            file.write(content)
    with atomic(folder / EVIDENCE_FILE, "w") as file:
        file.write(evidence(studies, report, digest, written(files), chosen))
    return Written(folder, True, without, removed)


def rendered(
    studies: Sequence[Study],
    report: Report,
    digest: str,
    pdf: bool = True,
    fonts: Sequence[Path] = (),
    second: Second | None = None,
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Every file of a report but its evidence, name -> content, and what could not be made (`Written.without`).

    digest: of the report's inputs. second: a process that draws half of the figures.
    """
    from ablation.report.fonts import texts_of
    from ablation.report.render.drawings import KINDS, drawings_of
    from ablation.report.render.files import figure_files, table_files
    from ablation.report.render.html import html

    names = [report, [(study.experiment, study.results.classes) for study in studies]]
    chosen, missing = _fonts(texts_of(names), fonts)
    without = [f"no {PDF_FILE}, and figures as SVG alone: {missing}"] if missing else []
    tables = dict(table_files(studies, report))  # while the second process is busy with maps
    drawings = drawings_of(
        report, () if missing else tuple(KINDS), chosen, second
    )  # letters missing: its reader may have
    files = {HTML_FILE: html(report, drawings, digest).encode()}
    files |= {name: text.encode() for name, text in tables.items()} | dict(figure_files(report, drawings))
    if pdf and not missing:
        from ablation.report.render.pdf import pdf_of

        try:
            files[PDF_FILE] = pdf_of(report, drawings, chosen)
        except InputError as error:
            without.append(f"no {PDF_FILE}: {error}")
    return files, tuple(without)


def _fonts(texts: Iterable[str], given: Sequence[Path]) -> tuple[Fonts, str]:
    """What shows the texts; or no more than every report has, and what is missing."""
    from ablation.report.fonts import Fonts, fonts_for

    try:
        return fonts_for(texts, given), ""
    except InputError as error:
        return Fonts(), str(error)


def _are_of(effects: Sequence[Effect], pairs: Sequence[Pair]) -> bool:
    """Has each effect the scores of the pair of its recipe and condition?"""
    scores = {
        (pair.own.recipe, frozenset(pair.condition.items())): (pair.own.scores, pair.treatment.scores) for pair in pairs
    }
    return all(
        effect.scores in scores.get((effect.recipe, frozenset(effect.condition.items())), ()) for effect in effects
    )
