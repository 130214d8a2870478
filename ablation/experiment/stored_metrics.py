"""The metrics of a finished run: those that its record holds, and others of the logits that it stored. No torch."""

from __future__ import annotations

from ablation.analysis.metrics import METRICS, reported
from ablation.core.errors import InputError, reason_of
from ablation.experiment.record import RunRecord, read_predictions
from ablation.experiment.runs import Run
from ablation.experiment.seal import Sealed


def stored_metrics(run: Run, record: RunRecord, sealed: Sealed | None, metric: str) -> dict[str, float]:
    """Those of the record, and what it lacks of those that are shown where an experiment is judged by `metric`.

    Raises InputError for a metric that cannot be computed, as one of the user's own may be.
    """
    missing = [name for name in reported(metric) if name not in record.metrics] if record.outcome == "finished" else []
    if not missing:
        return record.metrics
    _, labels, logits = read_predictions(run.folder, sealed)
    metrics = dict(record.metrics)
    for name in missing:
        try:
            metrics[name] = METRICS[name](logits, labels)
        except InputError as error:  # it says which metric
            raise InputError(f"{error.problems[0].message}, of the predictions of {run.folder}") from error
        except Exception as error:  # whatever the function behind a metric raises
            raise InputError(f"metric {name!r} cannot be computed of {run.folder}: {reason_of(error)}") from error
    return metrics
