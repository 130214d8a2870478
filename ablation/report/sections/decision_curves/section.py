"""Decision curves and the areas under them, as a section: sentences, tables and two figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.decision import RANGE
from ablation.core.text import MINUS, NONE, p_text, percent
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.report.section import Column, Figure, Rows, Section, Table, cells, headings
from ablation.report.sections.decision_curves.compute import CurvesInfo, Decisions, RecipeAreas, curves_of, decisions_of
from ablation.report.sections.decision_curves.figure import draw_curves, draw_differences
from ablation.report.sections.decision_curves.text import UNIT, answer, number, span, verdict
from ablation.report.text import MOST_NAMED

TITLE = "Whose decisions are worth most?"


def decision_curves(study: Study) -> Section | None:
    """None where no run has finished, or nothing stands beside the baseline."""
    decisions = decisions_of(study)
    if decisions is None:
        return None
    return Section(
        "decision_curves",
        TITLE,
        "A decision curve: act where the probability is at least a threshold t; a false alarm costs "
        f"t / (1 {MINUS} t) hits. Is the area under a recipe's curve larger than that of {study.experiment.baseline}, "
        "as trained and with temperature-scaled probabilities?",
        answer(decisions),
        figures(study, decisions),
        (table(decisions), details(decisions)),
        caution(decisions),
    )


def caution(decisions: Decisions) -> tuple[str, ...]:
    """What a reader could get wrong."""
    return (
        "A decision curve is descriptive: who must decide takes the option with the highest net benefit at their "
        "threshold, whatever its p (Vickers et al. 2023). The test of areas is about recipes: whether the difference "
        "would come back with new runs. It weighs all thresholds alike, and yours may be one of them.",
        "Net benefit depends on how common each class is: here as in the test part. A class counts by its images. The "
        "recipes are compared with the baseline, not with each other: which is the largest of all is not tested.",
    )


def table(decisions: Decisions) -> Table:
    """A row a recipe, first as trained, then temperature-scaled."""
    alpha, baseline = decisions.experiment.alpha, decisions.experiment.baseline
    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda effect: effect.recipe),
        "seeds": ("seeds", lambda effect: f"{effect.seeds} of {effect.planned}"),
        "area": ("area", lambda effect: number(effect.mean)),
        "difference": ("difference", lambda effect: number(effect.estimate, sign=True)),
        "interval": (f"{percent(1 - alpha)} interval", lambda effect: span(effect.low, effect.high)),
        "p_holm": ("Holm p", lambda effect: p_text(effect.p_adjusted if not effect.note else math.nan, alpha)),
        "verdict": ("verdict", lambda effect: verdict(effect, alpha)),
    }

    def rows(title: str, effects: Sequence[MeasureEffect]) -> Rows:
        own = [{**cells(columns, effect), "note": effect.note} for effect in effects]
        known = [effect.baseline_mean for effect in effects if not math.isnan(effect.baseline_mean)]
        first = {"recipe": baseline, "area": number(known[0]) if known else NONE, "verdict": "baseline"}
        return Rows((dict.fromkeys(columns, "") | first, *own), title)

    groups = [rows("Probabilities as trained", [one.raw for one in decisions.recipes])]
    scaled = [one.scaled for one in decisions.recipes if one.scaled is not None]
    if scaled:
        groups.append(rows("Temperature-scaled on the validation images", scaled))
    count = len(decisions.recipes) * len(groups)
    most = number(RANGE / max(1, decisions.classes))
    caption = (
        f"Area under the macro-averaged one-vs-rest curve over thresholds from 0 to {RANGE:g}, in {UNIT}; one class "
        f"against the rest, a mean over {decisions.classes} classes, so at most {most}. Differences to {baseline}, "
        f"pooled over all conditions, by the declared test. Holm's correction over {count} comparisons of their own; "
        "intervals hold for all of them at once (Bonferroni), so that a verdict may be sharper than its interval."
    )
    if decisions.lacking:
        caption += f" Nothing is temperature-scaled: {decisions.lacking}."
    return Table(
        headings(columns), tuple(groups), caption, keep=("recipe", "difference", "interval", "p_holm"),
        spare=("seeds", "area"),
    )  # fmt: skip


def details(decisions: Decisions) -> Table:
    """The other areas: what they are, without tests."""
    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda row: row[0]),
        "temperature": ("temperature", lambda row: NONE if math.isnan(row[1]) else f"{row[1]:.2f}"),
        "weighted": (f"weighted by 1 {MINUS} t", lambda row: row[2]),
        "confident": ("act when confident", lambda row: row[3]),
    }
    if not decisions.lacking:
        columns["confident, scaled"] = ("the same, scaled", lambda row: row[4])
    first, names = decisions.recipes[0].others, ("weighted", "confident", "confident, scaled")
    means = [number(first[name].baseline_mean) if name in first else NONE for name in names]
    rows = [(decisions.experiment.baseline, decisions.temperature, *means)]
    rows += [(one.recipe, one.temperature, *(_change(one, name) for name in names)) for one in decisions.recipes]
    caption = (
        f"The baseline's area, and what each recipe differs from it by, in {UNIT}; described, not tested. "
        f"Weighted by 1 {MINUS} t: the one-vs-rest curve over all thresholds, (mean prevalence {MINUS} mean Brier "
        f"score) / 2. Act when confident: on the guess where its probability is at least t, from 0 to {RANGE:g}. "
        "Temperature: a geometric mean over runs of what logits are divided by, above 1 where the network is too "
        "confident."
    )
    return Table.of(columns, rows, caption, folded="Other areas, and the temperatures", keep=("recipe",))


def _change(one: RecipeAreas, name: str) -> str:
    return number(one.others[name].estimate, sign=True) if name in one.others else NONE


def figures(study: Study, decisions: Decisions) -> tuple[Figure, ...]:
    """The curves, and the differences to the baseline's where a recipe has enough seeds."""
    known = [one for one in decisions.recipes if not math.isnan(one.raw.mean)]
    if not known:
        return ()
    surest = sorted(known, key=lambda one: math.inf if math.isnan(one.raw.p) else one.raw.p)[:MOST_NAMED]
    chosen = {one.recipe for one in surest}
    names = [one.recipe for one in known if one.recipe in chosen]
    made: list[CurvesInfo] = []

    def data() -> CurvesInfo:
        if not made:
            made.append(curves_of(study, names))
        return made[0]

    some = (
        f" Drawn are the {len(names)} recipes of {len(decisions.recipes)} that differ most surely."
        if len(names) < len(decisions.recipes)
        else ""
    )
    level, baseline = percent(1 - study.experiment.alpha), study.experiment.baseline
    curves = Figure(
        data,
        draw_curves,
        "Net benefit of each recipe against the threshold, beside treating all and treating none",
        f"Net benefit as trained, in {UNIT}; a mean over all runs of a recipe. Left: each class against the "
        "rest, a mean over classes. Right: acting on the guess where its probability is at least the threshold. Treat "
        f"all: acting whatever the probability, on the right on the guesses of {baseline}. Treat none: 0.{some}",
    )
    if not any(
        one.raw.difference is not None and one.raw.seeds >= 3 and one.raw.difference.error > 0 for one in surest
    ):
        return (curves,)
    differences = Figure(
        data,
        draw_differences,
        "Difference in net benefit to the baseline against the threshold, as trained and temperature-scaled",
        f"Difference to {baseline} of the one-vs-rest curve, in {UNIT}; above 0 the recipe's decisions are worth more. "
        "Solid: as trained. Dashed: temperature-scaled. Bands are pointwise "
        f"{level} intervals, not corrected; {_bands(surest)}.{some}",
    )
    return curves, differences


def _bands(recipes: Sequence[RecipeAreas]) -> str:
    if any(one.raw.over_images for one in recipes):
        return (
            "the darker one over seeds alone, the outlined one over seeds and test photographs, as is the dotted "
            "outline of what is scaled"
        )
    return "over seeds, as is the dotted outline of what is scaled"
