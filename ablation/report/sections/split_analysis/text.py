"""What is said of overfitting, in sentences: the gap of each recipe beside the baseline's, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, named, out_of, percent
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.experiment.record import Part
from ablation.report.openings import nobody, not_judged, up_to, whose
from ablation.report.sections.split_analysis.compute import RecipeParts, SplitAnalysis, Values
from ablation.report.text import MOST_NAMED, among, amount, bounds, chance, interval, size, value_text

PART_NAMES: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}


def question(split: SplitAnalysis) -> str:
    """How to read what follows."""
    parts = ("test", "training") if METRICS[split.metric].lower_is_better else ("training", "test")
    difference = " less ".join(f"{part} score" for part in parts)
    return (
        f"The generalization gap is the {difference}, in {METRICS[split.metric].title}: the smaller it is, the less a "
        "network overfits. All images are shown without augmentation."
    )


def answer(split: SplitAnalysis, command: str) -> tuple[str, ...]:
    """What is found, in a sentence; then one a recipe, those of which something is shown first and alone where many."""
    if "train" not in split.parts:
        return (
            "The generalization gap is not known: these runs kept no predictions for their training images.",
            f"An older version made them. Remove their folders and train them anew with `{command}`.",
        )
    if not split.recipes:
        return _alone(split)
    judged = [row for row in split.recipes if row.effect and not row.effect.note]
    found = sorted((row for row in judged if row.shown(split.experiment.alpha)), key=lambda row: -reach(row))
    open_ = [row for row in judged if row not in found]
    many = len(judged) > MOST_NAMED
    sentences = [sentence(split, row) for row in (found[:MOST_NAMED] if many else [*found, *open_])]
    if many and len(found) > MOST_NAMED:
        sentences.append(f"{counted(len(found) - MOST_NAMED, 'more recipe')} with a different gap: see the table.")
    if many and open_ and found:
        sentences.append(f"Of {counted(len(open_), 'other recipe')} no different gap is shown.")
    held = [f"This holds {_bounds(split, judged[0])}."] if judged else []
    return (_opening(split, judged, found), *sentences, *_unjudged(split), *held)


def effect_of(row: RecipeParts) -> MeasureEffect:
    """That of a recipe, which every row but the baseline's has."""
    assert row.effect is not None
    return row.effect


def reach(row: RecipeParts) -> float:
    """How far the gap is from the baseline's; 0 where that is not known."""
    return 0.0 if row.effect is None or math.isnan(row.effect.estimate) else abs(row.effect.estimate)


def _opening(split: SplitAnalysis, judged: Sequence[RecipeParts], found: Sequence[RecipeParts]) -> str:
    """'“crop” reduces the generalization gap by 3.1 points of accuracy.'"""
    if not judged:
        return not_judged({row.recipe: effect_of(row).note for row in split.recipes})
    if not found:
        return f"{nobody(_names(judged))} change the generalization gap{_farthest(split, judged)}."
    less = [row for row in found if effect_of(row).estimate < 0]
    more = [row for row in found if row not in less]
    first, verbs = (less, ("reduces", "reduce")) if less else (more, ("widens", "widen"))
    by = up_to(_names(first), amount(reach(first[0]), split.metric))
    text = f"{whose(_names(first), len(split.recipes), *verbs)} the generalization gap by {by}"
    return f"{text}; {whose(_names(more), len(split.recipes), 'widens', 'widen')} it." if less and more else f"{text}."


def _names(rows: Sequence[RecipeParts]) -> list[str]:
    return [row.recipe for row in rows]


def _farthest(split: SplitAnalysis, judged: Sequence[RecipeParts]) -> str:
    """The largest difference that is not shown, and why it is not."""
    effect = effect_of(max(judged, key=reach))
    within = ", and its interval includes 0" if effect.low <= 0 <= effect.high else ""
    which = "largest difference" if len(judged) > 1 else "difference"
    return f": the {which} is {size(effect.estimate, split.metric, sign=True)}{within}"


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
        effect = effect_of(rows[0])
        so_far = ""
        if len(rows) == 1 and not math.isnan(effect.estimate) and note != OWN_RUNS:
            seeds = out_of(effect.seeds, effect.planned, "seed")
            so_far = f"; so far the gap differs by {size(effect.estimate, split.metric, sign=True)}, {seeds}"
        texts.append(f"{among(_names(rows), 'recipe')}: {note}{so_far}.")
    return texts


