"""Did it reduce overfitting? As a section: sentences, the scores on every part, and what is confused more or less."""

from __future__ import annotations

import math

import numpy as np

from ablation.analysis.confusion import confused_order
from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, out_of, p_text, percent
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.study import Study
from ablation.experiment.record import Part
from ablation.report.section import Column, Figure, Rows, Section, Table, headings
from ablation.report.sections.split_analysis.compute import (
    RecipeParts,
    SplitAnalysis,
    Values,
    largest,
    split_analysis_of,
)
from ablation.report.sections.split_analysis.figure import ConfusionInfo, GapInfo, GapRow, draw_confusion, draw_gaps
from ablation.report.style import shortened
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    bounds,
    chance,
    counting,
    interval,
    measure,
    points,
    shown,
    signed,
    size,
    value_text,
)

MOST_PANELS, MOST_CLASSES = 6, 30
"""Of the picture of what is confused."""

PART_NAMES: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}


def split_analysis(study: Study) -> Section | None:
    """None without a finished run of the baseline."""
    split = split_analysis_of(study)
    if split is None:
        return None
    title = METRICS[split.metric].title
    gaps, pictures = _gap_figures(split), _confusion_figures(split)
    return Section(
        "split_analysis",
        "Did it reduce overfitting?",
        f"The generalization gap, {_difference_of(split.metric)} in {title}, of each recipe beside "
        f"{split.experiment.baseline}. All images are shown to the network without augmentation.",
        answer(split, study.command),
        (*gaps, *pictures),
        (*([table(split)] if "train" in split.parts else []), every_metric(split)),
        caution(split),
    )


def _difference_of(metric: str) -> str:
    parts = ("test", "training") if METRICS[metric].lower_is_better else ("training", "test")
    return " less ".join(f"{part} score" for part in parts)


def answer(split: SplitAnalysis, command: str) -> tuple[str, ...]:
    """A sentence a recipe, those of which something is shown first and alone where they are many."""
    if "train" not in split.parts:
        return (
            "The gap is not known: these runs kept no answers for their training images, as an older version made "
            f"them. Remove their folders and train them anew with `{command}`.",
        )
    if not split.recipes:
        return (f"{split.experiment.baseline} has {_alone(split)}, and no recipe beside it.",)
    alpha = split.experiment.alpha
    judged = [row for row in split.recipes if row.effect and not row.effect.note]
    found = sorted((row for row in judged if row.shown(alpha)), key=lambda row: -abs(row.effect.estimate))  # type: ignore[union-attr]
    open_ = [row for row in judged if row not in found]
    many = len(judged) > MOST_NAMED
    sentences = [sentence(split, row) for row in (found[:MOST_NAMED] if many else [*found, *open_])]
    if many and len(found) > MOST_NAMED:
        sentences.append(
            f"Of {counted(len(found) - MOST_NAMED, 'more recipe')} a different gap is shown: see the table."
        )
    if many and open_:
        sentences.append(f"Of {counted(len(open_), 'other recipe' if found else 'recipe')} no different gap is shown.")
    held = [f"This holds {_bounds(split, judged[0])}."] if judged else []
    return (*sentences, *_unjudged(split), *held)


def _bounds(split: SplitAnalysis, row: RecipeParts) -> str:
    return bounds(split.experiment, seeds_alone=not (row.effect and row.effect.over_images))


def _unjudged(split: SplitAnalysis) -> list[str]:
    """The recipes of which nothing is claimed, by the reason."""
    notes: dict[str, list[RecipeParts]] = {}
    for row in split.recipes:
        if row.effect and row.effect.note:
            notes.setdefault(row.effect.note, []).append(row)
    texts = []
    for note, rows in notes.items():
        names = among([row.recipe for row in rows], "recipe")
        effect = rows[0].effect
        so_far = ""
        if len(rows) == 1 and effect and not math.isnan(effect.estimate) and note != OWN_RUNS:
            seeds = out_of(effect.seeds, effect.planned, "seed")
            so_far = f"; so far the gap differs by {size(effect.estimate, split.metric, sign=True)}, {seeds}"
        texts.append(f"{names}: {note}{so_far}.")
    return texts


def sentence(split: SplitAnalysis, row: RecipeParts) -> str:
    """'crop reduces the generalization gap by 3.1 points of accuracy (...)'; or that this is not shown."""
    effect, metric, experiment = row.effect, split.metric, split.experiment
    assert effect is not None
    claimed = row.shown(experiment.alpha)
    toward = effect.estimate if claimed else 0.0
    numbers = (
        f"{_spanned(split, row, toward)}; "
        f"{chance(effect.p_adjusted, experiment)}; n = {out_of(effect.seeds, effect.planned, 'seed')}"
    )
    if not claimed:
        change = f"{size(effect.estimate, metric, sign=True)}, {numbers}"
        return f"{row.recipe} is not shown to change the generalization gap ({change}); {_means(split, row)}."
    less = effect.estimate < 0
    verb = "reduces" if less else "widens"
    text = f"{row.recipe} {verb} the generalization gap by {amount(abs(effect.estimate), metric)} ({numbers})"
    return f"{text}{_because(split, row, less)}; {_means(split, row)}."


