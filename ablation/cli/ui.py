"""`ablation ui`: MLflow's own pages."""

from __future__ import annotations

from pathlib import Path

import click

from ablation.cli.console import as_line, console
from ablation.cli.context import TRACKING_URI
from ablation.tracking.ui import serve_ui


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="By default 5000, or the next one that is free.")
@TRACKING_URI
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True, help="Folder of the runs.")
def ui(port: int | None, tracking_uri: str | None, runs: Path) -> None:
    """Start MLflow's own pages on 127.0.0.1, with the right store; Ctrl-C ends them.

    \b
    Example:
      ablation ui --port 5001
    """
    serve_ui(runs, tracking_uri, port, say_unbroken)


def say_unbroken(text: str) -> None:
    """Print a line without breaking it: an address with a newline in it cannot be opened."""
    console.print(as_line(text), soft_wrap=True)
