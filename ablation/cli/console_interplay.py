"""What `ablation compare` prints on conditions: the sentence, tables and ranks of the section `interaction`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from ablation.cli.console import console, head, say, table
from ablation.report.sections.interaction import table as interplay_table
from ablation.report.sections.interaction.compute import interplay
from ablation.report.sections.interaction.text import holds, sentence, title

if TYPE_CHECKING:
    from ablation.experiment.results import Results


def show_interplay(results: Results) -> None:
    """The question, the answer, contrasts, the analysis of variance, ranks, and what is missing; or nothing."""
    told, experiment = interplay(results), results.experiment
    if told is None:
        return
    head(title(told))
    say(sentence(told, experiment))
    say(holds(experiment), "dim")
    contrasts = interplay_table.contrasts(told, experiment)
    if contrasts:
        _show(interplay_table.contrast_headers(told), contrasts, ("recipe", "level", "others"))
        say(interplay_table.contrasts_method(told, experiment), "dim")
    rows = interplay_table.rows(told)
    if rows:
        _show(interplay_table.headers(told), rows, ("term",))
        say(interplay_table.method(told, experiment), "dim")
        say(interplay_table.reading(told), "dim")
    say(interplay_table.ranks(told, experiment))
    for note in interplay_table.notes(told, experiment):
        say(note, "yellow")


def _show(heads: Mapping[str, str], rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> None:
    """A table; the columns of these keys hold names, the others numbers."""
    made = table(*heads.values(), right=[head for key, head in heads.items() if key not in names])
    for row in rows:
        made.add_row(*(Text(row[key]) for key in heads))
    console.print(made)
