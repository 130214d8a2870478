"""Small pictures, encoded, and folders of them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ablation.data import ImageFolder


def noise(height: int, width: int, number: int = 0) -> np.ndarray:
    """Smooth enough to survive JPEG."""
    grid = np.random.Generator(np.random.Philox(number)).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photos(root: Path, files: dict[str, bytes]) -> ImageFolder:
    """A folder with these files in class a, and one good picture in class b."""
    for name, content in {**{f"a/{name}": content for name, content in files.items()}, "b/good": GOOD}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return ImageFolder(str(root))


GOOD = encoded(Image.fromarray(noise(20, 30)))


JPEG = encoded(Image.fromarray(noise(90, 90)), "JPEG", quality=95)
