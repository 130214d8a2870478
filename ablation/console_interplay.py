"""What `ablation compare` prints on conditions: the sentence, table and ranks of `ablation.evidence.interplay`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablation.console import console, head, say, table
from ablation.evidence.interplay import interplay
from ablation.report import interplay_table
from ablation.report.interplay_wording import sentence, title

if TYPE_CHECKING:
    from ablation.results import Results


def show_interplay(results: Results) -> None:
    """The question, the answer, the analysis of variance, ranks, and what is missing; nothing where nothing varies."""
    told, experiment = interplay(results), results.experiment
    if told is None:
        return
    head(title(told))
    say(sentence(told, experiment))
    heads, rows = interplay_table.headers(told), interplay_table.rows(told)
    if rows:
        made = table(*heads.values(), right=list(heads.values())[1:])
        for row in rows:
            made.add_row(*(row[key] for key in heads))
        console.print(made)
        say(interplay_table.method(told, experiment), "dim")
        say(interplay_table.reading(told), "dim")
        for caution in interplay_table.spread(told):
            say(caution, "yellow")
    say(interplay_table.ranks(told, experiment))
    for note in interplay_table.notes(told, experiment):
        say(note, "yellow")
