"""Splits: which photographs are trained on, looked at during training, and tested on.

Stratified: each class gives each part its share, to within one image. Whole: what belongs together goes to one part.
The order of the samples is that of their content (`ablation.data.contents`), so a split depends on neither file names
nor a list. Numbers in, row numbers out; nothing is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError, Problem
from ablation.core.seeds import stream
from ablation.core.text import counted
from ablation.core.values import Count, Range, Whole, value
from ablation.data.groups import Rows, several

Share = Annotated[float, Range(above=0, below=1)]
Size = Count | Share

Together = Literal["near", "exact", "nothing"]
"""What is kept on one side: near-duplicates (exact copies among them), exact copies, or nothing. What the data says
belongs together is kept with either of the first two."""

ALWAYS_THE_SAME = "each seed would be trained on the same ones; use Fixed(...), or a smaller train"

ONE_EACH = "each class needs at least {}, one for each {}: add photographs, or leave the class out"


class Parts(NamedTuple):
    """Sample indices of each part, ascending."""

    train: Rows
    val: Rows
    test: Rows

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over the rows of each part."""
        digest = hashlib.blake2b(digest_size=8)
        for part in self:
            digest.update(len(part).to_bytes(8, "little") + part.astype("<i8").tobytes())
        return digest.hexdigest()


class Splittable(Protocol):
    """What a split looks at: N samples, as `Listing` and `Dataset` hold them."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> Rows: ...
    @property
    def parts(self) -> NDArray[np.int8]:
        """(N,) index in `Parts` of the part that the data itself gives, or -1."""

    @property
    def near(self) -> Rows:
        """(N,) the number of each sample's group of near-duplicates."""

    @property
    def exact(self) -> Rows:
        """(N,) the number of each sample's group of exact copies."""


@value
class Fixed:
    """One split for all runs. A part is a share (0.6) or a number of images (200, over all classes together).

    What the three parts leave over is not used. Each class gives its share of a number rounded to whole images, so a
    part has a few more or fewer: 200 of 12 equal classes are 204 or 192.

    together: what stays on one side (see `Together`).

    >>> Fixed(train=100, val=100, test=700)
    Fixed(train=100, val=100, test=700, seed=0, together='near')
    >>> Fixed(train=0.7, val=0.2, test=0.2)
    Traceback (most recent call last):
    ablation.core.errors.InputError: Fixed: the shares of train, val and test add up to 1.1; they may not pass 1
    """

    train: Size = 0.6
    val: Size = 0.2
    test: Size = 0.2
    seed: Whole = 0
    together: Together = "near"
    redraws_training: ClassVar[bool] = False
    redraws_test: ClassVar[bool] = False
    runs_per_draw: ClassVar[int] = 1

    def check(self) -> Iterator[str]:
        yield from _check_shares(self)

    def drawn_from(self, seed: int) -> int:
        """Return the number that the split is drawn from, for a run with this seed."""
        return self.seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """Return the parts; the run's `seed` does not matter. Raises DataError if a part would lack a class."""
        return _stratified(data, (self.train, self.val, self.test), self.seed, self.together)

    def smoke(self) -> Fixed:
        """Return the same for ten images of each class."""
        return Fixed(0.5, 0.2, 0.3, self.seed, self.together)


