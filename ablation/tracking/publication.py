"""Publication: what MLflow shall show of an experiment, of its runs and its report. Values: no mlflow, no network.

One flat MLflow run for each distinct spec, from its first epochs on. Params are what was requested (factors by the
names in the experiment file, and the resolved values), metrics what was measured, tags what to filter by. Everything
comes from the runs folder, the times too, so the same folder always gives the same publication, and `digest` says
whether MLflow has it already.

MLflow draws a section of charts for each word before the slash of a metric's name: train, val, test, cost, model. It
draws bars, which it can average by recipe, where a metric has step 0 alone, and lines over epochs else: so what is
known of a whole run has step 0.

The experiment's own run counts the others, and carries the report. Its counts come from the runs folder as well; the
report comes from whoever made one (`Report`), stays when only the counts are published, and is marked when it is old.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ablation.analysis.metrics import METRICS
from ablation.core.errors import attempt
from ablation.core.safe import markdown_code, mlflow_key
from ablation.core.text import counted, duration
from ablation.core.values import label
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.preregistration import beforehand
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, RunRecord
from ablation.experiment.runs import SPEC_FILE, Held, Run, epochs_in, history_of
from ablation.experiment.stored_metrics import stored_metrics

KEY, DIGEST, REPORT = "ablation.run_id", "ablation.digest", "report"
"""The tag that says which run this is (the spec's id, or `REPORT`), and the tag that says which version of it."""

NOTE, FORMAT, VERDICT = "mlflow.note.content", "ablation.format", "ablation.verdict"
"""The tags of a run's description, of how its metrics are named, and of the verdict on its arm."""

REPORT_DIGEST, REPORT_FILES = "ablation.report.digest", "ablation.report.files"
"""The tags of the experiment's own run that say which report it carries, and the names of its artifacts."""

NAMES = "2"
"""Which names the metrics have: another number for other names or steps. MLflow takes no point back, so that a run
which has points by the old names is replaced."""

KIND = "workflowType=machine_learning"
"""What in the address of a page keeps MLflow's from showing it as one about language models."""

MAX_PARAM, MAX_TAG = 6000, 8000
"""Characters that MLflow stores of a value."""

MAX_DESCRIPTION = MAX_TAG - 300
"""Characters of a report's description: a line that says it is old goes above it."""

_STATUS: Mapping[str, Status] = {"finished": "FINISHED", "running": "RUNNING", "interrupted": "KILLED"}
"""How a run stands -> what MLflow calls it; FAILED for every other."""

_OLD = "The report is of {of} of {ended} runs; `ablation report --publish` renews it."

Status = Literal["FINISHED", "FAILED", "RUNNING", "KILLED"]

Begun = Literal["running", "interrupted"]
"""How a run may stand that has begun and not ended."""

PREVIEW = "preview.png"
"""The artifact of a run that its description shows."""

_PICTURE = f"![A photograph, and what the recipe made of it in the first epochs]({PREVIEW})"
"""Stands in a description. The address has the id of MLflow's own run, which is known when it is written."""


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds. MLflow tells two points apart by all four."""

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class Publication:
    """One MLflow run as it shall be. `start` and `end` in milliseconds since 1970."""

    key: str
    name: str
    status: Status
    start: int
    end: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: tuple[Point, ...]
    files: tuple[Path, ...]
    digest: str
    pictures: Path | None = None
    """Where the pictures are of which the preview is made; None for a run without."""

    def equals(self, digest: str, status: str) -> bool:
        """Whether an MLflow run with this digest and status shows this already."""
        return (status, digest) == (self.status, self.digest)


@dataclass(frozen=True)
class Report:
    """What the experiment's own run carries besides its counts. files: artifacts; a folder goes in under its name."""

    files: tuple[Path, ...]
    description: str
    """Markdown; `MAX_DESCRIPTION` characters of it are shown."""
    verdicts: Mapping[str, str]
    """The id of each run that the report is of -> the verdict on its arm."""

    @property
    def digest(self) -> str:
        """It differs for another file, description or verdict."""
        return _digest([_content(path) for path in self.files], self.description, dict(self.verdicts))


def run_publication(
    run: Run,
    cells: tuple[Cell, ...],
    experiment: Experiment,
    held: Held | None = None,
    begun: Begun | None = None,
) -> Publication | None:
    """The run as MLflow shall show it, or None before it has ended. cells: all that share the run.

    Of a run whose record was altered it has what the journal holds, and not the record. held: what was read of it.
    begun: with it, a run that has begun and not ended has the epochs so far, and stands so.
    """
    held = held or run.held()
    altered, record, record_digest = held.altered, held.record, held.digest
    outcome, events = _standing(run, held), run.journal.events()
    if record is not None and experiment.metric not in record.metrics:
        record = _with_metric(run, record, held, experiment.metric)
    if not events:
        return None
    if record is None and outcome not in ("failed", "altered"):  # or it ended after that was looked for
        if begun is None:
            return None
        outcome = begun
    # a kill between the record and its event in the journal leaves the last epoch as the end; nothing comes after it
    start, end = _milliseconds(events[0]["time"]), _milliseconds(events[-1]["time"])
    params, environment = _params(cells), record.environment if record else {}
    arm = {factor: params[factor] for factor in (*cells[0].factors, "seed")}
    tags = {
        KEY: run.spec.id,
        "ablation.kind": "run",
        "ablation.experiment": experiment.name,
        "ablation.outcome": outcome,
        "ablation.data": run.spec.data,
        FORMAT: NAMES,
        NOTE: _note(run, record, outcome, cells, experiment),
        **{f"ablation.{mlflow_key(name)}": value[:MAX_TAG] for name, value in arm.items()},
        **{f"environment.{mlflow_key(name)}": str(value)[:MAX_TAG] for name, value in environment.items()},
    }
    name = " · ".join([*(params[factor] for factor in cells[0].factors), f"seed {run.spec.seed}"])
    points = (*_epochs(events), *_totals(record, end))
    files = () if altered else tuple(run.folder / file for file in (SPEC_FILE, RECORD_FILE))
    files = tuple(path for path in files if path.exists())
    status = _STATUS.get(outcome, "FAILED")
    digest = _digest(name, status, start, end, params, tags, points, record_digest or None)
    pictures = run.folder / ARRAYS_FILE if record else None
    return Publication(run.spec.id, name, status, start, end, params, tags, points, files, digest, pictures)


def counts_publication(
    experiment: Experiment, runs: tuple[Run, ...], now: float, held: Mapping[str, Held] | None = None
) -> Publication | None:
    """The experiment's own run without a report; None before anything has started.

    FINISHED only when every planned run is. now: seconds, the time of the counts, as they may fall too (a folder is
    deleted), which no time in a journal would tell. What was declared before the runs is in tags: a grid may grow, and
    MLflow's params may not change. held: what was read of the runs, by id.
    """
    times = [event["time"] for run in runs for event in run.journal.events()]
    if not times:
        return None
    outcomes = [_standing(run, held[run.spec.id]) if held else run.status() for run in runs]
    counts = {name: outcomes.count(name) for name in ("finished", "diverged", "failed", "altered")}
    outcome = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "finished")
    tags = {
        KEY: REPORT,
        "ablation.kind": "report",
        "ablation.experiment": experiment.name,
        "ablation.outcome": outcome,
        FORMAT: NAMES,
        NOTE: f"{outcome} of {len(runs)} planned runs. `ablation report --publish` puts the report here.",
        **_design(experiment, len(runs)),
    }
    if declared := beforehand(runs[0].root):
        tags["ablation.plan"] = declared.plan.hash
    totals = {"runs_planned": len(runs), **{f"runs_{name}": count for name, count in counts.items()}}
    points = tuple(Point(name, float(count), _milliseconds(now), 0) for name, count in totals.items())
    status: Status = "FINISHED" if counts["finished"] == len(runs) else "FAILED"
    name, start, end = f"{experiment.name} · report", _milliseconds(min(times)), _milliseconds(max(times))
    digest = _digest(name, status, start, end, tags, totals)
    return Publication(REPORT, name, status, start, end, {}, tags, points, (), digest)


