"""What an experiment may ask for and seldom means: nothing is refused, and `ablation plan` says it."""

from __future__ import annotations

from collections.abc import Iterator

from ablation.experiment.spec import RunSpec
from ablation.models.names import is_weights_name


def cautions(spec: RunSpec, images: int) -> Iterator[str]:
    """Sentences about one run that trains on so many images."""
    if spec.freeze and spec.weights is None:
        yield f"freeze = {spec.freeze!r} without weights: what is frozen stays as it was drawn, and has learned nothing"
    if spec.weights and is_weights_name(spec.weights) and spec.normalization == "data":
        yield (
            f"weights = {spec.weights!r} were trained on pictures normalised by ImageNet's mean and sd, and here they "
            "are normalised by the data's own; normalization='imagenet' gives the weights what they know"
        )
    if spec.batch_size > images:
        yield f"batch_size = {spec.batch_size} is more than the {images:,} images to train on: an epoch is one step"
