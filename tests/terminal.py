"""Commands on a pseudo-terminal, and what reaches it that is no text."""

import contextlib
import io
import os
import pty
import re
import sys
import termios
import threading
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from ablation.cli.main import main


class Shown(NamedTuple):
    """How a command ended, and every character that it sent to the terminal, errors too."""

    code: int
    text: str


def on_terminal(folder: Path, *arguments: str) -> Shown:
    """Run `ablation ARGUMENTS` in that folder, in this process, with a terminal of 80 columns as its output."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, 80))
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST  # or the terminal's driver would add carriage returns
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    received = bytearray()
    reader = threading.Thread(target=_receive, args=(master, received))
    reader.start()
    code: object = 0
    with (
        io.TextIOWrapper(io.FileIO(slave, "w"), "utf-8", write_through=True) as screen,
        contextlib.chdir(folder),
        patch.object(sys, "argv", ["ablation", *arguments]),
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    reader.join()
    os.close(master)
    return Shown(int(str(code)), received.decode())


def _receive(master: int, received: bytearray) -> None:
    while True:
        try:
            content = os.read(master, 1 << 16)
        except OSError:  # EIO: the other end was closed
            return
        if not content:
            return
        received += content


OWN = re.compile(r"\x1b\[(?:\d{1,2}(?:;\d{1,2})*)?m|\x1b\[(?:2K|\d*A|\?25[lh])|\r")
"""What rich and click send themselves: simple style, the cursor up, a line cleared, the cursor hidden and shown."""

UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def unseen(text: str) -> list[str]:
    """What is left of the text that is not seen as itself, each with what is around it."""
    rest = OWN.sub("", text)
    return [rest[max(0, found.start() - 30) : found.end() + 30] for found in UNSEEN.finditer(rest)]
