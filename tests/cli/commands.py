"""Commands as a person types them, run in this process: what it takes to start one is not paid for each test."""

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from ablation.cli.main import main


class Ended(NamedTuple):
    """How a command ended: its exit status, and what it printed."""

    code: int
    out: str
    err: str


def ablation(folder: Path, *arguments: str) -> Ended:
    """The exit status, standard output and standard error of `ablation ARGUMENTS` in that folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with (
        contextlib.chdir(folder),
        patch.object(sys, "argv", ["ablation", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    return Ended(int(str(code)), *(stream.buffer.getvalue().decode() for stream in (out, err)))
