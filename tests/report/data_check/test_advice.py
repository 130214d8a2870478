"""Advice on how data is split: what a check says is done, and works."""

import re
import shutil
from pathlib import Path

import pytest
from checked import saying
from photos import folder, pictures, save
from PIL import Image

from ablation.data import Fixed, Given, ImageFolder, KFold, PerSeed, Redrawn
from ablation.data.check import check
from ablation.data.split import Split
from ablation.report.data_check.findings import findings

SPLITS = {split.__name__: split for split in (Given, Redrawn, Fixed, PerSeed, KFold)}


def advised(text: str) -> list[Split]:
    """The splits that a sentence names with their arguments, made of its own words."""
    return [eval(found, SPLITS) for found in re.findall(rf"(?:{'|'.join(SPLITS)})\([^)]*\)", text)]


def usual(root: Path) -> Path:
    """Train and val alone, with a photograph of train again in val."""
    folder(root, {"train/cat": 10, "train/dog": 10, "val/cat": 4, "val/dog": 4})
    shutil.copy(root / "train" / "cat" / "0.png", root / "val" / "cat" / "again.png")
    return root


def test_train_and_val_alone_are_ready_and_each_split_that_is_advised_can_be_made(tmp_path):
    result = check(ImageFolder(str(usual(tmp_path / "d"))), tmp_path / "cache")
    copies, parts = saying(result, "in different parts"), saying(result, "no test part")
    assert {finding.level for finding in findings(result)} == {"note"}
    assert copies.advice == (
        "Redrawn() deals the parts anew, and keeps each group on one side; Given(duplicates='drop', test='val') keeps "
        "the parts, and leaves them out of training"
    )
    assert parts.text == "the data has train and val, and no test part: Redrawn() deals all photographs anew"
    assert parts.advice == (
        "split=Given(duplicates='drop', test='val') keeps the parts: it trains on train but for a tenth to validate "
        "on, and tests on val"
    )
    near = result.listing.near
    for split in {*advised(copies.advice), *advised(parts.advice)}:
        drawn = split.draw(result.listing, 0)
        assert not set(near[drawn.train].tolist()) & set(near[drawn.test].tolist())
        again = check(result.source, tmp_path / "cache", split=split)
        assert {finding.level for finding in findings(again)} == {"note"}, split
    assert len(advised(copies.advice)) == 2


def test_without_copies_train_and_val_are_kept_by_a_split_that_drops_nothing(tmp_path):
    root = usual(tmp_path / "d")
    (root / "val" / "cat" / "again.png").unlink()
    result = check(ImageFolder(str(root)), tmp_path / "cache")
    (split,) = advised(saying(result, "no test part").advice)
    assert split == Given(test="val")
    assert [len(part) for part in split.draw(result.listing, 0)] == [18, 2, 8]


def test_the_leak_of_train_and_test_is_mended_as_advised(tmp_path):
    root = folder(tmp_path / "d", {"train/cat": 10, "train/dog": 10, "test/cat": 4, "test/dog": 4})
    save(pictures()[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT), root / "test" / "dog" / "again.jpg")
    shutil.copy(root / "train" / "cat" / "0.png", root / "test" / "cat" / "again.png")
    result = check(ImageFolder(str(root)), tmp_path / "cache")
    finding = saying(result, "in different parts")
    assert finding.level == "error"
    (split,) = advised(finding.advice)
    assert split == Given(duplicates="drop")
    again = check(result.source, tmp_path / "cache", split=split)
    assert "error" not in {found.level for found in findings(again)}


@pytest.mark.parametrize("split", [Redrawn(together="nothing"), KFold(together="nothing")])
def test_a_split_that_parts_copies_is_mended_as_advised(tmp_path, split):
    result = check(ImageFolder(str(usual(tmp_path / "d"))), tmp_path / "cache", split=split)
    finding = saying(result, "in different parts")
    assert finding.level == "warning"
    assert "together='near'" in finding.advice
    again = check(result.source, tmp_path / "cache", split=type(split)(together="near"))
    assert saying(again, "in different parts").level == "note"
