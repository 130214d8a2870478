"""What changes of the image a recipe makes the network robust to, as a section: sentences, tables and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, listing, named, opening, out_of, p_phrase, p_text, percent, plain
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.openings import nobody, not_judged, up_to, whose
from ablation.report.section import Column, Figure, Rows, Section, Table, cells, headings
from ablation.report.sections.robustness.compute import (
    NameEffect,
    RecipeRobustness,
    Robustness,
    Untested,
    robustness_of,
    scored_runs,
    untested,
)
from ablation.report.sections.robustness.figure import MapInfo, MapRow, draw_map
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    bounds,
    counting,
    gain,
    interval,
    margin_text,
    measure,
    points,
    shown,
    signed,
    size,
    unit_text,
    verdict_text,
)

MOST_ROWS = 12
"""Recipes in the figure; of more, those with the surest differences."""

MOST_COLUMNS = 4
"""Conditions in the table; of more, those under which nothing is shown stand apart."""

TITLE = "What changes of the image does it make the network robust to?"


def robustness(study: Study) -> Section | None:
    """None where no run has finished, or nothing stands beside the baseline."""
    if study.results.finished.empty or len(study.experiment.recipes) < 2:
        return None
    known = scored_runs(study)
    matrix, without = robustness_of(study, known), untested(study, known)
    lacking = _lacking(study, without) if without else ()
    if matrix is None:
        return Section("robustness", TITLE, answer=lacking) if lacking else None
    if not matrix.conditions:
        lacking_some = listing(_condition(name, matrix) for name in matrix.left_out)
        alone = f"The runs have no test condition in common: each lacks some of {lacking_some}."
        return Section("robustness", TITLE, answer=(alone, _anew(study)))
    return Section(
        "robustness",
        TITLE,
        _question(matrix),
        answer(matrix),
        (figure(matrix),),
        (table(matrix), details(matrix)),
        (*caution(study, matrix), *lacking),
    )


def _question(matrix: Robustness) -> str:
    """How to read what follows."""
    images = f"{matrix.images:,} test images" if matrix.images else "Test images"
    conditions = listing(_condition(name, matrix) for name in matrix.conditions)
    return (
        f"{images} were changed by {conditions}. A recipe is called more robust only where its difference to "
        f"{named(matrix.experiment.baseline)} is shown to be larger there than on the same images unchanged."
    )


def _condition(name: str, matrix: Robustness) -> str:
    """A test condition in a sentence: a name where the experiment gave it, else a word."""
    return named(name, recipe=False) if name in matrix.experiment.corrupt else name


def answer(matrix: Robustness) -> tuple[str, ...]:
    """What is found, in a sentence; then one a recipe, the surest first, and what all of it holds for."""
    alpha = matrix.experiment.alpha
    ranked = sorted(matrix.recipes, key=lambda one: _surest(one, alpha))
    changed = [one for one in ranked if _changes(one, alpha)]
    recipes = ranked if len(ranked) <= MOST_NAMED else changed[:MOST_NAMED]
    sentences = [sentence(one, matrix) for one in recipes]
    if more := len(changed) - len([one for one in recipes if one in changed]):
        sentences.append(f"{more} more recipes change it under some condition; the table has their numbers.")
    rest = [one.recipe for one in ranked if one not in recipes and one not in changed]
    if rest:
        what = METRICS[matrix.metric].title
        sentences.append(f"Of {among(rest, 'other recipe')} it is not shown that {what} changes under any condition.")
    if any(not name.mean.note for one in matrix.recipes for name in one.names):
        held = bounds(matrix.experiment, seeds_alone=not matrix.over_images)
        sentences.append(f"Differences under these conditions hold {held}.")
    return (_foremost(ranked, matrix), *sentences)


def _foremost(ranked: Sequence[RecipeRobustness], matrix: Robustness) -> str:
    """Which recipe is more robust and to what, or that none is shown to be, in one short sentence."""
    alpha, metric = matrix.experiment.alpha, matrix.metric
    judged = [one for one in ranked if not all(name.mean.note for name in one.names)]
    if not judged:
        return not_judged({one.recipe: one.names[0].mean.note for one in ranked})
    if robust := [one for one in judged if any(name.invariant(alpha) for name in one.names)]:
        return _robust(robust, matrix)
    changed = [one for one in judged if _changes(one, alpha)]
    if not changed:
        return f"{nobody([one.recipe for one in judged])} change {METRICS[metric].title} on changed images."
    shown_names = [name for one in changed for name in one.names if name.sign(alpha)]
    directions = {gain(name.sign(alpha), metric) > 0 for name in shown_names}
    better = "better or worse" if len(directions) > 1 else "better" if True in directions else "worse"
    largest = amount(max(abs(name.mean.estimate) for name in shown_names), metric)
    by = up_to([name.name for name in shown_names], largest)
    who_does = whose([one.recipe for one in changed], len(matrix.recipes), "does", "do")
    return f"{who_does} {better} on changed images, by {by}; that this is more than on clean images is not shown."


def _robust(robust: Sequence[RecipeRobustness], matrix: Robustness) -> str:
    """'crop makes the network more robust to rotation: its gain there is 4.0 points larger than on clean images.'"""
    alpha, metric, first = matrix.experiment.alpha, matrix.metric, robust[0]
    names = [name for name in first.names if name.invariant(alpha)]
    direction = gain(names[0].sign(alpha), metric)
    alike = [name for name in names if gain(name.sign(alpha), metric) == direction]
    to = listing(_condition(name.name, matrix) for name in alike)
    if len(alike) > MOST_NAMED:
        to = f"{len(alike)} of {len(matrix.conditions)} conditions"
    more, what = ("more", "gain") if direction > 0 else ("less", "loss")
    largest = up_to([name.name for name in alike], size(max(abs(name.beyond.estimate) for name in alike), metric))
    rest = f"; {counted(len(robust) - 1, 'other recipe')} changes it, too" if len(robust) > 1 else ""
    return (
        f"{named(first.recipe)} makes the network {more} robust to {to}: its {what} there is {largest} larger than on "
        f"clean images{rest.replace('changes', 'change') if len(robust) > 2 else rest}."
    )


def _changes(one: RecipeRobustness, alpha: float) -> bool:
    return any(name.sign(alpha) for name in one.names)


def _surest(one: RecipeRobustness, alpha: float) -> tuple[bool, float]:
    """Orders what is shown by its smallest p; what is not keeps the order of the experiment."""
    changes = _changes(one, alpha)
    return not changes, min(name.mean.p_adjusted for name in one.names if name.sign(alpha)) if changes else 0.0


def sentence(one: RecipeRobustness, matrix: Robustness) -> str:
    """'crop makes the network more robust to rotation (+6.1 points of accuracy, ...). On clean images ...'"""
    experiment, first, recipe = matrix.experiment, one.names[0].mean, named(one.recipe)
    if first.note == OWN_RUNS:
        return f"{recipe} is {OWN_RUNS}."
    if all(name.mean.note for name in one.names):
        return f"{recipe}: {first.note}{_so_far(one, matrix)}."
    clauses, full = [], True
    for direction, kept, words in (
        (1, True, "makes the network more robust to"),
        (1, False, "does better under"),
        (-1, True, "makes the network less robust to"),
        (-1, False, "does worse under"),
    ):
        names = [name for name in one.names if _is(name, direction, kept, matrix)]
        if names:
            parts = [_evidence(name, matrix, full and index == 0) for index, name in enumerate(names)]
            as_elsewhere = "" if kept else f", {_as_clean(names, matrix)}"
            clauses.append(f"{words} {listing(parts)}{as_elsewhere}")
            full = False
    return f"{recipe} {'. It '.join(clauses or [_nothing(one, matrix)])}. {_clean(one, experiment)}."


def _is(name: NameEffect, direction: int, invariant: bool, matrix: Robustness) -> bool:
    """Is it shown to be better (+1) or worse (-1), and more than on clean images or not?"""
    alpha = matrix.experiment.alpha
    better = gain(name.sign(alpha), matrix.metric)
    return better == direction and name.invariant(alpha) == invariant


def _evidence(name: NameEffect, matrix: Robustness, full: bool) -> str:
    """'rotation (+6.1 points of accuracy, 95 % interval +3.0 to +9.0, adjusted p = .002; 4.0 points more than ...)'"""
    mean, metric, alpha = name.mean, matrix.metric, matrix.experiment.alpha
    span = interval(mean.low, mean.high, metric)
    if full:
        seeds = out_of(mean.seeds, mean.planned, "seed")
        numbers = f"{signed(mean.estimate, metric)} {unit_text(metric)}, {percent(1 - alpha)} interval {span}; "
        numbers += f"adjusted {p_phrase(mean.p_adjusted, alpha)}; n = {seeds}"
    else:
        numbers = f"{signed(mean.estimate, metric)}, {span}, {p_phrase(mean.p_adjusted, alpha)}"
    if name.invariant(alpha):
        more = f"{size(abs(name.beyond.estimate), metric)} more than on clean images"
        numbers += f"; {more}, {p_phrase(name.beyond.p_adjusted, alpha)}"
    return f"{_condition(name.name, matrix)} ({numbers})"


def _as_clean(names: Sequence[NameEffect], matrix: Robustness) -> str:
    """What is not claimed of these: that the difference has to do with how the images are changed."""
    alpha, metric = matrix.experiment.alpha, matrix.metric
    if len(names) == 1:
        (one,) = names
        if one.beyond.shown(alpha):
            return f"by {size(abs(one.beyond.estimate), metric)} less than on clean images"
        beyond = f"{size(one.beyond.estimate, metric, sign=True)}, {p_phrase(one.beyond.p_adjusted, alpha)}"
        return f"which is not shown to be more than on clean images ({beyond})"
    return "none of which is shown to be more than on clean images"


def _nothing(one: RecipeRobustness, matrix: Robustness) -> str:
    """'is not shown to change accuracy under any condition (largest: rotation +1.2, ...)'"""
    metric, alpha = matrix.metric, matrix.experiment.alpha
    known = [name for name in one.names if not math.isnan(name.mean.p_adjusted)]
    if not known:
        return f"has no test of its {METRICS[metric].title} under any condition"
    surest = min(known, key=lambda name: name.mean.p_adjusted)
    mean = surest.mean
    numbers = f"{signed(mean.estimate, metric)}, {percent(1 - alpha)} interval {interval(mean.low, mean.high, metric)}"
    numbers += f"; adjusted {p_phrase(mean.p_adjusted, alpha)}; n = {out_of(mean.seeds, mean.planned, 'seed')}"
    what = f"is not shown to change {METRICS[metric].title} under any condition"
    return f"{what} (the surest, {_condition(surest.name, matrix)}: {numbers})"


def _so_far(one: RecipeRobustness, matrix: Robustness) -> str:
    """'; so far +6.1 points under rotation', the largest there is, with its seeds."""
    known = [name for name in one.names if not math.isnan(name.mean.estimate)]
    seeds = out_of(one.names[0].mean.seeds, one.names[0].mean.planned, "seed")
    if not known:
        return f", {seeds}"
    most = max(known, key=lambda name: abs(name.mean.estimate))
    under = _condition(most.name, matrix)
    return f"; so far at most {size(most.mean.estimate, matrix.metric, sign=True)}, under {under}, {seeds}"


def _clean(one: RecipeRobustness, experiment: Experiment) -> str:
    """What the comparison says of it on clean images, word for word its verdict."""
    effect = one.clean
    if effect is None:
        return "On clean images it is not compared"
    verdict, metric = verdict_text(effect), effect.metric
    if verdict in ("better", "worse"):
        verb = "gains" if verdict == "better" else "costs"
        return f"On clean images it {verb} {amount(abs(effect.estimate), metric)}"
    so_far = "" if math.isnan(effect.estimate) else f" ({signed(effect.estimate, metric)} {unit_text(metric)})"
    words = {
        "equivalent": f"is equivalent to {named(experiment.baseline)} within {margin_text(experiment)}",
        "undecided": "is undecided",
        "not tested": "is not tested",
    }.get(verdict, "has no verdict")
    return f"On clean images it {words}{so_far}"


def table(matrix: Robustness) -> Table:
    """The baseline's own scores, then a row a recipe: its differences on clean images, and as means under each name."""
    metric, experiment = matrix.metric, matrix.experiment

    def under(index: int) -> Callable[[RecipeRobustness], str]:
        return lambda one: f"{signed(one.names[index].mean.estimate, metric)}{marks(one.names[index], matrix)}"

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda one: one.recipe),
        "robust": ("more robust to", lambda one: _robust_to(one, matrix)),
        "clean": ("clean", _clean_cell),
        **{f"under {name}": (name, under(index)) for index, name in enumerate(matrix.conditions)},
    }
    first = {"recipe": experiment.baseline, "robust": NONE, "clean": _clean_score(matrix)}
    first |= {f"under {name}": points(_baseline_mean(matrix, name), metric) for name in matrix.conditions}
    rows = tuple(cells(columns, one) | {"note": one.names[0].mean.note} for one in matrix.recipes)
    open_ = [name for name in matrix.conditions if not any(row[f"under {name}"].endswith("*") for row in rows)]
    apart = open_ if len(matrix.conditions) > MOST_COLUMNS else []
    nowhere = f" Nothing is shown under {listing(_condition(name, matrix) for name in apart)}." if apart else ""
    caption = (
        f"{opening(METRICS[metric].title)} on clean and on changed images. {named(experiment.baseline)}: its own "
        f"{measure(metric)}. The others: differences to it in {unit_text(metric)}, as means over the strengths of each "
        "condition. * shown; ** shown, and to be more than on clean images. Clean: "
        f"{METRICS[experiment.metric].title} of all test images, as compared above; * better or worse.{nowhere}"
    )
    return Table(
        headings(columns),
        (Rows((first, *rows)),),
        caption,
        words=frozenset({"robust"}),
        keep=("robust", "clean"),
        spare=tuple(f"under {name}" for name in apart),
    )


