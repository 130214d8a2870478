"""evidence.json: every sentence and number of a report as plain data, with what it rests on. No drawing libraries.

`ablation verify` computes it anew from the records and says what differs.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ablation
from ablation.core.archive import is_safe
from ablation.core.text import plain
from ablation.report.render.digest import program_digest
from ablation.report.section import Section, Table
from ablation.report.text import verdict_text

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.evidence.study import Study
    from ablation.report.contents import Report

EVIDENCE_FILE = "evidence.json"


def evidence(
    studies: Sequence[Study], report: Report, digest: str, files: Mapping[str, str], fonts: Sequence[str] = ()
) -> str:
    """The file's text.

    digest: of the report's inputs. files: name -> SHA-256 of all that was written beside it. fonts: the digests of the
    files of fonts that were chosen.
    """
    head = {"inputs": digest, "fonts": list(fonts), "program": f"ablation {ablation.__version__}"}
    held = head | {"code": program_digest(), "files": files} | evidence_data(studies, report)
    whole = {"digest": own_digest(held)} | held
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def own_digest(held: Mapping[str, Any]) -> str:
    """SHA-256 of all that the file holds beside it."""
    return hashlib.sha256(json.dumps(held, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def evidence_data(studies: Sequence[Study], report: Report) -> dict[str, Any]:
    """What the report says, as plain data: names in quotes within sentences, numbers of effects with all digits."""
    return {
        "report": report.name,
        "question": plain(report.question),
        "made": report.made,
        "headline": _plain(asdict(report.headline)),
        "answer": _plain(report.answer),
        "warnings": _plain(report.warnings),
        "experiments": {
            study.experiment.name: {"effects": [effect_data(effect) for effect in study.effects], "runs": _runs(study)}
            for study in studies
        },
        "sections": {section.slug: _section(section) for section in report.sections},
    }


def effect_data(effect: Effect) -> dict[str, Any]:
    """The fields of an effect, with its verdict as every table shows it: 'no verdict' is not 'undecided'.

    Null for what is not known, 'pooled' for the condition of a pooled one.
    """
    row: dict[str, Any] = _plain(asdict(effect))
    return row | {"condition": row["condition"] or "pooled", "verdict": verdict_text(effect)}


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": plain(section.title),
        "question": plain(section.question),
        "answer": _plain(section.answer),
        "figures": [{"alt": plain(one.alt), "caption": plain(one.caption)} for one in section.figures],
        "tables": [_table(table) for table in section.tables],
        "caution": _plain(section.caution),
    }


def _table(table: Table) -> dict[str, Any]:
    groups = [{"title": plain(group.title), "rows": _plain(group.rows)} for group in table.groups]
    return {"headers": _plain(table.headers), "groups": groups, "caption": plain(table.caption)}


def _runs(study: Study) -> dict[str, Any]:
    """id -> how the run stands, the metrics that its record holds, and the seal of its files."""
    table = study.results.frame.drop_duplicates("id")
    known = study.records
    return {
        run_id: {"status": status, "metrics": _plain(known[run_id].metrics), "seal": study.results.seal(run_id)}
        if run_id in known
        else {"status": status}
        for run_id, status in table[["id", "status"]].itertuples(index=False)
    }


def _plain(item: Any) -> Any:
    """The item as JSON holds it: texts without marks, None for nan and infinity, lists for tuples."""
    if isinstance(item, str):
        return plain(item)
    if isinstance(item, Mapping):
        return {plain(str(name)): _plain(inner) for name, inner in item.items()}
    if isinstance(item, Iterable):
        return [_plain(inner) for inner in item]
    return None if isinstance(item, float) and not math.isfinite(item) else item


def written(files: Mapping[str, bytes]) -> dict[str, str]:
    """name -> SHA-256, in hexadecimal."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def report_is_current(folder: Path, digest: str, needed: Iterable[str]) -> bool:
    """Was the report in this folder made from these inputs, and is every file as it was written?

    needed: files that must be there.
    """
    held = _held(folder)
    if held is None or held["inputs"] != digest or not set(needed) <= set(held["files"]):
        return False
    return not any(changed_files(folder, held["files"]))


def changed_files(folder: Path, files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each file that is not as it was written, and why. files: as `evidence.json` holds them."""
    for name, digest in files.items():
        content = content_of(folder, name)
        if content is None:
            yield name, "is missing"
        elif hashlib.sha256(content).hexdigest() != digest:
            yield name, f"was changed: it is not what {EVIDENCE_FILE} was written beside"


def remove_report(folder: Path) -> None:
    """Remove what `evidence.json` names as written beside it, and then that file; nothing else in the folder.

    Nothing outside of it either, be it by a link within it.
    """
    for name in (_held(folder) or {"files": ()})["files"]:
        if is_within(folder, name):
            (folder / name).unlink()
    (folder / EVIDENCE_FILE).unlink(missing_ok=True)


def content_of(folder: Path, name: str) -> bytes | None:
    """The content of a file of the report; None where there is none, and for one outside of the folder."""
    return (folder / name).read_bytes() if is_within(folder, name) else None


def is_within(folder: Path, name: str) -> bool:
    """Is there a file of this name in the folder, and is it no link out of it?"""
    path = folder / name
    return is_safe(name) and path.is_file() and path.resolve().is_relative_to(folder.resolve())


def other_files(folder: Path, files: Iterable[str]) -> list[str]:
    """What lies where a report's files do, and is none of these, nor hidden: a reader may take it for one."""
    places = (folder.glob("*"), (folder / "tables").rglob("*"), (folder / "figures").rglob("*"))
    names = (path.relative_to(folder).as_posix() for place in places for path in place if not path.is_dir())
    return [name for name in sorted({*names} - {*files, EVIDENCE_FILE}) if not Path(name).name.startswith(".")]


def unsafe_names(files: Iterable[Any]) -> list[str]:
    """Names that no report gives a file of its own: whoever reads or removes what they name would leave its folder."""
    return [str(name) for name in files if not is_safe(str(name))]


def _held(folder: Path) -> dict[str, Any] | None:
    """What `evidence.json` in this folder holds; None where there is none, or it is not as it was written."""
    try:
        held: dict[str, Any] = json.loads((folder / EVIDENCE_FILE).read_text("utf-8"))
        as_written = held.pop("digest") == own_digest(held) and not unsafe_names(dict(held["files"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return held if as_written else None
