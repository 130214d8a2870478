"""Listing: what a source holds, told by content. Quick: files are hashed, not decoded, and their digests remembered.

Samples stand in the order of (digest of their content, label). So neither file names, nor the order of a list, nor
where the data lies change the data's digest, a split, or a run's id.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ablation.data.files import Origin, Sample, capped
from ablation.data.published import digest_of
from ablation.data.sources import Source, Subset
from ablation.durable import write_json
from ablation.errors import DataError, Problem
from ablation.values import label as describe


@dataclass(frozen=True, eq=False)
class Listing:
    """N samples in canonical order. `digest` stands for their content and labels; names are for people."""

    digest: str
    """16 hexadecimal digits over the (content digest, label) pairs and the number of classes."""
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    """(N,)"""
    names: tuple[str, ...]
    """N paths with '/', relative to the source."""
    contents: tuple[str, ...]
    """The digest of each sample's content."""
    origins: tuple[Origin, ...]
    """Where each sample's pixels come from."""


def listing(source: Source, cache_root: Path) -> Listing:
    """What the source holds. Digests of files are kept under `cache_root`, by path, size and times.

    Raises DataError if the source is missing or empty, a class has no sample, or there is only one class.
    """
    if isinstance(source, Subset):
        return _first(listing(source.source, cache_root), source.per_class)
    classes, samples = source.samples()
    _refuse_small(source, classes, samples)
    paths = [sample.origin for sample in samples if isinstance(sample.origin, Path)]
    index = cache_root / "digests" / f"{digest_of(describe(source).encode() + os.getcwd().encode())}.json"
    of_path = _digests(paths, index) if paths else {}
    digests = [of_path[sample.origin] if isinstance(sample.origin, Path) else sample.digest for sample in samples]
    return _ordered(classes, [sample._replace(digest=found) for sample, found in zip(samples, digests, strict=True)])


def _ordered(classes: tuple[str, ...], samples: Sequence[Sample]) -> Listing:
    ordered = sorted(samples, key=lambda sample: (sample.digest, sample.label, sample.name))
    pairs = [(sample.digest, sample.label) for sample in ordered]
    return Listing(
        digest=hashlib.blake2b(json.dumps([len(classes), pairs]).encode(), digest_size=8).hexdigest(),
        classes=classes,
        labels=np.array([sample.label for sample in ordered], np.int64),
        names=tuple(sample.name for sample in ordered),
        contents=tuple(sample.digest for sample in ordered),
        origins=tuple(sample.origin for sample in ordered),
    )


def _first(whole: Listing, per_class: int) -> Listing:
    """The first samples of each class; a smaller class gives all it has."""
    kept = [row for label in range(len(whole.classes)) for row in np.flatnonzero(whole.labels == label)[:per_class]]
    rows = zip(whole.names, whole.labels.tolist(), whole.origins, whole.contents, strict=True)
    samples = [Sample(*row) for row in rows]
    return _ordered(whole.classes, [samples[row] for row in kept])


def _refuse_small(source: Source, classes: tuple[str, ...], samples: Sequence[Sample]) -> None:
    if not samples:
        raise DataError(f"{describe(source)} holds no sample")
    if len(classes) < 2:
        raise DataError(f"{describe(source)} has one class, {classes[0]!r}; there must be two or more to tell apart")
    empty = sorted(set(range(len(classes))) - {sample.label for sample in samples})
    if empty:
        where = describe(source)
        raise DataError(capped([Problem(f"class {label} ({classes[label]}) has no image", where) for label in empty]))


def _digests(paths: Sequence[Path], index: Path) -> dict[Path, str]:
    """The digest of each file. What is known of a file counts while its size and times (to the nanosecond) stand.

    The time of change is held against it too, since a copy may bring an old time of modification with it.
    """
    before = _read_index(index)
    now: dict[str, str] = {}
    found: dict[Path, str] = {}
    unknown: list[tuple[Path, str]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            state = path.stat()
        except OSError as error:  # a link to nowhere, or a file that went away
            problems.append(_unreadable(path, error))
            continue
        key = f"{os.path.realpath(path)} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
        if key in before:
            found[path] = now[key] = before[key]
        else:
            unknown.append((path, key))
    with ThreadPoolExecutor() as pool:
        fresh = list(pool.map(_read_digest, [path for path, _ in unknown]))
    problems += [digest for digest in fresh if isinstance(digest, Problem)]
    if problems:
        raise DataError(capped(problems))
    for (path, key), digest in zip(unknown, fresh, strict=True):
        found[path] = now[key] = str(digest)
    if now != before:
        write_json(index, now)
    return found


def _read_digest(path: Path) -> str | Problem:
    try:
        return digest_of(path.read_bytes())
    except OSError as error:
        return _unreadable(path, error)


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(f"cannot be read: {error.strerror}", str(path))


def _read_index(index: Path) -> dict[str, str]:
    """What was remembered; nothing if that is damaged, as it can be found anew."""
    try:
        return json.loads(index.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
