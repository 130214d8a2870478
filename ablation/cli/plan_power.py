"""What `ablation plan` prints of power: what the design can find, on what that rests, and what would find more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.analysis.power import sd_interval
from ablation.cli.console import say
from ablation.cli.sections import show_table
from ablation.core.text import counted
from ablation.core.values import label
from ablation.data.split import Fixed, Given, Redrawn, Split
from ablation.evidence.pairs import Condition
from ablation.evidence.power import PlannedPower, comparisons_of, differing, images_tested, is_share
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.labels import condition_text
from ablation.experiment.preregistration import preregistration_of
from ablation.report import text as wording
from ablation.report.section import Column, Table
from ablation.training.cost.estimate import Images


def answer(experiment: Experiment, planned: Sequence[PlannedPower], pilot: str) -> str:
    """What could be found, in a sentence or two; '' where nothing is compared. pilot: the command that trains one."""
    if not planned:
        return ""
    if len(experiment.seed_numbers) < MIN_SEEDS:
        return f"fewer than {MIN_SEEDS} seeds: there will be differences, and no verdict"
    metric, power = experiment.metric, min(planned, key=lambda one: one.smallest)
    if math.isnan(power.smallest):
        return (
            f"how much {METRICS[metric].title} varies over seeds is not known before the first runs, and so not what "
            f"these seeds could show; `{pilot}` measures it in two runs, --sd gives a guess"
        )
    design = f"{counted(power.seeds, 'seed')}, {spanned(power.test_images)} test images"
    if math.isnan(power.estimated.sd):
        return (
            f"cannot find a difference below {wording.amount(power.at_best, metric)}, however little seeds vary: "
            f"{design}, {_assumptions(power)}; `{pilot}` trains two runs to know better"
        )
    found = f"finds a difference of {wording.amount(power.smallest, metric)} or more, 4 times in 5"
    if power.estimated.few:
        found = (
            f"finds a difference of {wording.points(power.as_estimated, metric)} to "
            f"{wording.amount(power.smallest, metric)}, as seeds vary like the few finished runs or as much as these "
            "cannot rule out"
        )
    at_best = ""
    if not math.isnan(power.at_best) and (power.estimated.few or power.estimated.df is None):
        at_best = (
            f"; none below {wording.points(power.at_best, metric)}, however little seeds vary ({_assumptions(power)})"
        )
    return f"{found}: {design}{at_best}"


def _assumptions(power: PlannedPower) -> str:
    """Those of the floor: the accuracy, and how many photographs the two recipes answer differently."""
    score = power.floor.score or 0.0
    known = "an accuracy of" if power.estimated.score is not None else "assuming an accuracy of"
    return f"{known} {100 * score:.0f} %, and 1 in {1 / differing(score):.0f} images answered differently"


def warnings(experiment: Experiment, splits: Mapping[Condition, Split], parts: Mapping[Condition, Images]) -> list[str]:
    """Where one test photograph weighs more than the margin: what to do, with numbers."""
    if not is_share(experiment):
        return []
    found: dict[str, None] = {}
    for condition, split in splits.items():
        images = parts[condition]
        tested = images_tested(split, experiment.seed_numbers, images.cached, images.test)
        if 1 / tested > experiment.margin:
            found[_one_image(experiment, tested, split, images)] = None
    return list(found)


def _one_image(experiment: Experiment, tested: int, split: Split, images: Images) -> str:
    metric, margin = experiment.metric, experiment.margin
    needed = math.ceil(1 / margin - 1e-9)
    worth = (
        f"One of {tested:,} test images is worth {wording.amount(1 / tested, metric)}, more than the margin of "
        f"{wording.points(margin, metric)}, which needs at least {needed:,}"
    )
    return f"{worth}: {_more_images(split, images, needed) or _wider(needed, images)}"


def _more_images(split: Split, images: Images, needed: int) -> str:
    """How the same photographs give enough test images; '' where they are too few."""
    total = images.cached
    ways = []
    if isinstance(split, Given):
        ways.append(f"give the data's own test part {needed:,}")
    room = total - images.train - images.val
    if isinstance(split, Fixed | Redrawn) and room - isinstance(split, Redrawn) >= needed:
        ways.append(f"split={type(split).__name__}(..., test={math.ceil(100 * needed / total) / 100:g})")
    if not split.redraws_test and total >= needed:
        ways.append(f"split=KFold(5) tests all {total:,}, with 5 seeds or more")
    return "; or ".join(ways)


def _wider(needed: int, images: Images) -> str:
    total = images.cached
    if total >= needed:
        return "more seeds, so that more photographs are tested"
    margin = math.ceil(1000 / total) / 1000
    return f"more photographs than these {total:,}, or margin={margin:g} and split=KFold(5)"


def show_power(
    experiment: Experiment, cells: Sequence[Cell], conditions: Sequence[Condition], planned: Sequence[PlannedPower]
) -> None:
    """Print how recipes are compared, and where they cannot be; then what that could show, and on what that rests."""
    seeds, metric = len(experiment.seed_numbers), experiment.metric
    say(
        f"each recipe against {experiment.baseline!r} by {label(experiment.declared_test)} on {metric}, "
        f"{seeds} seeds; {wording.corrected_by(experiment, comparisons_of(planned))}; "
        f"alpha {experiment.alpha:g}, equivalent within {wording.amount(experiment.margin, metric)}; "
        f"plan {preregistration_of(experiment, cells).hash}"
    )
    lonely = [condition for condition in conditions if not any(condition in power.conditions for power in planned)]
    if len(experiment.recipes) > 1 and lonely:
        names = "; ".join(map(", ".join, lonely))
        say(f"nothing is compared under {names}: the baseline is not in the grid there", "yellow")
    if seeds < MIN_SEEDS or not planned or all(math.isnan(power.smallest) for power in planned):
        return
    show_table(_table(experiment, cells, planned))
    for sentence in dict.fromkeys(_few(experiment, power) for power in planned if power.estimated.few):
        say(sentence)
    say(_sources(experiment, planned[-1]))
    for power in planned:
        if is_share(experiment) and power.smallest >= 1:
            where = _where(experiment, cells, power)
            say(f"{where}: no difference that {metric} can show would be significant", "bold yellow")


def _table(experiment: Experiment, cells: Sequence[Cell], planned: Sequence[PlannedPower]) -> Table:
    """What the design could detect, and how many seeds smaller differences need."""
    metric, test = experiment.metric, experiment.declared_test

    def comparison(power: PlannedPower) -> str:
        recipes = power.recipes[0] if len(power.recipes) == 1 else f"{len(power.recipes)} recipes"
        return f"{recipes} {_where(experiment, cells, power)}"

    def takes(index: int) -> Callable[[PlannedPower], str]:
        return lambda power: f"{power.needed[index][1]:,}" if power.needed[index][1] else "> 1,000"

    smaller = [f"{wording.points(difference, metric)} takes" for difference, _ in planned[0].needed]
    at_best = all(math.isnan(power.estimated.sd) for power in planned)
    finds = "finds at best" if at_best else "finds"
    columns: dict[str, Column] = {
        "comparison": ("comparison", comparison),
        "seeds": ("seeds", lambda power: str(power.seeds)),
        "test images": ("test images", lambda power: spanned(power.test_images)),
        "sd": ("sd", lambda power: wording.points(power.spread.of(test), metric)),
        "finds": (finds, lambda power: wording.points(power.smallest, metric)),
        **{name: (name, takes(index)) for index, name in enumerate(smaller)},
    }
    caption = (
        f"in {METRICS[metric].unit or METRICS[metric].title}; sd: over seeds{' of a paired difference' * test.paired}, "
        f"{'; '.join(dict.fromkeys(power.spread.origin for power in planned))}; finds: the smallest difference that "
        "one comparison shows with 80 % power after correction; takes: seeds that others need"
        f"{', at least' * at_best}"
    )
    return Table.of(columns, planned, caption, keep=("finds", *smaller), spare=("test images", "seeds", "sd"))


def _few(experiment: Experiment, power: PlannedPower) -> str:
    """How badly an sd of few runs is known."""
    estimated, metric, test = power.estimated, experiment.metric, experiment.declared_test
    sd = estimated.of(test)
    low, high = sd_interval(sd, estimated.df or 1)
    planned = power.spread.of(test)
    which = "its upper limit at 80 %" if planned > power.floor.of(test) or math.isnan(power.floor.sd) else "the floor"
    return (
        f"The sd, {estimated.origin}, is {wording.points(sd, metric)}; with so few it may be "
        f"{wording.points(low, metric)} to {wording.points(high, metric)} (95 %). This plan takes {which}, "
        f"{wording.points(planned, metric)}."
    )


def _sources(experiment: Experiment, power: PlannedPower) -> str:
    """What varies in this design, so that a verdict holds for it, and what that costs."""
    target, metric = target_of(experiment), experiment.metric
    sentences = [f"Verdicts hold {target}, {counted(power.seeds, 'seed')}."]
    if target.images and not math.isnan(power.on_these_images):
        guessed = "" if power.spread.images is not None else " (how much they matter is assumed)"
        sentences.append(
            f"It finds {wording.points(power.smallest, metric)}; with the test photographs taken as given it would "
            f"find {wording.points(power.on_these_images, metric)}{guessed}."
        )
    if not math.isnan(power.without_overlap):
        sentences.append(
            "Training parts of different seeds share photographs; if they shared none it would find "
            f"{wording.points(power.without_overlap, metric)}: train on fewer, or give more photographs."
        )
    if not target.training:
        sentences.append(
            "Which photographs are trained on does not vary; split=Redrawn(...) redraws them for each seed."
        )
    return " ".join(sentences)


def _where(experiment: Experiment, cells: Sequence[Cell], power: PlannedPower) -> str:
    """'under adam', 'under each of 2 conditions', 'pooled over 2 conditions'."""
    if len(power.conditions) == 1:
        levels = next(cell.factors for cell in cells if cell.condition == power.conditions[0])
        condition = {factor: level for factor, level in levels.items() if factor != "recipe"}
        return f"under {condition_text(condition, experiment)}"
    return f"{'pooled over' if power.pooled else 'under each of'} {len(power.conditions)} conditions"


def spanned(numbers: Sequence[int]) -> str:
    """'120', '100 to 120'."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
