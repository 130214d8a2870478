"""How fast is an epoch from the cache, beside decoding every file in every epoch as torchvision's ImageFolder does?

    python benchmarks/cache.py PHOTOS              # a folder for each class, one with train_list.txt, or a list
    python benchmarks/cache.py PHOTOS --side 512   # the same photographs with a shorter side of 512 pixels

Both give batches of 64 as float32 in [0, 1]: torchvision by a DataLoader with two worker processes, which are kept from
epoch to epoch; ours by this process alone, with one thread (as a worker of a sweep on a CPU has) and with two. "clean"
is resize and centre crop, "crop" is RandomResizedCrop and a flip. Arms take turns; the first round is not counted. What
the cache costs once is said first: reading and measuring every file, and building the squares.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
import torch
from grid import source
from measure import Measurement, number, reach, timed
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import ablation
from ablation.core.seeds import stream
from ablation.data import Dataset, build, listing
from ablation.training.view import View, batches

BATCH, SIZE, CACHED = 64, 196, 224
THEIRS = "torchvision, 2 processes"
SCALE = (0.35, 1.0)

Epoch = Callable[[int], int]


def torchvision_epoch(folder: Path, recipe: str) -> Epoch:
    """Every photograph decoded, transformed and batched by two workers; returns how many there were."""
    to_float = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    clean = [v2.Resize(CACHED), v2.CenterCrop(CACHED), v2.Resize(SIZE), *to_float]
    crop = [v2.RandomResizedCrop(SIZE, scale=SCALE), v2.RandomHorizontalFlip(), *to_float]
    data = ImageFolder(folder, v2.Compose(clean if recipe == "clean" else crop))
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    return lambda _: sum(len(images) for images, _ in loader)


def our_epoch(data: Dataset, recipe: str, threads: int) -> Epoch:
    """Every photograph from the memory-mapped squares, through the recipe in batches."""
    clean = View.clean(data, torch.device("cpu"), SIZE, np.zeros(3), np.ones(3))
    rows = np.arange(len(data.labels))
    crop = (ablation.RandomResizedCrop(SCALE), ablation.RandomHorizontalFlip())

    def run(epoch: int) -> int:
        torch.set_num_threads(threads)
        view = clean if recipe == "clean" else clean.augmented(crop, 0, epoch, data.aspect, rows)
        order = stream(0, "order", epoch).permutation(rows)
        return sum(len(view.pictures(batch)) for batch in batches(order, BATCH))

    return run


def as_folders(photos: str, side: int | None, target: Path) -> int:
    """The photographs as a folder for each class: links, or copies with this shorter side. How many there are."""
    classes, samples = source(photos)[0].samples()
    for place, sample in enumerate(samples):
        assert isinstance(sample.origin, Path)
        folder = target / f"{sample.label:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{place:06d}{sample.origin.suffix}"
        if side is None:
            file.symlink_to(sample.origin)
            continue
        with Image.open(sample.origin) as image:
            scale = side / min(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
    print(f"{len(samples):,} photographs of {len(classes)} classes")
    return len(samples)


def arms(folder: Path, data: Dataset, recipe: str) -> dict[str, measure.Arm]:
    """An epoch by torchvision, and by ours with one thread and two."""
    epochs = {THEIRS: torchvision_epoch(folder, recipe)}
    epochs |= {f"cache, {count} thread{'s' * (count > 1)}": our_epoch(data, recipe, count) for count in (1, 2)}

    def arm(epoch: Epoch) -> measure.Arm:
        turn = itertools.count()
        return lambda: {"seconds_an_epoch": timed(lambda: epoch(next(turn)))}

    return {name: arm(epoch) for name, epoch in epochs.items()}


def once(source: ablation.ImageFolder, cache: Path, count: int) -> tuple[Dataset, dict[str, float]]:
    """The cached squares, and what they cost once: in all, and for a photograph."""
    read = timed(lambda: listing(source, cache))
    again = timed(lambda: listing(source, cache))
    built = timed(lambda: build(listing(source, cache), CACHED, cache))
    data = build(listing(source, cache), CACHED, cache)
    costs = {"read_seconds": read, "read_again_seconds": again, "squares_seconds": built}
    print(f"once: read {read:.1f} s ({1e3 * read / count:.2f} ms a photograph; again {again:.2f} s), ", end="")
    print(f"squares {built:.1f} s ({1e3 * built / count:.2f} ms), {data.images.nbytes / 1e6:,.0f} MB")
    return data, costs | {"squares_mb": data.images.nbytes / 1e6}


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__)
    parser.add_argument("photos")
    parser.add_argument("--side", type=int, help="rewrite the photographs with this shorter side first")
    options = parser.parse_args()
    measurement = Measurement("cache", options, {"side": options.side, "batch": BATCH, "size": SIZE, "cached": CACHED})
    print(measure.heading(measurement))
    with measure.scratch() as work:
        count = as_folders(options.photos, options.side, work / "photos")
        data, costs = once(ablation.ImageFolder(str(work / "photos")), work / "cache", count)
        measurement.facts = {"photographs": count, **{name: measure.significant(cost) for name, cost in costs.items()}}
        for recipe in ("clean", "crop"):
            found = arms(work / "photos", data, recipe)
            measure.take_turns(measurement, recipe, found, options.rounds, options.minutes, warm_up=True)
    rows = []
    for recipe, results in measurement.content()["results"].items():
        for name, quantities in results.items():
            seconds, ratio = (
                quantities["seconds_an_epoch"],
                measurement.compare(recipe, THEIRS, name, "seconds_an_epoch"),
            )
            faster = f"{number(ratio['median'])} x" if ratio else "-"
            rows.append([f"{recipe}: {name}", number(seconds["median"]), reach(seconds), faster, reach(ratio)])
    print(measure.table(["recipe, arm", "s an epoch", "min-max", "faster", "min-max"], rows))


if __name__ == "__main__":
    main()
