"""Verification of a report: is every number and word in it what the records give, and are its files the same?

Three questions: does `evidence.json` say what is computed anew from the records; is each file beside it as it was
written; and does this program make the same files again. The last is asked only where the report was made by the same
version of the program and its libraries.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, InputError
from ablation.core.text import counted, listing
from ablation.evidence.study import Study
from ablation.evidence.verification import CLOSE, LAST_DIGITS, Check, Difference
from ablation.experiment.results import Results
from ablation.report.render.digest import input_digest, program_digest
from ablation.report.render.evidence import (
    EVIDENCE_FILE,
    changed_files,
    content_of,
    evidence_data,
    other_files,
    own_digest,
    unsafe_names,
)
from ablation.report.render.write import PDF_FILE, default_folder, rendered

if TYPE_CHECKING:
    from ablation.report.contents import Report

EVIDENCE, WRITTEN = "every entry of the report, from the records", "files of the report, by their digests"
MADE = "files of the report, made anew"
OUT_OF_DATE = "report"
"""The unit of a check that found the report to be of fewer runs than there are now: that alone is no alteration."""
NO_PAGES = "the pages of the report were not checked"
_HEAD = ("digest", "inputs", "fonts", "program", "code", "files")
"""Entries of evidence.json that say what it was made of."""
_PHOTOGRAPH = re.compile(rb"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]+")
_DRAWN = (".png", ".jpeg", ".jpg", ".pdf")
_SHOWN = 60
"""Characters of a line that are shown around what differs."""


@dataclass(frozen=True, eq=False)
class WithoutImages(Results):
    """Results whose photographs are all grey: with them a report says the same, and shows other pixels."""

    @classmethod
    def of(cls, results: Results) -> WithoutImages:
        return cls(**{field.name: getattr(results, field.name) for field in fields(results)})

    def photographs(self, rows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
        return np.full((len(rows), side, side, 3), 128, np.uint8)


def report_held(folder: Path) -> dict[str, Any]:
    """What evidence.json in this folder holds. Raises InputError where it is not there, or is no evidence of ours."""
    path = folder / EVIDENCE_FILE
    try:
        held = json.loads(path.read_text("utf-8"), object_pairs_hook=_once)
    except FileNotFoundError:
        raise InputError(f"there is no {EVIDENCE_FILE} in {folder}; `ablation report EXPERIMENT` writes it") from None
    except ValueError as error:
        raise InputError(
            f"{path} is not JSON any more ({error}); `ablation report EXPERIMENT --force` writes it again"
        ) from None
    kinds = {"inputs": str, "files": dict, "experiments": dict, "sections": dict}
    form = held if isinstance(held, dict) else {}
    wrong = [name for name, kind in kinds.items() if not isinstance(form.get(name), kind)]
    wrong += ["experiments"] if form.get("experiments") == {} else []
    if wrong:
        raise InputError(
            f"{path} has no {listing(wrong)} as a report has it; `ablation report EXPERIMENT --force` writes it again"
        )
    if unsafe := unsafe_names(held["files"]):
        raise InputError(f"{path} cannot be believed: it names {unsafe[0]!r} as a file of the report")
    return form


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of JSON, where a reader might take the first of two entries with one name, and a program the last."""
    if twice := [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]:
        raise ValueError(f"{twice[0]!r} stands in it twice")
    return dict(pairs)


def check_report(studies: Sequence[Study], folder: Path) -> tuple[Check, ...]:
    """Check the report in this folder against the records of its experiments, which are given in its order.

    Of a report that other code has made only numbers must be the same: its words and tables may differ, and a note says
    how many do. Of one that is out of date that alone is said: what it says is of fewer runs. Where the image cache is
    not at hand, photographs are not compared. Raises InputError as `report_held`.
    """
    from ablation.report.contents import SECTIONS, report_of

    held = report_held(folder)
    fonts = held.get("fonts") or ()  # older versions did not keep them
    slugs = [slug for slug in held["sections"] if slug in SECTIONS] if len(studies) == 1 else []
    known = [studies, *_without_images(studies)]
    made_of = {input_digest(given, only, fonts): (given, only) for given in known for only in ((), slugs)}
    given, only = made_of.get(held["inputs"], (known[-1], slugs))
    report = report_of(*given, only=only)
    anew = json.loads(json.dumps(evidence_data(given, report)))
    stored = {name: item for name, item in held.items() if name not in _HEAD}
    same_code = held.get("code") == program_digest()
    again = _command(studies, folder, slugs)
    if held["inputs"] not in made_of and (since := _since(stored, anew, same_code)):
        late = Difference(EVIDENCE_FILE, f"is out of date: {since}: `{again}` makes it anew")
        return (Check(EVIDENCE, OUT_OF_DATE, 1, (late,)), _written(folder, held))
    checks = (_compare(stored, anew, same_code, again), _written(folder, held))
    if held["inputs"] in made_of and not fonts:
        return (*checks, _made_anew(given, report, held["inputs"], folder, held["files"]))
    return (*checks, _not_made_anew(same_code, held["inputs"] in made_of, again))


