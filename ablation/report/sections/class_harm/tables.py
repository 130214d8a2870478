"""A row a recipe with its largest loss, and a row a class under each recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ablation.core.text import NONE, counted, p_text, percent
from ablation.evidence.measures import MeasureEffect
from ablation.report.section import Column, Rows, Table, cells, headings
from ablation.report.sections.class_harm.compute import ClassHarm, RecipeClasses
from ablation.report.sections.class_harm.text import LONGEST, POINTS
from ablation.report.style import shortened
from ablation.report.text import SYMBOL, bounds, interval, signed

MOST_CLASSES = 30
"""Of a recipe, beside those with a shown change."""
OPEN_ROWS = 12
"""A longer table of classes is folded."""


@dataclass(frozen=True)
class ClassRow:
    """A recipe and one of its classes; None without a class that has a difference."""

    harm: ClassHarm
    own: RecipeClasses
    label: int | None

    @property
    def effect(self) -> MeasureEffect | None:
        return None if self.label is None else self.own.effects[self.label]

    @property
    def name(self) -> str:
        return NONE if self.label is None else shortened(self.harm.classes[self.label], LONGEST)

    @property
    def change(self) -> str:
        """With a sign where it is shown."""
        effect = self.effect
        if effect is None or math.isnan(effect.estimate):
            return NONE
        sign = SYMBOL["worse" if effect.estimate < 0 else "better"]
        return f"{f'{sign} ' * effect.shown(self.harm.experiment.alpha)}{signed(effect.estimate, POINTS)}"

    @property
    def span(self) -> str:
        return NONE if self.effect is None else interval(self.effect.low, self.effect.high, POINTS)

    @property
    def p(self) -> str:
        return NONE if self.effect is None else p_text(self.effect.p_adjusted, self.harm.experiment.alpha)

    def recall(self, baseline: bool) -> str:
        """'84.1'"""
        effect = self.effect
        mean = math.nan if effect is None else effect.baseline_mean if baseline else effect.mean
        return NONE if math.isnan(mean) else f"{100 * mean:.1f}"

    @property
    def taken_for(self) -> str:
        """The class that a class with a loss is more often taken for, and by how much: 'tabby +4.2'."""
        if self.label is None or self.effect is None or not self.effect.estimate < 0:
            return NONE
        other = self.own.more_often(self.label)
        return f"{shortened(self.harm.classes[other[0]], 24)} {signed(other[1], POINTS)}" if other else NONE


def tables(harm: ClassHarm) -> tuple[Table, ...]:
    """A row a recipe; then, folded where they are many, its classes."""
    if not harm.judged:
        return ()
    groups = tuple(_classes_of(harm, own) for own in harm.recipes)
    rows = sum(len(group.rows) for group in groups)
    left = max(len(harm.judged) - len(group.rows) for group in groups)
    caption = (
        "Recall in %, its change in points. Taken for: the wrong class that a class with a loss is taken for more "
    )
    caption += "often than before, in points of its images."
    caption += f" Of each recipe the {MOST_CLASSES} largest changes, and what is shown." if left else ""
    folded = f"{counted(rows, 'row')}: the classes under each recipe" if rows > OPEN_ROWS else ""
    words = frozenset({"class", "taken"})
    detail = Table(headings(_class_columns(harm)), groups, caption, words, ("class", "change", "p_holm"), folded=folded)
    return (_summary(harm), detail)


def _summary(harm: ClassHarm) -> Table:
    """How many classes each recipe harms and helps, with the largest loss."""
    alpha, count = harm.experiment.alpha, len(harm.judged)

    def number(own: RecipeClasses, harmed: bool) -> str:
        return NONE if own.note else f"{len(own.shown(alpha, harmed))} of {count:,}"

    def lowest(own: RecipeClasses) -> ClassRow:
        return ClassRow(harm, own, next(iter(own.by_change()), None))

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda own: own.recipe),
        "harmed": ("classes harmed", lambda own: number(own, harmed=True)),
        "helped": ("helped", lambda own: number(own, harmed=False)),
        "class": ("lowest change", lambda own: lowest(own).name),
        "change": ("points", lambda own: lowest(own).change),
        "interval": (f"{percent(1 - alpha)} interval", lambda own: lowest(own).span),
        "p_holm": ("Holm p", lambda own: lowest(own).p),
        "note": ("", lambda own: own.note),
    }
    rows = Rows.of(columns, harm.recipes)
    heads = {key: heading for key, heading in headings(columns).items() if key != "note"}
    over = any(one.over_images for own in harm.recipes for one in own.effects.values())
    caption = (
        f"Of each recipe the class with the lowest change of recall, pooled over all conditions. Tests and intervals "
        f"hold for {counted(harm.family, 'comparison')} of {counted(len(harm.recipes), 'recipe')} and "
        f"{counted(count, 'class', 'classes')} together (Holm, Bonferroni), "
        f"{bounds(harm.experiment, seeds_alone=not over)}."
    )
    return Table(
        heads,
        (rows,),
        caption,
        frozenset({"class"}),
        ("recipe", "harmed", "class", "change"),
        short={"harmed": "harmed"},
    )


def _class_columns(harm: ClassHarm) -> dict[str, Column]:
    return {
        "class": ("class", lambda row: row.name),
        "images": ("images", lambda row: f"{harm.images[row.label]:,}"),
        "before": (shortened(harm.experiment.baseline, 16), lambda row: row.recall(baseline=True)),
        "recall": ("recall", lambda row: row.recall(baseline=False)),
        "change": ("change", lambda row: row.change),
        "interval": (f"{percent(1 - harm.experiment.alpha)} interval", lambda row: row.span),
        "p_holm": ("Holm p", lambda row: row.p),
        "taken": ("taken for", lambda row: row.taken_for),
    }


def _classes_of(harm: ClassHarm, own: RecipeClasses) -> Rows:
    """The classes of a recipe, from the largest loss to the largest gain."""
    alpha, ordered = harm.experiment.alpha, own.by_change()
    largest = sorted(ordered, key=lambda label: -abs(own.effects[label].estimate))[:MOST_CLASSES]
    chosen = {*largest, *own.shown(alpha, harm=True), *own.shown(alpha, harm=False)}
    columns, rows = _class_columns(harm), [ClassRow(harm, own, label) for label in ordered if label in chosen]
    return Rows(tuple(cells(columns, row) for row in rows), own.recipe)
