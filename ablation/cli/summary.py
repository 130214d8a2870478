"""The commands on networks and the machine: `ablation summary MODEL` and `ablation doctor`. Parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True, help="Side of an image.")
@click.option("--classes", type=click.IntRange(min=1), default=1000, show_default=True, help="How many it tells apart.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True, help="For activation memory.")
@click.option(
    "--stem",
    type=click.Choice(["torchvision", "small"]),
    default="torchvision",
    show_default=True,
    help="small: a ResNet's first layers for images below 64 px.",
)
@click.option("--depth", type=click.IntRange(min=1), help="Tell modules this deep as one row; by default every layer.")
@click.option(
    "--csv", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True), help="The table as CSV; - prints it."
)
def summary(
    model: str, image_size: int, classes: int, batch_size: int, stem: str, depth: int | None, csv: str | None
) -> None:
    """Show a network layer by layer: shapes, parameters, MACs, memory.

    MODEL is a classifier of torchvision, shallow_cnn or lenet, or a factory of yours as package.module:factory.

    \b
    Example:
      ablation summary resnet50 --image-size 196
      ablation summary vit_b_16 --depth 2 --csv vit.csv
    """
    from ablation.cli.console_summary import show_summary, write_csv
    from ablation.core.files import atomic
    from ablation.models.freezing import layer_count
    from ablation.training.cost.counts import Asked, look_at
    from ablation.training.cost.layers import rows

    asked = Asked(model, classes, image_size, stem)
    built, layers, counts = look_at(asked)
    told = rows(built, layers, depth)
    if csv == "-":
        write_csv(sys.stdout, told)
        return
    show_summary(asked, told, counts, batch_size, layer_count(built))
    if csv:
        with atomic(Path(csv), "w") as file:
            write_csv(file, told)
        click.echo(f"wrote {csv}")


@click.command()
@click.option("--measure", "measured", is_flag=True, help="Train a few steps to learn how fast it is: about a minute.")
@click.option("--device", default="auto", show_default=True, help="What to measure: auto, cpu, cuda or cuda:N.")
@click.option("--runs", type=_FOLDER, default="runs", show_default=True, help="Folder of the runs.")
@click.option("--cache", type=_FOLDER, default="cache", show_default=True, help="Where the rates are kept.")
def doctor(measured: bool, device: str, runs: Path, cache: Path) -> None:
    """Look at this machine: software, devices, memory, disk; with --measure, how fast it trains.

    \b
    Example:
      ablation doctor
      ablation doctor --measure --device cuda:0
    """
    from ablation.cli.console import console
    from ablation.cli.console_doctor import show_facts, show_machine
    from ablation.cli.progress import counting
    from ablation.training.cost.benchmark import measure
    from ablation.training.cost.doctor import examine
    from ablation.training.cost.rates import remember
    from ablation.training.sweep import choose_devices

    show_facts(examine(runs))
    if measured:
        with counting("measuring", console) as progress:
            machine = measure(choose_devices(device, 1, 1)[0], progress=progress)
        show_machine(machine, remember(machine, cache))
