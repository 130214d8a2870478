"""The photographs: where they come from, what they hold, how they are kept as pixels, and how they are split."""

from __future__ import annotations

from ablation.data.cache import Dataset, build, load
from ablation.data.contents import Listing, listing
from ablation.data.normalization import mean_std
from ablation.data.sources import CsvFile, Digits, ImageFolder, ListFile, SkipBad, Source, Subset, TorchvisionData
from ablation.data.split import Fixed, Given, KFold, Parts, PerSeed, Redrawn, Split, TrainSize

__all__ = [
    "CsvFile",
    "Dataset",
    "Digits",
    "Fixed",
    "Given",
    "ImageFolder",
    "KFold",
    "ListFile",
    "Listing",
    "Parts",
    "PerSeed",
    "Redrawn",
    "SkipBad",
    "Source",
    "Split",
    "Subset",
    "TorchvisionData",
    "TrainSize",
    "build",
    "listing",
    "load",
    "mean_std",
]
