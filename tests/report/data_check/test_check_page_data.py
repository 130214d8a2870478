"""The page of a check for data of many kinds: none usable, clean, from memory, many classes, and the cats."""

import re
from pathlib import Path

import pytest
from checked import looked_at, photographs, tiles
from pages import Page
from photos import folder, pictures, save
from PIL import Image

from ablation.data import CsvFile, Digits, ImageFolder, ListFile, SkipBad, Subset, TorchvisionData
from ablation.data.check import check
from ablation.report.data_check.findings import name_of
from ablation.report.data_check.page import render_check
from ablation.report.data_check.thumbnails import MOST_COPIES, ODD

CATS = Path(__file__).parents[4] / "shared" / "data" / "cats12"


def test_without_a_listing_the_errors_and_bad_files_are_told(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "d" / name).mkdir(parents=True)
        (tmp_path / "d" / name / "0.jpg").write_bytes(b"<html>")
    page = Page(render_check(looked_at(tmp_path / "d")))
    assert "d: not to be used as it is (2 errors)" in page.text
    assert "No file can be used" in page.text
    assert "cat/0.jpg an HTML page" in page.text
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == ["bad"]


def test_a_clean_data_set_has_a_short_page(tmp_path):
    html = render_check(looked_at(folder(tmp_path / "d", {"cat": 8, "dog": 8})))
    page = Page(html)
    assert "d: ready to be used" in page.text
    assert "None was found." in page.text
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert ids == ["classes", "moments", "copies", "files", "sizes", "brightness", "study"]
    assert "Every one has 120 × 100 pixels." in page.text
    assert html.count("<svg") == 2  # one size needs no map


def test_pixels_from_memory_are_shown_too(cache):
    html = render_check(check(Digits(), cache))
    page = Page(html)
    assert "digits: ready to be used" in page.text
    assert "the pixels come from a library" in page.text
    assert "No photograph has colour" in page.text
    assert {picture.shape for picture in photographs(html)} == {(8, 8, 3)}
    assert len(html) < 400_000


def test_many_classes_and_copies_keep_the_page_bounded(tmp_path):
    root = tmp_path / "d"
    for number in range(120):
        save(pictures()[number % 48].resize((60, 50)), root / f"class {number // 2:02d}" / f"{number}.png")
    save(Image.new("RGB", (60, 50)), root / "class 00" / "black.png")
    result = looked_at(root)
    html = render_check(result)
    assert len(result.copies) == 48
    assert tiles(html) <= 250
    assert tiles(html[html.index('id="copies"') : html.index('id="files"')]) <= MOST_COPIES
    assert re.search(r"… and \d+ more groups?, all in check.json", html)
    assert f"and {len(result.small) - ODD} more, all in check.json" in html
    assert "30 classes between the ends have no bar" in html
    assert "of the largest and the smallest classes" in html


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (ImageFolder("/data/cats"), "cats"),
        (ImageFolder("."), Path.cwd().name),
        (ListFile("/data/cats12/train_list.txt"), "cats12"),
        (ListFile("/data/cats12/fold 1.txt"), "fold 1"),
        (CsvFile("/data/birds/labels.csv"), "birds"),
        (Digits(), "digits"),
        (TorchvisionData("CIFAR10"), "CIFAR10"),
        (SkipBad(ImageFolder("/data/cats/")), "cats"),
        (Subset(Digits(), 3), "digits"),
    ],
)
def test_data_is_called_as_people_call_it(source, name):
    assert name_of(source) == name


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_the_page_of_the_cats_is_small(cache):
    result = check(ListFile(str(CATS / "train_list.txt"), classes=str(CATS / "classes.txt")), cache)
    html = render_check(result)
    assert len(html) < 3_000_000
    page = Page(html)
    assert "cats12: ready to be used" in page.text
    assert "2,160 photographs of 12 classes, 180 of each. Perfectly balanced" in page.text
    assert "Normalize(mean=[0.4848, 0.4435, 0.4024], std=[0.2751, 0.2696, 0.2760])" in page.text
    assert tiles(html[html.index('id="copies"') : html.index('id="files"')]) == 66
    assert "23 more groups" in page.text