def _standing(run: Run, held: Held) -> str:
    """How the run stands, by what was read of it."""
    if held.altered:
        return "altered"
    return held.record.outcome if held.record else run.status()


def dated(description: str, of: int, ended: int) -> str:
    """The description of a report of `of` runs, with a first line that says so where `ended` have ended by now.

    The line is that of today: one of before goes.
    """
    line = re.escape(_OLD.format(of=0, ended=0)).replace("0", "[0-9]+")
    body = re.sub(rf"\A{line}\n\n", "", description)
    return f"{_OLD.format(of=of, ended=ended)}\n\n{body}" if of < ended else body


def _design(experiment: Experiment, runs: int) -> dict[str, str]:
    """What was declared before the runs, as tags."""
    declared = {
        "baseline": experiment.baseline,
        "metric": experiment.metric,
        "test": label(experiment.declared_test),
        "margin": str(experiment.declared_margin or "none"),
        "alpha": str(experiment.alpha),
        "seeds": ", ".join(map(str, experiment.seed_numbers)),
        "runs": str(runs),
        **{f"{factor}.levels": ", ".join(levels) for factor, levels in experiment.factors.items()},
    }
    return {f"design.{mlflow_key(name)}": value[:MAX_TAG] for name, value in declared.items()}


def _params(cells: tuple[Cell, ...]) -> dict[str, str]:
    """Factors by name (all the names of a shared run, joined), then the resolved values under dotted keys."""
    first = cells[0]
    params = {factor: ", ".join(dict.fromkeys(cell.factors[factor] for cell in cells)) for factor in first.factors}
    params["seed"] = str(first.seed)
    for name in first.spec.to_plain():  # without what came later and is not chosen
        if name not in ("data", "seed"):
            params |= _resolved(name, getattr(first.spec, name), params.get(name))
    return {mlflow_key(key): value[:MAX_PARAM] for key, value in params.items()}


