"""Publication: what MLflow shall show of an experiment, of its runs and its report. Values: no mlflow, no network.

One flat MLflow run for each distinct spec. Params are what was requested (factors by the names in the experiment file,
and the resolved values), metrics what was measured, tags what to filter by. Everything comes from the runs folder, the
times too, so the same folder always gives the same publication, and `digest` says whether MLflow has it already.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ablation.analysis.metrics import METRICS
from ablation.core.values import label
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.preregistration import beforehand
from ablation.experiment.record import RECORD_FILE, RunRecord, read_with_digest
from ablation.experiment.runs import Run, history_of

KEY, DIGEST, REPORT = "ablation.run_id", "ablation.digest", "report"
"""The tag that says which run this is (the spec's id, or `REPORT`), and the tag that says which version of it."""

VIEW = "ablation"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
"""The view of the runs table by its name, `viewStateShareKey` in the address of MLflow's page, and the tag that holds
it: what the page's own button "Share view" writes. MLflow's client has no call for it; a version that does not read the
tag shows its own columns instead."""

MAX_PARAM, MAX_TAG = 6000, 8000
"""Characters that MLflow stores of a value."""

Status = Literal["FINISHED", "FAILED"]


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

    def equals(self, digest: str, status: str) -> bool:
        """Whether an MLflow run with this digest and status shows this already. A report without files keeps those that
        it has."""
        return status == self.status and digest.startswith(self.digest)


def run_publication(run: Run, cells: tuple[Cell, ...], experiment: str) -> Publication | None:
    """The run as MLflow shall show it, or None while it has not ended. cells: all that share the run."""
    record, record_digest = read_with_digest(run.folder)
    outcome, events = record.outcome if record else run.status(), run.journal.events()
    if not events or (record is None and outcome != "failed"):  # it ended after its record was looked for
        return None
    # a kill between the record and its event in the journal leaves the last epoch as the end; nothing comes after it
    start, end = _milliseconds(events[0]["time"]), _milliseconds(events[-1]["time"])
    params, environment = _params(cells), record.environment if record else {}
    tags = {
        KEY: run.spec.id,
        "ablation.kind": "run",
        "ablation.experiment": experiment,
        "ablation.outcome": outcome,
        "ablation.data": run.spec.data,
        "mlflow.note.content": _note(run, record),
        **{f"environment.{safe_key(name)}": str(value)[:MAX_TAG] for name, value in environment.items()},
    }
    name = " · ".join([*(params[factor] for factor in cells[0].factors), f"seed {run.spec.seed}"])
    status: Status = "FINISHED" if outcome == "finished" else "FAILED"
    points = (*_epochs(run), *_totals(record, end, run.spec.epochs))
    files = tuple(path for path in (run.folder / "spec.json", run.folder / RECORD_FILE) if path.exists())
    digest = _digest(name, status, start, end, params, tags, points, record_digest)
    return Publication(run.spec.id, name, status, start, end, params, tags, points, files, digest)


def report_publication(
    experiment: Experiment, runs: tuple[Run, ...], files: tuple[Path, ...], now: float
) -> Publication | None:
    """The experiment's own run, which carries the report; None before anything has started.

    FINISHED only when every planned run is. files: artifacts; a folder goes in under its name. now: seconds, the time
    of the counts, as they may fall too (a folder is deleted), which no time in a journal would tell.
    """
    times = [event["time"] for run in runs for event in run.journal.events()]
    if not times:
        return None
    outcomes = [run.status() for run in runs]
    counts = {name: outcomes.count(name) for name in ("finished", "diverged", "failed")}
    outcome = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "finished")
    tags = {
        KEY: REPORT,
        "ablation.kind": "report",
        "ablation.experiment": experiment.name,
        "ablation.outcome": outcome,
        "mlflow.note.content": f"{outcome} of {len(runs)} planned runs. `ablation report` puts the report here.",
    }
    if declared := beforehand(runs[0].root):
        tags["ablation.plan"] = declared.plan.hash
    totals = {"runs_planned": len(runs), **{f"runs_{name}": count for name, count in counts.items()}}
    points = tuple(Point(name, float(count), _milliseconds(now), 0) for name, count in totals.items())
    status: Status = "FINISHED" if counts["finished"] == len(runs) else "FAILED"
    name, start, end = f"{experiment.name} · report", _milliseconds(min(times)), _milliseconds(max(times))
    params = _design(experiment, len(runs))
    digest = _digest(name, status, start, end, params, tags, totals)
    digest += _digest([_content(path) for path in files]) if files else ""
    return Publication(REPORT, name, status, start, end, params, tags, points, files, digest)


