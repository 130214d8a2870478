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

MOST_LINES = 30
"""Recipes of a table in the order of the experiment; of more, those that harm come first."""
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
    """A row a recipe; then, folded where they are many, a row for each of its classes, the largest changes first."""
    if not harm.judged:
        return ()
    rows = tuple(cells(_class_columns(harm), row) for row in _each_class(harm))
    caption = (
        "Recall in %, its change in points; what is shown comes first, then the largest changes. Taken for: the wrong "
        "class that a class with a loss is taken for more often than before, in points of its images."
    )
    folded = f"{counted(len(rows), 'row')}: every class under each recipe" if len(rows) > OPEN_ROWS else ""
    detail = Table(
        headings(_class_columns(harm)), (Rows(rows),), caption, frozenset({"class", "taken"}),
        keep=("class", "change"), spare=("images", "p_holm", "interval"), folded=folded,
    )  # fmt: skip
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
    rows = Rows.of(columns, _most_harmed(harm))
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
        keep=("harmed", "class", "change"),
        spare=("p_holm", "interval"),
        short={"harmed": "harmed"},
    )


def _most_harmed(harm: ClassHarm) -> list[RecipeClasses]:
    """The recipes as in the experiment.

    Where they are more than a page shows, those that are shown to harm a class come first, then those that are shown to
    help one, each with the largest loss first.
    """
    if len(harm.recipes) <= MOST_LINES:
        return list(harm.recipes)

    def order(own: RecipeClasses) -> tuple[bool, bool, float]:
        lowest = min((own.effects[label].estimate for label in own.by_change()), default=math.inf)
        harms, helps = (own.shown(harm.experiment.alpha, side) for side in (True, False))
        return not harms, not helps, lowest

    return sorted(harm.recipes, key=order)


def _class_columns(harm: ClassHarm) -> dict[str, Column]:
    return {
        "recipe": ("recipe", lambda row: row.own.recipe),
        "class": ("class", lambda row: row.name),
        "change": ("change", lambda row: row.change),
        "recall": ("recall", lambda row: row.recall(baseline=False)),
        "before": ("baseline", lambda row: row.recall(baseline=True)),
        "taken": ("taken for", lambda row: row.taken_for),
        "images": ("images", lambda row: f"{harm.images[row.label]:,}"),
        "interval": (f"{percent(1 - harm.experiment.alpha)} interval", lambda row: row.span),
        "p_holm": ("Holm p", lambda row: row.p),
    }


def _each_class(harm: ClassHarm) -> list[ClassRow]:
    """Every class under each recipe that has a difference: what is shown, then the rest, the largest changes first."""
    alpha = harm.experiment.alpha
    every = [(own, label) for own in harm.recipes for label in own.by_change()]
    every.sort(key=lambda one: (not one[0].effects[one[1]].shown(alpha), -abs(one[0].effects[one[1]].estimate)))
    return [ClassRow(harm, own, label) for own, label in every]
