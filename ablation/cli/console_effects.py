"""What `ablation compare` prints of effects: a table for each condition, what stands behind it, and the sentences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from rich.markup import escape

from ablation.analysis.metrics import METRICS
from ablation.cli.console import console, say, table
from ablation.core.text import opening
from ablation.core.values import label
from ablation.evidence.effects import Effect, comparisons, primaries
from ablation.evidence.target import target_of
from ablation.evidence.variance_sources import sources
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text
from ablation.experiment.results import Results
from ablation.report import text as wording
from ablation.report.sections.effects.answer import sentences
from ablation.report.sections.effects.details import detail_headers, details
from ablation.report.sections.effects.table import headers, row
from ablation.report.sections.effects.variance_text import sources_text

EFFECT_COLUMNS = {
    "recipe": "recipe",
    "seeds": "seeds",
    "mean": "mean ± sd",
    "difference": "difference",
    "interval": "interval",
    "p_adjusted": "Holm p",
    "macro_f1": "F1 diff.",
    "failed": "failed",
    "verdict": "verdict",
}
"""What the terminal shows of `row`, with short headings."""

VERDICT_STYLE = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "undecided": "yellow",
    "baseline": "dim",
}


def show_effects(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """The comparison, a block for each condition."""
    if not effects:
        console.print("no finished run to compare")
        return
    known = headers(experiment, effects)
    heads = {key: head for key, head in EFFECT_COLUMNS.items() if key in known} | {"p_adjusted": known["p_adjusted"]}
    _show_blocks(experiment, effects, heads, [row(effect, experiment.alpha) for effect in effects])
    unit = METRICS[experiment.metric].unit
    measure = METRICS[experiment.metric].title + (f" in {unit}" if unit else "")
    first, every = primaries(effects), comparisons(effects)
    say(
        f"{opening(measure)}; difference to {experiment.baseline} by {label(experiment.declared_test)}, "
        f"{target_of(experiment)}. {opening(wording.corrected_by(experiment, first, every - first))}. "
        f"{wording.about_intervals(experiment)}",
        "dim",
    )
    notes: dict[str, dict[str, None]] = {}
    for effect in effects:
        for note in (effect.flag, effect.note):
            notes.setdefault(note, {})[effect.recipe] = None
    for note, recipes in notes.items():
        if note:
            console.print(f"[yellow]{escape(', '.join(recipes))}: {escape(note)}[/]")


def _show_blocks(
    experiment: Experiment, effects: Sequence[Effect], heads: Mapping[str, str], rows: Sequence[Mapping[str, str]]
) -> None:
    """A table for each condition, all with columns of the same width; a verdict in its colour."""
    told = [{key: row[key] for key in heads} for row in rows]
    widths = [max(len(row[key]) for row in [heads, *told]) for key in heads]
    for condition, group in itertools.groupby(zip(effects, told, strict=True), key=lambda pair: pair[0].condition):
        made = table(*heads.values(), right=[head for key, head in heads.items() if key not in ("recipe", "verdict")])
        where = escape(condition_text(condition, experiment))
        made.title, made.title_justify = f"[bold]{'' if condition else 'pooled over '}{where}[/]", "left"
        for key, column, width in zip(heads, made.columns, widths, strict=True):
            column.min_width = None if key == "scores" else width
            column.no_wrap = key != "scores"
        for effect, shown in group:
            cells = {key: escape(text) for key, text in shown.items()}
            if "verdict" in cells:
                cells["verdict"] = f"[{VERDICT_STYLE[effect.verdict]}]{cells['verdict']}[/]"
            made.add_row(*cells.values())
        console.print(made)


def show_details(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """What stands behind each verdict: chances, effect sizes, what is lacking, every seed's score."""
    _show_blocks(experiment, effects, detail_headers(experiment), [details(effect) for effect in effects])


def show_sentences(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """A sentence for each recipe, of the effects that answer the question."""
    told = sentences(experiment, effects)
    if told:
        console.print()
    for text in told:
        say(text, bullet="• ")


def show_sources(results: Results) -> None:
    """Where the variance comes from, in a sentence."""
    found = sources(results)
    if found is not None:
        console.print()
        say(sources_text(found, results.experiment), "dim")
