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
    from ablation.augment import AugMix as AugMix
    from ablation.augment import AutoAugment as AutoAugment
    from ablation.augment import Brightness as Brightness
    from ablation.augment import CenterCrop as CenterCrop
    from ablation.augment import ColorJitter as ColorJitter
    from ablation.augment import Contrast as Contrast
    from ablation.augment import CutMix as CutMix
    from ablation.augment import Cutout as Cutout
    from ablation.augment import GaussianBlur as GaussianBlur
    from ablation.augment import GaussianNoise as GaussianNoise
    from ablation.augment import Hue as Hue
    from ablation.augment import ImageFunction as ImageFunction
    from ablation.augment import MixUp as MixUp
    from ablation.augment import OneOf as OneOf
    from ablation.augment import RandAugment as RandAugment
    from ablation.augment import RandomAdjustSharpness as RandomAdjustSharpness
    from ablation.augment import RandomAffine as RandomAffine
    from ablation.augment import RandomAutocontrast as RandomAutocontrast
    from ablation.augment import RandomChannelPermutation as RandomChannelPermutation
    from ablation.augment import RandomCrop as RandomCrop
    from ablation.augment import RandomEqualize as RandomEqualize
    from ablation.augment import RandomErasing as RandomErasing
    from ablation.augment import RandomGrayscale as RandomGrayscale
    from ablation.augment import RandomHorizontalFlip as RandomHorizontalFlip
    from ablation.augment import RandomInvert as RandomInvert
    from ablation.augment import RandomPerspective as RandomPerspective
    from ablation.augment import RandomPosterize as RandomPosterize
    from ablation.augment import RandomResizedCrop as RandomResizedCrop
    from ablation.augment import RandomRotation as RandomRotation
    from ablation.augment import RandomSolarize as RandomSolarize
    from ablation.augment import RandomVerticalFlip as RandomVerticalFlip
    from ablation.augment import RandomZoomOut as RandomZoomOut
    from ablation.augment import Resize as Resize
    from ablation.augment import Saturation as Saturation
    from ablation.augment import Sometimes as Sometimes
    from ablation.augment import Strength as Strength
    from ablation.augment import TorchvisionTransform as TorchvisionTransform
    from ablation.augment import TrivialAugmentWide as TrivialAugmentWide
    from ablation.core.errors import DataError as DataError
    from ablation.core.errors import InputError as InputError
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
    from ablation.evidence.effects import Effect as Effect
    from ablation.evidence.study import Study as Study
    from ablation.evidence.study import compare as compare
    from ablation.experiment.experiment import Experiment as Experiment
    from ablation.experiment.recipes import add_one_in as add_one_in
    from ablation.experiment.recipes import dose as dose
    from ablation.experiment.recipes import leave_one_out as leave_one_out
    from ablation.experiment.recipes import powerset as powerset
    from ablation.experiment.record import RunRecord as RunRecord
    from ablation.experiment.results import Results as Results
    from ablation.experiment.spec import RunSpec as RunSpec
    from ablation.optim import ASGD as ASGD
    from ablation.optim import SAM as SAM
    from ablation.optim import SGD as SGD
    from ablation.optim import Adadelta as Adadelta
    from ablation.optim import Adafactor as Adafactor
    from ablation.optim import Adagrad as Adagrad
    from ablation.optim import Adam as Adam
    from ablation.optim import Adamax as Adamax
    from ablation.optim import AdamW as AdamW
    from ablation.optim import Constant as Constant
    from ablation.optim import Cosine as Cosine
    from ablation.optim import Exponential as Exponential
    from ablation.optim import Lookahead as Lookahead
    from ablation.optim import MultiStep as MultiStep
    from ablation.optim import Muon as Muon
    from ablation.optim import NAdam as NAdam
    from ablation.optim import OneCycle as OneCycle
    from ablation.optim import Plateau as Plateau
    from ablation.optim import Polynomial as Polynomial
    from ablation.optim import RAdam as RAdam
    from ablation.optim import RMSprop as RMSprop
    from ablation.optim import Rprop as Rprop
    from ablation.optim import Step as Step
    from ablation.report import write_report as write_report
    from ablation.training.sweep import sweep as sweep

__version__ = "0.1.0"

_HOMES = {
    "ablation.analysis.comparison": ("Crossed", "CorrectedResampled", "Dunnett", "Paired", "Welch"),
    "ablation.augment": (
        *("RandomResizedCrop", "RandomCrop", "CenterCrop", "Resize", "RandomHorizontalFlip", "RandomVerticalFlip"),
        *("RandomRotation", "RandomAffine", "RandomPerspective", "RandomZoomOut"),
        *("Brightness", "Contrast", "Saturation", "Hue", "ColorJitter", "RandomGrayscale", "RandomChannelPermutation"),
        *("RandomInvert", "RandomPosterize", "RandomSolarize", "RandomEqualize", "RandomAutocontrast"),
        *("RandomAdjustSharpness", "GaussianBlur", "GaussianNoise", "RandomErasing", "Cutout", "MixUp", "CutMix"),
        *("RandAugment", "TrivialAugmentWide", "AutoAugment", "AugMix"),
        *("Sometimes", "OneOf", "Strength", "TorchvisionTransform", "ImageFunction"),
    ),
    "ablation.experiment.recipes": ("add_one_in", "dose", "leave_one_out", "powerset"),
    "ablation.data": (
        *("ImageFolder", "ListFile", "CsvFile", "Digits", "TorchvisionData", "SkipBad"),
        *("Redrawn", "Fixed", "PerSeed", "KFold", "Given", "TrainSize"),
    ),
    "ablation.data.normalization": ("Normalization",),
    "ablation.evidence.effects": ("Effect", "compare"),
    "ablation.core.errors": ("DataError", "InputError"),
    "ablation.experiment.experiment": ("Experiment",),
    "ablation.optim": (
        *("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD"),
        *("Adafactor", "Muon", "SAM", "Lookahead"),
        *("Constant", "Step", "MultiStep", "Cosine", "OneCycle", "Polynomial", "Exponential", "Plateau"),
    ),
    "ablation.experiment.record": ("RunRecord",),
    "ablation.report": ("write_report",),
    "ablation.experiment.results": ("Results",),
    "ablation.experiment.spec": ("RunSpec",),
    "ablation.training.sweep": ("sweep",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ablation' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_HOME_OF[name]), name)
    return found
