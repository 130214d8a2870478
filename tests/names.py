"""Names in the texts of a section: whether each that a user gave is marked as one, once, and no cell is."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ablation.core.text import bare, name_spans
from ablation.report.section import Section, Strips, Table


def unmarked(section: Section) -> Section:
    """The section as its words are read, without the marks of names in its sentences and captions."""

    def of(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(bare, texts))

    return replace(
        section,
        question=bare(section.question),
        answer=of(section.answer),
        caution=of(section.caution),
        headline=of(section.headline),
        figures=tuple(replace(figure, caption=bare(figure.caption)) for figure in section.figures),
        tables=tuple(_unmarked(table) for table in section.tables),
    )


def _unmarked(table: Table) -> Table:
    groups = tuple(replace(group, title=bare(group.title)) for group in table.groups)
    return replace(table, caption=bare(table.caption), folded=bare(table.folded), groups=groups)


def sentences(section: Section) -> Iterator[str]:
    """Every text in which a name is to be marked."""
    yield from (section.title, section.question, *section.answer, *section.caution, *section.headline)
    yield from (figure.caption for figure in section.figures)
    for table in section.tables:
        yield from (table.caption, table.folded, *(group.title for group in table.groups))
        yield from (row.get("note", "") for group in table.groups for row in group.rows)


def labels(section: Section) -> Iterator[str]:
    """Every text in which no name is to be marked: cells, headings of columns, and what is read aloud."""
    for table in section.tables:
        yield from table.headers.values()
        yield from (row[key] for group in table.groups for row in group.rows for key in table.headers)
    for figure in section.figures:
        yield figure.alt
        if isinstance(figure, Strips):
            for row in figure.rows:
                yield from (row.name, row.alt, *row.headings, *(line for lines in row.words for line in lines))


def wrongly_marked(section: Section, names: Iterable[str]) -> list[str]:
    """The texts in which one of these names has no mark, or two, or has one where it stands by itself."""
    wrong = [text for text in labels(section) if bare(text) != text]
    for text in sentences(section):
        rest = "".join(part for part, is_name in name_spans(text) if not is_name)
        if re.search("[\u2068\u2069]", rest) or any(re.search(rf"\b{re.escape(name)}\b", rest) for name in names):
            wrong.append(text)
    return wrong