def _spanned(split: SplitAnalysis, row: RecipeParts, toward: float) -> str:
    """'95 % interval 0.5 to 1.7': with signs, or as sizes in the direction of the number `toward`."""
    assert row.effect is not None
    low, high = row.effect.low, row.effect.high
    if toward < 0:
        low, high = -high, -low
    return f"{percent(1 - split.experiment.alpha)} interval {interval(low, high, split.metric, sign=not toward)}"


def _because(split: SplitAnalysis, row: RecipeParts, less: bool) -> str:
    """Which of the two scores moves the gap, where it is one alone."""
    train, test = (_gain(split, row, part) for part in ("train", "test"))
    if less and train < 0 and test <= 0:
        return f"; in these runs it fits the training part less than {split.experiment.baseline} does"
    if not less and train > 0 and test >= 0:
        return f"; in these runs it fits the training part better than {split.experiment.baseline} does"
    return ""


def _gain(split: SplitAnalysis, row: RecipeParts, part: Part) -> float:
    """Of the mean score, above 0 where it is better."""
    change = row.values[part][split.metric] - row.baseline[part][split.metric]
    return -change if METRICS[split.metric].lower_is_better else change


def _means(split: SplitAnalysis, row: RecipeParts) -> str:
    """'mean accuracy 99.1 % instead of 100.0 % on the training part, 88.0 % instead of 87.7 % on the test part'."""
    texts = [f"{_beside(split, row, part)} on the {PART_NAMES[part]} part" for part in ("train", "test")]
    return f"mean {METRICS[split.metric].title} {', '.join(texts)}"


def _beside(split: SplitAnalysis, row: RecipeParts, part: Part) -> str:
    """'99.1 % instead of 100.0 %', '100.0 % in every run', '99.1 % as the baseline'."""
    own, other = (value_text(_value(values, part, split.metric), split.metric) for values in (row.values, row.baseline))
    if row.same_train and part == "train":
        return f"{own} in every run"
    return f"{own} instead of {other}" if own != other else f"{own} as {split.experiment.baseline}"


def _alone(split: SplitAnalysis) -> str:
    """'a generalization gap of 12.3 points of accuracy (100.0 % on the training part, 87.7 % on the test part)'."""
    metric, values = split.metric, split.baseline.values
    if "train" not in values:
        return "no known generalization gap"
    parts = [f"{value_text(values[part][metric], metric)} on the {PART_NAMES[part]} part" for part in ("train", "test")]
    return f"a generalization gap of {amount(split.baseline.gap(metric), metric)} ({', '.join(parts)})"


def caution(split: SplitAnalysis) -> tuple[str, ...]:
    """What a smaller gap is not, and what the numbers are of."""
    if "train" not in split.parts:
        return ()
    notes = [
        "A smaller gap alone is no gain: a network that learns nothing has none. Test scores are compared under "
        "“effects”; here they say where a gap comes from."
    ]
    if any(row.same_train for row in split.recipes):
        notes.append(
            "Where every run fits its training part alike, gaps differ by the test score alone; a difference is then "
            "claimed only where the comparison of test scores shows one."
        )
    if split.metric != split.experiment.metric:
        title = METRICS[split.experiment.metric].title
        notes.append(f"The gap is one of accuracy, as {title} is no mean over images.")
    if split.kept:
        kept, whole = split.kept
        notes.append(f"The training score is of {kept:,} of the {whole:,} training images, as many as a record keeps.")
    if "val" not in split.parts:
        notes.append("There is no validation part.")
    return tuple(notes)


def _value(values: Values, part: Part, metric: str) -> float:
    return values[part][metric] if part in values else math.nan


def table(split: SplitAnalysis) -> Table:
    """A row a recipe: its score on each part, the gap, and the difference to the baseline's."""
    metric, experiment = split.metric, split.experiment

    def score(part: Part) -> Column:
        return PART_NAMES[part], lambda row: points(_value(row.values, part, metric), metric)

    columns: dict[str, Column] = {"recipe": ("recipe", lambda row: row.recipe)}
    columns |= {part: score(part) for part in split.parts}
    columns |= {
        "gap": ("gap", lambda row: points(row.gap(metric), metric)),
        "difference": (
            counting("difference", metric), lambda row: signed(row.effect.estimate, metric) if row.effect else NONE
        ),
        "interval": ("interval", lambda row: _interval(row, metric)),
        "p": ("Holm p", lambda row: _p(row, experiment.alpha)),
    }  # fmt: skip
    family = counted(len(split.recipes), "recipe")
    caption = (
        f"Mean {measure(metric)} over runs, and the gap. difference: of the gap to that of {experiment.baseline}, "
        f"below 0 where it is smaller, with its simultaneous interval (Bonferroni); p "
        f"after Holm's correction over {family}, which may be sharper than the interval."
    )
    short = {"train": "train", "val": "val.", "difference": "diff."}
    keep = ("gap", "difference", "p")
    rows = []
    for row in split.rows:
        note = row.effect.note if row.effect else ""
        rows.append({key: cell(row) for key, (_, cell) in columns.items()} | ({"note": note} if note else {}))
    return Table(headings(columns), (Rows(tuple(rows)),), caption, keep=keep, spare=("val",), short=short)


