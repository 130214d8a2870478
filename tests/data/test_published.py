"""Data sets from libraries: real readers on made files, and what is told where they cannot read."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablation.data import Digits, TorchvisionData, listing
from ablation.errors import DataError, InputError


def draw(path: Path, number: int) -> None:
    """A small picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.Philox(number)).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


def problems(source: TorchvisionData, tmp_path: Path) -> str:
    with pytest.raises(DataError) as error:
        listing(source, tmp_path / "cache")
    return str(error.value)


def test_digits_are_scikit_learns_scaled_to_bytes(tmp_path):
    from sklearn.datasets import load_digits

    found, known = listing(Digits(), tmp_path), load_digits()
    assert found.classes == tuple("0123456789")
    rows = [int(name.split("/")[1]) for name in found.names]
    assert sorted(rows) == list(range(1797))
    assert np.array_equal(found.labels, known.target[rows])
    pixels = np.stack([origin() for origin in found.origins])
    assert pixels.shape == (1797, 8, 8, 3)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.abs(pixels / 255 - known.images[rows][..., None] / 16).max() <= 0.5 / 255 + 1e-12
    assert list(found.contents) == sorted(found.contents)


def write_mnist(root: Path, part: str, labels: list[int]) -> None:
    """Made pictures in MNIST's own files."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.Philox(1)).integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
    header = struct.pack(">IIII", 0x803, len(labels), 28, 28)
    (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
    (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + bytes(labels))


def test_torchvision_reads_the_training_part_unless_told(tmp_path):
    write_mnist(tmp_path, "train", [3, 1, 4, 1, 5])
    write_mnist(tmp_path, "t10k", [0, 1])
    train = listing(TorchvisionData("MNIST", str(tmp_path)), tmp_path / "cache")
    test = listing(TorchvisionData("MNIST", "elsewhere", split="test").moved_to(str(tmp_path)), tmp_path / "cache")
    assert train.classes == ("1 - one", "3 - three", "4 - four", "5 - five")
    assert sorted(train.labels.tolist()) == [0, 0, 1, 2, 3]
    assert len(test.labels) == 2
    assert train.origins[0]().shape == (28, 28, 3)
    assert "parts 'train' and 'test', got split = 'val'" in problems(
        TorchvisionData("MNIST", str(tmp_path), split="val"), tmp_path
    )


def test_torchvision_with_a_split_argument(tmp_path):
    for part, amount in (("train", 4), ("valid", 2)):
        for number in range(amount):
            draw(tmp_path / "country211" / part / ("DE", "FR")[number % 2] / f"{number}.jpg", number)
    assert len(listing(TorchvisionData("Country211", str(tmp_path)), tmp_path).names) == 4
    found = listing(TorchvisionData("Country211", str(tmp_path), split="valid"), tmp_path)
    assert (found.classes, len(found.names)) == (("DE", "FR"), 2)
    assert "Unknown value 'vali'" in problems(TorchvisionData("Country211", str(tmp_path), split="vali"), tmp_path)


def test_torchvision_data_made_by_the_library(tmp_path):
    found = listing(TorchvisionData("FakeData"), tmp_path)
    assert len(found.names) == 1000
    assert found.classes == tuple("0123456789")
    assert found.origins[0]().shape == (224, 224, 3)
    assert "is not divided into parts" in problems(TorchvisionData("FakeData", split="test"), tmp_path)


def test_torchvision_data_that_is_absent_unfit_or_unknown(tmp_path):
    told = problems(TorchvisionData("CIFAR10", str(tmp_path / "none")), tmp_path)
    assert f"torchvision's CIFAR10 cannot be read from '{tmp_path / 'none'}'" in told
    assert "set download=True, or put the data there by hand" in told
    assert "needs annFile" in problems(TorchvisionData("CocoCaptions"), tmp_path)
    assert "it needs split" in problems(TorchvisionData("EMNIST", str(tmp_path)), tmp_path)
    with pytest.raises(InputError, match="'CIFAR1O' is no data set of torchvision; did you mean 'CIFAR10'"):
        TorchvisionData("CIFAR1O")


def test_torchvision_data_without_class_numbers_is_refused(tmp_path):
    for kind in ("image_2", "label_2"):
        (tmp_path / "Kitti" / "raw" / "training" / kind).mkdir(parents=True)
    draw(tmp_path / "Kitti" / "raw" / "training" / "image_2" / "0.png", 0)
    (tmp_path / "Kitti" / "raw" / "training" / "label_2" / "0.txt").write_text("Car 0 0 0 0 0 1 1 0 0 0 0 0 0 0\n")
    assert "torchvision's Kitti is not for classification as it comes: sample 0" in problems(
        TorchvisionData("Kitti", str(tmp_path)), tmp_path
    )


def test_a_download_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way of a folder")
    told = problems(TorchvisionData("CIFAR10", str(tmp_path / "file"), download=True), tmp_path)
    assert f"torchvision's CIFAR10 cannot be read from '{tmp_path / 'file'}'" in told
    assert "check the connection, or put the data there by hand" in told
