"""Groups: copies and near-duplicates are found, whichever way round, and what belongs together becomes one group."""

import io
import time
import tracemalloc
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ablation.data import ListFile, Listing, listing
from ablation.data.groups import (
    NEAR,
    TURNED,
    _band_of_poses,
    _bit,
    _turned,
    exact_pairs,
    given_pairs,
    joined,
    near_banded,
    near_blocks,
    near_links,
    turned_banded,
    turned_blocks,
)
from ablation.data.traits import FLIP, MIRROR, TRAITS, perceptual_hash, traits_of, transposed

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"
ODD_COLUMNS = sum(1 << bit for bit in range(256) if bit % 2 == 0)
"""The bits of odd horizontal frequencies: rows of 16 are packed from the highest bit of a byte down."""


def near_pairs(traits: np.ndarray, most: int = NEAR) -> np.ndarray:
    """(P, 3): two rows, the smaller first, and in how many bits their hashes differ, at most `most`."""
    rows = np.flatnonzero(traits["hashed"])
    found = np.concatenate([np.zeros((0, 3), np.int64), *near_blocks(traits["hash"][rows], most)])
    return np.column_stack([rows[found[:, :2]], found[:, 2]])


def links_of(traits: np.ndarray) -> np.ndarray:
    """What joins them where all are of one class."""
    return near_links(traits, np.zeros(len(traits), np.int64)).near


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def traits_with(hashes: list[int], hashed: list[bool] | None = None) -> np.ndarray:
    """Traits of pictures with these hashes of 256 bits."""
    traits = np.zeros(len(hashes), TRAITS)
    traits["hashed"] = True if hashed is None else hashed
    for row, number in enumerate(hashes):
        traits["hash"][row] = np.frombuffer(number.to_bytes(32, "little"), "<u8")
    return traits


def hashes_of(traits: np.ndarray) -> list[int]:
    return [int.from_bytes(words.tobytes(), "little") for words in traits["hash"]]


def pairs_one_by_one(traits: np.ndarray, most: int) -> dict[tuple[int, int], int]:
    """What `near_pairs` should find."""
    hashes, found = hashes_of(traits), {}
    for a, b in combinations(np.flatnonzero(traits["hashed"]).tolist(), 2):
        apart = hashes[a] ^ hashes[b]
        bits = min(apart.bit_count(), (apart ^ ODD_COLUMNS).bit_count())
        if bits <= most:
            found[a, b] = bits
    return found


def assert_found_one_by_one(traits: np.ndarray, most: int = NEAR) -> None:
    pairs = near_pairs(traits, most)
    found = {(a, b): bits for a, b, bits in pairs.tolist()}
    assert len(found) == len(pairs)
    assert found == pairs_one_by_one(traits, most)


def alike(count: int, kinds: int, seed: int) -> np.ndarray:
    """Pictures of a few kinds: those of a kind differ in up to 50 bits, half are mirrored, some have no hash."""
    draws = generator(seed)
    first = [int.from_bytes(draws.bytes(32), "little") for _ in range(kinds)]
    hashes = []
    for kind, mirrored in zip(draws.integers(0, kinds, count), draws.integers(0, 2, count), strict=True):
        flipped = draws.choice(256, draws.integers(0, 26), replace=False).tolist()
        hashes.append(first[kind] ^ sum(1 << bit for bit in flipped) ^ (ODD_COLUMNS if mirrored else 0))
    return traits_with(hashes, (draws.random(count) < 0.9).tolist())


# --- near-duplicates


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40), st.integers(1, 6), st.sampled_from((0, 7, NEAR, 60)), st.integers(0, 2**31))
def test_pairs_are_those_found_one_by_one(count, kinds, most, seed):
    assert_found_one_by_one(alike(count, kinds, seed), most)


