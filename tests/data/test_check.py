"""What a check finds, on real photographs on disk: every number held against another way to get it."""

import math
from pathlib import Path

import numpy as np
import pytest
from checked import looked_at
from photos import folder, pictures, save, whole
from PIL import Image, ImageEnhance, ImageOps
from scipy.stats import median_abs_deviation

from ablation.core.errors import DataError
from ablation.core.seeds import stream
from ablation.data import CsvFile, Digits, Given, ListFile
from ablation.data.check import Check, check, moments_of, variation_of, wrong_ending
from ablation.data.traits import TRAITS, traits_of_array
from ablation.report.data_check.findings import stops

CATS = Path(__file__).parents[3] / "shared" / "data" / "cats12"


def names(found: Check, rows: tuple[int, ...]) -> set[str]:
    return {found.listing.names[row] for row in rows}


def opened(found: Check, row: int, size: tuple[int, int] | None = None) -> np.ndarray:
    with Image.open(found.listing.origins[row]) as image:
        return np.asarray(image.convert("RGB").resize(size or image.size))


# --- the cats


@pytest.fixture(scope="module")
def cats(cache: Path) -> Check:
    if not CATS.is_dir():
        pytest.skip(f"the cats are not at {CATS}")
    return check(ListFile(str(CATS / "train_list.txt"), classes=str(CATS / "classes.txt")), cache)


def test_the_cats_are_balanced_and_whole(cats):
    assert (cats.named, cats.bad, cats.stopped) == (2160, (), ())
    assert cats.counts.tolist() == [180] * 12
    assert cats.imbalance == 1
    assert cats.part_counts == {}
    assert not stops(cats)


def test_nine_cats_are_misnamed_two_grey_none_small(cats):
    assert len(cats.misnamed) == 9
    assert {Path(name).suffix for name in names(cats, cats.misnamed)} == {".jpg"}
    assert set(cats.listing.traits["format"][list(cats.misnamed)].tolist()) == {b"GIF", b"PNG"}
    assert cats.formats == {"JPEG": 2151, "GIF": 5, "PNG": 4}
    assert sum(cats.modes.values()) == 2160
    assert len(cats.grey) == 2
    for row in cats.grey:
        assert np.ptp(opened(cats, row, (16, 16)).astype(int), axis=2).max() < 9
    assert (cats.rotated, cats.small, cats.extreme, cats.flat) == ((), (), (), ())


def test_cats_that_occur_several_times(cats):
    assert len(cats.copies) == 32
    assert sum(group.exact for group in cats.copies) == 17
    assert {group.across for group in cats.copies} == {"nothing"}
    rows = [row for group in cats.copies for row in group.rows]
    assert len(rows) == len(set(rows)) == 66
    assert [len(group.rows) for group in cats.copies] == sorted((len(g.rows) for g in cats.copies), reverse=True)
    for group in cats.copies:
        first, *others = (opened(cats, row) for row in group.rows)
        assert all(np.array_equal(pixels, first) for pixels in others) == group.exact


def test_mean_and_std_of_the_cats(cats):
    assert cats.moments.mean == pytest.approx((0.4848, 0.4435, 0.4024), abs=5e-5)
    assert cats.moments.std == pytest.approx((0.2751, 0.2696, 0.2760), abs=5e-5)


# --- numbers


def test_moments_are_those_of_all_pixels_each_photograph_weighing_the_same():
    small, large = (np.asarray(whole()[0].resize(size)) for size in ((40, 30), (200, 100)))
    found = moments_of(np.array([traits_of_array(small), traits_of_array(large)], TRAITS))
    every = [pixels.reshape(-1, 3) / 255 for pixels in (small, large)]
    mean = sum(pixels.mean(axis=0) for pixels in every) / 2
    variance = sum(((pixels - mean) ** 2).mean(axis=0) for pixels in every) / 2
    assert found.mean == pytest.approx(mean.tolist())
    assert found.std == pytest.approx(np.sqrt(variance).tolist())


def test_the_std_of_one_colour_is_zero_and_no_warning():
    for level in range(256):
        traits = traits_of_array(np.full((7, 3, 3), level, np.uint8))
        assert moments_of(np.array([traits] * 3, TRAITS)).std == pytest.approx((0, 0, 0), abs=1e-7)


