"""The listing of a pack is that of the source: the same digest and the same parts, whatever files are called."""

import numpy as np
import pytest
from PIL import Image

from ablation import CsvFile, Digits, ImageFolder, ListFile, SkipBad
from ablation.data import Fixed, Subset, listing
from ablation.data.contents import listing_digest
from ablation.experiment.pack import DATA_FILE, data_csv
from ablation.experiment.unpack import _data

NAMES = ("a,b.png", 'quote".png', "猫.png", "=1+1.png", "two words.png", "\u2028.png", "'.png", "line\x85end.png")


@pytest.fixture
def photos(tmp_path):
    """A folder a class, two broken files, and a table with groups and parts."""
    root, rows = tmp_path / "photos", ["path,label,split,group"]
    for number, name in enumerate(NAMES):
        label = ("even", "odd")[number % 2]
        (root / label).mkdir(parents=True, exist_ok=True)
        pixels = np.full((9, 9, 3), 20 * number, np.uint8)
        pixels[number % 9] = 255
        Image.fromarray(pixels).save(root / label / name)
        Image.fromarray(pixels).save(root / f"{number}.png")
        rows.append(f"{number}.png,{label},{('train', 'val', 'test')[number // 2 % 3]},g{number // 4}")
    (root / "table.csv").write_text("\n".join(rows), "utf-8")
    return root


def sources(root):
    """The table first; then, without it, the folders."""
    yield CsvFile(str(root / "table.csv"))
    for file in root.glob("*.png"):
        file.unlink()
    (root / "table.csv").unlink()
    yield ImageFolder(str(root))
    yield Subset(ImageFolder(str(root)), per_class=2)
    for label in ("even", "odd"):
        (root / label / "broken.png").write_bytes(label.encode())
    yield SkipBad(ImageFolder(str(root)))
    yield Subset(Digits(), per_class=3)


def test_it_comes_back_and_gives_the_digest_of_the_data(photos, cache, tmp_path):
    for source in sources(photos):
        data = listing(source, cache)
        (tmp_path / DATA_FILE).write_bytes(data_csv(data, data.contents))
        back = _data(tmp_path, {"data": data.digest, "quoted": True})
        assert (back.names, back.contents, back.classes) == (data.names, data.contents, data.classes)
        assert listing_digest(back, back.contents, list(data.unusable)) == data.digest
        assert (len(data.unusable) == 2) == isinstance(source, SkipBad)
        assert data_csv(back, back.contents) == data_csv(data, data.contents)
    drawn = Fixed(0.4, 0.3, 0.3)
    assert drawn.draw(back, 0).digest == drawn.draw(data, 0).digest


def test_a_table_of_before_is_read_as_it_was_written(cache, tmp_path):
    """It had no apostrophes before what a spreadsheet runs; a name that began with one kept it."""
    names = ("=1+1.png", "'.png", "-a.png", "b.png")
    for number, name in enumerate(names):
        Image.fromarray(np.full((9, 9, 3), 40 * number, np.uint8)).save(tmp_path / name)
    (tmp_path / "list.txt").write_text("".join(f"{name}\t{number % 2}\n" for number, name in enumerate(names)))
    data = listing(ListFile(str(tmp_path / "list.txt")), cache)
    for quoted, begins in ((False, b",=1+1.png,"), (True, b",'=1+1.png,")):
        content = data_csv(data, data.contents, quoted)
        assert begins in content
        (tmp_path / DATA_FILE).write_bytes(content)
        back = _data(tmp_path, {"data": data.digest} | ({"quoted": True} if quoted else {}))
        assert back.names == data.names
        assert data_csv(back, back.contents, quoted) == content
