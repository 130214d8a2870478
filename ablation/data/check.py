"""Check: what should be known of a data set before anything is trained on it. Computes; the words are elsewhere.

From the traits of every file (`ablation.data.traits`): what stops a run, what misleads, what to mind. numpy; no torch.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, Problem
from ablation.data.contents import Listing, listed, survey
from ablation.data.files import PARTS, passed_over
from ablation.data.groups import Rows, exact_pairs, joined, near_links, several
from ablation.data.readers import Progress
from ablation.data.sources import ImageFolder, SkipBad, Source, Subset
from ablation.data.split import Given, Redrawn, Split

SMALL_SIDE = 64
"""Pixels of the shorter side below which a photograph is called very small."""

EXTREME_RATIO = 3.0
"""Of the longer to the shorter side, from which on a photograph is called extreme."""

UNBALANCED = 1.5
"""Images of the largest class for one of the smallest, above which accuracy is no fair judge."""

OUTLYING = 3.5
"""Median absolute deviations (scaled to a normal's sd) from the median: the bound of Iglewicz and Hoaglin (1993)."""

FLAT = 4 / 255
"""Contrast below which a picture is called one of one colour."""

EMPTY, BUSY = 0.85, 0.5
"""How much of a picture is nearly of one brightness from which on it is called nearly empty, where of most others it is
less than the second. On 2,160 photographs of cats the most is 0.74, and half have less than 0.13; a page that says
"image not found" has more than 0.9."""

_ENDINGS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".pgm", ".ppm", ".pbm", ".pnm"), "PPM"),
    **{".png": "PNG", ".gif": "GIF", ".bmp": "BMP", ".webp": "WEBP"},
}

Across = Literal["parts", "classes", "nothing"]


@dataclass(frozen=True)
class Copies:
    """Photographs that show the same picture. rows: of the listing, ascending."""

    rows: tuple[int, ...]
    exact: bool
    """All have the same pixels; else some are near-duplicates."""
    across: Across
    """Whether they stand in different parts (train, val, test) of the data, else in different classes."""


@dataclass(frozen=True)
class Moments:
    """Of each channel (red, green, blue), in [0, 1], each photograph counting alike."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Variation:
    """How a quantity of the photographs varies between them: mean, standard deviation, and rows far from the median."""

    mean: float
    sd: float
    usual: tuple[float, float]
    """What lies between is not far from the median."""
    low: tuple[int, ...]
    """Rows below, the farthest first."""
    high: tuple[int, ...]

    @property
    def relative(self) -> float:
        """Standard deviation over mean: what a factor drawn for each photograph is to be compared with."""
        return self.sd / self.mean if self.mean else 0.0


@dataclass(frozen=True, eq=False)
class Check:
    """The check of a data set. `listing` is None where what can be used makes no data set; `stopped` says why."""

    source: Source
    named: int
    """Files that the source names, those that cannot be used included."""
    bad: tuple[Problem, ...]
    """Every file that cannot be used."""
    stopped: tuple[Problem, ...]
    listing: Listing | None
    split: Split = field(default_factory=Redrawn)
    """What the data is checked for: the experiment's, else `Given()` where the data has parts, else `Redrawn()`."""
    unsplit: tuple[Problem, ...] = ()
    """Why that split is refused, look-alikes in several parts apart."""
    copies: tuple[Copies, ...] = ()
    """Across parts first, then across classes, then within a class; larger ones first."""
    torn: tuple[tuple[int, ...], ...] = ()
    """Rows that the data says belong together, though they stand in different parts and show different pictures."""
    moments: Moments | None = None
    brightness: Variation | None = None
    contrast: Variation | None = None
    misnamed: tuple[int, ...] = ()
    rotated: tuple[int, ...] = ()
    grey: tuple[int, ...] = ()
    small: tuple[int, ...] = ()
    extreme: tuple[int, ...] = ()
    flat: tuple[int, ...] = ()
    """Rows with next to nothing in them: one colour, or nearly."""
    empty: tuple[int, ...] = ()
    """Rows that are nearly empty among others that are not, such as a placeholder; those of one colour apart."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """How often each name occurs in the folder that is no photograph's: hidden ones, and those that programs leave."""

    @property
    def counts(self) -> Rows:
        """(classes,) images of each class."""
        assert self.listing is not None
        return np.bincount(self.listing.labels, minlength=len(self.listing.classes))

    @property
    def part_counts(self) -> dict[str, Rows]:
        """The same for each part that the data itself has."""
        data = self.listing
        assert data is not None
        classes = len(data.classes)
        return {
            part: np.bincount(data.labels[data.parts == index], minlength=classes)
            for index, part in enumerate(PARTS)
            if (data.parts == index).any()
        }

    @property
    def imbalance(self) -> float:
        """Images of the largest class over those of the smallest."""
        return float(self.counts.max() / self.counts.min())

    @property
    def formats(self) -> dict[str, int]:
        """How many files have each format, by content; none where pixels come from memory."""
        assert self.listing is not None
        return _tally(self.listing.traits["format"])

    @property
    def modes(self) -> dict[str, int]:
        """How many files have each of Pillow's modes: RGB, L, P, ..."""
        assert self.listing is not None
        return _tally(self.listing.traits["mode"])


