"""The cache: every photograph as a square of uint8 pixels in one memory-mapped file. No torch.

    cache/DIGEST-SIZE/images.npy   (N, 3, SIZE, SIZE) uint8, in the order of the listing
                      samples.npz  labels, aspect, parts, near, exact: (N,) each, see `Dataset`; pixels: the SHA-256
                                   of each square, (N, 32) uint8
                      meta.json    classes, names, and what made it; the SHA-256 of samples.npz, and its own

What is opened is held to its checksums. Pixels are held to theirs by `build`, once a sweep, as reading them all takes a
while: 9.8 GB, 50,000 squares of 256 pixels, some 10 s of one core. A cache that is not as it was written is built again
from the photographs.

The folder appears whole or not at all: it is made beside it under another name, flushed, and renamed. A kernel
lock keeps two processes from making it at once; what a killed one left behind is removed by the next. Removing a cache
is safe while runs read: what they have open stays theirs until they end. A cache that is being built is left.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image

from ablation.core.errors import DataError, InputError, Problem, did_you_mean
from ablation.core.files import Damaged, atomic, open_file, read_file, sync_folder, undamaged, write_bytes, write_json
from ablation.data.contents import Listing
from ablation.data.decode import Pixels, Undecodable, open_upright, to_square
from ablation.data.files import Origin, printable
from ablation.data.published import digest_of
from ablation.data.readers import Progress, cores

_AT_ONCE = 512  # images in flight: bounds memory, whatever the size of the data
_READ_AT_ONCE = 1 << 24  # bytes of squares that each core reads and hashes in one go
_CACHE = re.compile(r"[0-9a-f]{16}-[0-9]+")
_TRAITS = re.compile(r"[0-9a-f]{32}(-[0-9]+)*\.npz")
"""What our own folders, and the files in `traits`, are called: nothing else is ever removed."""

_SAMPLES = {"labels": np.int64, "aspect": np.float32, "parts": np.int8, "near": np.int64, "exact": np.int64}
"""What samples.npz holds of each sample, see `Dataset`."""

Digests = NDArray[np.uint8]
"""(N, 32) the SHA-256 of each square."""


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


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)


def build(
    listing: Listing,
    size: int,
    cache_root: Path,
    progress: Progress | None = None,
    note: Callable[[str], None] = _warn,
    check: bool = True,
) -> Dataset:
    """Decode every sample to `size` x `size` unless that was done before, and open the result.

    progress is called with (done, all) after each image. note: called with a line where there was a cache that was not
    as it was written, or of a version that wrote no checksums, and was built again. check: whether that is looked at,
    by a reading of all pixels. Raises DataError naming every file that cannot be decoded.
    """
    folder = _folder(cache_root, listing.digest, size)
    if not os.path.lexists(folder) or (check and _damage(folder, listing.digest, size)):
        cache_root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(cache_root)
        with _lock_of(folder):
            if not os.path.lexists(folder):  # another process may have made it while this one waited
                _make(listing, size, folder, progress)
            elif wrong := check and _damage(folder, listing.digest, size):
                note(_make_again(listing, size, folder, progress, wrong))
    return replace(load(cache_root, listing.digest, size), classes=listing.classes, names=listing.names)


def load(cache_root: Path, digest: str, size: int) -> Dataset:
    """Open what `build` made. Names are those at the time of building. Raises DataError if it is not there.

    Pixels are not read, and not checked: `build` does that.
    """
    folder = _folder(cache_root, digest, size)
    try:
        return _open(folder, digest, size)[0]
    except FileNotFoundError:
        wrong = f"no images of data {digest} are cached at {size} x {size} ({folder.absolute()}); build them"
        raise DataError(wrong) from None
    except Damaged as error:
        wrong = f"the cache {folder.absolute()} is damaged ({error}); delete that folder and build it again"
        raise DataError(wrong) from error


def _open(folder: Path, digest: str, size: int) -> tuple[Dataset, Digests | None]:
    """The data, and the digests of its squares; None of a version that wrote none.

    Raises Damaged, or FileNotFoundError and other errors of the machine.
    """
    with undamaged():
        meta = json.loads(read_file(folder / "meta.json"))
        table = read_file(folder / "samples.npz")
        _hold_to_checksums(meta, table, digest, size)
        classes, names = tuple(meta["classes"]), tuple(meta["names"])
        images = _map(folder / "images.npy")
        with np.load(io.BytesIO(table)) as file:
            samples = {name: file[name] for name in _SAMPLES}
            digests = file["pixels"] if "checksum" in meta else None
    for name, array in samples.items():
        if (array.dtype, array.shape) != (_SAMPLES[name], (len(names),)):
            raise Damaged(f"samples.npz has {name} of {array.dtype} in the shape {array.shape}")
    if images.shape != (len(names), 3, size, size) or images.dtype != np.uint8 or not images.flags.c_contiguous:
        raise Damaged(f"images.npy has the shape {images.shape} of {images.dtype}")
    return Dataset(digest, size, classes, names, images=images, **samples), digests


def _map(path: Path) -> np.memmap:
    open_file(path).close()  # a pipe would be waited for
    try:
        images: np.memmap = np.load(path, mmap_mode="r")
        return images
    except ValueError as error:  # numpy's advice is to load it unsafely
        raise Damaged(f"{path.name} is no array, or not all of one") from error


def _hold_to_checksums(meta: dict[str, Any], table: bytes, digest: str, size: int) -> None:
    """Raises Damaged where meta.json or samples.npz is not as it was written, or of other data."""
    if (meta["digest"], meta["size"]) != (digest, size):
        raise Damaged(f"meta.json is that of {meta['digest']}-{meta['size']}")
    if "checksum" not in meta:
        return
    if meta["checksum"] != _checksum(meta):
        raise Damaged("meta.json does not have its checksum")
    if meta["samples"] != hashlib.sha256(table).hexdigest():
        raise Damaged("samples.npz does not have its checksum")


def _checksum(meta: dict[str, Any]) -> str:
    """SHA-256 of a meta.json without its own checksum."""
    content = {name: value for name, value in meta.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# --- whether a cache is as it was written


def _damage(folder: Path, digest: str, size: int) -> str:
    """Why a cache is to be built again, in words; '' where every byte is as it was written. Reads all of it."""
    try:
        data, digests = _open(folder, digest, size)
        if digests is None:
            return "it has no checksums, as earlier versions wrote none"
        other = np.flatnonzero((digests_of(data.images) != digests).any(axis=1))
    except Damaged as error:
        return str(error)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EIO):
            raise
        return f"{Path(os.fsdecode(error.filename or folder)).name}: {error.strerror}"
    if not len(other):
        return ""
    return f"the pixels of {len(other):,} of {len(digests):,} photographs, {data.names[other[0]]} first, have changed"


def digests_of(images: np.memmap) -> Digests:
    """The SHA-256 of each square, (N, 32) uint8, by all cores.

    The file is read, and not its memory map: where a disk fails, that ends a process.
    """
    side = int(np.prod(images.shape[1:]))
    each = max(1, _READ_AT_ONCE // side)
    starts = range(0, len(images), each)
    with ThreadPoolExecutor(cores()) as pool:
        parts = list(pool.map(partial(_digests_from, images, side, each), starts))
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 32)


def _digests_from(images: np.memmap, side: int, count: int, start: int) -> bytes:
    """Those of `count` squares of `side` bytes each, from the one `start` on."""
    with open(str(images.filename), "rb") as file:
        file.seek(images.offset + start * side)
        content = memoryview(file.read(side * min(count, len(images) - start)))
    return b"".join(hashlib.sha256(content[at : at + side]).digest() for at in range(0, len(content), side))


def _make_again(listing: Listing, size: int, folder: Path, progress: Progress | None, wrong: str) -> str:
    """Build a cache of which something is wrong again, and say so. Raises DataError where the photographs are gone."""
    before, pillow = _before(folder, listing.digest, size)
    try:
        after = _make(listing, size, folder, progress)
    except DataError as error:
        what = f"the cache {folder.absolute()} is not to be used ({wrong}), and cannot be built again:"
        raise DataError([Problem(what), *error.problems]) from error
    said = f"the cache {folder.absolute()} was built again from the photographs: {wrong}"
    if before is None or before.shape != after.shape or not (other := (before != after).any(axis=1).sum()):
        return said
    made = f"{other:,} of its {len(after):,} squares are not what they were (by Pillow {pillow}, now {PIL.__version__})"
    return f"{said}; {made}: runs that were trained with those are of other images, remove their folders"


def _before(folder: Path, digest: str, size: int) -> tuple[Digests | None, str]:
    """The digests of a cache's squares as they were made, as far as is known, and by which Pillow."""
    try:
        data, digests = _open(folder, digest, size)
        pillow = str(json.loads(read_file(folder / "meta.json")).get("pillow"))
        return digests_of(data.images) if digests is None else digests, pillow
    except (OSError, Damaged):
        return None, ""


