"""Listing: what a source holds, told by content: its samples in an order of their own, what they are, what is together.

Every file is decoded once to see that it can be, and measured; what was found is remembered (`ablation.data.survey`),
so that the next listing reads only what is new, or could not be used. Samples stand in the order of (digest of their
content, label). So neither file names, nor the order of a list, nor where the data lies change the data's digest, a
split, or a run's id.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, InputError, Problem
from ablation.core.files import Damaged, atomic, undamaged
from ablation.core.values import label as describe
from ablation.data.files import PARTS, Origin, Sample, capped, printable
from ablation.data.groups import NEAR, exact_pairs, given_pairs, joined, near_links
from ablation.data.published import digest_of
from ablation.data.readers import SIZE_LIMIT
from ablation.data.sources import SkipBad, Source, Subset
from ablation.data.survey import Progress, survey
from ablation.data.traits import TRAITS

_REMEMBERED_FROM = 10_000  # samples from which on finding near-duplicates takes longer than reading them back


@dataclass(frozen=True, eq=False)
class Listing:
    """N samples in canonical order. `digest` stands for what they hold and how they belong together; names do not
    matter."""

    digest: str
    """16 hexadecimal digits over content, label, part and groups of all samples, and over what was left out. A `Subset`
    has one over its own samples alone."""
    source: str
    """The source, as its author wrote it."""
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    """(N,)"""
    names: tuple[str, ...]
    """N paths with '/', relative to the source."""
    contents: tuple[str, ...]
    """The digest of each sample's content."""
    origins: tuple[Origin, ...]
    """Where each sample's pixels come from."""
    traits: NDArray[np.void]
    """(N,) of `ablation.data.traits.TRAITS`."""
    parts: NDArray[np.int8]
    """(N,) 0, 1, 2 for train, val, test where the data itself says so, else -1."""
    near: NDArray[np.int64]
    """(N,) number of each sample's group: near-duplicates, and what the data says belongs together."""
    exact: NDArray[np.int64]
    """(N,) the same for exact copies (the same pixels), and what the data says belongs together."""
    left_out: tuple[Problem, ...] = ()
    """Files that `SkipBad` left out, with the reason."""
    first_frame: bool = False


class Found(NamedTuple):
    """What a source names, measured, in any order: samples that can be used, and those that cannot."""

    source: Source
    classes: tuple[str, ...]
    good: list[tuple[Sample, np.void]]
    bad: list[tuple[Sample, str]]

    def problems(self) -> list[Problem]:
        """A problem for each file that cannot be used."""
        return [Problem(told, _where(sample)) for sample, told in self.bad]


def listing(source: Source, cache_root: Path, progress: Progress | None = None) -> Listing:
    """What the source holds. What is known of files is kept under `cache_root`, by path, size and times.

    progress is called with (done, all) of the files that have to be read. Raises DataError if the source is missing
    or empty, a file cannot be used, a class has no sample, or there is only one class.
    """
    if isinstance(source, Subset):
        return _first(listing(source.source, cache_root, progress), source)
    found = find(source, cache_root, progress)
    if found.bad and not isinstance(source, SkipBad):
        advice = "mend or remove them, or leave them out by SkipBad(...); `ablation check` shows them all"
        raise DataError([*capped(found.problems()), Problem(f"{len(found.bad)} of the files cannot be used: {advice}")])
    return listed(found, cache_root)


def left_out_words(count: int) -> str:
    """Told wherever results are: '3 files of the data cannot be used and are left out'."""
    return f"{count} file{'s' * (count != 1)} of the data cannot be used and {'is' if count == 1 else 'are'} left out"


def find(source: Source, cache_root: Path, progress: Progress | None = None, full: bool = False) -> Found:
    """Read off everything that the source names. full: also what is known already."""
    if isinstance(source, SkipBad) and isinstance(source.source, Subset):
        raise InputError("SkipBad(Subset(...)) is the wrong way round; write Subset(SkipBad(...), per_class=...)")
    if isinstance(source, SkipBad):
        return find(source.source, cache_root, progress, full)._replace(source=source)
    if isinstance(source, Subset):
        raise TypeError("a Subset is made of a listing; find its source")
    classes, samples = source.samples()
    if not samples:
        raise DataError(f"{describe(source)} holds no sample")
    index = cache_root / "traits" / f"{digest_of(_kept_by(source, samples))}.npz"
    measured = survey(samples, source.first_frame, index, progress, full)
    good = [(sample, traits) for sample, traits in zip(samples, measured, strict=True) if not isinstance(traits, str)]
    bad = [(sample, told) for sample, told in zip(samples, measured, strict=True) if isinstance(told, str)]
    return Found(source, classes, good, bad)


def _kept_by(source: Source, samples: Sequence[Sample]) -> bytes:
    """What is known of files is kept by the folder that holds them, however that is spelled; else by the source."""
    folders = {sample.origin.parent for sample in samples if isinstance(sample.origin, Path)}
    if not folders:
        return describe(source).encode()
    return os.fsencode(os.path.commonpath([os.path.realpath(folder) for folder in folders]))


