"""The panel that a terminal shows while a sweep runs: values in, text out. Knows neither clock nor events.

It fits the width and the height of the terminal: where there is no room, lines of runs and of recipes give way, and how
many is said.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablation.core.safe import one_line
from ablation.core.text import counted, duration, to_ascii

LEAST_NAME = 24
"""Columns that the name of a run has at least, before what it trains per second is left out."""

ELLIPSIS = "…"

SEPARATOR = " · "
"""Between a run's recipe and its other levels (`ablation.experiment.labels.names_of`)."""

GAP = 2
"""Columns between two of the panel's."""

ELSE = 6
"""Lines of a terminal that are not runs or recipes: two borders, counts, bar, and two of what was printed before."""


class Training(NamedTuple):
    """A run that is being trained. rate: images per second. left: seconds; None where that is not known."""

    name: str
    epoch: int
    epochs: int
    rate: float
    left: float | None


class Best(NamedTuple):
    """Of a recipe: its highest mean of the validation accuracy, of which condition, and of how many runs."""

    recipe: str
    accuracy: float
    condition: str
    runs: int


class State(NamedTuple):
    """What there is to show. left: seconds that all runs still take; None where that is not known. behind: runs that
    MLflow lacks."""

    title: str
    done: int
    total: int
    wrong: Mapping[str, int]
    training: Sequence[Training]
    best: Sequence[Best]
    share: float
    left: float | None
    behind: int
    ellipsis: str = ELLIPSIS
    separator: str = SEPARATOR


