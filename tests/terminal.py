"""Commands on a pseudo-terminal, and what reaches it that is no text."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from rich.cells import cell_len

from ablation.cli.console import console
from ablation.cli.main import main


class Shown(NamedTuple):
    """How a command ended, and every character that it sent to the terminal, errors too."""

    code: int
    text: str


def on_terminal(folder: Path, *arguments: str, columns: int = 80, encoding: str = "utf-8") -> Shown:
    """Run `ablation ARGUMENTS` in that folder, in this process, with a terminal of so many columns as its output."""
    master, slave = _opened(columns)
    received = bytearray()
    reader = threading.Thread(target=_receive, args=(master, received))
    reader.start()
    code: object = 0
    with (
        io.TextIOWrapper(io.FileIO(slave, "w"), encoding, write_through=True) as screen,
        contextlib.chdir(folder),
        patch.object(console, "_width", None),  # whatever other tests have set
        patch.dict(os.environ),
        patch.object(sys, "argv", ["ablation", *arguments]),
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
    ):
        os.environ.pop("COLUMNS", None)
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    reader.join()
    os.close(master)
    return Shown(int(str(code)), received.decode(encoding))


def in_a_process(folder: Path, *arguments: str, columns: int = 80, **environment: str) -> Shown:
    """The same in a process of its own, with variables of its environment that are read when Python starts."""
    master, slave = _opened(columns)
    received = bytearray()
    reader = threading.Thread(target=_receive, args=(master, received))
    reader.start()
    variables = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | environment
    command = (sys.executable, "-m", "ablation.cli.main", *arguments)
    try:
        ended = subprocess.run(command, cwd=folder, env=variables, stdin=slave, stdout=slave, stderr=slave, check=False)
    finally:
        os.close(slave)
    reader.join()
    os.close(master)
    return Shown(ended.returncode, received.decode("utf-8", "replace"))


def _opened(columns: int) -> tuple[int, int]:
    """Both ends of a terminal of 50 lines that adds no carriage returns."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, columns))
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    return master, slave


def _receive(master: int, received: bytearray) -> None:
    while True:
        try:
            content = os.read(master, 1 << 16)
        except OSError:  # EIO: the other end was closed
            return
        if not content:
            return
        received += content


def lines(shown: Shown) -> list[str]:
    """The lines that stood on the screen, without style; of one that was written again, each time it was."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.text)
    return [line.rstrip() for line in re.split(r"[\n\r]", text)]


def too_wide(shown: Shown, columns: int) -> list[str]:
    """The lines that are wider than the terminal, but for a single word, as a path: that is not broken."""
    return [line for line in lines(shown) if cell_len(line) > columns and len(line.split()) > 1]


OWN = re.compile(r"\x1b\[(?:\d{1,2}(?:;\d{1,2})*)?m|\x1b\[(?:2K|\d*A|\?25[lh])|\r")
"""What rich and click send themselves: simple style, the cursor up, a line cleared, the cursor hidden and shown."""

UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def unseen(text: str) -> list[str]:
    """What is left of the text that is not seen as itself, each with what is around it."""
    rest = OWN.sub("", text)
    return [rest[max(0, found.start() - 30) : found.end() + 30] for found in UNSEEN.finditer(rest)]