def check(
    source: Source,
    cache_root: Path,
    progress: Progress | None = None,
    full: bool = False,
    split: Split | None = None,
) -> Check:
    """Check everything that the source names. What is known already (by size and time) is not read again, but full.

    split: the one that an experiment declares, see `Check.split`. Raises DataError where names and labels alone are
    wrong (see the source); bad files are in the result.
    """
    surveyed = survey(source, cache_root, progress, full)
    named, bad = len(surveyed.good) + len(surveyed.bad), tuple(surveyed.problems())
    if not surveyed.good:
        return Check(source, named, bad, (Problem("no file can be used"),), None)
    try:
        data = listed(surveyed, cache_root)
    except DataError as error:
        return Check(source, named, bad, error.problems, None)
    traits = data.traits
    width, height = traits["width"], traits["height"]
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    copies = copies_of(data)
    split = split or (Given() if {0, 2} <= set(data.parts.tolist()) else Redrawn())
    return Check(
        source=source,
        named=named,
        bad=bad,
        stopped=(),
        listing=data,
        split=split,
        unsplit=_refused(data, split),
        copies=copies,
        torn=torn_of(data, copies),
        moments=moments_of(traits),
        brightness=variation_of(traits["brightness"]),
        contrast=variation_of(traits["contrast"]),
        misnamed=_rows(
            [wrong_ending(name, kind.decode()) for name, kind in zip(data.names, traits["format"], strict=True)]
        ),
        rotated=_rows(traits["orientation"] > 1),
        grey=_rows(traits["grey"]),
        small=_rows((shorter < SMALL_SIDE) & (traits["format"] != b"")),
        extreme=_rows(longer / shorter >= EXTREME_RATIO),
        flat=_rows(traits["contrast"] < FLAT),
        empty=_empty(traits),
        passed_over=_passed_over(source),
    )


def _empty(traits: NDArray[np.void]) -> tuple[int, ...]:
    plain = traits["plain"]
    return _rows((plain >= EMPTY) & (traits["contrast"] >= FLAT)) if np.median(plain) < BUSY else ()


def _passed_over(source: Source) -> dict[str, int]:
    inner = source.source if isinstance(source, SkipBad | Subset) else source
    return passed_over(inner.path) if isinstance(inner, ImageFolder) else {}


def _refused(data: Listing, split: Split) -> tuple[Problem, ...]:
    """Return why the split cannot be made of this data, however look-alikes in several parts are dealt with."""
    try:
        (replace(split, duplicates="drop") if isinstance(split, Given) else split).draw(data, 0)
    except DataError as error:
        return error.problems
    return ()


def copies_of(data: Listing) -> tuple[Copies, ...]:
    """Return the groups of photographs that show the same picture; what only the data says belongs together is none."""
    rank: dict[Across, int] = {"parts": 0, "classes": 1, "nothing": 2}
    copies = [_copies(data, alike) for rows in several(data.near) for alike in _alike(data, rows)]
    return tuple(sorted(copies, key=lambda group: (rank[group.across], -len(group.rows), group.rows)))


def torn_of(data: Listing, copies: tuple[Copies, ...]) -> tuple[tuple[int, ...], ...]:
    """Return what belongs together and stands in different parts, unless it is in `copies`; larger groups first."""
    copied = {data.near[group.rows[0]] for group in copies if group.across == "parts"}
    apart = [rows for rows in several(data.near) if len(set(data.parts[rows].tolist())) > 1]
    torn = [tuple(rows.tolist()) for rows in apart if data.near[rows[0]] not in copied]
    return tuple(sorted(torn, key=lambda rows: (-len(rows), rows)))


def _alike(data: Listing, rows: Rows) -> list[Rows]:
    """Return the rows of a group by what looks alike: the data may join several pictures to a group."""
    traits = data.traits[rows]
    return [
        rows[alike]
        for alike in several(joined(len(rows), exact_pairs(traits), near_links(traits, data.labels[rows]).near))
    ]


def _copies(data: Listing, alike: Rows) -> Copies:
    across: Across = "nothing"
    if len(set(data.labels[alike].tolist())) > 1:
        across = "classes"
    if len(set(data.parts[alike].tolist())) > 1:
        across = "parts"
    exact = len(set(data.traits["pixels"][alike].tolist())) == 1
    return Copies(tuple(alike.tolist()), exact, across)


def moments_of(traits: NDArray[np.void]) -> Moments:
    """Return mean and standard deviation of each channel over all pixels, each photograph weighing the same."""
    mean = traits["mean"].mean(axis=0)
    std = np.sqrt(np.maximum(traits["square"].mean(axis=0) - mean**2, 0))  # of one colour: a rounding below 0
    return Moments(tuple(mean.tolist()), tuple(std.tolist()))


def variation_of(values: NDArray[np.float64]) -> Variation:
    """Return mean, sd (of the sample), and the rows whose modified z-score passes `OUTLYING`, the farthest first.

    Source: Iglewicz and Hoaglin (1993), 0.6745 (x - median) / MAD. Where half of the values are equal nothing is far.
    """
    middle = float(np.median(values))
    spread = float(np.median(np.abs(values - middle)))
    reach = OUTLYING * spread / 0.6745 if spread else math.inf
    order = np.argsort(values, kind="stable")
    low = [row for row in order if values[row] < middle - reach]
    high = [row for row in order[::-1] if values[row] > middle + reach]
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    usual = (middle - reach, middle + reach)
    return Variation(float(values.mean()), sd, usual, tuple(map(int, low)), tuple(map(int, high)))


def wrong_ending(name: str, kind: str) -> bool:
    """Return whether a file's ending claims another format than `kind`, Pillow's name of that of its content."""
    claimed = _ENDINGS.get(Path(name).suffix.lower())
    return bool(kind) and claimed is not None and claimed != {"MPO": "JPEG"}.get(kind, kind)


def _rows(mask: object) -> tuple[int, ...]:
    return tuple(np.flatnonzero(np.asarray(mask)).tolist())


def _tally(names: NDArray[np.bytes_]) -> dict[str, int]:
    return dict(Counter(name.decode() for name in names.tolist() if name).most_common())