def panel(state: State, width: int, height: int, encoding: str = "utf-8") -> RenderableType:
    """The panel for a terminal of so many columns and lines. encoding: by one that is not UTF, names are in ASCII."""
    if not encoding.startswith("utf"):
        state = _spelled(state)
    inner, lines = width - 4, max(2, height - ELSE)
    grid = Table.grid()
    counts = packed(_counts(state), inner)
    for line in counts:
        grid.add_row(line)
    grid.add_row(ProgressBar(total=1.0, completed=state.share, width=inner))
    lines -= len(counts) - 1
    for_best = min(len(state.best) + 1, lines - min(len(state.training), lines // 2)) if state.best else 0
    for_best = for_best if for_best > 1 else 0
    for text in _cut(_runs(state, inner), lines - for_best, "run", inner):
        grid.add_row(text)
    if for_best:
        grid.add_row(Text("best mean validation accuracy so far (no verdict)", "dim"))
        for text in _cut(_recipes(state, inner), for_best - 1, "recipe", inner):
            grid.add_row(text)
    return Panel(grid, title=Text(one_line(state.title)), title_align="left", border_style="dim", width=width)


def time_left(seconds: float | None) -> str:
    """'about 4 min left'; '' where it is not known."""
    if seconds is None:
        return ""
    return f"about {duration(seconds)} left" if seconds >= 1 else "about 1 s left"


def packed(parts: Sequence[Text], width: int) -> list[Text]:
    """The parts on as few lines of this width as hold them, none of them broken."""
    lines: list[list[Text]] = [[]]
    for part in parts:
        if lines[-1] and sum(one.cell_len + 3 for one in lines[-1]) + part.cell_len > width:
            lines.append([])
        lines[-1].append(part)
    return [Text("   ").join(line) for line in lines]


def _spelled(state: State) -> State:
    """The same in ASCII, before it is laid out: some signs take several letters then."""
    return state._replace(
        title=to_ascii(state.title),
        training=[one._replace(name=to_ascii(one.name)) for one in state.training],
        best=[one._replace(recipe=to_ascii(one.recipe), condition=to_ascii(one.condition)) for one in state.best],
        ellipsis=to_ascii(ELLIPSIS),
        separator=to_ascii(SEPARATOR),
    )


def shortened(names: Sequence[str], width: int, ellipsis: str = ELLIPSIS) -> list[str]:
    """The names with at most `width` characters each, of those that are longer what they differ in is kept.

    >>> shortened(["crop", "a very long recipe with 0.25 of it", "a very long recipe with 0.50 of it"], 16)
    ['crop', 'a very …0.25 of…', 'a very …0.50 of…']
    """
    long = [name for name in names if len(name) > width]
    distinct = sorted(set(long))
    prefix = distinct[0][: _alike(distinct[0], distinct[-1])] if len(distinct) > 1 else ""  # sorted: so do all begin
    prefix = prefix[: max(prefix.rfind(sign) for sign in " _-·/,(=") + 1]  # a number or a word is kept whole
    return [name if len(name) <= width else _shortened(name, len(prefix), width, ellipsis) for name in names]


def _alike(first: str, last: str) -> int:
    """With how many characters both begin."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return sum(1 for _ in same)


def _shortened(name: str, same: int, width: int, ellipsis: str) -> str:
    """same: so many characters at the beginning are those of the other long names, too."""
    rest, room = name[same:], width - len(ellipsis)
    if not same or width < 12:  # names often differ at their ends
        return f"{name[: room // 2]}{ellipsis}{name[len(name) - (room - room // 2) :]}"
    head = max(width // 2 - 1, room - len(rest))
    if head + len(rest) <= room:
        return f"{name[:head]}{ellipsis}{rest}"
    return f"{name[:head]}{ellipsis}{rest[: max(0, room - head - len(ellipsis))]}{ellipsis}"


def _counts(state: State) -> list[Text]:
    parts = [Text.assemble((f"{state.done:,}", "bold green"), f" of {counted(state.total, 'run')} done")]
    parts += [Text(f"{len(state.training):,} running")] if state.training else []
    parts += [Text(f"{number:,} {name}", "bold red") for name, number in state.wrong.items() if number]
    if rate := sum(one.rate for one in state.training):
        parts.append(Text(f"{rate:,.0f} images/s"))
    if (left := time_left(state.left)) and state.training:
        parts.append(Text(left))
    if state.behind:
        parts.append(Text(f"MLflow: {counted(state.behind, 'run')} behind", "yellow"))
    return parts


def _runs(state: State, width: int) -> list[Text]:
    """A line for each run: its name, epoch 5 of 6, images/s, time left."""
    training = state.training
    epochs = [f"epoch {one.epoch} of {one.epochs}" for one in training]
    lefts = [time_left(one.left).removeprefix("about ") for one in training]
    rates = [f"{one.rate:,.0f} images/s" if one.rate else "" for one in training]
    names = [one_line(one.name) for one in training]
    widths = [max(map(len, column), default=0) for column in (epochs, rates, lefts)]
    room = width - sum(widths) - 3 * GAP
    if room < min(max(map(len, names), default=0), LEAST_NAME):
        room, rates, widths[1] = room + widths[1] + GAP, [""] * len(rates), -GAP
    room = max(room, 1)
    lines = []
    for name, epoch, rate, left in zip(_short_names(names, room, state), epochs, rates, lefts, strict=True):
        columns = f"{epoch:>{widths[0] + GAP}}"
        columns += f"{rate:>{widths[1] + GAP}}" if widths[1] >= 0 else ""
        lines.append(Text.assemble((f"{name:<{room}}", "dim"), columns, f"{left:>{widths[2] + GAP}}"))
    return lines


def _short_names(names: Sequence[str], width: int, state: State) -> list[str]:
    """The names of runs, of which the recipe alone is shortened where that is enough."""
    recipes, others = zip(*(name.partition(state.separator)[::2] for name in names), strict=True) if names else ((), ())
    room = width - max((len(state.separator) + len(other) for other in others if other), default=0)
    if room < min(12, max(map(len, recipes), default=0)):
        return shortened(names, width, state.ellipsis)
    short = shortened(recipes, room, state.ellipsis)
    return [state.separator.join(filter(None, pair)) for pair in zip(short, others, strict=True)]


def _recipes(state: State, width: int) -> list[Text]:
    """A line for each recipe, in the order of the experiment: ranks would be taken for a result."""
    best = state.best
    of = [one_line(", ".join(filter(None, (one.condition, counted(one.runs, "run"))))) for one in best]
    names = [one_line(one.recipe) for one in best]
    room = min(max(map(len, names)), max(8, width // 2 - 8))
    beside = width - room - 2 * GAP - 7
    return [
        Text.assemble(f"{name:<{room}}", f"{one.accuracy:>{GAP + 7}.1%}", (f"  {words}", "dim"))
        for one, name, words in zip(
            best, shortened(names, room, state.ellipsis), shortened(of, beside, state.ellipsis), strict=True
        )
    ]


def _cut(lines: Sequence[Text], most: int, noun: str, width: int) -> list[Text]:
    """At most so many of the lines, the last one of which says how many are not shown."""
    if len(lines) > most:
        lines = [*lines[: most - 1], Text(f"and {counted(len(lines) - most + 1, f'other {noun}')}", "dim")]
    for line in lines:
        line.no_wrap, line.overflow = True, "crop"
        line.truncate(width)
    return list(lines)