def _interval(row: RecipeParts, metric: str) -> str:
    return NONE if row.effect is None or row.effect.note else interval(row.effect.low, row.effect.high, metric)


def _p(row: RecipeParts, alpha: float) -> str:
    return NONE if row.effect is None or row.effect.note else p_text(row.effect.p_adjusted, alpha)


def every_metric(split: SplitAnalysis) -> Table:
    """Every metric on every part, with and without each recipe."""

    def score(part: Part, metric: str) -> Column:
        return PART_NAMES[part], lambda row: points(_value(row.values, part, metric), metric)

    def change(part: Part, metric: str) -> Column:
        def cell(row: RecipeParts) -> str:
            if row is split.baseline:
                return NONE
            return signed(_value(row.values, part, metric) - _value(row.baseline, part, metric), metric)

        return "±", cell

    def columns(metric: str) -> dict[str, Column]:
        named: dict[str, Column] = {"recipe": ("recipe", lambda row: row.recipe)}
        for part in split.parts:
            named |= {part: score(part, metric), f"{part} change": change(part, metric)}
        return named | {"gap": ("gap", lambda row: points(row.gap(metric), metric))}

    groups = tuple(Rows.of(columns(name), split.rows, measure(name)) for name in METRICS)
    caption = (
        f"Means over runs. ±: difference to {split.experiment.baseline}. gap: above 0 where the training score is the "
        "better one. Nothing in this table is tested."
    )
    short: dict[str, str] = {"train": "train", "val": "val."}
    summary = f"Every metric on every part: {counted(len(METRICS), 'metric')}"
    return Table(headings(columns(split.metric)), groups, caption, short=short, folded=summary)


def _gap_figures(split: SplitAnalysis) -> list[Figure]:
    metric = split.metric
    known = [row for row in split.rows if not math.isnan(row.gap(metric))]
    if not known:
        return []
    rows = tuple(
        GapRow(
            row.recipe,
            shown(row.values["train"][metric], metric),
            shown(row.values["test"][metric], metric),
            points(row.gap(metric), metric),
            _difference(row, metric),
        )
        for row in known
    )
    caption = (
        f"Mean {METRICS[metric].title} on the training part (hollow) and on the test part (filled). The line between "
        f"is the generalization gap; on the right its difference to that of {split.experiment.baseline}, with the "
        "simultaneous interval."
    )
    alt = f"Training and test {METRICS[metric].title} of each recipe"
    return [Figure(GapInfo(rows, measure(metric)), draw_gaps, alt, caption)]


def _difference(row: RecipeParts, metric: str) -> str:
    if row.effect is None or math.isnan(row.effect.estimate):
        return ""
    known = _interval(row, metric)
    return signed(row.effect.estimate, metric) + ("" if known == NONE else f"  [{known}]")


def confusion_info(split: SplitAnalysis) -> ConfusionInfo | None:
    """The recipes and classes with the largest changes, confused classes side by side; None where nothing changes."""
    drawn = split.moved[:MOST_PANELS]
    if not drawn or len(split.classes) < 2:
        return None
    changes = np.nan_to_num([row.change for row in drawn])
    most = np.argsort(-np.abs(changes).sum(axis=2).max(axis=0), kind="stable")[:MOST_CLASSES]
    picked = np.sort(most)
    order = picked[confused_order(split.confusion[np.ix_(picked, picked)])]
    names = tuple(split.classes[label] for label in order)
    kept = [row for row in split.recipes if row in drawn]
    return ConfusionInfo(names, {row.recipe: 100 * row.change[np.ix_(order, order)] for row in kept})  # type: ignore[index]


def _confusion_figures(split: SplitAnalysis) -> list[Figure]:
    info = confusion_info(split)
    if info is None:
        return []
    row = split.moved[0]
    change = row.change
    assert change is not None
    true, guess = (int(i) for i in np.unravel_index(np.nanargmax(np.abs(change)), change.shape))
    true_name, guess_name = (f"“{shortened(split.classes[label], 40)}”" for label in (true, guess))
    taken = "guessed right" if true == guess else f"guessed to be {guess_name}"
    more = "more" if change[true, guess] > 0 else "less"
    text = (
        f"Change of the confusion matrix on the test part against {split.experiment.baseline}: of each true class, how "
        "much larger a share of its images is guessed to be each class, in points, mean over runs. Classes that "
        f"are confused under {split.experiment.baseline} stand together. The largest change: under "
        f"{row.recipe} images of class {true_name} are {taken} {more} often, by "
        f"{100 * largest(change):.1f} points. No cell is tested."
    )
    if len(split.moved) > MOST_PANELS:
        text += f" Drawn are the {MOST_PANELS} of {len(split.moved)} recipes with the largest changes."
    if len(info.classes) < len(split.classes):
        text += f" Drawn are the {len(info.classes)} of {len(split.classes):,} classes whose rows change most."
    return [Figure(info, draw_confusion, "Change of the confusion matrix, a panel a recipe", text)]