def _robust_to(one: RecipeRobustness, matrix: Robustness) -> str:
    """'crop', 'crop, less to noise'; a dash where no robustness is shown to be gained or lost."""
    alpha = matrix.experiment.alpha
    robust = [name for name in one.names if name.invariant(alpha)]
    gained, lost = (
        [name.name for name in robust if gain(name.sign(alpha), matrix.metric) == direction] for direction in (1, -1)
    )
    parts = [listing(gained)] if gained else []
    return ", ".join([*parts, *([f"less to {listing(lost)}"] if lost else [])]) or NONE


def _clean_cell(one: RecipeRobustness) -> str:
    if one.clean is None:
        return NONE
    decided = verdict_text(one.clean) in ("better", "worse")
    return signed(one.clean.estimate, one.clean.metric) + "*" * decided


def _clean_score(matrix: Robustness) -> str:
    """Of the baseline in the experiment's metric, as compared."""
    for effect in (one.clean for one in matrix.recipes):
        if effect is not None and effect.baseline_scores:
            return points(sum(effect.baseline_scores.values()) / len(effect.baseline_scores), effect.metric)
    return NONE


def _baseline_mean(matrix: Robustness, name: str) -> float:
    scores = [matrix.baseline.get((name, strength), math.nan) for strength in matrix.conditions[name]]
    return sum(scores) / len(scores)


