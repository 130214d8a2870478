"""How MLflow's pages show an experiment: its description, the columns of its table of runs, and filters to type there.

Tags of the experiment, as values: no mlflow, no network.
"""

from __future__ import annotations

import json
from typing import Any

from ablation.analysis.metrics import METRICS
from ablation.core.safe import mlflow_key
from ablation.experiment.experiment import Experiment
from ablation.tracking.publication import NOTE, VERDICT

VIEW = "ablation"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
"""The view of the runs table by its name, `viewStateShareKey` in the address of MLflow's page, and the tag that holds
it: what the page's own button "Share view" writes. MLflow's client has no call for it; a version that does not read the
tag shows its own columns instead."""


def experiment_tags(experiment: Experiment, report: str = "") -> dict[str, str]:
    """What MLflow's pages show of the experiment: tags that its client names and documents, but for the view's and the
    kind's, which keeps the pages from taking it for one about language models.

    report: the address of the experiment's own run within the pages, to which the description links.
    """
    recipe, optimizer = list(experiment.recipes)[-1], next(iter(experiment.optimizers))
    filters = "\n".join(f"- `{example}`" for example in example_filters(recipe, optimizer))
    link = f" [The report]({report}) has the answer." if report else ""
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": f"test/{experiment.metric}",
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(not METRICS[experiment.metric].lower_is_better),
        NOTE: f"One run for each recipe, optimizer and seed.{link} For the search box:\n\n{filters}",
        VIEW_TAG: json.dumps(_view(experiment)),
    }


def _view(experiment: Experiment) -> dict[str, Any]:
    """The runs table with factors, verdict and test metrics for columns, best run first; MLflow's own has none of them.

    Recipe and optimizer stand first: MLflow sets metrics before params where it is given no order.

    Its charts stand in sections by the first word of a metric's name, in this order, and some folded.
    """
    folded = {"test": False, "val": False, "train": False, "cost": True, "model": True}
    measured = dict.fromkeys([f"test/{experiment.metric}", "test/accuracy", "test/macro_f1"])
    factors = dict.fromkeys(["recipe", "optimizer", *experiment.factors, "seed"])
    columns = [*(f"params.`{mlflow_key(factor)}`" for factor in factors), f"tags.`{VERDICT}`"]
    columns += [f"metrics.`{metric}`" for metric in measured]
    return {
        "searchFilter": example_filters()[0],
        "orderByKey": f"metrics.`test/{experiment.metric}`",
        "orderByAsc": METRICS[experiment.metric].lower_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [*columns, "duration"],
        "compareRunCharts": [],  # MLflow makes one for each metric
        "compareRunSections": [
            {"uuid": f"{VIEW}-{name}", "name": name, "display": not fold, "isReordered": False}
            for name, fold in folded.items()
        ],
        "isAccordionReordered": True,  # it would sort them else
    }


def example_filters(recipe: str = "crop", optimizer: str = "adam") -> tuple[str, ...]:
    """Filters for the search box of MLflow's runs page."""
    return (
        "tags.\"ablation.kind\" = 'run'",
        f"params.recipe = {_quoted(recipe)} and params.optimizer = {_quoted(optimizer)}",
        'metrics."test/accuracy" > 0.9',
        f"tags.\"{VERDICT}\" = 'better'",
    )


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"