@value
class Redrawn:
    """One test part and one validation part for all runs; the training part is redrawn for each seed from the rest.

    All runs of a seed share its training part, so recipes are compared in pairs, and a verdict holds for other training
    photographs of that number, not for one choice of them. Training parts of different seeds share no photograph while
    there are enough: the rest is dealt into as many parts as it has. Later seeds draw theirs from the rest each by
    itself, and `overlap` says how much the parts have in common, which the test allows for. By default five parts have
    nothing in common, each of 13 % of the data: to train on more takes more data, or a verdict about one split
    (`Fixed`).

    train, val, test, together: as in `Fixed`. seed: of the deal. runs_per_draw: how many seeds in a row are trained on
    one training part; with 2 or more the report can tell what the seed does from what the choice of photographs does.

    >>> split = Redrawn(train=100, val=100, test=700)
    >>> split.overlap(1797, draws=range(9), trained=100)  # 997 photographs are enough for nine parts of 100
    0.0
    """

    train: Size = 0.13
    val: Size = 0.1
    test: Size = 0.25
    runs_per_draw: Count = 1
    seed: Whole = 0
    together: Together = "near"
    redraws_training: ClassVar[bool] = True
    redraws_test: ClassVar[bool] = False

    def check(self) -> Iterator[str]:
        yield from _check_shares(self)
        shares = [part for part in (self.train, self.val, self.test) if isinstance(part, float)]
        if len(shares) == 3 and abs(sum(shares) - 1) < 1e-9:
            yield f"train, val and test take every image: {ALWAYS_THE_SAME}"

    def drawn_from(self, seed: int) -> int:
        """Return the number of the training part: seeds that share it are trained on the same photographs."""
        return seed // self.runs_per_draw

    def draw(self, data: Splittable, seed: int) -> Parts:
        """Return the parts for this run's `seed`. Raises DataError if a part would lack a class."""
        total, groups = len(data.labels), groups_of(data, self.together)
        held_out, (share, blocks) = (_share(self.val, total), _share(self.test, total)), self._blocks(total)
        pool, val, test = _stratified(data, (1.0 - sum(held_out), *held_out), self.seed, self.together)
        number, labels = self.drawn_from(seed), data.labels[pool]
        if number < blocks:
            train = deal(labels, groups[pool], [share] * blocks, self.seed, "training parts")[number]
        else:
            train = deal(labels, groups[pool], [share], self.seed, "training part", number)[0]
        return _refuse_empty(data, Parts(pool[train], val, test), groups)

    def overlap(self, total: int, draws: Sequence[int], trained: float) -> float:
        """Return rho / (1 - rho), rho the mean share of photographs that two draws have in common to train on.

        total: images of the data. trained: images of each training part, which `TrainSize` may have made smaller.
        0 where they share none; infinite where all are trained on the same ones.
        """
        _, blocks = self._blocks(total)
        pairs = [max(one, other) >= blocks for index, one in enumerate(draws) for other in draws[:index]]
        pool = total * (1 - _share(self.val, total) - _share(self.test, total))
        rho = min(1.0, trained / pool) * float(np.mean(pairs)) if pairs else 0.0
        return rho / (1 - rho) if rho < 1 else float("inf")

    def _blocks(self, total: int) -> tuple[float, int]:
        """Return the training part's share of what is not held out, and how many such parts there are."""
        wanted = _share(self.train, total)
        rest = max(0.0, 1 - _share(self.val, total) - _share(self.test, total))
        if wanted > rest + 1e-9:
            raise DataError(
                f"the split asks for {wanted * total:.0f} images to train on, and {rest * total:.0f} are left"
            )
        if wanted > rest - 1e-9:
            raise DataError(f"the split trains on all {rest * total:.0f} images that are left: {ALWAYS_THE_SAME}")
        blocks = int(rest / wanted + 1e-9)
        return min(wanted / rest, 1 / blocks), blocks

    def smoke(self) -> Redrawn:
        return Redrawn(0.25, 0.2, 0.3, self.runs_per_draw, self.seed, self.together)


@value
class PerSeed:
    """All parts are redrawn for each seed, the test part too; all runs of a seed share them. Fields as in `Fixed`.

    `Redrawn` keeps the test part and is the better tool where little is trained on: the correction that shared
    photographs take here grows with n_test / n_train (see `ablation.analysis.comparison.CorrectedResampled`).

    >>> PerSeed(train=0.5).drawn_from(seed=3)
    3
    """

    train: Size = 0.6
    val: Size = 0.2
    test: Size = 0.2
    together: Together = "near"
    redraws_training: ClassVar[bool] = True
    redraws_test: ClassVar[bool] = True
    runs_per_draw: ClassVar[int] = 1

    def check(self) -> Iterator[str]:
        yield from _check_shares(self)

    def drawn_from(self, seed: int) -> int:
        return seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """Return the parts for this run's `seed`. Raises DataError if a part would lack a class."""
        return _stratified(data, (self.train, self.val, self.test), seed, self.together)

    def smoke(self) -> PerSeed:
        return PerSeed(0.5, 0.2, 0.3, self.together)


