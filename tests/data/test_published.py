"""Data sets from libraries: real readers on made files, and what is told where they cannot read."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablation.core.errors import DataError, InputError
from ablation.data import Digits, TorchvisionData, listing
from ablation.data.published import digest_of, every_part, has_parts


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


def test_all_parts_of_a_set_with_a_train_argument(tmp_path):
    write_mnist(tmp_path, "train", [3, 1, 4, 1])
    write_mnist(tmp_path, "t10k", [4, 3, 1])
    source = TorchvisionData("MNIST", str(tmp_path), split="all")
    classes, samples = source.samples()
    assert classes == ("1 - one", "3 - three", "4 - four")
    assert [(sample.name, sample.label, sample.part) for sample in samples] == [
        *((f"MNIST/train/00000{row}", label, "train") for row, label in enumerate((1, 0, 2, 0))),
        *((f"MNIST/test/00000{row}", label, "test") for row, label in enumerate((2, 1, 0))),
    ]
    for sample in samples:
        assert not isinstance(sample.origin, Path)
        assert digest_of(sample.origin()) == sample.digest
    _, train = TorchvisionData("MNIST", str(tmp_path)).samples()
    assert [sample.digest for sample in samples[:4]] == [sample.digest for sample in train]
    assert [(sample.name, sample.part) for sample in train] == [(f"MNIST/00000{row}", "") for row in range(4)]


def test_all_parts_of_a_set_with_a_split_argument(tmp_path):
    for part, amount in (("train", 4), ("valid", 2), ("test", 2)):
        for number in range(amount):
            draw(tmp_path / "country211" / part / ("DE", "FR")[number % 2] / f"{number}.jpg", number)
    classes, samples = TorchvisionData("Country211", str(tmp_path), split="all").samples()
    assert classes == ("DE", "FR")
    assert [sample.part for sample in samples] == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    assert [sample.label for sample in samples] == [0, 0, 1, 1, 0, 1, 0, 1]
    assert samples[-1].name == "Country211/test/000001"


def write_pets(root: Path, part: str, breeds: list[str]) -> None:
    """Made pictures in the folders of the Oxford pets."""
    pets, lines = root / "oxford-iiit-pet", []
    (pets / "annotations").mkdir(parents=True, exist_ok=True)
    names = sorted({"Bombay", "Birman", *breeds})
    for number, breed in enumerate(breeds):
        draw(pets / "images" / f"{breed}_{part}{number}.jpg", number)
        lines.append(f"{breed}_{part}{number} {names.index(breed) + 1} 1 1\n")
    (pets / "annotations" / f"{part}.txt").write_text("".join(lines))


def test_where_train_and_val_are_one_part_it_is_the_training_part(tmp_path):
    write_pets(tmp_path, "trainval", ["Bombay", "Birman", "Bombay"])
    write_pets(tmp_path, "test", ["Birman", "Bombay"])
    classes, samples = TorchvisionData("OxfordIIITPet", str(tmp_path), split="all").samples()
    assert classes == ("Birman", "Bombay")
    assert [(sample.part, sample.label) for sample in samples] == [
        *(("train", 1), ("train", 0), ("train", 1), ("test", 0), ("test", 1))
    ]


def test_all_parts_must_have_the_same_classes_with_the_same_names(tmp_path):
    write_mnist(tmp_path, "train", [3, 1, 4])
    write_mnist(tmp_path, "t10k", [0, 1, 3])
    same = "train and test must have the same classes"
    assert problems(TorchvisionData("MNIST", str(tmp_path), split="all"), tmp_path).splitlines() == [
        f"MNIST/test: class '0 (0 - zero)' is in test only; {same}",
        f"MNIST/train: class '4 (4 - four)' is in train only; {same}",
    ]
    for part, countries in (("train", "AB"), ("valid", "AB"), ("test", "BC")):
        for number, country in enumerate(countries):
            draw(tmp_path / "country211" / part / country / "0.jpg", number)
    assert problems(TorchvisionData("Country211", str(tmp_path), split="all"), tmp_path).splitlines() == [
        "Country211: label 0 is 'A' in train, 'A' in val, 'B' in test; the parts must have the same classes",
        "Country211: label 1 is 'B' in train, 'B' in val, 'C' in test; the parts must have the same classes",
    ]


def test_sets_whose_parts_are_not_known(tmp_path):
    assert "FakeData is not divided into parts: leave out split = 'all'" in problems(
        TorchvisionData("FakeData", split="all"), tmp_path
    )
    told = problems(TorchvisionData("Places365", str(tmp_path), split="all"), tmp_path)
    assert told == (
        "torchvision's Places365 cannot be read with split = 'all': its parts are 'train-standard', 'train-challenge', "
        "'val', 'test'; name one of them as split"
    )
    assert "it does not tell its parts" in problems(TorchvisionData("CelebA", str(tmp_path), split="all"), tmp_path)
    told = problems(TorchvisionData("CIFAR10", str(tmp_path / "none"), split="all"), tmp_path)
    assert "set download=True, or put the data there by hand" in told
    assert "it needs split" in problems(TorchvisionData("EMNIST", str(tmp_path), split="all"), tmp_path)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("CIFAR10", {"train": {"train": True}, "test": {"train": False}}),
        ("SVHN", {"train": {"split": "train"}, "test": {"split": "test"}}),
        ("STL10", {"train": {"split": "train"}, "test": {"split": "test"}}),
        ("FGVCAircraft", {part: {"split": part} for part in ("train", "val", "test")}),
        ("Country211", {"train": {"split": "train"}, "val": {"split": "valid"}, "test": {"split": "test"}}),
        ("OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}),
        ("ImageNet", {"train": {"split": "train"}, "val": {"split": "val"}}),
        ("Imagenette", {"train": {"split": "train"}, "val": {"split": "val"}}),
    ],
)
def test_parts_are_read_off_what_torchvision_takes(tmp_path, name, parts):
    assert every_part(name, str(tmp_path / "none")) == parts
    assert has_parts(name, str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_torchvision_data_made_by_the_library(tmp_path, monkeypatch):
    from torchvision.datasets import FakeData

    _, *defaults = FakeData.__init__.__defaults__
    monkeypatch.setattr(FakeData.__init__, "__defaults__", (100, *defaults))  # images, 1000 as it comes
    found = listing(TorchvisionData("FakeData"), tmp_path)
    assert len(found.names) == 100
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
