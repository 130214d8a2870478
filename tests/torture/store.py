"""What MLflow's SQLite store shows, as it must be whatever happened on the way: read by SQL, not by the program."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

OF_THE_CLOCK = ("mlflow.note.content", "ablation.digest", "ablation.report_digest")
"""Tags that tell how long a run took, or digest that."""


def shown(folder: Path) -> dict[str, object]:
    """By its name, each run of a project's store: status, params, tags, metrics with how often each point is there."""
    with closing(sqlite3.connect(f"file:{folder / 'mlflow.db'}?mode=ro", uri=True)) as store:
        runs = store.execute("select run_uuid, name, status, lifecycle_stage from runs").fetchall()
        names = Counter(name for _, name, _, _ in runs)
        assert max(names.values()) == 1, f"shown twice: {names}"
        return {
            name: (status, stage, *_of(store, run, "latest_metrics" if name.endswith("· report") else "metrics"))
            for run, name, status, stage in runs
        }


def _of(store: sqlite3.Connection, run: str, metrics: str) -> tuple[object, ...]:
    """metrics: the table; the experiment's own run counts the runs, and how it counted on the way is told by kills."""
    params = sorted(store.execute("select key, value from params where run_uuid = ?", (run,)))
    tags = sorted(store.execute("select key, value from tags where run_uuid = ?", (run,)))
    points = store.execute(f"select key, step, value, is_nan from {metrics} where run_uuid = ?", (run,))
    counted = Counter(point for point in points if not point[0].startswith("cost/"))
    return params, [tag for tag in tags if tag[0] not in OF_THE_CLOCK], counted


def stale_artifacts(folder: Path) -> list[str]:
    """The records among the store's artifacts that are not those of the runs folder."""
    records = {path.read_bytes() for path in folder.glob("runs/*/*/record.json")}
    return [str(path) for path in folder.glob("mlartifacts/**/record.json") if path.read_bytes() not in records]