def marks(name: NameEffect, matrix: Robustness) -> str:
    """'' where nothing is shown, '*' where a difference is, '**' where it is more than on clean images."""
    alpha = matrix.experiment.alpha
    return "*" * (bool(name.sign(alpha)) + name.invariant(alpha))


def strength_text(strength: float) -> str:
    """'1/3', '1', '0.37'.

    >>> strength_text(1 / 3), strength_text(1.0)
    ('1/3', '1')
    """
    near = Fraction(strength).limit_denominator(12)
    return str(near) if abs(float(near) - strength) < 1e-9 else f"{strength:g}"


Line = tuple[str, str, float, MeasureEffect]
"""A row of the details: condition, strength, the baseline's own score, and the difference."""


def details(matrix: Robustness) -> Table:
    """Every comparison with its interval and p: a group a recipe."""
    metric, alpha = matrix.metric, matrix.experiment.alpha
    columns: dict[str, Column] = {
        "condition": ("condition", lambda line: line[0]),
        "strength": ("strength", lambda line: line[1]),
        "change": (counting("difference", metric), lambda line: signed(line[3].estimate, metric)),
        "interval": (
            f"{percent(1 - alpha)} interval",
            lambda line: interval(line[3].low, line[3].high, metric),
        ),
        "p": ("adjusted p", lambda line: p_text(line[3].p_adjusted, alpha) if line[3].reached else NONE),
        "baseline": (matrix.experiment.baseline, lambda line: points(line[2], metric)),
    }
    groups = tuple(Rows.of(columns, _lines(one, matrix), named(one.recipe)) for one in matrix.recipes)
    family = counted(matrix.comparisons, "comparison")
    caption = (
        f"Differences in {unit_text(metric)}. First the means over the strengths: {family} of recipes and conditions; "
        "behind each of these its strengths, and the drop: the difference under the condition less that on the same "
        "images unchanged. All are corrected together (gatekeeping by Bretz et al. 2009); a dash where what comes "
        "first left nothing to test with. Claims rest on p. Intervals are simultaneous (Bonferroni) and wider than the "
        "test, so that a difference can be shown though its interval reaches 0. "
        f"{named(matrix.experiment.baseline)}: its own {measure(metric)}."
    )
    return Table(
        headings(columns),
        groups,
        caption,
        words=frozenset({"strength"}),
        keep=("strength", "change", "interval", "p"),
        folded=f"Every condition at every strength, with intervals and p ({family} and what stands behind them)",
    )


