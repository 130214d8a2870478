"""Small pictures of their own on disk, for the tests of what a source holds."""

from pathlib import Path

import numpy as np
from PIL import Image

from ablation.core.seeds import stream


def draw(path: Path, number: int, kind: str = "PNG", **options) -> None:
    """A picture of its own for each number; it survives JPEG, and so does its hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = stream(number, "contents").integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(grid).resize((72, 48), Image.Resampling.BICUBIC).save(path, kind, **options)


def three_classes(root: Path) -> Path:
    """Three classes of four pictures; one lies deeper."""
    for number in range(12):
        name = "deep/er/3.png" if number % 4 == 3 else f"{number % 4}.png"
        draw(root / ("tabby", "calico", "black")[number // 4] / name, number)
    return root
