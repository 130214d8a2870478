"""Every operation there is, a line each: the one list from which public names, the type `Operation` and tests come.

A family is a file, an operation a class in it; `ablation.augment.operation` says what one is.
"""

# isort: off
from ablation.augment.operations.geometry import RandomResizedCrop as RandomResizedCrop
from ablation.augment.operations.geometry import RandomCrop as RandomCrop
from ablation.augment.operations.geometry import CenterCrop as CenterCrop
from ablation.augment.operations.geometry import Resize as Resize
from ablation.augment.operations.geometry import RandomHorizontalFlip as RandomHorizontalFlip
from ablation.augment.operations.geometry import RandomVerticalFlip as RandomVerticalFlip
from ablation.augment.operations.warp import RandomRotation as RandomRotation
from ablation.augment.operations.warp import RandomAffine as RandomAffine
from ablation.augment.operations.warp import RandomPerspective as RandomPerspective
from ablation.augment.operations.warp import RandomZoomOut as RandomZoomOut
from ablation.augment.operations.color import Brightness as Brightness
from ablation.augment.operations.color import Contrast as Contrast
from ablation.augment.operations.color import Saturation as Saturation
from ablation.augment.operations.color import Hue as Hue
from ablation.augment.operations.color import ColorJitter as ColorJitter
from ablation.augment.operations.color import RandomGrayscale as RandomGrayscale
from ablation.augment.operations.color import RandomChannelPermutation as RandomChannelPermutation
from ablation.augment.operations.tone import RandomInvert as RandomInvert
from ablation.augment.operations.tone import RandomPosterize as RandomPosterize
from ablation.augment.operations.tone import RandomSolarize as RandomSolarize
from ablation.augment.operations.tone import RandomEqualize as RandomEqualize
from ablation.augment.operations.tone import RandomAutocontrast as RandomAutocontrast
from ablation.augment.operations.blur import RandomAdjustSharpness as RandomAdjustSharpness
from ablation.augment.operations.blur import GaussianBlur as GaussianBlur
from ablation.augment.operations.blur import GaussianNoise as GaussianNoise
from ablation.augment.operations.occlusion import RandomErasing as RandomErasing
from ablation.augment.operations.occlusion import Cutout as Cutout
from ablation.augment.operations.per_image import TorchvisionTransform as TorchvisionTransform
from ablation.augment.operations.per_image import ImageFunction as ImageFunction
from ablation.augment.operations.mix import MixUp as MixUp
from ablation.augment.operations.mix import CutMix as CutMix
from ablation.augment.operations.policy import RandAugment as RandAugment
from ablation.augment.operations.policy import TrivialAugmentWide as TrivialAugmentWide
from ablation.augment.operations.policy import AutoAugment as AutoAugment
from ablation.augment.operations.policy import AugMix as AugMix
from ablation.augment.operations.choice import Sometimes as Sometimes
from ablation.augment.operations.choice import OneOf as OneOf
from ablation.augment.operations.choice import Strength as Strength
