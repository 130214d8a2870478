"""What effects, results and sections show of themselves: a few lines of text, and HTML for a notebook.

They look these two functions up among the public names, as whoever computes knows nothing of how it is shown. The HTML
is a report's own: its templates, which escape every name, its tables, and its drawings.
"""

from __future__ import annotations

import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ablation.core.safe import one_line
from ablation.core.text import bare, counted, first_sentence, listing, named, out_of, plain, to_ascii
from ablation.evidence.comparisons import Effects
from ablation.evidence.effects import Effect
from ablation.experiment.results import Results
from ablation.report.section import Column, Figure, Rows, Section, Table
from ablation.report.sections.effects.table import main_table
from ablation.report.sections.effects.text import deciding, lead
from ablation.report.style import GREY, Style, styles
from ablation.report.text import (
    MOST_NAMED,
    difference_text,
    heading,
    interval_text,
    unit_text,
    value_text,
    verdict_text,
)

WIDTH = 80
"""Columns of the text."""

MOST_RECIPES = 7
"""Lines of recipes: with the answer and what the numbers are, a dozen."""

Shown = Effects | Results | Section


def text_of(value: Shown) -> str:
    """Return what effects, results or a section show of themselves on a terminal: a dozen lines at most.

    value: what `compare` returns, a `Results`, or what `section` returns. Lines are joined by line feeds, without one
    at the end; they hold no character that could control a terminal, and what standard output cannot encode is spelled
    in ASCII. Raises TypeError for any other value.

    >>> print(text_of(section(results, "split_analysis")).split(":")[0])
    Section split_analysis
    """
    text = "\n".join(one_line(line) for line in _LINES[_kind(value)](value))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return to_ascii(text)
    return text


def html_of(value: Shown) -> str:
    """Return what effects, results or a section show of themselves in a notebook, for a page of your own.

    value: what `compare` returns, a `Results`, or what `section` returns. It is a `<div class="ablation">` with its own
    style, figures as inline SVG, no script and nothing to fetch; every name in it is escaped. Raises TypeError for any
    other value.

    >>> html_of(compare(results)).startswith('<div class="ablation"')
    True
    """
    return _html(_SECTIONS[_kind(value)](value))


def _kind(value: object) -> type:
    for kind in _LINES:
        if isinstance(value, kind):
            return kind
    raise TypeError(
        f"{type(value).__name__}: expected what compare(results) or section(results, ...) gives, or Results"
    )


def _effects_lines(effects: Effects) -> Iterator[str]:
    """The answer, a line a recipe that answers, and what the numbers are."""
    experiment = effects.experiment
    yield from textwrap.wrap(plain(lead(experiment, effects)), WIDTH)[:3]
    answering = deciding(effects)
    shown = answering if len(answering) <= MOST_RECIPES + 1 else answering[:MOST_RECIPES]
    rows = [_effect_cells(effect) for effect in shown]
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    for name, *numbers, verdict in rows:
        yield "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:]), verdict])
    left = len(answering) - len(shown)
    yield from [f"... and {counted(left, 'recipe')} more: to_frame() has all"] * (left > 0)
    if answering:
        conditions = len({tuple(effect.condition.items()) for effect in effects if not effect.pooled})
        first = answering[0]
        under = f"{'' if first.pooled else 'under '}{plain(heading(first.condition, conditions, experiment))}"
        yield f"Differences in {unit_text(experiment.metric)} with simultaneous intervals, {under}"


def _effect_cells(effect: Effect) -> tuple[str, ...]:
    name = one_line(effect.recipe)
    short = name if len(name) <= 28 else f"{name[:14]}…{name[-13:]}"
    return short, difference_text(effect), f"[{interval_text(effect)}]", verdict_text(effect)


def _results_lines(results: Results) -> Iterator[str]:
    """Five lines."""
    for name, fact in _facts(results).items():
        yield f"{name}: {plain(fact)}"


def _facts(results: Results) -> dict[str, str]:
    """What a person asks first of results: name -> an answer in a line."""
    experiment = results.experiment
    runs = results.frame.drop_duplicates("id")
    finished = int((runs["status"] == "finished").sum())
    grid = [
        counted(len(levels), factor.replace("_", " "))
        for factor, levels in experiment.factors.items()
        if factor == "recipe" or len(levels) > 1
    ]
    grid.append(counted(len(experiment.seed_numbers), "seed"))
    data = [counted(results.images, "image")] * bool(results.images) + [
        counted(len(results.classes), "class", "classes")
    ]
    missing = Counter(runs["status"])
    del missing["finished"]
    lacks = [f"{count:,} {status}" for status, count in missing.most_common()]
    return {
        experiment.name: f"{out_of(finished, len(runs), 'run')} finished",
        "grid": f"{' × '.join(grid)}; baseline {named(experiment.baseline)}",
        experiment.metric: _scores(results),
        "runs": f"{results.folder}, of {' of '.join(data)}",
        "missing": listing(lacks) if lacks else "nothing",
    }