def _lines(one: RecipeRobustness, matrix: Robustness) -> list[Line]:
    lines: list[Line] = []
    for name in one.names:
        strengths = matrix.conditions[name.name]
        lines.append((name.name, "mean", _baseline_mean(matrix, name.name), name.mean))
        clean = matrix.baseline.get((), math.nan)
        lines.append(("", "drop", _baseline_mean(matrix, name.name) - clean, name.beyond))
        for strength, effect in zip(strengths, name.strengths, strict=True):
            own = matrix.baseline.get((name.name, strength), math.nan)
            lines.append(("", strength_text(strength), own, effect))
    return lines


def figure(matrix: Robustness) -> Figure:
    """A heat map of the differences, under the baseline's own scores."""
    metric, alpha = matrix.metric, matrix.experiment.alpha
    chosen = matrix.recipes
    if len(chosen) > MOST_ROWS:
        ranked = sorted(chosen, key=lambda one: _surest(one, alpha))[:MOST_ROWS]
        chosen = tuple(one for one in chosen if one in ranked)
    same = metric == matrix.experiment.metric
    flat = [(name, strength) for name, strengths in matrix.conditions.items() for strength in strengths]
    keys: list[tuple[str, float] | tuple[()]] = [(), *flat]
    info = MapInfo(
        tuple(_map_row(one, matrix, same) for one in chosen),
        tuple((name, tuple(map(strength_text, strengths))) for name, strengths in matrix.conditions.items()),
        tuple(shown(matrix.baseline.get(key, math.nan), metric) for key in keys),
        matrix.experiment.baseline,
        measure(metric),
        f"difference to {matrix.experiment.baseline}, {unit_text(metric)}",
        METRICS[metric].unit == "points",
        METRICS[metric].lower_is_better,
    )
    what = METRICS[metric].title
    text = (
        f"{_finding(matrix)} Above: {what} of {named(matrix.experiment.baseline)} itself under each condition; the "
        "fainter the bar, the weaker the change. Below: how far each recipe is from it there, cell by cell a strength. "
        "A dot in the corner: the difference at that strength is shown. A frame around a condition: the mean over its "
        "strengths is shown to differ; a solid frame: by more than on clean images, so that robustness is gained or "
        "lost; a dashed one: not shown to be more than that. "
    )
    text += (
        "First column: all test images unchanged, a dot where the comparison says better or worse."
        if same
        else "First column: left empty, as the comparison is in another metric."
    )
    if len(chosen) < len(matrix.recipes):
        text += f" Drawn are {len(chosen)} of {len(matrix.recipes)} recipes, those with the surest differences first."
    return Figure(info, draw_map, _alt(chosen, matrix), text)


