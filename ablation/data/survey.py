"""Survey: the traits of every sample, measured once and remembered, by path, size and times.

A file whose size and times (to the nanosecond) stand is not opened again. What cannot be used is not remembered: a
newer Pillow may read it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ablation.core.files import Damaged, atomic, undamaged
from ablation.data.files import Origin, Sample
from ablation.data.readers import Progress, read_all
from ablation.data.traits import TRAITS, traits_of_array

_WRITTEN_EVERY = 30.0  # seconds: what was read is not lost to a kill

VERSION = 1
"""Raised when the same file would give other traits."""


def survey(
    samples: Sequence[Sample], first_frame: bool, index: Path, progress: Progress | None = None, full: bool = False
) -> list[np.void | str]:
    """The traits of each sample, or why it cannot be used. What is known lies in the file `index`.

    full: measure everything again. progress is called with (done, all) of what has to be measured.
    """
    states = [_state(sample, first_frame) for sample in samples]
    known = {} if full else _read(index)
    missing = [place for place, state in enumerate(states) if state not in known]
    found: dict[int, np.void | str] = {}
    written = time.monotonic()
    try:
        with closing(_measured([samples[place].origin for place in missing], first_frame, progress)) as measured:
            for place, traits in zip(missing, measured, strict=True):
                found[place] = traits
                if states[place] and not isinstance(traits, str):
                    known[states[place]] = traits
                if time.monotonic() - written > _WRITTEN_EVERY:
                    _write(index, known)
                    written = time.monotonic()
    finally:
        if not all(isinstance(traits, str) for traits in found.values()):
            _write(index, known)
    return [found[place] if place in found else known[state] for place, state in enumerate(states)]


def _measured(
    origins: Sequence[Origin], first_frame: bool, progress: Progress | None
) -> Generator[np.void | str, None, None]:
    """Files by all cores; what is in memory here and now."""
    paths = [origin for origin in origins if isinstance(origin, Path)]
    with closing(read_all(paths, first_frame, progress)) as of_file:
        for place, origin in enumerate(origins):
            yield next(of_file) if isinstance(origin, Path) else traits_of_array(origin())
            if progress and not paths:
                progress(place + 1, len(origins))


def _state(sample: Sample, first_frame: bool) -> bytes:
    """What a sample is remembered by: a hash of its digest, or of its file's real path, size and times.

    The time of change is held against it too, since a copy may bring an old time of modification with it.
    """
    if not isinstance(sample.origin, Path):
        told = sample.digest.encode()
    else:
        try:
            file = sample.origin.stat()
        except OSError:  # a link to nowhere, or a file that went away: reading it tells
            return b""
        times = f"{file.st_size} {file.st_mtime_ns} {file.st_ctime_ns} {first_frame}"
        told = os.fsencode(os.path.realpath(sample.origin)) + b"\0" + times.encode()
    return blake2b(told, digest_size=16, key=b"%d" % VERSION).hexdigest().encode()


def _read(index: Path) -> dict[bytes, np.void]:
    """What was remembered; nothing if that is damaged or of another version, as it can be found anew."""
    try:
        with undamaged(), open(index, "rb") as opened, np.load(opened) as file:
            states, traits = file["states"], file["traits"]
            return dict(zip(states.tolist(), traits, strict=True)) if traits.dtype == TRAITS else {}
    except (FileNotFoundError, Damaged):
        return {}


def _write(index: Path, known: dict[bytes, np.void]) -> None:
    states = np.array(list(known), "S32")
    traits: NDArray[np.void] = np.array(list(known.values()), TRAITS)
    with atomic(index) as file:
        np.savez(file, states=states, traits=traits)
