"""The picture in a run's description: a photograph as it is, and as the recipe made it for the first epochs.

Made of what the run's record holds, when it is published. Knows nothing of mlflow.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

SIDE, GAP = 48, 4
"""Pixels of a side of a photograph, and between two. MLflow folds a description that is taller than 100, of which the
first line takes 40."""


def strip(arrays: Path) -> bytes:
    """The photograph and its draws of a run's `arrays.npz`, side by side, as PNG.

    Raises OSError or ValueError where these cannot be read.
    """
    from PIL import Image

    with np.load(arrays, allow_pickle=False) as held:
        pictures = np.concatenate([held["original"][None], held["draws"]])
    if pictures.dtype != np.uint8 or pictures.shape[3:] != (3,):
        raise ValueError(f"{arrays.name}: pictures of {pictures.dtype} and shape {pictures.shape}")
    way = Image.Resampling.NEAREST if pictures.shape[1] < SIDE else Image.Resampling.LANCZOS
    page = Image.new("RGB", (len(pictures) * (SIDE + GAP) - GAP, SIDE), "white")
    for number, picture in enumerate(pictures):
        page.paste(Image.fromarray(picture).resize((SIDE, SIDE), way), (number * (SIDE + GAP), 0))
    written = io.BytesIO()
    page.save(written, "PNG")
    return written.getvalue()
