"""`ablation list`: the experiments that there are."""

from __future__ import annotations

import click
from rich.text import Text

from ablation.cli.console import console, table
from ablation.core.errors import AblationError
from ablation.experiment.files import FOLDER, experiment_names, find, read


@click.command("list")
def experiments() -> None:
    """List the experiments in experiments/.

    \b
    Example:
      ablation list
    """
    names = experiment_names()
    if not names:
        console.print(f"no experiment in {FOLDER}/; start in the project's folder")
        return
    made = table("experiment", "runs", "question", right=("runs",))
    for name in names:
        made.add_row(*map(Text, _row(name)))
    console.print(made)


def _row(name: str) -> tuple[str, str, str]:
    try:
        file = read(find(name))
        return name, str(len({cell.spec.id for cell in file.experiment.cells("")})), file.question
    except AblationError as error:
        return name, "", f"cannot be read: {error.problems[0]}"