def sentence(split: SplitAnalysis, row: RecipeParts) -> str:
    """'“crop” reduces the generalization gap by 3.1 points of accuracy (...)'; or that this is not shown."""
    effect, metric, experiment = effect_of(row), split.metric, split.experiment
    claimed = row.shown(experiment.alpha)
    toward = effect.estimate if claimed else 0.0
    numbers = (
        f"{_spanned(split, effect, toward)}; "
        f"{chance(effect.p_adjusted, experiment)}; n = {out_of(effect.seeds, effect.planned, 'seed')}"
    )
    if not claimed:
        change = f"{size(effect.estimate, metric, sign=True)}, {numbers}"
        return f"{named(row.recipe)} is not shown to change the generalization gap ({change}). {_means(split, row)}."
    less = effect.estimate < 0
    verb = "reduces" if less else "widens"
    text = f"{named(row.recipe)} {verb} the generalization gap by {amount(abs(effect.estimate), metric)} ({numbers})."
    return f"{text}{_because(split, row, less)} {_means(split, row)}."


def _spanned(split: SplitAnalysis, effect: MeasureEffect, toward: float) -> str:
    """'95 % interval 0.5 to 1.7': with signs, or as sizes in the direction of the number `toward`."""
    low, high = (-effect.high, -effect.low) if toward < 0 else (effect.low, effect.high)
    return f"{percent(1 - split.experiment.alpha)} interval {interval(low, high, split.metric, sign=not toward)}"


def _because(split: SplitAnalysis, row: RecipeParts, less: bool) -> str:
    """Which of the two scores moves the gap, where it is one alone."""
    train, test = (_gain(split, row, part) for part in ("train", "test"))
    if less and train < 0 and test <= 0:
        return f" In these runs it fits the training part less than {named(split.experiment.baseline)} does."
    if not less and train > 0 and test >= 0:
        return f" In these runs it fits the training part better than {named(split.experiment.baseline)} does."
    return ""


def _gain(split: SplitAnalysis, row: RecipeParts, part: Part) -> float:
    """Of the mean score, above 0 where it is better."""
    change = row.values[part][split.metric] - row.baseline[part][split.metric]
    return -change if METRICS[split.metric].lower_is_better else change


def _means(split: SplitAnalysis, row: RecipeParts) -> str:
    """'Mean accuracy: 88.0 % instead of 87.7 % on the test part, 99.1 % instead of 100.0 % on the training part'."""
    texts = [f"{_beside(split, row, part)} on the {PART_NAMES[part]} part" for part in ("test", "train")]
    return f"Mean {METRICS[split.metric].title}: {', '.join(texts)}"


def _beside(split: SplitAnalysis, row: RecipeParts, part: Part) -> str:
    """'99.1 % instead of 100.0 %', '100.0 % in every run', '99.1 % as the baseline'."""
    own, other = (
        value_text(value_of(values, part, split.metric), split.metric) for values in (row.values, row.baseline)
    )
    if row.same_train and part == "train":
        return f"{own} in every run"
    return f"{own} instead of {other}" if own != other else f"{own} as {named(split.experiment.baseline)}"


def _alone(split: SplitAnalysis) -> tuple[str, ...]:
    """'“none” has a generalization gap of 12.3 points of accuracy.', its two scores, and that nothing is beside it."""
    metric, values, baseline = split.metric, split.baseline.values, named(split.experiment.baseline)
    beside = "There is no recipe to compare it with."
    if "train" not in values:
        return (f"The generalization gap of {baseline} is not known.", beside)
    parts = [f"{value_text(values[part][metric], metric)} on the {PART_NAMES[part]} part" for part in ("train", "test")]
    gap = amount(split.baseline.gap(metric), metric)
    means = f"Mean {METRICS[metric].title}: {', '.join(parts)}."
    return (f"{baseline} has a generalization gap of {gap}.", f"{means} {beside}")


def caution(split: SplitAnalysis) -> tuple[str, ...]:
    """What a smaller gap is not, and what the numbers are of."""
    if "train" not in split.parts:
        return ()
    notes = [
        "A smaller gap alone is no gain: a network that learns nothing has none. Whether a recipe gives better test "
        "scores is judged in the results; here they say where a gap comes from."
    ]
    if any(row.same_train for row in split.recipes):
        notes.append(
            "Where every run fits its training part alike, gaps differ by the test score alone. A difference is then "
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


def value_of(values: Values, part: Part, metric: str) -> float:
    """The score on a part; nan where it is not known."""
    return values[part][metric] if part in values else math.nan