@value
class KFold:
    """k-fold cross-validation: seed s tests on fold s % k, and every k seeds the folds are dealt anew.

    So `seeds=k` tests every image once, `seeds=2 * k` twice. val: the share of all images that is taken from the other
    folds to look at during training.

    >>> KFold(k=2, val=0.5)
    Traceback (most recent call last):
    ablation.core.errors.InputError: KFold: val = 0.5 leaves nothing to train on beside a test fold of 1/2
    """

    k: Annotated[int, Range(low=2)] = 5
    val: Share = 0.1
    together: Together = "near"
    redraws_training: ClassVar[bool] = True
    redraws_test: ClassVar[bool] = True
    runs_per_draw: ClassVar[int] = 1

    def check(self) -> Iterator[str]:
        if self.val >= 1 - 1 / self.k:
            yield f"val = {self.val:g} leaves nothing to train on beside a test fold of 1/{self.k}"

    def drawn_from(self, seed: int) -> int:
        return seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """Return the parts for this run's `seed`. Raises DataError if a part would lack a class."""
        turn, fold = divmod(seed, self.k)
        groups = groups_of(data, self.together)
        *folds, _ = deal(data.labels, groups, [1 / self.k] * self.k, turn, "fold")
        rest = np.sort(np.concatenate([rows for index, rows in enumerate(folds) if index != fold]))
        share = self.val * len(data.labels) / len(rest)
        val, train = deal(data.labels[rest], groups[rest], [share], turn, "val", fold)
        return _refuse_empty(data, Parts(rest[train], rest[val], folds[fold]), groups, (self.k, "fold"))

    def smoke(self) -> KFold:
        return KFold(min(self.k, 3), 0.2, self.together)


@value
class Given:
    """The data's own parts (train, val and test folders, or the `split` column of a table); nothing is dealt.

    val: the share of the training part that is looked at during training, where the data has no part for that; it is
    drawn from `seed`. duplicates: what to do about photographs that belong together with one in another part, as near-
    duplicates or as the data says. "refuse": name them and stop; "drop": leave them out of training (and, of val and
    test, out of val); "keep": nothing. test: the part that is tested on. "val" is for data that comes as train and
    val alone, as ImageNet does: what is looked at during training is then drawn from train, so that what is tested
    chooses nothing.

    >>> Given(duplicates="drop")
    Given(val=0.1, seed=0, duplicates='drop', test='test')
    """

    val: Share = 0.1
    seed: Whole = 0
    duplicates: Literal["refuse", "drop", "keep"] = "refuse"
    test: Literal["test", "val"] = "test"
    ADDED: ClassVar[tuple[str, ...]] = ("test",)
    redraws_training: ClassVar[bool] = False
    redraws_test: ClassVar[bool] = False
    runs_per_draw: ClassVar[int] = 1

    def drawn_from(self, seed: int) -> int:
        return self.seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """Return the parts; the run's `seed` does not matter. Raises DataError where there are none, or they leak."""
        parts = Parts(*(np.flatnonzero(data.parts == index) for index in range(3)))
        if self.test == "val":
            if len(parts.test):
                raise DataError(
                    'Given(test="val") is for data without a test part, and this data has one: Given() tests on it'
                )
            parts = Parts(parts.train, parts.test, parts.val)
        for name, rows in (("train", parts.train), (self.test, parts.test)):
            if len(rows) == 0:
                raise DataError(self._missing(name, data))
        if len(parts.val) == 0:
            val, train = deal(data.labels[parts.train], data.near[parts.train], [self.val], self.seed, "val")
            parts = parts._replace(train=parts.train[train], val=parts.train[val])
        return _refuse_empty(data, self._without_leaks(data, parts))

    def _missing(self, name: str, data: Splittable) -> str:
        """Return what is said of data without this part."""
        lacks = f"Given() takes the data's own parts, and this data has no {name} part"
        if set(data.parts.tolist()) >= {0, 1} and name == "test":
            return f'{lacks}; Given(test="val") tests on its val part, and validates on some of train'
        return f"{lacks}; have the folders train and test, or a table with a `split` column, or use Fixed(...)"

    def _without_leaks(self, data: Splittable, parts: Parts) -> Parts:
        if self.duplicates == "keep":
            return parts
        val = parts.val[~np.isin(data.near[parts.val], data.near[parts.test])]
        kept_apart = np.concatenate([data.near[parts.val], data.near[parts.test]])
        train = parts.train[~np.isin(data.near[parts.train], kept_apart)]
        leaking = np.setdiff1d(np.concatenate([parts.train, parts.val]), np.concatenate([train, val]))
        if len(leaking) and self.duplicates == "refuse":
            shown = ", ".join(repr(data.names[row]) for row in leaking[:3])
            test = 'test="val", ' * (self.test == "val")
            raise DataError(
                f"{counted(len(leaking), 'photograph')} of train or val belong together with one in "
                f"another part ({shown}{', ...' if len(leaking) > 3 else ''}), as near-duplicates or as the data says; "
                "`ablation check` shows them. "
                f'Given({test}duplicates="drop") leaves them out of training, "keep" accepts them'
            )
        return Parts(train, val, parts.test)

    def smoke(self) -> Given:
        return Given(0.2, self.seed, self.duplicates, self.test)