def listed(found: Found, cache_root: Path) -> Listing:
    """The samples that can be used as a listing. Raises DataError if a class has none, or if there is only one."""
    _refuse_small(found)
    ordered = sorted(found.good, key=_place)
    samples = [sample for sample, _ in ordered]
    traits: NDArray[np.void] = np.array([measured for _, measured in ordered], TRAITS)
    groups = given_pairs([sample.group for sample in samples])
    exact = exact_pairs(traits)
    near = near_links(traits) if len(traits) < _REMEMBERED_FROM else _remembered_links(traits, cache_root)
    return _listing(
        source=describe(found.source),
        classes=found.classes,
        samples=samples,
        traits=traits,
        near=joined(len(samples), groups, exact, near),
        exact=joined(len(samples), groups, exact),
        left_out=tuple(found.problems()),
        left_out_digests=tuple(sorted(_digest_of_bad(sample) for sample, _ in found.bad)),
        first_frame=found.source.first_frame,
    )


def _place(item: tuple[Sample, np.void]) -> tuple[bytes, int, str, str]:
    """What the order of samples goes by; names decide only between those that are alike in everything else."""
    sample, traits = item
    return bytes(traits["content"]), sample.label, sample.part, sample.name


def _listing(
    source: str,
    classes: tuple[str, ...],
    samples: Sequence[Sample],
    traits: NDArray[np.void],
    near: NDArray[np.int64],
    exact: NDArray[np.int64],
    left_out: tuple[Problem, ...],
    left_out_digests: tuple[str, ...],
    first_frame: bool,
) -> Listing:
    """The listing of samples that are in order already."""
    labels = np.array([sample.label for sample in samples], np.int64)
    contents = tuple(digest.decode() for digest in traits["content"].tolist())
    parts = np.array([PARTS.index(sample.part) if sample.part else -1 for sample in samples], np.int8)
    told = [len(classes), contents, labels.tolist(), parts.tolist(), near.tolist(), exact.tolist(), left_out_digests]
    return Listing(
        digest=hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest(),
        source=source,
        classes=classes,
        labels=labels,
        names=tuple(sample.name for sample in samples),
        contents=contents,
        origins=tuple(sample.origin for sample in samples),
        traits=traits,
        parts=parts,
        near=near,
        exact=exact,
        left_out=left_out,
        first_frame=first_frame,
    )


def _first(whole: Listing, source: Subset) -> Listing:
    """The first samples of each class in each part; where there are fewer, all of them."""
    rows = np.arange(len(whole.labels))
    alike = [rows[(whole.labels == label) & (whole.parts == part)] for label, part in _strata(whole)]
    kept = np.sort(np.concatenate([members[: source.per_class] for members in alike]))
    samples = [
        Sample(whole.names[row], int(whole.labels[row]), whole.origins[row], part=_part_name(int(whole.parts[row])))
        for row in kept
    ]
    near, exact = (
        np.unique(groups[kept], return_inverse=True)[1].astype(np.int64) for groups in (whole.near, whole.exact)
    )
    return _listing(
        source=describe(source),
        classes=whole.classes,
        samples=samples,
        traits=whole.traits[kept],
        near=near,
        exact=exact,
        left_out=whole.left_out,
        left_out_digests=(),
        first_frame=whole.first_frame,
    )


def _strata(whole: Listing) -> list[tuple[int, int]]:
    return sorted(set(zip(whole.labels.tolist(), whole.parts.tolist(), strict=True)))


def _part_name(place: int) -> str:
    return PARTS[place] if place >= 0 else ""


def _refuse_small(found: Found) -> None:
    where, classes = describe(found.source), found.classes
    if len(classes) < 2:
        raise DataError(f"{where} has one class, {classes[0]!r}; there must be two or more to tell apart")
    empty = sorted(set(range(len(classes))) - {sample.label for sample, _ in found.good})
    if empty:
        usable = " that can be used" if found.bad else ""
        raise DataError(
            capped([Problem(f"class {label} ({classes[label]}) has no image{usable}", where) for label in empty])
        )


def _remembered_links(traits: NDArray[np.void], cache_root: Path) -> NDArray[np.int64]:
    """`near_links`, kept in a file that is named after the hashes."""
    name = digest_of(traits["hash"].tobytes() + traits["hashed"].tobytes())
    path = cache_root / "traits" / f"{name}-{NEAR}.npz"  # an archive, for its checksum
    try:
        with undamaged(), open(path, "rb") as opened, np.load(opened) as file:
            return np.asarray(file["links"])
    except (FileNotFoundError, Damaged):  # it can be found anew
        links = near_links(traits)
        with atomic(path) as file:
            np.savez(file, links=links)
        return links


def _digest_of_bad(sample: Sample) -> str:
    """What a file that cannot be used is known by: its content, or its name where that cannot be read either.

    It may be larger than memory: of such a file its size and its first part. A pipe or a device would never end.
    """
    if not isinstance(sample.origin, Path):
        return sample.digest
    try:
        if sample.origin.is_file():
            with sample.origin.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > SIZE_LIMIT:
                    return digest_of(b"%d " % size + file.read(1 << 20))
                return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16)).hexdigest()
    except OSError:
        pass
    return digest_of(sample.name.encode())


def _where(sample: Sample) -> str:
    return printable(str(sample.origin)) if isinstance(sample.origin, Path) else sample.name
