"""The figures of a report alone, as files in a folder of their own, beside a list of what was written there.

DIR/SLUG-K.svg .pdf .png   each figure, under the names that a report gives it
DIR/figures.json           their digests: what is written again is one of these, unchanged. While they are written each
                           has the digests of the file before and of the one to be
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ablation.core.archive import is_safe
from ablation.core.errors import InputError, Problem
from ablation.core.files import atomic
from ablation.evidence.study import Study
from ablation.report.contents import report_of
from ablation.report.fonts import Fonts, fonts_for, texts_of
from ablation.report.render.drawings import KINDS, drawings_of
from ablation.report.render.evidence import content_of, is_within, written
from ablation.report.render.files import figure_files
from ablation.report.render.second import Second

LIST_FILE = "figures.json"
FOLDER = "figures/"
"""Where a report has them."""

Digests = dict[str, tuple[str, ...]]
"""Name -> the digests of what may be there under it: one, or several where writing was interrupted."""


def figures_of(
    study: Study, only: Collection[str] = (), fonts: Sequence[Path] = (), second: Second | None = None
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Every figure of an experiment, file name -> content, and what could not be made, a sentence each.

    only: the slugs of the sections whose figures these are, by default all. fonts: files of fonts for what the others
    cannot show; without a font that does, there is an SVG of each figure alone. second: a process that draws half.

    Raises InputError for a section that there is not, and where nothing is there to draw.
    """
    report = report_of(study, only=only)
    try:
        chosen, missing = fonts_for(texts_of([report, study.experiment, study.results.classes]), fonts), ""
    except InputError as error:
        chosen, missing = Fonts(), str(error)
    drawings = drawings_of(report, () if missing else tuple(KINDS), chosen, second)
    files = {name.removeprefix(FOLDER): content for name, content in figure_files(report, drawings)}
    if not files:
        raise InputError(f"{study.experiment.name} has no figure{' in these sections' * bool(only)}: nothing to write")
    return files, (f"figures as SVG alone: {missing}",) if missing else ()


def write_figures(files: Mapping[str, bytes], folder: Path, whole: bool = True) -> list[Path]:
    """Write these files and return their paths; of what was written before, what is `whole` has no more goes.

    The list names what is there and what will be before anything is changed: whenever this is interrupted, the next
    call knows its own files. Raises InputError, before anything is written, where one of the names is taken by a file
    that was not written so, or was changed since.
    """
    held = _held(folder)
    taken = [name for name in files if _is_there(folder / name) and not _is_own(folder, name, held)]
    if taken:
        advice = "it was not written by `ablation figures`, or was changed since; remove it, or choose another --out"
        raise InputError([Problem(advice, str(folder / name)) for name in taken[:5]])
    new: Digests = {name: (digest,) for name, digest in written(files).items()}
    _write_list(folder, {name: (*held.get(name, ()), *new.get(name, ())) for name in {*held, *new}})
    for name in held:
        if name not in files and whole and _is_own(folder, name, held):
            (folder / name).unlink()
    for name, content in files.items():
        with atomic(folder / name) as file:
            file.write(content)
    kept = {name: digests for name, digests in held.items() if not whole and is_within(folder, name)}
    _write_list(folder, {**kept, **new})
    return [folder / name for name in files]


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_own(folder: Path, name: str, held: Digests) -> bool:
    content = content_of(folder, name) if name in held and not (folder / name).is_symlink() else None
    return content is not None and hashlib.sha256(content).hexdigest() in held[name]


def _write_list(folder: Path, digests: Digests) -> None:
    listed = {name: every[0] if len(set(every)) == 1 else [*dict.fromkeys(every)] for name, every in digests.items()}
    with atomic(folder / LIST_FILE, "w") as file:
        file.write(json.dumps(listed, indent=1, sort_keys=True) + "\n")


def _held(folder: Path) -> Digests:
    """What was written into this folder; nothing where its list is not there, or is no such list."""
    try:
        held = json.loads((folder / LIST_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    known = held.items() if isinstance(held, dict) else ()
    every = {name: digests if isinstance(digests, list) else [digests] for name, digests in known}
    return {
        name: tuple(digests)
        for name, digests in every.items()
        if is_safe(name) and "/" not in name and all(isinstance(digest, str) for digest in digests)
    }
