"""The page of `ablation check`: one HTML file that shows what was found in a data set, with its photographs.

The words are those of `ablation.report.data_check.text`, the contents those of `ablation.report.data_check.page`.
"""

from __future__ import annotations

import os

from ablation.core.text import opening
from ablation.core.values import label
from ablation.data.check import Check
from ablation.report.data_check.findings import findings, name_of, verdict
from ablation.report.data_check.page import Table, view
from ablation.report.render.digest import META
from ablation.report.render.html import environment


def render_check(found: Check, digest: str = "") -> str:
    """The page. digest: of what it is made from, kept in a meta tag (see `ablation.report.render.digest`)."""
    told = findings(found)
    return (
        environment()
        .get_template("data_check/check.html")
        .render(
            name=name_of(found.source),
            source=label(found.source),
            verdict=verdict(found),
            level=told[0].level if told else "note",
            opening=opening,
            findings=[finding for finding in told if finding.about != "study"],
            study=[finding for finding in told if finding.about == "study"],
            bad=_bad(found),
            listing=found.listing,
            shown=None if found.listing is None else view(found, found.listing),
            meta=META,
            digest=digest,
        )
    )


def _bad(found: Check) -> Table:
    """Every file that cannot be used, told from the folder on that they share."""
    wheres = [problem.where for problem in found.bad]
    shared = os.path.commonpath([os.path.dirname(where) for where in wheres]) if wheres else ""
    start = len(shared) + 1 if shared not in ("", os.sep) else 0
    rows = [(problem.where[start:], problem.message.removeprefix("cannot be decoded: ")) for problem in found.bad]
    return Table(("file", "why it cannot be used"), rows, f"All in {shared}." if start else "")
