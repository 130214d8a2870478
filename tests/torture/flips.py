"""One bit of one file turned, at random: in a project's folder, and what is made of it."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KINDS = {
    "record": r"runs/.*/record\.json",
    "arrays": r"runs/.*/arrays\.npz",
    "checkpoint": r"runs/.*/checkpoint.*\.pt",
    "journal": r"runs/.*/journal\.jsonl",
    "spec": r"runs/.*/spec\.json",
    "declaration": r"runs/[^/]*/declared\.jsonl",
    "cached pixels": r"cache/.*/images\.npy",
    "cached samples": r"cache/.*/(samples\.npz|meta\.json)",
    "cached traits": r"cache/traits/.*",
}
"""Of each kind of file, the path in the project's folder. Each is drawn equally often."""


@dataclass(frozen=True)
class Flip:
    """One bit of a file. path: in the project's folder."""

    kind: str
    path: Path
    byte: int
    bit: int

    @classmethod
    def drawn(cls, folder: Path, number: int) -> "Flip":
        """The flip of this number: its kind of file in turn, the file and the bit by a fixed seed."""
        files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
        kinds = {kind: [file for file in files if re.fullmatch(name, file.as_posix())] for kind, name in KINDS.items()}
        kinds = {kind: some for kind, some in kinds.items() if some}
        kind = list(kinds)[number % len(kinds)]
        draws = np.random.Generator(np.random.Philox(number))
        path = kinds[kind][draws.integers(len(kinds[kind]))]
        return cls(kind, path, int(draws.integers((folder / path).stat().st_size)), int(draws.integers(8)))

    def turn(self, folder: Path) -> None:
        """Turn the bit; once more turns it back."""
        with (folder / self.path).open("r+b") as file:
            file.seek(self.byte)
            [byte] = file.read(1)
            file.seek(self.byte)
            file.write(bytes([byte ^ 1 << self.bit]))

    def is_named(self, printed: str, expected: str) -> bool:
        """Whether the words that are not as expected name the file, its run, or the cache that it is of."""
        usual = set(expected.splitlines())
        new = "\n".join(line for line in printed.splitlines() if line not in usual)
        folder = self.path.parent.name
        return any(name in new for name in (self.path.name, *([folder] if re.search("[0-9a-f]{16}", folder) else [])))
