"""What `ablation compare` prints on conditions: the sentence, table and ranks of `ablation.evidence.interplay`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from ablation.console import console, table
from ablation.evidence.interplay import interplay
from ablation.report import interplay_table
from ablation.report.interplay_wording import sentence, title
from ablation.report.wording import tied

if TYPE_CHECKING:
    from ablation.results import Results


def show_interplay(results: Results) -> None:
    """The question, the answer, the analysis of variance, ranks, and what is missing; nothing where nothing varies."""
    told, experiment = interplay(results), results.experiment
    if told is None:
        return
    _say(title(told), "bold")
    _say(sentence(told, experiment))
    heads, rows = interplay_table.headers(told), interplay_table.rows(told)
    if rows:
        made = table(*heads.values(), right=list(heads.values())[1:])
        for row in rows:
            made.add_row(*(row[key] for key in heads))
        console.print(made)
        _say(interplay_table.method(told, experiment), "dim")
        _say(interplay_table.reading(told), "dim")
        for caution in interplay_table.spread(told):
            _say(caution, "yellow")
    _say(interplay_table.ranks(told, experiment))
    for note in interplay_table.notes(told, experiment):
        _say(note, "yellow")


def _say(text: str, style: str = "") -> None:
    """Set in lines of the console's width. Not by rich, which ends a line between '95' and '%' too."""
    for line in textwrap.wrap(tied(text), console.width, break_on_hyphens=False):
        console.print(Text(line.replace("\u00a0", " "), style), soft_wrap=True)
