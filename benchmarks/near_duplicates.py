"""Which changed photographs `ablation check` finds again, and whether unrelated ones are taken for each other.

    python benchmarks/near_duplicates.py PHOTOS [--each 30] [--unrelated 500]

PHOTOS: a folder of photographs, with folders in it. Prints the rows of the table in docs/data.md: of each kind of
change how many of `each` photographs are linked to what they were made from, by the hashes and bounds that a check
uses; and which are linked among the `unrelated` first ones, in an order drawn once, but for exact copies: look at them.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from ablation.core.seeds import stream
from ablation.data.groups import near_links
from ablation.data.traits import TRAITS, traits_of, traits_of_array

Change = Callable[[Image.Image], Image.Image]

TURN = Image.Transpose
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def turned(way: Image.Transpose) -> Change:
    return lambda image: compressed(image.transpose(way), 75)


def resized(width: float, height: float) -> Change:
    return lambda image: image.resize((max(1, round(image.width * width)), max(1, round(image.height * height))))


def captioned(share: float) -> Change:
    """A black band with white letters over the lowest part."""

    def change(image: Image.Image) -> Image.Image:
        made, height = image.copy(), round(image.height * share)
        draw, top = ImageDraw.Draw(made), image.height - height
        draw.rectangle((0, top, image.width, image.height), fill="black")
        draw.text((image.width * 0.05, top + height * 0.2), "A CAT ON A SOFA", fill="white", font_size=0.6 * height)
        return made

    return change


def lettered(image: Image.Image) -> Image.Image:
    made = image.copy()
    size, place = max(8, 0.09 * image.height), (0.1 * image.width, 0.82 * image.height)
    ImageDraw.Draw(made).text(place, "(c) cats 2019", fill="white", font_size=size, stroke_width=1, stroke_fill="black")
    return made


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        return image.crop(
            (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
        )

    return change


CHANGES: dict[str, Change] = {
    "JPEG, quality 30": lambda image: compressed(image, 30),
    "half the size": resized(0.5, 0.5),
    "squashed to 70 % of its width": resized(0.7, 1),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "brighter by 20 %": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "mirrored": lambda image: compressed(ImageOps.mirror(image), 75),
    "turned by 90 degrees": turned(TURN.ROTATE_90),
    "turned by 180 degrees": turned(TURN.ROTATE_180),
    "turned by 270 degrees": turned(TURN.ROTATE_270),
    "upside down by a mirror": turned(TURN.FLIP_TOP_BOTTOM),
    "turned by 90 degrees and mirrored": turned(TURN.TRANSPOSE),
    "turned by 90 degrees, half the size, JPEG 50": lambda image: compressed(
        resized(0.5, 0.5)(image.transpose(TURN.ROTATE_90)), 50
    ),
    "turned by 90 degrees, brighter by 20 %": lambda image: ImageEnhance.Brightness(
        image.transpose(TURN.ROTATE_90)
    ).enhance(1.2),
    "letters over the picture": lettered,
    "a caption over the lowest 12 %": captioned(0.12),
    "a caption over the lowest 20 %": captioned(0.2),
    "1 % cut off each side": cropped(0.01, 0.01, 0.01, 0.01),
    "2.5 % cut off each side": cropped(0.025, 0.025, 0.025, 0.025),
    "5 % cut off each side": cropped(0.05, 0.05, 0.05, 0.05),
    "10 % cut off below": cropped(0, 0, 0, 0.1),
    "turned by 2 degrees": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
}


def found_again(paths: list[Path], change: Change) -> int:
    """How many photographs are linked to what the change makes of them, and to nothing else."""
    found = 0
    for path in paths:
        image = Image.open(path).convert("RGB")
        both = [np.asarray(image), np.asarray(change(image))]
        traits = np.array([traits_of_array(pixels) for pixels in both], TRAITS)
        found += len(near_links(traits, np.zeros(2, np.int64)).near)
    return found


def linked(paths: list[Path]) -> list[tuple[Path, Path]]:
    """Which photographs are linked to which, but for exact copies."""
    traits = np.array([traits_of(path.read_bytes(), first_frame=True) for path in paths], TRAITS)
    links = near_links(traits, np.zeros(len(paths), np.int64)).near
    return [(paths[a], paths[b]) for a, b in links if traits["pixels"][a] != traits["pixels"][b]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--each", type=int, default=30)
    parser.add_argument("--unrelated", type=int, default=500)
    given = parser.parse_args()
    paths = sorted(path for path in given.photos.rglob("*") if path.suffix.lower() in ENDINGS)
    order = [paths[row] for row in stream(0, "near-duplicates").permutation(len(paths))]
    print(f"| changed by | found, of {given.each} |\n| --- | --- |")
    for name, change in CHANGES.items():
        print(f"| {name} | {found_again(order[: given.each], change)} |", flush=True)
    pairs = linked(order[: given.unrelated])
    print(f"\n{len(pairs)} linked among {given.unrelated} others", *(f"{a} {b}" for a, b in pairs), sep="\n")


if __name__ == "__main__":
    main()
