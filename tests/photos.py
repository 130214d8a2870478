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
    """24 of 120 x 100 that do not overlap, and as many from between these: neither sky nor darkness, and no two alike
    in any pose."""
    places = [(left, top) for left in range(0, 521, 130) for top in range(0, 327, 105)]
    between = [(left, top) for left in range(60, 521, 65) for top in range(47, 320, 50)]
    clear = [[piece for piece in _pieces(some) if _is_clear(piece)] for some in (places, between)]
    return (*clear[0], *map(ImageOps.flip, clear[1][:: len(clear[1]) // len(clear[0])][: len(clear[0])]))


def _pieces(places: list[tuple[int, int]]) -> list[Image.Image]:
    return [image.crop((x, y, x + 120, y + 100)) for image in whole() for x, y in places]


def _is_clear(piece: Image.Image) -> bool:
    return float(np.asarray(piece.convert("L"), float).std()) > 34


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
