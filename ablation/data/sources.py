"""Sources: where the photographs of an experiment come from, as its author writes it.

Values: nothing is read until `samples()` is called. `ablation.data.contents.listing` returns what a source holds, in an
order that depends on content alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from ablation.core.errors import InputError, did_you_mean
from ablation.core.values import Count, Range, value
from ablation.data.decode import FULL_DEPTH
from ablation.data.files import Samples, read_folder
from ablation.data.lists import read_list
from ablation.data.published import read_digits, read_torchvision, torchvision_names
from ablation.data.tables import Columns, read_table

BitDepth = Annotated[int, Range(low=1, high=FULL_DEPTH)] | None
"""Of pictures whose files have 16 bits for each pixel: how many of them are used."""


@value
class ImageFolder:
    """A folder for each class. Classes are numbered in the order of their names; files in nested folders count.

    Or the same in parts: where the folders are called train (or training) and val (valid, validation) or test
    (testing), in any case, each of them holds the class folders, and `Given()` splits the data so. Hidden files, and
    those that programs leave (Thumbs.db, desktop.ini, __MACOSX, @eaDir), are passed over. Any other file must be an
    image. first_frame: of a file with several frames (an animation) the first is taken; otherwise such a file is
    refused. outside: whether links in the folder may lead out of it. bit_depth: of grey files of 16 bits, how many are
    used (a camera's 12): white is 2 ** bit_depth - 1, in every file, and one with a pixel beyond is refused.

    >>> ImageFolder("photos").moved_to("/data/photos")
    ImageFolder(path='/data/photos', first_frame=False, outside=False, bit_depth=None)
    """

    path: str
    first_frame: bool = False
    outside: bool = False
    bit_depth: BitDepth = None

    def moved_to(self, path: str) -> ImageFolder:
        """Return the same classes in the folder `path`."""
        return replace(self, path=path)

    def samples(self) -> Samples:
        """Return every file. Raises DataError for a missing or empty folder, and for parts whose classes differ."""
        return read_folder(self.path, self.outside)


@value
class ListFile:
    """A list with a line `path<TAB>label` for each image, relative to the list's folder; labels are 0, 1, 2, ...

    Without a tab the line is parted at its last whitespace. Blank lines are skipped. `classes` is a file with one
    name a line, that of label 0 first; without it classes are called by their number. outside: whether a path may be
    absolute, or leave the list's folder by '..' or by a link. first_frame, bit_depth: as in `ImageFolder`.

    >>> ListFile("cats/list.txt", classes="cats/classes.txt").moved_to("/data/cats").path
    '/data/cats/list.txt'
    """

    path: str
    classes: str | None = None
    outside: bool = False
    first_frame: bool = False
    bit_depth: BitDepth = None

    def moved_to(self, path: str) -> ListFile:
        """Return the list `path`, or that of the same name in the folder `path`. The class file lies beside it."""
        moved = _moved(self.path, path)
        classes = None if self.classes is None else str(moved.parent / Path(self.classes).name)
        return replace(self, path=str(moved), classes=classes)

    def samples(self) -> Samples:
        """Return every line. Raises DataError with every line that is wrong, the first ten in full."""
        return read_list(self.path, self.classes, self.outside)


@value
class CsvFile:
    """A table with the columns `path` and `label`, and maybe `split` and `group`, in any order beside any others.

    Paths are relative to the table's folder. Labels are the names of classes: numbered in the order of their names, or
    by their value where all are whole numbers. split: train, val or test (or as in `ImageFolder`), for every image or
    for none; then every part has the same classes, and `Given()` splits the data so. group: images with the same text
    (one animal, one patient) belong together. Values are parted by commas, or by semicolons or tabs where the header's
    are. outside, first_frame, bit_depth: as in `ListFile`. path_column, label_column, split_column, group_column: what
    these columns are called.

    >>> CsvFile("patients.csv", path_column="filename", label_column="class").moved_to("/data").path
    '/data/patients.csv'
    """

    path: str
    outside: bool = False
    first_frame: bool = False
    path_column: str = "path"
    label_column: str = "label"
    split_column: str = "split"
    group_column: str = "group"
    bit_depth: BitDepth = None

    def check(self) -> Iterator[str]:
        names = [name.casefold() for name in self._columns()]
        for name in self._columns():
            if names.count(name.casefold()) > 1:
                yield f"two of the columns are called {name!r}; each holds something else"
                return

    def _columns(self) -> Columns:
        return Columns(self.path_column, self.label_column, self.split_column, self.group_column)

    def moved_to(self, path: str) -> CsvFile:
        """Return the table `path`; or, if it is a folder, the table of the same name in it."""
        return replace(self, path=str(_moved(self.path, path)))

    def samples(self) -> Samples:
        """Return every row. Raises DataError with every row that is wrong, the first ten in full."""
        return read_table(self.path, self.outside, self._columns())


def _moved(before: str, path: str) -> Path:
    """Return the file `path`; or, if it is a folder, the file in it that is called as the one before."""
    moved = Path(path)
    is_file = moved.is_file() or (moved.suffix != "" and not moved.is_dir())
    return moved if is_file else moved / Path(before).name


@value
class Digits:
    """The 1,797 handwritten digits (8 x 8 pixels, 10 classes) that come with scikit-learn, so always at hand.

    >>> len(Digits().samples().samples)
    1797
    """

    first_frame: ClassVar[bool] = False
    bit_depth: ClassVar[int | None] = None

    def moved_to(self, path: str) -> Digits:
        """Raise InputError: it has no path of its own."""
        raise InputError(f"Digits() comes with scikit-learn, so there is nothing to be read from {path!r} instead")

    def samples(self) -> Samples:
        """Return every digit, with its pixels in memory."""
        return read_digits()


@value
class TorchvisionData:
    """A classification data set of torchvision.datasets by its class name, for example `TorchvisionData("CIFAR10")`.

    root: the folder that torchvision keeps it in. split: the part, by default the one for training; it is that part
    which the experiment divides into train, val and test. split="all": every part, for `Given()` to split it so.

    >>> TorchvisionData("CIFAR10", root="data", split="all").moved_to("/data").root
    '/data'
    """

    name: str
    root: str = "data"
    split: str | None = None
    download: bool = False
    first_frame: ClassVar[bool] = False
    bit_depth: ClassVar[int | None] = None

    def check(self) -> Iterator[str]:
        names = torchvision_names()
        if names and self.name not in names:
            yield f"name = {self.name!r} is no data set of torchvision{did_you_mean(self.name, names)}"

    def moved_to(self, path: str) -> TorchvisionData:
        """Return the same data, kept in the folder `path`."""
        return replace(self, root=path)

    def samples(self) -> Samples:
        """Return every sample. Raises DataError if the data is not there, or is not for classification."""
        return read_torchvision(self.name, self.root, self.split, self.download)


@value
class SkipBad:
    """The photographs of `source` that can be used; files that cannot be decoded are left out, and counted everywhere.

    >>> SkipBad(ImageFolder("photos")).source.path
    'photos'
    """

    source: Source

    @property
    def first_frame(self) -> bool:
        return self.source.first_frame

    @property
    def bit_depth(self) -> int | None:
        return self.source.bit_depth

    def moved_to(self, path: str) -> SkipBad:
        """Return the same of the moved source."""
        return replace(self, source=self.source.moved_to(path))


@value
class Subset:
    """The first `per_class` samples of each class in each part, in the order of their content: always the same."""

    source: Source
    per_class: Count

    @property
    def first_frame(self) -> bool:
        return self.source.first_frame

    @property
    def bit_depth(self) -> int | None:
        return self.source.bit_depth

    def moved_to(self, path: str) -> Subset:
        """Return the same samples of the moved source."""
        return replace(self, source=self.source.moved_to(path))


Source = ImageFolder | ListFile | CsvFile | Digits | TorchvisionData | SkipBad | Subset
