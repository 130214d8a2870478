"""Splits of real files: neither their names nor their order matter, and no look-alikes are on two sides."""

import io
from collections.abc import Sequence
from functools import cache as remembered
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from piles import sides

from ablation.data import Fixed, ImageFolder, KFold, ListFile, Listing, PerSeed, Split, listing

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"

tenths = st.tuples(*[st.integers(1, 8)] * 3).filter(lambda parts: sum(parts) <= 10)
kinds = st.one_of(
    tenths.map(lambda parts: Fixed(*(part / 10 for part in parts))),
    tenths.map(lambda parts: PerSeed(*(part / 10 for part in parts))),
    st.builds(KFold, st.integers(2, 5), st.sampled_from((0.1, 0.2, 0.3))),
)


# --- independent of names and of order


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@remembered
def photographs() -> tuple[tuple[str, bytes], ...]:
    """The class and the content of 48 photographs; copies and near-duplicates are among them."""
    generator = np.random.Generator(np.random.Philox(5))
    blots = [Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)) for _ in range(40)]
    images = [image.resize((48, 48), Image.Resampling.BICUBIC) for image in blots]
    changed = [
        encoded(images[0]),
        encoded(images[2], "BMP"),
        encoded(images[4], "JPEG"),
        encoded(ImageOps.mirror(images[6])),
        encoded(ImageOps.mirror(images[6]), "JPEG"),
        encoded(ImageEnhance.Brightness(images[8]).enhance(0.8)),
    ]
    files = [(("calico", "tabby")[number % 2], encoded(image)) for number, image in enumerate(images)]
    files += [("calico", content) for content in changed]
    return (*files, ("calico", encoded(images[1])), ("tabby", encoded(images[1])))


def written(folder: Path, order: Sequence[int]) -> ImageFolder:
    """The photographs in folders; a photograph's name is its place in `order`."""
    for name, number in enumerate(order):
        label, content = photographs()[number]
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{name:02}.img").write_bytes(content)
    return ImageFolder(str(folder))


def contents(found: Listing, split: Split, seed: int) -> list[list[tuple[str, int]]]:
    """What is in each part."""
    parts = split.draw(found, seed)
    return [sorted((found.contents[row], int(found.labels[row])) for row in rows) for rows in parts]


CASES = [
    (Fixed(), 0), (Fixed(seed=3, together="nothing"), 0), (PerSeed(), 0), (PerSeed(together="exact"), 1), (KFold(3), 4),
]  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    root = tmp_path_factory.mktemp("first")
    return listing(written(root / "photos", range(48)), root / "cache")


@settings(deadline=None, max_examples=6)
@given(st.permutations(range(48)))
def test_neither_names_nor_the_order_of_files_change_a_split(first, tmp_path_factory, order):
    root = tmp_path_factory.mktemp("data")
    found = listing(written(root / "photos", order), root / "cache")
    assert sorted(np.bincount(found.near).tolist()) == [1] * 34 + [2] * 4 + [3] * 2
    for split, seed in CASES:
        assert contents(found, split, seed) == contents(first, split, seed)


def test_a_list_in_any_order_is_split_as_the_folders_are(first, tmp_path):
    written(tmp_path, range(48))
    lines = [f"{name}\t{label}" for name, label in zip(first.names, first.labels, strict=True)]
    order = np.random.Generator(np.random.Philox(1)).permutation(48)
    (tmp_path / "list.txt").write_text("\n".join(lines[row] for row in order))
    found = listing(ListFile(str(tmp_path / "list.txt")), tmp_path / "cache")
    for split, seed in CASES:
        assert contents(found, split, seed) == contents(first, split, seed)


# --- the cats


@pytest.fixture(scope="module")
def cats(cache: Path) -> Listing:
    if not CATS.is_dir():
        pytest.skip(f"the cats are not at {CATS}")
    return listing(ListFile(str(CATS / "train_list.txt"), classes=str(CATS / "classes.txt")), cache)


@pytest.mark.parametrize(
    ("split", "over"),
    [(Fixed(), 1), (Fixed(0.5, 0.25, 0.25, seed=9), 1), (PerSeed(), 5), (KFold(5), 10), (KFold(3, 0.2), 4)],
    ids=str,
)
def test_no_near_duplicates_among_the_cats_are_on_two_sides(cats, split, over):
    for seed in range(over):
        parts = split.draw(cats, seed)
        assert sum(map(len, parts)) == len(cats.labels) == 2160
        assert sides(parts, cats.near) == 1
        expected = [split.train, split.val, split.test] if not isinstance(split, KFold) else [None, None, 1 / split.k]
        for part, share in zip(parts, expected, strict=True):
            if share:
                assert (abs(np.bincount(cats.labels[part], minlength=12) - share * 180) <= 1).all()


def test_without_care_near_duplicates_among_the_cats_are_on_two_sides(cats):
    assert np.bincount(cats.near).max() > 1
    for split in (Fixed(together="nothing"), PerSeed(together="nothing"), KFold(together="nothing")):
        assert sides(split.draw(cats, 0), cats.near) > 1
    assert sides(Fixed(together="exact").draw(cats, 0), cats.exact) == 1