def test_outliers_are_those_of_the_modified_z_score():
    values = stream(0, "light").normal(0.5, 0.1, size=201)
    values[[3, 50, 100]] = 1.4, 1.6, -0.5
    found = variation_of(values)
    score = (values - np.median(values)) / median_abs_deviation(values, scale="normal")
    assert set(found.low) == set(np.flatnonzero(score < -3.5).tolist()) == {100}
    assert set(found.high) == set(np.flatnonzero(score > 3.5).tolist()) == {50, 3}
    assert found.high == (50, 3)  # the farthest first
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    assert found.relative == pytest.approx(np.std(values, ddof=1) / np.mean(values))
    reach = 3.5 * median_abs_deviation(values) / 0.6745
    assert found.usual == pytest.approx((np.median(values) - reach, np.median(values) + reach))


def test_where_most_are_alike_nothing_is_far():
    found = variation_of(np.array([0.5, 0.5, 0.5, 0.9]))
    assert (found.low, found.high, found.usual) == ((), (), (-math.inf, math.inf))
    assert variation_of(np.zeros(1)).sd == 0
    assert variation_of(np.zeros(3)).relative == 0


@pytest.mark.parametrize(
    ("name", "kind", "wrong"),
    [
        ("a.jpg", "JPEG", False), ("a.JPEG", "JPEG", False), ("a.jpg", "MPO", False), ("a.jpg", "PNG", True),
        ("a.png", "WEBP", True), ("a.tif", "TIFF", False), ("a.pgm", "PPM", False), ("a", "JPEG", False),
        ("a.v2", "PNG", False), ("a.jpg/b.png", "PNG", False), ("a.gif", "", False), ("a.mpo", "JPEG", False),
    ],
)  # fmt: skip
def test_an_ending_lies_only_about_what_it_claims(name, kind, wrong):
    assert wrong_ending(name, kind) == wrong


# --- one photograph in a folder of others


def test_a_clean_folder_has_nothing_odd(tmp_path):
    found = looked_at(folder(tmp_path / "d", {"cat": 12, "dog": 10}))
    assert found.copies == found.torn == found.bad == found.stopped == ()
    odd = (found.misnamed, found.rotated, found.grey, found.small, found.extreme, found.flat)
    assert odd == ((),) * 6
    assert (found.brightness.low, found.brightness.high, found.contrast.low, found.contrast.high) == ((),) * 4
    assert found.imbalance == pytest.approx(1.2)
    assert (found.formats, found.modes) == ({"PNG": 22}, {"RGB": 22})


def test_odd_photographs_are_found_by_what_they_are(tmp_path):
    root = folder(tmp_path / "d", {"cat": 8, "dog": 8})
    piece, flower = whole()[0].crop((0, 0, 300, 300)), whole()[1]
    turned = Image.Exif()
    turned[0x0112] = 6
    save(flower.crop((200, 100, 320, 180)), root / "cat" / "turned.jpg", exif=turned)
    save(piece.resize((64, 90)), root / "cat" / "64.png")
    save(flower.crop((10, 10, 73, 100)), root / "cat" / "63.png")
    save(flower.crop((300, 100, 600, 200)), root / "cat" / "3 to 1.png")
    save(whole()[0].crop((0, 150, 299, 250)), root / "cat" / "299 to 100.png")
    save(pictures()[20].convert("L"), root / "dog" / "grey.png")
    save(ImageOps.grayscale(pictures()[21]).convert("RGB"), root / "dog" / "grey in colour.jpg")
    save(pictures()[22], root / "dog" / "png.jpg", format="PNG")
    save(Image.new("RGB", (90, 80), (200, 30, 60)), root / "dog" / "red.png")
    save(ImageEnhance.Brightness(pictures()[23]).enhance(0.02), root / "dog" / "night.png")
    found = looked_at(root)
    assert names(found, found.rotated) == {"cat/turned.jpg"}
    assert names(found, found.small) == {"cat/63.png"}
    assert names(found, found.extreme) == {"cat/3 to 1.png"}
    assert names(found, found.grey) == {"dog/grey.png", "dog/grey in colour.jpg", "dog/night.png"}
    assert names(found, found.misnamed) == {"dog/png.jpg"}
    assert names(found, found.flat) == {"dog/red.png", "dog/night.png"}
    assert found.modes["L"] == 1
    row = found.listing.names.index("cat/turned.jpg")
    assert (found.listing.traits["width"][row], found.listing.traits["height"][row]) == (80, 120)