def own_parts(data: Splittable) -> Given | None:
    """Return the split that keeps the data's own parts; None where they make none.

    What is in several parts is dropped from training, if there is such. None also where a part would lack a class.
    """
    there = set(data.parts.tolist())
    if not there & {1, 2} or 0 not in there:
        return None
    own = Given() if 2 in there else Given(test="val")
    for split in (own, replace(own, duplicates="drop")):
        try:
            split.draw(data, 0)
        except DataError:
            continue
        return split
    return None


Split = Redrawn | Fixed | PerSeed | KFold | Given


@value
class TrainSize:
    """Train on fewer photographs: a number of images of each class, or a share of each class's training images.

    Smaller sizes are contained in larger ones, and val and test stay as they are. Which images are kept is drawn with
    the split: one choice for all runs where the split is fixed, another for each seed where it is redrawn.

    >>> vary = {"train_size": {"10": TrainSize(10), "a tenth": TrainSize(0.1), "all": None}}  # of an Experiment
    """

    per_class: Count | Annotated[float, Range(above=0, high=1)]

    def kept(self, data: Splittable, train: Rows, seed: int) -> Rows:
        """Return those of the rows `train` that stay, ascending. Raises DataError naming classes that have too few."""
        kept, problems = [], []
        for label, name in enumerate(data.classes):
            members = train[data.labels[train] == label]
            share = isinstance(self.per_class, float)
            wanted = int(self.per_class * len(members) + 0.5) if share else int(self.per_class)
            if not 0 < wanted <= len(members):
                problems.append(
                    Problem(
                        f"train_size = {self.per_class} takes {wanted} images of each class, and class {label} "
                        f"({name}) has {len(members)} to train on"
                    )
                )
            kept.append(stream(seed, "train size", label).permutation(members)[:wanted])
        if problems:
            raise DataError(problems)
        return np.sort(np.concatenate(kept))


# --- dealing


def deal(labels: Rows, groups: Rows, shares: Sequence[float], seed: int, *name: str | int) -> list[Rows]:
    """Deal samples to parts; return the rows of each part, ascending, and last of all the rows that no part gets.

    labels: (N,) class of each sample. groups: (N,); samples with the same number go to one part. shares: of each class,
    for each part, adding up to at most 1. seed, name: of the random stream.

    Each class gives each part its share, rounded up or down to whole images, however the groups fall, as long as one of
    the parts has room for each group when its turn comes (those that span classes first, then the largest). A class
    with (parts + 1) x (largest group - 1) images of no group always allows that, if none of its groups spans classes,
    or if a single part has room for all groups that do. A group without room goes to a part that has nothing of its
    class yet, else where most is left, and the others get less.
    """
    classes = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    shuffled = [stream(seed, *(name or ("split",)), label).permutation(rows) for label, rows in enumerate(classes)]
    quotas = np.array([_quotas(len(rows), shares) for rows in classes])
    room = quotas.copy()
    part = np.full(len(labels), -1)
    in_turn = sorted(several(groups), key=lambda rows: (np.ptp(labels[rows]) == 0, -len(rows), rows[0]))
    for rows in in_turn:
        part[rows] = chosen = _part_for(rows, labels, shuffled, quotas, room)
        np.subtract.at(room[:, chosen], labels[rows], 1)
    for label, rows in enumerate(shuffled):
        single = rows[part[rows] < 0]
        part[single] = np.repeat(np.arange(len(shares) + 1), _fitting(room[label], len(single)))
    return [np.flatnonzero(part == index) for index in range(len(shares) + 1)]


def _quotas(size: int, shares: Sequence[float]) -> Rows:
    """Return (parts + 1,): how many of `size` images each part gets, and how many none."""
    ends = np.floor(np.cumsum(shares) * size + 0.5 + 1e-9).astype(np.int64)
    return np.diff([0, *ends, size])


