"""The photographs: where they come from, what they hold, how they are kept as pixels, and how they are split."""

from __future__ import annotations

from ablation.data.cache import Dataset, build, load, mean_std
from ablation.data.contents import Listing, listing
from ablation.data.sources import Digits, ImageFolder, ListFile, Source, Subset, TorchvisionData
from ablation.data.split import Fixed, Parts, PerSeed, Split, stratified

__all__ = [
    "Dataset",
    "Digits",
    "Fixed",
    "ImageFolder",
    "ListFile",
    "Listing",
    "Parts",
    "PerSeed",
    "Source",
    "Split",
    "Subset",
    "TorchvisionData",
    "build",
    "listing",
    "load",
    "mean_std",
    "stratified",
]