def _resolved(name: str, value: Any, level: str | None) -> dict[str, str]:
    """One field of the spec; `level` is its name where it is a factor of the grid."""
    if name == "recipe":
        return {"recipe.operations": ", ".join(map(label, value)) or "(nothing)"}
    parts = _parts(name, value)
    if hasattr(value, "lr"):  # of the optimizer within, for SAM and Lookahead: what people filter by
        parts[f"{name}.lr"] = label(value.lr)
    if level is None:
        return {name: label(value), **parts}
    return parts or ({f"{name}.value": label(value)} if label(value) != level else {})


def _parts(name: str, value: Any) -> dict[str, str]:
    """A value's class and fields under dotted keys, values within it too."""
    if not hasattr(value, "__dataclass_fields__"):
        return {}
    parts = {f"{name}.type": type(value).__name__}
    for field in fields(value):
        item, key = getattr(value, field.name), f"{name}.{field.name}"
        parts |= _parts(key, item) or {key: label(item)}
    return parts


def _epochs(events: Sequence[dict[str, Any]]) -> Iterator[Point]:
    for epoch in epochs_in(events):
        measured = {_of_epoch(name): value for name, value in epoch.items() if name not in ("event", "time", "epoch")}
        yield from _points(measured, _milliseconds(epoch["time"]), epoch["epoch"])


def _of_epoch(name: str) -> str:
    """'train/loss' for train_loss; what is not of a part is of the training, or a cost."""
    part, _, measured = name.partition("_")
    if part in ("train", "val"):
        return f"{part}/{measured}"
    return f"cost/epoch_{name}" if name in ("seconds", "images_per_second") else f"train/{name}"


def _with_metric(run: Run, record: RunRecord, held: Held, metric: str) -> RunRecord:
    """The record with a metric that it does not hold, of the logits that it stored; as it is where that fails."""
    compute = partial(stored_metrics, run, record, held.arrays, metric)
    return replace(record, metrics=attempt("the metric", compute, record.metrics, lambda wrong: None))


