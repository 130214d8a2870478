"""ablation: find out, with evidence, which image augmentation really helps.

    runs = sweep(experiment)               # trains only what is missing
    results = Results.load(experiment)     # tidy: one row per run
    effects = compare(results)             # the declared test, corrected for multiplicity
    write_report(experiment, results, effects)

Names are imported when they are first used: planning an experiment needs neither torch nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.analysis.comparison import CorrectedResampled as CorrectedResampled
    from ablation.analysis.comparison import Crossed as Crossed
    from ablation.analysis.comparison import Dunnett as Dunnett
    from ablation.analysis.comparison import Paired as Paired
    from ablation.analysis.comparison import Welch as Welch
    from ablation.augment.operations import *  # noqa: F403
    from ablation.core.errors import DataError as DataError
    from ablation.core.errors import HeldError as HeldError
    from ablation.core.errors import InputError as InputError
    from ablation.core.errors import TryAgainError as TryAgainError
    from ablation.data import CsvFile as CsvFile
    from ablation.data import Digits as Digits
    from ablation.data import Fixed as Fixed
    from ablation.data import Given as Given
    from ablation.data import ImageFolder as ImageFolder
    from ablation.data import KFold as KFold
    from ablation.data import ListFile as ListFile
    from ablation.data import PerSeed as PerSeed
    from ablation.data import Redrawn as Redrawn
    from ablation.data import SkipBad as SkipBad
    from ablation.data import TorchvisionData as TorchvisionData
    from ablation.data import TrainSize as TrainSize
    from ablation.data.normalization import Normalization as Normalization
    from ablation.evidence.comparisons import Effects as Effects
    from ablation.evidence.effects import Effect as Effect
    from ablation.evidence.study import Study as Study
    from ablation.evidence.study import compare as compare
    from ablation.experiment.experiment import Experiment as Experiment
    from ablation.experiment.own_metric import OwnMetric as OwnMetric
    from ablation.experiment.recipes import add_one_in as add_one_in
    from ablation.experiment.recipes import dose as dose
    from ablation.experiment.recipes import leave_one_out as leave_one_out
    from ablation.experiment.recipes import powerset as powerset
    from ablation.experiment.record import RunRecord as RunRecord
    from ablation.experiment.results import Results as Results
    from ablation.experiment.spec import RunSpec as RunSpec
    from ablation.optim.optimizers import *  # noqa: F403
    from ablation.optim.schedules import *  # noqa: F403
    from ablation.report import write_report as write_report
    from ablation.report.contents import section as section
    from ablation.report.figures import class_changes as class_changes
    from ablation.report.figures import confusion_changes as confusion_changes
    from ablation.report.figures import contributions as contributions
    from ablation.report.figures import cost_plot as cost_plot
    from ablation.report.figures import decision_curves as decision_curves
    from ablation.report.figures import dose_curve as dose_curve
    from ablation.report.figures import forest as forest
    from ablation.report.figures import interaction_plot as interaction_plot
    from ablation.report.figures import learning_curves as learning_curves
    from ablation.report.figures import mean_grid as mean_grid
    from ablation.report.figures import size_curve as size_curve
    from ablation.report.figures import split_gaps as split_gaps
    from ablation.report.figures import tsne_map as tsne_map
    from ablation.report.notebook import html_of as html_of
    from ablation.report.notebook import text_of as text_of
    from ablation.training.execution import Execution as Execution
    from ablation.training.sweep import sweep as sweep

__version__ = "0.1.0"

_HOMES = {
    "ablation.analysis.comparison": ("Crossed", "CorrectedResampled", "Dunnett", "Paired", "Welch"),
    "ablation.experiment.recipes": ("add_one_in", "dose", "leave_one_out", "powerset"),
    "ablation.data": (
        *("ImageFolder", "ListFile", "CsvFile", "Digits", "TorchvisionData", "SkipBad"),
        *("Redrawn", "Fixed", "PerSeed", "KFold", "Given", "TrainSize"),
    ),
    "ablation.data.normalization": ("Normalization",),
    "ablation.evidence.comparisons": ("Effects",),
    "ablation.evidence.effects": ("Effect",),
    "ablation.evidence.study": ("Study", "compare"),
    "ablation.core.errors": ("DataError", "HeldError", "InputError", "TryAgainError"),
    "ablation.experiment.experiment": ("Experiment",),
    "ablation.experiment.own_metric": ("OwnMetric",),
    "ablation.experiment.record": ("RunRecord",),
    "ablation.report": ("write_report",),
    "ablation.report.contents": ("section",),
    "ablation.report.figures": (
        *(
            "class_changes",
            "confusion_changes",
            "contributions",
            "cost_plot",
            "decision_curves",
            "dose_curve",
            "forest",
        ),
        *("interaction_plot", "learning_curves", "mean_grid", "size_curve", "split_gaps", "tsne_map"),
    ),
    "ablation.report.notebook": ("html_of", "text_of"),
    "ablation.experiment.results": ("Results",),
    "ablation.experiment.spec": ("RunSpec",),
    "ablation.training.execution": ("Execution",),
    "ablation.training.sweep": ("sweep",),
}
"""Public names by where they live, but for those that `_LISTS` have."""

_LISTS = ("ablation.optim.optimizers", "ablation.optim.schedules", "ablation.augment.operations")
"""Modules whose every name is public here too: an optimizer, a schedule or an operation is listed there alone."""

if not TYPE_CHECKING:

    def _names_in(home: str) -> list[str]:
        """What a star import takes from one of the lists: its `__all__`, else its classes."""
        module = import_module(home)
        return getattr(module, "__all__", [name for name, kind in vars(module).items() if isinstance(kind, type)])

    def _home_of(name: str) -> str | None:
        """The module that a public name lives in; None where there is no such name. Those of the lists are classes."""
        homes = [home for home, names in _HOMES.items() if name in names]
        if not homes and name[:1].isupper():
            homes = [home for home in _LISTS if name in _names_in(home)]
        return homes[0] if homes else None

    def __getattr__(name: str) -> Any:
        """A public name from where it lives, or `__all__` of them."""
        if name == "__all__":
            value = [own for names in (*_HOMES.values(), *map(_names_in, _LISTS)) for own in names]
        elif home := _home_of(name):
            value = getattr(import_module(home), name)
        else:
            raise AttributeError(f"module 'ablation' has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Every public name, whether it has been used or not: what completion in an editor or a notebook offers."""
        return sorted({*globals(), *import_module("ablation").__all__})
