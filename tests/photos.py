"""Real photographs in small: pieces of scikit-learn's two sample images, and data sets on disk made of them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


@cache
def whole() -> tuple[Image.Image, Image.Image]:
    """A temple and a flower, 640 x 427."""
    from sklearn.datasets import load_sample_images

    temple, flower = (Image.fromarray(pixels) for pixels in load_sample_images().images)
    return temple, flower


@cache
def pictures() -> tuple[Image.Image, ...]:
    """24 of 120 x 100 that do not overlap, and the same upside down: neither sky nor darkness, and no two alike."""
    places = [(left, top) for left in range(0, 521, 130) for top in range(0, 327, 105)]
    pieces = [image.crop((x, y, x + 120, y + 100)) for image in whole() for x, y in places]
    clear = [piece for piece in pieces if np.asarray(piece.convert("L"), float).std() > 34]
    return (*clear, *map(ImageOps.flip, clear))


def save(image: Image.Image, path: Path, **options: object) -> Path:
    """Written where it is told, folders and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def folder(root: Path, counts: Mapping[str, int], first: int = 0) -> Path:
    """A folder for each class (or 'train/class'), with so many different photographs, from the picture `first` on."""
    place = first
    for name, count in counts.items():
        for number in range(count):
            save(pictures()[place], root / name / f"{number}.png")
            place += 1
    return root
