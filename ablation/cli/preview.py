"""`ablation preview`: what each recipe makes of a photograph, as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from ablation.cli.console import console
from ablation.cli.context import FILE, ExperimentOptions, on_experiment
from ablation.cli.progress import counting
from ablation.core.files import atomic
from ablation.core.safe import file_name
from ablation.report.sections.pictures.section import preview_info
from ablation.report.sections.pictures.strips import draw_preview
from ablation.report.style import styles
from ablation.training.preview import previews


@click.command()
@click.option("--recipe", "recipes", metavar="R", multiple=True, help="Only this recipe; may be repeated.")
@click.option("--image", metavar="PATH", type=FILE, help="A photograph, instead of the first that is trained on.")
@click.option(
    "--out",
    metavar="F.png",
    type=FILE,
    help="By default reports/EXPERIMENT-preview.png, with the recipes and the image that were chosen.",
)
@on_experiment
def preview(options: ExperimentOptions, recipes: tuple[str, ...], image: Path | None, out: Path | None) -> None:
    """Draw what each recipe makes of a photograph: several draws, and what was changed.

    \b
    Example:
      ablation preview quickstart
      ablation preview cats12 --recipe crop --recipe all --image ~/cat.jpg
    """
    experiment = options.experiment()
    options.listing(experiment)
    with counting("reading images into the cache", console) as progress:
        shown = previews(experiment, options.cache, recipes, image, progress)
    chosen = [*dict.fromkeys(recipes), *([image.stem] if image else [])]
    path = out or Path("reports") / f"{file_name('-'.join([options.named(experiment.name), 'preview', *chosen]))}.png"
    info = preview_info(experiment, shown.previews, f"The image {shown.name}", f"seed {shown.seed}")
    with counting("drawing", console) as progress:
        progress(0, 1)
        drawn = draw_preview(info, styles(experiment.recipes, experiment.baseline))
    with atomic(path) as file:
        file.write(drawn)
    console.print(f"wrote {path}", markup=False)
