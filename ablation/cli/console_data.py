"""What the commands on data print: the verdict of a check on one screen, and the list of caches. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from ablation.cli.console import console, table
from ablation.data.cached import Cached
from ablation.data.check import Check
from ablation.report.data_check.findings import findings, moments_line, verdict

_MOST_CLASSES = 16  # with more, the eight largest and the eight smallest are shown
_MOST_BAD = 10
_BAR = 28  # characters of the largest class
_STYLE = {"error": "bold red", "warning": "yellow", "note": "default"}
_SIGN = {"error": "✗", "warning": "!", "note": "·"}


def show_check(name: str, found: Check) -> None:
    """The data as it was named, the verdict, the classes, what is typical, and every finding with its advice."""
    worst = findings(found)[0].level if findings(found) else "note"
    color = {"error": "bold red", "warning": "bold yellow", "note": "bold green"}[worst]
    console.print(f"{escape(name)}: [{color}]{escape(verdict(found))}[/]\n")
    if found.listing is not None:
        _show_classes(found)
        _show_facts(found)
    for problem in found.bad[:_MOST_BAD]:
        console.print(f"[red]{escape(str(problem))}[/]", soft_wrap=True)
    if len(found.bad) > _MOST_BAD:
        console.print(f"[red]... and {len(found.bad) - _MOST_BAD} more, all in check.html[/]")
    for finding in findings(found):
        sign, style = _SIGN[finding.level], _STYLE[finding.level]
        made = Table.grid(padding=(0, 1))
        advice = f"\n[dim]{escape(finding.advice)}[/]" if finding.advice else ""
        made.add_row(f"[{style}]{sign}[/]", f"[{style}]{escape(finding.text)}[/]{advice}")
        console.print(made)
    console.print()


def _show_classes(found: Check) -> None:
    assert found.listing is not None
    names, counts, parts = found.listing.classes, found.counts, found.part_counts
    shown: Sequence[int] = range(len(names))
    if len(names) > _MOST_CLASSES:
        order = np.argsort(-counts, kind="stable")
        shown = [*order[: _MOST_CLASSES // 2].tolist(), *order[-_MOST_CLASSES // 2 :].tolist()]
    made = table("class", "images", *parts, "", right=("images", *parts))
    for place, row in enumerate(shown):
        if len(names) > _MOST_CLASSES and place == _MOST_CLASSES // 2:
            made.add_row(f"[dim]... {len(names) - _MOST_CLASSES} classes between[/]")
        bar = "█" * max(1, round(_BAR * counts[row] / counts.max()))
        of_part = [f"{here[row]:,}" for here in parts.values()]
        made.add_row(escape(names[row]), f"{counts[row]:,}", *of_part, f"[cyan]{bar}[/]")
    console.print(made)


def _show_facts(found: Check) -> None:
    data = found.listing
    assert data is not None
    width, height = data.traits["width"], data.traits["height"]
    middle = f"{np.median(width):.0f} x {np.median(height):.0f}"
    least, most = (f"{of(width):,} x {of(height):,}" for of in (np.min, np.max))
    facts = {
        "images": f"{len(data.labels):,} of {len(data.classes)} classes, {found.imbalance:.2f} to 1",
        "size": f"{middle} (median width x height), from {least} to {most}" if least != most else least,
        "files": "; ".join(filter(None, (_tallied(found.formats), _tallied(found.modes)))),
        "mean, std": moments_line(found),
    }
    made = Table.grid(padding=(0, 2))
    for fact, text in facts.items():
        if text:
            made.add_row(f"[dim]{fact}[/]", escape(text))
    console.print(made)
    console.print()


def _tallied(counts: Mapping[str, int]) -> str:
    """'JPEG 2,151, GIF 5'."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def show_cached(entries: Sequence[Cached], root: Path) -> None:
    """A line for each cache, and the sum."""
    if not entries:
        console.print(f"nothing is cached in {root}", markup=False)
        return
    made = table("name", "images", "side", "MB", "made", "source", right=("images", "side", "MB"))
    for entry in entries:
        size = f"{entry.bytes / 1e6:,.1f}"
        made.add_row(entry.name, f"{entry.images:,}", str(entry.size), size, entry.made, escape(entry.source))
    console.print(made)
    console.print(f"{sum(entry.bytes for entry in entries) / 1e6:,.1f} MB in {root}", markup=False)
