"""What a source holds, by content: its samples in an order of their own, what they are, and what belongs together.

Every file is decoded once to see that it can be, and measured (`ablation.data.traits`). The result is remembered by
path, size and times, so that the next listing reads only what is new, or could not be used: a newer Pillow may read it.
Samples stand in the order of (digest of their content, label). So neither file names, nor the order of a list, nor
where the data lies change the data's digest, a split, or a run's id.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, InputError, Problem
from ablation.core.files import Damaged, atomic, open_file, undamaged
from ablation.core.text import counted
from ablation.core.values import label as describe
from ablation.data.decode import FULL_DEPTH
from ablation.data.files import PARTS, Origin, Sample, capped, printable
from ablation.data.groups import NEAR, TURNED, Links, Rows, exact_pairs, given_pairs, joined, near_links
from ablation.data.published import digest_of
from ablation.data.readers import SIZE_LIMIT, Progress, read_all
from ablation.data.sources import SkipBad, Source, Subset
from ablation.data.split import Splittable
from ablation.data.traits import TRAITS, traits_of_array

VERSION = 1
"""Of what is remembered of a file: raised when the same file would give other traits."""

_WRITTEN_EVERY = 30.0  # seconds: what was read is not lost to a kill
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
    unusable: tuple[str, ...] = ()
    """The digests of the files that were left out, as they go into `digest`; and `bit_depth=12` where fewer
    than 16 were given, as that makes other pixels of the same files."""
    bit_depth: int | None = None
    turned: tuple[int, ...] = ()
    """Rows that look like one of another class, but only with one of both turned; of a `Subset` none is named."""


class Survey(NamedTuple):
    """What a source names, measured, in any order: samples that can be used, and those that cannot, with the reason."""

    source: Source
    classes: tuple[str, ...]
    good: list[tuple[Sample, np.void]]
    bad: list[tuple[Sample, str]]

    def problems(self) -> list[Problem]:
        """Return a problem for each file that cannot be used."""
        return [Problem(reason, _where(sample)) for sample, reason in self.bad]


def listing(source: Source, cache_root: Path, progress: Progress | None = None) -> Listing:
    """Return what the source holds. What is known of files is kept under `cache_root`, by path, size and times.

    progress is called with (done, all) of the files that have to be read. Raises DataError if the source is missing
    or empty, a file cannot be used, a class has no sample, or there is only one class.
    """
    if isinstance(source, Subset):
        return _first(listing(source.source, cache_root, progress), source)
    surveyed = survey(source, cache_root, progress)
    if surveyed.bad and not isinstance(source, SkipBad):
        advice = f"mend or remove them, or leave them out: data=SkipBad({describe(source)}); `ablation check` shows all"
        count = Problem(f"{len(surveyed.bad)} of the files cannot be used: {advice}")
        raise DataError([*capped(surveyed.problems()), count])
    return listed(surveyed, cache_root)


def left_out_words(count: int) -> str:
    """Return what is said of files left out wherever results are shown.

    >>> left_out_words(3)
    '3 files of the data cannot be used and are left out'
    """
    return f"{counted(count, 'file')} of the data cannot be used and {'is' if count == 1 else 'are'} left out"


# --- every file, measured once


def survey(source: Source, cache_root: Path, progress: Progress | None = None, full: bool = False) -> Survey:
    """Measure everything that the source names. full: also what is known already."""
    if isinstance(source, SkipBad) and isinstance(source.source, Subset):
        raise InputError("SkipBad(Subset(...)) is the wrong way round; write Subset(SkipBad(...), per_class=...)")
    if isinstance(source, SkipBad):
        return survey(source.source, cache_root, progress, full)._replace(source=source)
    if isinstance(source, Subset):
        raise TypeError("a Subset is made of a listing; survey its source")
    classes, samples = source.samples()
    if not samples:
        raise DataError(f"{describe(source)} holds no sample")
    index = cache_root / "traits" / f"{digest_of(_kept_by(source, samples))}.npz"
    measured = remembered_traits(samples, source.first_frame, index, progress, full, source.bit_depth)
    good = [(sample, traits) for sample, traits in zip(samples, measured, strict=True) if not isinstance(traits, str)]
    bad = [(sample, reason) for sample, reason in zip(samples, measured, strict=True) if isinstance(reason, str)]
    return Survey(source, classes, good, bad)


def _kept_by(source: Source, samples: Sequence[Sample]) -> bytes:
    """What is known of files is kept by the folder that holds them, however that is spelled; else by the source."""
    folders = {sample.origin.parent for sample in samples if isinstance(sample.origin, Path)}
    if not folders:
        return describe(source).encode()
    return os.fsencode(os.path.commonpath([os.path.realpath(folder) for folder in folders]))


def remembered_traits(
    samples: Sequence[Sample],
    first_frame: bool,
    index: Path,
    progress: Progress | None = None,
    full: bool = False,
    bit_depth: int | None = None,
) -> list[np.void | str]:
    """Return the traits of each sample, or why it cannot be used. What is known lies in the file `index`.

    full: measure everything again. progress is called with (done, all) of what has to be measured.
    """
    real = cache(os.path.realpath)  # of folders, which hold many files each
    states = [_state(sample, first_frame, bit_depth, real) for sample in samples]
    known = {} if full else _read_index(index)
    missing = [row for row, state in enumerate(states) if state not in known]
    measured: dict[int, np.void | str] = {}
    written = time.monotonic()
    try:
        origins = [samples[row].origin for row in missing]
        with closing(_measured(origins, first_frame, bit_depth, progress)) as traits_in_order:
            for row, traits in zip(missing, traits_in_order, strict=True):
                measured[row] = traits
                if states[row] and not isinstance(traits, str):
                    known[states[row]] = traits
                if time.monotonic() - written > _WRITTEN_EVERY:
                    _write_index(index, known)
                    written = time.monotonic()
    finally:
        if not all(isinstance(traits, str) for traits in measured.values()):
            _write_index(index, known)
    return [measured[row] if row in measured else known[state] for row, state in enumerate(states)]


def _measured(
    origins: Sequence[Origin], first_frame: bool, bit_depth: int | None, progress: Progress | None
) -> Generator[np.void | str, None, None]:
    """Yield the traits of each: of files by all cores, of what is in memory here and now."""
    paths = [origin for origin in origins if isinstance(origin, Path)]
    with closing(read_all(paths, first_frame, progress, bit_depth=bit_depth)) as of_file:
        for row, origin in enumerate(origins):
            yield next(of_file) if isinstance(origin, Path) else traits_of_array(origin())
            if progress and not paths:
                progress(row + 1, len(origins))


def _state(sample: Sample, first_frame: bool, bit_depth: int | None, real: Callable[[Path], str]) -> bytes:
    """Return what a sample is remembered by: a hash of its digest, or of its file's real path, size and times.

    The time of change is held against it too, since a copy may bring an old time of modification with it. real: from a
    folder to its real path.
    """
    if not isinstance(sample.origin, Path):
        known_by = sample.digest.encode()
    else:
        try:
            file = sample.origin.stat()
        except OSError:  # a link to nowhere, or a file that went away: reading it says so
            return b""
        times = f"{file.st_size} {file.st_mtime_ns} {file.st_ctime_ns} {first_frame}"
        times += "" if _is_full(bit_depth) else f" {bit_depth}"
        link = os.path.islink(sample.origin)
        path = os.path.realpath(sample.origin) if link else os.path.join(real(sample.origin.parent), sample.origin.name)
        known_by = os.fsencode(path) + b"\0" + times.encode()
    return hashlib.blake2b(known_by, digest_size=16, key=b"%d" % VERSION).hexdigest().encode()


def _read_index(index: Path) -> dict[bytes, np.void]:
    """Return what was remembered; nothing if that is damaged or of another version, as it can be measured anew."""
    try:
        with undamaged():
            states, traits = _remembered(index, "states", "traits")
            return dict(zip(states.tolist(), traits, strict=True)) if traits.dtype == TRAITS else {}
    except (FileNotFoundError, Damaged):
        return {}


def _write_index(index: Path, known: dict[bytes, np.void]) -> None:
    states = np.array(list(known), "S32")
    traits: NDArray[np.void] = np.array(list(known.values()), TRAITS)
    _remember(index, states=states, traits=traits)


def _remember(path: Path, **arrays: NDArray[Any]) -> None:
    """Write what the next listing need not compute again. Where nothing can be written, that one computes it again.

    The checksum is over the file's name as well: what is remembered of other files says nothing of these.
    """
    try:
        with atomic(path) as file:
            checksum = np.array(_checksum(path, arrays.values()))
            np.savez(file, checksum=checksum, **arrays)  # type: ignore[arg-type]  # no name of ours is an option
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
            raise


def _remembered(path: Path, *names: str) -> list[NDArray[Any]]:
    """Return what was written under these names. Raises Damaged where the file, or its name, is not as it was then.

    Files of versions that wrote no checksum have that of each array in an archive alone, CRC-32.
    """
    with open_file(path) as opened, np.load(opened) as file:
        arrays = [file[name] for name in names]
        if "checksum" in file.files and str(file["checksum"]) != _checksum(path, arrays):
            raise Damaged("it does not have its checksum")
    return arrays


def _checksum(path: Path, arrays: Iterable[NDArray[Any]]) -> str:
    parts = [f"{array.dtype}{array.shape}".encode() + array.tobytes() for array in arrays]
    return digest_of(path.name.encode() + b"".join(parts))


# --- a listing of what was measured


def listed(surveyed: Survey, cache_root: Path) -> Listing:
    """Return the samples that can be used. Raises DataError if a class has none, or if there is only one class."""
    _refuse_small(surveyed)
    ordered = sorted(surveyed.good, key=_order)
    samples = [sample for sample, _ in ordered]
    traits: NDArray[np.void] = np.array([measured for _, measured in ordered], TRAITS)
    groups = given_pairs([sample.group for sample in samples])
    exact = exact_pairs(traits)
    labels = np.array([sample.label for sample in samples], np.int64)
    links = (near_links if len(traits) < _REMEMBERED_FROM else partial(_remembered_links, cache_root))(traits, labels)
    data = Listing(
        digest="",
        source=describe(surveyed.source),
        classes=surveyed.classes,
        labels=labels,
        names=tuple(sample.name for sample in samples),
        contents=tuple(digest.decode() for digest in traits["content"].tolist()),
        origins=tuple(sample.origin for sample in samples),
        traits=traits,
        parts=np.array([PARTS.index(sample.part) if sample.part else -1 for sample in samples], np.int8),
        near=joined(len(samples), groups, exact, links.near),
        exact=joined(len(samples), groups, exact),
        left_out=tuple(surveyed.problems()),
        first_frame=surveyed.source.first_frame,
        bit_depth=surveyed.source.bit_depth,
        turned=tuple(links.turned.tolist()),
    )
    return _with_digest(data, sorted(_digest_of_bad(sample) for sample, _ in surveyed.bad))


def _order(item: tuple[Sample, np.void]) -> tuple[bytes, int, str, str]:
    """Return what samples are sorted by; names decide only between those that are alike in everything else."""
    sample, traits = item
    return bytes(traits["content"]), sample.label, sample.part, sample.name


def _with_digest(data: Listing, left_out: Sequence[str]) -> Listing:
    """Return the listing with its digest. left_out: digests of the files that are left out, sorted."""
    left_out = [*left_out, *([] if _is_full(data.bit_depth) else [f"bit_depth={data.bit_depth}"])]
    digest = listing_digest(data, data.contents, left_out)
    return replace(data, digest=digest, unusable=tuple(left_out))


def _is_full(bit_depth: int | None) -> bool:
    """Return whether all 16 bits are used: said or not, the pixels are the same."""
    return bit_depth in (None, FULL_DEPTH)


def listing_digest(data: Splittable, contents: Sequence[str], unusable: Sequence[str]) -> str:
    """Return what stands for all that is in the data: 16 hexadecimal digits.

    contents: the digest of each sample's content. unusable: those of the files that were left out, sorted.
    """
    numbers = [column.tolist() for column in (data.labels, data.parts, data.near, data.exact)]
    content = json.dumps([len(data.classes), contents, *numbers, unusable])
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _first(whole: Listing, source: Subset) -> Listing:
    """Return the first samples of each class in each part; where there are fewer, all of them."""
    strata = sorted(set(zip(whole.labels.tolist(), whole.parts.tolist(), strict=True)))
    members = [np.flatnonzero((whole.labels == label) & (whole.parts == part)) for label, part in strata]
    kept = np.sort(np.concatenate([rows[: source.per_class] for rows in members]))
    near, exact = (np.unique(groups[kept], return_inverse=True)[1] for groups in (whole.near, whole.exact))
    data = replace(
        whole,
        source=describe(source),
        labels=whole.labels[kept],
        names=tuple(whole.names[row] for row in kept),
        contents=tuple(whole.contents[row] for row in kept),
        origins=tuple(whole.origins[row] for row in kept),
        traits=whole.traits[kept],
        parts=whole.parts[kept],
        near=near.astype(np.int64),
        exact=exact.astype(np.int64),
        turned=(),
    )
    return _with_digest(data, ())


def _refuse_small(surveyed: Survey) -> None:
    where, classes = describe(surveyed.source), surveyed.classes
    if len(classes) < 2:
        raise DataError(f"{where} has one class, {classes[0]!r}; there must be two or more to tell apart")
    empty = sorted(set(range(len(classes))) - {sample.label for sample, _ in surveyed.good})
    usable = " that can be used" if surveyed.bad else ""
    if empty:
        problems = [Problem(f"class {label} ({classes[label]}) has no image{usable}", where) for label in empty]
        raise DataError(capped(problems))


def _remembered_links(cache_root: Path, traits: NDArray[np.void], labels: Rows) -> Links:
    """Return `near_links`, kept in a file that is named after the hashes and the classes."""
    name = digest_of(traits["hash"].tobytes() + traits["hashed"].tobytes() + labels.tobytes())
    path = cache_root / "traits" / f"{name}-{NEAR}-{TURNED}.npz"
    try:
        with undamaged():
            return Links(*_remembered(path, *Links._fields))
    except (FileNotFoundError, Damaged):  # they can be computed again
        links = near_links(traits, labels)
        _remember(path, **links._asdict())
        return links


def _digest_of_bad(sample: Sample) -> str:
    """Return what a file that cannot be used is known by: its content, or its name where that cannot be read either.

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
