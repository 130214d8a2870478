"""How to reproduce it: the facts of the experiment, data, training and machine, and every run by its folder."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields
from operator import itemgetter
from typing import Any

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, duration, listing, percent
from ablation.core.values import label
from ablation.evidence.study import Study
from ablation.experiment.early_stopping import ALL_EPOCHS
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import recipe_text
from ablation.experiment.preregistration import declared_for, preregistration_of
from ablation.experiment.record import RunRecord
from ablation.experiment.results import Results
from ablation.experiment.spec import default_cache_size
from ablation.report.section import Column, Rows, Section, Table
from ablation.report.text import NO_MARGIN, TESTS, bounds, corrected_by, margin_text, points

NETWORK = {
    "stem": "stem",
    "weights": "starts from",
    "freeze": "not trained, from the first layer",
    "frozen_batch_norm": "batch norms not trained",
    "normalization": "normalisation",
    "stochastic_depth": "stochastic depth",
}
STEPS = {
    "lr": "learning rate, instead of the optimizers'",
    "weight_decay": "weight decay, instead of the optimizers'",
    "head_lr_factor": "learning rate of the head, times the others'",
    "clip_norm": "norm of the gradients, at most",
    "ema": "average of the weights, decay",
    "class_weights": "weights of the classes in the loss",
    "sampling": "sampling of an epoch",
    "patience": "stops early without a lower validation loss for, in epochs",
}
"""Fields of an experiment that are listed where they are not left as they are, with their terms."""

Fact = tuple[str, str]
"""A term, and what it means here; '' where that is not known."""

DEFAULTS = {field.name: field.default for field in fields(Experiment)}


def reproduce(study: Study) -> Section:
    """The command, the facts of experiment, data, training, machine and cost, and every run by its folder."""
    experiment, results, records = study.experiment, study.results, list(study.records.values())
    parts = {
        "Question": [*_question(experiment), ("plan", _plan(results))],
        "Data": _data(experiment, results, records),
        "Training": _training(experiment, records),
        "Machine": _machine(records),
        "Cost": _cost(results, records),
    }
    tables = []
    for title, facts in parts.items():  # what no record holds is left out
        rows = tuple({"term": term, "text": text} for term, text in facts if text)
        if rows:
            headers, words = {"term": "", "text": ""}, frozenset({"text"})
            tables.append(Table(headers, (Rows(rows, title),), words=words, keep=("text",)))
    return Section(
        "reproduce",
        "How can this be reproduced?",
        "The tables hold every setting, what the data are, the machine, and each run with the folder of its numbers.",
        answer(study),
        tables=(*tables, _runs(results)),
    )


def answer(study: Study) -> tuple[str, ...]:
    """The command, and what it does where runs are there already."""
    runs = counted(study.results.frame["id"].nunique(), "run")
    return (
        f"One command trains {'it' if runs == '1 run' else f'all {runs}'}: `{study.command}`.",
        "It trains only what is missing. To train every run anew, give it an empty folder with `--runs`.",
        "On the same machine with the same software, the same settings give the same numbers, bit for bit.",
    )


def _question(experiment: Experiment) -> list[Fact]:
    metric, test = experiment.metric, type(experiment.declared_test).__name__
    return [
        *((f"recipe {name}", recipe_text(experiment, name)) for name in experiment.recipes),
        ("baseline", experiment.baseline),
        ("metric", f"{METRICS[metric].title} on the test part"),
        ("test", f"{TESTS[test]}, {corrected_by(experiment)}"),
        ("verdicts hold", bounds(experiment)),
        ("family-wise error", percent(experiment.alpha)),
        ("margin", margin_text(experiment) or NO_MARGIN),
        ("seeds", listing(map(str, experiment.seed_numbers))),
    ]


def _plan(results: Results) -> str:
    """The hash of what the verdicts rest on, and whether it was recorded before there was anything to judge."""
    plan = preregistration_of(results.experiment, results.cells)
    before = declared_for(plan, results.root)
    if before is None:
        return f"{plan.hash}; none was recorded before the first result"
    if before.plan == plan:
        how = "".join(f", with --set {one}" for one in before.overrides)
        return f"{plan.hash}, recorded {before.day}, before the first result{how}"
    changes = "; ".join(before.plan.changed_to(plan)) or "more comparisons since, and nothing else"
    return f"{plan.hash}; {before.plan.hash} was recorded {before.day}, before the first result: {changes}"


def _data(experiment: Experiment, results: Results, records: list[RunRecord]) -> list[Fact]:
    names = ", ".join(results.classes) if len(results.classes) <= 20 else ""
    parts = [
        f"{part} {images}"
        for part in ("train", "val", "test")
        if (images := distinct(record.evidence.get(f"{part}_images") for record in records))
    ]
    return [
        ("source", label(experiment.data)),
        ("digest", results.cells[0].spec.data),
        ("classes", f"{len(results.classes)}{f': {names}' if names else ''}"),
        ("images", f"{', '.join(parts)}{' (each class gives whole images)' if parts else ''}"),
        ("left out", f"{counted(results.left_out, 'file')} that cannot be used" if results.left_out else ""),
        ("split", _levels(experiment, "split")),
        ("training part", _levels(experiment, "train_size")),
    ]


def _moments(moment: Any) -> str | None:
    return moment and ", ".join(f"{channel:.3f}" for channel in moment)


def _training(experiment: Experiment, records: list[RunRecord]) -> list[Fact]:
    sizes = experiment.cache_size or default_cache_size(experiment.image_size)
    return [
        *_named(experiment, "model"),
        ("parameters", distinct(map(_parameters, records))),
        *_changed(experiment, NETWORK),
        ("weights taken", distinct(map(_loaded, records))),
        ("normalised by mean (RGB)", distinct(_moments(record.evidence.get("mean")) for record in records)),
        ("and by sd (RGB)", distinct(_moments(record.evidence.get("std")) for record in records)),
        ("optimizers", "; ".join(f"{name} = {label(level)}" for name, level in experiment.optimizers.items())),
        ("weight decay", distinct(map(_decay, records))),
        *_changed(experiment, STEPS),
        *_named(experiment, "schedule", "epochs"),
        ("stopped early", _stopped_early(records)),
        *_named(experiment, "batch_size", "image_size"),
        ("cache size", "" if "image_size" in experiment.vary else _levels(experiment, "cache_size") or str(sizes)),
        *_named(experiment, "dropout", "label_smoothing"),
    ]


def _parameters(record: RunRecord) -> str | None:
    """'25 557 032', or with what of it is trained."""
    every, trained = (record.evidence.get(name) for name in ("parameters", "trained_parameters"))
    if not every:
        return None
    return _spaced(every) if trained in (None, every) else f"{_spaced(every)}, of which {_spaced(trained)} are trained"


def _loaded(record: RunRecord) -> str | None:
    """'60 tensors of sha256:1a2b…; not head (10 x 128; here 9 x 128)'; None where none were loaded."""
    taken = record.evidence.get("weights")
    if not taken:
        return None
    source = f"{taken['source'][:19]}…" if taken["source"].startswith("sha256:") else taken["source"]
    left_out = f"; not {', '.join(taken['left_out'])}" if taken["left_out"] else ""
    return f"{taken['loaded']} tensors of {source}{left_out}"


def _decay(record: RunRecord) -> str | None:
    """'0.05 on 25 503 912 parameters, 0 on 53 120': it shows that norms and biases are spared."""
    numbers: dict[float, int] = {}
    for group in record.evidence.get("parameter_groups") or ():
        numbers[group["weight_decay"]] = numbers.get(group["weight_decay"], 0) + group["parameters"]
    if not any(numbers):
        return None
    first, *others = (f"{decay:g} on {_spaced(numbers[decay])}" for decay in sorted(numbers, reverse=True))
    return ", ".join([f"{first} parameters", *others])


def _stopped_early(records: list[RunRecord]) -> str:
    """'18 of 24 runs, after 5 to 16 epochs; tested is the best epoch, 2 to 13'; '' where none may."""
    each = [one for record in records if (one := record.evidence.get("early_stopping"))]
    if not each:
        return ""
    early = [one["epochs"] for one in each if one["reason"] != ALL_EPOCHS]
    after = f", after {_range(early)} epochs" if early else ""
    best = _range([one["best_epoch"] for one in each])
    return f"{len(early)} of {counted(len(each), 'run')}{after}; tested is the best epoch, {best}"


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _named(experiment: Experiment, *names: str) -> list[Fact]:
    """Fields that are called as they are."""
    return [(name.replace("_", " "), _levels(experiment, name)) for name in names]


def _changed(experiment: Experiment, terms: Mapping[str, str]) -> list[Fact]:
    """Those of the fields that were not left as they are."""
    changed = (name for name in terms if name in experiment.vary or getattr(experiment, name) != DEFAULTS[name])
    return [(terms[name], _levels(experiment, name)) for name in changed]


def _machine(records: list[RunRecord]) -> list[Fact]:
    terms = {"device": "device", "precision": "precision", "platform": "platform", "python": "Python"}
    terms |= {"torch": "torch", "numpy": "NumPy", "ablation": "ablation"}
    return [(term, distinct(record.environment.get(key) for record in records)) for key, term in terms.items()]


def _cost(results: Results, records: list[RunRecord]) -> list[Fact]:
    seconds = [record.cost["seconds"] for record in records if record.cost.get("seconds")]
    speeds = sorted(record.cost["images_per_second"] for record in records if record.cost.get("images_per_second"))
    times = f"{duration(sum(seconds))} in all, {duration(sum(seconds) / len(seconds))} a run" if seconds else ""
    return [
        ("runs", f"{len(records)} with a record, of {results.frame['id'].nunique()} planned"),
        ("training", times),
        ("speed", f"{speeds[len(speeds) // 2]:,.0f} images a second (median run)".replace(",", " ") if speeds else ""),
    ]


def _levels(experiment: Experiment, field: str) -> str:
    """A field's value, or the values that it takes in the grid."""
    if field in experiment.vary:
        return "varied: " + "; ".join(
            name if name == label(level) else f"{name} = {label(level)}"
            for name, level in experiment.factors[field].items()
        )
    held = getattr(experiment, field)
    return "" if held is None else label(held)


