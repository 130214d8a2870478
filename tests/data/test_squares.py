"""From photographs to squares: what the cache makes of files, turned, odd or bad."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pictures import JPEG, encoded, noise, photos
from PIL import Image

from ablation.core.errors import DataError
from ablation.data import ImageFolder, ListFile, SkipBad, build, listing, load
from ablation.data.decode import to_square

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera's right is up
    sideways = Image.fromarray(np.rot90(noise(20, 30)))
    data = build(listing(photos(tmp_path / "d", {"0": encoded(sideways, exif=exif)}), tmp_path), 12, tmp_path)
    upright, _ = to_square(Image.fromarray(noise(20, 30)), 12)
    assert np.array_equal(data.images[data.names.index("a/0")], upright)
    assert data.aspect.tolist() == [1.5, 1.5]
    assert data.aspect.dtype == np.float32


def test_bad_files_are_told_before_anything_is_built_or_left_out_of_it(tmp_path):
    cut = {f"{number}.jpg": JPEG[: 100 * number] for number in range(4)}
    source, cache = photos(tmp_path / "d", {**cut, "whole.jpg": JPEG}), tmp_path / "cache"
    with pytest.raises(DataError) as error:
        listing(source, cache)
    assert [problem.where for problem in error.value.problems[:-1]] == [f"{tmp_path}/d/a/{name}" for name in cut]
    assert [path.name for path in cache.iterdir()] == ["traits"]
    data = build(listing(SkipBad(source), cache), 8, cache)
    assert sorted(data.names) == ["a/whole.jpg", "b/good"]


def test_of_an_animation_the_first_frame_is_kept_when_asked(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    photos(tmp_path / "d", {"moving.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])})
    data = build(listing(ImageFolder(str(tmp_path / "d"), first_frame=True), tmp_path), 4, tmp_path)
    red = data.images[data.names.index("a/moving.gif")]
    assert red.transpose(1, 2, 0).reshape(-1, 3).tolist() == 16 * [[255, 0, 0]]


def test_names_of_any_bytes_go_through_listing_and_cache(tmp_path):
    root, classes = tmp_path / "猫 photos", ("虎斑", os.fsdecode(b"ta\xe9bby"))
    odd = ["猫 🐈.png", "a\nb.png", os.fsdecode(b"\xff\xfe.png"), " ", "it's.png", "-x.png"]
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        (root / name / "loop").symlink_to(root / name)
        for place, file in enumerate(odd):
            (root / name / file).write_bytes(encoded(Image.fromarray(noise(9, 9, 10 * number + place))))
    found = listing(ImageFolder(str(root)), tmp_path / "cache")
    shown = ["猫 🐈.png", r"a\nb.png", r"\xff\xfe.png", " ", "it's.png", "-x.png"]
    assert found.classes == (r"ta\xe9bby", "虎斑")
    assert sorted(found.names) == sorted(f"{name}/{file}" for name in found.classes for file in shown)
    data = build(found, 16, tmp_path / "cache")
    assert data.names == load(tmp_path / "cache", found.digest, 16).names == found.names
    (root / "虎斑" / os.fsdecode(b"\xfe.jpg")).write_text("no picture")
    with pytest.raises(DataError) as error:
        listing(ImageFolder(str(root)), tmp_path / "cache")
    assert str(error.value.problems[0]) == rf"{root}/虎斑/\xfe.jpg: cannot be decoded: a text, not an image"


def test_a_large_but_allowed_image_gives_no_warning(tmp_path):
    source = photos(tmp_path / "d", {"large.png": encoded(Image.new("1", (9_500, 9_500)))})
    assert build(listing(source, tmp_path), 4, tmp_path).images.shape == (2, 3, 4, 4)  # warnings are errors here


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_all_cats_load_also_those_that_are_no_jpegs(tmp_path):
    odd = [path for path in (CATS / "cat_12_train").iterdir() if path.read_bytes()[:2] != b"\xff\xd8"]
    assert len(odd) == 9
    wanted = {f"cat_12_train/{path.name}" for path in odd}
    listed = (CATS / "train_list.txt").read_text().splitlines(keepends=True)
    lines = [line for row, line in enumerate(listed) if line.split("\t")[0] in wanted or row % 40 == 0]
    (tmp_path / "list.txt").write_text("".join(lines))
    (tmp_path / "cat_12_train").symlink_to(CATS / "cat_12_train")
    data = build(listing(ListFile(str(tmp_path / "list.txt"), outside=True), tmp_path), 32, tmp_path)
    assert len(data.labels) == len(lines)
    for path in odd:
        row = data.names.index(f"cat_12_train/{path.name}")
        with Image.open(path) as image:
            assert data.aspect[row] == np.float32(image.width / image.height)
        assert data.images[row].std() > 10
    assert json.loads((tmp_path / f"{data.digest}-32" / "meta.json").read_text())["size"] == 32