def test_pixels_from_memory_are_never_called_small_nor_misnamed(cache):
    found = check(Digits(), cache)
    assert (found.small, found.misnamed, found.formats, found.modes) == ((), (), {}, {"RGB": 1797})
    assert len(found.grey) == 1797


# --- the same picture


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Parts with a leak, a picture under two labels, and copies within a class."""
    root = folder(
        tmp_path_factory.mktemp("leaky") / "d",
        {"train/cat": 6, "train/dog": 6, "val/cat": 2, "val/dog": 2, "test/cat": 3, "test/dog": 3},
    )
    save(pictures()[30], root / "train" / "cat" / "leak.png")
    save(ImageOps.mirror(pictures()[30]), root / "test" / "dog" / "leak.jpg", quality=70)
    save(pictures()[31], root / "train" / "cat" / "both.png")
    save(pictures()[31], root / "train" / "dog" / "both.png")
    for number, size in enumerate(((120, 100), (90, 75), (180, 150))):
        save(pictures()[32].resize(size), root / "test" / "cat" / f"again {number}.png")
    for number in range(2):
        save(pictures()[33], root / "train" / "dog" / f"twin {number}.png")
    return looked_at(root)


def test_copies_are_told_by_where_they_stand_the_worst_first(leaky):
    told = [(group.across, group.exact, names(leaky, group.rows)) for group in leaky.copies]
    assert told == [
        ("parts", False, {"train/cat/leak.png", "test/dog/leak.jpg"}),
        ("classes", True, {"train/cat/both.png", "train/dog/both.png"}),
        ("nothing", False, {f"test/cat/again {number}.png" for number in range(3)}),
        ("nothing", True, {f"train/dog/twin {number}.png" for number in range(2)}),
    ]
    assert leaky.torn == ()


def test_images_are_counted_by_class_and_part(leaky):
    assert leaky.counts.tolist() == [16, 15]
    assert {part: counts.tolist() for part, counts in leaky.part_counts.items()} == {
        "train": [8, 9], "val": [2, 2], "test": [6, 4],
    }  # fmt: skip
    assert leaky.imbalance == pytest.approx(16 / 15)


def grouped(root: Path, rows: list[tuple[int, str, str, str]]) -> CsvFile:
    """A table of (number of a picture, label, part or '', group)."""
    columns = ("path", "label", "split", "group") if rows[0][2] else ("path", "label", "group")
    lines = [",".join(columns)]
    for place, (number, *others) in enumerate(rows):
        save(pictures()[number], root / f"{place}.png")
        lines.append(",".join([f"{place}.png", *filter(None, others[:-1]), others[-1]]))
    (root / "table.csv").write_text("\n".join(lines))
    return CsvFile(str(root / "table.csv"))


def test_what_the_data_joins_is_no_copy_and_may_hold_several(tmp_path):
    anna = [(number, "a", "", "anna") for number in (0, 0, 1, 1, 2)]
    others = [(number, "b", "", "") for number in range(3, 8)]
    found = check(grouped(tmp_path, anna + others), tmp_path / "cache")
    groups = sorted(sorted(names(found, group.rows)) for group in found.copies)
    assert groups == [["0.png", "1.png"], ["2.png", "3.png"]]
    assert all(group.exact for group in found.copies)
    assert found.torn == ()


def test_what_the_data_joins_across_its_parts_is_told_as_given_refuses_it(tmp_path):
    rows = [(number, "ab"[number % 2], ("train", "test")[number // 4 % 2], f"animal {number}") for number in range(16)]
    whole = check(grouped(tmp_path / "whole", rows), tmp_path / "cache")
    assert whole.torn == ()
    Given(val=0.3).draw(whole.listing, 0)
    rows[4] = (*rows[4][:3], "animal 0")
    rows.append((20, "a", "train", "animal 0"))
    torn = check(grouped(tmp_path / "torn", rows), tmp_path / "cache")
    assert [names(torn, group) for group in torn.torn] == [{"0.png", "4.png", "16.png"}]
    assert torn.copies == ()
    with pytest.raises(DataError, match="belong together with one in another part"):
        Given(val=0.3).draw(torn.listing, 0)