def _since(stored: Mapping[str, Any], anew: Mapping[str, Any], same_code: bool) -> str:
    """What came since the report was made, in words; '' where none did, or a run that it is of is another one now.

    stored, anew: what evidence.json says, and would say now.
    """
    old, new = _seals(stored), _seals(anew)
    if any(new.get(run) != seal for run, seal in old.items()):
        return ""
    if added := len(new.keys() - old.keys()):
        return f"{counted(added, 'run')} {'was' if added == 1 else 'were'} added since"
    known = stored.get("warnings")
    if same_code and isinstance(known, list) and set(map(str, anew["warnings"])) - set(map(str, known)):
        return "there is more to read with care since, of runs that were added or of how they are judged"
    return ""


def _seals(said: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """(experiment, id) -> the seal of each run that has left a result, as evidence.json has it."""
    every = {name: form.get("runs") for name, form in said["experiments"].items() if isinstance(form, Mapping)}
    return {
        (name, run_id): run["seal"]
        for name, runs in every.items()
        if isinstance(runs, Mapping)
        for run_id, run in runs.items()
        if isinstance(run, Mapping) and "seal" in run
    }


def _command(studies: Sequence[Study], folder: Path, slugs: Sequence[str]) -> str:
    """What writes the report in this folder again. slugs: of its sections."""
    commands = [shlex.split(study.command) for study in studies]
    known = all(words[:2] == ["ablation", "run"] for words in commands)  # a notebook may have trained by another
    names = [words[2] if known else study.experiment.name for words, study in zip(commands, studies, strict=True)]
    options = commands[0][3:] if known else []
    usual = default_folder(*studies)
    if slugs and folder.name == default_folder(*studies, only=slugs).name:
        options += [word for slug in slugs for word in ("--section", slug)]
        usual = default_folder(*studies, only=slugs)
    options += ["--out", str(folder)] if folder != usual else []
    return shlex.join(["ablation", "report", *names, *options])


def _not_made_anew(same_code: bool, same_inputs: bool, again: str) -> Check:
    """Why pages were not made anew; which is a difference where this very program would have made others."""
    if same_code and not same_inputs:
        wrong = f"are not what the records give: made of others, or changed; `{again} --force` makes it anew"
        return Check(MADE, "file", 0, (Difference(f"{EVIDENCE_FILE}: inputs", wrong),), (), NO_PAGES)
    why = "with fonts that --font gave" if same_code else "by other code or libraries"
    return Check(MADE, "file", 0, (), (f"The report was made {why}: its pages were not made anew.",), NO_PAGES)


def _without_images(studies: Sequence[Study]) -> tuple[list[Study], ...]:
    """The same studies with grey photographs, where their images are not at hand; () where they are."""
    try:
        for study in studies:
            study.results.photographs(np.zeros(1, np.int64), 1)
    except DataError:
        return ([Study(WithoutImages.of(study.results), study.effects, study.command) for study in studies],)
    return ()


# --- evidence.json


def _compare(stored: Any, anew: Any, same_code: bool, again: str) -> Check:
    """Leaf by leaf; numbers that differ in their last digits alone are no difference. again: what writes it again."""
    old, new = dict(_leaves(stored)), dict(_leaves(anew))
    differences, close, words = [], 0, 0
    for path in {**old, **new}:
        before, after = old.get(path, _MISSING), new.get(path, _MISSING)
        if before == after and isinstance(before, bool) == isinstance(after, bool):
            continue
        if _is_number(before) and _is_number(after) and np.isclose(before, after, rtol=CLOSE, atol=0):
            close += 1
        elif not same_code and not _must_agree(path, before, after):
            words += 1
        else:
            differences.append(Difference(f"{EVIDENCE_FILE}: {path}", _both(_text(before), _text(after))))
    notes = [f"{counted(close, 'number')} of the report differ {LAST_DIGITS}."] if close else []
    if words:
        other = f"{'was' if words == 1 else 'were'} not compared, as other code or other libraries made the report"
        notes.append(f"{counted(words, 'text')} of the report {other}; `{again} --force` makes it anew.")
    return Check(EVIDENCE, "number", len(old | new) - words, tuple(differences), tuple(notes))


_NUMBERS = re.compile(r"experiments\.|headline\b|answer\b|sections\.[^.]+\.(?:answer\b|tables\[\d+\]\.groups)")
"""Where evidence.json has effects, metrics, answers and tables, whose numbers any code must compute alike."""

_NUMBER = re.compile(r"[+\-\u2212]?\d+(?:[.,]\d+)*")


def _must_agree(path: str, before: Any, after: Any) -> bool:
    """Of what other code has made: are these numbers, or texts whose numbers differ?"""
    if _MISSING in (before, after) or not _NUMBERS.match(path):
        return False
    return path.startswith("experiments.") or _NUMBER.findall(str(before)) != _NUMBER.findall(str(after))


_MISSING = object()


def _leaves(item: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every text, number and null with its path: 'sections.effects.tables[0].groups[1].rows[0].mean'."""
    if isinstance(item, Mapping) and item:
        for name, inner in item.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(item, list) and item:
        for index, inner in enumerate(item):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, item


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


def _text(item: Any) -> str:
    return "nothing" if item is _MISSING else json.dumps(item, ensure_ascii=False)


# --- the files beside it


def _written(folder: Path, held: Mapping[str, Any]) -> Check:
    """Each file against the digest that evidence.json holds of it; and that file against its own."""
    differences = []
    others = {name: item for name, item in held.items() if name != "digest"}
    if held.get("digest") != own_digest(others):
        differences.append(Difference(EVIDENCE_FILE, "was changed after it was written: its digest does not fit"))
    differences += [Difference(name, words) for name, words in changed_files(folder, held["files"])]
    foreign = f"lies in the report's folder, and {EVIDENCE_FILE} does not name it"
    differences += [Difference(name, foreign) for name in other_files(folder, held["files"])]
    return Check(WRITTEN, "file", 1 + len(held["files"]), tuple(differences))


def _made_anew(studies: Sequence[Study], report: Report, digest: str, folder: Path, files: Mapping[str, Any]) -> Check:
    """Draw and render the report in memory, and hold each file against that."""
    from ablation.report.render.drawings import prepare
    from ablation.report.render.second import Second

    blind = any(isinstance(study.results, WithoutImages) for study in studies)
    with Second(prepare) as second:
        anew, without = rendered(studies, report, digest, PDF_FILE in files and not blind, second=second)
    compared = [name for name in anew if not (blind and _has_photographs(name, anew))]
    unlike = {name: _unlike(content_of(folder, name), anew[name], blind) for name in compared}
    unmade = [name for name in files if name not in anew]
    unlike |= {name: "is none of the report's files" for name in unmade if name != PDF_FILE}
    differences = tuple(Difference(name, words) for name, words in unlike.items() if words)
    notes = ["Photographs were not compared, as the images are not here."] if blind else []
    if PDF_FILE in unmade:
        notes.append(f"{PDF_FILE} was compared with what was written, not made anew.")
    omitted = f"{PDF_FILE} was not made anew" if PDF_FILE in unmade else ""
    return Check(MADE, "file", len(compared), differences, (*notes, *without), omitted)


def _has_photographs(name: str, files: Mapping[str, bytes]) -> bool:
    """Is it a picture of photographs, or a drawing, other than as text, in which there are some?"""
    path = Path(name)
    if path.suffix not in _DRAWN:
        return False
    drawn = files.get(path.with_suffix(".svg").as_posix())
    return drawn is None or _PHOTOGRAPH.search(drawn) is not None


def _unlike(stored: bytes | None, anew: bytes, blind: bool) -> str:
    """What differs, in words; '' where nothing does. blind: photographs within texts may differ."""
    if stored is None:
        return "is missing"
    if blind:
        stored, anew = _PHOTOGRAPH.sub(b"", stored), _PHOTOGRAPH.sub(b"", anew)
    return first_difference(stored, anew) if stored != anew else ""


def first_difference(stored: bytes, anew: bytes) -> str:
    """Where two files part, in words, with what stands there in both."""
    old, new = stored.split(b"\n"), anew.split(b"\n")
    row = next((row for row, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
    if not _is_text(stored):
        return "is another file than the records give"
    if row is None:
        return f"has {counted(len(old), 'line')}, and {len(new):,} anew"
    before, after = (lines[row].decode("utf-8", "replace") for lines in (old, new))
    return f"line {row + 1:,}: {_both(before, after)}"


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _both(before: str, after: str) -> str:
    """Both texts, of long ones what stands around their first difference."""
    same = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, same - _SHOWN // 2)
    there, made = (_window(text, start) for text in (before, after))
    return f"{there} there, {made} anew"


def _window(text: str, start: int) -> str:
    if len(text) <= _SHOWN:
        return text
    return f"{'…' * (start > 0)}{text[start : start + _SHOWN]}{'…' * (start + _SHOWN < len(text))}"
