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
    from ablation.analysis.comparison import Welch as Welch
    from ablation.augment import Brightness as Brightness
    from ablation.augment import Contrast as Contrast
    from ablation.augment import RandomHorizontalFlip as RandomHorizontalFlip
    from ablation.augment import RandomResizedCrop as RandomResizedCrop
    from ablation.data import Digits as Digits
    from ablation.data import Fixed as Fixed
    from ablation.data import ImageFolder as ImageFolder
    from ablation.data import ListFile as ListFile
    from ablation.data import PerSeed as PerSeed
    from ablation.data import TorchvisionData as TorchvisionData
    from ablation.effects import Effect as Effect
    from ablation.effects import compare as compare
    from ablation.errors import DataError as DataError
    from ablation.errors import InputError as InputError
    from ablation.experiment import Experiment as Experiment
    from ablation.optim import SGD as SGD
    from ablation.optim import Adagrad as Adagrad
    from ablation.optim import Adam as Adam
    from ablation.optim import AdamW as AdamW
    from ablation.optim import Constant as Constant
    from ablation.optim import Cosine as Cosine
    from ablation.optim import NAdam as NAdam
    from ablation.optim import OneCycle as OneCycle
    from ablation.optim import RMSprop as RMSprop
    from ablation.optim import Step as Step
    from ablation.record import RunRecord as RunRecord
    from ablation.report import write_report as write_report
    from ablation.results import Results as Results
    from ablation.spec import RunSpec as RunSpec
    from ablation.sweeps import sweep as sweep

__version__ = "0.1.0"

_HOMES = {
    "ablation.analysis.comparison": ("CorrectedResampled", "Welch"),
    "ablation.augment": ("Brightness", "Contrast", "RandomHorizontalFlip", "RandomResizedCrop"),
    "ablation.data": ("Digits", "Fixed", "ImageFolder", "ListFile", "PerSeed", "TorchvisionData"),
    "ablation.effects": ("Effect", "compare"),
    "ablation.errors": ("DataError", "InputError"),
    "ablation.experiment": ("Experiment",),
    "ablation.optim": (
        *("SGD", "Adagrad", "Adam", "AdamW", "NAdam", "RMSprop"),
        *("Constant", "Cosine", "OneCycle", "Step"),
    ),
    "ablation.record": ("RunRecord",),
    "ablation.report": ("write_report",),
    "ablation.results": ("Results",),
    "ablation.spec": ("RunSpec",),
    "ablation.sweeps": ("sweep",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ablation' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_HOME_OF[name]), name)
    return found
