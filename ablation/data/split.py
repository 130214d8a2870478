"""Splits: which photographs are trained on, looked at during training, and tested on.

Each class gives each part its share, and what belongs together goes to one part (`ablation.data.parts`). The order of
the samples is that of their content (`ablation.data.contents`), so a split depends on neither file names nor a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np

from ablation.core.errors import DataError, Problem
from ablation.core.seeds import stream
from ablation.core.values import Count, Range, Whole, value
from ablation.data.deal import deal
from ablation.data.parts import (
    Parts,
    Rows,
    Share,
    Size,
    Splittable,
    Together,
    check_shares,
    groups_of,
    refuse_empty,
    share_of,
    stratified,
)

ALWAYS_THE_SAME = "each seed would be trained on the same ones; use Fixed(...), or a smaller train"


@value
class Fixed:
    """One split for all runs. A part is a share (0.6) or a number of images (200, over all classes together).

    What the three parts leave over is not used. Each class gives its share of a number rounded to whole images, so a
    part has a few more or fewer: 200 of 12 equal classes are 204 or 192.

    together: what stays on one side (see `Together`).
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
        yield from check_shares(self)

    def drawn_from(self, seed: int) -> int:
        """The number that the split is drawn from, for a run with this seed."""
        return self.seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """The parts; the run's `seed` does not matter. Raises DataError if a part would lack a class."""
        return stratified(data, (self.train, self.val, self.test), self.seed, self.together)

    def smoke(self) -> Fixed:
        """The same for ten images of each class."""
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
        yield from check_shares(self)
        shares = [part for part in (self.train, self.val, self.test) if isinstance(part, float)]
        if len(shares) == 3 and abs(sum(shares) - 1) < 1e-9:
            yield f"train, val and test take every image: {ALWAYS_THE_SAME}"

    def drawn_from(self, seed: int) -> int:
        """The number of the training part: seeds that have it in common are trained on the same photographs."""
        return seed // self.runs_per_draw

    def draw(self, data: Splittable, seed: int) -> Parts:
        """The parts for this run's `seed`. Raises DataError if a part would lack a class."""
        total, groups = len(data.labels), groups_of(data, self.together)
        held_out, (share, blocks) = (share_of(self.val, total), share_of(self.test, total)), self._blocks(total)
        pool, val, test = stratified(data, (1.0 - sum(held_out), *held_out), self.seed, self.together)
        number = self.drawn_from(seed)
        if number < blocks:
            train = deal(data.labels[pool], groups[pool], [share] * blocks, self.seed, "training parts")[number]
        else:
            train = deal(data.labels[pool], groups[pool], [share], self.seed, "training part", number)[0]
        return refuse_empty(data, Parts(pool[train], val, test), groups)

    def overlap(self, total: int, draws: Sequence[int], trained: float) -> float:
        """rho / (1 - rho), rho the mean share of photographs that the training parts of two draws have in common.

        total: images of the data. trained: images of each training part, which `TrainSize` may have made smaller.
        0 where they share none; infinite where all are trained on the same ones.
        """
        _, blocks = self._blocks(total)
        pairs = [max(one, other) >= blocks for place, one in enumerate(draws) for other in draws[:place]]
        pool = total * (1 - share_of(self.val, total) - share_of(self.test, total))
        rho = min(1.0, trained / pool) * float(np.mean(pairs)) if pairs else 0.0
        return rho / (1 - rho) if rho < 1 else float("inf")

    def _blocks(self, total: int) -> tuple[float, int]:
        """The training part's share of what is neither validated nor tested on, and how many such parts there are."""
        wanted = share_of(self.train, total)
        rest = max(0.0, 1 - share_of(self.val, total) - share_of(self.test, total))
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
    """

    train: Size = 0.6
    val: Size = 0.2
    test: Size = 0.2
    together: Together = "near"
    redraws_training: ClassVar[bool] = True
    redraws_test: ClassVar[bool] = True
    runs_per_draw: ClassVar[int] = 1

    def check(self) -> Iterator[str]:
        yield from check_shares(self)

    def drawn_from(self, seed: int) -> int:
        return seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """The parts for this run's `seed`. Raises DataError if a part would lack a class."""
        return stratified(data, (self.train, self.val, self.test), seed, self.together)

    def smoke(self) -> PerSeed:
        return PerSeed(0.5, 0.2, 0.3, self.together)


