"""Commands as a person types them, run in this process: what it takes to start one is not paid for each test."""

import contextlib
import io
import sys
from pathlib import Path
from unittest.mock import patch

from ablation.cli.main import main


def ablation(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The exit status, standard output and standard error of `ablation ARGUMENTS` in that folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with contextlib.chdir(folder), patch.object(sys, "argv", ["ablation", *arguments]):
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
    shown, told = (stream.buffer.getvalue().decode() for stream in (out, err))
    return int(str(code)), shown, told
