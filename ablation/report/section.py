"""Section: the one value in which every part of the report is given, whoever shows it.

A section answers one question. It is computed without drawing: a `Figure` holds the data and the function that draws
it, which imports matplotlib when it is called. HTML (`ablation.report.render`) and the terminal
(`ablation.cli.sections`) show any section; neither knows one by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ablation.report.style import Style


Column = tuple[str, Callable[[Any], str]]
"""The heading of a column, and what makes its cell of whatever a row is about."""


def cells(columns: Mapping[str, Column], item: Any) -> dict[str, str]:
    """The row of an item, key -> cell."""
    return {key: cell(item) for key, (_, cell) in columns.items()}


def headings(columns: Mapping[str, Column]) -> dict[str, str]:
    """Key -> heading."""
    return {key: heading for key, (heading, _) in columns.items()}


MOST_COLUMNS = 7
"""Of a wider table the spare columns stand in one of their own."""

STATISTICS = "Statistics"
"""What those columns are called."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table under one heading: cells by the keys of `Table.headers`. pooled: over all conditions."""

    rows: tuple[Mapping[str, str], ...]
    title: str = ""
    pooled: bool = False

    @classmethod
    def of(cls, columns: Mapping[str, Column], items: Iterable[Any], title: str = "", pooled: bool = False) -> Rows:
        """A row an item."""
        return cls(tuple(cells(columns, item) for item in items), title, pooled)


@dataclass(frozen=True)
class Table:
    """Texts in rows and columns.

    The columns named "recipe" and "verdict" hold recipes and verdicts, and are shown with their colours and signs. A
    cell "note" of a row, which is no column, says what is peculiar about the row.
    """

    headers: Mapping[str, str]
    """Key -> heading of each column, in order. The first column names the rows."""
    groups: tuple[Rows, ...]
    caption: str = ""
    words: frozenset[str] = frozenset()
    """Columns of words, set flush left; all others but the first hold numbers, set flush right."""
    keep: tuple[str, ...] = ()
    """Columns that are shown however narrow the terminal is."""
    spare: tuple[str, ...] = ()
    """Columns that a narrow terminal leaves out first, in this order; the others go from the right."""
    short: Mapping[str, str] = field(default_factory=dict)
    """Key -> a heading for the terminal, where that of the page is long."""
    most: int = 30
    """Rows that a page shows; of a longer table it has the first so many, and the CSV all."""
    folded: str = ""
    """A summary, where the table is detail: a page shows the summary and opens on a click, the terminal on `--all`."""

    def is_words(self, key: str) -> bool:
        """Does this column hold words, and not numbers?"""
        return key in (next(iter(self.headers)), "verdict", *self.words)

    @classmethod
    def of(cls, columns: Mapping[str, Column], items: Iterable[Any], caption: str = "", **options: Any) -> Table:
        """A table of one group, a row an item."""
        return cls(headings(columns), (Rows.of(columns, items),), caption, **options)

    def parts(self) -> tuple[Table, Table | None]:
        """The table as a page shows it, and its statistics: the spare columns of a wide one, beside its first column.

        None for the statistics where all columns are in the first. The notes of rows stay there.
        """
        if len(self.headers) <= MOST_COLUMNS or not self.spare:
            return self, None
        first = next(iter(self.headers))
        aside = {first, *self.spare}
        groups = tuple(replace(group, rows=tuple({**row, "note": ""} for row in group.rows)) for group in self.groups)
        main = replace(self, headers={key: text for key, text in self.headers.items() if key not in self.spare})
        rest = replace(
            self,
            headers={key: text for key, text in self.headers.items() if key in aside},
            groups=groups,
            caption="",
            folded=STATISTICS,
        )
        return main, rest

    def head(self) -> tuple[Table, int]:
        """The table with as many rows as a page shows, and how many were left out; all that is pooled stays."""
        room = self.most - sum(len(group.rows) for group in self.groups if group.pooled)
        groups, left_out = [], 0
        for group in self.groups:
            kept = group.rows if group.pooled else group.rows[: max(room, 0)]
            room -= 0 if group.pooled else len(kept)
            left_out += len(group.rows) - len(kept)
            groups += [replace(group, rows=kept)] if kept else []
        return (replace(self, groups=tuple(groups)), left_out) if left_out else (self, 0)