# --- making it


def _folder(cache_root: Path, digest: str, size: int) -> Path:
    return cache_root / f"{digest}-{size}"


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def _unfinished_of(folder: Path) -> Path:
    """Return where the folder is made; a builder that holds the lock is the only one to use it."""
    return folder.with_name(f".{folder.name}.unfinished")


def _remove_leftovers(cache_root: Path) -> None:
    """Remove what killed builds left: unfinished and replaced folders whose lock nobody holds."""
    for leftover in (*cache_root.glob(".*.unfinished"), *cache_root.glob(".*.replaced")):
        try:
            with _lock_of(cache_root / leftover.name[1:].rpartition(".")[0]).acquire(blocking=False):
                _discard(leftover)
        except Timeout:
            continue


def _discard(path: Path) -> None:
    """Remove a folder with all that is in it, a file or a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _make(listing: Listing, size: int, folder: Path, progress: Progress | None) -> Digests:
    """Write the folder under its unfinished name, then rename it, in place of what may be there; its digests."""
    unfinished = _unfinished_of(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        with atomic(unfinished / "images.npy", needed=len(listing.names) * 3 * size * size) as file:
            aspect, digests = _write_images(file, listing, size, progress)
        labels, parts, near, exact = listing.labels, listing.parts, listing.near, listing.exact
        table = io.BytesIO()
        np.savez(table, labels=labels, aspect=aspect, parts=parts, near=near, exact=exact, pixels=digests)
        write_bytes(unfinished / "samples.npz", table.getvalue())
        made = {"digest": listing.digest, "size": size, "source": listing.source, "pillow": PIL.__version__}
        meta = made | {"classes": list(listing.classes), "names": list(listing.names)}
        meta |= {"samples": hashlib.sha256(table.getvalue()).hexdigest()}
        write_json(unfinished / "meta.json", meta | {"checksum": _checksum(meta)})
        if os.path.lexists(folder):
            replaced = folder.with_name(f".{folder.name}.replaced")
            _discard(replaced)
            os.rename(folder, replaced)
            os.rename(unfinished, folder)
            _discard(replaced)
        else:
            os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    sync_folder(folder.parent)
    return digests


def _write_images(
    file: IO[bytes], listing: Listing, size: int, progress: Progress | None
) -> tuple[NDArray[np.float32], Digests]:
    """Write images.npy; (N,) aspect, and the digests of the squares.

    Plain writes: a full disk is an error here, and a crash through a memory map.
    """
    total = len(listing.names)
    header = {"descr": "|u1", "fortran_order": False, "shape": (total, 3, size, size)}
    np.lib.format.write_array_header_2_0(file, header)
    aspect, digests, problems = np.zeros(total, np.float32), [], []
    for row, square in enumerate(_squares(listing, size)):
        if isinstance(square, Problem):
            problems.append(square)
        elif not problems:
            pixels, aspect[row] = square
            file.write(content := pixels.tobytes())
            digests.append(hashlib.sha256(content).digest())
        if progress:
            progress(row + 1, total)
    if problems:
        raise DataError(problems)
    return aspect, np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def _squares(listing: Listing, size: int) -> Iterator[tuple[Pixels, float] | Problem]:
    """Yield each sample's square and aspect, or what is wrong with it, in order; by threads, which Pillow lets run."""
    with warnings.catch_warnings(), ThreadPoolExecutor(cores()) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd tags and large images; ours are errors
        for start in range(0, len(listing.names), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            names, origins, contents = listing.names[part], listing.origins[part], listing.contents[part]
            yield from pool.map(
                partial(_square, size, listing.first_frame, listing.bit_depth), names, origins, contents
            )


def _square(
    size: int, first_frame: bool, bit_depth: int | None, name: str, origin: Origin, content: str
) -> tuple[Pixels, float] | Problem:
    """Return one sample's; its content is held against the digest it was listed with."""
    where = printable(str(origin)) if isinstance(origin, Path) else name
    try:
        read = origin.read_bytes() if isinstance(origin, Path) else origin()
        if digest_of(read) != content:
            return Problem("has changed since it was listed; start again, or use `ablation check --full`", where)
        image = open_upright(read, first_frame, bit_depth) if isinstance(read, bytes) else Image.fromarray(read)
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
        meta = json.loads(read_file(path))
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
    chosen = _named(root, names, every)
    busy = [Problem(f"{name} is being built; it was left") for name in chosen if not _remove(root / name)]
    if busy:
        raise InputError(busy)
    if every and root.is_dir():
        _remove_leftovers(root)
        remembered = _remembered_files(root)
        for path in remembered:
            path.unlink()
        if remembered:
            chosen.append(_TRAITS_NAME)
    return tuple(chosen)


def removable(root: Path, names: Sequence[str], every: bool = False) -> tuple[str, ...]:
    """What `remove` would remove, of which nothing is. Raises InputError for a name that fits none or several."""
    chosen = _named(root, names, every)
    return (*chosen, *([_TRAITS_NAME] if every and _remembered_files(root) else ()))


_TRAITS_NAME = "traits (what was remembered of files)"


def _remembered_files(root: Path) -> list[Path]:
    return [path for path in (root / "traits").glob("*.npz") if _TRAITS.fullmatch(path.name)]


def _named(root: Path, names: Sequence[str], every: bool) -> list[str]:
    """The caches of these names, each once, or every one."""
    there = [entry.name for entry in cached(root)]
    return there if every else list(dict.fromkeys(_chosen(names, there)))


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