def _design(experiment: Experiment, runs: int) -> dict[str, str]:
    """What was declared before the runs."""
    params = {
        "baseline": experiment.baseline,
        "metric": experiment.metric,
        "test": label(experiment.declared_test),
        "margin": str(experiment.margin),
        "alpha": str(experiment.alpha),
        "seeds": ", ".join(map(str, experiment.seed_numbers)),
        "runs": str(runs),
        **{f"{factor}.levels": ", ".join(levels) for factor, levels in experiment.factors.items()},
    }
    return {name: value[:MAX_PARAM] for name, value in params.items()}


def _params(cells: tuple[Cell, ...]) -> dict[str, str]:
    """Factors by name (all the names of a shared run, joined), then the resolved values under dotted keys."""
    first = cells[0]
    params = {factor: ", ".join(dict.fromkeys(cell.factors[factor] for cell in cells)) for factor in first.factors}
    params["seed"] = str(first.seed)
    for field in fields(first.spec):
        if field.name not in ("data", "seed"):
            params |= _resolved(field.name, getattr(first.spec, field.name), params.get(field.name))
    return {safe_key(key): value[:MAX_PARAM] for key, value in params.items()}


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


def _epochs(run: Run) -> Iterator[Point]:
    for epoch in history_of(run):
        measured = {"epoch_seconds": epoch.get("seconds")}
        measured |= {name: value for name, value in epoch.items() if name not in ("event", "time", "epoch", "seconds")}
        yield from _points(measured, _milliseconds(epoch["time"]), epoch["epoch"])


def _totals(record: RunRecord | None, time: int, step: int) -> Iterator[Point]:
    """What is known of a whole run: test metrics, size of the network, cost."""
    if record is not None:
        yield from _points({f"test_{name}": value for name, value in record.metrics.items()}, time, step)
        sizes = {name: record.evidence.get(name) for name in ("parameters", "trained_parameters")}
        yield from _points(sizes, time, step)
        yield from _points({f"cost_{name}": value for name, value in record.cost.items()}, time, step)


def _points(values: Mapping[str, Any], time: int, step: int) -> Iterator[Point]:
    """Finite numbers only: MLflow would store infinity as 1.8e308, and draw it."""
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield Point(safe_key(name), float(value), time, step)


def safe_key(name: str) -> str:
    """A name that MLflow takes as a key: whatever is no letter, digit, '_', '-', '.' or space becomes '_'."""
    return re.sub(r"[^\w. -]|^\.", "_", name)[:250]


def _note(run: Run, record: RunRecord | None) -> str:
    """What a person reads on the run's page."""
    if record is None:
        return f"Failed: {run.failure()}"[:MAX_TAG]
    if record.outcome == "diverged":
        text = f"Diverged at step {record.evidence.get('diverged_step')}: the loss was no longer a finite number."
    else:
        text = f"Trained on {record.environment.get('device', 'an unknown device')}. Kept in {run.spec.id}."
    return "\n\n".join([text, *record.notes])[:MAX_TAG]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _content(path: Path) -> list[Any]:
    """Name and content of a file, or of all that a folder holds, as something to hash."""
    files = sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]
    return [[str(file.relative_to(path.parent)), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]


def experiment_tags(experiment: Experiment) -> dict[str, str]:
    """What MLflow's pages show of the experiment: tags that its client names and documents, but for the view's and the
    kind's, which keeps the pages from taking it for one about language models."""
    recipe, optimizer = list(experiment.recipes)[-1], next(iter(experiment.optimizers))
    filters = "\n".join(f"- `{example}`" for example in example_filters(recipe, optimizer))
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": f"test_{experiment.metric}",
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(not METRICS[experiment.metric].lower_is_better),
        "mlflow.note.content": f"One run for each recipe, optimizer and seed. For the search box:\n\n{filters}",
        VIEW_TAG: json.dumps(_view(experiment)),
    }


def _view(experiment: Experiment) -> dict[str, Any]:
    """The runs table with factors and test metrics for columns, best run first; MLflow's own choice shows neither."""
    metrics = dict.fromkeys([f"test_{experiment.metric}", "test_accuracy", "test_macro_f1", "val_accuracy"])
    return {
        "searchFilter": example_filters()[0],
        "orderByKey": f"metrics.`test_{experiment.metric}`",
        "orderByAsc": METRICS[experiment.metric].lower_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            "attributes.`Duration`",
            *(f"metrics.`{metric}`" for metric in metrics),
            *(f"params.`{factor}`" for factor in (*experiment.factors, "seed")),
            "tags.`ablation.outcome`",
        ],
    }


def example_filters(recipe: str = "crop", optimizer: str = "adam") -> tuple[str, ...]:
    """Filters for the search box of MLflow's runs page."""
    return (
        "tags.\"ablation.kind\" = 'run'",
        f"params.recipe = {_quoted(recipe)} and params.optimizer = {_quoted(optimizer)}",
        "metrics.test_accuracy > 0.9",
    )


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"