@dataclass(frozen=True)
class Spot:
    """A point of a drawing that stands for a photograph.

    x, y: fractions of the drawing's width and height, from its upper left corner. picture: which of the photographs;
    one may have several points. words: beside it.
    """

    x: float
    y: float
    picture: int
    words: str


@dataclass(frozen=True)
class Hover:
    """What a page shows beside the pointer: the words and the photograph of the point that is nearest."""

    spots: Callable[[Any, Sequence[Axes]], Sequence[Spot]]
    """Of the figure's data and the axes that it was drawn into, the points; see `ablation.report.style.fractions`."""
    photographs: Callable[[Any], NDArray[np.uint8] | None]
    """Of the figure's data, (K, S, S, 3); None where there are none, so that the words stand alone."""


@dataclass(frozen=True)
class Figure:
    """A figure to be drawn. `draw(data, look, axes)` draws `data` into `axes`, or into new ones, and returns them."""

    data: Any
    """What is drawn; or a function that computes it, where that takes seconds and not all who show a section draw.

    It takes the results of `parts`, where they have been computed already.
    """
    draw: Callable[[Any, Mapping[str, Style]], Axes | Sequence[Axes]]
    alt: str
    """What it shows, in a few words for those who cannot see it."""
    caption: str
    hover: Hover | None = None
    """What is shown beside the pointer, where anything is; `draw` then returns a sequence of axes."""
    remarks: Callable[[Any], Sequence[str]] | None = None
    """Of the data, what to read with care that is known only where it is computed; sentences."""
    parts: tuple[Callable[[], Any], ...] = ()
    """Of its data, what takes a second each and can be computed by another process; they can be pickled."""


@dataclass(frozen=True)
class Strip:
    """A row of photographs side by side in one picture, with words above and below each of its K columns."""

    name: str
    """What the row is: a recipe, which is shown with its colour, or anything else."""
    about: str
    """What else is said of it, beside its name."""
    headings: tuple[str, ...]
    """(K,) above the columns."""
    words: tuple[tuple[str, ...], ...]
    """(K,) lines below the columns."""
    encode: Callable[[], tuple[bytes, str]]
    """Makes the picture: its bytes and its type, 'png' or 'jpeg'."""
    alt: str

    @cached_property
    def picture(self) -> tuple[bytes, str]:
        """What `encode` makes, once for all renderings."""
        return self.encode()


@dataclass(frozen=True)
class Strips:
    """Photographs in rows."""

    rows: tuple[Strip, ...]
    caption: str
    alt: str


@dataclass(frozen=True)
class Section:
    """One question with its answer, tables and figures. What is there to show is shown in the order of the fields."""

    slug: str
    """The name by which a command asks for it: "dose_response"."""
    title: str
    question: str = ""
    """What the tables and figures are about, in a sentence or two."""
    answer: tuple[str, ...] = ()
    """In sentences, each of which can stand alone."""
    figures: tuple[Figure | Strips, ...] = ()
    tables: tuple[Table, ...] = ()
    caution: tuple[str, ...] = ()
    """What a reader could get wrong, or what is missing; a sentence or two each."""
    headline: tuple[str, ...] = ()
    """Sentences that belong into the answer at the top of the page as well, as a harm that is shown."""
    look: Mapping[str, Style] = field(default_factory=dict, repr=False, compare=False)
    """How each recipe is drawn, where the section is shown by itself; a report has one look for all of its own."""

    def __repr__(self) -> str:
        """The title, what was found in a sentence, and what there is to see."""
        import ablation  # the public names: a section knows nothing of how it is shown

        return ablation.text_of(self)

    def _repr_html_(self) -> str:
        import ablation

        return ablation.html_of(self)
