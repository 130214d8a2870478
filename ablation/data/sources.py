"""Sources: where the photographs of an experiment come from, as its author writes it.

Values: nothing is read until `samples()` is called. What a source holds, in an order that depends on content alone, is
told by `ablation.data.contents.listing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ablation.data.files import Samples, read_folder, read_list
from ablation.data.published import read_digits, read_torchvision, torchvision_names
from ablation.errors import InputError, did_you_mean
from ablation.values import Count, value


@value
class ImageFolder:
    """A folder for each class. Classes are numbered in the order of their names; files in nested folders count.

    Hidden files are passed over. Any other file must be an image.
    """

    path: str

    def moved_to(self, path: str) -> ImageFolder:
        """The same classes in the folder `path`."""
        return ImageFolder(path)

    def samples(self) -> Samples:
        """Every file. Raises DataError for a missing or empty folder."""
        return read_folder(self.path)


@value
class ListFile:
    """A list with a line `path<TAB>label` for each image, relative to the list's folder; labels are 0, 1, 2, ...

    Without a tab the line is parted at its last whitespace. Blank lines are skipped. `classes` is a file with one
    name a line, that of label 0 first; without it classes are called by their number.
    """

    path: str
    classes: str | None = None

    def moved_to(self, path: str) -> ListFile:
        """The list `path`; or, if it is a folder, the list of the same name in it. The class file lies beside it."""
        moved = Path(path)
        is_list = moved.is_file() or (moved.suffix != "" and not moved.is_dir())
        folder = moved.parent if is_list else moved
        classes = None if self.classes is None else str(folder / Path(self.classes).name)
        return ListFile(str(moved if is_list else folder / Path(self.path).name), classes)

    def samples(self) -> Samples:
        """Every line. Raises DataError with every line that is wrong, the first ten in full."""
        return read_list(self.path, self.classes)


@value
class Digits:
    """The 1,797 handwritten digits (8 x 8 pixels, 10 classes) that come with scikit-learn, so always at hand."""

    def moved_to(self, path: str) -> Digits:
        """Raises InputError: it has no place of its own."""
        raise InputError(f"Digits() comes with scikit-learn, so there is nothing to be read from {path!r} instead")

    def samples(self) -> Samples:
        return read_digits()


@value
class TorchvisionData:
    """A classification data set of torchvision.datasets by its class name, for example `TorchvisionData("CIFAR10")`.

    root: the folder that torchvision keeps it in. split: the part, by default the one for training; it is that part
    which the experiment divides into train, val and test.
    """

    name: str
    root: str = "data"
    split: str | None = None
    download: bool = False

    def check(self) -> Iterator[str]:
        names = torchvision_names()
        if names and self.name not in names:
            yield f"name = {self.name!r} is no data set of torchvision{did_you_mean(self.name, names)}"

    def moved_to(self, path: str) -> TorchvisionData:
        """The same data, kept in the folder `path`."""
        return replace(self, root=path)

    def samples(self) -> Samples:
        """Every sample. Raises DataError if the data is not there, or is not for classification."""
        return read_torchvision(self.name, self.root, self.split, self.download)


@value
class Subset:
    """The first `per_class` samples of each class, in the order of their content: the same wherever it is asked."""

    source: Source
    per_class: Count

    def moved_to(self, path: str) -> Subset:
        """The same samples of the moved source."""
        return replace(self, source=self.source.moved_to(path))


Source = ImageFolder | ListFile | Digits | TorchvisionData | Subset