@pytest.mark.parametrize("count", [256, 257, 600])
def test_pairs_are_found_across_blocks_of_rows(count):
    traits = alike(count, count // 3, seed=count)
    traits["hashed"][[0, -1]], traits["hash"][-1] = True, traits["hash"][0]
    assert_found_one_by_one(traits)
    assert [0, count - 1, 0] in near_pairs(traits).tolist()


def test_a_pair_may_differ_in_32_bits_and_not_in_33():
    flips = generator(1).choice(256, 33, replace=False).tolist()
    fewer, more = (sum(1 << bit for bit in flips[:count]) for count in (32, 33))
    for turned in (0, ODD_COLUMNS):
        assert near_pairs(traits_with([0, fewer ^ turned])).tolist() == [[0, 1, 32]]
        assert near_pairs(traits_with([0, more ^ turned])).tolist() == []
    assert near_pairs(traits_with([0, 2**256 - 1])).tolist() == []


def test_what_has_no_hash_has_no_near_duplicate():
    traits = traits_with([0, 5, 0, 5, 0], [False, True, False, True, False])
    assert near_pairs(traits).tolist() == [[1, 3, 0]]
    assert near_pairs(traits[[0, 2]]).shape == (0, 3)
    assert near_pairs(traits[:0]).shape == (0, 3)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31))
def test_mirroring_turns_the_bits_of_odd_horizontal_frequencies_and_no_others(seed):
    means = generator(seed).random((32, 32)) * 255
    turned = perceptual_hash(means[:, ::-1]) ^ perceptual_hash(means)
    assert np.array_equal(turned, MIRROR)
    assert int.from_bytes(MIRROR.tobytes(), "little") == ODD_COLUMNS
    assert not np.array_equal(perceptual_hash(means[::-1]) ^ perceptual_hash(means), MIRROR)


