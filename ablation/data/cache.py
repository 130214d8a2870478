"""The cache: every photograph as a square of uint8 pixels in one memory-mapped file. No torch.

    cache/DIGEST-SIZE/images.npy   (N, 3, SIZE, SIZE) uint8, in the order of the listing
                      samples.npz  labels, aspect, parts, near, exact: (N,) each, see `Dataset`
                      meta.json    classes, names, and what made it

The folder appears whole or not at all: it is made beside its place under another name, flushed, and renamed. A kernel
lock keeps two processes from making it at once; what a killed one left behind is removed by the next.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import PIL
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image

from ablation.core.errors import DataError, Problem
from ablation.core.files import Damaged, atomic, sync_folder, undamaged, write_json
from ablation.data.contents import Listing
from ablation.data.decode import Pixels, Undecodable, open_upright, to_square
from ablation.data.files import Origin, printable
from ablation.data.published import digest_of
from ablation.data.readers import Progress, cores

_AT_ONCE = 512  # images in flight: bounds memory, whatever the size of the data


@dataclass(frozen=True, eq=False)
class Dataset:
    """N photographs as squares of R pixels, in canonical order (see `ablation.data.contents`)."""

    digest: str
    size: int
    """R."""
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    """(N,)"""
    aspect: NDArray[np.float32]
    """(N,) width / height of the upright original."""
    parts: NDArray[np.int8]
    """(N,) 0, 1, 2 for train, val, test where the data itself says so, else -1."""
    near: NDArray[np.int64]
    """(N,) group of near-duplicates."""
    exact: NDArray[np.int64]
    """(N,) group of exact copies."""
    images: np.memmap
    """(N, 3, R, R) uint8, read-only."""


def build(listing: Listing, size: int, cache_root: Path, progress: Progress | None = None) -> Dataset:
    """Decode every sample to `size` x `size` unless that was done before, and open the result.

    progress is called with (done, all) after each image. Raises DataError naming every file that cannot be decoded.
    """
    folder = _folder(cache_root, listing.digest, size)
    if not folder.exists():
        cache_root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(cache_root)
        with lock_of(folder):
            if not folder.exists():  # another process may have made it while this one waited
                _make(listing, size, folder, progress)
    return replace(load(cache_root, listing.digest, size), classes=listing.classes, names=listing.names)


def load(cache_root: Path, digest: str, size: int) -> Dataset:
    """Open what `build` made. Names are those at the time of building. Raises DataError if it is not there."""
    folder = _folder(cache_root, digest, size)
    try:
        with undamaged():
            meta = json.loads((folder / "meta.json").read_text("utf-8"))
            images = np.load(folder / "images.npy", mmap_mode="r")
            with open(folder / "samples.npz", "rb") as opened, np.load(opened) as file:
                samples = {name: file[name] for name in ("labels", "aspect", "parts", "near", "exact")}
            if images.shape != (len(meta["names"]), 3, size, size) or images.dtype != np.uint8:
                raise ValueError(f"images.npy has the shape {images.shape} of {images.dtype}")
            return Dataset(digest, size, tuple(meta["classes"]), tuple(meta["names"]), images=images, **samples)
    except FileNotFoundError:
        place = folder.absolute()
        raise DataError(f"no images of data {digest} are cached at {size} x {size} ({place}); build them") from None
    except Damaged as error:
        place = folder.absolute()
        raise DataError(f"the cache {place} is damaged ({error}); delete that folder and build it again") from error


def mean_std(dataset: Dataset, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and (population) standard deviation of each channel, (3,) and (3,), in [0, 1], over the squares of `rows`.

    The sums are of integers, hence exact: the order in which they are taken does not change a bit.
    """
    if len(rows) == 0:
        raise ValueError("mean_std needs at least one row")
    total, squares = np.zeros(3, np.uint64), np.zeros(3, np.uint64)
    for row in np.sort(rows):
        pixels = dataset.images[row].reshape(3, -1)
        total += pixels.sum(axis=1, dtype=np.uint64)
        squares += np.square(pixels, dtype=np.uint16).sum(axis=1, dtype=np.uint64)  # 255^2 fits in 16 bits
    count = len(rows) * dataset.size**2
    mean = [int(s) / count / 255 for s in total]
    variance = [(count * int(q) - int(s) ** 2) / count**2 for s, q in zip(total, squares, strict=True)]
    return np.array(mean), np.sqrt(variance) / 255


