"""`ablation plan --pilot`: two runs of the baseline, which are of the grid, so that a plan knows how much scores vary.

Publishes nothing to MLflow: `ablation run` finds the two finished, and publishes them with the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablation.analysis.comparison import MIN_SEEDS
from ablation.cli.console import console, say, warn
from ablation.cli.context import ExperimentOptions
from ablation.cli.plan_cost import estimate
from ablation.cli.progress import Progress
from ablation.core.errors import InputError
from ablation.core.text import counted, listing, named
from ablation.data import Listing
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.labels import names_of
from ablation.experiment.record import RunRecord
from ablation.experiment.runs import folder_of
from ablation.training.crew import Training
from ablation.training.policy import Policy
from ablation.training.sweep import crew_for, train_missing

SEEDS = 2


def pilot_cells(experiment: Experiment, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The baseline under the first condition that has it, with the first two seeds that share no draw of the split.

    Raises InputError where there are no two.
    """
    baseline = [cell for cell in cells if cell.factors["recipe"] == experiment.baseline]
    first = [cell for cell in baseline if cell.condition == baseline[0].condition]
    by_draw: dict[int, Cell] = {}
    for cell in first:
        by_draw.setdefault(cell.seed // cell.spec.split.runs_per_draw, cell)
    chosen = tuple(by_draw.values())[:SEEDS]
    if len(chosen) < SEEDS:
        what = f"{counted(len(by_draw), 'draw')} of the split" if len(first) > 1 else counted(len(first), "seed")
        raise InputError(
            f"--pilot trains two runs of the baseline, and this experiment has {what} of it; give it {MIN_SEEDS} seeds "
            "or more"
        )
    return chosen


def train_pilot(
    options: ExperimentOptions,
    experiment: Experiment,
    data: Listing,
    cells: tuple[Cell, ...],
    finished: Mapping[str, RunRecord],
    dry_run: bool = False,
) -> bool:
    """Say what the pilot takes, and train what is missing of it; whether both runs have a record then.

    finished: records by the run's id. dry_run: train nothing, which leaves nothing to be wanted. Raises as
    `ablation.training.sweep.sweep`.
    """
    chosen = pilot_cells(experiment, cells)
    names = names_of(cells)
    which = listing([named(names[cell.spec.id]) for cell in chosen])
    missing = [cell for cell in chosen if cell.spec.id not in finished]
    if not missing:
        say(f"the pilot, {which}, is finished: nothing to train")
        return True
    with options.writing(dry_run) as scratch:
        time = estimate(chosen, data, scratch.cache, finished, folder_of(experiment, options.runs)).time
    takes = f", {time}" if time else ""
    if dry_run:
        say(f"--pilot would train {counted(len(missing), 'run')} ({which}){takes}; nothing is written")
        return True
    say(f"pilot: {counted(len(missing), 'run')} to train ({which}){takes}; `{options.command('run')}` keeps them")
    policy = Policy(only=tuple({**cell.factors, "seed": cell.seed} for cell in chosen))
    with (
        crew_for(experiment, options.runs, options.cache, Training(), policy) as crew,
        Progress(experiment.name, names, console) as progress,
    ):
        variant = options.variant(data.digest)
        swept = train_missing(experiment, data, cells, crew, options.cache, progress, policy=policy, variant=variant)
    wanted = {cell.spec.id for cell in chosen}
    lacking = [names[run.spec.id] for run in swept.runs if run.spec.id in wanted and run.record() is None]
    if lacking:
        status = options.command("status")
        warn(f"the pilot lacks {listing(map(named, lacking))}: `{status}` says why, the same command tries again")
    return not lacking
