"""Decision curves and the areas under them, as a section: sentences, tables and two figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.decision import RANGE
from ablation.core.text import MINUS, NONE, named, p_text, percent, plain
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.report.openings import who
from ablation.report.section import Column, Figure, Rows, Section, Table, cells, headings
from ablation.report.sections.decision_curves.compute import CurvesInfo, Decisions, RecipeAreas, curves_of, decisions_of
from ablation.report.sections.decision_curves.figure import draw_curves, draw_differences
from ablation.report.sections.decision_curves.text import UNIT, answer, number, shown, span, verdict
from ablation.report.text import MOST_NAMED, among

TITLE = "Whose decisions are worth most?"

MOST_LINES = 30
"""Recipes of a table in the order of the experiment; of more, what is shown comes first, then the largest."""


def decision_curves(study: Study) -> Section | None:
    """None where no run has finished, or nothing stands beside the baseline."""
    decisions = decisions_of(study)
    if decisions is None:
        return None
    return Section(
        "decision_curves",
        TITLE,
        "A decision curve counts what acting is worth where the probability is at least a threshold t, if a false "
        f"alarm costs t/(1\u00a0{MINUS}\u00a0t) hits: the larger the area under it, the better. Temperature scaling "
        "leaves the predictions as they are and calibrates their probabilities.",
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
        "verdict": ("verdict", lambda effect: verdict(effect, alpha)),
        "difference": ("difference", lambda effect: number(effect.estimate, sign=True)),
        "area": ("area", lambda effect: number(effect.mean)),
        "interval": (f"{percent(1 - alpha)} interval", lambda effect: span(effect.low, effect.high)),
        "p_holm": ("Holm p", lambda effect: p_text(effect.p_adjusted if not effect.note else math.nan, alpha)),
        "seeds": ("seeds", lambda effect: f"{effect.seeds} of {effect.planned}"),
    }

    def rows(title: str, effects: Sequence[MeasureEffect]) -> Rows:
        own = [{**cells(columns, effect), "note": effect.note} for effect in _largest_first(effects, alpha)]
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
        f"Area under the decision curve, in {UNIT}. The curve is macro-averaged one-vs-rest, over thresholds from 0 to "
        f"{RANGE:g}: one class against the rest, a mean over {decisions.classes} classes, so at most {most}. "
        "Differences to "
        f"{named(baseline)}, pooled over all conditions, by the declared test. Holm's correction over {count} "
        "comparisons of their own; intervals hold for all of them at once (Bonferroni), so that a verdict may be "
        "sharper than its interval."
    )
    if decisions.lacking:
        caption += f" Nothing is temperature-scaled: {decisions.lacking}."
    return Table(
        headings(columns), tuple(groups), caption,
        keep=("verdict", "difference"), spare=("seeds", "p_holm", "interval"),
    )  # fmt: skip


def _largest_first(effects: Sequence[MeasureEffect], alpha: float) -> list[MeasureEffect]:
    """As in the experiment; where they are more than a page shows, first what is shown, then what differs most."""
    if len(effects) <= MOST_LINES:
        return list(effects)

    def order(effect: MeasureEffect) -> tuple[bool, float]:
        return not effect.shown(alpha), 0.0 if math.isnan(effect.estimate) else -abs(effect.estimate)

    return sorted(effects, key=order)


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
    order = [
        effect.recipe for effect in _largest_first([one.raw for one in decisions.recipes], decisions.experiment.alpha)
    ]
    ordered = sorted(decisions.recipes, key=lambda one: order.index(one.recipe))
    rows += [(one.recipe, one.temperature, *(_change(one, name) for name in names)) for one in ordered]
    caption = (
        f"The baseline's area, and what each recipe differs from it by, in {UNIT}; described, not tested. "
        f"Weighted by 1 {MINUS} t: the one-vs-rest curve over all thresholds, (mean prevalence {MINUS} mean Brier "
        f"score) / 2. Act when confident: on the prediction where its probability is at least t, from 0 to {RANGE:g}. "
        "Temperature: a geometric mean over runs of what logits are divided by, above 1 where the network is too "
        "confident."
    )
    return Table.of(
        columns, rows, caption, folded="Other areas, and the temperatures", keep=("temperature", "weighted")
    )


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
            made.append(curves_of(study, names, decisions.temperatures))
        return made[0]

    some = (
        f" Drawn are the {len(names)} recipes of {len(decisions.recipes)} that differ most surely."
        if len(names) < len(decisions.recipes)
        else ""
    )
    level, baseline = percent(1 - study.experiment.alpha), named(study.experiment.baseline)
    recipes = among([study.experiment.baseline, *names], "recipe")
    curves = Figure(
        data,
        draw_curves,
        plain(f"Curves of net benefit against the threshold, of {recipes}, beside treating all and treating none"),
        f"{_largest(decisions)} Net benefit is as trained, in {UNIT}, a mean over all runs of a recipe. Left: each "
        "class against the rest, a mean over classes. Right: acting on the prediction where its probability is at "
        "least the threshold. Treat all: acting whatever the probability, on the right on the predictions of "
        f"{baseline}. Treat none: 0.{some}",
    )
    if not any(
        one.raw.difference is not None and one.raw.seeds >= 3 and one.raw.difference.error > 0 for one in surest
    ):
        return (curves,)
    differences = Figure(
        data,
        draw_differences,
        plain(f"Curves of the difference in net benefit to {baseline} against the threshold, with bands of "
              f"uncertainty, a panel each for {among(names, 'recipe')}"),
        f"{_which_differ(decisions)} Each panel is the difference of a recipe's one-vs-rest curve to that of "
        f"{baseline}, in {UNIT}: above 0 its decisions are worth more. Solid: as trained. Dashed: temperature-scaled. "
        f"Bands are pointwise {level} intervals, not corrected; {_bands(surest)}.{some}",
    )  # fmt: skip
    return curves, differences


def _largest(decisions: Decisions) -> str:
    """'“crop” has the largest area in these runs: 74.04 beside 67.21 of “none”.'"""
    baseline, name = named(decisions.experiment.baseline), decisions.largest
    best = next((one.raw for one in decisions.recipes if one.recipe == name), None)
    if best is None:
        return f"{baseline}, the baseline, has the largest area in these runs."
    areas = f"{number(best.mean)} beside {number(best.baseline_mean)} of {baseline}"
    return f"{named(name)} has the largest area in these runs: {areas}."


def _which_differ(decisions: Decisions) -> str:
    """'The area of “crop” is shown to differ, as trained or temperature-scaled.'"""
    alpha = decisions.experiment.alpha
    differ = [one.recipe for one in decisions.recipes if shown(one, alpha)]
    scaled = ", as trained or temperature-scaled" * (not decisions.lacking)
    if not differ:
        return f"No area is shown to differ{scaled}."
    return f"The area is shown to differ for {who(differ, len(decisions.recipes))}{scaled}."


def _bands(recipes: Sequence[RecipeAreas]) -> str:
    if any(one.raw.over_images for one in recipes):
        return (
            "the darker one over seeds alone, the outlined one over seeds and test photographs, as is the dotted "
            "outline of what is scaled"
        )
    return "over seeds, as is the dotted outline of what is scaled"
