"""Warnings: what makes results less than the experiment planned, or not what they seem. Shown beside every result.

Each is whole sentences, in which names are marked as names (`ablation.core.text.named`).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, listing, named, opening
from ablation.data.contents import left_out_words
from ablation.evidence.failed_trainings import guesses
from ablation.experiment.classes import imbalance
from ablation.experiment.labels import condition_named, names_of
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.preregistration import (
    Preregistered,
    beforehand,
    declared_for,
    declared_in,
    preregistered,
    preregistration_of,
)
from ablation.experiment.results import NO_SCORE, Results
from ablation.experiment.runs import strays
from ablation.experiment.variants import others_with_results

UNFINISHED = {
    "failed": "failed",
    "diverged": "diverged",
    "interrupted": "interrupted",
    "running": "still running",
    "planned": "not started",
    NO_SCORE: NO_SCORE,
}
"""How a run can stand other than finished, in words."""

ENVIRONMENT = {
    "device": "devices",
    "precision": "precisions",
    "torch": "versions of torch",
    "torchvision": "versions of torchvision",
    "numpy": "versions of NumPy",
}
"""What can change bits although the spec is the same."""

EXECUTION = {"step": ("ways to compute a step", "not compiled"), "memory_format": ("memory formats", "not known")}
"""What can change bits by the way that a run was computed, in its environment; what it is where it is not there."""

HOW_TO_MEND = "Restore the file, or remove the run's folder and `ablation run` trains it again"

MOST_ALTERED = 5
"""Altered runs that warnings name one by one."""

MOST_VARIANTS = 8
"""Other variants that a warning names one by one."""


def warnings_of(results: Results, failed: frozenset[str]) -> list[str]:
    """What makes these results less than the experiment planned, a sentence each; [] when all is well.

    failed: the ids of the failed trainings.
    """
    every = alarms(results) + _changed_plan(results) + _other_plans(results) + _unfinished(results)
    if caution := imbalance(results.experiment.metric, results.classes, results.class_counts):
        every.append(caution)
    if results.left_out:
        every.append(f"{left_out_words(results.left_out)}.")
    done = results.finished
    if len(done):
        every += [*_two_results(results), *_not_sealed(results, done), *_environments(results, done)]
        every += _splits(results, done)
        every += [*_failed(results, done, failed), *_without_spread(results, done), *_alike(results, done)]
        every += [*_idle(done), *_notes(done)]
    return every


def alarms(results: Results) -> list[str]:
    """Of the warnings those of files that are not as training left them."""
    return _altered(results) + lost_lines(results)


def _changed_plan(results: Results) -> list[str]:
    """Against the plan from before the first result; where there is none, against the first that there is."""
    if not results.records:
        return []
    plan = preregistration_of(results.experiment, results.cells)
    before, every = declared_for(plan, results.root), [one for one in preregistered(results.root) if not one.overrides]
    first = before or next(iter(every), None)
    if first is None:
        return ["No plan was declared before the first result, nor after it."]
    changes = "; ".join(first.plan.changed_to(plan))
    if before and before.overrides:
        return _variant(before, results.root)
    if before and not changes:
        return []
    other = declared_in(first, results.experiment, results.root)
    advice = f" {other} has the same name: give one of the two another, and each has runs of its own." if other else ""
    if before:
        return [f"Judged otherwise than declared before the first result ({before.day}): {changes}.{advice}"]
    since = f". Since then: {changes}." if changes else ", and not changed since."
    return [f"No plan was declared before the first result. The earliest is of {first.day}{since}"]


def _other_plans(results: Results) -> list[str]:
    """Other variants that have results: whoever shows one of them may have chosen it by these."""
    if not results.records:
        return []
    plan = preregistration_of(results.experiment, results.cells)
    before = declared_for(plan, results.root)
    others = others_with_results(results.experiment, results.cells, results.root, before.plan if before else None)
    sentences = []
    if others.variants:
        shown = [*others.variants[:MOST_VARIANTS]]
        shown += [f"{more} more"] if (more := len(others.variants) - len(shown)) else []
        sentences.append(
            f"One of {len(others.variants) + 1} variants that have results (also: {'; '.join(shown)}): "
            "the verdicts are not corrected for choosing among them."
        )
    if others.seeds:
        sentences.append(
            f"Seeds {'; '.join(others.seeds)} have results as a plan of their own: "
            "the verdicts are not corrected for looking more than once."
        )
    return sentences


def _variant(declared: Preregistered, root: Path) -> list[str]:
    """A variant that judges the same runs by another rule than the file, though it was declared so beforehand."""
    file = beforehand(root)
    changes = "; ".join(file.plan.judged_otherwise(declared.plan)) if file else ""
    how = " ".join(f"--set {one}" for one in declared.overrides)
    return [f"Judged as declared with {how} ({declared.day}), not as in the file: {changes}."] if changes else []


def _altered(results: Results) -> list[str]:
    """Runs whose record or arrays are not those which training left; of many the first few by name."""
    runs = results.frame.drop_duplicates("id")
    runs, names = runs[runs["status"] == "altered"], names_of(results.cells)
    alarms = [
        f"Run {named(names[run_id])} ({run_id}) was altered after its training: {reason}. "
        f"It is in no mean and no test. {HOW_TO_MEND} ({results.root.name}/{run_id})."
        for run_id, reason in runs[["id", "reason"]].head(MOST_ALTERED).itertuples(index=False)
    ]
    more = len(runs) - len(alarms)
    return [*alarms, f"{counted(more, 'more run')} altered too: `ablation status` names them."] if more else alarms


def lost_lines(results: Results) -> list[str]:
    """Journals with lines that are not as they were written. Of such a line only what no score rests on is missing."""
    lost = {run_id: held.lost for run_id, held in results.held.items() if held.lost}
    if not lost:
        return []
    names = names_of(results.cells)
    some = [f"{named(names[run_id])} ({run_id})" for run_id in list(lost)[:MOST_ALTERED]]
    more = [counted(len(lost) - len(some), "more run")] if len(lost) > len(some) else []
    return [
        f"{counted(sum(lost.values()), 'line')} of journals cannot be read, of {listing([*some, *more])}: no score "
        "rests on them, but learning curves in MLflow, times and reasons of failures may lack something."
    ]


def _unfinished(results: Results) -> list[str]:
    runs = results.frame.drop_duplicates("id")["status"].value_counts()
    metric = results.experiment.metric
    of = {NO_SCORE: f" of {metric}"} if isinstance(metric, OwnMetric) else {}
    return [
        f"{runs[status]} of {runs.sum()} runs {words}{of.get(status, '')}: in no mean and no test."
        for status, words in UNFINISHED.items()
        if runs.get(status)
    ]


def _two_results(results: Results) -> list[str]:
    """A copied folder holds a second result for a run."""
    return [
        f"Two results for one run: {results.folder}/{folder.name} holds {run_id} too, and is not used."
        for folder, run_id in strays(results.root, set(results.frame["id"]))
    ]


def _not_sealed(results: Results, done: pd.DataFrame) -> list[str]:
    """Where some runs are sealed, others are of an older version, or somebody removed their seals."""
    runs = tuple(dict.fromkeys(done["id"]))
    without = sum(results.seal(run_id) is None for run_id in runs)
    if without in (0, len(runs)):
        return []
    verb = "is" if without == 1 else "are"
    why = "made by an older version, or without their seals since"
    return [f"{without} of {len(runs)} finished runs {verb} not sealed, unlike the others: {why}."]


def _environments(results: Results, done: pd.DataFrame) -> list[str]:
    """What of the environment differs between runs, how many have which, and recipes that have one kind alone."""
    runs = done.drop_duplicates("id").set_index("id")
    kinds = {what: runs[column].map(str) for column, what in ENVIRONMENT.items() if column in runs}
    records = {run_id: results.records[run_id] for run_id in runs.index if run_id in results.records}
    for name, (what, otherwise) in EXECUTION.items():
        known = {run_id: str(record.environment.get(name, otherwise)) for run_id, record in records.items()}
        kinds[what] = pd.Series(known, dtype=object)
    formats, of_model = kinds[EXECUTION["memory_format"][0]], runs.get("model", pd.Series("", runs.index))
    if (formats.groupby(of_model.loc[formats.index]).nunique() == 1).all():
        del kinds[EXECUTION["memory_format"][0]]  # networks of one's own have another, and recipes have it in common
    return [_different(what, of, runs) for what, of in kinds.items() if of.nunique() > 1]


def _different(what: str, kinds: pd.Series, runs: pd.DataFrame) -> str:
    """kinds: of each run, by its id."""
    counts = ", ".join(
        f"{kind} ({counted(number, 'run')})" for kind, number in kinds.value_counts().sort_index().items()
    )
    of_recipe = kinds.groupby(runs["recipe"].loc[kinds.index], sort=False).unique()
    alone = {recipe: kind[0] for recipe, kind in of_recipe.items() if len(kind) == 1}
    sentence = f"Runs on different {what} are compared: {counts}."
    if len(set(alone.values())) < 2:
        return sentence
    mixed = listing(f"{named(str(recipe))} has {kind} only" for recipe, kind in alone.items())
    mend = "remove the folders of some, and `ablation run` trains them like the others"
    return f"{sentence} What is due to that, and what to the recipe, cannot be told: {mixed}; {mend}."


def _splits(results: Results, done: pd.DataFrame) -> list[str]:
    differing = []
    redrawn = {cell.spec.id: cell.spec.split.drawn_from(cell.seed) for cell in results.cells}
    split = [done[factor] for factor in ("split", "train_size") if factor in results.factors]
    if (done.groupby([*split, done["id"].map(redrawn)])["split_digest"].nunique() > 1).any():
        differing.append("Runs that should share a split do not: the comparison does not hold.")
    sizes = [factor for factor in ("image_size", "cache_size", "batch_size") if factor in results.factors]
    if (done.groupby(["split_digest", *sizes])["first_test_batch"].nunique() > 1).any():
        differing.append("The test images are not the same in all runs of one split: the comparison does not hold.")
    without = int(done.drop_duplicates("id")[["split_digest", "first_test_batch"]].isna().any(axis=1).sum())
    if without:
        of = f"{without} of {counted(done['id'].nunique(), 'finished run')}"
        differing.append(f"{of} without evidence of split or test images: nothing shows that the others have the same.")
    return differing


def _failed(results: Results, done: pd.DataFrame, failed: frozenset[str]) -> list[str]:
    """Failed trainings of each recipe with their scores, and its mean with and without them."""
    if failed >= set(done["id"]):
        near = "; ".join(filter(None, ("near chance", guesses(results, done))))
        return [f"All {len(failed)} trainings ended {near}. There is no verdict."]
    metric, sentences = results.experiment.metric, []
    for recipe, runs in _recipes(results, done):
        wrong = runs["id"].isin(failed)
        if wrong.any():
            scores = ", ".join(f"{score:.3f}" for score in runs[wrong][metric])
            mean = f"the mean is {runs[metric].mean():.3f}"
            mean += "" if wrong.all() else f" with and {runs[~wrong][metric].mean():.3f} without"
            figures = "; ".join(filter(None, (scores, guesses(results, runs), mean)))
            sentences.append(
                f"{recipe}: {wrong.sum()} of {len(runs)} trainings ended near chance or far below the others "
                f"({METRICS[metric].title} {figures}). No verdict."
            )
    return sentences


def _without_spread(results: Results, done: pd.DataFrame) -> list[str]:
    """The same figures for every seed: as a rule the seed does not reach the training.

    One metric may well be alike, as accuracy is where few test images are nearly all right.
    """
    return [
        f"{recipe}: the same figures for all {len(runs)} seeds. Do they reach the training?"
        for recipe, runs in _recipes(results, done)
        if runs["id"].nunique() > 1 and len(set(_figures(runs))) == 1
    ]


def _alike(results: Results, done: pd.DataFrame) -> list[str]:
    """Other runs with the same figures, seed by seed: as a rule what should differ does not reach the training."""
    by_figures: dict[object, dict[str, frozenset[str]]] = {}
    for recipe, runs in _recipes(results, done):
        if len(runs) > 1:
            figures = tuple(sorted(zip(runs["seed"], _figures(runs), strict=True)))
            by_figures.setdefault(figures, {})[recipe] = frozenset(runs["id"])
    return [
        f"{listing(recipes)} have the same figures for every seed. Is what differs between them applied?"
        for recipes in by_figures.values()
        if len(set(recipes.values())) > 1
    ]


def _figures(runs: pd.DataFrame) -> list[tuple[str, ...]]:
    """Every metric of each run, to the last digit, so that two without a number are alike too."""
    return [tuple(map(repr, row)) for row in runs[[metric for metric in METRICS if metric in runs]].to_numpy().tolist()]


def _recipes(results: Results, done: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """'crop under adam' -> its runs, in the order of the grid."""
    return [
        (_recipe_under(dict(zip(results.factors, map(str, levels), strict=True)), results), runs)
        for levels, runs in done.groupby(results.factors, sort=False)
    ]


def _recipe_under(levels: dict[str, str], results: Results) -> str:
    others = {factor: level for factor, level in levels.items() if factor != "recipe"}
    return f"{named(levels['recipe'])} under {condition_named(others, results.experiment)}"


def _idle(done: pd.DataFrame) -> list[str]:
    suspect, sentences = done[done["idle"] != ""] if "idle" in done else done[:0], []
    for recipe, runs in suspect.groupby("recipe", sort=False):
        names = ", ".join(dict.fromkeys(name for names in runs["idle"] for name in names.split(", ")))
        every = (done["recipe"] == recipe).sum()
        sentences.append(
            f"{named(str(recipe))}: {names} changed no picture in the first epoch of {len(runs)} of {every} runs."
        )
    return sentences


def _notes(done: pd.DataFrame) -> list[str]:
    """What accompanies results and could not be computed: the results themselves stand."""
    if "notes" not in done:
        return []
    runs = done.drop_duplicates("id")
    noted = runs[runs["notes"] != ""]
    return [
        f"{opening(str(note))}, in {len(those)} of {len(runs)} runs."
        for note, those in noted.groupby("notes", sort=False)
    ]