def _finding(matrix: Robustness) -> str:
    """Of how many recipes and conditions the mean is shown to differ, and of how many robustness."""
    alpha, every = matrix.experiment.alpha, [name for one in matrix.recipes for name in one.names]
    differ, robust = sum(name.sign(alpha) != 0 for name in every), sum(name.invariant(alpha) for name in every)
    more = f", {robust or 'none'} of them by more than on clean images" if differ else ""
    return (
        f"Of {counted(len(every), 'pair')} of recipe and condition {differ or 'none'} {'is' if differ < 2 else 'are'} "
        f"shown to differ from {named(matrix.experiment.baseline)}{more}."
    )


def _alt(chosen: Sequence[RecipeRobustness], matrix: Robustness) -> str:
    """The means under each condition, of the first recipes that are drawn."""
    metric, each = matrix.metric, []
    for one in chosen[:MOST_NAMED]:
        means = (f"{_condition(name.name, matrix)} {signed(name.mean.estimate, metric)}" for name in one.names)
        each.append(f"{named(one.recipe)} under {listing(means)}")
    more = [f"{len(chosen) - MOST_NAMED} more recipes"] if len(chosen) > MOST_NAMED else []
    return plain(
        f"Heat map of the differences to {named(matrix.experiment.baseline)} in {unit_text(metric)}, a row a recipe, "
        f"a column a condition and strength. Means over strengths: {'; '.join([*each, *more])}"
    )