def _totals(record: RunRecord | None, time: int) -> Iterator[Point]:
    """What is known of a whole run: test metrics, size of the network, cost."""
    if record is not None:
        sizes = {name: record.evidence.get(name) for name in ("parameters", "trained_parameters")}
        parts: dict[str, Mapping[str, Any]] = {"test": record.metrics, "model": sizes, "cost": record.cost}
        parts["train"] = _stopping(record)
        for part, values in parts.items():
            yield from _points({f"{part}/{name}": value for name, value in values.items()}, time, 0)


def _stopping(record: RunRecord) -> dict[str, Any]:
    """Of a run with `patience` the epochs that it trained, and the one whose network was tested."""
    held = record.evidence.get("early_stopping")
    return {name: held.get(name) for name in ("epochs", "best_epoch")} if isinstance(held, Mapping) else {}


def _points(values: Mapping[str, Any], time: int, step: int) -> Iterator[Point]:
    """Finite numbers only: MLflow would store infinity as 1.8e308, and draw it."""
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield Point(mlflow_key(name), float(value), time, step)


def _note(run: Run, record: RunRecord | None, outcome: str, cells: tuple[Cell, ...], experiment: Experiment) -> str:
    """What a person reads on the run's page, in Markdown. Whatever somebody named is code, which stays as it is."""
    lines = {
        "outcome": _outcome(run, record, outcome, experiment.metric)
    }  # first: MLflow folds a description after 100 pixels
    lines |= {factor: _level(factor, cells) for factor in cells[0].factors} | {"seed": str(run.spec.seed)}
    if record is not None:
        seconds, device = record.cost.get("seconds"), record.environment.get("device", "an unknown device")
        lines["trained"] = f"on {markdown_code(device)}" + (f" in {duration(seconds)}" if seconds is not None else "")
    lines["kept in"] = markdown_code(f"{experiment.name}/{run.spec.id}")
    text = [f"- {name.replace('_', ' ').capitalize()}: {value}" for name, value in lines.items()]
    if record is not None:
        text.insert(1, f"\n{_PICTURE}\n")
    text += [f"- Note: {markdown_code(note)}" for note in (record.notes if record else ())]
    return "\n".join(text)[:MAX_TAG]


def described(note: str, run_id: str) -> str:
    """The description of MLflow's run of this id, with the address of its preview, which MLflow's server gives."""
    address = f"(get-artifact?path={PREVIEW}&run_uuid={run_id})"
    return note.replace(_PICTURE, _PICTURE.replace(f"({PREVIEW})", address), 1)


def _level(factor: str, cells: tuple[Cell, ...]) -> str:
    """The level of a factor by its names, and by its value where that says more."""
    names = dict.fromkeys(cell.factors[factor] for cell in cells)
    value = getattr(cells[0].spec, factor)
    if factor == "recipe":
        words = markdown_code(" + ".join(map(label, value))) if value else "no augmentation"
    else:
        words = markdown_code(label(value))
    named = " and ".join(map(markdown_code, names))
    return named if words == named else f"{named}, which is {words}"


def _outcome(run: Run, record: RunRecord | None, outcome: str, metric: str) -> str:
    if outcome in ("running", "interrupted"):
        return f"{outcome}, after {len(history_of(run))} of {counted(run.spec.epochs, 'epoch')}"
    if record is None:
        return f"{outcome}: {markdown_code(run.failure())}"
    if record.outcome == "diverged":
        step = record.evidence.get("diverged_step")
        return f"diverged at step {step}: the loss was no longer a finite number"
    score, kind = record.metrics.get(metric, math.nan), METRICS[metric]
    shown = f"{100 * score:.1f} %" if kind.unit == "points" else f"{score:.3f} {kind.unit}".rstrip()
    return f"finished, with {shown} {kind.title} on the test images"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _content(path: Path) -> list[Any]:
    """Name and content of a file, or of all that a folder holds, as something to hash."""
    files = sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]
    return [[str(file.relative_to(path.parent)), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
