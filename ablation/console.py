"""The tables that the commands print. Computes nothing: it lays out what `effects` and `runs` say."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablation.data.contents import left_out_words
from ablation.experiment import Cell, Experiment
from ablation.report import wording
from ablation.report.answer import deciding
from ablation.report.details import detail_headers, details
from ablation.report.sentences import sentence
from ablation.values import label

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.results import Results

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)

EFFECT_COLUMNS = {
    "recipe": "recipe",
    "seeds": "seeds",
    "mean": "mean ± sd",
    "difference": "difference",
    "interval": "interval",
    "new": "new photos",
    "p_adjusted": "Holm p",
    "macro_f1": "F1 diff.",
    "verdict": "verdict",
}
"""What the terminal shows of `wording.row`, with short headings."""

VERDICT_STYLE = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "undecided": "yellow",
    "baseline": "dim",
}
STATUS_STYLE = {
    "finished": "green",
    "failed": "bold red",
    "diverged": "red",
    "running": "cyan",
    "interrupted": "yellow",
}


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table in the house style."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    return made


def names_of(cells: Sequence[Cell]) -> dict[str, str]:
    """Run id -> what people call the run: 'crop · adam · seed 0', by its first name where it has several."""
    names: dict[str, str] = {}
    for cell in cells:
        names.setdefault(cell.spec.id, " · ".join([*cell.factors.values(), f"seed {cell.seed}"]))
    return names


def show_experiments(rows: Sequence[tuple[str, str, str]]) -> None:
    """A line an experiment: name, number of runs, question."""
    made = table("experiment", "runs", "question", right=("runs",))
    for row in rows:
        made.add_row(*map(escape, row))
    console.print(made)


def show_left_out(count: int) -> None:
    """Said below every table: files that `SkipBad` left out."""
    if count:
        console.print(f"[yellow]{left_out_words(count)}[/]")


def show_grid(cells: Sequence[Cell], statuses: Mapping[str, str]) -> None:
    """Every cell with its id and status."""
    made = table("run", "recipe", *[factor for factor in cells[0].factors if factor != "recipe"], "seed", "status")
    for cell in cells:
        status = statuses[cell.spec.id]
        levels = [escape(level) for level in cell.factors.values()]
        made.add_row(cell.spec.id, *levels, str(cell.seed), f"[{STATUS_STYLE.get(status, 'dim')}]{status}[/]")
    console.print(made)


def show_status(results: Results, command: str) -> None:
    """How many runs of each recipe stand how, and why runs failed."""
    runs = results.table.drop_duplicates("id")
    counts = Counter(zip(results.table["recipe"], results.table["status"], strict=True))
    statuses = [status for status in (*STATUS_STYLE, "planned") if any(status == counted for _, counted in counts)]
    made = table("recipe", *statuses, right=statuses)
    for recipe in results.experiment.recipes:
        numbers = [f"[{STATUS_STYLE.get(status, 'dim')}]{counts[recipe, status] or '·'}[/]" for status in statuses]
        made.add_row(escape(recipe), *numbers)
    console.print(made)
    _show_changes(results)
    names = names_of(results.cells)
    for row in runs[runs["status"].isin(["failed", "diverged"])].to_dict("records"):
        reason = row["reason"] if row["status"] == "failed" else f"diverged at step {row['diverged_step']:.0f}"
        console.print(f"[red]{row['id']}[/]  {escape(names[row['id']])}: {escape(reason)}", soft_wrap=True)
    show_left_out(results.left_out)
    done = int(runs["status"].isin(["finished", "diverged"]).sum())
    console.print(f"{done} of {len(runs)} runs done, in {results.root}")
    if done < len(runs) and not (runs["status"] == "running").any():
        console.print(f"to train the rest: [bold]{command}[/]")


def _show_changes(results: Results) -> None:
    """What each operation did to the pictures of the first epoch, over the runs that have ended; flagged where
    nothing."""
    changes = results.changes()
    if changes.empty:
        return
    made = table("recipe", "operation", "images changed", "mean change", right=("images changed", "mean change"))
    last = ""
    for row in changes.to_dict("records"):
        idle = "  [bold red]changed nothing[/]" if row["idle"] else ""
        share, change = wording.changed(row["share_changed"], row["mean_change"])
        made.add_row(escape(row["recipe"] if row["recipe"] != last else ""), f"{row['operation']}{idle}", share, change)
        last = row["recipe"]
    console.print("first epoch, mean over runs and pixels")
    console.print(made)


def show_effects(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """The comparison, a block for each condition."""
    if not effects:
        console.print("no finished run to compare")
        return
    heads = EFFECT_COLUMNS | {"p_adjusted": wording.headers(experiment)["p_adjusted"]}
    _show_blocks(experiment, effects, heads, [wording.row(effect) for effect in effects])
    unit = wording.UNIT[experiment.metric]
    measure = wording.NAME[experiment.metric] + (f" in {unit}" if unit else "")
    compared = sum(effect.tested for effect in effects)
    console.print(
        f"[dim]{measure}; difference to {escape(experiment.baseline)} by {label(experiment.declared_test)} over seeds; "
        f"{wording.corrected_by(experiment, compared)}[/]"
    )
    notes: dict[str, dict[str, None]] = {}
    for effect in effects:
        for note in (effect.flag, effect.note):
            notes.setdefault(note, {})[effect.recipe] = None
    for note, recipes in notes.items():
        if note:
            console.print(f"[yellow]{escape(', '.join(recipes))}: {note}[/]")


def _show_blocks(
    experiment: Experiment, effects: Sequence[Effect], heads: Mapping[str, str], rows: Sequence[Mapping[str, str]]
) -> None:
    """A table for each condition, all with columns of the same width; a verdict in its colour."""
    told = [{key: row[key] for key in heads} for row in rows]
    widths = [max(len(row[key]) for row in [heads, *told]) for key in heads]
    for condition, group in itertools.groupby(zip(effects, told, strict=True), key=lambda pair: pair[0].condition):
        made = table(*heads.values(), right=[head for key, head in heads.items() if key not in ("recipe", "verdict")])
        where = escape(wording.condition_text(condition, experiment))
        made.title, made.title_justify = f"[bold]{'' if condition else 'pooled over '}{where}[/]", "left"
        for column, width in zip(made.columns, widths, strict=True):
            column.min_width = width
        for effect, row in group:
            cells = {key: escape(text) for key, text in row.items()}
            if "verdict" in cells:
                cells["verdict"] = f"[{VERDICT_STYLE[effect.verdict]}]{cells['verdict']}[/]"
            made.add_row(*cells.values())
        console.print(made)


def show_details(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """What stands behind each verdict: chances, effect sizes, what is lacking, every seed's score."""
    _show_blocks(experiment, effects, detail_headers(experiment), [details(effect) for effect in effects])


def show_sentences(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """A sentence for each recipe, of the effects that answer the question."""
    told = [sentence(effect, effects, experiment) for effect in deciding(effects)]
    if told:
        console.print()
    for text in told:
        console.print(f"• {escape(wording.tied(text))}")