def photograph(seed: int) -> Image.Image:
    """A picture of soft blots, 160 x 120."""
    blots = generator(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize((160, 120), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> np.void:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return traits_of(file.getvalue())


def test_a_picture_is_found_again_changed_a_little_or_mirrored_and_others_are_not():
    changes = {
        "as it is": encoded(photograph(0)),
        "in another format": encoded(photograph(0), "BMP"),
        "compressed": encoded(photograph(0), "JPEG", quality=40),
        "smaller": encoded(photograph(0).resize((80, 60)), "JPEG"),
        "brighter": encoded(ImageEnhance.Brightness(photograph(0)).enhance(1.2)),
        "mirrored": encoded(ImageOps.mirror(photograph(0))),
        "mirrored and compressed": encoded(ImageOps.mirror(photograph(0)), "JPEG", quality=40),
    }
    others = [encoded(photograph(number)) for number in range(1, 20)]
    upside_down = encoded(ImageOps.flip(photograph(0)))
    traits = np.array([*changes.values(), *others, upside_down], TRAITS)
    found = joined(len(traits), near_pairs(traits))
    assert found.tolist() == [0] * len(changes) + list(range(1, 21))
    assert exact_pairs(traits).tolist() == [[0, 1]]


@pytest.fixture(scope="module")
def cats(cache: Path) -> Listing:
    if not CATS.is_dir():
        pytest.skip(f"the cats are not at {CATS}")
    return listing(ListFile(str(CATS / "train_list.txt"), classes=str(CATS / "classes.txt")), cache)


def test_near_duplicates_among_the_cats_are_those_of_a_table_of_all_pairs(cats):
    bits = np.unpackbits(cats.traits["hash"].copy().view(np.uint8), axis=1).astype(np.float32)
    mirrored = np.unpackbits((cats.traits["hash"] ^ MIRROR).view(np.uint8), axis=1).astype(np.float32)
    apart = np.minimum(*(some @ (1 - bits).T + (1 - some) @ bits.T for some in (bits, mirrored)))
    apart[~np.outer(cats.traits["hashed"], cats.traits["hashed"])] = 256
    pairs = near_pairs(cats.traits)
    assert np.argwhere(np.triu(apart <= NEAR, 1)).tolist() == sorted(pairs[:, :2].tolist())
    assert (apart[pairs[:, 0], pairs[:, 1]] == pairs[:, 2]).all()
    assert len(pairs) >= 30
    assert (cats.near[pairs[:, 0]] == cats.near[pairs[:, 1]]).all()


# --- turned ones


TRANSPOSES = {
    "90": Image.Transpose.ROTATE_90,
    "180": Image.Transpose.ROTATE_180,
    "270": Image.Transpose.ROTATE_270,
    "upside down": Image.Transpose.FLIP_TOP_BOTTOM,
    "across": Image.Transpose.TRANSPOSE,
    "across the other way": Image.Transpose.TRANSVERSE,
}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_a_turn_of_the_picture_is_a_turn_of_the_hash(seed):
    means = generator(seed).random((32, 32)) * 255
    own = perceptual_hash(means)
    assert np.array_equal(transposed(own[None])[0], perceptual_hash(means.T))
    assert np.array_equal(own ^ FLIP, perceptual_hash(means[::-1]))
    every = [np.rot90(turned, times) for turned in (means, means.T) for times in range(4)]
    poses = {pose.tobytes() for pose in (own, own ^ MIRROR, *(pose[0] for pose in _turned(own[None])))}
    assert poses == {perceptual_hash(turned).tobytes() for turned in every}
    assert len(poses) == 8


def hashes_turned(count: int, apart: int, seed: int) -> np.ndarray:
    """(2 count, 4): random ones, and each of them again in one of the six poses with so many bits changed; every other
    one has these as evenly over the bands as they can be, which is the worst case."""
    hashes = generator(seed).integers(0, 2**64, (count, 4), np.uint64)
    bands = [[_bit(*place) for place in _band_of_poses(band)] for band in range(9)]
    evenly = [bits[turn] for turn in range(28) for bits in bands if turn < len(bits)]
    changed = np.zeros((count, 256), bool)
    for row in range(count):
        start = 9 * (row % 20)
        places = evenly[start : start + apart] if row % 2 else generator(seed + row).permutation(256)[:apart]
        changed[row, places] = True
    poses = np.stack(_turned(hashes))[np.arange(count) % 6, np.arange(count)]
    return np.concatenate([hashes, poses ^ np.packbits(changed, axis=1, bitorder="little").view("<u8")])


@pytest.mark.parametrize("apart", [0, 23, 24, 25])
def test_turned_pairs_are_found_by_bands_as_by_comparing_each_with_each(apart):
    hashes = hashes_turned(300, apart, seed=apart)
    of_each = {tuple(pair) for pairs in turned_blocks(hashes) for pair in pairs[:, :2].tolist()}
    of_bands = {tuple(sorted(pair)) for pairs in turned_banded(hashes) for pair in pairs[:, :2].tolist()}
    assert of_bands == of_each
    assert of_each == ({(row, 300 + row) for row in range(300)} if apart <= TURNED else set())


def test_bands_of_poses_hold_each_bit_once():
    places = [place for band in range(9) for place in _band_of_poses(band)]
    assert sorted(_bit(*place) for place in places) == list(range(256))
    assert all({place[::-1] for place in _band_of_poses(band)} == set(_band_of_poses(band)) for band in range(9))
    assert max(len(_band_of_poses(band)) for band in range(9)) <= 32, "they are a number of 32 bits"


def test_a_picture_is_found_again_turned_and_others_are_not():
    turned = [encoded(photograph(0).transpose(way), "JPEG", quality=40) for way in TRANSPOSES.values()]
    smaller = encoded(photograph(0).rotate(90, expand=True).resize((60, 80)), "JPEG")
    others = [encoded(photograph(number)) for number in range(1, 20)]
    traits = np.array([encoded(photograph(0)), *turned, smaller, *others], TRAITS)
    groups = joined(len(traits), links_of(traits))
    assert groups.tolist() == [0] * (len(turned) + 2) + list(range(1, 20))


@pytest.mark.parametrize("count", [400, 1200])
def test_links_join_turned_ones_however_many_there_are(count):
    hashes = hashes_turned(count // 2, TURNED, seed=5)
    traits = np.zeros(count, TRAITS)
    traits["hash"], traits["hashed"] = hashes, True
    assert joined(count, links_of(traits)).tolist() == 2 * list(range(count // 2))


KINDS = (("PNG", {}), ("BMP", {}))


def unlike(count: int) -> np.ndarray:
    """Traits with hashes of their own."""
    traits = np.zeros(count, TRAITS)
    traits["hash"], traits["hashed"] = generator(9).integers(0, 2**64, (count, 4), np.uint64), True
    return traits


SCENES = [photograph(0), photograph(0).rotate(90, expand=True), photograph(0).rotate(180), photograph(1)]


@pytest.mark.parametrize("others", [0, 1200], ids=["few", "many, by bands"])
def test_what_only_a_turn_joins_is_no_group_across_classes_and_is_named(others):
    pictures = [encoded(picture, kind, **options) for picture in SCENES for kind, options in KINDS]
    traits = np.concatenate([np.array(pictures, TRAITS), unlike(others)])
    labels = np.zeros(len(traits), np.int64)
    labels[: len(pictures)] = [0, 0, 1, 1, 2, 2, 0, 0]
    links = near_links(traits, labels)
    assert joined(len(traits), links.near).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, *range(4, 4 + others)]
    assert links.turned.tolist() == [0, 1, 2, 3, 4, 5], "each, also where two have one hash"
    labels[2:4] = 0
    links = near_links(traits, labels)
    assert joined(len(traits), links.near).tolist() == [0, 0, 0, 0, 1, 1, 2, 2, *range(3, 3 + others)]
    assert links.turned.tolist() == [0, 1, 2, 3, 4, 5]
    labels[4:6] = 0
    assert near_links(traits, labels).turned.tolist() == []


def test_copies_as_they_are_in_two_classes_are_a_group_with_what_is_turned_in_either():
    pictures = np.array([encoded(picture) for picture in (SCENES[0], SCENES[0], SCENES[1], SCENES[2])], TRAITS)
    links = near_links(pictures, np.array([0, 1, 1, 0]))
    assert joined(4, links.near).tolist() == [0, 0, 0, 0]
    assert near_links(pictures[1:], np.array([1, 0, 0])).turned.tolist() == [0, 1, 2]


def test_no_two_unrelated_cats_are_the_same_turned(cats):
    hashes = cats.traits["hash"][cats.traits["hashed"]]
    assert sum(map(len, turned_blocks(hashes))) == 0


# --- copies, and what the data says


@given(st.lists(st.integers(0, 9), max_size=30))
def test_each_copy_stands_beside_the_first_of_its_kind(kinds):
    traits = np.zeros(len(kinds), TRAITS)
    traits["pixels"] = [b"%032d" % kind for kind in kinds]
    traits["content"] = [b"%d" % row for row in range(len(kinds))]
    expected = [[kinds.index(kind), row] for row, kind in enumerate(kinds) if kinds.index(kind) < row]
    assert exact_pairs(traits).tolist() == expected
    assert exact_pairs(traits).shape == (len(expected), 2)


@given(st.lists(st.sampled_from(("", "Tom", "Kitty", "tom", "猫")), max_size=30))
def test_rows_of_the_same_name_belong_together_and_rows_of_none_do_not(names):
    pairs = given_pairs(names)
    expected = [[names.index(name), row] for row, name in enumerate(names) if name and names.index(name) < row]
    assert pairs.tolist() == expected
    assert pairs.shape == (len(expected), 2)
    assert pairs.dtype == np.int64


# --- groups


def united(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """The groups by union and find, numbered in the order of their first rows."""
    parent = list(range(count))

    def top(row: int) -> int:
        while parent[row] != row:
            row = parent[row]
        return row

    for a, b in pairs:
        parent[max(top(a), top(b))] = min(top(a), top(b))
    tops = sorted({top(row) for row in range(count)})
    return [tops.index(top(row)) for row in range(count)]


links = st.integers(1, 25).flatmap(
    lambda count: st.tuples(
        st.just(count), st.lists(st.tuples(*[st.integers(0, count - 1)] * 2), max_size=30), st.integers(0, 30)
    )
)


@given(links, st.randoms(use_true_random=False))
def test_rows_that_any_chain_of_pairs_links_are_one_group(case, random):
    count, pairs, cut = case
    two, three = (np.array(some, np.int64).reshape(-1, 2) for some in (pairs[:cut], pairs[cut:]))
    three = np.column_stack([three, np.full(len(three), 31)])  # near-duplicates bring how far they are apart
    groups = joined(count, two, three)
    assert groups.tolist() == united(count, pairs)
    assert groups.dtype == np.int64
    shuffled = random.sample([pair[::-1] for pair in pairs], len(pairs))
    assert np.array_equal(joined(count, np.array(shuffled, np.int64).reshape(-1, 2)), groups)


@pytest.mark.parametrize("order", ["ascending", "shuffled", "far apart"])
def test_a_long_chain_is_one_group_as_scipy_finds(order):
    count = 1 << 16
    rows = np.arange(count)
    if order == "shuffled":
        rows = generator(0).permutation(count)
    elif order == "far apart":  # bits of the row's number back to front: names have far to go
        rows = np.array([int(f"{row:016b}"[::-1], 2) for row in range(count)])
    chain = np.stack([rows[:-1], rows[1:]], axis=1)
    assert not joined(count, chain).any()
    cut = chain[np.arange(len(chain)) % 7 > 0]
    graph = coo_array((np.ones(len(cut), bool), (cut[:, 0], cut[:, 1])), shape=(count, count))
    assert np.array_equal(joined(count, cut), connected_components(graph, directed=False)[1])


# --- links, in place of pairs


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 99))
def test_links_join_what_pairs_join_and_are_few(count, kinds, seed):
    traits = alike(count, kinds, seed)
    links, pairs = links_of(traits), near_pairs(traits)
    assert len(links) < count
    assert np.array_equal(joined(count, links), joined(count, pairs))


@pytest.mark.parametrize("apart", [31, 32, 33])
@pytest.mark.parametrize("mirrored", [False, True])
def test_bands_give_exactly_the_pairs_that_a_comparison_of_each_with_each_gives(apart, mirrored):
    """Also where the bits that differ lie as evenly over the bands as they can, which is the worst case."""
    hashes = generator(0).integers(0, 2**64, (600, 4), np.uint64)
    turned = np.zeros((300, 256), bool)
    for row in range(300):
        evenly = row % 2 == 0
        bits = (np.arange(apart) + row) % 256 if evenly else generator(row).permutation(256)[:apart]
        turned[row, bits] = True
    hashes[300:] = hashes[:300] ^ np.packbits(turned, axis=1, bitorder="little").view("<u8")
    hashes[300:] ^= MIRROR * np.uint64(mirrored)
    of_each = {tuple(pair) for pairs in near_blocks(hashes, NEAR) for pair in pairs[:, :2].tolist()}
    of_bands = {tuple(sorted(pair)) for pairs in near_banded(hashes) for pair in pairs.tolist()}
    assert of_bands == of_each
    assert len(of_each) == (300 if apart <= NEAR else 0)


def test_bands_find_what_photographs_have_in_common_too(cats):
    hashes = cats.traits["hash"][cats.traits["hashed"]]
    of_each = {tuple(pair) for pairs in near_blocks(hashes, NEAR) for pair in pairs[:, :2].tolist()}
    assert {tuple(sorted(pair)) for pairs in near_banded(hashes) for pair in pairs.tolist()} == of_each


def test_near_duplicates_of_many_are_found_without_comparing_each_with_each():
    """Each with each takes four times as long for twice as many, and was 3.4 s for 20,000 where this takes 0.25."""
    hashes = generator(1).integers(0, 2**64, (40_000, 4), np.uint64)
    hashes[20_000:20_100] = hashes[:100] ^ np.uint64(0xFF)
    traits = np.zeros(len(hashes), TRAITS)
    traits["hash"], traits["hashed"] = hashes, True
    started = time.process_time()
    links = links_of(traits)
    banded = time.process_time() - started
    assert np.array_equal(np.sort(links, axis=0), np.stack([np.arange(100), np.arange(20_000, 20_100)], axis=1))
    started = time.process_time()
    some = near_blocks(hashes[:10_000], NEAR)  # a sixteenth of all pairs
    assert sum(map(len, some)) == 0
    assert banded < 4 * (time.process_time() - started)


def test_many_look_alikes_take_no_memory_that_grows_with_their_pairs():
    hashes = [sum(1 << int(bit) for bit in generator(seed).permutation(256)[:5]) for seed in range(5000)]
    traits = traits_with(hashes)
    tracemalloc.start()
    links = links_of(traits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(near_pairs(traits[:1000])) == 1000 * 999 / 2  # as are all 5,000, which takes seconds
    assert len(links) == 4999
    assert peak < 100e6  # the pairs alone take 300 MB