def _part_for(rows: Rows, labels: Rows, shuffled: Sequence[Rows], quotas: Rows, room: Rows) -> int:
    """Return a group's part: that of its first sample, dealt alone, if it has room for all, else where most is left."""
    label = labels[rows[0]]
    needed = np.bincount(labels[rows], minlength=len(room))
    spare = (room - needed[:, None])[needed > 0].min(axis=0)
    position = int(np.flatnonzero(shuffled[label] == rows[0])[0])
    natural = int(np.searchsorted(np.cumsum(quotas[label]), position, side="right"))
    if spare[natural] >= 0:
        return natural
    if spare.max() >= 0:
        return int(spare.argmax())
    has_none = quotas[label] == room[label]
    return max(range(len(spare) - 1), key=lambda part: (has_none[part], spare[part]))


def _fitting(room: Rows, count: int) -> Rows:
    """Return the room of one class for `count` images; what groups took beyond it comes off the largest."""
    left = np.maximum(room, 0)
    while left.sum() > count:
        left[left.argmax()] -= 1
    return left


def _share(size: Size, total: int) -> float:
    """Return a part's share of all images."""
    return size if isinstance(size, float) else size / total


def _check_shares(split: Any) -> Iterator[str]:
    shares = [part for part in (split.train, split.val, split.test) if isinstance(part, float)]
    if sum(shares) > 1 + 1e-9:
        yield f"the shares of train, val and test add up to {sum(shares):g}; they may not pass 1"


def groups_of(data: Splittable, together: Together) -> Rows:
    """Return (N,) group numbers: samples with the same number may not be parted."""
    if together == "nothing":
        return np.arange(len(data.labels))
    return data.near if together == "near" else data.exact


def _stratified(
    data: Splittable, sizes: tuple[int | float, int | float, int | float], seed: int, together: Together = "near"
) -> Parts:
    """Deal each class, shuffled, to train, val and test; groups stay whole.

    sizes: a share of the images, or a number of images, for each part. Raises DataError if a part would be without an
    image of a class.
    """
    total = len(data.labels)
    shares = [_share(size, total) for size in sizes]
    if sum(shares) > 1 + 1e-9:
        raise DataError(f"the split asks for {sum(shares) * total:.0f} images, the data has {total}")
    groups = groups_of(data, together)
    train, val, test, _ = deal(data.labels, groups, shares, seed)
    return _refuse_empty(data, Parts(train, val, test), groups)


def _refuse_empty(
    data: Splittable, parts: Parts, groups: Rows | None = None, needs: tuple[int, str] = (len(Parts._fields), "part")
) -> Parts:
    """Return the parts; raise DataError with a problem for each that lacks a class, naming five of its classes.

    groups: what was kept whole. needs: how many of these each class must have, and for what each of them is.
    """
    problems = []
    for part, rows in zip(Parts._fields, parts, strict=True):
        lacking = np.flatnonzero(np.bincount(data.labels[rows], minlength=len(data.classes)) == 0)
        if len(lacking):
            shown = [_images_of(data, label, groups, needs[0]) for label in lacking[:5].tolist()]
            more = f", and {len(lacking) - len(shown)} more" if len(lacking) > len(shown) else ""
            few = all(_whole(data, label, groups) < needs[0] for label in lacking.tolist())
            problems.append(
                Problem(
                    f"the split leaves the {part} part without an image of "
                    f"{counted(len(lacking), 'class', 'classes')} ({', '.join(shown)}{more}); "
                    + (ONE_EACH.format(*needs) if few else "give each class more images, or the part a larger share")
                )
            )
    if problems:
        raise DataError(problems)
    return parts


def _images_of(data: Splittable, label: int, groups: Rows | None, needed: int) -> str:
    """Return how many images a class has, and in how many groups where these are what there is too little of."""
    images, whole = int((data.labels == label).sum()), _whole(data, label, groups)
    belong = f" in {counted(whole, 'group')} that stay{'s' * (whole == 1)} whole" if whole < min(needed, images) else ""
    return f"class {label} ({data.classes[label]}) has {images}{belong}"


def _whole(data: Splittable, label: int, groups: Rows | None) -> int:
    """Return how many images of a class can be in different parts: one of each group that is kept whole."""
    rows = np.flatnonzero(data.labels == label)
    return len(rows) if groups is None else len(np.unique(groups[rows]))
