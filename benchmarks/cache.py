"""How fast is an epoch from the cache, beside decoding every file in every epoch as torchvision's ImageFolder does?

    python benchmarks/cache.py PHOTOS              # a folder for each class, or a list of path<TAB>label
    python benchmarks/cache.py PHOTOS --side 512   # the same photographs with a shorter side of 512 pixels

Both give batches of 64 as float32 in [0, 1]: torchvision by a DataLoader with two worker processes, which are kept from
epoch to epoch; ours by this process alone, with one thread (as a worker of a sweep on a CPU has) and with two. "clean"
is resize and centre crop, "crop" is RandomResizedCrop and a flip. Arms take turns; medians of the rounds, the first of
which is not counted. What the cache costs once is told: reading and measuring every file, and building the squares.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import ablation
from ablation.core.seeds import stream
from ablation.data import Dataset, build, listing
from ablation.data.guess import source_at
from ablation.training.view import View, batches

BATCH, ROUNDS, SIZE, CACHED = 64, 5, 196, 224
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
    classes, samples = source_at(photos).samples()
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


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--side", type=int, help="rewrite the photographs with this shorter side first")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as work:
        folder, cache = Path(work) / "photos", Path(work) / "cache"
        count = as_folders(options.photos, options.side, folder)
        source = ablation.ImageFolder(str(folder))
        read = timed(lambda: listing(source, cache))
        again = timed(lambda: listing(source, cache))
        built = timed(lambda: build(listing(source, cache), CACHED, cache))
        data = build(listing(source, cache), CACHED, cache)
        print(f"once: read {read:.1f} s ({1e3 * read / count:.2f} ms a photograph; again {again:.2f} s), ", end="")
        print(f"squares {built:.1f} s ({1e3 * built / count:.2f} ms), {data.images.nbytes / 1e6:,.0f} MB")
        for recipe in ("clean", "crop"):
            arms = {"torchvision, 2 processes": torchvision_epoch(folder, recipe)}
            arms |= {
                f"cache, {threads} thread{'s' * (threads > 1)}": our_epoch(data, recipe, threads) for threads in (1, 2)
            }
            seconds: dict[str, list[float]] = {name: [] for name in arms}
            for turn in range(ROUNDS + 1):
                for name, epoch in arms.items():
                    seconds[name].append(timed(lambda epoch=epoch, turn=turn: epoch(turn)))
            medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
            theirs = medians["torchvision, 2 processes"]
            for name, median in medians.items():
                speed = f"{median:6.2f} s an epoch, {1 / median:5.2f} epochs a second"
                print(f"{recipe:6} {name:25} {speed}, {theirs / median:4.1f} x")


if __name__ == "__main__":
    main()