def _map_row(one: RecipeRobustness, matrix: Robustness, same: bool) -> MapRow:
    metric, alpha = matrix.metric, matrix.experiment.alpha
    clean = one.clean.estimate if same and one.clean is not None else math.nan
    decided = same and one.clean is not None and verdict_text(one.clean) in ("better", "worse")
    each = [effect for name in one.names for effect in name.strengths]
    return MapRow(
        one.recipe,
        tuple(shown(x, metric) for x in (clean, *(effect.estimate for effect in each))),
        (decided, *(effect.shown(alpha) and effect.reached for effect in each)),
        tuple(len(marks(name, matrix)) for name in one.names),
    )


def caution(study: Study, matrix: Robustness) -> tuple[str, ...]:
    """What is left out, or measured otherwise than in the rest of the report."""
    notes = []
    if matrix.metric != matrix.experiment.metric:
        title = METRICS[matrix.experiment.metric].title
        notes.append(f"{title[:1].upper()}{title[1:]} is no mean over images: what is compared here is accuracy.")
    if matrix.left_out:
        notes.append(
            "Left out, as not every run was tested under it with the same operations and strengths: "
            f"{listing(_condition(name, matrix) for name in matrix.left_out)}. {_anew(study)}"
        )
    return tuple(notes)


def _lacking(study: Study, without: Untested) -> tuple[str, ...]:
    """Why runs were not tested on changed images, and how to have it."""
    which = (
        "No run was"
        if without.runs == without.finished
        else f"{without.runs:,} of {counted(without.finished, 'finished run')} were not"
    )
    return (f"{which} tested on changed test images: {_why(without)}.", _anew(study, plain=_plain(study, without)))


def _why(without: Untested) -> str:
    if without.refused:
        return "the experiment says robustness=False"
    if without.share:
        least, most = (percent(round(share, 2) if share < 1 else round(share, 1)) for share in without.share)
        return f"this would have taken {least if least == most else f'{least} to {most}'} of the work of training"
    if without.notes:
        return listing(without.notes[:2])
    return "an older version trained them, or --no-robustness was given"


def _plain(study: Study, without: Untested) -> bool:
    """Does the plain command test runs that it trains anew?"""
    return not without.refused and not without.share


def _anew(study: Study, plain: bool = True) -> str:
    """What to do, which is true for the experiment as it is."""
    folder = study.results.folder
    if plain:
        return f"To have it, remove the folders of these runs from {folder} and train them anew with `{study.command}`."
    return (
        f"To have it, set robustness=True in the experiment or train with `{study.command} --robustness`. That holds "
        f"for runs trained from then on: remove the folders of finished ones from {folder} first."
    )
