"""The cache: every photograph as a square of uint8 pixels in one memory-mapped file. No torch.

    cache/DIGEST-SIZE/images.npy   (N, 3, SIZE, SIZE) uint8, in the order of the listing
                      samples.npz  labels, aspect, parts, near, exact: (N,) each, see `Dataset`
                      meta.json    classes, names, and what made it

The folder appears whole or not at all: it is made beside it under another name, flushed, and renamed. A kernel
lock keeps two processes from making it at once; what a killed one left behind is removed by the next. Removing a cache
is safe while runs read: what they have open stays theirs until they end. A cache that is being built is left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
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

from ablation.core.errors import DataError, InputError, Problem, did_you_mean
from ablation.core.files import Damaged, atomic, sync_folder, undamaged, write_json
from ablation.data.contents import Listing
from ablation.data.decode import Pixels, Undecodable, open_upright, to_square
from ablation.data.files import Origin, printable
from ablation.data.published import digest_of
from ablation.data.readers import Progress, cores

_AT_ONCE = 512  # images in flight: bounds memory, whatever the size of the data
_CACHE = re.compile(r"[0-9a-f]{16}-[0-9]+")
_TRAITS = re.compile(r"[0-9a-f]{32}(-[0-9]+)?\.npz")
"""What our own folders, and the files in `traits`, are called: nothing else is ever removed."""

_SAMPLES = {"labels": np.int64, "aspect": np.float32, "parts": np.int8, "near": np.int64, "exact": np.int64}
"""What samples.npz holds of each sample, see `Dataset`."""


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

    def center_crops(self, rows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
        """(K, side, side, 3) uint8: the largest square in the middle of each of these photographs, for people to see.

        The part of the picture that test images show, resampled by Pillow.
        """
        crops = np.empty((len(rows), side, side, 3), np.uint8)
        for number, row in enumerate(rows):
            aspect = float(self.aspect[row])
            half_x, half_y = 0.5 * self.size / max(aspect, 1.0), 0.5 * self.size * min(aspect, 1.0)
            middle = self.size / 2
            box = (middle - half_x, middle - half_y, middle + half_x, middle + half_y)
            square = Image.fromarray(np.ascontiguousarray(self.images[row].transpose(1, 2, 0)))
            crops[number] = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC, box=box))
        return crops


def build(listing: Listing, size: int, cache_root: Path, progress: Progress | None = None) -> Dataset:
    """Decode every sample to `size` x `size` unless that was done before, and open the result.

    progress is called with (done, all) after each image. Raises DataError naming every file that cannot be decoded.
    """
    folder = _folder(cache_root, listing.digest, size)
    if not folder.exists():
        cache_root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(cache_root)
        with _lock_of(folder):
            if not folder.exists():  # another process may have made it while this one waited
                _make(listing, size, folder, progress)
    return replace(load(cache_root, listing.digest, size), classes=listing.classes, names=listing.names)


def load(cache_root: Path, digest: str, size: int) -> Dataset:
    """Open what `build` made. Names are those at the time of building. Raises DataError if it is not there."""
    folder = _folder(cache_root, digest, size)
    try:
        with undamaged():
            meta = json.loads((folder / "meta.json").read_text("utf-8"))
            classes, names = tuple(meta["classes"]), tuple(meta["names"])
            images = np.load(folder / "images.npy", mmap_mode="r")
            with open(folder / "samples.npz", "rb") as opened, np.load(opened) as file:
                samples = {name: file[name] for name in _SAMPLES}
        for name, array in samples.items():
            if (array.dtype, array.shape) != (_SAMPLES[name], (len(names),)):
                raise Damaged(f"samples.npz has {name} of {array.dtype} in the shape {array.shape}")
        if images.shape != (len(names), 3, size, size) or images.dtype != np.uint8:
            raise Damaged(f"images.npy has the shape {images.shape} of {images.dtype}")
        return Dataset(digest, size, classes, names, images=images, **samples)
    except FileNotFoundError:
        wrong = f"no images of data {digest} are cached at {size} x {size} ({folder.absolute()}); build them"
        raise DataError(wrong) from None
    except Damaged as error:
        wrong = f"the cache {folder.absolute()} is damaged ({error}); delete that folder and build it again"
        raise DataError(wrong) from error


def _folder(cache_root: Path, digest: str, size: int) -> Path:
    return cache_root / f"{digest}-{size}"


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def _unfinished_of(folder: Path) -> Path:
    """Return where the folder is made; a builder that holds the lock is the only one to use it."""
    return folder.with_name(f".{folder.name}.unfinished")


def _remove_leftovers(cache_root: Path) -> None:
    """Remove what killed builds left: unfinished folders whose lock nobody holds."""
    for leftover in cache_root.glob(".*.unfinished"):
        try:
            with _lock_of(cache_root / leftover.name[1:].removesuffix(".unfinished")).acquire(blocking=False):
                shutil.rmtree(leftover, ignore_errors=True)
        except Timeout:
            continue


def _make(listing: Listing, size: int, folder: Path, progress: Progress | None) -> None:
    """Write the folder under its unfinished name, then rename it."""
    unfinished = _unfinished_of(folder)
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
    """Yield each sample's square and aspect, or what is wrong with it, in order; by threads, which Pillow lets run."""
    with warnings.catch_warnings(), ThreadPoolExecutor(cores()) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd tags and large images; ours are errors
        for start in range(0, len(listing.names), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            names, origins, contents = listing.names[part], listing.origins[part], listing.contents[part]
            yield from pool.map(partial(_square, size, listing.first_frame), names, origins, contents)


def _square(size: int, first_frame: bool, name: str, origin: Origin, content: str) -> tuple[Pixels, float] | Problem:
    """Return one sample's; its content is held against the digest it was listed with."""
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


# --- what is cached: to list it, and to remove it


@dataclass(frozen=True)
class Cached:
    """One cache on disk. name: the digest of its data, and the side of its squares."""

    name: str
    images: int
    size: int
    bytes: int
    made: str
    """Day and minute, of this machine's clock."""
    source: str
    """As it was when the cache was built."""


def cached(root: Path) -> tuple[Cached, ...]:
    """Return every cache under `root`, the newest first."""
    files = [path for path in root.glob("*-*/meta.json") if _CACHE.fullmatch(path.parent.name)]
    files.sort(key=lambda path: (-path.stat().st_mtime, path.parent.name))
    return tuple(entry for entry in map(_cached, files) if entry is not None)


def _cached(path: Path) -> Cached | None:
    """Return what a meta.json says; None for a folder that is no cache of ours."""
    try:
        meta = json.loads(path.read_text("utf-8"))
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
        held = sum(file.stat().st_size for file in path.parent.iterdir())
        return Cached(path.parent.name, len(meta["names"]), meta["size"], held, made, meta.get("source", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(root: Path, names: Sequence[str], every: bool = False) -> tuple[str, ...]:
    """Remove the caches of these names (the first letters will do), or every one and all that is remembered of files.

    Returns what was removed. Raises InputError, and removes nothing, for a name that fits none or several; and for a
    cache that is being built, after the others are gone.
    """
    there = [entry.name for entry in cached(root)]
    chosen = there if every else list(dict.fromkeys(_chosen(names, there)))
    busy = [Problem(f"{name} is being built; it was left") for name in chosen if not _remove(root / name)]
    if busy:
        raise InputError(busy)
    if every and root.is_dir():
        _remove_leftovers(root)
        remembered = [path for path in (root / "traits").glob("*.npz") if _TRAITS.fullmatch(path.name)]
        for path in remembered:
            path.unlink()
        if remembered:
            chosen.append("traits (what was remembered of files)")
    return tuple(chosen)


def _chosen(names: Sequence[str], there: Sequence[str]) -> list[str]:
    fitting = {name: [other for other in there if other.startswith(name)] for name in names}
    problems = []
    for name, fits in fitting.items():
        if not fits or not name:
            known = ", ".join(there) or "nothing is cached"
            problems.append(Problem(f"no cache is called {name!r}{did_you_mean(name, there)} ({known})"))
        elif len(fits) > 1 and name not in fits:
            problems.append(Problem(f"{name!r} fits several caches: {', '.join(fits)}"))
    if problems:
        raise InputError(problems)
    return [name if name in fits else fits[0] for name, fits in fitting.items()]


def _remove(folder: Path) -> bool:
    """Take the folder out of the way whole, then empty it; False if somebody builds it."""
    try:
        with _lock_of(folder).acquire(blocking=False):
            gone = _unfinished_of(folder)
            shutil.rmtree(gone, ignore_errors=True)
            os.rename(folder, gone)
            shutil.rmtree(gone)
            return True
    except Timeout:
        return False
