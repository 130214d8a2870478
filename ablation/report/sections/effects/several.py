"""Several experiments in one table, with what differs between them. No test is made across experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ablation.core.text import listing, named, opening, percent
from ablation.evidence.agreement import differences
from ablation.evidence.study import Study
from ablation.report.section import Rows, Section, Table
from ablation.report.sections.effects.headline import headline_of
from ablation.report.sections.effects.table import main_table


def several(studies: Sequence[Study]) -> Section:
    """The effects of each experiment, pooled over its conditions, and in what the experiments differ.

    Raises InputError where they cannot stand in one table (`ablation.evidence.agreement`).
    """
    differing = differences(studies)
    names = [study.experiment.name for study in studies]
    keys = [f"experiment {number}" for number, _ in enumerate(names)]
    table = Table(
        {"what": "", **dict(zip(keys, names, strict=True))},
        (Rows(tuple({"what": one.what, **dict(zip(keys, one.levels, strict=True))} for one in differing)),),
        "All in which the experiments differ; data, split and metric agree.",
        words=frozenset(keys),
        keep=tuple(keys),
    )
    return Section(
        "several",
        f"How do {listing(named(name, recipe=False) for name in names)} compare?",
        "A group of rows for each experiment. Its comparisons are corrected within that experiment alone.",
        tuple(map(_sentence, studies)),
        tables=(_joint(studies), *([table] if differing else [])),
        caution=(
            "No test is made across experiments: two verdicts that differ do not show that the experiments differ. "
            "Declare what varies in one experiment (`vary=`) to have that tested.",
        ),
    )


def _sentence(study: Study) -> str:
    """What one experiment says, in a line: '“cats”: “crop” is better than “none” (+1.1 points of accuracy, ...)'."""
    held = headline_of(study.experiment, study.effects)
    numbers = f" ({named(held.recipe)} {held.number} {held.unit}, {held.interval})" if held.number else ""
    return f"{named(study.experiment.name, recipe=False)}: {opening(held.lead.rstrip('.'))}{numbers}."


def _joint(studies: Sequence[Study]) -> Table:
    """The main tables, one below the other: the rows that are pooled over conditions, or those of the only one."""
    tables = [main_table(study.experiment, study.effects) for study in studies]
    headers = _common_headers(tables)
    groups = tuple(
        Rows(
            tuple({key: row.get(key, "") for key in (*headers, "note")} for row in group.rows),
            " · ".join(
                filter(None, [named(study.experiment.name, recipe=False), group.title, _own_level(study, studies)])
            ),
            group.pooled,
        )
        for study, table in zip(studies, tables, strict=True)
        for group in [group for group in table.groups if group.pooled] or table.groups
    )
    caption = (
        "Each difference is to the baseline of its experiment, on the same test images. Tests, corrections and "
        "intervals are those of the experiment by itself, and every verdict holds as it does there."
    )
    return replace(tables[0], headers=headers, groups=groups, caption=caption)


def _common_headers(tables: Sequence[Table]) -> dict[str, str]:
    """Every column that one of them has, the verdict last; a heading in which they differ has no number."""
    shared = {"interval": "interval", "p_adjusted": "adjusted p"}
    headers: dict[str, str] = {}
    for table in tables:
        for key, head in table.headers.items():
            headers[key] = shared.get(key, head) if headers.get(key, head) != head else head
    return {key: head for key, head in headers.items() if key != "verdict"} | {"verdict": headers["verdict"]}


def _own_level(study: Study, studies: Sequence[Study]) -> str:
    """'80 % intervals', where the experiments differ in it."""
    differ = len({one.experiment.alpha for one in studies}) > 1
    return f"{percent(1 - study.experiment.alpha)} intervals" if differ else ""