def _scores(results: Results) -> str:
    """The range of the scores, and the mean of each recipe where they are few."""
    metric, finished = results.experiment.metric, results.finished
    if finished.empty:
        return "no run has finished"
    low, high, mean = (value_text(float(finished[metric].agg(how)), metric) for how in ("min", "max", "mean"))
    span = f"{low} to {high}, mean {mean}"
    means = finished.groupby("recipe", sort=False)[metric].mean()
    if not 1 < len(means) <= MOST_NAMED:
        return span
    return f"{span}; {', '.join(f'{named(str(name))} {value_text(mean, metric)}' for name, mean in means.items())}"


def _section_lines(section: Section) -> Iterator[str]:
    """The title, what was found in a sentence, and what there is to see."""
    yield f"Section {section.slug}: {bare(section.title)}"
    for text in section.answer[:1]:
        yield from textwrap.wrap(plain(first_sentence(text)[0]), WIDTH, initial_indent="  ", subsequent_indent="  ")[:3]
    figures, tables = counted(len(section.figures), "figure"), counted(len(section.tables), "table")
    yield f"  {figures}, {tables}"


def _shown_effects(effects: Effects) -> Section:
    """The answer and the main table."""
    experiment = effects.experiment
    table = replace(main_table(experiment, effects), most=1000)
    answer = (lead(experiment, effects),)
    look = styles(experiment.recipes, experiment.baseline)
    return Section("effects", f"Effects of {named(experiment.name, recipe=False)}", "", answer, (), (table,), look=look)


def _shown_results(results: Results) -> Section:
    """The five lines as a table, then the mean of each recipe under each condition."""
    experiment, metric = results.experiment, results.experiment.metric
    columns: dict[str, Column] = {"what": ("", lambda fact: fact[0]), "text": ("", lambda fact: fact[1])}
    facts = Table.of(columns, _facts(results).items(), words=frozenset({"text"}))
    tables = [facts]
    finished = results.finished
    others = [factor for factor, levels in experiment.factors.items() if factor != "recipe" and len(levels) > 1]
    if not finished.empty and others:
        means = finished.pivot_table(metric, "recipe", others, sort=False)
        names = [", ".join(map(str, np.atleast_1d(np.array(name, object)))) for name in means.columns]
        headers = {"recipe": "recipe"} | {f"condition {at}": name for at, name in enumerate(names)}
        rows = [
            dict(zip(headers, [str(recipe), *(value_text(mean, metric) for mean in line)], strict=True))
            for recipe, line in zip(means.index, means.to_numpy(float), strict=True)
        ]
        tables.append(Table(headers, (Rows(tuple(rows)),), "Means over the seeds that finished.", most=1000))
    look = styles(experiment.recipes, experiment.baseline)
    title = f"Results of {named(experiment.name, recipe=False)}"
    return Section("results", title, tables=tuple(tables), look=look)


def _html(section: Section) -> str:
    """The section by a report's templates."""
    from markupsafe import Markup

    from ablation.report.render.drawings import drawn_with
    from ablation.report.render.html import environment, parts_of_a_page

    look: Mapping[str, Style] = section.look or defaultdict(lambda: Style(GREY))
    drawings = [
        drawn_with(figure, look, f"{section.slug}-{number}", (), None) if isinstance(figure, Figure) else None
        for number, figure in enumerate(section.figures, 1)
    ]
    css = environment().get_template("render/page.css").render().replace(":root", "&")
    template = environment().get_template("render/notebook.html")
    return template.render(
        **parts_of_a_page(look, ()), section=section, drawings={section.slug: drawings}, css=Markup(css)
    )


_LINES: dict[type, Callable[[Any], Iterator[str]]] = {
    Effects: _effects_lines,
    Results: _results_lines,
    Section: _section_lines,
}
_SECTIONS: dict[type, Callable[[Any], Section]] = {
    Effects: _shown_effects,
    Results: _shown_results,
    Section: lambda section: section,
}