def distinct(values: Iterable[Any]) -> str:
    """The different values in order of appearance, 'cpu' or 'cpu; cuda'; '' where there is none."""
    return "; ".join(dict.fromkeys(str(item) for item in values if item is not None))


def _runs(results: Results) -> Table:
    """A row a cell of the grid, in order, with the folder that its numbers come from."""
    metric, factors = results.experiment.metric, results.factors
    unit = " (%)" if METRICS[metric].unit == "points" else ""

    def score(run: Mapping[Hashable, Any]) -> str:
        return points(run.get(metric, math.nan) if run["status"] == "finished" else math.nan, metric)

    def seconds(run: Mapping[Hashable, Any]) -> str:
        taken = run.get("seconds", math.nan)
        return NONE if taken is None or math.isnan(taken) else duration(taken)

    columns: dict[str, Column] = {
        "run": ("run", itemgetter("id")),
        "recipe": ("recipe", itemgetter("recipe")),
        "status": ("status", lambda run: f"{run['status']}: {run['reason']}" if run.get("reason") else run["status"]),
        **{factor: (factor.replace("_", " "), itemgetter(factor)) for factor in factors if factor != "recipe"},
        "seed": ("seed", lambda run: str(run["seed"])),
        "score": (f"{METRICS[metric].title}{unit}", score),
        "time": ("training", seconds),
    }
    runs = results.frame.to_dict("records")
    folded = f"Every run ({len(runs)}), with its folder in {results.folder}/"
    words = frozenset({*factors, "status"})
    return Table.of(columns, runs, words=words, keep=("recipe", "status", "score"), folded=folded)