def _folder(cache_root: Path, digest: str, size: int) -> Path:
    return cache_root / f"{digest}-{size}"


def lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def unfinished_of(folder: Path) -> Path:
    """Where the folder is made; a builder that holds the lock is the only one to use it."""
    return folder.with_name(f".{folder.name}.unfinished")


def remove_leftovers(cache_root: Path) -> None:
    """Remove what killed builds left: unfinished folders whose lock nobody holds."""
    for leftover in cache_root.glob(".*.unfinished"):
        try:
            with lock_of(cache_root / leftover.name[1:].removesuffix(".unfinished")).acquire(blocking=False):
                shutil.rmtree(leftover, ignore_errors=True)
        except Timeout:
            continue


def _make(listing: Listing, size: int, folder: Path, progress: Progress | None) -> None:
    """Write the folder under its unfinished name, then rename it into place."""
    unfinished = unfinished_of(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        with atomic(unfinished / "images.npy") as file:
            aspect = _write_images(file, listing, size, progress)
        with atomic(unfinished / "samples.npz") as file:
            parts, near, exact = listing.parts, listing.near, listing.exact
            np.savez(file, labels=listing.labels, aspect=aspect, parts=parts, near=near, exact=exact)
        meta = {"digest": listing.digest, "size": size, "source": listing.source, "pillow": PIL.__version__}
        write_json(unfinished / "meta.json", meta | {"classes": listing.classes, "names": listing.names})
        os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    sync_folder(folder.parent)


def _write_images(file: IO[bytes], listing: Listing, size: int, progress: Progress | None) -> NDArray[np.float32]:
    """Write images.npy; (N,) aspect. Plain writes: a full disk is an error here, and a crash through a memory map."""
    total = len(listing.names)
    header = {"descr": "|u1", "fortran_order": False, "shape": (total, 3, size, size)}
    np.lib.format.write_array_header_2_0(file, header)
    aspect, problems = np.zeros(total, np.float32), []
    for row, square in enumerate(_squares(listing, size)):
        if isinstance(square, Problem):
            problems.append(square)
        elif not problems:
            pixels, aspect[row] = square
            file.write(pixels.tobytes())
        if progress:
            progress(row + 1, total)
    if problems:
        raise DataError(problems)
    return aspect


def _squares(listing: Listing, size: int) -> Iterator[tuple[Pixels, float] | Problem]:
    """Each sample's square and aspect, or what is wrong with it, in order; by threads, which Pillow lets run."""
    with warnings.catch_warnings(), ThreadPoolExecutor(cores()) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd tags and large images; ours are errors
        for start in range(0, len(listing.names), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            names, origins, contents = listing.names[part], listing.origins[part], listing.contents[part]
            yield from pool.map(partial(_square, size, listing.first_frame), names, origins, contents)


def _square(size: int, first_frame: bool, name: str, origin: Origin, content: str) -> tuple[Pixels, float] | Problem:
    """One sample; its content is held against the digest it was listed with."""
    where = printable(str(origin)) if isinstance(origin, Path) else name
    try:
        read = origin.read_bytes() if isinstance(origin, Path) else origin()
        if digest_of(read) != content:
            return Problem("has changed since it was listed; start again, or use `ablation check --full`", where)
        image = open_upright(read, first_frame) if isinstance(read, bytes) else Image.fromarray(read)
        return to_square(image, size)
    except Undecodable as error:
        return Problem(f"cannot be decoded: {error}", where)
    except OSError as error:
        return Problem(f"cannot be read: {error.strerror or error}", where)