@value
class KFold:
    """k-fold cross-validation: seed s tests on fold s % k, and every k seeds the folds are dealt anew.

    So `seeds=k` tests every image once, `seeds=2 * k` twice. val: the share of all images that is taken from the other
    folds to look at during training.
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
        """The parts for this run's `seed`. Raises DataError if a part would lack a class."""
        turn, fold = divmod(seed, self.k)
        groups = groups_of(data, self.together)
        *folds, _ = deal(data.labels, groups, [1 / self.k] * self.k, turn, "fold")
        rest = np.sort(np.concatenate([rows for place, rows in enumerate(folds) if place != fold]))
        share = self.val * len(data.labels) / len(rest)
        val, train = deal(data.labels[rest], groups[rest], [share], turn, "val", fold)
        return refuse_empty(data, Parts(rest[train], rest[val], folds[fold]), groups)

    def smoke(self) -> KFold:
        return KFold(min(self.k, 3), 0.2, self.together)


@value
class Given:
    """The data's own parts (train, val and test folders, or the `split` column of a table); nothing is dealt.

    val: the share of the training part that is looked at during training, where the data has no part for that; it is
    drawn from `seed`. duplicates: what to do about photographs that belong together with one in another part, as near-
    duplicates or as the data says. "refuse": tell them and stop; "drop": leave them out of training (and, of val and
    test, out of val); "keep": nothing.
    """

    val: Share = 0.1
    seed: Whole = 0
    duplicates: Literal["refuse", "drop", "keep"] = "refuse"
    redraws_training: ClassVar[bool] = False
    redraws_test: ClassVar[bool] = False
    runs_per_draw: ClassVar[int] = 1

    def drawn_from(self, seed: int) -> int:
        return self.seed

    def draw(self, data: Splittable, seed: int) -> Parts:
        """The parts; the run's `seed` does not matter. Raises DataError where the data has none, or they leak."""
        parts = Parts(*(np.flatnonzero(data.parts == place) for place in range(3)))
        for name, rows in (("train", parts.train), ("test", parts.test)):
            if len(rows) == 0:
                raise DataError(
                    f"Given() takes the data's own parts, and this data has no {name} part; have the folders train and "
                    "test, or a table with a `split` column, or use Fixed(...)"
                )
        if len(parts.val) == 0:
            val, train = deal(data.labels[parts.train], data.near[parts.train], [self.val], self.seed, "val")
            parts = parts._replace(train=parts.train[train], val=parts.train[val])
        return refuse_empty(data, self._without_leaks(data, parts))

    def _without_leaks(self, data: Splittable, parts: Parts) -> Parts:
        if self.duplicates == "keep":
            return parts
        val = parts.val[~np.isin(data.near[parts.val], data.near[parts.test])]
        kept_apart = np.concatenate([data.near[parts.val], data.near[parts.test]])
        train = parts.train[~np.isin(data.near[parts.train], kept_apart)]
        leaking = np.setdiff1d(np.concatenate([parts.train, parts.val]), np.concatenate([train, val]))
        if len(leaking) and self.duplicates == "refuse":
            shown = ", ".join(repr(data.names[row]) for row in leaking[:3])
            raise DataError(
                f"{len(leaking)} photograph{'s' * (len(leaking) > 1)} of train or val belong together with one in "
                f"another part ({shown}{', ...' if len(leaking) > 3 else ''}), as near-duplicates or as the data says; "
                "`ablation check` shows them. "
                'Given(duplicates="drop") leaves them out of training, "keep" accepts them'
            )
        return Parts(train, val, parts.test)

    def smoke(self) -> Given:
        return Given(0.2, self.seed, self.duplicates)


Split = Redrawn | Fixed | PerSeed | KFold | Given


@value
class TrainSize:
    """Train on fewer photographs: a number of images of each class, or a share of each class's training images.

    Smaller sizes are contained in larger ones, and val and test stay as they are. Which images are kept is drawn with
    the split: one choice for all runs where the split is fixed, another for each seed where it is redrawn.
    """

    per_class: Count | Annotated[float, Range(above=0, high=1)]

    def kept(self, data: Splittable, train: Rows, seed: int) -> Rows:
        """Those of the rows `train` that stay, ascending. Raises DataError naming classes that have too few."""
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
